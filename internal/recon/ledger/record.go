package ledger

import (
	"context"
	"fmt"
	"slices"

	"paytool/internal/recon"
)

// reasonStale is why a run of a closed day may be replaced without a person's reason.
const reasonStale = "what the day starts from has changed"

// Record closes a day by its run, all or nothing: the run, its new differences, and
// the end of those that it explains. The same run again writes nothing (Known).
// *ClosedDayError: the day was closed by another run and Run.Supersede says no reason;
// to replace a Stale run by one of the same files needs none. *OpeningChangedError: run the day again.
func (l *Ledger) Record(ctx context.Context, run Run) (Recorded, error) {
	p, err := pack(&run)
	if err != nil {
		return Recorded{}, fmt.Errorf("record the run: %w", err)
	}
	r := &recording{run: &run, packed: p}
	head, err := l.write(ctx, run.Actor, func(ctx context.Context, w *writer) error {
		r.writer, r.done = w, Recorded{}
		return r.record(ctx)
	})
	if err != nil {
		return Recorded{}, fmt.Errorf("record the run of %s of %s: %w", run.Result.Date, p.book, err)
	}
	r.done.Head = head
	return r.done, nil
}

// recording is a run on its way into the ledger.
type recording struct {
	*writer
	*packed
	run  *Run
	done Recorded
	old  day // the run that is replaced; seq 0: none
	// fresh are the places of differences that are open since this run.
	fresh []int
}

func (r *recording) record(ctx context.Context) error {
	all, err := days(ctx, r.tx, &r.book)
	if err != nil {
		return err
	}
	date := r.body.Date
	from := before(all, date)
	if !r.start.same(from.left(date)) {
		return &OpeningChangedError{r.book, date}
	}
	for _, d := range all {
		if d.date == date {
			r.old = d
		}
	}
	if r.old.seq != 0 {
		if r.old.runID == r.body.RunID && !r.old.stale {
			r.done.Known = true
			return r.stale(ctx)
		}
		if r.body.Reason, err = r.reason(ctx); err != nil {
			return err
		}
		r.body.Supersedes = r.old.runID
	}
	r.body.Opening = openingBody{from.date, from.runID, r.start.carried, r.start.fund}
	return r.write(ctx)
}

// reason is why the old run may be replaced. A stale one needs none, as long as the
// files are those that closed the day.
func (r *recording) reason(ctx context.Context) (string, error) {
	if r.run.Supersede != "" {
		return r.run.Supersede, nil
	}
	old, err := events(ctx, r.tx, `SELECT seq, at_ms, actor, type, body, prev, hash FROM events WHERE seq = ?`, r.old.seq)
	if err != nil {
		return "", err
	}
	same := false
	for i := range old {
		err = with(&old[i], func(b runBody) error {
			same = slices.Equal(inputs(b.Inputs), inputs(r.body.Inputs))
			return nil
		})
	}
	if err != nil || r.old.stale && same {
		return reasonStale, err
	}
	return "", &ClosedDayError{r.book, r.body.Date, r.old.runID, r.body.RunID}
}

// inputs are what the files hold, whatever they are called and in whatever order.
func inputs(files []recon.File) (all []string) {
	for _, f := range files {
		all = append(all, string(f.Role)+" "+f.SHA256)
	}
	slices.Sort(all)
	return all
}

func (r *recording) write(ctx context.Context) error {
	seq := r.head.Seq + 1
	if err := r.keep(ctx, seq); err != nil {
		return err
	}
	if err := r.add(ctx, eventRun, r.body); err != nil {
		return err
	}
	r.found, r.foundRun = r.run.Result.Differences, seq
	for i := range r.found {
		if err := r.meet(ctx, seq, i); err != nil {
			return err
		}
	}
	if r.old.seq != 0 {
		if err := r.vanish(ctx); err != nil {
			return err
		}
	}
	if err := r.counterparts(ctx, seq); err != nil {
		return err
	}
	return r.stale(ctx)
}

// keep stores what the report is made of again.
func (r *recording) keep(ctx context.Context, seq int64) error {
	if err := r.one(ctx, `INSERT INTO results (run, body) VALUES (?, ?)`, seq, string(r.result)); err != nil {
		return err
	}
	for i, body := range r.findings {
		if err := r.one(ctx, `INSERT INTO findings (run, pos, id, body) VALUES (?, ?, ?, ?)`, seq, i, r.run.Result.Differences[i].ID, string(body)); err != nil {
			return err
		}
	}
	for i, body := range r.closing {
		if err := r.one(ctx, `INSERT INTO closing (run, pos, body) VALUES (?, ?, ?)`, seq, i, string(body)); err != nil {
			return err
		}
	}
	return nil
}

// meet opens a difference that the book has not had, and reopens one that only a
// superseded run had lacked. One that a person has ended stays ended.
func (r *recording) meet(ctx context.Context, seq int64, pos int) error {
	id := r.found[pos].ID
	state, reason := State(""), ""
	if r.old.seq != 0 { // else the day is new, and so are its differences
		if err := r.row(ctx, `SELECT COALESCE(MAX(state), ''), COALESCE(MAX(reason), '') FROM differences WHERE id = ?`, id).Scan(&state, &reason); err != nil {
			return err
		}
	}
	switch {
	case state == "":
		r.done.Opened++
		r.fresh = append(r.fresh, pos)
		return r.add(ctx, eventOpened, openedBody{id, seq, pos})
	case state.Ended() && reason == reasonSuperseded:
		r.done.Opened++
		r.fresh = append(r.fresh, pos)
		return r.add(ctx, eventReopened, changedBody{ID: id, Reason: reasonFoundAgain})
	}
	return nil
}

// stale lists the later days that did not start from what this day leaves.
func (r *recording) stale(ctx context.Context) error {
	all, err := days(ctx, r.tx, &r.book)
	for _, d := range all {
		if d.stale && d.date > r.body.Date {
			r.done.Stale = append(r.done.Stale, d.date)
		}
	}
	return err
}
