package main

import (
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the built-in channel's books

	"paytool/internal/pay"
)

// till is a shop on embedded groups whose day is reconciled with the built-in
// channel's own bill.
type tillTest struct {
	t    *testing.T
	dir  string
	date string
}

func (s *tillTest) try(stdin string, args ...string) (status int, out, errOut string) {
	s.t.Helper()
	var stdout, stderr strings.Builder
	status = run(s.t.Context(), append(args, "--dir", s.dir), strings.NewReader(stdin), &stdout, &stderr)
	return status, stdout.String(), stderr.String()
}

func (s *tillTest) must(want int, stdin string, args ...string) string {
	s.t.Helper()
	status, out, errOut := s.try(stdin, args...)
	if status != want {
		s.t.Fatalf("%v: %d, want %d\n%s%s", args, status, want, out, errOut)
	}
	return out
}

func (s *tillTest) order(key, code string) (no string) {
	s.t.Helper()
	var o struct {
		No string `json:"order_no"`
	}
	out := s.must(0, "", "order", "create", "--merchant", "m1", "--merchant-order", key, "--amount", "1000", "-o", "json")
	if err := json.Unmarshal([]byte(out), &o); err != nil {
		s.t.Fatal(err)
	}
	s.try(code+"\n", "order", "pay", o.No, "--auth-code-file", "-")
	return o.No
}

// theirs changes the channel's books behind everybody's back.
func (s *tillTest) theirs(query string, args ...any) {
	s.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(s.dir, "builtin-channel.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		if err := db.Close(); err != nil {
			s.t.Error(err)
		}
	}()
	if _, err := db.ExecContext(s.t.Context(), query, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *tillTest) recon(want int, args ...string) string {
	s.t.Helper()
	bill := filepath.Join(s.dir, "bill.csv")
	s.must(0, "", "channel", "bill", "--date", s.date, "--out", bill)
	args = append([]string{
		"recon", "run", "--channel", "wechat", "--our-channel", "builtin", "--date", s.date, "--bill", bill, "--ours", "db",
		"--ledger", filepath.Join(s.dir, "ledger"), "--actor", "li.lei", "-o", "json",
	}, args...)
	return s.must(want, "", args...)
}

// TestReissueAndConsoleRefund carries a payment that we do not know as paid, and a
// refund that was made past us, from the bill to the order engine and back.
func TestReissueAndConsoleRefund(t *testing.T) {
	s := &tillTest{t: t, dir: t.TempDir(), date: time.Now().In(pay.Beijing).Format(time.DateOnly)}
	lost, refunded := s.order("k1", "refuse-1"), s.order("k2", "success-2")
	s.order("k3", "success-3")
	s.recon(0)
	// The channel took k1's money after all, and somebody refunded a part of k2 in its console.
	s.theirs("UPDATE payments SET state='paid' WHERE order_no=?", lost)
	now := time.Now().UnixMilli()
	s.theirs("INSERT INTO refunds (account, refund_no, order_no, amount_fen, state, channel_no, accepted_ms, done_ms) VALUES ('builtin-1', 'console-1', ?, 300, 'done', 'BR1', ?, ?)",
		refunded, now, now)
	var day struct {
		Differences []struct{ ID, Class, Kind string }
	}
	if err := json.Unmarshal([]byte(s.recon(2, "--supersede", "the channel sent the bill once more")), &day); err != nil || len(day.Differences) != 2 {
		t.Fatalf("%v: %+v", err, day)
	}
	actions := map[string]string{"state_mismatch": "reissue", "missing_in_ours": "console_refund"}
	ledger := filepath.Join(s.dir, "ledger")
	for i, d := range day.Differences {
		s.must(0, "", "recon", "propose", d.ID, "--action", actions[d.Class], "--reason", "our_error", "--ledger", ledger, "--actor", "li.lei")
		s.must(0, "", "recon", "approve", []string{"P-1", "P-2"}[i], "--ledger", ledger, "--actor", "han.meimei")
	}
	if out := s.must(0, "", "recon", "apply", "--dry-run", "--ledger", ledger); !strings.Contains(out, lost) || !strings.Contains(out, "console-1") {
		t.Fatal(out)
	}
	s.must(0, "", "recon", "apply", "--ledger", ledger, "--actor", "li.lei")
	if out := s.must(0, "", "order", "get", lost); !strings.Contains(out, "paid") {
		t.Error(out)
	}
	if out := s.must(0, "", "order", "get", refunded, "-o", "json"); !strings.Contains(out, `"refunded_fen": 300`) {
		t.Error(out)
	}
	if out := s.must(0, "", "recon", "diffs", "--all", "--ledger", ledger); !strings.Contains(out, "reissued") || !strings.Contains(out, "resolved") {
		t.Error(out)
	}
	s.recon(0, "--supersede", "the engine has put it right")
	s.must(0, "", "recon", "internal", "--date", s.date)
	s.must(0, "", "recon", "verify", "--ledger", ledger)
}
