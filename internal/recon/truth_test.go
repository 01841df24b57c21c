package recon

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
)

// files are the inputs of a test's run, as text.
type files struct{ bill, fund, ours string }

// run writes the files and reconciles them.
func (f files) run(t *testing.T, opts Options, carried ...Carried) *Result {
	t.Helper()
	res, err := f.try(t, opts, carried...)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (f files) try(t *testing.T, opts Options, carried ...Carried) (*Result, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	books := Books{Trade: []BillBook{&BillFile{Path: write("bill", f.bill)}}, Ours: &OurFile{Path: write("ours.csv", f.ours)}, Carried: carried}
	if f.fund != "" {
		books.Fund = []BillBook{&BillFile{Path: write("fund", f.fund)}}
	}
	opts.TempDir = dir
	return Run(context.Background(), opts, books)
}

// planted is one difference in the words of the truth.
type planted = generate.Difference

func found(ds []Difference) []planted {
	all := []planted{}
	for _, d := range ds {
		all = append(all, planted{
			Class: string(d.Class), Kind: string(d.Kind), OrderNo: d.OrderNo, RefundNo: d.RefundNo, ChannelTradeNo: d.ChannelTradeNo,
			OursFen: int64(d.OursFen), TheirsFen: int64(d.TheirsFen), DifferenceFen: int64(d.DifferenceFen),
		})
	}
	return sorted(all)
}

func sorted(all []planted) []planted {
	slices.SortFunc(all, func(a, b planted) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// madeDay is a generated day.
func madeDay(t *testing.T, opts generate.Options) (files, []planted) {
	t.Helper()
	var b, fund, ours, truth bytes.Buffer
	if _, err := generate.Day(context.Background(), opts, generate.Outputs{Bill: &b, Fund: &fund, Ours: &ours, Truth: &truth}); err != nil {
		t.Fatal(err)
	}
	var want struct{ Differences []planted }
	if err := json.Unmarshal(truth.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	return files{b.String(), fund.String(), ours.String()}, want.Differences
}

// shuffled changes the order of the lines between the header and the last ones.
func shuffled(rng *rand.Rand, text string, last int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	rows := lines[1 : len(lines)-last]
	rng.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return strings.Join(lines, "")
}

// entry is a line of our entries with the columns that matter here.
func entry(kind, order, refund string, amount int, state, when string) string {
	return fmt.Sprintf("%s,%s,%s,m,,t,,,,%d,0,%s,%sT%s+08:00\n", kind, order, refund, amount, state, "2026-11-20", when)
}

// unbilled are entries that no bill has to have.
func unbilled() string {
	var b strings.Builder
	for i, state := range []string{"created", "paying", "revoking", "revoked", "closed", "void"} {
		b.WriteString(entry("pay", fmt.Sprintf("unpaid%d", i), "", 5, state, "10:00:00"))
	}
	for i, state := range []string{"requested", "unknown", "waiting_funds", "closed", "failed"} {
		b.WriteString(entry("refund", "refunded", fmt.Sprintf("r%d", i), 5, state, "10:00:00"))
	}
	b.WriteString(entry("revoke", "revoke", "", 5, "unknown", "10:00:00"))
	b.WriteString(entry("pay", "both", "", 5, "revoked", "10:00:00") + entry("revoke", "both", "", 5, "unknown", "10:00:00"))
	return b.String()
}

const unbilledRows = 14 + 2 // two of them from several

// several gives one of our orders a refund that the channel lacks, another amount,
// and two refunds that no bill has to have, and returns what has to be found.
func several(t *testing.T, ours string, not []planted) (string, []planted) {
	t.Helper()
	for line := range strings.SplitSeq(ours, "\n") {
		c := strings.Split(line, ",")
		if c[0] != "pay" || c[11] != "paid" || slices.ContainsFunc(not, func(p planted) bool { return p.OrderNo == c[1] }) ||
			strings.Count(ours, c[1]) > 1 {
			continue
		}
		amount, err := strconv.ParseInt(c[9], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		more := slices.Clone(c)
		more[9] = strconv.FormatInt(amount+3, 10)
		ours = strings.Replace(ours, line, strings.Join(more, ","), 1) + entry("refund", c[1], "R-several", 7, "done", "11:00:00") +
			entry("refund", c[1], "R-unknown", 7, "unknown", "11:00:00") + entry("refund", c[1], "R-requested", 7, "requested", "11:00:00")
		return ours, []planted{
			{Class: "amount_mismatch", Kind: "pay", OrderNo: c[1], ChannelTradeNo: c[7], OursFen: amount + 3, TheirsFen: amount, DifferenceFen: -3},
			{Class: "missing_in_channel", Kind: "refund", OrderNo: c[1], RefundNo: "R-several", OursFen: 7, DifferenceFen: 7},
		}
	}
	t.Fatal("no order to change")
	return "", nil
}

// TestTruth: exactly the planted differences come out, none more, none less. A seed
// that fails replays with -run 'TestTruth/seed=N$'.
func TestTruth(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		opts := generate.Options{Channel: bill.WeChat, Rows: 400, Seed: seed, Refunds: 0.2, Revokes: 0.1, Plant: 40}
		switch seed % 3 {
		case 1:
			opts.Old = true
		case 2:
			opts.Channel, opts.Fees = bill.Alipay, true
		}
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			in, want := madeDay(t, opts)
			rng := rand.New(rand.NewPCG(seed, 1))
			ours, more := several(t, in.ours, want)
			in.ours = shuffled(rng, ours+unbilled(), 0)
			if opts.Channel == bill.WeChat {
				in.bill = shuffled(rng, in.bill, 2)
			} else {
				in.bill = shuffledZip(t, rng, in.bill)
			}
			res := in.run(t, Options{Channel: opts.Channel, Date: "2026-11-20", Seed: seed, Rates: Rates{"": 600}})
			if diff := cmp.Diff(sorted(append(want, more...)), found(res.Differences)); diff != "" {
				t.Errorf("planted (-) and found (+):\n%s", diff)
			}
			if res.NotExpected.Ours != unbilledRows || res.Carried != (RollForward{}) {
				t.Errorf("%d rows were not expected, want %d; carried %+v", res.NotExpected.Ours, unbilledRows, res.Carried)
			}
			checkWhole(t, res)
		})
	}
}

// checkWhole: every class was planted, no row is lost, and ids name one difference
// each.
func checkWhole(t *testing.T, res *Result) {
	t.Helper()
	for _, class := range Classes() {
		if res.Counts[class] == 0 && class != RejectedRow && (class != RefundReturned || res.Channel == bill.WeChat) {
			t.Errorf("no %s was planted", class)
		}
	}
	for side, rows := range res.Rows {
		if !rows.Whole() {
			t.Errorf("rows of %s are not conserved: %+v", side, *rows)
		}
	}
	ids := map[ID]bool{}
	for _, d := range res.Differences {
		if ids[d.ID] || len(d.ID) != len("D-")+16 || d.Time.Format(time.DateOnly) != res.Date {
			t.Errorf("the id %q is of two differences or none, or the time %s of no row: %+v", d.ID, d.Time, d)
		}
		ids[d.ID] = true
	}
	var fees bill.FeeE5
	for _, f := range res.Fees {
		fees += f.Fee
	}
	if b := res.Fund; res.Channel == bill.WeChat && int64(fees)/e5PerFen == 0 || b == nil || b.Unexplained != 0 {
		t.Errorf("fees %+v, fund bridge %+v", res.Fees, b)
	}
}

// shuffledZip is shuffled for Alipay's: the rows of the detail file lie between its
// header and the line that ends the list.
func shuffledZip(t *testing.T, rng *rand.Rand, packed string) string {
	t.Helper()
	in, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	out := zip.NewWriter(&b)
	for i, f := range in.File {
		text := readEntry(t, f)
		if i == 0 { // preamble, header, rows, end, totals
			head, rest := splitAfterLine(string(text), 5)
			at := strings.Index(rest, "\n#") + 1
			text = []byte(head + shuffled(rng, "\n"+rest[:at], 0)[1:] + rest[at:])
		}
		w, err := out.CreateHeader(&zip.FileHeader{Name: f.Name, NonUTF8: true, Method: zip.Deflate})
		if err == nil {
			_, err = w.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func readEntry(t *testing.T, f *zip.File) []byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func splitAfterLine(text string, n int) (head, rest string) {
	lines := strings.SplitAfterN(text, "\n", n+1)
	return strings.Join(lines[:n], ""), lines[n]
}

// TestSameResult: neither the order of rows nor the seed nor the memory changes
// what is found.
func TestSameResult(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 3000, Plant: 100, Refunds: 0.2, Revokes: 0.1})
	opts := Options{Channel: bill.WeChat, Date: "2026-11-20"}
	want := in.run(t, opts)
	for round := range uint64(5) {
		rng := rand.New(rand.NewPCG(round, 2))
		other := files{shuffled(rng, in.bill, 2), in.fund, shuffled(rng, in.ours, 0)}
		opts.Seed, opts.Memory = rng.Uint64(), 1
		got := other.run(t, opts)
		for _, r := range []*Result{want, got} {
			r.RunID, r.Files = "", nil // of other bytes
			for i := range r.Differences {
				r.Differences[i].File, r.Differences[i].Line = "", 0
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("round %d:\n%s", round, diff)
		}
	}
}

// TestOneChange: in balanced books, a row that is removed, doubled or changed is the
// one difference.
func TestOneChange(t *testing.T) {
	t.Parallel()
	in, _ := madeDay(t, generate.Options{Rows: 300, Refunds: 0.2, Revokes: 0.1})
	opts := Options{Channel: bill.WeChat, Date: "2026-11-20"}
	if res := in.run(t, opts); !res.Balanced || res.Bridge.Unexplained != 0 {
		t.Fatalf("the day as made: %v", found(res.Differences))
	}
	lines := strings.Split(strings.TrimSuffix(in.ours, "\n"), "\n")
	rng := rand.New(rand.NewPCG(3, 3))
	for range 60 {
		n := 1 + rng.IntN(len(lines)-1)
		c := strings.Split(lines[n], ",")
		if strings.Contains(lines[n], "T23:") || c[0] != "pay" || c[11] != "paid" {
			continue
		}
		check := func(what string, text []string, class Class) {
			res := files{in.bill, in.fund, strings.Join(text, "\n")}.run(t, opts)
			got := found(res.Differences)
			if len(got) == 0 || !slices.ContainsFunc(got, func(p planted) bool { return p.Class == string(class) && p.OrderNo == c[1] }) {
				t.Errorf("%s %s: found %v, want %s", what, lines[n], got, class)
			}
			if slices.ContainsFunc(got, func(p planted) bool { return p.OrderNo != c[1] }) {
				t.Errorf("%s %s: another order is reported: %v", what, lines[n], got)
			}
		}
		check("removed", slices.Delete(slices.Clone(lines), n, n+1), MissingInOurs)
		check("doubled", slices.Insert(slices.Clone(lines), n, lines[n]), DuplicateInOurs)
		changed := slices.Clone(c)
		changed[9] += "0"
		check("changed", slices.Replace(slices.Clone(lines), n, n+1, strings.Join(changed, ",")), AmountMismatch)
	}
}
