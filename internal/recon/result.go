package recon

import (
	"cmp"
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

// KindTotals is one kind's line of the matrix: what each side has, what agrees, and
// the differences of the trade flow. Amounts are positive, but the difference, which
// is signed by cash effect.
type KindTotals struct {
	Kind       pay.EntryKind `json:"kind"`
	Ours       Total         `json:"ours"` // rows that are expected in the bill
	Theirs     Total         `json:"theirs"`
	Matched    Total         `json:"matched"` // rows of the bill
	Carried    Total         `json:"carried"` // rows of the bill
	Difference Total         `json:"difference"`
}

// FeeTotal is what a kind cost at a rate.
type FeeTotal struct {
	Kind pay.EntryKind `json:"kind"`
	Rate string        `json:"rate"` // as the bill has it; "" where it has none
	Rows int64         `json:"rows"`
	Base pay.Fen       `json:"base_fen"`
	Fee  bill.FeeE5    `json:"fee_e5"` // refunds and revokes give back: below 0
}

// Role is what a file was read as.
type Role string

// The roles.
const (
	RoleOurs  Role = "ours"
	RoleTrade Role = "trade"
	RoleFund  Role = "fund"
)

// File is an input of a run.
type File struct {
	Role   Role   `json:"role"`
	Name   string `json:"name"`
	SHA256 string `json:"sha256"` // of the file as it lies there
	Rows   int64  `json:"rows"`
}

// FundBalance is what a fund bill opens and closes with.
type FundBalance struct {
	Opening pay.Fen `json:"opening_fen"`
	Closing pay.Fen `json:"closing_fen"`
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
	Account string `json:"account"`
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
	Kinds       []KindTotals        `json:"kinds"`
	Fees        []FeeTotal          `json:"fees"`
	Files       []File              `json:"files"`
	// FundBalance is what the fund bill opens and closes with; null without one, with
	// several, or without a row in it.
	FundBalance *FundBalance `json:"fund_balance"`

	// Closing are the rows that tomorrow's run has to be handed.
	Closing []Carried `json:"-"`
}

// result puts everything together and proves that no row and no fen is lost.
func (r *run) result() (*Result, error) {
	r.addClean()
	r.roll.Closing = int64(len(r.closing))
	res := &Result{
		RunID: r.runID(), Channel: r.opts.Channel, Account: r.opts.Account, Date: r.opts.Date,
		Ours: Total{r.ours.report.Rows, r.expected.net().Amount}, Theirs: Total{r.rows[Trade].Read, r.trades.sum},
		Matched: r.rows[Trade].Matched, NotExpected: NotExpected{r.rows[Ours].NotExpected},
		Counts: r.counts(), Differences: r.sorted(), Warnings: r.warnings(), Carried: r.roll, Bridge: r.bridge(), Rejected: r.rejections(),
		Rows: r.rows, Fund: r.fundBridge(), Kinds: r.matrix(), Fees: r.trades.fees.totals(), Files: r.files(), FundBalance: r.fundBalance(),
		Closing: r.closing,
	}
	if err := r.prove(res); err != nil {
		return nil, err
	}
	res.Balanced = len(res.Differences) == 0 && res.Counts[RejectedRow] == 0
	return res, nil
}

func (r *run) counts() map[Class]int64 {
	counts := map[Class]int64{}
	for _, c := range Classes() {
		counts[c] = 0
	}
	for _, d := range r.differences {
		counts[d.Class]++
	}
	for _, c := range r.rows {
		counts[RejectedRow] += c.Rejected
	}
	return counts
}

// sorted are the differences, the most pressing first, with their ids.
func (r *run) sorted() []Difference {
	rank := map[Class]int{}
	for i, c := range Classes() {
		rank[c] = i
	}
	all := append([]Difference{}, r.differences...)
	slices.SortFunc(all, compareDifferences(rank, func(d *Difference) bool {
		return d.Class == StateMismatch && strings.HasPrefix(d.Detail, "our books say "+string(pay.Void))
	}))
	identify(&r.opts, all)
	return all
}

// compareDifferences puts the most pressing first: a voided order that was paid, then
// class by class, the largest amounts on top.
func compareDifferences(rank map[Class]int, void func(d *Difference) bool) func(a, b Difference) int {
	size := func(d *Difference) pay.Fen { return max(d.DifferenceFen, -d.DifferenceFen) }
	order := func(d *Difference) int {
		if void(d) {
			return -1
		}
		return rank[d.Class]
	}
	return func(a, b Difference) int {
		return cmp.Or(cmp.Compare(order(&a), order(&b)), cmp.Compare(size(&b), size(&a)), strings.Compare(a.OrderNo, b.OrderNo),
			strings.Compare(a.RefundNo, b.RefundNo), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.OursFen, b.OursFen), cmp.Compare(a.TheirsFen, b.TheirsFen),
			strings.Compare(a.ChannelTradeNo, b.ChannelTradeNo), a.Time.Compare(b.Time), strings.Compare(a.Detail, b.Detail), strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	}
}

// files are the inputs, in the order in which they were given.
func (r *run) files() []File {
	own := r.ours.report
	all := []File{{Role: RoleOurs, Name: r.books.Ours.Name(), SHA256: own.SHA256, Rows: own.Rows}}
	for i, b := range slices.Concat(r.books.Trade, r.books.Fund) {
		role := RoleTrade
		if i >= len(r.books.Trade) {
			role = RoleFund
		}
		all = append(all, File{Role: role, Name: b.Name(), SHA256: r.reports[i].SHA256, Rows: r.reports[i].Rows})
	}
	return all
}

// addClean adds what the sieves counted.
func (r *run) addClean() {
	for _, s := range r.sieves {
		r.rows[Ours].Matched += s.oursMatched
		r.rows[Ours].NotExpected += s.notExpected
		r.rows[Trade].Matched += s.matched.net().Rows
		r.matched.plus(s.matched)
		r.expected.plus(s.matched) // row for row
	}
	for _, s := range r.fundSieves {
		r.rows[Fund].Matched += s.matched
	}
	r.rows[Ours].NotExpected += r.ours.others + r.ours.otherAccounts
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
