package chunk

import (
	"context"
	"fmt"
	"strings"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Size is what a table holds of a tag. Bytes are estimated.
type Size struct {
	Table       string
	Rows, Bytes int64
}

const (
	sampleOrders = 500 // enough for the mean length of a row, and read in a moment
	// rowCost is what a row takes beside its values: headers, and its entries in about
	// three indexes.
	rowCost = 150
)

// Sizes counts a tag's rows in each table and estimates their bytes from a sample.
func (s *Side) Sizes(ctx context.Context, tag pay.Tag) ([]Size, error) {
	span, err := s.span(ctx, tag, "", sampleOrders)
	if err != nil {
		return nil, err
	}
	sample, err := s.read(ctx, tag, span)
	if err != nil {
		return nil, err
	}
	counts, err := s.count(ctx, s.db(), tag, Span{})
	if err != nil {
		return nil, fmt.Errorf("count the rows of tag %d on %s: %w", tag, s.Name, err)
	}
	sizes := make([]Size, len(s.tables))
	for i, t := range s.tables {
		sizes[i] = Size{Table: t.Name, Rows: counts[i], Bytes: counts[i] * (meanBytes(sample.of[i]) + rowCost)}
	}
	return sizes, nil
}

func meanBytes(list []row) int64 {
	if len(list) == 0 {
		return 0
	}
	sum := int64(0)
	for _, r := range list {
		sum += r.bytes()
	}
	return sum / int64(len(list))
}

// Twin is one attempt of a key with a live row in both groups. VOID rows are not
// live; the hop leaves them behind, and they clash with nothing.
type Twin struct {
	Merchant, MerchantOrderNo string
	Attempt                   int
	Source, Target            string // order numbers
}

// keysAtOnce bounds the keys of one statement, as elsewhere in the store.
const keysAtOnce = 200

// Twins tells found of every attempt that is live both among a tag's orders at the
// source and anywhere in the target, except for the order itself: what lies there of
// an earlier, unfinished copy. It may read millions of keys; pace holds it back.
func Twins(ctx context.Context, source, target *Side, tag pay.Tag, pace Pace, found func(Twin) error) error {
	pace = pace.withDefaults()
	for after := ""; ; {
		if err := pace.wait(ctx); err != nil {
			return err
		}
		keys, err := source.liveKeys(ctx, tag, after)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return nil
		}
		after = keys[len(keys)-1].Source
		if err := target.sameKeys(ctx, keys, found); err != nil {
			return err
		}
	}
}

func (s *Side) liveKeys(ctx context.Context, tag pay.Tag, after string) (keys []Twin, err error) {
	found, err := s.db().QueryContext(ctx, `SELECT merchant_id, merchant_order_no, attempt, order_no FROM orders
WHERE tag=? AND order_no>? AND live=1 ORDER BY order_no LIMIT ?`, tag, after, keysAtOnce)
	if err != nil {
		return nil, fmt.Errorf("read the keys of tag %d on %s: %w", tag, s.Name, err)
	}
	defer found.Close()
	for found.Next() {
		var k Twin
		if err := found.Scan(&k.Merchant, &k.MerchantOrderNo, &k.Attempt, &k.Source); err != nil {
			return nil, fmt.Errorf("read the keys of tag %d on %s: %w", tag, s.Name, err)
		}
		keys = append(keys, k)
	}
	return keys, found.Err()
}

func (s *Side) sameKeys(ctx context.Context, keys []Twin, tell func(Twin) error) error {
	const one = "(merchant_id=? AND merchant_order_no=? AND attempt=? AND live=1 AND order_no<>?)"
	args := make([]any, 0, 4*len(keys))
	for _, k := range keys {
		args = append(args, k.Merchant, k.MerchantOrderNo, k.Attempt, k.Source)
	}
	found, err := s.db().QueryContext(ctx, "SELECT merchant_id, merchant_order_no, attempt, order_no FROM orders WHERE "+
		strings.TrimSuffix(strings.Repeat(one+" OR ", len(keys)), " OR "), args...)
	if err != nil {
		return fmt.Errorf("look up %d keys on %s: %w", len(keys), s.Name, err)
	}
	defer found.Close()
	for found.Next() {
		var t Twin
		if err := found.Scan(&t.Merchant, &t.MerchantOrderNo, &t.Attempt, &t.Target); err != nil {
			return fmt.Errorf("look up %d keys on %s: %w", len(keys), s.Name, err)
		}
		for _, k := range keys {
			if k.Merchant == t.Merchant && k.MerchantOrderNo == t.MerchantOrderNo && k.Attempt == t.Attempt {
				t.Source = k.Source
			}
		}
		if err := tell(t); err != nil {
			return err
		}
	}
	return found.Err()
}

// Stray is rows of a tag in a group where they should not be.
type Stray struct {
	Group shard.GroupID `json:"group"`
	Table string        `json:"table"`
	Tag   pay.Tag       `json:"tag"`
	Rows  int64         `json:"rows"`
	First string        `json:"first"` // the lowest order number among them
	// Mislabelled: the number of an order ends in another tag than its row says.
	Mislabelled bool `json:"mislabelled"`
}

// Strays finds rows that lie in a wrong group: of tags that are not at home in this
// one, and orders whose row names another tag than their number. home are the tags
// that the group owns, and those that are on their way through it. It reads whole
// tables.
func (s *Side) Strays(ctx context.Context, home []pay.Tag) ([]Stray, error) {
	var list []Stray
	for _, t := range s.tables {
		query, args := "SELECT tag, COUNT(*), MIN("+t.number+"), 0 FROM "+t.Name, []any{}
		if len(home) > 0 {
			query += " WHERE tag NOT IN (" + strings.TrimSuffix(strings.Repeat("?,", len(home)), ",") + ")"
		}
		for _, tag := range home {
			args = append(args, tag)
		}
		query += " GROUP BY tag ORDER BY tag"
		found, err := s.strays(ctx, t, query, args)
		if err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	// A legacy number has no tag, and tag 0.
	found, err := s.strays(ctx, s.tables[0], `SELECT tag, COUNT(*), MIN(order_no), 1 FROM orders
WHERE LENGTH(order_no)>? AND tag<>CAST(SUBSTRING(order_no, ?) AS SIGNED) GROUP BY tag ORDER BY tag`, []any{pay.BaseLen, pay.BaseLen + 1})
	return append(list, found...), err
}

func (s *Side) strays(ctx context.Context, t table, query string, args []any) (list []Stray, err error) {
	found, err := s.db().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look for strays in %s on %s: %w", t.Name, s.Name, err)
	}
	defer found.Close()
	for found.Next() {
		stray := Stray{Group: s.Group, Table: t.Name}
		if err := found.Scan(&stray.Tag, &stray.Rows, &stray.First, &stray.Mislabelled); err != nil {
			return nil, fmt.Errorf("look for strays in %s on %s: %w", t.Name, s.Name, err)
		}
		list = append(list, stray)
	}
	return list, found.Err()
}
