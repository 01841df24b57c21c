package daybook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// ofFund reports whether a difference is one of the fund flow.
func ofFund(c recon.Class) bool {
	switch c {
	case recon.FundMissing, recon.FundExtra, recon.FundAmount, recon.RefundReturned:
		return true
	default:
		return false
	}
}

// seal is what a row's check column says. It is bound to the run, the difference and
// its order, as they are shown: an id that was dragged down or sorted away from its
// row does not fit any more.
func seal(runID, id, orderNo string) string {
	h := sha256.Sum256([]byte(runID + "\x00" + id + "\x00" + orderNo))
	return hex.EncodeToString(h[:4])
}

// decisionColumns are what a person fills in.
func (l Lang) decisionColumns() []column {
	var actions, reasons []string
	for _, a := range ledger.Actions() {
		actions = append(actions, l.say("action."+string(a)))
	}
	for _, r := range ledger.Reasons() {
		if !r.ByRun {
			reasons = append(reasons, l.known("reason.", r.Code))
		}
	}
	in := look{shape: text, tone: input}
	return []column{
		{"col.decision", 16, in, actions}, {"col.reason", 18, in, reasons}, {"col.text", 26, in, nil}, {"col.until", 12, in, nil},
	}
}

// differences writes the sheets of both flows.
func (b *book) differences(ctx context.Context, day *Day) (trade, fund *table, err error) {
	texts, faints := look{shape: text}, look{shape: text, tone: faint}
	columns := []column{
		{"col.id", 23, texts, nil}, {"class", 17, look{}, nil}, {"kind", 9, look{}, nil}, {"col.order", 32, texts, nil}, {"col.refund", 24, texts, nil},
		{"ours", 15, look{shape: money}, nil}, {"theirs", 15, look{shape: money}, nil}, {"col.diff", 16, look{shape: money}, nil}, {"col.direction", 11, look{}, nil},
		{"col.time", 19, look{shape: timely}, nil},
	}
	if day.Ledger != nil {
		columns = append(columns, b.lang.decisionColumns()...)
	}
	columns = append(columns, []column{
		{"col.advice", 70, look{}, nil}, {"col.detail", 50, look{}, nil}, {"col.trade", 32, texts, nil}, {"col.paired", 11, faints, nil}, {"file", 30, faints, nil},
		{"col.line", 9, look{shape: count, tone: faint}, nil}, {"col.code", 22, faints, nil}, {"col.check", 10, faints, nil},
	}...)
	trade, fund = b.table(ctx, "sheet.trade", columns), b.table(ctx, "sheet.fund", columns)
	trade.paper, fund.paper = "col.time", "col.time"
	if day.Ledger != nil {
		trade.paper, fund.paper = "col.until", "col.until"
	}
	for i := range day.Result.Differences {
		d := &day.Result.Differences[i]
		t := trade
		if ofFund(d.Class) {
			t = fund
		}
		row := []any{
			string(d.ID), b.lang.known("class.", string(d.Class)), b.lang.known("kind.", string(d.Kind)), d.OrderNo, d.RefundNo, d.OursFen, d.TheirsFen, d.DifferenceFen,
			label(b.lang.direction(d.DifferenceFen)), d.Time,
		}
		if day.Ledger != nil {
			row = append(row, label(""), label(""), label(""), label(""))
		}
		row = append(row, b.lang.advice(d), b.lang.detail(d), d.ChannelTradeNo, d.PairedBy, d.File, d.Line, string(d.Class),
			label(seal(day.Result.RunID, neutral(string(d.ID)), neutral(d.OrderNo))))
		if err := t.add(row...); err != nil {
			return nil, nil, err
		}
	}
	empty := b.lang.say("none")
	if err := trade.close(empty); err != nil {
		return nil, nil, err
	}
	if day.Result.Fund == nil {
		empty = b.lang.say("noFund")
	}
	return trade, fund, fund.close(empty)
}

// overdueDays is the age from which a difference stands out.
const overdueDays = 7

// ledger writes what the ledger of differences has.
func (b *book) ledger(ctx context.Context, day *Day) error {
	texts, faints := look{shape: text}, look{shape: text, tone: faint}
	columns := []column{
		{"col.id", 23, texts, nil}, {"date", 12, texts, nil}, {"class", 17, look{}, nil}, {"kind", 9, look{}, nil}, {"col.order", 32, texts, nil}, {"col.refund", 24, texts, nil},
		{"col.diff", 16, look{shape: money}, nil}, {"col.direction", 11, look{}, nil}, {"col.state", 10, look{}, nil}, {"col.age", 10, look{shape: count}, nil},
		{"col.pending", 30, look{}, nil},
	}
	columns = append(columns, b.lang.decisionColumns()...)
	columns = append(columns, []column{
		{"col.putOff", 12, texts, nil}, {"col.last", 18, look{}, nil}, {"col.first", 19, look{shape: timely}, nil}, {"col.changed", 19, look{shape: timely}, nil},
		{"col.advice", 70, look{}, nil}, {"ours", 15, look{shape: money}, nil}, {"theirs", 15, look{shape: money}, nil}, {"col.trade", 32, texts, nil},
		{"col.code", 22, faints, nil}, {"col.check", 10, faints, nil},
	}...)
	t := b.table(ctx, "sheet.ledger", columns)
	t.paper = "col.until"
	if day.Ledger == nil {
		return t.close(b.lang.say("noLedger"))
	}
	for i := range day.Ledger.Entries {
		e := &day.Ledger.Entries[i]
		if err := t.add(
			string(e.ID), e.Date, b.lang.known("class.", string(e.Class)), b.lang.known("kind.", string(e.Kind)), e.OrderNo, e.RefundNo, e.DifferenceFen,
			label(b.lang.direction(e.DifferenceFen)), b.lang.known("state.", string(e.State)), age(e, day.Made), b.lang.pending(e.Pending),
			label(""), label(""), label(""), label(""), e.Until, b.lang.known("reason.", e.Reason), e.First, e.Changed,
			b.lang.advice(&e.Difference), e.OursFen, e.TheirsFen, e.ChannelTradeNo, string(e.Class),
			label(seal(day.Result.RunID, neutral(string(e.ID)), neutral(e.OrderNo))),
		); err != nil {
			return err
		}
	}
	return t.close(b.lang.say("none"))
}

// age is how many whole days ago the trade was, standing out where that is long.
func age(e *ledger.Entry, now time.Time) any {
	from := e.Time
	if from.IsZero() {
		from = e.First
	}
	if from.IsZero() {
		return label("")
	}
	days := max(0, int(now.Sub(from)/(24*time.Hour)))
	if days >= overdueDays && !e.State.Ended() {
		return styled{days, look{shape: count, tone: late}}
	}
	return days
}

func (l Lang) pending(p *ledger.Proposal) string {
	if p == nil {
		return ""
	}
	return l.say("pending", p.ID, l.known("stage.", string(p.Stage)), l.known("action.", string(p.Action)), p.By)
}
