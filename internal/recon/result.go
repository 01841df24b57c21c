package recon

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Total is one side's rows and its money by cash effect: payments less refunds and
// revokes. Of ours: of the rows that are expected in the bill.
type Total struct {
	Rows   int64   `json:"rows"`
	Amount pay.Fen `json:"amount_fen"`
}

// Bridge leads from our total to the channel's. Every line is signed by cash
// effect: ours plus all lines is theirs, and what is missing to that is unexplained.
type Bridge struct {
	Ours             pay.Fen `json:"ours_fen"`
	MissingInChannel pay.Fen `json:"missing_in_channel_fen"`
	MissingInOurs    pay.Fen `json:"missing_in_ours_fen"`
	Amount           pay.Fen `json:"amount_fen"`
	State            pay.Fen `json:"state_fen"`
	Duplicate        pay.Fen `json:"duplicate_fen"`
	Carried          pay.Fen `json:"carried_fen"`
	Theirs           pay.Fen `json:"theirs_fen"`
	Unexplained      pay.Fen `json:"unexplained_fen"`
}

// FundBridge leads from the trade bill's settled total to the fund bill's, likewise.
type FundBridge struct {
	Trade       pay.Fen `json:"trade_fen"`
	Fees        pay.Fen `json:"fees_fen"`
	Missing     pay.Fen `json:"missing_fen"`
	Extra       pay.Fen `json:"extra_fen"`
	Amount      pay.Fen `json:"amount_fen"`
	Returned    pay.Fen `json:"returned_fen"`
	Carried     pay.Fen `json:"carried_fen"`
	Other       pay.Fen `json:"other_fen"` // withdrawals, top-ups, profit sharing
	Fund        pay.Fen `json:"fund_fen"`
	Unexplained pay.Fen `json:"unexplained_fen"`
}

// NotExpected counts rows that the other side need not have.
type NotExpected struct {
	Ours int64 `json:"ours"`
}

// Result is what a run found. Its JSON is that of `recon run`.
type Result struct {
	// RunID names the run by its inputs: the same inputs, the same id.
	RunID   string `json:"run_id"`
	Channel string `json:"channel"`
	Date    string `json:"date"`
	// Balanced: no difference, no rejected row, nothing unexplained. Rows may be
	// carried.
	Balanced    bool                `json:"balanced"`
	Ours        Total               `json:"ours"`
	Theirs      Total               `json:"theirs"`
	Matched     int64               `json:"matched"` // rows of the bill that agree with ours
	NotExpected NotExpected         `json:"not_expected"`
	Counts      map[Class]int64     `json:"counts"` // every class
	Differences []Difference        `json:"differences"`
	Warnings    []string            `json:"warnings"`
	Carried     RollForward         `json:"carried"`
	Bridge      Bridge              `json:"bridge"`
	Rejected    []Rejection         `json:"rejected"`
	Rows        map[Side]*Conserved `json:"rows"` // what became of every row
	Fund        *FundBridge         `json:"fund"` // null without a fund bill

	// Closing are the rows that tomorrow's run has to be handed.
	Closing []Carried `json:"-"`
}

// result puts everything together and proves that no row and no fen is lost.
func (r *run) result() (*Result, error) {
	r.addClean()
	res := &Result{
		RunID: r.id(), Channel: r.opts.Channel, Date: r.opts.Date, Counts: map[Class]int64{}, Differences: r.differences,
		Ours: Total{r.ours.report.Rows, r.oursFen}, Theirs: Total{r.rows[Trade].Read, r.trades.sum}, Matched: r.rows[Trade].Matched,
		NotExpected: NotExpected{r.rows[Ours].NotExpected}, Warnings: r.warnings(), Rejected: r.rejections(), Rows: r.rows, Closing: r.closing,
	}
	r.roll.Closing = int64(len(r.closing))
	res.Carried = r.roll
	rank := map[Class]int{}
	for i, c := range Classes() {
		rank[c] = i
		res.Counts[c] = 0
	}
	for _, d := range r.differences {
		res.Counts[d.Class]++
	}
	for _, c := range r.rows {
		res.Counts[RejectedRow] += c.Rejected
	}
	slices.SortFunc(res.Differences, compareDifferences(rank, func(d *Difference) bool {
		return d.Class == StateMismatch && strings.HasPrefix(d.Detail, "our books say "+string(pay.Void))
	}))
	res.Bridge = r.bridge()
	res.Fund = r.fundBridge()
	if err := r.prove(res); err != nil {
		return nil, err
	}
	res.Balanced = len(res.Differences) == 0 && res.Counts[RejectedRow] == 0
	if res.Differences == nil {
		res.Differences = []Difference{}
	}
	return res, nil
}

// addClean adds what the sieves counted.
func (r *run) addClean() {
	for _, s := range r.sieves {
		r.rows[Ours].Matched += s.oursMatched
		r.rows[Ours].NotExpected += s.notExpected
		r.rows[Trade].Matched += s.tradesMatched
		r.oursFen += s.oursFen
	}
	for _, s := range r.fundSieves {
		r.rows[Fund].Matched += s.matched
	}
	r.rows[Ours].NotExpected += r.ours.others
	r.rows[Fund].NotExpected += r.funds.others
	r.rows[Ours].Read, r.rows[Ours].Rejected = r.ours.report.Rows, int64(len(r.ours.report.Rejected))
	for i, report := range r.reports {
		side := Trade
		if i >= len(r.books.Trade) {
			side = Fund
		}
		r.rows[side].Read += report.Rows
		r.rows[side].Rejected += report.RejectedRows
	}
}

func (r *run) bridge() Bridge {
	b := Bridge{Ours: r.oursFen, Carried: r.carriedFen, Theirs: r.trades.sum}
	for _, d := range r.differences {
		switch d.Class {
		case MissingInChannel:
			b.MissingInChannel += d.DifferenceFen
		case MissingInOurs:
			b.MissingInOurs += d.DifferenceFen
		case AmountMismatch, KindMismatch:
			b.Amount += d.DifferenceFen
		case StateMismatch:
			b.State += d.DifferenceFen
		case DuplicateInChannel, DuplicateInOurs:
			b.Duplicate += d.DifferenceFen
		default: // of the fund flow, or without an amount
		}
	}
	b.Unexplained = b.Theirs - b.Ours - b.MissingInChannel - b.MissingInOurs - b.Amount - b.State - b.Duplicate - b.Carried
	return b
}

func (r *run) fundBridge() *FundBridge {
	if len(r.books.Fund) == 0 {
		return nil
	}
	b := &FundBridge{
		Trade: r.trades.net, Fees: r.fund.unpaidFees - r.trades.fees, Missing: r.fund.missing, Extra: r.fund.extra, Amount: r.fund.amount,
		Returned: r.fund.returned, Carried: r.fund.carried, Other: r.funds.other, Fund: r.funds.sum,
	}
	b.Unexplained = b.Fund - b.Trade - b.Fees - b.Missing - b.Extra - b.Amount - b.Returned - b.Carried - b.Other
	return b
}

// prove asserts that every row has a verdict and every fen an explanation. A run
// that cannot prove it must not be believed.
func (r *run) prove(res *Result) error {
	for _, side := range []Side{Ours, Trade, Fund} {
		if c := r.rows[side]; !c.Whole() {
			return fmt.Errorf("reconcile: rows of %s were lost or counted twice: %+v; this is a bug of paytool, keep the files", side, *c)
		}
	}
	roll := r.roll
	if roll.Opening+roll.New-roll.Cleared-roll.Expired != roll.Closing {
		return fmt.Errorf("reconcile: the carried rows do not roll forward: %+v; this is a bug of paytool, keep the files", roll)
	}
	if res.Bridge.Unexplained != 0 {
		return fmt.Errorf("reconcile: the bridge leaves %s yuan unexplained: %+v; this is a bug of paytool, keep the files", res.Bridge.Unexplained.Yuan(), res.Bridge)
	}
	if res.Fund != nil && res.Fund.Unexplained != 0 {
		return fmt.Errorf("reconcile: the fund bridge leaves %s yuan unexplained: %+v; this is a bug of paytool, keep the files", res.Fund.Unexplained.Yuan(), *res.Fund)
	}
	return nil
}

func (r *run) rejections() []Rejection {
	all := slices.Concat([]Rejection{}, r.ours.report.Rejected)
	names := slices.Concat(r.books.Trade, r.books.Fund)
	for i, report := range r.reports {
		for _, bad := range report.Rejected {
			all = append(all, Rejection{File: names[i].Name(), Line: bad.Line, Reason: bad.Reason})
		}
	}
	return all
}

func (r *run) warnings() []string {
	w := []string{}
	if r.pairedByOurs > 0 {
		w = append(w, fmt.Sprintf("%d revokes of ours stand in the bill as refunds under other numbers; they were paired by our books (paired_by=ours): "+
			"check how this account marks revokes", r.pairedByOurs))
	}
	if r.ours.others > 0 {
		w = append(w, fmt.Sprintf("%d of our entries are of another channel and were left out", r.ours.others))
	}
	if kinds := r.partOnly(); kinds != "" {
		w = append(w, "the bill has "+kinds+" alone: give its other part by a second --bill, or the rest of ours is missing in the channel")
	}
	for i, report := range r.reports {
		for _, f := range report.Findings {
			w = append(w, fmt.Sprintf("%s: %s", slices.Concat(r.books.Trade, r.books.Fund)[i].Name(), f))
		}
	}
	return w
}

// partOnly is what a bill of WeChat's that was fetched in parts is limited to.
func (r *run) partOnly() string {
	var all, paid, refunded bool
	for _, report := range r.reports {
		all = all || report.Type == bill.TradeAll
		paid = paid || report.Type == bill.TradeSuccess
		refunded = refunded || report.Type == bill.TradeRefund
	}
	switch {
	case all || paid == refunded:
		return ""
	case paid:
		return "payments"
	default:
		return "refunds"
	}
}

// id is over what the result follows from: the bytes of the inputs and the settings,
// neither names nor seed.
func (r *run) id() string {
	h := sha256.New()
	var digests []string
	for i, report := range r.reports {
		digests = append(digests, fmt.Sprintf("%t %s", i >= len(r.books.Trade), report.SHA1))
	}
	slices.Sort(digests)
	settings := []any{r.opts.Channel, r.opts.Date, r.opts.CutWindow, r.opts.CarryDays, digests, r.ours.report.SHA256, r.books.Carried}
	if err := json.NewEncoder(h).Encode(settings); err != nil {
		panic(err) // values of our own: there is nothing in them that JSON lacks
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
