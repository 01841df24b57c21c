package drill

import (
	"strings"
	"testing"
)

const (
	headerLine = `{"ledger":1,"run":"r1","merchant":"paytool-shadow","prefix":"load-r1-","shadow":true,"started":"2026-03-01T09:00:00+08:00"}` + "\n"
	intentK1   = `{"t":"intent","key":"load-r1-1","amount_fen":5,"attempt":1,"at":"2026-03-01T09:00:00+08:00"}` + "\n"
	ackedK1    = `{"t":"result","key":"load-r1-1","outcome":"acked","order_no":"2026030109000007000012","group":2,"amount_fen":5,"at":"2026-03-01T09:00:00+08:00"}` + "\n"
	ackedK1Two = `{"t":"result","key":"load-r1-1","outcome":"acked","order_no":"2026030109000007000013","group":3,"amount_fen":5,"at":"2026-03-01T09:00:00+08:00"}` + "\n"
	unknownK1  = `{"t":"result","key":"load-r1-1","outcome":"unknown","code":"unknown_outcome","at":"2026-03-01T09:00:00+08:00"}` + "\n"
	failedK1   = `{"t":"result","key":"load-r1-1","outcome":"failed","code":"no_group","at":"2026-03-01T09:00:00+08:00"}` + "\n"
)

// What is known of an intent is the strongest of its answers.
func TestReadLedgerAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, lines string
		want        Answer
		acks        int
	}{
		{"no result", intentK1, Unknown, 0},
		{"acked", intentK1 + ackedK1, Acked, 1},
		{"failed", intentK1 + failedK1, Failed, 0},
		{"failed, sent again, no result", intentK1 + failedK1 + intentK1, Unknown, 0},
		{"unknown, then failed", intentK1 + unknownK1 + intentK1 + failedK1, Unknown, 0},
		{"unknown, then acked", intentK1 + unknownK1 + intentK1 + ackedK1, Acked, 1},
		{"acked, then failed", intentK1 + ackedK1 + intentK1 + failedK1, Acked, 1},
		{"acked twice, one number", intentK1 + ackedK1 + intentK1 + ackedK1, Acked, 1},
		{"acked twice, two numbers", intentK1 + ackedK1 + intentK1 + ackedK1Two, Acked, 2},
		{"torn result", intentK1 + failedK1[:40], Unknown, 0},
		{"result without its end", intentK1 + strings.TrimSuffix(failedK1, "\n"), Unknown, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run, err := ReadLedger(strings.NewReader(headerLine+c.lines), "f")
			if err != nil {
				t.Fatal(err)
			}
			if i := run.Intents["load-r1-1"]; i.Answer() != c.want || len(i.Acks) != c.acks {
				t.Errorf("got %s with %d acks, want %s with %d", i.Answer(), len(i.Acks), c.want, c.acks)
			}
		})
	}
}

func TestReadLedgerRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "f:1: "},
		{"torn header", headerLine[:20], "f:1: "},
		{"no header", intentK1, "f:1: "},
		{"header of another version", strings.Replace(headerLine, `"ledger":1`, `"ledger":2`, 1), "version 2"},
		{"header without a prefix", strings.Replace(headerLine, "load-r1-", "", 1), "f:1: "},
		{"second header", headerLine + intentK1 + headerLine, "f:3: "},
		{"not JSON", headerLine + "hello\n", "f:2: "},
		{"empty line", headerLine + "\n" + intentK1, "f:2: "},
		{"torn line in the middle", headerLine + intentK1[:30] + "\n" + intentK1, "f:2: "},
		{"two values on a line", headerLine + strings.TrimSpace(intentK1) + intentK1, "f:2: "},
		{"unknown type", headerLine + strings.Replace(intentK1, `"intent"`, `"wish"`, 1), `"wish"`},
		{"unknown outcome", headerLine + intentK1 + strings.Replace(failedK1, `"failed"`, `"lost"`, 1), `"lost"`},
		{"no outcome", headerLine + intentK1 + strings.Replace(failedK1, `"outcome":"failed",`, "", 1), "f:3: "},
		{"key of another run", headerLine + strings.Replace(intentK1, "load-r1", "load-r2", 1), "prefix"},
		{"amount of zero", headerLine + strings.Replace(intentK1, ":5", ":0", 1), "f:2: "},
		{"fraction of a fen", headerLine + strings.Replace(intentK1, ":5", ":5.5", 1), "f:2: "},
		{"attempt of zero", headerLine + strings.Replace(intentK1, `"attempt":1`, `"attempt":0`, 1), "f:2: "},
		{"another amount for the key", headerLine + intentK1 + strings.Replace(intentK1, ":5", ":6", 1), "f:3: "},
		{"result without an intent", headerLine + ackedK1, "f:2: "},
		{"second result of an intent", headerLine + intentK1 + failedK1 + ackedK1, "f:4: "},
		{"acked without a number", headerLine + intentK1 + strings.Replace(ackedK1, "2026030109000007000012", "", 1), "without an order number"},
		{"acked with a malformed number", headerLine + intentK1 + strings.Replace(ackedK1, "20260301", "20261301", 1), "f:3: "},
		{"line that does not end", headerLine + strings.Repeat("x", 2*maxLine), "longer than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			run, err := ReadLedger(strings.NewReader(c.text), "f")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v; want an error with %q", run, err, c.want)
			}
		})
	}
}

// Whatever is accepted makes sense, and so does every beginning of it: a ledger
// may end anywhere.
func FuzzReadLedger(f *testing.F) {
	f.Add(headerLine+intentK1+ackedK1, 200)
	f.Add(headerLine+intentK1+unknownK1+intentK1+failedK1, 300)
	f.Add(headerLine+intentK1[:40], 10)
	f.Add("", 0)
	f.Fuzz(func(t *testing.T, text string, cut int) {
		run, err := ReadLedger(strings.NewReader(text), "f")
		if err != nil {
			return
		}
		for key, i := range run.Intents {
			if !strings.HasPrefix(key, run.Prefix) || i.Amount <= 0 || i.Attempt <= 0 {
				t.Errorf("key %q of prefix %q has intent %+v", key, run.Prefix, i)
			}
			switch i.Answer() {
			case Acked, Unknown, Failed, Rejected:
			default:
				t.Errorf("key %q has the answer %q", key, i.Answer())
			}
		}
		first := strings.IndexByte(text, '\n') + 1
		if cut < first || cut > len(text) {
			return
		}
		if _, err := ReadLedger(strings.NewReader(text[:cut]), "f"); err != nil {
			t.Errorf("accepted whole, refused when cut at %d: %v", cut, err)
		}
	})
}
