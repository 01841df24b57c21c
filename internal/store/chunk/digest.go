package chunk

import (
	"context"
	"crypto/sha1" //nolint:gosec // finds rows that differ by accident; nobody is to be kept out by it
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"paytool/internal/pay"
)

// Digest is what a chunk's rows of one table add up to.
type Digest struct {
	Rows int64 `json:"rows"`
	Fen  int64 `json:"fen"` // all columns of money together
	// Hash is the sum, modulo 2^64, of the first 64 bits of the SHA-1 of each row.
	// Processors have instructions for it: an MD5 costs a server five times as much.
	Hash uint64 `json:"hash"`
}

func (d *Digest) add(other Digest) {
	d.Rows += other.Rows
	d.Fen += other.Fen
	d.Hash += other.Hash
}

// A row is hashed as one text: its values with commas between them, "-" for NULL, and
// then the lengths in bytes of those that are text, so that no two rows have the same
// one. rowSQL is that for a server, row.text for rows that are here. No text of the
// schema may be NULL: it would be told from "-" by its length alone.
func rowSQL(columns []*sql.ColumnType) string {
	var values, lengths []string
	for _, c := range columns {
		value := c.Name()
		if kind := c.DatabaseTypeName(); strings.Contains(kind, "CHAR") || strings.Contains(kind, "TEXT") {
			lengths = append(lengths, "LENGTH("+value+")")
		} else if nullable, ok := c.Nullable(); !ok || nullable {
			value = "COALESCE(" + value + ",'-')"
		}
		values = append(values, value)
	}
	return "CONCAT_WS(','," + strings.Join(append(values, lengths...), ",") + ")"
}

func (r row) text(into []byte) []byte {
	var lengths []byte
	for _, v := range r {
		switch v := v.(type) {
		case nil:
			into = append(into, '-')
		case int64:
			into = strconv.AppendInt(into, v, 10)
		case string:
			into = append(into, v...)
			lengths = strconv.AppendInt(append(lengths, ','), int64(len(v)), 10)
		default:
			panic(fmt.Sprintf("a column holds a %T: the driver gives numbers, texts and NULL", v))
		}
		into = append(into, ',')
	}
	return append(into[:len(into)-1], lengths...)
}

// digest asks the server, or adds up the rows where it cannot.
func (s *Side) digest(ctx context.Context, tag pay.Tag, p part) ([]Digest, error) {
	if !s.hashes {
		all, err := s.read(ctx, tag, p)
		return s.add(all), err
	}
	var selects []string
	var args []any
	for i, t := range s.tables {
		where, these := p.where(t.number)
		selects = append(selects, fmt.Sprintf("SELECT %d, COUNT(*), COALESCE(SUM(%s),0), COALESCE(SUM(CAST(CONV(LEFT(SHA1(%s),16),16,10) AS UNSIGNED)),0) FROM %s WHERE tag=?%s",
			i, sumOf(t.fen), t.rowSQL, t.Name, where))
		args = slices.Concat(args, []any{tag}, these)
	}
	found, err := s.db().QueryContext(ctx, strings.Join(selects, " UNION ALL "), args...)
	if err != nil {
		return nil, fmt.Errorf("add up tag %d on %s: %w", tag, s.Name, err)
	}
	defer found.Close()
	digests := make([]Digest, len(s.tables))
	for found.Next() {
		if err := scanDigest(found, digests); err != nil {
			return nil, fmt.Errorf("add up tag %d on %s: %w", tag, s.Name, err)
		}
	}
	return digests, found.Err()
}

func sumOf(columns []string) string {
	if len(columns) == 0 {
		return "0"
	}
	return strings.Join(columns, "+")
}

func scanDigest(found *sql.Rows, digests []Digest) error {
	var i int
	var d Digest
	var hash string
	if err := found.Scan(&i, &d.Rows, &d.Fen, &hash); err != nil {
		return err
	}
	sum, ok := new(big.Int).SetString(hash, 10)
	if !ok {
		return fmt.Errorf("the sum of hashes is %q", hash)
	}
	d.Hash = sum.And(sum, lowest64).Uint64()
	digests[i] = d
	return nil
}

var lowest64 = new(big.Int).SetUint64(1<<64 - 1)

// add is digest for rows that are here.
func (s *Side) add(all rows) []Digest {
	digests := make([]Digest, len(s.tables))
	var text []byte
	for i, list := range all.of {
		t := s.tables[i]
		for _, r := range list {
			text = r.text(text[:0])
			sum := sha1.Sum(text) //nolint:gosec // see the import
			d := Digest{Rows: 1, Hash: binary.BigEndian.Uint64(sum[:])}
			for _, c := range t.fen {
				fen, _ := t.get(r, c).(int64) // NULL adds nothing
				d.Fen += fen
			}
			digests[i].add(d)
		}
	}
	return digests
}
