package daily

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/bill"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// TestWorst: of several days 1 comes before 4, 3, 5 and 2, in any order.
func TestWorst(t *testing.T) {
	t.Parallel()
	order := []int{1, 4, 3, 5, 2, 0}
	for i, worse := range order {
		for _, better := range order[i:] {
			if got := Worst(better, worse, 0); got != worse {
				t.Errorf("%d and %d: %d", worse, better, got)
			}
		}
	}
	if Worst() != 0 {
		t.Error("nothing is not 0")
	}
}

func TestStatusOf(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		err  error
		want Status
	}{
		{errNotReady, NotReady},
		{&bill.RefusedError{Code: bill.RefusedNotReady}, NotReady},
		{fmt.Errorf("read: %w", &bill.RefusedError{Code: bill.RefusedNoBill}), Gate},
		{&recon.GateError{Findings: []bill.Finding{{}}}, Gate},
		{fmt.Errorf("x: %w", recon.ErrNothingInCommon), Gate},
		{&ledger.ClosedDayError{}, Failed},
		{errors.New("no permission"), Failed},
	} {
		if got := StatusOf(tc.err); got != tc.want {
			t.Errorf("%v: %s, want %s", tc.err, got, tc.want)
		}
	}
}

func TestGapBetween(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ before, date, want string }{
		{"", "2026-11-20", ""},
		{"2026-11-19", "2026-11-20", ""},
		{"2026-11-18", "2026-11-20", "2026-11-19 was"},
		{"2026-10-30", "2026-11-02", "2026-10-31 to 2026-11-01 were"},
	} {
		if got := gapBetween(tc.before, tc.date); got != tc.want {
			t.Errorf("%s, %s: %q", tc.before, tc.date, got)
		}
	}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	shop, kiosk := ledger.Book{Channel: "wechat", Account: "shop"}, ledger.Book{Channel: "alipay", Account: "kiosk"}
	run := func(book ledger.Book, date string, differences int64, stale bool) ledger.RunRecord {
		return ledger.RunRecord{Book: book, Date: date, RunID: "r" + date, Stale: stale, Result: &recon.Result{
			Counts: map[recon.Class]int64{recon.AmountMismatch: differences}, Carried: recon.RollForward{Closing: 2},
		}}
	}
	runs := []ledger.RunRecord{
		run(shop, "2026-11-16", 1, false), run(shop, "2026-11-17", 2, false), run(shop, "2026-11-18", 0, true), run(shop, "2026-11-20", 0, false),
		run(kiosk, "2026-11-20", 3, false),
	}
	open := []ledger.Entry{
		{Book: shop, Date: "2026-11-16", Difference: recon.Difference{DifferenceFen: 5}},
		{Book: kiosk, Date: "2026-11-20", Difference: recon.Difference{DifferenceFen: -7}},
		{Book: kiosk, Date: "2026-11-20", Difference: recon.Difference{DifferenceFen: 9}},
	}
	books := []SurveyBook{{Book: shop, Since: "2026-11-15"}, {Book: kiosk}, {Book: ledger.Book{Channel: "wechat", Account: "new"}}}
	got := ""
	for _, d := range Survey(books, runs, open, open[:1], "2026-11-16", "2026-11-20") {
		got += fmt.Sprintln(d.Book, d.Date, d.Standing, d.Differences, d.Open, int64(d.OpenFen), d.Overdue, d.Carried)
	}
	want := `wechat/shop 2026-11-20 balanced 0 0 0 0 2
wechat/shop 2026-11-19 missing 0 0 0 0 0
wechat/shop 2026-11-18 stale 0 0 0 0 2
wechat/shop 2026-11-17 explained 2 0 0 0 2
wechat/shop 2026-11-16 overdue 1 1 5 1 2
alipay/kiosk 2026-11-20 open 3 2 2 0 2
wechat/new 2026-11-20 missing 0 0 0 0 0
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
