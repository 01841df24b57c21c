package daybook

import (
	"regexp"

	"paytool/internal/recon"
)

// details turn what a run says of a difference into Chinese. What fits none of them
// is shown as the run says it; a test sees to it that all of a full day's do.
var details = []struct {
	says *regexp.Regexp
	zh   string
}{
	{regexp.MustCompile(`^our books say (\S+), the channel's bill has the \S+ of (\S+) yuan$`), "我方状态 $1，渠道账单已有该笔 $2 元"},
	{regexp.MustCompile(`^our books say (\S+), the channel has revoked the order$`), "我方状态 $1，渠道已撤销该订单"},
	{regexp.MustCompile(`^our books have (\S+) yuan, the channel (\S+)$`), "我方 $1 元，渠道 $2 元"},
	{regexp.MustCompile(`^our books have a refund, the channel a revoke of the same amount$`), "我方记为退款，渠道记为撤销，金额相同"},
	{regexp.MustCompile(`^our books have a revoke, the channel a refund of the same amount$`), "我方记为撤销，渠道记为退款，金额相同"},
	{regexp.MustCompile(`^the bill has the \S+ more often than our books$`), "账单中该笔多于我方"},
	{regexp.MustCompile(`^our books have the \S+ more often than the bill$`), "我方该笔多于账单"},
	{regexp.MustCompile(`^the channel's bill has the \S+, our books do not$`), "渠道账单有，我方没有"},
	{regexp.MustCompile(`^our books have the \S+, the channel's bill does not$`), "我方有，渠道账单没有"},
	{regexp.MustCompile(`^our books say that the order is revoked, the channel's bill has its payment and no revoke$`), "我方记该订单已撤销，渠道账单只有支付，没有撤销"},
	{regexp.MustCompile(`^order (\S+) was paid for the same merchant order (.*)$`), "同一商户单 $2 已有已付订单 $1"},
	{regexp.MustCompile(`^(\S+) yuan at (\S+)(?: \(the account's rate\))? make a fee of (\S+) yuan; the bill has (\S+)$`), "$1 元按费率 $2 应收手续费 $3 元，账单为 $4 元"},
	{regexp.MustCompile(`^the money of the refund came back \(退款关闭\)$`), "退款资金已退回账户（退款关闭）"},
	{regexp.MustCompile(`^(?:the fee: )?the trade bill makes it (\S+) yuan, the fund bill has (\S+)$`), "交易账单应为 $1 元，资金账单为 $2 元"},
	{regexp.MustCompile(`^(?:the fee: )?the trade bill has it, the fund bill does not$`), "交易账单有，资金账单没有"},
	{regexp.MustCompile(`^(?:the fee: )?the fund bill has it, no trade explains it$`), "资金账单有，没有对应交易"},
}

// detail is what the run says of a difference.
func (l Lang) detail(d *recon.Difference) string {
	if l == Chinese {
		for _, t := range details {
			if t.says.MatchString(d.Detail) {
				return t.says.ReplaceAllString(d.Detail, t.zh)
			}
		}
	}
	return d.Detail
}
