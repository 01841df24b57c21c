package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
)

// maxProblems bounds a report: whoever reads it needs a beginning, not a million lines.
const maxProblems = 50

// pageSize is how many events are held at a time.
const pageSize = 1000

// Report is what Verify found.
type Report struct {
	Events int64 `json:"events"`
	Head   Head  `json:"head"`
	// Problems are in words; none: the ledger is whole.
	Problems []string `json:"problems"`
}

// Verify computes the whole chain again, makes the views anew from it and compares,
// and holds the head against head.json and against an older one that somebody has
// kept, from a printed report (nil: none). An error is a ledger that cannot be read;
// what is wrong with one that can is in the report.
func (l *Ledger) Verify(ctx context.Context, want *Head) (Report, error) {
	report := Report{Problems: []string{}}
	if want != nil {
		if err := want.check(); err != nil {
			return report, fmt.Errorf("verify the ledger: the head that was asked for: %w", err)
		}
	}
	v := &verifier{Report: &report, want: want}
	var err error
	if v.filed, err = readHead(l.path(headName)); err != nil { // before the chain: it may be behind, not ahead
		v.problem("%v", err)
		v.unfiled = true
	}
	if err := l.scratch(ctx, v.verify); err != nil {
		return report, fmt.Errorf("verify the ledger in %s: %w", l.dir, err)
	}
	return report, nil
}

// scratch runs f on an empty database that vanishes afterwards, in which the tables of
// the ledger can be read: those of the same name by "seen.", the others as they are.
func (l *Ledger) scratch(ctx context.Context, f func(ctx context.Context, tx *sql.Tx) error) (err error) {
	path, err := filepath.Abs(l.path(databaseName))
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:?"+url.Values{"_pragma": {busyTimeout, "cache_size(-65536)"}}.Encode())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // the database without a name is its connection's own
	if _, err := db.ExecContext(ctx, `ATTACH ? AS seen`, "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro"); err != nil {
		return err
	}
	for _, statement := range views {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return errors.Join(ctx.Err(), f(context.WithoutCancel(ctx), tx))
}

// verifier is one verification.
type verifier struct {
	*Report
	want    *Head
	filed   filed
	unfiled bool // head.json is no head at all, and a problem already
}

func (v *verifier) problem(format string, args ...any) {
	switch n := len(v.Problems); {
	case n < maxProblems:
		v.Problems = append(v.Problems, fmt.Sprintf(format, args...))
	case n == maxProblems:
		v.Problems = append(v.Problems, "there is more")
	}
}

func (v *verifier) verify(ctx context.Context, tx *sql.Tx) error {
	if err := v.schema(ctx, tx); err != nil {
		return err
	}
	p := newProjector(tx)
	if err := errors.Join(v.chain(ctx, p), p.close()); err != nil {
		return err
	}
	if err := v.heads(ctx, tx); err != nil {
		return err
	}
	if err := v.strays(ctx, tx); err != nil {
		return err
	}
	for _, table := range viewTables {
		if err := v.view(ctx, tx, table.name, table.key); err != nil {
			return err
		}
	}
	return nil
}

// chain walks the events. Once one does not follow, what is wrong with the others is
// still told, but the views are made no further.
func (v *verifier) chain(ctx context.Context, p *projector) error {
	follows := true
	for {
		page, err := events(ctx, p.tx, `SELECT seq, at_ms, actor, type, body, prev, hash FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, v.Head.Seq, pageSize)
		if err != nil || len(page) == 0 {
			return err
		}
		for i := range page {
			e := &page[i]
			v.Events++
			switch {
			case e.Seq > v.Head.Seq+1:
				v.problem("events %d to %d are missing", v.Head.Seq+1, e.Seq-1)
				follows = false
			case e.Prev != v.Head.Hash:
				v.problem("event %d does not follow event %d: one of them was changed", e.Seq, v.Head.Seq)
			}
			if e.Hash != e.sum() {
				v.problem("event %d (%s by %s) was changed: its hash is of something else", e.Seq, e.Type, e.Actor)
			}
			v.Head = Head{e.Seq, e.Hash}
			if !follows {
				continue
			}
			if err := v.replay(ctx, p, e); err != nil {
				v.problem("%v", err)
				follows = false
			}
		}
	}
}

// replay lets the views follow an event, after what it vouches for has been compared.
func (v *verifier) replay(ctx context.Context, p *projector, e *Event) error {
	if e.Type == eventRun {
		if err := with(e, func(b runBody) error { return v.run(ctx, p.tx, e.Seq, b) }); err != nil {
			return err
		}
	}
	return p.apply(ctx, e)
}

// run compares what is kept of a run with the digests in its event.
func (v *verifier) run(ctx context.Context, tx *sql.Tx, seq int64, b runBody) error {
	for _, part := range []struct{ what, query, want string }{
		{"the result was changed", `SELECT NULL, body FROM results WHERE run = ?`, b.ResultSHA256},
		{"the differences were changed", `SELECT id, body FROM findings WHERE run = ? ORDER BY pos`, b.FindingsSHA256},
		{"the carried rows were changed", `SELECT NULL, body FROM closing WHERE run = ? ORDER BY pos`, b.ClosingSHA256},
	} {
		got, err := digestOf(ctx, tx, part.query, seq)
		if err != nil {
			return err
		}
		if got != part.want {
			v.problem("run %s (%s of %s, event %d): %s", b.RunID, b.Date, b.Book, seq, part.what)
		}
	}
	return nil
}

// heads compares the end of the chain with head.json and with the head that was asked for.
func (v *verifier) heads(ctx context.Context, tx *sql.Tx) error {
	if !v.unfiled {
		if err := v.filed.check(ctx, tx, v.Head); errors.Is(err, ErrTampered) {
			v.problem("%v", err)
		} else if err != nil {
			return err
		}
	}
	switch {
	case v.want == nil || v.want.Seq == 0:
		return nil
	case v.want.Seq > v.Head.Seq:
		v.problem("the head that was asked for is event %d, and the ledger ends at %d: its end was cut off", v.want.Seq, v.Head.Seq)
		return nil
	}
	err := contains(ctx, tx, *v.want, "the report")
	if errors.Is(err, ErrTampered) {
		v.problem("%v", err)
		return nil
	}
	return err
}
