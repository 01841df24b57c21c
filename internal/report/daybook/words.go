package daybook

import (
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// word is what is said in both languages.
type word struct{ zh, en string }

func (w word) in(l Lang) string {
	if l == English {
		return w.en
	}
	return w.zh
}

// say is the text of a key; args fill its verbs.
func (l Lang) say(key string, args ...any) string {
	w, ok := words[key]
	if !ok {
		w, ok = classWords[key]
	}
	if !ok {
		panic("daybook: no word " + key) // a test looks for every key that the code and the page name
	}
	if len(args) == 0 {
		return w.in(l)
	}
	return fmt.Sprintf(w.in(l), args...)
}

// known says a key with a part that came from outside, and that part where there is
// no word for it.
func (l Lang) known(prefix, part string) string {
	for _, table := range []map[string]word{words, classWords} {
		if w, ok := table[prefix+part]; ok {
			return w.in(l)
		}
	}
	return part
}

func (l Lang) check() error {
	if l != Chinese && l != English {
		return fmt.Errorf("write a daybook in language %q: there are only %q and %q", string(l), Chinese, English)
	}
	return nil
}

// advice is what to do about a difference: the core's words in English, ours in
// Chinese.
func (l Lang) advice(d *recon.Difference) string {
	if l == English && d.Advice != "" {
		return d.Advice
	}
	return l.adviceFor(d.Class, d.Kind)
}

func (l Lang) adviceFor(class recon.Class, kind pay.EntryKind) string {
	for _, key := range []string{fmt.Sprintf("advice.%s.%s", class, kind), fmt.Sprintf("advice.%s", class)} {
		if w, ok := classWords[key]; ok {
			return w.in(l)
		}
	}
	return ""
}

// direction says which way a difference goes.
func (l Lang) direction(f pay.Fen) string {
	switch {
	case f > 0:
		return l.say("long")
	case f < 0:
		return l.say("short")
	}
	return "–"
}

// words are all texts but those of the classes. A key that ends in a code is looked
// up by that code.
var words = map[string]word{
	"sheet.summary": {"汇总", "Summary"},
	"sheet.bridge":  {"勾稽", "Bridge"},
	"sheet.trade":   {"信息流差异", "Trade differences"},
	"sheet.fund":    {"资金流差异", "Fund differences"},
	"sheet.carry":   {"日切结转", "Day-cut carry"},
	"sheet.revokes": {"撤销退款", "Revokes"},
	"sheet.refunds": {"普通退款", "Refunds"},
	"sheet.fees":    {"手续费", "Fees"},
	"sheet.ledger":  {"差异台账", "Ledger"},
	"sheet.bad":     {"异常行", "Rejected rows"},
	"sheet.notes":   {"说明", "Notes"},

	"title":            {"对账日报", "Reconciliation daybook"},
	"channel.wechat":   {"微信支付", "WeChat Pay"},
	"channel.alipay":   {"支付宝", "Alipay"},
	"channel.unionpay": {"银联", "UnionPay"},

	"balanced":       {"已平：双方一致，无差异", "Balanced: both sides agree, no difference"},
	"unbalanced":     {"未平：%d 项差异", "Not balanced: %d differences"},
	"unbalanced.one": {"未平：1 项差异", "Not balanced: 1 difference"},
	"netTrade":       {"，信息流净额 %s 元", ", trade flow net %s yuan"},
	"netFund":        {"，资金流净额 %s 元", ", fund flow net %s yuan"},
	"netBad":         {"；另有 %d 行无法读取", "; rows that could not be read: %d"},
	"onlyBad":        {"未平：%d 行无法读取", "Not balanced, rows that could not be read: %d"},
	"carriedNote":    {"日切结转 %d 行，待次日账单", "Carried over the day's end and expected in the next bill: %d"},
	"definition": {
		"长款：渠道持有的我方资金多于账面；短款：少于账面。按资金方向计：支付为加，退款与撤销为减。差额 = 渠道 − 我方。",
		"Long (长款): the channel holds more of our money than our books say; short (短款): less. By cash effect: payments add, refunds and revokes take away. Difference = channel − ours.",
	},
	"long":  {"长款", "long"},
	"short": {"短款", "short"},

	"run":      {"运行编号", "Run"},
	"channel":  {"渠道", "Channel"},
	"account":  {"账户", "Account"},
	"date":     {"账单日", "Bill day"},
	"made":     {"生成时间（北京）", "Made (Beijing time)"},
	"tool":     {"程序", "Made by"},
	"head":     {"台账链头", "Ledger head"},
	"noLedger": {"未使用台账", "no ledger is kept"},
	"total":    {"合计", "Total"},
	"none":     {"无", "none"},
	"yuan":     {"元", "yuan"},
	"rows":     {"笔数", "Rows"},
	"amount":   {"金额", "Amount"},

	"matrix":    {"核对总表（元）", "What agrees (yuan)"},
	"ours":      {"我方", "Ours"},
	"theirs":    {"渠道", "Channel"},
	"matched":   {"一致", "Matched"},
	"carried":   {"日切结转", "Carried"},
	"different": {"差异（净额）", "Different (net)"},
	"rates":     {"匹配率", "Match rate"},
	"byRows":    {"按笔数", "by rows"},
	"byAmount":  {"按金额", "by amount"},
	"net":       {"净额（支付−退款−撤销）", "Net (pay − refund − revoke)"},

	"kind":        {"种类", "Kind"},
	"kind.pay":    {"支付", "payment"},
	"kind.refund": {"退款", "refund"},
	"kind.revoke": {"撤销", "revoke"},
	"kind.in":     {"入账", "money in"},
	"kind.out":    {"出账", "money out"},

	"byClass":   {"差异按类别", "Differences by class"},
	"class":     {"类别", "Class"},
	"meaning":   {"含义", "Meaning"},
	"files":     {"输入文件", "Input files"},
	"role":      {"用途", "Read as"},
	"file":      {"文件", "File"},
	"role.ours": {"我方明细", "our entries"}, "role.trade": {"交易账单", "trade bill"}, "role.fund": {"资金账单", "fund bill"},
	"warnings": {"提示", "Warnings"},
	"check":    {"自检：公式与程序一致", "Self-check: formulas against the program"},
	"formula":  {"按公式", "by formula"}, "program": {"按程序", "by the program"}, "apart": {"相差（应为 0)", "apart (must be 0)"},
	"check.tradeRows": {"信息流差异 笔数", "trade differences, rows"}, "check.tradeNet": {"信息流差异 净额", "trade differences, net"},
	"check.fundRows": {"资金流差异 笔数", "fund differences, rows"}, "check.fundNet": {"资金流差异 净额", "fund differences, net"},
	"check.badRows": {"异常行 行数", "rejected rows"}, "check.kindRows": {"各种类渠道笔数之和", "the channel's rows of all kinds"},
	"check.refundRows": {"普通退款 笔数", "refunds, rows"}, "check.refundSum": {"普通退款 金额", "refunds, amount"},
	"check.revokeRows": {"撤销退款 笔数", "revokes, rows"}, "check.revokeSum": {"撤销退款 金额", "revokes, amount"},
	"signOff": {"签核", "Sign-off"}, "prepared": {"编制", "Prepared"}, "checked": {"复核", "Checked"}, "approved": {"批准", "Approved"},
	"name": {"姓名", "Name"}, "signature": {"签字", "Signature"}, "signDate": {"日期", "Date"},

	"history":   {"近 14 日未结差异", "Open differences of the last 14 days"},
	"ageChart":  {"未结差异按账龄（笔）", "Open differences by age (rows)"},
	"age.1":     {"0–1 天", "0–1 days"},
	"age.3":     {"1–3 天", "1–3 days"},
	"age.7":     {"3–7 天", "3–7 days"},
	"age.more":  {"7 天以上", "over 7 days"},
	"opening":   {"期初", "Opening"},
	"opened":    {"新增", "New"},
	"reopened":  {"重开", "Reopened"},
	"closed":    {"结清", "Closed"},
	"closing":   {"期末", "Closing"},
	"openMoney": {"未结金额", "Open amount"},

	"tradeFlow": {"信息流：我方 → 交易账单", "Trade flow: our books → trade bill"},
	"fundFlow":  {"资金流：交易账单 → 资金账单", "Fund flow: trade bill → fund bill"},
	"noFund":    {"本次未提供资金账单", "no fund bill was given"},
	"item":      {"项目", "Item"}, "basis": {"依据", "Basis"},
	"bridge.ours": {"我方合计", "Our total"}, "bridge.lacks": {"减：渠道缺少", "less what the channel lacks"},
	"bridge.has": {"加：我方缺少", "plus what we lack"}, "bridge.amount": {"金额与种类不符", "amounts and kinds that differ"},
	"bridge.state": {"状态不符", "states that differ"}, "bridge.twice": {"重复", "rows that are double"},
	"bridge.carried": {"日切转入与转出", "carried in and out"}, "bridge.expect": {"推算渠道合计", "makes the channel's total"},
	"bridge.theirs": {"渠道交易账单合计", "Total of the trade bill"}, "bridge.rest": {"未解释差额", "Unexplained"},
	"fund.trade": {"交易账单结算合计", "Settled total of the trade bill"}, "fund.fees": {"手续费", "fees"},
	"fund.missing": {"资金账单缺少", "missing in the fund bill"}, "fund.extra": {"资金账单多出", "only in the fund bill"},
	"fund.amount": {"金额不符", "amounts that differ"}, "fund.returned": {"退款退回", "refunds that came back"},
	"fund.carried": {"日切转入与转出", "carried in and out"}, "fund.other": {"提现、充值、分账等", "withdrawals, top-ups, profit sharing"},
	"fund.expect": {"推算资金账单合计", "makes the fund bill's total"}, "fund.fund": {"资金账单收支合计", "Total of the fund bill"},
	"balance":         {"账户余额", "Balance of the account"},
	"balance.opening": {"期初余额", "opening balance"}, "balance.expect": {"推算期末余额", "makes the closing balance"},
	"balance.closing": {"账单期末余额", "closing balance of the bill"},
	"basis.run":       {"程序读得", "as read from the files"}, "basis.sheet": {"由「%s」按类别求和", "summed by class from “%s”"},
	"basis.sum": {"以上各行之和", "the sum of the lines above"}, "basis.rest": {"必须为 0.00", "must be 0.00"},

	"col.id": {"差异编号", "Difference"}, "col.order": {"商户订单号", "Order number"}, "col.refund": {"商户退款单号", "Refund number"},
	"col.trade": {"渠道交易号", "Channel trade number"}, "col.channelRefund": {"渠道退款号", "Channel refund number"},
	"col.diff": {"差额", "Difference amount"}, "col.direction": {"长/短款", "Long/short"}, "col.time": {"时间", "Time"}, "col.line": {"行号", "Line"},
	"col.detail": {"明细", "Detail"}, "col.advice": {"建议", "Advice"}, "col.code": {"代码", "Code"}, "col.paired": {"配对依据", "Paired by"},
	"col.decision": {"决定", "Decision"}, "col.reason": {"原因", "Reason"}, "col.text": {"备注", "Text"}, "col.until": {"挂账至", "Until"},
	"col.check": {"校验", "Check"}, "col.state": {"状态", "State"}, "col.age": {"账龄（天）", "Age (days)"}, "col.first": {"首次发现", "First reported"},
	"col.changed": {"最近变动", "Changed"}, "col.putOff": {"已挂账至", "Put off to"}, "col.pending": {"待批事项", "Pending"}, "col.last": {"最近原因", "Last reason"},
	"col.flow": {"流", "Flow"}, "col.side": {"来源", "Side"}, "col.deadline": {"最迟账单日", "Deadline"}, "col.settle": {"结算金额", "Settled"},
	"col.fee": {"手续费（元）", "Fee (yuan)"}, "col.fate": {"结果", "Result"}, "col.status": {"账单状态", "State in the bill"}, "col.rate": {"费率", "Rate"},
	"col.base": {"计费基数", "Base"}, "col.effective": {"实际费率", "Effective rate"}, "col.why": {"拒收原因", "Why it was rejected"},

	"flow.trade": {"信息流", "trade"}, "flow.fund": {"资金流", "fund"},
	"side.ours": {"我方", "ours"}, "side.trade": {"交易账单", "trade bill"}, "side.fund": {"资金账单", "fund bill"},
	"fate.matched": {"一致", "matched"}, "fate.differing": {"差异", "differing"}, "fate.carried": {"日切结转", "carried"}, "fate.rejected": {"拒收", "rejected"},

	"state.open": {"未结", "open"}, "state.carried": {"挂账", "carried"}, "state.resolved": {"已解释", "resolved"},
	"state.reissued": {"已补单", "reissued"}, "state.written_off": {"已核销", "written off"},
	"action.carry": {"挂账", "carry"}, "action.resolve": {"强制平账", "resolve"}, "action.write_off": {"核销", "write off"},
	"action.reissue": {"补单", "reissue"}, "action.console_refund": {"登记后台退款", "console refund"}, "action.reopen": {"重开", "reopen"},
	"stage.proposed": {"待批", "proposed"}, "stage.approved": {"已批待执行", "approved"},
	"stage.done": {"已完成", "done"}, "stage.rejected": {"已驳回", "rejected"}, "stage.failed": {"执行失败", "failed"},
	"pending":                 {"%s %s %s（%s）", "%s %s %s (%s)"},
	"reason.late_counterpart": {"对方迟到", "late counterpart"}, "reason.rounding": {"尾差", "rounding"}, "reason.channel_error": {"渠道差错", "channel error"},
	"reason.our_error": {"我方差错", "our error"}, "reason.customer_settled": {"已与客户结清", "settled with the customer"}, "reason.bank_return": {"银行退回", "bank return"},
	"reason.duplicate_entry": {"重复记账", "duplicate entry"}, "reason.found_again": {"重跑再次发现", "found again by a run"}, "reason.counterpart_gone": {"迟到的对方已不在", "the late counterpart is gone"},
	"reason.superseded": {"被重跑取代", "superseded"}, "reason.other": {"其他（须备注）", "other (needs text)"},

	"noLines":  {"明细文件不在手边，本表无法列出；合计见「%s」", "The files were not at hand: nothing can be listed here; totals are on “%s”"},
	"noRates":  {"账单无费率列，或当日无手续费", "The bill has no fees, or none were charged"},
	"roll":     {"结转行数滚动", "Carried rows roll forward"},
	"roll.new": {"新增结转", "newly carried"}, "roll.cleared": {"次日找到对方", "counterpart found"}, "roll.expired": {"到期未到", "deadline passed"},
	"roll.closing": {"期末结转", "closing"}, "roll.opening": {"期初结转", "opening"},

	"notes.classes": {"差异类别与处理", "Classes and what to do"},
	"notes.exits":   {"退出状态", "Exit statuses"},
	"exit.0":        {"已平", "balanced"}, "exit.1": {"程序失败或用法错误", "the program failed, or wrong usage"}, "exit.2": {"有差异", "differences"},
	"exit.3": {"账单未就绪，稍后再试", "the input is not ready, try later"}, "exit.4": {"输入未通过核验，不作结论", "the input failed the gate, nothing is concluded"},
	"exit.5":       {"台账有逾期未结差异", "the ledger has overdue differences"},
	"notes.return": {"如何回传决定", "How to send decisions back"},
	"return.1":     {"在「%s」或两张差异表的黄色列选择决定与原因；同一差异只需填一处。", "Choose a decision and a reason in the yellow columns of “%s” or of a difference sheet; once is enough for a difference."},
	"return.2":     {"不要改动差异编号与校验列；可以筛选、整行排序。", "Leave the columns of ids and checks alone. Filter as you like, sort whole rows only."},
	"return.3":     {"先试：paytool recon apply 文件.xlsx --dry-run;无误后去掉 --dry-run。", "Try it: paytool recon apply FILE.xlsx --dry-run; then again without --dry-run."},
	"return.4":     {"核销、强制平账、补单与后台退款须由另一人批准(paytool recon approve)。挂账须填日期，如 2026-11-30。", "Write-off, resolve, reissue and console refund need the approval of a second person (paytool recon approve). Carry needs a date, such as 2026-11-30."},
	"notes.reason": {"决定与原因代码", "Codes of decisions and reasons"},

	"page.next":     {"下一步", "What to do next"},
	"page.nothing":  {"无事可做。归档即可。", "Nothing is to be done. File it."},
	"page.worst":    {"差异明细", "The differences"},
	"page.more":     {"此处列出前 %d 项，共 %d 项；其余见工作簿。", "The first %d of %d are shown; the workbook has the rest."},
	"page.differs":  {"差异", "Differences"},
	"page.open":     {"台账未结", "Open in the ledger"},
	"page.carried":  {"日切结转", "Carried over"},
	"page.matched":  {"一致率（按笔数）", "Matched (by rows)"},
	"page.netDiff":  {"差异净额（元）", "Net difference (yuan)"},
	"page.bridge":   {"勾稽（元）", "Bridge (yuan)"},
	"page.rejected": {"异常行", "Rejected rows"},
	"page.rows":     {"%d 项", "rows: %d"},
	"page.net":      {"净额", "net"},
	"page.line":     {"第 %d 行", "line %d"},
	"page.files":    {"输入与出处", "Inputs and provenance"},
	"page.command":  {"paytool recon diffs 查看全部差异；paytool recon explain 订单号 查看一笔订单的全程。", "paytool recon diffs lists all differences; paytool recon explain ORDER tells one order's whole story."},
}
