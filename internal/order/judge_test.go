package order

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"paytool/internal/pay"
)

// file makes the dossier of an order that came to its state by the given moves.
func file(o Order, by ...pay.Mover) Dossier {
	d := Dossier{No: o.No, Group: 1, Order: o}
	state := pay.None
	for i, mover := range by {
		to := state
		for _, m := range pay.Moves() {
			if m.From == state && m.By == mover {
				to = m.To
			}
		}
		d.Moves = append(d.Moves, Move{OrderNo: o.No, Version: int64(i + 1), From: state, To: to, By: mover, OpID: fmt.Sprint(i)})
		state = to
	}
	d.Order.State, d.Order.Version = state, int64(len(by))
	return d
}

func TestJudgeDossier(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, pay.Beijing)
	long, soon := now.Add(-slack-time.Second), now.Add(-slack)
	o := Order{No: mustNo(t, "202603021000000100001", 1), Amount: 1000, Updated: long, PaidAt: long}
	open := file(o, pay.ByCreate, pay.ByPay)
	open.Order.Due = soon
	paid := file(o, pay.ByCreate, pay.ByPay, byLook, pay.BySuccess)
	revoked := file(o, pay.ByCreate, pay.ByPay, pay.ByCashier, pay.ByRevokeAnswer)
	revoked.Revokes = []Revoke{{No: "R1", Amount: 1000, State: RevokeDone, Money: pay.MoneyRefunded}}
	closed := file(o, pay.ByCreate, pay.ByPay, pay.ByFailure)
	for name, c := range map[string]struct {
		from  Dossier
		spoil func(d *Dossier)
		want  []Check
	}{
		"open":                         {open, nil, nil},
		"paid":                         {paid, nil, nil},
		"revoked":                      {revoked, nil, nil},
		"closed":                       {closed, nil, nil},
		"late":                         {open, func(d *Dossier) { d.Order.Due = long }, []Check{CheckOverdue}},
		"open with nobody to look":     {open, func(d *Dossier) { d.Order.Due = time.Time{} }, []Check{CheckOverdue}},
		"a check for doubles is late":  {paid, func(d *Dossier) { d.Order.Due = long }, []Check{CheckOverdue}},
		"a refund nobody looks at":     {paid, func(d *Dossier) { d.Refunds = []Refund{{No: "r", Amount: 1, State: pay.RefundProcessing}} }, []Check{CheckOverdue}},
		"a refund that failed waits":   {paid, func(d *Dossier) { d.Refunds = []Refund{{No: "r", Amount: 1, State: pay.RefundFailed}} }, nil},
		"a closed refund takes none":   {paid, func(d *Dossier) { d.Refunds = []Refund{{No: "r", Amount: 9999, State: pay.RefundClosed}} }, nil},
		"moves of an old program":      {paid, func(d *Dossier) { d.Moves[0].From, d.Moves[0].To, d.Moves[0].By = "", "", "" }, nil},
		"all moves of an old program":  {paid, func(d *Dossier) { d.Moves = []Move{{Version: 1}, {Version: 2}, {Version: 3}, {Version: 4}} }, nil},
		"a version twice":              {paid, func(d *Dossier) { d.Moves[1].Version = 1 }, []Check{CheckMoves}},
		"moves from the middle":        {paid, func(d *Dossier) { d.Moves[0].From = pay.Paying }, []Check{CheckMoves}},
		"closed, says the last move":   {closed, func(d *Dossier) { d.Order.State = pay.Paid }, []Check{CheckPaidUnproven}},
		"money back on a closed order": {closed, func(d *Dossier) { d.refundedBack(1000) }, nil},
		"a refund beside a revoke":     {revoked, func(d *Dossier) { d.refundedBack(1) }, []Check{CheckOverRefunded}},
		"a revoke that is still open":  {revoked, func(d *Dossier) { d.Revokes[0].State = RevokeRequested }, []Check{CheckRevoke}},
		"a task without its order":     {Dossier{No: o.No}, func(d *Dossier) { d.Tasks = []Task{{Kind: TaskRefund, Deadline: now}} }, []Check{CheckOrderMissing}},
		"a tombstone": {Dossier{No: o.No, Order: Order{No: o.No, State: pay.Void, Version: 1}}, func(d *Dossier) {
			d.Moves = []Move{{Version: 1, To: pay.Void, By: pay.ByResolver}}
		}, nil},
		"a supplement of a revoked order": {file(o, pay.ByCreate, pay.ByPay, pay.ByCashier, pay.ByRevokeAnswer, pay.BySupplement), func(d *Dossier) {
			d.Revokes = []Revoke{{No: "R1", Amount: 1000, State: RevokeDone, Money: pay.MoneyRefunded}}
			d.refundedBack(1000)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := c.from
			d.Moves, d.Revokes = slices.Clone(d.Moves), slices.Clone(d.Revokes)
			if c.spoil != nil {
				c.spoil(&d)
			}
			var got []Check
			for _, f := range judgeDossier(d, now) {
				got = append(got, f.Check)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("found %v, want %v in %+v", got, c.want, d)
			}
		})
	}
}

// refundedBack adds a refund of money back that is done.
func (d *Dossier) refundedBack(fen pay.Fen) {
	d.Refunds = append(d.Refunds, Refund{No: moneyBackNo(d.No, 0), Amount: fen, State: pay.RefundDone})
	d.Order.Refunded += fen
}

func TestEveryCheckHasAdvice(t *testing.T) {
	t.Parallel()
	for _, c := range []Check{CheckOrderMissing, CheckMoves, CheckState, CheckPaidUnproven, CheckOverdue, CheckRefundSum, CheckOverRefunded,
		CheckRefundUnpaid, CheckRevoke, CheckTask, CheckAnswerWaiting, CheckLiveTwice, CheckPaidTwice} {
		if advice[c] == "" {
			t.Errorf("%s has none", c)
		}
	}
}
