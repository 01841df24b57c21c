package pay

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseFen(t *testing.T) {
	for _, c := range []struct {
		in   string
		want Fen
		ok   bool
	}{
		{"0", 0, true}, {"1", 1, true}, {"-5", -5, true}, {"9223372036854775807", math.MaxInt64, true},
		{"", 0, false}, {"-", 0, false}, {"+5", 0, false}, {"12.50", 0, false}, {"1e3", 0, false}, {" 5", 0, false},
		{"9223372036854775808", 0, false}, {"５", 0, false}, {"0x10", 0, false}, {"1_000", 0, false},
	} {
		got, err := ParseFen(c.in)
		if (err == nil) != c.ok || got != c.want {
			t.Errorf("ParseFen(%q) = %d, %v", c.in, got, err)
		}
	}
}

func TestCheckAmount(t *testing.T) {
	for amount, ok := range map[Fen]bool{-1: false, 0: false, 1: true, 100: true, 101: false, math.MaxInt64: false, math.MinInt64: false} {
		if err := CheckAmount(amount, 100); (err == nil) != ok {
			t.Errorf("CheckAmount(%d) = %v", amount, err)
		}
	}
}

func TestYuan(t *testing.T) {
	for fen, want := range map[Fen]string{0: "0.00", 5: "0.05", 1250: "12.50", -5: "-0.05", -1250: "-12.50", math.MinInt64: "-92233720368547758.08"} {
		if got := fen.Yuan(); got != want {
			t.Errorf("%d fen = %s, want %s", fen, got, want)
		}
	}
}

func TestCheckField(t *testing.T) {
	for _, c := range []struct {
		name, value, reason string
	}{
		{"fits", strings.Repeat("付", 32), ""},
		{"too long", strings.Repeat("付", 33), "has 33 characters"},
		{"missing", "", "is missing"},
		{"not UTF-8", "a\xff", "is not UTF-8"},
		{"control character", "a\x00b", "control character"},
		{"line end", "a\n", "control character"},
		{"trailing space", "a ", "white space"},
		{"wide space in front", "\u3000a", "white space"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := CheckField("merchant_id", c.value, 1, 32)
			if (err == nil) != (c.reason == "") || (err != nil && !strings.Contains(err.Error(), c.reason)) {
				t.Errorf("error = %v, want %q", err, c.reason)
			}
		})
	}
}

// TestMovesAreTheRules spells the table of money rules, section 1, once more as
// pairs, and tries every pair of states with every mover against it.
func TestMovesAreTheRules(t *testing.T) {
	rules := map[[2]State][]Mover{
		{None, Created}:     {ByCreate},
		{Created, Paying}:   {ByPay},
		{Created, Closed}:   {ByExpiry, ByCancel},
		{Created, Void}:     {ByResolver, BySweep, ByGuard},
		{Paying, Paid}:      {BySuccess},
		{Paying, Closed}:    {ByFailure, ByChannel},
		{Paying, Revoking}:  {ByTimetable, ByCashier},
		{Paying, Revoked}:   {ByChannel},
		{Revoking, Revoked}: {ByRevokeAnswer},
		{Revoking, Paid}:    {ByRevokeRefused},
		{Paid, Revoking}:    {ByMoneyBack, ByCashier},
		{Void, Paid}:        {BySupplement},
		{Closed, Paid}:      {BySupplement},
		{Revoked, Paid}:     {BySupplement},
	}
	movers := []Mover{ByCreate, ByPay, ByExpiry, ByCancel, ByResolver, BySweep, ByGuard, BySuccess, ByFailure, ByTimetable,
		ByCashier, ByChannel, ByRevokeAnswer, ByRevokeRefused, ByMoneyBack, BySupplement}
	for _, from := range append(States(), None) {
		for _, to := range append(States(), None) {
			for _, by := range movers {
				want := false
				for _, m := range rules[[2]State{from, to}] {
					want = want || m == by
				}
				move, err := CheckMove(from, to, by)
				var refused *MoveError
				if want != (err == nil) || (err != nil && !errors.As(err, &refused)) {
					t.Errorf("%q -> %q by %s: %v", from, to, by, err)
				}
				needs := ""
				if want && from == Paid && by == ByCashier {
					needs = SettingRevokePaid
				}
				if move.Needs != needs {
					t.Errorf("%q -> %q by %s needs %q, want %q", from, to, by, move.Needs, needs)
				}
			}
		}
	}
}

func TestMovesIsACopy(t *testing.T) {
	Moves()[0] = Move{}
	if _, err := CheckMove(None, Created, ByCreate); err != nil {
		t.Error("the table of moves can be changed from outside")
	}
}

func drawTwin(t *rapid.T, label string) Twin {
	no, err := NewOrderNo(time.Unix(int64(rapid.IntRange(0, 2).Draw(t, label+" second")), 0), rapid.IntRange(0, 2).Draw(t, label+" instance"),
		rapid.IntRange(0, 2).Draw(t, label+" sequence"), Tag(rapid.IntRange(1, 3).Draw(t, label+" tag")), 1)
	if err != nil {
		t.Fatal(err)
	}
	return Twin{No: no, Attempt: rapid.IntRange(1, 2).Draw(t, label+" attempt"), State: rapid.SampledFrom(States()).Draw(t, label+" state")}
}

func TestJudgeTwinsDoesNotDependOnOrder(t *testing.T) {
	mirror := map[Verdict]Verdict{KeepBoth: KeepBoth, BothSent: BothSent, KeepFirst: KeepSecond, KeepSecond: KeepFirst}
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTwin(t, "a"), drawTwin(t, "b")
		if got, back := JudgeTwins(a, b), JudgeTwins(b, a); back != mirror[got] {
			t.Fatalf("%+v against %+v: %v, and the other way %v", a, b, got, back)
		}
	})
}

// TestTwinsNeverVoidEachOther lets deciders judge pairs of one key from states
// that are out of date, void by compare-and-set from CREATED, while orders are
// sent at any time: one order that is not VOID must be left.
func TestTwinsNeverVoidEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 4).Draw(t, "twins")
		rows := make([]Twin, 0, n)
		seen := map[OrderNo]bool{}
		for len(rows) < n {
			tw := drawTwin(t, "row")
			tw.Attempt, tw.State = 1, Created
			if !seen[tw.No] {
				seen[tw.No] = true
				rows = append(rows, tw)
			}
		}
		type verdict struct{ loser int }
		var pending []verdict
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			i, j := rapid.IntRange(0, n-1).Draw(t, "i"), rapid.IntRange(0, n-1).Draw(t, "j")
			switch rapid.IntRange(0, 2).Draw(t, "step") {
			case 0: // somebody reads two rows and decides, to act later
				switch JudgeTwins(rows[i], rows[j]) {
				case KeepFirst:
					pending = append(pending, verdict{j})
				case KeepSecond:
					pending = append(pending, verdict{i})
				case KeepBoth, BothSent:
				}
			case 1: // an order is paid
				if rows[i].State == Created {
					rows[i].State = Paying
				}
			case 2: // a decision is carried out
				if len(pending) > 0 {
					k := rapid.IntRange(0, len(pending)-1).Draw(t, "k")
					if l := pending[k].loser; rows[l].State == Created {
						rows[l].State = Void
					}
					pending = append(pending[:k], pending[k+1:]...)
				}
			}
		}
		for _, r := range rows {
			if r.State != Void {
				return
			}
		}
		t.Fatalf("every twin is void: %+v", rows)
	})
}

func TestEntryCheck(t *testing.T) {
	good := Entry{Kind: EntryPay, OrderNo: "1", Amount: 1, State: "paid", Time: time.Unix(1, 0)}
	for _, c := range []struct {
		name  string
		spoil func(*Entry)
		want  string
	}{
		{"good", func(*Entry) {}, ""},
		{"refund", func(e *Entry) { e.Kind, e.RefundNo, e.State = EntryRefund, "r", "accepted" }, ""},
		{"revoke", func(e *Entry) { e.Kind, e.State = EntryRevoke, RevokeUnknown }, ""},
		{"kind", func(e *Entry) { e.Kind = "loan" }, "kind"},
		{"number", func(e *Entry) { e.OrderNo = "" }, "order_no"},
		{"amount", func(e *Entry) { e.Amount = -1 }, "amount_fen"},
		{"time", func(e *Entry) { e.Time = time.Time{} }, "time"},
		{"state", func(e *Entry) { e.State = "done" }, "state"},
		{"refund number", func(e *Entry) { e.Kind = EntryRefund }, "refund_no"},
		{"refund state", func(e *Entry) { e.Kind, e.RefundNo = EntryRefund, "r" }, "state"},
		{"revoke state", func(e *Entry) { e.Kind = EntryRevoke }, "state"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := good
			c.spoil(&e)
			err := e.Check()
			var input *InputError
			if (err == nil) != (c.want == "") || (err != nil && (!errors.As(err, &input) || input.Field != c.want)) {
				t.Errorf("error = %v, want one about %q", err, c.want)
			}
		})
	}
}
