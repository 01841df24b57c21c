package ledger

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paytool/internal/recon"
)

// tamper changes the file of a closed ledger as somebody would who knows it well: the
// triggers are put back afterwards.
func tamper(t testing.TB, dir string, statements ...string) {
	t.Helper()
	ctx := context.Background()
	db := must(sql.Open("sqlite", filepath.Join(dir, databaseName)))(t)
	defer db.Close() //nolint:errcheck // a test's
	db.SetMaxOpenConns(1)
	exec := func(statement string) {
		t.Helper()
		if _, err := db.ExecContext(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	for _, lock := range locks {
		exec("DROP TRIGGER " + strings.Fields(lock)[2])
	}
	for _, s := range statements {
		exec(s)
	}
	for _, lock := range locks {
		exec(lock)
	}
}

// rich fills a ledger with every type of event, and returns its head half way.
func rich(b *bench) Head {
	b.Helper()
	d, e, f := lostOrder("A"), lostOrder("B"), lacking(recon.MissingInChannel, friday, "C", 7)
	r := result("r1", friday, d, e, f)
	r.Closing = []recon.Carried{{Flow: recon.TradeFlow, Row: recon.Row{OrderNo: "X", Amount: 3}}}
	b.mustRun(r, "")
	p := must(b.propose(Reissue, d.ID))(b)
	must(b.Approve(b.ctx, "wang", p.ID, ""))(b)
	must(b.Finish(b.ctx, "engine", p.ID, true, "done"))(b)
	half := must(b.Head(b.ctx))(b)
	p = must(b.propose(WriteOff, e.ID))(b)
	must(b.Reject(b.ctx, "wang", p.ID, "no"))(b)
	b.mustRun(result("r2", "2026-11-21", lacking(recon.MissingInOurs, "2026-11-21", "C", 7)), "")
	must(b.propose(Reopen, d.ID))(b)
	return half
}

func TestTampering(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0", 64)
	for name, tt := range map[string]struct {
		statements []string
		want       string // in a problem
	}{
		"a body":                  {[]string{`UPDATE events SET body = replace(body, 'our_error', 'rounding') WHERE seq = 5`}, "event 5 (proposed by li) was changed"},
		"an actor":                {[]string{`UPDATE events SET actor = 'zhao' WHERE seq = 6`}, "event 6 (approved by zhao) was changed"},
		"a time":                  {[]string{`UPDATE events SET at_ms = at_ms + 1 WHERE seq = 6`}, "event 6 (approved by wang) was changed"},
		"a type":                  {[]string{`UPDATE events SET type = 'rejected' WHERE seq = 6`}, "event 6 (rejected by wang) was changed"},
		"a hash":                  {[]string{`UPDATE events SET hash = '` + hash + `' WHERE seq = 6`}, "event 7 does not follow event 6"},
		"an event in the middle":  {[]string{`DELETE FROM events WHERE seq = 6`}, "events 6 to 6 are missing"},
		"the first event":         {[]string{`DELETE FROM events WHERE seq = 1`}, "events 1 to 1 are missing"},
		"the end":                 {[]string{`DELETE FROM events WHERE seq = (SELECT MAX(seq) FROM events)`}, "head.json knows event 14, and the ledger ends at 13"},
		"everything":              {[]string{`DELETE FROM events`}, "the ledger ends at 0"},
		"an event more":           {[]string{`INSERT INTO events SELECT seq + 1, at_ms, actor, type, body, hash, '` + hash + `' FROM events ORDER BY seq DESC LIMIT 1`}, "event 15"},
		"a state":                 {[]string{`UPDATE differences SET state = 'written_off' WHERE order_no = 'B'`}, "table differences is not what the events say"},
		"a difference":            {[]string{`DELETE FROM differences WHERE order_no = 'B'`}, "table differences is missing or was changed"},
		"an interval":             {[]string{`UPDATE intervals SET to_ms = to_ms + 1`}, "table intervals"},
		"a proposal":              {[]string{`UPDATE proposals SET decided_by = 'zhao' WHERE n = 1`}, `n "1" in the table proposals`},
		"a proposal's difference": {[]string{`DELETE FROM members`}, "table members"},
		"a history":               {[]string{`DELETE FROM touches`}, "table touches"},
		"a run":                   {[]string{`UPDATE runs SET replaced = 1 WHERE run_id = 'r1'`}, "table runs"},
		"a stored result":         {[]string{`UPDATE results SET body = replace(body, '"matched":9', '"matched":8') WHERE run = 1`}, "run r1 (2026-11-20 of wechat/shop, event 1): the result was changed"},
		"a stored difference":     {[]string{`UPDATE findings SET body = replace(body, '"line":7', '"line":8') WHERE run = 1 AND pos = 1`}, "event 1): the differences were changed"},
		"a stored id":             {[]string{`UPDATE findings SET id = 'D-0' WHERE run = 1 AND pos = 1`}, "event 1): the differences were changed"},
		"a stored row gone":       {[]string{`DELETE FROM closing`}, "event 1): the carried rows were changed"},
		"a stored row more":       {[]string{`INSERT INTO findings SELECT 3, pos, id, body FROM findings WHERE run = 1`}, "3 rows of findings belong to no run"},
		"a trigger of his own":    {[]string{`CREATE TRIGGER quiet AFTER INSERT ON events BEGIN DELETE FROM touches; END`}, "the trigger quiet is not paytool's"},
		"an index":                {[]string{`DROP INDEX runs_current`}, "CREATE UNIQUE INDEX runs_current"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			b := openBench(t, dir)
			rich(b)
			tamper(t, dir, tt.statements...)
			r := must(b.Verify(b.ctx, nil))(t)
			if !strings.Contains(strings.Join(r.Problems, "\n"), tt.want) {
				t.Errorf("%q, want %q", r.Problems, tt.want)
			}
		})
	}
}

func TestTriggersDropped(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rich(b)
	for _, statement := range []string{`UPDATE events SET actor = 'x'`, `DELETE FROM findings`, `DELETE FROM results`, `UPDATE closing SET body = ''`} {
		if _, err := b.db.ExecContext(b.ctx, statement); err == nil {
			t.Errorf("%s was let through", statement)
		}
	}
	if _, err := b.db.ExecContext(b.ctx, `DROP TRIGGER events_update`); err != nil {
		t.Fatal(err)
	}
	r := must(b.Verify(b.ctx, nil))(t)
	if len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "events_update") {
		t.Errorf("%q", r.Problems)
	}
}

// TestOlderFile: an exchanged ledger.db is found by head.json, and a ledger that was
// exchanged whole by a head that somebody has on paper.
func TestOlderFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := must(Open(context.Background(), dir, Options{}))(t)
	path, head := filepath.Join(dir, databaseName), filepath.Join(dir, headName)
	first, err := recordDay(context.Background(), b, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil { // which leaves all in the one file
		t.Fatal(err)
	}
	backup, oldHead := must(os.ReadFile(path))(t), must(os.ReadFile(head))(t)
	b = must(Open(context.Background(), dir, Options{}))(t)
	second, err := recordDay(context.Background(), b, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}

	put := func(path string, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(path, backup)
	old := openBench(t, dir)
	if r := must(old.Verify(old.ctx, nil))(t); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "the ledger ends at 21") {
		t.Errorf("%q", r.Problems)
	}
	if _, err := recordDay(old.ctx, old.Ledger, 1); !errors.Is(err, ErrTampered) {
		t.Errorf("an exchanged ledger was written: %v", err)
	}
	if data := must(os.ReadFile(head))(t); string(data) == string(oldHead) {
		t.Error("the evidence was overwritten")
	}

	put(head, oldHead)
	old.whole(&first.Head)
	if r := must(old.Verify(old.ctx, &second.Head))(t); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], "cut off") {
		t.Errorf("%q", r.Problems)
	}
	if r := must(old.Verify(old.ctx, &Head{first.Head.Seq, second.Head.Hash}))(t); len(r.Problems) != 1 {
		t.Errorf("%q", r.Problems)
	}
	if _, err := old.Verify(old.ctx, &Head{1, "abc"}); err == nil {
		t.Error("a head that is none was taken")
	}
}

func TestHeadFileTampered(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"gone": "", "no head": "{}{}", "of another chain": `{"seq":3,"hash":"` + strings.Repeat("0", 64) + `"}`,
	} {
		b := newBench(t)
		rich(b)
		if err := os.WriteFile(b.path(headName), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if data == "" {
			if err := os.Remove(b.path(headName)); err != nil {
				t.Fatal(err)
			}
		}
		if r := must(b.Verify(b.ctx, nil))(t); len(r.Problems) != 1 || !strings.Contains(r.Problems[0], headName) {
			t.Errorf("%s: %q", name, r.Problems)
		}
		if _, err := b.propose(Resolve, lostOrder("B").ID); !errors.Is(err, ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestVerifyOlderHead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	half := rich(b)
	r := must(b.Verify(b.ctx, &half))(t)
	if len(r.Problems) != 0 || r.Events != 14 || r.Head != must(b.Head(b.ctx))(t) {
		t.Errorf("%+v", r)
	}
	empty := newBench(t)
	if r := must(empty.Verify(empty.ctx, nil))(t); r.Events != 0 || len(r.Problems) != 0 {
		t.Errorf("%+v", r)
	}
}
