package generate

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// day is a made day in memory.
type day struct {
	bill, fund, ours, truth bytes.Buffer
	made                    Made
}

func makeDay(t rapid.TB, opts Options) *day {
	t.Helper()
	d := &day{}
	made, err := Day(context.Background(), opts, Outputs{Bill: &d.bill, Fund: &d.fund, Ours: &d.ours, Truth: &d.truth})
	if err != nil {
		t.Fatal(err)
	}
	d.made = made
	return d
}

func inspect(t rapid.TB, file []byte, opts bill.Options) *bill.Report {
	t.Helper()
	r, err := bill.Inspect(context.Background(), bill.Stdin, bytes.NewReader(file), opts)
	if err != nil {
		t.Fatal(err)
	}
	if !r.OK() || len(r.Findings) > 0 {
		t.Fatalf("findings %v, rejected %v", r.Findings, r.Rejected)
	}
	return r
}

var anyOptions = rapid.Custom(func(t *rapid.T) Options {
	o := Options{
		Channel: rapid.SampledFrom([]string{bill.WeChat, bill.Alipay}).Draw(t, "channel"),
		Rows:    rapid.IntRange(1, 2000).Draw(t, "rows"),
		Seed:    rapid.Uint64().Draw(t, "seed"),
		Refunds: rapid.Float64Range(0, maxShare).Draw(t, "refunds"),
		Revokes: rapid.Float64Range(0, maxShare).Draw(t, "revokes"),
		RateE5:  rapid.Int64Range(0, 1000).Draw(t, "rate"),
	}
	o.Plant = rapid.IntRange(0, o.Rows/10).Draw(t, "plant")
	return o
})

// TestDayPassesTheChecks: what is made is read back as what was made, with every
// check of a real bill, and a second time with the same bytes.
func TestDayPassesTheChecks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		opts := anyOptions.Draw(t, "options")
		d := makeDay(t, opts)
		full := opts.withDefaults()
		r := inspect(t, d.bill.Bytes(), bill.Options{Merchant: full.Merchant, Date: full.Date})
		fund := inspect(t, d.fund.Bytes(), bill.Options{})
		if r.Rows != int64(opts.Rows) || r.Rows != d.made.Rows {
			t.Fatalf("%d rows were asked for, %d made, %d read", opts.Rows, d.made.Rows, r.Rows)
		}
		read := r.Kinds
		read.In, read.Out = fund.Kinds.In, fund.Kinds.Out
		if diff := cmp.Diff(d.made.Kinds, read); diff != "" {
			t.Fatalf("kinds (-made +read):\n%s", diff)
		}
		if diff := cmp.Diff(d.made.AmountFen, r.AmountFen); diff != "" {
			t.Fatalf("amounts (-made +read):\n%s", diff)
		}
		again := makeDay(t, opts)
		for _, files := range [][2]*bytes.Buffer{{&d.bill, &again.bill}, {&d.fund, &again.fund}, {&d.ours, &again.ours}, {&d.truth, &again.truth}} {
			if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
				t.Fatal("the same options made other bytes")
			}
		}
	})
}

// entry is a row of either side, as the two are compared.
type entry struct {
	kind, order, refund string
	amount              int64
	time                string // "" of revokes: one of their forms has none of its own
}

// TestOursAgreeButForWhatWasPlanted: the slow and plain reconciliation of a day.
// Without planted differences both sides are the same; with them, each identity
// that disagrees is one that the truth names.
func TestOursAgreeButForWhatWasPlanted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		opts := anyOptions.Draw(t, "options")
		d := makeDay(t, opts)
		planted := map[string]bool{}
		for _, p := range truth(t, d) {
			planted[p.OrderNo] = true
		}
		if len(truth(t, d)) != d.made.Differences || d.made.Differences > opts.Plant {
			t.Fatalf("%d differences were asked for, %d made, %d told", opts.Plant, d.made.Differences, len(planted))
		}
		balance := map[entry]int{}
		for _, e := range billEntries(t, d.bill.Bytes()) {
			balance[e]++
		}
		for _, e := range ourEntries(t, d.ours.Bytes()) {
			balance[e]--
		}
		for e, n := range balance {
			if n != 0 && !planted[e.order] {
				t.Fatalf("%+v: %+d in the bill, and nothing was planted there", e, n)
			}
		}
	})
}

// billEntries are the rows of a bill; a revoke stands without its number.
func billEntries(t rapid.TB, file []byte) (entries []entry) {
	for _, row := range billRows(t, file) {
		e := entry{kind: string(row.Kind), order: string(row.OrderNo), amount: int64(row.Amount), time: row.Time.Format(time.RFC3339)}
		switch row.Kind {
		case pay.EntryRefund:
			e.refund = string(row.RefundNo)
		case pay.EntryRevoke:
			e.time = ""
		default:
		}
		entries = append(entries, e)
	}
	return entries
}

// billRows are the rows of a bill with numbers of their own.
func billRows(t rapid.TB, file []byte) (rows []bill.Row) {
	r, err := bill.NewReader("made", bytes.NewReader(file), bill.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close() //nolint:errcheck // nothing but its goroutine is open
	var row bill.Row
	for {
		err := r.Next(&row)
		if errors.Is(err, io.EOF) {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		row.OrderNo, row.RefundNo = bytes.Clone(row.OrderNo), bytes.Clone(row.RefundNo)
		rows = append(rows, row)
	}
}

// ourEntries are our rows. A pay row "revoked" has no revoke row beside it and
// stands for both.
func ourEntries(t rapid.TB, file []byte) (entries []entry) {
	records, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(records[0], ",") + "\n"; got != oursHeader {
		t.Fatalf("header %q", got)
	}
	for _, r := range records[1:] {
		amount, err := strconv.ParseInt(r[9], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, r[12])
		if err != nil {
			t.Fatal(err)
		}
		checked := pay.Entry{Kind: pay.EntryKind(r[0]), OrderNo: r[1], RefundNo: r[2], Amount: pay.Fen(amount), State: r[11], Time: at}
		if err := checked.Check(); err != nil {
			t.Fatalf("our entry %v: %v", r, err)
		}
		e := entry{kind: r[0], order: r[1], refund: r[2], amount: amount, time: r[12]}
		revoke := entry{kind: string(pay.EntryRevoke), order: r[1], amount: amount}
		switch {
		case e.kind == revoke.kind:
			e = revoke
		case r[11] == string(pay.Revoked):
			entries = append(entries, revoke)
		}
		entries = append(entries, e)
	}
	return entries
}

// TestRowsAreSound: an order gives back no more than was paid, a revoked one gives
// back all and nothing else, and fees are rate times settled amount but where a
// wrong one was planted.
func TestRowsAreSound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		opts := anyOptions.Draw(t, "options")
		opts.Channel = bill.WeChat
		d := makeDay(t, opts)
		wrongFee, doubled := map[string]bool{}, map[string]bool{}
		for _, p := range truth(t, d) {
			wrongFee[p.OrderNo] = p.Class == string(feeMismatch)
			doubled[p.OrderNo] = p.Class == string(duplicateInChannel)
		}
		rate := opts.withDefaults().RateE5
		paid, back, revoked := map[string]pay.Fen{}, map[string]pay.Fen{}, map[string]bool{}
		for _, row := range billRows(t, d.bill.Bytes()) {
			no := string(row.OrderNo)
			fee := (int64(row.Settle)*rate + 50_000) / 100_000 * 1000
			if row.Kind == pay.EntryPay {
				paid[no] = row.Amount // a planted double counts once
				if (int64(row.Fee) != fee) != wrongFee[no] {
					t.Fatalf("the fee of %s is %d, by its rate %d; planted: %v", no, row.Fee, fee, wrongFee[no])
				}
				continue
			}
			back[no] += row.Amount
			if revoked[no] || row.Settle > row.Amount || int64(row.Fee) != -fee {
				t.Fatalf("row %+v after a revoke, or with more settled than given back, or with a fee that is not %d", row, -fee)
			}
			revoked[no] = row.Kind == pay.EntryRevoke
		}
		for no, amount := range back {
			if was, today := paid[no]; today && !doubled[no] && (amount > was || revoked[no] && amount != was) {
				t.Fatalf("%s paid %d and gave back %d, revoked: %v", no, was, amount, revoked[no])
			}
		}
	})
}

func truth(t rapid.TB, d *day) []Difference {
	var told struct{ Differences []Difference }
	if err := json.Unmarshal(d.truth.Bytes(), &told); err != nil {
		t.Fatal(err)
	}
	return told.Differences
}

// TestPlantedClasses: every class is planted, and its figures add up.
func TestPlantedClasses(t *testing.T) {
	t.Parallel()
	d := makeDay(t, Options{Rows: 1000, Plant: 52, Refunds: 0.1, Revokes: 0.05})
	seen := map[string]int{}
	for _, p := range truth(t, d) {
		seen[p.Class]++
		if p.OrderNo == "" || p.OursFen < 0 || p.TheirsFen < 0 {
			t.Errorf("planted %+v", p)
		}
		switch class(p.Class) {
		case kindMismatch, feeMismatch, stateMismatch, duplicateInChannel, duplicateInOurs, refundReturned:
		default:
			want := p.TheirsFen - p.OursFen
			if p.Kind == string(pay.EntryRefund) || p.Kind == string(pay.EntryRevoke) {
				want = -want
			}
			if p.DifferenceFen != want {
				t.Errorf("planted %+v: the difference is not theirs less ours", p)
			}
		}
	}
	if len(seen) != 13 {
		t.Errorf("%d classes were planted: %v", len(seen), seen)
	}
	for c, n := range seen {
		if n != 4 {
			t.Errorf("%s was planted %d times, want 4", c, n)
		}
	}
}

// TestFilesDoNotChangeEachOther: the bill is the same whatever else is made.
func TestFilesDoNotChangeEachOther(t *testing.T) {
	t.Parallel()
	opts := Options{Rows: 500, Refunds: 0.2, Revokes: 0.2, Seed: 3}
	all := makeDay(t, opts)
	var bill, fund bytes.Buffer
	if _, err := Day(t.Context(), opts, Outputs{Bill: &bill}); err != nil {
		t.Fatal(err)
	}
	if _, err := Day(t.Context(), opts, Outputs{Fund: &fund}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bill.Bytes(), all.bill.Bytes()) || !bytes.Equal(fund.Bytes(), all.fund.Bytes()) {
		t.Error("the bill or the fund bill of a day changes with the other files")
	}
}
