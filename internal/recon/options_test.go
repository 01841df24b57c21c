package recon

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/pay"
)

// withColumn appends a column to our entries.
func withColumn(ours, name string, value func(i int) string) string {
	lines := strings.Split(strings.TrimSuffix(ours, "\n"), "\n")
	for i := range lines[1:] {
		lines[i+1] += "," + value(i)
	}
	lines[0] += "," + name
	return strings.Join(lines, "\n") + "\n"
}

// TestAccount: entries that name another account are left out and counted.
func TestAccount(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 50})
	header, rows, _ := strings.Cut(in.ours, "\n")
	both := header + ",account\n" + strings.ReplaceAll(rows, "\n", ",shop\n") + strings.TrimSuffix(entry("pay", "elsewhere", "", 5, "paid", "10:00:00"), "\n") + ",other\n"
	in.ours = both + strings.TrimSuffix(entry("pay", "unnamed", "", 5, "created", "10:00:00"), "\n") + ",\n"
	res := in.run(t, Options{Channel: bill.WeChat, Date: "2026-11-20", Account: "shop"})
	if !res.Balanced || res.Account != "shop" || res.NotExpected.Ours != 2 ||
		!slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.HasPrefix(w, "1 of our entries are of another account than shop") }) {
		t.Errorf("balanced %v, account %q, not expected %d, warnings %q", res.Balanced, res.Account, res.NotExpected.Ours, res.Warnings)
	}
	if all := in.run(t, Options{Channel: bill.WeChat, Date: "2026-11-20"}); all.Counts[MissingInChannel] != 1 || all.RunID == res.RunID {
		t.Errorf("without an account: %v, run ids %s and %s", found(all.Differences), all.RunID, res.RunID)
	}
}

// TestRatesByProduct: a fee of Alipay's is held to the rate of what was sold.
func TestRatesByProduct(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Channel: bill.Alipay, Fees: true, Rows: 200, Refunds: 0.1, Revokes: 0.05})
	sold := func(product string, odd int) string {
		return withColumn(in.ours, "product", func(i int) string {
			if i == odd {
				return "gold"
			}
			return product
		})
	}
	for _, c := range []struct {
		name    string
		ours    string
		rates   Rates
		wrong   bool // every fee that is not 0
		one     bool
		warning string
	}{
		{"no table", in.ours, nil, false, false, ""},
		{"one rate", in.ours, Rates{"": 600}, false, false, ""},
		{"another rate", in.ours, Rates{"": 380}, true, false, ""},
		{"by product", sold("face", -1), Rates{"face": 600, "": 380}, false, false, ""},
		{"one of another product", sold("face", 0), Rates{"face": 600, "gold": 5000}, false, true, ""},
		{"a product without a rate", sold("silver", -1), Rates{"face": 380}, false, false, `"silver"`},
	} {
		res := files{in.bill, "", c.ours}.run(t, Options{Channel: bill.Alipay, Date: "2026-11-20", Rates: c.rates})
		n := res.Counts[FeeMismatch]
		if (n > 100) != c.wrong || (n == 1) != c.one || int64(len(res.Differences)) != n {
			t.Errorf("%s: %d fees are wrong, want all %v, one %v; found %v", c.name, n, c.wrong, c.one, found(res.Differences)[:min(n, 3)])
		}
		if told := strings.Join(res.Warnings, "; "); (c.warning == "") != !strings.Contains(told, "without a rate") || !strings.Contains(told, c.warning) {
			t.Errorf("%s: warnings %q, want %q", c.name, told, c.warning)
		}
	}
	many := Rates{}
	for i := range int64(maxAccountRates + 1) {
		many[fmt.Sprint(i)] = i
	}
	for _, rates := range []Rates{many, {"": -1}, {"": maxRate + 1}} {
		if _, err := (files{in.bill, "", in.ours}).try(t, Options{Channel: bill.Alipay, Date: "2026-11-20", Rates: rates}); err == nil {
			t.Errorf("rates %v were taken", rates)
		}
	}
}

// TestFundOpening: WeChat's fund bill opens with what the day before closed with,
// Alipay's should.
func TestFundOpening(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{bill.WeChat, bill.Alipay} {
		in, _ := madeDay(t, generate.Options{Channel: channel, Rows: 50})
		opts := Options{Channel: channel, Date: "2026-11-20"}
		balance := in.run(t, opts).FundBalance
		if balance == nil || balance.Closing <= balance.Opening {
			t.Fatalf("%s: balance %+v", channel, balance)
		}
		opts.FundOpening = &balance.Opening
		if res := in.run(t, opts); !res.Balanced || len(res.Warnings) > 0 {
			t.Errorf("%s: the right opening: warnings %q", channel, res.Warnings)
		}
		wrong := balance.Opening + 1
		opts.FundOpening = &wrong
		res, err := in.try(t, opts)
		told := ""
		if gate := (*GateError)(nil); errors.As(err, &gate) {
			told = err.Error()
		} else if err == nil {
			told = strings.Join(res.Warnings, ";")
		}
		if !strings.Contains(told, wrong.Yuan()) || !strings.Contains(told, balance.Opening.Yuan()) || (err != nil) != (channel == bill.WeChat) {
			t.Errorf("%s: %q, error %v: want both balances", channel, told, err)
		}
	}
}

// TestMatrix: the lines of the kinds, of a day that is small enough to count.
func TestMatrix(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 400, Refunds: 0.2, Revokes: 0.1, Plant: 40})
	res := in.run(t, Options{Channel: bill.WeChat, Date: "2026-11-20"})
	again := in.run(t, Options{Channel: bill.WeChat, Date: "2026-11-20", Seed: 9})
	if diff := cmp.Diff(res.Kinds, again.Kinds); diff != "" || len(res.Kinds) != 3 {
		t.Errorf("the matrix depends on the seed: %s", diff)
	}
	for i, k := range res.Kinds {
		if k.Kind != kinds[i] || k.Theirs.Rows == 0 || k.Difference.Rows == 0 || k.Matched.Rows >= k.Theirs.Rows || k.Ours.Rows < k.Matched.Rows {
			t.Errorf("line %+v", k)
		}
	}
	var rows int64
	for _, f := range res.Fees {
		rows += f.Rows
		if f.Rate != "0.60%" || (f.Fee > 0) != (f.Kind == pay.EntryPay) || f.Base <= 0 {
			t.Errorf("fees %+v", f)
		}
	}
	if rows != res.Theirs.Rows {
		t.Errorf("fees of %d rows, the bill has %d", rows, res.Theirs.Rows)
	}
}

// TestFiles: each input with its role, rows and the digest of its bytes.
func TestFiles(t *testing.T) {
	t.Parallel()
	for _, channel := range []string{bill.WeChat, bill.Alipay} {
		in, _ := madeDay(t, generate.Options{Channel: channel, Rows: 50})
		res := in.run(t, Options{Channel: channel, Date: "2026-11-20"})
		got := map[Role]string{}
		for _, f := range res.Files {
			got[f.Role] = f.SHA256
			if f.Rows < 50 {
				t.Errorf("%s: %+v", channel, f)
			}
		}
		want := map[Role]string{RoleOurs: digestOf(in.ours), RoleTrade: digestOf(in.bill), RoleFund: digestOf(in.fund)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: digests differ (-want +got):\n%s", channel, diff)
		}
	}
}

func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// TestRefunds: every refund and revoke of the bill comes with its fate.
func TestRefunds(t *testing.T) {
	t.Parallel()
	in, want := madeDay(t, generate.Options{Rows: 400, Refunds: 0.2, Revokes: 0.1, Plant: 40})
	in.ours = dropRow(t, in.ours, "2026-11-20T23:5", "refund")
	path := filepath.Join(t.TempDir(), "bill.csv")
	ours := filepath.Join(t.TempDir(), "ours.csv")
	if err := errors.Join(os.WriteFile(path, []byte(in.bill), 0o600), os.WriteFile(ours, []byte(in.ours), 0o600)); err != nil {
		t.Fatal(err)
	}
	books := Books{Trade: []BillBook{&BillFile{Path: path}}, Ours: &OurFile{Path: ours}}
	res, err := Run(context.Background(), Options{Channel: bill.WeChat, Date: "2026-11-20"}, books)
	if err != nil {
		t.Fatal(err)
	}
	res.Rejected = append(res.Rejected, Rejection{File: path, Line: 7, Reason: "torn"}, Rejection{File: path, Line: 1 << 30, Reason: "torn"}, Rejection{File: ours, Line: 3})
	fates, ids, last := map[Fate]int64{}, map[ID]bool{}, 0
	err = Refunds(context.Background(), books.Trade, res, func(l *RefundLine) error {
		fates[l.Fate]++
		if l.Line <= last || l.Kind == pay.EntryPay || (l.Fate == FateDiffering) != (l.Difference != "") || (l.Fate == FateRejected) != (l.Reason != "") {
			t.Errorf("line %+v behind line %d", l, last)
		}
		last = l.Line
		if l.Difference != "" {
			ids[l.Difference] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	back := res.Kinds[1].Theirs.Rows + res.Kinds[2].Theirs.Rows
	if fates[FateRejected] != 2 || fates[FateCarried] != 1 || fates[FateMatched]+fates[FateDiffering]+1 != back || len(ids) == 0 {
		t.Errorf("fates %v of %d refunds and revokes", fates, back)
	}
	for _, p := range want {
		if p.Class == string(KindMismatch) && !slices.ContainsFunc(res.Differences, func(d Difference) bool { return d.OrderNo == p.OrderNo && ids[d.ID] }) {
			t.Errorf("no line has the difference %+v", p)
		}
	}
}

// dropRow removes the first row of a kind and a time.
func dropRow(t *testing.T, ours, when, kind string) string {
	t.Helper()
	lines := strings.SplitAfter(ours, "\n")
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, kind+",") && strings.Contains(l, when) })
	if i < 0 {
		t.Fatalf("no %s at %s", kind, when)
	}
	return strings.Join(slices.Delete(lines, i, i+1), "")
}
