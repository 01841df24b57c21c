package recon

import (
	"fmt"
	"slices"

	"paytool/internal/bill"
)

// GateError is an input that cannot be trusted: nothing is concluded from it.
type GateError struct {
	File     string
	Findings []bill.Finding
}

func (e *GateError) Error() string {
	return fmt.Sprintf("check %s before matching: %s", e.File, e.Findings[0])
}

// gate stops at inputs that cannot be trusted.
func (r *run) gate() error {
	for i, report := range r.reports {
		if bad := r.untrusted(report, i >= len(r.books.Trade)); len(bad) > 0 {
			return &GateError{File: slices.Concat(r.books.Trade, r.books.Fund)[i].Name(), Findings: bad}
		}
	}
	if bad := r.opening(); bad != nil && !bad.Advisory {
		return &GateError{File: r.books.Fund[0].Name(), Findings: []bill.Finding{*bad}}
	}
	if r.books.NoBill && r.ours.paid > 0 {
		return &GateError{File: "the day's bill", Findings: []bill.Finding{{
			Check: bill.CheckUnread, What: "the channel says that there is none", Want: fmt.Sprintf("the %d payments that we have", r.ours.paid), Got: "no bill",
		}}}
	}
	return nil
}

// untrusted is what speaks against a bill.
func (r *run) untrusted(report *bill.Report, fund bool) (bad []bill.Finding) {
	if report.Channel != r.opts.Channel {
		bad = append(bad, bill.Finding{Check: bill.CheckType, What: "the bill is of another channel", Want: r.opts.Channel, Got: report.Channel})
	}
	if isFund := report.Type == bill.Fundflow || report.Type == bill.AlipayAccount; isFund != fund || !report.Type.Detail() {
		want := "a trade bill"
		if fund {
			want = "a fund bill"
		}
		bad = append(bad, bill.Finding{Check: bill.CheckType, What: "the bill is of another type", Want: want, Got: string(report.Type)})
	}
	for _, f := range report.Findings {
		if !f.Advisory {
			bad = append(bad, f)
		}
	}
	if dated := report.BillDate; dated != "" && dated != r.opts.Date && len(bad) == 0 {
		bad = append(bad, bill.Finding{Check: bill.CheckDate, What: "the bill is of another date", Want: r.opts.Date, Got: dated})
	}
	return bad
}

// fundBalance is what the fund bill opens and closes with. Several fund bills are
// parts of one account or bills of several: they have no balance in common.
func (r *run) fundBalance() *FundBalance {
	reports := r.reports[len(r.books.Trade):]
	if len(reports) != 1 || !reports[0].HasBalance {
		return nil
	}
	return &FundBalance{Opening: reports[0].Opening, Closing: reports[0].Closing}
}

// opening holds the fund bill's opening balance against what the day before closed
// with. Alipay does not promise that they agree.
func (r *run) opening() *bill.Finding {
	balance, want := r.fundBalance(), r.opts.FundOpening
	if balance == nil || want == nil || balance.Opening == *want {
		return nil
	}
	return &bill.Finding{
		Check: bill.CheckBalance, Advisory: r.opts.Channel != bill.WeChat, What: "the fund bill does not open with what the fund bill of the day before closed with",
		Want: want.Yuan(), Got: balance.Opening.Yuan(),
	}
}
