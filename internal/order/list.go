package order

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Bounds of a list.
const (
	listTimeout = 3 * time.Second
	MaxPage     = 1000
)

// Page is one page of a list, the newest order first.
type Page struct {
	Orders  []Order
	Missing []shard.GroupID // they did not answer: their orders are not on the page
	Next    Cursor          // of the next page; zero after the last one
}

// List reads a page of a merchant's orders over all groups, concurrently. Orders
// that arrive while somebody pages are newer than every page to come, so no order
// shows twice or is passed over. An error is an *Error.
//
// Cost: one indexed read of Limit rows in each group, together.
func (e *Engine) List(ctx context.Context, q ListQuery) (Page, error) {
	if err := pay.CheckField("merchant_id", q.Merchant, 1, pay.MaxMerchantID); err != nil {
		return Page{}, refuseInput(err)
	}
	if q.Limit < 1 || q.Limit > MaxPage {
		return Page{}, refuseInput(&pay.InputError{Code: pay.CodeInvalidField, Field: "limit", Reason: fmt.Sprintf("is %d, want 1 to %d", q.Limit, MaxPage)})
	}
	if q.State != pay.None && !q.State.Valid() {
		return Page{}, refuseInput(&pay.InputError{Code: pay.CodeInvalidField, Field: "state", Reason: fmt.Sprintf("%q is none of %v", q.State, pay.States())})
	}
	ctx, cancel := e.env.WithTimeout(ctx, listTimeout)
	defer cancel()
	parts, missing, topo := askOwners(ctx, e, func(ctx context.Context, m *member) ([]Order, error) { return m.List(ctx, q) })
	page, full := Page{Missing: missing}, false
	for _, p := range parts {
		full = full || len(p.value) == q.Limit
		for _, o := range p.value {
			if p.owns(topo, o.No) {
				page.Orders = append(page.Orders, o)
			}
		}
	}
	slices.SortFunc(page.Orders, newestFirst)
	if len(page.Orders) > q.Limit {
		page.Orders, full = page.Orders[:q.Limit], true
	}
	if full && len(page.Orders) > 0 { // else no group has more
		last := page.Orders[len(page.Orders)-1]
		page.Next = Cursor{Created: last.Created, No: last.No}
	}
	return page, nil
}

// askEach asks all groups at once. The answers are in the order of the groups; those
// that did not answer are named, sorted.
func askEach[T any](ctx context.Context, e *Engine, ask func(ctx context.Context, m *member) (T, error)) (answers []T, missing []shard.GroupID) {
	all, errs := make([]T, len(e.members)), make([]error, len(e.members))
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) { all[i], errs[i] = ask(ctx, e.members[i]) })
	for i, m := range e.members {
		if errs[i] != nil {
			e.log.Debug("a group did not answer", logGroup, m.ID(), logErr, errs[i])
			missing = append(missing, m.ID())
			continue
		}
		answers = append(answers, all[i])
	}
	return answers, missing
}

func newestFirst(a, b Order) int {
	if c := b.Created.Compare(a.Created); c != 0 {
		return c
	}
	return strings.Compare(b.No.String(), a.No.String()) // as the groups sort
}

// IsZero reports whether the cursor stands before the newest order, or after the
// last page.
func (c Cursor) IsZero() bool { return c.No.IsZero() }

// String is the cursor for callers, who give it back as it is; "" for the zero one.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d/%s", c.Created.UnixMilli(), c.No))
}

// ParseCursor reads String's form; "" is the zero cursor.
func ParseCursor(s string) (c Cursor, err error) {
	if s == "" {
		return c, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(s)
	ms, no, ok := strings.Cut(string(text), "/")
	created, msErr := strconv.ParseInt(ms, 10, 64)
	if err == nil && ok && msErr == nil {
		if c.No, err = pay.ParseOrderNo(no); err == nil {
			c.Created = time.UnixMilli(created)
			return c, nil
		}
	}
	return Cursor{}, refuseInput(&pay.InputError{Code: pay.CodeInvalidField, Field: "after", Reason: "is no cursor: give back the \"next\" of the page before"})
}

// MarshalJSON writes the contract of a list.
func (p Page) MarshalJSON() ([]byte, error) {
	v := struct {
		Orders  []Order         `json:"orders"`
		Missing []shard.GroupID `json:"missing_groups"`
		Next    *string         `json:"next"`
	}{Orders: p.Orders, Missing: p.Missing}
	if v.Orders == nil {
		v.Orders = []Order{}
	}
	if v.Missing == nil {
		v.Missing = []shard.GroupID{}
	}
	if !p.Next.IsZero() {
		next := p.Next.String()
		v.Next = &next
	}
	return json.Marshal(v)
}

// purgeBatch bounds one transaction of a purge.
const purgeBatch = 500

// PurgeShadow deletes the shadow orders created before a time, with all that belongs
// to them, group by group, and returns how many; dryRun only counts. An error names
// the group; the others are done before it is returned.
func (e *Engine) PurgeShadow(ctx context.Context, before time.Time, dryRun bool, progress func(deleted int)) (deleted int, err error) {
	var failed []string
	for _, m := range e.members {
		n := purgeBatch
		var err error
		for n > 0 && err == nil && ctx.Err() == nil {
			if dryRun {
				n, err = m.CountShadow(ctx, before)
			} else {
				n, err = m.PurgeShadow(ctx, before, purgeBatch)
			}
			deleted += n
			progress(deleted)
			if dryRun {
				break
			}
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("group %d: %v", m.ID(), err))
		}
	}
	if len(failed) > 0 {
		return deleted, &Error{Code: CodeGroupDown, Outcome: NotCommitted, Message: "not everywhere purged: " + strings.Join(failed, "; "), Hint: "run it again when they are back"}
	}
	return deleted, ctx.Err()
}
