package recon

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// testRow reads "pay 100 paid", "refund/r1 30 done", "revoke 100 revoked"; "@23:50"
// at its end is the time.
func testRow(t *testing.T, side Side, text string) *item {
	t.Helper()
	text, clock, late := strings.Cut(text, " @")
	if !late {
		clock = "12:00"
	}
	when, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-20 "+clock, pay.Beijing)
	if err != nil {
		t.Fatal(err)
	}
	words := append(strings.Fields(text), "")
	kind, refund, _ := strings.Cut(words[0], "/")
	amount, err := strconv.Atoi(words[1])
	if err != nil {
		t.Fatal(err)
	}
	return &item{Row: Row{Side: side, Kind: pay.EntryKind(kind), OrderNo: "o1", RefundNo: refund, Amount: pay.Fen(amount), State: words[2], Time: when}}
}

func testRows(t *testing.T, side Side, text string) (all []*item) {
	t.Helper()
	for row := range strings.SplitSeq(text, ",") {
		if row = strings.TrimSpace(row); row != "" {
			all = append(all, testRow(t, side, row))
		}
	}
	return all
}

// TestJudge: what comes of the rows of one order, in any order of rows.
func TestJudge(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, pay.Beijing)
	for _, c := range []struct{ name, channel, ours, theirs, want string }{
		{"agree", "", "pay 100 paid, refund/r1 30 done, refund/r2 30 processing", "pay 100, refund/r1 30, refund/r2 30", ""},
		{"two of one identity", "", "pay 100 paid, pay 100 paid", "pay 100, pay 100", ""},
		{"never billed", "", "pay 100 created, refund/r1 5 requested, refund/r2 5 failed, refund/r3 5 closed, refund/r4 5 waiting_funds", "", ""},
		{"unknown refund that is not there", "", "pay 100 paid, refund/r1 30 unknown", "pay 100", ""},
		{"unknown refund that is there", "", "pay 100 paid, refund/r1 30 unknown", "pay 100, refund/r1 30", ""},

		{"revoke as two rows", "", "pay 100 paid, revoke 100 revoked", "pay 100, revoke 100", ""},
		{"revoke as a state", "", "pay 100 revoked", "pay 100, revoke/0 100", ""},
		{"revoke as both", "", "pay 100 revoked, revoke 100 revoked", "pay 100, revoke/x 100", ""},
		{"revoked unpaid", "", "pay 100 revoked", "", ""},
		{"revoked unpaid, two rows", "", "pay 100 revoked, revoke 100 revoked", "", ""},
		{"revoke of yesterday's payment", "", "revoke 100 revoked", "revoke 100", ""},
		{"revoke of yesterday's unpaid order", "", "revoke 100 revoked", "", ""},
		{"revoke unknown: there", "", "pay 100 revoked, revoke 100 unknown", "pay 100, revoke 100", ""},
		{"revoke unknown: not paid", "", "pay 100 revoked, revoke 100 unknown", "", ""},
		{"revoke unknown: still paid", "", "pay 100 revoked, revoke 100 unknown", "pay 100", "missing_in_channel revoke 100"},
		{"revoke of a paid order unknown", "", "pay 100 paid, revoke 100 unknown", "pay 100", ""},
		{"revoking: nothing", "", "pay 100 revoking", "", ""},
		{"revoking: paid", "", "pay 100 revoking", "pay 100", ""},
		{"revoking: done", "", "pay 100 revoking", "pay 100, revoke 100", ""},
		{"revoking: done, paid yesterday", "", "pay 100 revoking", "revoke 100", ""},
		{"revoked here alone", "", "pay 100 revoked", "pay 100", "missing_in_channel revoke 100"},
		{"revoked there alone", "", "pay 100 paid", "pay 100, revoke 100", "state_mismatch revoke -100"},
		{"revoked there, unknown here", "", "", "pay 100, revoke 100", "missing_in_ours pay 100, missing_in_ours revoke -100"},
		{"closed and given back", "", "pay 100 closed, refund/r1 100 done", "pay 100, refund/r1 100", ""},
		{"void and revoked", "", "pay 100 void, revoke 100 revoked", "pay 100, revoke 100", ""},
		{"closed and given back in part", "", "pay 100 closed, refund/r1 40 done", "pay 100, refund/r1 40", "state_mismatch pay 100"},
		{"revoked and refunded instead", "", "pay 100 revoked, refund/r1 100 done", "pay 100, refund/r1 100", ""},

		{"lost order", "", "pay 100 paying", "pay 100", "state_mismatch pay 100"},
		{"refund not done here", "", "pay 100 paid, refund/r1 30 failed", "pay 100, refund/r1 30", "state_mismatch refund -30"},
		{"channel alone", "", "", "pay 100, refund/r1 30", "missing_in_ours pay 100, missing_in_ours refund -30"},
		{"ours alone", "", "pay 100 paid, refund/r1 30 done", "", "missing_in_channel pay -100, missing_in_channel refund 30"},
		{"amount", "", "pay 100 paid", "pay 90", "amount_mismatch pay -10"},
		{"amount of a refund", "", "pay 100 paid, refund/r1 30 done", "pay 100, refund/r1 40", "amount_mismatch refund -10"},
		{"charged twice", "", "pay 100 paid", "pay 100, pay 100", "duplicate_in_channel pay 100"},
		{"booked twice", "", "pay 100 paid, pay 100 paid", "pay 100", "duplicate_in_ours pay -100"},
		{"refunded twice", "", "pay 100 paid, refund/r1 30 done", "pay 100, refund/r1 30, refund/r1 30", "duplicate_in_channel refund -30"},
		{"several on one order", "", "pay 100 paid, refund/r1 30 done, refund/r2 20 done", "pay 90, refund/r1 31, refund/r3 5",
			"amount_mismatch pay -10, amount_mismatch refund -1, missing_in_channel refund 20, missing_in_ours refund -5"},

		{"refund here, revoke there", "", "pay 100 paid, refund/r1 100 done", "pay 100, revoke 100", "kind_mismatch revoke 0"},
		{"part refund here, revoke there", "", "pay 100 paid, refund/r1 40 done", "pay 100, revoke 100", "missing_in_channel refund 40, state_mismatch revoke -100"},
		{"revoke here, refund there", "", "pay 100 paid, revoke 100 revoked", "pay 100, refund/x 100", "kind_mismatch refund 0"},
		{"revoke here, refund there, Alipay", bill.Alipay, "pay 100 revoked", "pay 100, refund/x 100", ""},
		{"refund without a number, Alipay", bill.Alipay, "pay 100 paid, refund/r1 40 done", "pay 100, refund/o1 40", ""},

		{"late rows wait", "", "pay 100 paid @23:45", "", "carried"},
		{"late rows of the bill wait", "", "", "pay 100 @23:30", "carried"},
		{"a late payment is one thing, its early refund another", "", "pay 100 paid @23:45, refund/r1 5 done @23:29", "", "missing_in_channel refund 5, carried"},
		{"a late revoke waits", "", "pay 100 revoked @23:59", "pay 100 @23:59", "carried"},
		{"late unpaid revokes wait", "", "pay 100 revoked @23:59", "", "carried"},
		{"late orders that were not paid do not", "", "pay 100 closed @23:59", "", ""},
	} {
		for round := range 4 {
			opts := Options{Channel: bill.WeChat, Date: "2026-11-20"}.withDefaults()
			if c.channel != "" {
				opts.Channel = c.channel
			}
			ours, theirs := testRows(t, Ours, c.ours), testRows(t, Trade, c.theirs)
			if round%2 == 1 {
				slices.Reverse(ours)
			}
			if round/2 == 1 {
				slices.Reverse(theirs)
			}
			tally := newTally(opts, rateTable{}, day)
			tally.order(ours, theirs)
			checkJudged(t, c.name, tally, len(ours), theirs)
			if got := judged(tally); got != c.want {
				t.Errorf("%s, round %d: %q, want %q", c.name, round, got, c.want)
			}
		}
	}
}

// TestCarriedFee: a wrong fee of a row that waits over the day's end is told once, also
// of one that was written down in between.
func TestCarriedFee(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, pay.Beijing)
	theirs := testRow(t, Trade, "pay 10000 @23:50")
	theirs.Settle, theirs.Rate, theirs.Fee = 10000, "0.60%", 61_000
	first := newTally(Options{Channel: bill.WeChat, Date: "2026-11-20"}.withDefaults(), rateTable{}, day)
	first.order(nil, []*item{theirs})
	if got := judged(first); got != "carried" {
		t.Fatalf("on its day: %q", got)
	}
	text, err := json.Marshal(first.closing)
	if err != nil {
		t.Fatal(err)
	}
	var kept []Carried
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	next := newTally(Options{Channel: bill.WeChat, Date: "2026-11-21"}.withDefaults(), rateTable{}, day.AddDate(0, 0, 1))
	next.order(testRows(t, Ours, "pay 10000 paid"), []*item{{Row: kept[0].Row, carry: &kept[0]}})
	if got := judged(next); got != "fee_mismatch pay 0" {
		t.Errorf("on the next day: %q", got)
	}
}

func judged(t *tally) string {
	all := []string{}
	for _, d := range t.differences {
		all = append(all, fmt.Sprintf("%s %s %d", d.Class, d.Kind, d.DifferenceFen))
		if d.Advice == "" || d.Detail == "" {
			all = append(all, "without a word")
		}
	}
	slices.Sort(all)
	if len(t.closing) > 0 {
		all = append(all, "carried")
	}
	return strings.Join(all, ", ")
}

// checkJudged: each row has a verdict, and the bridge is whole.
func checkJudged(t *testing.T, name string, tally *tally, ours int, theirs []*item) {
	t.Helper()
	var bridge pay.Fen
	for _, d := range tally.differences {
		bridge += d.DifferenceFen
	}
	for _, i := range theirs {
		bridge -= i.effect()
	}
	if bridge += tally.expected.net().Amount + tally.carriedFen; bridge != 0 {
		t.Errorf("%s: the bridge leaves %d fen", name, bridge)
	}
	for side, want := range map[Side]int{Ours: ours, Trade: len(theirs)} {
		c := *tally.rows[side]
		if c.Read = int64(want); !c.Whole() {
			t.Errorf("%s: rows of %s are not conserved: %+v", name, side, c)
		}
	}
}
