package daybook

// classWords are the names, meanings and advice of the classes. Advice is by class,
// or by class and kind.
var classWords = map[string]word{
	"class.state_mismatch":       {"状态不符（掉单）", "state mismatch"},
	"class.missing_in_ours":      {"我方缺少", "missing in ours"},
	"class.missing_in_channel":   {"渠道缺少", "missing in channel"},
	"class.amount_mismatch":      {"金额不符", "amount mismatch"},
	"class.kind_mismatch":        {"种类不符", "kind mismatch"},
	"class.duplicate_payment":    {"重复支付", "duplicate payment"},
	"class.duplicate_in_channel": {"渠道重复", "duplicate in channel"},
	"class.duplicate_in_ours":    {"我方重复", "duplicate in ours"},
	"class.refund_returned":      {"退款退回", "refund returned"},
	"class.fee_mismatch":         {"手续费不符", "fee mismatch"},
	"class.fund_missing":         {"有交易无资金", "fund missing"},
	"class.fund_extra":           {"有资金无交易", "fund extra"},
	"class.fund_amount":          {"资金金额不符", "fund amount"},
	"class.rejected_row":         {"异常行", "rejected row"},

	"meaning.state_mismatch":       {"双方都有该笔，结果不同：渠道已成功而我方未成功，或渠道已撤销而我方仍为已付", "both know it, the outcomes differ: done at the channel and not with us, or revoked there and paid here"},
	"meaning.missing_in_ours":      {"渠道有，我方没有：钱已收而未交付", "the channel has it, we do not: money taken, nothing delivered"},
	"meaning.missing_in_channel":   {"我方有，渠道没有", "we have it, the channel does not"},
	"meaning.amount_mismatch":      {"双方都有，金额不同", "both have it, the amounts differ"},
	"meaning.kind_mismatch":        {"一方记为退款，另一方记为撤销，金额相同", "a refund on one side, a revoke on the other, of the same amount"},
	"meaning.duplicate_payment":    {"同一商户单有两笔已付订单", "two paid orders of one merchant order"},
	"meaning.duplicate_in_channel": {"渠道同一笔多于我方", "the channel has the same row more often than we"},
	"meaning.duplicate_in_ours":    {"我方同一笔多于渠道", "we have the same row more often than the channel"},
	"meaning.refund_returned":      {"退款未到买家，资金退回账户", "the refund did not reach the buyer and came back"},
	"meaning.fee_mismatch":         {"手续费不等于基数乘费率（逐笔四舍五入到分）", "the fee is not base times rate, rounded to the cent per row"},
	"meaning.fund_missing":         {"交易账单有，资金账单没有", "a trade without its money"},
	"meaning.fund_extra":           {"资金账单有，没有对应交易", "money without a trade"},
	"meaning.fund_amount":          {"资金与交易的结算金额不同", "the money is not the settled amount of the trade"},
	"meaning.rejected_row":         {"无法读取的一行", "a line that could not be read"},

	"advice.state_mismatch.pay": {
		"渠道已收买家款项。先查单：若为 SUCCESS 且金额相同，申请补单；若未交付，退款。",
		"the channel has the buyer's money: query the order; if it says SUCCESS with this amount, ask for a reissue, or refund it if nothing was delivered",
	},
	"advice.state_mismatch.revoke": {
		"买家已收回款项，而我方记为已付。已交付则追收；未交付则补记撤销。",
		"the buyer has the money back and we hold the order as paid: if it was delivered, collect it again; if not, record the revoke",
	},
	"advice.state_mismatch.refund": {
		"渠道已退款，而我方记为未完成。先查退款：若成功则补记，切勿换新退款单号重发。",
		"the channel has refunded what we hold as not done: query the refund; if it says SUCCESS, record it, and do not send it again under a new number",
	},
	"advice.missing_in_ours.pay": {
		"收了钱而我方不知。在所有分组中查该订单：是我方的，申请补单；不是，退款。",
		"money was taken that we know nothing of: look for the order in every group; if it is ours, ask for a reissue, if not, refund it",
	},
	"advice.missing_in_ours.refund": {
		"并非我方发起的退款。若在商户后台操作，登记以计入该订单已退金额；若无人操作，询问渠道。",
		"a refund that we did not send: if it was made in the channel's console, record it; if nobody made it, ask the channel",
	},
	"advice.missing_in_ours.revoke": {
		"撤销了我方没有的订单。找出该订单；若已交付，重新收款。",
		"a revoke of an order that we do not have: find the order; if it was delivered, collect the money again",
	},
	"advice.missing_in_channel.pay": {
		"已交付而渠道无款。先查单：渠道确无支付，则追收或核销；若有，索取更正账单。",
		"we delivered for money that the channel does not show: query the order; collect it or write it off, or ask for a corrected bill",
	},
	"advice.missing_in_channel": {
		"买家可能未收到退款。先查询：渠道没有，以原单号重发；渠道有，等下一日账单。",
		"the buyer may not have the money back: query it; if the channel does not know it, send it again with the same number; if it does, wait for the next bill",
	},
	"advice.amount_mismatch": {
		"与渠道查询结果比对：我方正确，索取更正账单；账单正确，以调整分录更正，不得直接改原分录。",
		"compare with the channel's query: if our books are right, ask for a corrected bill; if the bill is, correct the entry by an adjustment",
	},
	"advice.kind_mismatch":        {"金额一致，仅名称不同。按账单更正我方种类，不动资金。", "the money agrees, only its name differs: correct our record; no money is to be moved"},
	"advice.duplicate_payment":    {"买家为同一商户单付了两次。退还后一笔，除非两次均已交付。", "the buyer paid twice for one merchant order: give the later payment back, unless both were delivered"},
	"advice.duplicate_in_channel": {"先查单：买家被多扣，退还多扣部分；否则索取更正账单。", "query the order: if the buyer was charged more than once, refund what is too much; if not, ask for a corrected bill"},
	"advice.duplicate_in_ours":    {"我方多记。渠道查询只有一笔时，以调整分录冲掉多余的一笔。", "our books have it more than once: if the channel's query shows one, take the extra entry out by an adjustment"},
	"advice.refund_returned":      {"退款未到买家，资金已回。重开该退款，以新单号再退，或与买家另行结清。", "the refund did not reach the buyer and the money came back: reopen it and refund under a new number, or settle it with the buyer"},
	"advice.fee_mismatch":         {"合同费率与账单一致，向渠道追回多收手续费；否则更正我方登记的费率。", "if the rate of the contract is the bill's, ask the channel for the fee charged too much; if not, correct the rate that we hold"},
	"advice.fund_missing.in":      {"渠道有交易但未入账。看次日资金账单；仍无，询问渠道。", "the channel shows the trade and has not paid it out: look in tomorrow's fund bill, then ask the channel"},
	"advice.fund_missing":         {"渠道有退款但未从账户扣款。看次日资金账单；仍无，询问渠道。", "the channel shows the refund and has not taken the money: look in tomorrow's fund bill, then ask the channel"},
	"advice.fund_extra":           {"有资金变动而当日无对应交易。查前后几日账单；没有，询问渠道。", "money moved without a trade of this day: look in the bills of the days around it; if there is none, ask the channel"},
	"advice.fund_amount":          {"资金与交易不符。查交易账单未列的手续费或优惠；没有，询问渠道。", "the money is not what the trade says: look for a fee or a coupon that the trade bill does not show; else ask the channel"},
	"advice.rejected_row":         {"看该行与原因，重新导出或下载文件。", "read the line and its reason; export or download the file again"},
}
