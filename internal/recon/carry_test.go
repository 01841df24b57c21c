package recon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/pay"
)

// TestWeek: rows around midnight that appear on the other side a day later, in either
// flow, are matched there, and what does not appear is reported once.
func TestWeek(t *testing.T) {
	t.Parallel()
	dates := []string{"2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22"}
	days := make([]files, len(dates))
	header := ""
	for i, date := range dates {
		days[i], _ = madeDay(t, generate.Options{Date: date, Rows: 2000, Seed: uint64(i), Refunds: 0.1, Revokes: 0.05})
		header, days[i].ours, _ = strings.Cut(days[i].ours, "\n")
	}
	// Ours books late payments of each day on the next one: changed once, lost once.
	for i := range len(days) - 1 {
		late := takeLines(&days[i].ours, dates[i]+"T23:5", "pay", 8)
		switch i {
		case 2:
			cells := strings.Split(late[0], ",")
			cells[9] += "0"
			late[0] = strings.Join(cells, ",")
		case 4:
			late = late[1:]
		}
		days[i+1].ours += strings.Join(late, "\n") + "\n"
		// And it books early payments of the next day in the last minute of this one.
		for _, line := range takeLines(&days[i+1].ours, dates[i+1]+"T00:0", "pay", 4) {
			cells := strings.Split(line, ",")
			cells[12] = dates[i] + "T23:59:59+08:00"
			days[i].ours += strings.Join(cells, ",") + "\n"
		}
	}
	days[5].ours += entryOn(dates[5], "never-billed") // carried, then reported on the last day
	// Late movements of each day stand in the fund bill of the next: changed once, lost
	// once with its fee.
	for i := range len(days) - 1 {
		late := takeFund(t, &days[i].fund, dates[i]+" 23:5")
		trade := strings.Split(late[0], ",`")[1]
		switch i {
		case 1:
			late[0] = strings.Replace(late[0], ",`交易,`交易,`收入,`", ",`交易,`交易,`收入,`9", 1)
		case 3:
			late = slices.DeleteFunc(late, func(line string) bool { return strings.Contains(line, trade) })
		}
		putFund(t, &days[i+1].fund, dates[i+1], late)
	}

	var carried []Carried
	closing := int64(0)
	for i, date := range dates {
		days[i].ours = header + "\n" + days[i].ours
		res := days[i].run(t, Options{Channel: bill.WeChat, Date: date}, carried...)
		want := map[int]string{2: "fund_amount", 4: "fund_missing", 3: "amount_mismatch", 5: "missing_in_ours", 6: "missing_in_channel"}[i]
		switch {
		case len(res.Differences) > 1 || len(res.Differences) == 1 && string(res.Differences[0].Class) != want || len(res.Differences) == 0 && want != "":
			t.Errorf("%s: found %v, want %q", date, found(res.Differences), want)
		case res.Carried.Opening != closing || res.Carried.Closing != int64(len(res.Closing)):
			t.Errorf("%s: carried %+v after %d", date, res.Carried, closing)
		case res.Carried.Cleared+res.Carried.Expired != closing, i < 5 && res.Carried.New < 8:
			t.Errorf("%s: carried %+v: want at least 8 new, and what came in cleared or expired", date, res.Carried)
		}
		carried, closing = res.Closing, res.Carried.Closing
	}
	if closing != 0 {
		t.Errorf("%d rows are carried beyond the week", closing)
	}
}

func entryOn(date, order string) string {
	return strings.Replace(entry("pay", order, "", 77, "paid", "23:59:00"), "2026-11-20", date, 1)
}

// takeLines removes up to n paid lines of a kind and time from a text.
func takeLines(text *string, when, kind string, n int) (taken []string) {
	var rest []string
	for line := range strings.SplitSeq(strings.TrimSuffix(*text, "\n"), "\n") {
		order := strings.Split(line, ",")[1]
		if len(taken) < n && strings.HasPrefix(line, kind) && strings.Contains(line, ",paid,"+when) && strings.Count(*text, order) == 1 {
			taken = append(taken, line)
			continue
		}
		rest = append(rest, line)
	}
	*text = strings.Join(rest, "\n") + "\n"
	return taken
}

// TestCarryDays: a row is waited for until its deadline, reported after it, once.
func TestCarryDays(t *testing.T) {
	t.Parallel()
	opts := Options{Channel: bill.WeChat, CarryDays: 2}
	var carried []Carried
	for i, want := range []RollForward{{New: 1, Closing: 1}, {Opening: 1, Closing: 1}, {Opening: 1, Expired: 1}, {}} {
		opts.Date = []string{"2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"}[i]
		day, _ := madeDay(t, generate.Options{Date: opts.Date, Rows: 50})
		if i == 0 {
			day.ours += entryOn(opts.Date, "never-billed")
		}
		res := day.run(t, opts, carried...)
		if res.Carried != want || len(res.Differences) != int(want.Expired) || res.Bridge.Unexplained != 0 {
			t.Errorf("%s: carried %+v, want %+v; found %v", opts.Date, res.Carried, want, found(res.Differences))
		}
		carried = res.Closing
	}
}

// TestNoBillBetween: a day without a bill is no day that a row was waited for on.
func TestNoBillBetween(t *testing.T) {
	t.Parallel()
	for days, want := range map[int][]RollForward{
		1: {{New: 1, Closing: 1}, {Opening: 1, Closing: 1}, {Opening: 1, Expired: 1}, {}},
		2: {{New: 1, Closing: 1}, {Opening: 1, Closing: 1}, {Opening: 1, Closing: 1}, {Opening: 1, Expired: 1}},
	} {
		opts := Options{Channel: bill.WeChat, CarryDays: days}
		var carried []Carried
		for i, date := range []string{"2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"} {
			opts.Date = date
			day, _ := madeDay(t, generate.Options{Date: date, Rows: 50})
			if i == 0 {
				day.ours += entryOn(date, "never-billed")
			}
			var res *Result
			if i == 1 {
				res = noBill(t, opts, carried)
			} else {
				res = day.run(t, opts, carried...)
			}
			if res.Carried != want[i] || len(res.Differences) != int(want[i].Expired) {
				t.Errorf("%d days, %s: carried %+v, want %+v; found %v", days, date, res.Carried, want[i], found(res.Differences))
			}
			carried = res.Closing
		}
	}
}

// noBill runs a day on which nothing was sold.
func noBill(t *testing.T, opts Options, carried []Carried) *Result {
	t.Helper()
	ours := filepath.Join(t.TempDir(), "ours.csv")
	if err := os.WriteFile(ours, []byte("kind,order_no,refund_no,amount_fen,state,time\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := Run(context.Background(), opts, Books{NoBill: true, Ours: &OurFile{Path: ours}, Carried: carried})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// TestFundCarry: money that moves a day later than its trade is matched there.
func TestFundCarry(t *testing.T) {
	t.Parallel()
	opts := Options{Channel: bill.WeChat, Date: "2026-11-20"}
	day, _ := madeDay(t, generate.Options{Rows: 500})
	late := len(takeFund(t, &day.fund, "2026-11-20 23:5"))
	res := day.run(t, opts)
	if res.Carried.New != int64(late) || len(res.Differences) > 0 || res.Fund.Carried == 0 {
		t.Fatalf("%d movements are late: carried %+v, found %v", late, res.Carried, found(res.Differences))
	}
	opts.Date = "2026-11-21"
	next, _ := madeDay(t, generate.Options{Date: opts.Date, Rows: 500, Seed: 1})
	res = next.run(t, opts, res.Closing...)
	if res.Counts[FundMissing] == 0 || res.Carried.Expired+res.Carried.Cleared != int64(late) || res.Carried.Closing != 0 {
		t.Errorf("movements that never came: carried %+v, found %v", res.Carried, found(res.Differences))
	}
}

// takeFund cuts the movements of a time out of a fund bill, mends it and returns them.
func takeFund(t *testing.T, text *string, when string) (taken []string) {
	t.Helper()
	changeFund(t, text, func(rows []string) []string {
		return slices.DeleteFunc(rows, func(line string) bool {
			late := strings.HasPrefix(line, "`"+when)
			if late {
				taken = append(taken, line)
			}
			return late
		})
	})
	return taken
}

// putFund puts movements at the beginning of the fund bill of a day.
func putFund(t *testing.T, text *string, date string, late []string) {
	t.Helper()
	changeFund(t, text, func(rows []string) []string {
		for i, line := range late {
			late[i] = "`" + date + " 00:00:00" + line[len("`2006-01-02 15:04:05"):]
		}
		return append(late, rows...)
	})
}

// changeFund changes the rows of a fund bill and makes its balances and its footer
// agree with them.
func changeFund(t *testing.T, text *string, change func(rows []string) []string) {
	t.Helper()
	lines := strings.Split(strings.TrimSuffix(*text, "\r\n"), "\r\n")
	rows := change(slices.Clone(lines[1 : len(lines)-2]))
	balance, in, out, ins, outs := pay.Fen(100_000_000_00), pay.Fen(0), pay.Fen(0), 0, 0
	for i, line := range rows {
		c := strings.Split(line, ",`")
		fen, err := strconv.ParseInt(strings.Replace(c[6], ".", "", 1), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if amount := pay.Fen(fen); c[5] == "收入" {
			in, ins, balance = in+amount, ins+1, balance+amount
		} else {
			out, outs, balance = out+amount, outs+1, balance-amount
		}
		c[7] = balance.Yuan()
		rows[i] = strings.Join(c, ",`")
	}
	footer := fmt.Sprintf("`%d,`%d,`%s,`%d,`%s", ins+outs, ins, in.Yuan(), outs, out.Yuan())
	*text = strings.Join(slices.Concat(lines[:1], rows, lines[len(lines)-2:len(lines)-1], []string{footer, ""}), "\r\n")
}
