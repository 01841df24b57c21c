package bill

import "strings"

// The names under which the totals of UnionPay's summary stand in Report.Footer.
// 借 is what the merchant pays, 贷 what it receives.
const (
	upsDate     = "清算日期"
	upsMerchant = "商户代码"
	upsCount    = "交易笔数"
	upsOut      = "交易金额借"
	upsIn       = "交易金额贷"
	upsFeeOut   = "费用借"
	upsFeeIn    = "费用贷"
	upsNetOut   = "资金清算差额借"
	upsNetIn    = "资金清算差额贷"
)

// readUnionpaySummary reads the first 总计 of RD2010, a table set for paper, and
// the labels above it. What is missing is missing in the answer.
func readUnionpaySummary(text string) map[string]string {
	values := map[string]string{}
	for _, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		for _, f := range fields {
			for _, label := range []string{upsDate, upsMerchant} {
				if v, ok := strings.CutPrefix(f, label+":"); ok {
					values[label] = v
				}
			}
		}
		if len(fields) == 8 && fields[0] == "总计" {
			for i, name := range []string{upsCount, upsOut, upsIn, upsFeeOut, upsFeeIn, upsNetOut, upsNetIn} {
				values[name] = fields[i+1]
			}
			return values
		}
	}
	return values
}

// compare holds RD2010 against the rows and takes the settlement date from it.
func (u *unionpay) compare(r *Report, summary map[string]string) {
	if d := summary[upsDate]; len(d) == 8 {
		r.BillDate = d[:4] + "-" + d[4:6] + "-" + d[6:]
	}
	for _, name := range []string{upsCount, upsOut, upsIn, upsFeeOut, upsFeeIn, upsNetOut, upsNetIn} {
		if v, ok := summary[name]; ok {
			r.Footer[name] = v
		}
	}
	if m := summary[upsMerchant]; m != r.Merchant {
		r.find(Finding{Check: CheckSummary, What: "the summary in the zip is of another merchant", Want: m, Got: r.Merchant})
	}
	r.proveSummary(summary, upsCount, 0, u.rows)
	r.proveSummary(summary, upsIn, fenDecimals, u.in)
	r.proveSummary(summary, upsOut, fenDecimals, u.out)
	r.proveNet(summary, upsFeeOut, upsFeeIn, u.fee)
	r.proveNet(summary, upsNetIn, upsNetOut, u.net)
}

// proveNet compares the difference of two totals.
func (r *Report) proveNet(summary map[string]string, plus, minus string, got total) {
	a, errA := parseDecimal([]byte(summary[plus]), fenDecimals)
	b, errB := parseDecimal([]byte(summary[minus]), fenDecimals)
	if errA != nil || errB != nil {
		r.find(Finding{Check: CheckSummary, What: plus + " or " + minus + " of the summary in the zip cannot be read"})
		return
	}
	r.prove(CheckSummary, 0, plus+" less "+minus+" of the summary in the zip", formatDecimal(a-b, fenDecimals), fenDecimals, got)
}
