package rig

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"sync"
	"time"

	"paytool/internal/drill/fault"
)

// Options set up a Rig. Fields without a remark have no default.
type Options struct {
	Dir    string // of the journals; it is made if it is not there
	ID     string // of the drill; a file's name
	Who    string
	Config string // file that says how to reach the servers, for whoever undoes later
	Faults fault.List
	Groups []Group // those that are broken
	// TTL is how long the faults may last, counted from just before the first
	// injection. The rig itself ends a tenth of it, at most 5 s, earlier.
	TTL time.Duration
	// Allowed names the faults that may be done on servers of somebody else; in a
	// sandbox all may.
	Allowed []fault.Name
	World   World
	// Watchdog is the command that calls Watch with the journal; nil for none, which
	// is for tests of everything else.
	Watchdog func(journal string) *exec.Cmd
	// Canary has an order acknowledged by a group while semi-sync is on; nil for none.
	Canary func(ctx context.Context, group int) error

	Now   func() time.Time // the wall clock, if nil
	Log   *slog.Logger     // none, if nil
	Heard func(Event)      // what happens, for a view and a report; it must not wait
}

// Event is something that happened in a drill.
type Event struct {
	At    time.Time
	Phase Phase
	Group int    // 0: all of them
	Text  string // for people
}

// Phase is where a Rig is.
type Phase string

// The phases.
const (
	Prepare  Phase = "prepare"
	Inject   Phase = "inject"
	There    Phase = "there" // measured
	Held     Phase = "held"
	Undo     Phase = "undo"
	Gone     Phase = "gone" // proven
	Canary   Phase = "canary"
	Restored Phase = "restored"
)

// Outcome is what became of the faults. Times are zero where it did not come so far.
type Outcome struct {
	Journal  string // path
	Injected time.Time
	There    time.Time // all of them measured
	Undoing  time.Time
	Gone     time.Time
	Restored time.Time // the canaries are acknowledged
	Undone   []string  // for people, the newest step first
	OK       bool      // restored
	Cause    error     // why it ended before its time; nil if it did not
}

// Rig is one drill's hold on its faults. It is used by one goroutine.
type Rig struct {
	opts    Options
	release func()
	doors   map[int]*doorway
	journal *Journal
	dog     *dog
}

// Open makes this the one drill of the directory. It is refused, with ErrBusy,
// ErrDirty or ErrHeld, where another runs, an earlier one is not repaired or drills
// are held back. Close ends it.
func Open(opts Options) (*Rig, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	if opts.Heard == nil {
		opts.Heard = func(Event) {}
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opts.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of drills: %w", err)
	}
	release, err := takeLock(opts.Dir, Current{Drill: opts.ID, Who: opts.Who, Tool: opts.World.Self()})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(checkHold(opts.Dir), checkClean(opts.Dir)); err != nil {
		release()
		return nil, err
	}
	return &Rig{opts: opts, release: release, doors: map[int]*doorway{}}, nil
}

func (o Options) check() error {
	switch {
	case !names.MatchString(o.ID):
		return refuse("%q is no name for a drill: letters, digits, dots and dashes", o.ID)
	case o.TTL <= 0:
		return refuse("a drill needs a TTL")
	case len(o.Groups) == 0:
		return refuse("no group is named")
	}
	for i, g := range o.Groups {
		if slices.ContainsFunc(o.Groups[:i], func(other Group) bool { return other.Number == g.Number }) {
			return refuse("group %d is named twice", g.Number)
		}
	}
	if err := o.Faults.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return nil
}

// Close lets another drill begin. It is called after Run, or instead of it.
func (r *Rig) Close() { r.release() }

// Run injects the faults, calls hold once they are measured, and takes them back
// whatever happens: an error, a panic, the end of ctx. The context of hold also ends
// when the TTL comes near or the watchdog is gone; its cause says which.
//
// The error joins what went wrong: ErrRefused before anything was touched, a
// NoEffectError, ErrStopped with its cause, hold's own, a RestoreError.
func (r *Rig) Run(ctx context.Context, hold func(ctx context.Context) error) (out Outcome, err error) {
	acts, err := r.prepare(ctx)
	if err != nil {
		return out, err
	}
	if err := r.arm(ctx, acts); err != nil {
		return out, err
	}
	out.Journal = r.journal.Path
	defer func() {
		trouble := recover()
		err = errors.Join(err, r.restore(context.WithoutCancel(ctx), acts, &out))
		if trouble != nil {
			panic(trouble)
		}
	}()
	held, cancel := r.lifetime(ctx)
	defer cancel()
	if err := r.inject(held, acts, &out); err != nil {
		return out, stopped(held, err, &out)
	}
	r.say(Held, 0, "the faults are there")
	err = hold(held)
	return out, stopped(held, err, &out)
}

// stopped adds why a drill ended before its time.
func stopped(ctx context.Context, err error, out *Outcome) error {
	if ctx.Err() == nil {
		return err
	}
	out.Cause = context.Cause(ctx)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = nil // says less than the cause
	}
	return errors.Join(fmt.Errorf("%w: %w", ErrStopped, out.Cause), err)
}

// errTTL and errWatchdog are causes of an early end.
var (
	errTTL      = errors.New("the TTL has come near")
	errWatchdog = errors.New("the watchdog has ended, and without one no fault is held")
)

// lifetime is the context in which faults may last.
func (r *Rig) lifetime(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.TTL-min(r.opts.TTL/10, 5*time.Second), errTTL)
	if r.dog == nil {
		return ctx, cancel
	}
	ctx, stop := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-r.dog.ended:
			stop(errWatchdog)
		case <-ctx.Done():
		}
	})
	return ctx, func() { stop(nil); cancel(); watch.Wait() }
}

func (r *Rig) prepare(ctx context.Context) (acts []*act, err error) {
	for _, f := range r.opts.Faults {
		for _, g := range r.opts.Groups {
			a, err := r.prepareAct(ctx, g, f)
			if err != nil {
				return nil, err
			}
			acts = append(acts, a)
		}
	}
	r.say(Prepare, 0, "what will have to be undone is known")
	return acts, checkHold(r.opts.Dir) // again: the baseline took its time
}

// arm writes the journal and starts the watchdog: before anything is touched.
func (r *Rig) arm(ctx context.Context, acts []*act) (err error) {
	h := Header{
		Version: journalVersion, Drill: r.opts.ID, Who: r.opts.Who, At: r.opts.Now(), Fault: r.opts.Faults.String(),
		TTLMS: r.opts.TTL.Milliseconds(), Tool: r.opts.World.Self(), Config: r.opts.Config,
	}
	for _, g := range r.opts.Groups {
		h.Groups = append(h.Groups, g.Number)
	}
	if r.journal, err = createJournal(r.opts.Dir, h); err != nil {
		return err
	}
	if r.opts.Watchdog == nil {
		return nil
	}
	r.dog, err = startDog(ctx, r.opts.Watchdog(r.journal.Path))
	if err != nil {
		clean := &Closing{At: r.opts.Now(), By: "drill", Done: []string{"nothing was injected: " + err.Error()}}
		return errors.Join(fmt.Errorf("%w: %w", ErrRefused, err), r.journal.add(record{Clean: clean}))
	}
	return nil
}

// inject injects fault by fault into all groups, and then measures each.
func (r *Rig) inject(ctx context.Context, acts []*act, out *Outcome) error {
	out.Injected = r.opts.Now()
	perFault := len(r.opts.Groups)
	for same := range slices.Chunk(acts, perFault) {
		for _, a := range same {
			if err := ctx.Err(); err != nil {
				return err
			}
			r.say(Inject, a.group.Number, a.fault.String())
			if err := a.inject(ctx, r.journal); err != nil {
				return err
			}
		}
		for _, a := range same {
			if err := a.proveThere(ctx); err != nil {
				return err
			}
			r.say(There, a.group.Number, a.fault.String())
		}
	}
	out.There = r.opts.Now()
	return nil
}

func (r *Rig) say(p Phase, group int, text string) {
	r.opts.Log.Debug("drill", "phase", p, "group", group, "text", text)
	r.opts.Heard(Event{At: r.opts.Now(), Phase: p, Group: group, Text: text})
}

func (r *Rig) allowed(name fault.Name) bool { return slices.Contains(r.opts.Allowed, name) }
