package drillreport

import (
	"fmt"
	"strings"

	"paytool/internal/drill/fault"
	"paytool/internal/drill/result"
)

// Lang is the language of a report.
type Lang string

// The languages.
const (
	Chinese Lang = "zh"
	English Lang = "en"
)

func (l Lang) check() error {
	if l != Chinese && l != English {
		return fmt.Errorf("write a drill's report in language %q: there are only %q and %q", string(l), Chinese, English)
	}
	return nil
}

// word is what is said in both languages.
type word struct{ zh, en string }

// say is the text of a key; args fill its verbs.
func (l Lang) say(key string, args ...any) string {
	w, ok := words[key]
	if !ok {
		panic("drillreport: no word " + key) // a test looks for every key that the code and the page name
	}
	text := w.zh
	if l == English {
		text = w.en
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// known says a key with a part that came from outside, and that part where there is
// no word for it.
func (l Lang) known(prefix, part string) string {
	if _, ok := words[prefix+part]; ok {
		return l.say(prefix + part)
	}
	return part
}

// headline is what a manager reads.
func (l Lang) headline(r *result.Result) string {
	groups, seconds := groupList(r.Groups), span(r.RestoredMs-r.InjectedMs)
	switch {
	case r.Verdict == result.Held && r.During.Acked == r.During.Attempted:
		return l.say("headline.held", groups, seconds, grouped(fmt.Sprint(r.During.Acked)))
	case r.Verdict == result.Held:
		return l.say("headline.allowed", groups, seconds, grouped(fmt.Sprint(r.During.Acked)), grouped(fmt.Sprint(r.During.Attempted)))
	}
	return l.known("headline.", string(r.Verdict))
}

// reason is a reason in one line.
func (l Lang) reason(r result.Reason) string {
	switch {
	case r.Code == result.NotHeld:
		return l.say("reason.not_held", l.known("check.", r.Detail))
	case l == English:
		return r.String()
	}
	text := l.known("reason.", string(r.Code))
	if strings.Contains(text, "%d") {
		text = fmt.Sprintf(text, r.N)
	}
	return text + r.Detail
}

// faults explains each fault of a drill.
func (l Lang) faults(text string) []string {
	list, err := fault.Parse(text)
	if err != nil { // the same one twice, one after the other, or one of a later version
		return nil
	}
	var all []string
	for _, f := range list {
		meaning := l.known("fault.", string(f.Name))
		if spec, ok := fault.Lookup(f.Name); ok && l == English {
			meaning = spec.Meaning
		}
		all = append(all, f.String()+": "+meaning)
	}
	return all
}

// words holds every text of the page in both languages.
var words = map[string]word{
	"verdict.held":           {"通过", "Held"},
	"verdict.refused":        {"未执行", "Refused"},
	"verdict.deviated":       {"偏离预期", "Not as expected"},
	"verdict.stopped":        {"提前终止", "Stopped"},
	"verdict.broken":         {"数据被破坏", "Data broken"},
	"verdict.restore_failed": {"未能恢复", "Not restored"},
	"verdict.inconclusive":   {"无结论", "Nothing proven"},

	"headline.held":           {"第 %s 组故障 %s，期间 %s 笔订单全部下单成功；无丢失、无重复，各组均已恢复。", "Group %s was broken for %s and no payment failed: all %s orders of that time were taken, none lost, none doubled; everything is restored."},
	"headline.allowed":        {"第 %s 组故障 %s，期间 %s / %s 笔订单下单成功，在预案允许范围内；无丢失、无重复，各组均已恢复。", "Group %s was broken for %s; %s of %s orders of that time were taken, which the plan allows for; none lost, none doubled, everything is restored."},
	"headline.refused":        {"安全检查未通过，没有注入任何故障。", "A guard said no. Nothing was touched."},
	"headline.deviated":       {"数据完整，已恢复，但表现与预期不符。", "The data is intact and everything is restored, but the service was not as smooth as expected."},
	"headline.stopped":        {"演练提前终止，故障已撤销，未证明任何结论。", "The drill ended early and the fault was taken back. It proves nothing."},
	"headline.broken":         {"已确认的订单出现问题，立即排查。", "Acknowledged orders are not as they should be. Look into it now."},
	"headline.restore_failed": {"故障可能仍在生效，立即处理。", "A fault may still be in place. Act now."},
	"headline.inconclusive":   {"本次演练没有证明任何结论，不算通过。", "The drill has proven nothing. It is not a pass."},

	"next":                {"下一步", "Next"},
	"next.held":           {"归档即可，下周照常。", "File it; next week as usual."},
	"next.refused":        {"消除下列原因后重新演练。", "Remove the reason below, then run the drill again."},
	"next.deviated":       {"查看曲线与时间线，找出偏离的原因，修复后重做同一演练。", "Find out from the curves and the timeline why, fix it, and run the same drill again."},
	"next.stopped":        {"查明终止原因，再重做。", "Find out what stopped it, then run it again."},
	"next.broken":         {"暂停后续演练；逐笔核对下方问题订单 (paytool order trace 订单号)，必要时启动对账。", "Hold further drills. Trace each order listed below (paytool order trace NO) and reconcile where money is concerned."},
	"next.restore_failed": {"立即执行 paytool drill recover，并逐组检查 paytool shard status。", "Run paytool drill recover now, then look at every group with paytool shard status."},
	"next.inconclusive":   {"消除下列原因后重做；在此之前不能视为通过。", "Remove the reasons below and run it again. Until then nothing is shown."},

	"reason.not_allowed":    {"安全检查：", "refused: "},
	"reason.not_back":       {"未恢复：", "not restored: "},
	"reason.lost":           {"%d 笔已确认的订单丢失", ""},
	"reason.doubled":        {"%d 笔订单重复", ""},
	"reason.diverged":       {"%d 笔订单在同组各节点间不一致", ""},
	"reason.corrupt":        {"%d 笔订单与确认时不符", ""},
	"reason.phantom":        {"%d 笔订单告知客户失败却存在", ""},
	"reason.unexpected":     {"%d 笔订单从未发送却存在", ""},
	"reason.sums":           {"查得订单总额与台账相差 %d 分", ""},
	"reason.one_copy":       {"%d 笔订单在半同步关闭时被确认", ""},
	"reason.unread":         {"%d 个节点无法读取", ""},
	"reason.doubts_open":    {"%d 笔存疑仍未了结", ""},
	"reason.not_verified":   {"数据未经核验", ""},
	"reason.no_effect":      {"故障没有生效：", ""},
	"reason.not_injected":   {"没有注入故障", ""},
	"reason.no_baseline":    {"故障之前没有任何订单成功", ""},
	"reason.no_ledger":      {"没有账本：查到 %d 笔订单并相互核对，是否有丢失无从证明", ""},
	"reason.nothing_hopped": {"没有订单绕开故障组", ""},
	"reason.none_settled":   {"没有一笔结果不明的订单得到了结", ""},
	"reason.ended_early":    {"提前终止：", ""},
	"reason.not_held":       {"与预期不符：%s", "not as expected: %s"},

	"unserved":     {"未下单成功", "Orders not taken"},
	"gap":          {"最长无成功订单时间", "Longest gap between orders"},
	"p99":          {"故障期间 p99", "p99 during the fault"},
	"baselineP99":  {"基线 p99", "baseline p99"},
	"eject":        {"避开故障组用时", "Until new orders avoided it"},
	"readmit":      {"恢复后重新启用用时", "Until it took orders again"},
	"hops":         {"改投其他组的订单", "Orders that went elsewhere"},
	"mttr":         {"MTTR：旧订单可再次更新用时", "MTTR: until old orders could be updated"},
	"waiting":      {"等待的旧订单", "Old orders that had to wait"},
	"merchants":    {"商户", "merchants"},
	"terminals":    {"终端", "terminals"},
	"budget":       {"占全年可用性预算", "What this takes of a year"},
	"availability": {"可用性目标", "Availability"},
	"allowed":      {"全年允许中断", "Allowed in a year"},
	"share":        {"本次占用", "This outage"},

	"what":      {"做了什么", "What was done"},
	"fault":     {"故障", "Fault"},
	"groups":    {"故障组", "Groups"},
	"group":     {"第 %d 组", "group %d"},
	"when":      {"时间（北京）", "When (Beijing)"},
	"on":        {"于", "on"},
	"faultTime": {"故障时段", "The fault"},
	"fromTo":    {"负载开始后 %s 至 %s", "from %s to %s of the load"},
	"load":      {"负载", "Load"},
	"loadRate":  {"每秒 %s 笔成功（基线），共 %s", "%s orders a second taken in the baseline, for %s"},

	"hypothesis":        {"预期与实测", "Expected and measured"},
	"check":             {"指标", "What"},
	"want":              {"不超过", "At most"},
	"got":               {"实测", "Measured"},
	"shownOnly":         {"仅供参考", "shown only"},
	"yes":               {"达到", "held"},
	"no":                {"未达到", "not held"},
	"check.failed":      {"未下单成功的订单", "orders not taken"},
	"check.p99_delta":   {"p99 较基线增加", "p99 above the baseline"},
	"check.longest_gap": {"最长无成功订单时间", "longest gap between orders"},
	"check.max":         {"单笔最长等待", "longest wait of an order"},
	"check.eject":       {"避开故障组用时", "until new orders avoided it"},
	"check.readmit":     {"重新启用用时", "until it took orders again"},
	"check.recovery":    {"成功率恢复用时", "until the rate was back"},
	"check.dip_percent": {"每秒成功量最大跌幅", "deepest dip of a second"},
	"check.mttr":        {"MTTR", "MTTR"},
	"unit.orders":       {"笔", "orders"},
	"unit.ms":           {"毫秒", "ms"},
	"unit.percent":      {"%", "%"},

	"curves":        {"曲线", "Curves"},
	"chart.goodput": {"每秒成功订单", "Orders taken a second"},
	"chart.latency": {"等待时间（自应发时刻起，对数刻度）", "Waits from the moment an order was due (log scale)"},
	"chart.groups":  {"各组每秒成功订单", "Orders taken a second, by group"},
	"line.acked":    {"成功", "taken"},
	"line.hopped":   {"其中改投", "of them elsewhere"},
	"line.unserved": {"未成功", "not taken"},
	"line.baseline": {"基线", "baseline"},
	"line.p50":      {"p50", "p50"},
	"line.p99":      {"p99", "p99"},
	"line.control":  {"p99（未受影响的组）", "p99 of the healthy groups"},
	"line.band":     {"故障时段", "the fault"},
	"line.marks":    {"橙线：开始避开；绿线：重新启用", "orange: avoided; green: back"},

	"smooth":       {"平滑度", "How smooth"},
	"perSecond":    {"按秒", "per second"},
	"perTenth":     {"按 0.1 秒", "per 0.1 s"},
	"dipDepth":     {"最差时段 / 基线", "worst / baseline"},
	"dipArea":      {"迟到的订单", "orders that came late"},
	"recovery":     {"恢复用时（毫秒）", "back after (ms)"},
	"spike":        {"最高时段 / 基线", "best / baseline"},
	"timeToHop":    {"首笔改投用时（毫秒）", "first order elsewhere after (ms)"},
	"control":      {"对照组 p99：基线 → 故障期间（毫秒）", "p99 of the healthy groups: baseline → fault (ms)"},
	"matrix":       {"改投去向", "Where orders went"},
	"matrixNote":   {"行：首个绕开的组；列：落单的组。", "Rows: the first group that was passed over. Columns: where the order landed."},
	"direct":       {"未绕开", "passed none"},
	"passed":       {"绕开第 %d 组", "past group %d"},
	"verification": {"数据核验", "Is every order there?"},
	"verifyNote":   {"客户端台账逐笔与每个组的每个节点核对。", "The client's ledger, order by order, against every node of every group."},
	"count":        {"数量", "Count"},
	"meaning":      {"含义", "Meaning"},
	"one":          {"订单", "Order"},
	"where":        {"节点", "Node"},
	"problems":     {"问题订单（列出前 %d 项）", "Orders with a problem (the first %d)"},

	"data.acked": {"客户端收到订单号", "the client was given a number"}, "data.found": {"其中查到有效订单", "of these, an order that lives"},
	"data.lost": {"丢失：已确认却查不到", "lost: acknowledged, and nowhere"}, "data.doubled": {"重复：同一笔有两个可付订单", "doubled: two payable orders of one key"},
	"data.diverged": {"不一致：同组节点内容不同", "diverged: the nodes of a group disagree"}, "data.corrupt": {"不符：金额、状态或所在组不对", "corrupt: another amount, state or group"},
	"data.phantom": {"幻影：告知失败却存在", "phantom: surely failed, and yet there"}, "data.unexpected": {"多余：从未发送却存在", "unexpected: never sent, and yet there"},
	"data.unread": {"无法读取的节点", "nodes that could not be read"}, "data.doubts_open": {"未了结的存疑", "doubts that are not settled"},
	"data.recovered": {"找回：客户端不知结果而订单在（正常）", "recovered: unknown to the client, and there: fine"},
	"settled":        {"结果不明、事后了结的订单", "orders without an answer that were settled later"},
	"restoreTime":    {"撤销故障并试单成功用时", "Fault taken back and a canary order taken in each group after"},

	"timeline":           {"时间线", "Timeline"},
	"moreEvents":         {"另有 %d 项，见 JSON。", "%d more are in the JSON."},
	"event.phase":        {"阶段", "phase"},
	"phase.gate":         {"安全检查", "gate"},
	"phase.baseline":     {"基线", "baseline"},
	"phase.fault":        {"故障", "fault"},
	"phase.restore":      {"恢复", "restore"},
	"phase.settle":       {"了结", "settle"},
	"phase.verify":       {"核验", "verify"},
	"phase.report":       {"报告", "report"},
	"event.injected":     {"注入故障，已生效", "fault in place"},
	"event.recovered":    {"故障已撤销", "fault gone"},
	"event.ejected":      {"新订单开始避开", "new orders avoid it"},
	"event.readmitted":   {"重新接单", "takes orders again"},
	"event.semisync_off": {"半同步关闭", "semi-sync off"},
	"event.semisync_on":  {"半同步恢复", "semi-sync on"},
	"event.promoted":     {"切换主库", "new primary"},
	"event.canary":       {"试单成功", "canary order taken"},
	"event.remark":       {"备注", "note"},

	"plan":  {"演练预案", "The plan"},
	"drill": {"演练编号", "Drill"},
	"tool":  {"程序", "Made by"},

	"fault.hang": {"主库卡死：连接不断，也不应答", ""}, "fault.crash": {"主库进程被杀", ""}, "fault.read_only": {"主库变为只读", ""},
	"fault.lock": {"全局读锁，写入全部等待", ""}, "fault.flood": {"连接数被占满", ""}, "fault.semisync_stall": {"两个从库都不再确认，提交一直等待", ""},
	"fault.semisync_degrade": {"半同步超时，退化为单副本", ""}, "fault.lag": {"从库停止回放", ""}, "fault.reply_lost": {"已执行，应答丢失", ""},
	"fault.request_lost": {"请求丢失，未到服务器", ""}, "fault.lost_commit": {"COMMIT 已执行，应答丢失", ""}, "fault.reset": {"连接被重置", ""},
	"fault.latency": {"请求变慢", ""}, "fault.partition": {"一个引擎实例与该组断开", ""}, "fault.refuse": {"拒绝新连接", ""},
	"fault.slow_cpu": {"服务器时断时续，整体变慢", ""}, "fault.disk_full": {"磁盘写满", ""},
}
