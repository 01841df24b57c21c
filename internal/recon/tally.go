package recon

import (
	"time"

	"paytool/internal/pay"
)

// Conserved is what became of the rows of one side. Rows read = matched + differing
// + carried + rejected + not expected.
type Conserved struct {
	Read        int64 `json:"read"`
	Matched     int64 `json:"matched"`
	Differing   int64 `json:"differing"`
	Carried     int64 `json:"carried"`
	Rejected    int64 `json:"rejected"`
	NotExpected int64 `json:"not_expected"`
}

// Whole reports whether no row was lost or counted twice.
func (c Conserved) Whole() bool {
	return c.Read == c.Matched+c.Differing+c.Carried+c.Rejected+c.NotExpected
}

func (c *Conserved) add(v verdict) {
	switch v {
	case matched:
		c.Matched++
	case differing:
		c.Differing++
	case carried:
		c.Carried++
	case notExpected:
		c.NotExpected++
	case undecided: // the sum will not be whole
	}
}

// RollForward is how the number of carried rows moved: opening + new - cleared -
// expired = closing.
type RollForward struct {
	Opening int64 `json:"opening"`
	New     int64 `json:"new"`
	Cleared int64 `json:"cleared"`
	Expired int64 `json:"expired"`
	Closing int64 `json:"closing"`
}

// tally gathers what the judges find. Not safe for concurrent use.
type tally struct {
	opts         Options
	midnight     time.Time // the end of the day
	nextDay      string    // the deadline of what is carried now
	noBill       bool      // there is nothing to find the counterparts of carried rows in
	differences  []Difference
	closing      []Carried
	roll         RollForward
	rows         map[Side]*Conserved
	expected     perKind // rows of ours that the bill has to show
	matched      perKind // rows of the trade bill
	waiting      perKind // rows of the trade bill that are carried
	rates        rateTable
	carriedFen   pay.Fen // what carried rows, in and out, do to the bridge
	fund         fundSums
	pairedByOurs int
	// twice are paid orders of ours that are not the first of their merchant order.
	twice map[string]string
}

func newTally(opts Options, rates rateTable, day time.Time) *tally {
	return &tally{
		rates: rates,
		opts:  opts, midnight: day.AddDate(0, 0, 1), nextDay: day.AddDate(0, 0, opts.CarryDays).Format(time.DateOnly),
		rows: map[Side]*Conserved{Ours: {}, Trade: {}, Fund: {}},
	}
}

// differ records a difference of a pair, or of one row.
func (t *tally) differ(o, their *item, class Class, fen pay.Fen, detail string) {
	d := Difference{Class: class, DifferenceFen: fen, Detail: detail}
	for _, i := range []*item{o, their} { // theirs last: its kind and place stand in the report
		if i == nil {
			continue
		}
		i.verdict, i.alone = differing, o == nil || their == nil
		d.Kind, d.OrderNo, d.RefundNo, d.Time, d.File, d.Line = i.Kind, i.OrderNo, i.RefundNo, i.Time, i.File, i.Line
		if i.ChannelTradeNo != "" {
			d.ChannelTradeNo = i.ChannelTradeNo
		}
		if i.Kind == pay.EntryRevoke {
			d.RefundNo = ""
		}
		if i.carry != nil {
			d.Detail += "; the row was carried from " + i.carry.From
		}
	}
	if o != nil {
		d.OursFen = o.Amount
	}
	if their != nil {
		d.TheirsFen = their.Amount
	}
	d.Advice = advice(d)
	t.differences = append(t.differences, d)
}

// wait carries a row over instead of reporting it: one of today within the window,
// or one that was carried in and whose deadline has not come.
func (t *tally) wait(flow Flow, i *item, maybe bool) bool {
	switch {
	case i.carry != nil && t.noBill && flow == TradeFlow:
		i.verdict = carried
		t.putOff(i.carry)
		return true
	case i.carry != nil && i.carry.Deadline <= t.opts.Date:
		return false
	case i.carry != nil:
		i.verdict = carried
		t.closing = append(t.closing, *i.carry)
		return true
	}
	if !t.inWindow(i.Time) {
		return false
	}
	i.verdict, i.maybe = carried, maybe
	t.roll.New++
	t.closing = append(t.closing, Carried{Flow: flow, From: t.opts.Date, Deadline: t.nextDay, Maybe: maybe, Implied: i.implied, Row: i.Row})
	return true
}

// putOff carries a row over a day that has no bill to look for it in: deadlines are
// in bill days.
func (t *tally) putOff(c *Carried) {
	later := *c
	if day, err := time.Parse(time.DateOnly, c.Deadline); err == nil {
		later.Deadline = day.AddDate(0, 0, 1).Format(time.DateOnly)
	}
	t.closing = append(t.closing, later)
}

// count books the verdict of a row of the trade flow: in the conservation of rows,
// in our total and in the bridge.
func (t *tally) count(i *item) {
	if i.carry != nil {
		t.countCarried(i)
		return
	}
	if !i.implied {
		t.rows[i.Side].add(i.verdict)
	}
	counts := i.verdict == matched || i.verdict == carried && !i.maybe || i.verdict == differing && i.expect() != unexpected
	switch {
	case i.Side == Ours && counts:
		t.expected.add(i.Kind, i.Amount)
		if i.verdict == carried {
			t.carriedFen -= i.effect()
		}
	case i.Side == Trade && i.verdict == matched:
		t.matched.add(i.Kind, i.Amount)
	case i.Side == Trade && i.verdict == carried:
		t.waiting.add(i.Kind, i.Amount)
		t.carriedFen += i.effect()
	}
}

// countCarried books a row of an earlier day: no total of today has it, so that the
// bridge has to.
func (t *tally) countCarried(i *item) {
	counted := !i.implied || i.carry.Implied // else it came with the payment that it reverses
	switch {
	case i.verdict == carried:
		return
	case i.verdict == notExpected, i.alone:
		t.roll.Expired += one(counted)
	default:
		t.roll.Cleared += one(counted)
	}
	if i.verdict == notExpected || i.replaced {
		return
	}
	if i.Side == Ours {
		t.carriedFen += i.effect()
	} else {
		t.carriedFen -= i.effect()
	}
}

func one(yes bool) int64 {
	if yes {
		return 1
	}
	return 0
}
