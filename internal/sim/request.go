package sim

import (
	"context"
	"errors"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// kind is what a lost answer means for a statement.
type kind int

const (
	reading   kind = iota // nothing
	statement             // of an open transaction: it will be rolled back
	writing               // autocommit: it may have been executed
	ending                // a COMMIT: the same
)

func (k kind) ambiguous() bool { return k == writing || k == ending }

// request is one statement on its way to a server and back.
type request struct {
	link *link
	kind kind
	tx   *tx // nil outside of a transaction
	// run executes the statement at the server: it answers, or reports that it
	// must wait for a lock and is run again.
	run      func(r *request) (wait bool)
	wantsTag pay.Tag // of a statement that waits for this tag's exclusive lock
	replica  bool    // a replica can answer

	client   *proc
	boots    int   // of the server when the statement arrived
	answered bool  // at the server
	mute     bool  // the answer gets lost
	ready    bool  // the answer is with the client
	err      error // the answer
	gone     bool  // the client waits no longer
}

func (r *request) exec() (done bool) { return !r.run(r) }

// left reports whether the client has closed the connection or died.
func (r *request) left() bool { return r.gone || r.client.ended }

// answer sends the answer. Only the first one counts.
func (r *request) answer(err error) {
	s := r.link.srv
	if r.answered {
		return
	}
	r.answered = true
	if r.tx != nil && r.tx.orphan && !r.tx.committing {
		s.rollback(r.tx)
	}
	s.clock.after(s.half(), func() {
		if r.mute || r.link.cut || r.left() {
			return
		}
		if s.boots != r.boots && !r.replica {
			err = s.reset(r, errReset)
		}
		r.err, r.ready = err, true
		s.clock.wake(r.client, s.clock.now)
	})
}

// call sends a statement and waits for its answer, as long as the context lets it.
func (l *link) call(ctx context.Context, r *request) error {
	s := l.srv
	r.link, r.client = l, s.clock.running
	if err := ctx.Err(); err != nil {
		return late(err, order.NotCommitted)
	}
	s.clock.after(s.half(), func() {
		switch {
		case !l.cut:
			s.arrive(r)
		case r.kind == ending: // the transaction stays open until the server misses its client
			s.clock.after(unnoticedClose, func() { s.disconnect(r.tx) })
		}
	})
	for !r.ready {
		if err := s.clock.pause(ctx, forever); err != nil && !r.ready {
			r.gone = true
			if r.tx != nil && r.kind != ending {
				r.tx.Rollback()
			}
			if r.kind.ambiguous() {
				return late(err, order.Unknown)
			}
			return late(err, order.NotCommitted)
		}
	}
	return r.err
}

// late is the fault of a statement that got no answer in time.
func late(err error, outcome order.Outcome) error {
	f := &order.Fault{Outcome: outcome, Err: err}
	if errors.Is(err, context.DeadlineExceeded) {
		f.Cause = shard.Hang
	}
	return f
}
