package order

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// TraceEvent is something that happened to an order beside its moves: a try, a hop,
// a call of a channel and its answer. It is told, not stored in the groups.
type TraceEvent struct {
	At      time.Time
	OrderNo pay.OrderNo
	What    string // one word: "hop", "pay_sent", "answer", ...
	Detail  string
}

func (e *Engine) trace(no pay.OrderNo, what, detail string) {
	e.opts.OnTrace(TraceEvent{At: e.env.Now(), OrderNo: no, What: what, Detail: detail})
}

// Trace is everything that the groups know about one key, for people.
type Trace struct {
	Key      pay.Key
	Attempts []Order // every row of the key, VOID ones too, by number
	Hops     []Hop
	Moves    []Move // of all attempts, by time
	Refunds  []Refund
	Revokes  []Revoke
	Missing  []shard.GroupID // they did not answer
}

// Trace collects what all groups know about the key of an order. A group that does
// not answer is named; that the order itself is nowhere is an *Error.
func (e *Engine) Trace(ctx context.Context, no pay.OrderNo) (Trace, error) {
	ctx, cancel := e.env.WithTimeout(ctx, listTimeout)
	defer cancel()
	o, err := e.find(ctx, no)
	if err != nil {
		return Trace{}, err
	}
	parts, missing := askEach(ctx, e, func(ctx context.Context, m *member) (p keyPart, err error) {
		p.group = m.ID()
		if p.rows, err = m.KeyRows(ctx, o.Key); err == nil {
			p.hops, err = m.KeyHops(ctx, o.Key)
		}
		return p, err
	})
	t := Trace{Key: o.Key}
	var rows []Order
	for _, p := range parts {
		rows = append(rows, p.rows...)
	}
	t.Attempts, t.Missing = e.oneEach(ctx, rows)
	t.Missing = append(t.Missing, missing...)
	home := map[pay.OrderNo]shard.GroupID{}
	for _, o := range t.Attempts {
		home[o.No] = o.Group
		if err := e.records(ctx, &t, o.No); err != nil {
			t.Missing = append(t.Missing, o.Group)
		}
	}
	for _, p := range parts {
		for _, h := range p.hops {
			if g, known := home[h.OrderNo]; g == p.group || !known {
				t.Hops = append(t.Hops, h)
			}
		}
	}
	t.sort()
	return t, nil
}

// keyPart is what one group has of a key.
type keyPart struct {
	group shard.GroupID
	rows  []Order
	hops  []Hop
}

// records adds what the owner of an order has about it.
func (e *Engine) records(ctx context.Context, t *Trace, no pay.OrderNo) error {
	moves, err := readAt(ctx, e, no, func(ctx context.Context, m *member) ([]Move, error) { return m.Moves(ctx, no) })
	if err != nil {
		return err
	}
	refunds, err := e.refundsOf(ctx, no)
	if err != nil {
		return err
	}
	revokes, err := e.revokesOf(ctx, no)
	t.Moves, t.Refunds, t.Revokes = append(t.Moves, moves...), append(t.Refunds, refunds...), append(t.Revokes, revokes...)
	return err
}

func (t *Trace) sort() {
	slices.Sort(t.Missing)
	t.Missing = slices.Compact(t.Missing)
	slices.SortFunc(t.Attempts, func(a, b Order) int { return a.No.Compare(b.No) })
	slices.SortStableFunc(t.Moves, func(a, b Move) int { return a.At.Compare(b.At) })
	slices.SortFunc(t.Hops, func(a, b Hop) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.Above, b.Above))
	})
}

type moveJSON struct {
	OrderNo pay.OrderNo `json:"order_no"`
	Version int64       `json:"version"`
	From    pay.State   `json:"from"`
	To      pay.State   `json:"to"`
	By      pay.Mover   `json:"by"`
	At      *time.Time  `json:"at"`
	Detail  string      `json:"detail"`
}

type hopJSON struct {
	OrderNo pay.OrderNo   `json:"order_no"`
	Past    shard.GroupID `json:"past_group"`
	Reason  string        `json:"reason"`
	At      *time.Time    `json:"at"`
	Settled bool          `json:"settled"`
}

type refundJSON struct {
	OrderNo         pay.OrderNo     `json:"order_no"`
	RefundNo        string          `json:"refund_no"`
	AmountFen       pay.Fen         `json:"amount_fen"`
	State           pay.RefundState `json:"state"`
	ChannelRefundNo string          `json:"channel_refund_no"`
	Created         *time.Time      `json:"created"`
	Accepted        *time.Time      `json:"accepted"`
	Done            *time.Time      `json:"done"`
	Detail          string          `json:"detail"`
}

type revokeJSON struct {
	OrderNo   pay.OrderNo `json:"order_no"`
	RevokeNo  string      `json:"revoke_no"`
	AmountFen pay.Fen     `json:"amount_fen"`
	State     RevokeState `json:"state"`
	Money     pay.Money   `json:"money"`
	By        pay.Mover   `json:"by"`
	Created   *time.Time  `json:"created"`
	Done      *time.Time  `json:"done"`
	Detail    string      `json:"detail"`
}

// MarshalJSON writes a refund as the API and the commands show it.
func (r Refund) MarshalJSON() ([]byte, error) {
	return json.Marshal(refundJSON{r.OrderNo, r.No, r.Amount, r.State, r.ChannelNo, beijing(r.Created), beijing(r.Accepted), beijing(r.Done), r.Detail})
}

// MarshalJSON writes a revoke as the API and the commands show it.
func (r Revoke) MarshalJSON() ([]byte, error) {
	return json.Marshal(revokeJSON{r.OrderNo, r.No, r.Amount, r.State, r.Money, r.By, beijing(r.Created), beijing(r.Done), r.Detail})
}

// MarshalJSON writes a move as the API and the commands show it.
func (m Move) MarshalJSON() ([]byte, error) {
	return json.Marshal(moveJSON{m.OrderNo, m.Version, m.From, m.To, m.By, beijing(m.At), m.Detail})
}

// MarshalJSON writes a hop as the API and the commands show it.
func (h Hop) MarshalJSON() ([]byte, error) {
	return json.Marshal(hopJSON{h.OrderNo, h.Above, h.Reason, beijing(h.Created), h.Due.IsZero()})
}

// MarshalJSON writes a trace: every key is always there.
func (t Trace) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		MerchantID      string          `json:"merchant_id"`
		MerchantOrderNo string          `json:"merchant_order_no"`
		Attempts        []Order         `json:"attempts"`
		Hops            []Hop           `json:"hops"`
		Moves           []Move          `json:"moves"`
		Refunds         []Refund        `json:"refunds"`
		Revokes         []Revoke        `json:"revokes"`
		Missing         []shard.GroupID `json:"missing_groups"`
	}{t.Key.MerchantID, t.Key.MerchantOrderNo, list(t.Attempts), list(t.Hops), list(t.Moves), list(t.Refunds), list(t.Revokes), list(t.Missing)})
}

// list is an empty list rather than none.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// MarshalJSON writes a task as the commands show it.
func (t Task) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID         string      `json:"task_id"`
		Kind       TaskKind    `json:"kind"`
		OrderNo    pay.OrderNo `json:"order_no"`
		MerchantID string      `json:"merchant_id"`
		AmountFen  pay.Fen     `json:"amount_fen"`
		State      TaskState   `json:"state"`
		Detail     string      `json:"detail"`
		Created    *time.Time  `json:"created"`
		Deadline   *time.Time  `json:"deadline"`
		Tries      int         `json:"tries"`
		Closed     *time.Time  `json:"closed"`
		ClosedBy   string      `json:"closed_by"`
		Note       string      `json:"note"`
		Shadow     bool        `json:"shadow"`
	}{t.ID, t.Kind, t.OrderNo, t.Merchant, t.Amount, t.State, t.Detail, beijing(t.Created), beijing(t.Deadline), t.Tries, beijing(t.Closed), t.ClosedBy, t.Note, t.Shadow})
}
