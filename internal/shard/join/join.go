package join

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"paytool/internal/shard"
)

// Group is a group as joining needs it. An error may mean that a change is in force
// all the same.
type Group interface {
	ID() shard.GroupID
	// Info reads the group's rows on its primary.
	Info(ctx context.Context) (shard.Report, error)
	SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, at time.Time) error
	// SetPilots has the group be joining, and take the orders of these merchants alone.
	SetPilots(ctx context.Context, weight int, merchants []string, epoch int64, at time.Time) error
	RaiseEpoch(ctx context.Context, epoch int64) error
	// Instances lists the holders of live leases in the group at now, with the epoch
	// that each knows.
	Instances(ctx context.Context, now time.Time) (map[string]int64, error)
}

// Options say how a group joins. Zero durations mean the defaults in the comments.
type Options struct {
	// Merchants, if there are any, are the pilots: the first step is the full weight for
	// their orders alone.
	Merchants []string
	Weights   []int         // of the steps for all merchants, rising; the last is the full one
	Watch     time.Duration // how long each step is looked at (10 s)
	Wait      time.Duration // for every instance to know the group (60 s)
	Look      time.Duration // between two looks (250 ms)

	// Check answers what speaks against the group taking orders, "" for nothing.
	Check func(ctx context.Context) (reason string)
	// OnStep hears of each weight that is in force, with the pilots for whom alone it is,
	// and of 0 when it was taken back.
	OnStep func(weight int, pilots []string)

	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	Log   *slog.Logger
}

func (o Options) withDefaults() Options {
	setDefault(&o.Watch, 10*time.Second)
	setDefault(&o.Wait, time.Minute)
	setDefault(&o.Look, 250*time.Millisecond)
	if o.OnStep == nil {
		o.OnStep = func(int, []string) {}
	}
	return o
}

func setDefault(d *time.Duration, value time.Duration) {
	if *d == 0 {
		*d = value
	}
}

// Errors of Run, to be asked for with errors.As and errors.Is.
var (
	// ErrChanged: somebody else changed the group's weight meanwhile. It stays as it is.
	ErrChanged = errors.New("somebody else changed the group's weight")
	// ErrUnknown: instances do not know the group. Nothing was changed.
	ErrUnknown = errors.New("not every instance knows the group")
)

// TakenBack means that the group joined, something spoke against it, and its weight is
// 0 again.
type TakenBack struct {
	Group  shard.GroupID
	Weight int      // at which it happened
	Pilots []string // for whom alone it was
	Reason string
}

func (e *TakenBack) Error() string {
	whose := ""
	if len(e.Pilots) > 0 {
		whose = " for its first merchants"
	}
	return fmt.Sprintf("group %d was given weight %d%s and taken back to 0: %s", e.Group, e.Weight, whose, e.Reason)
}

// joining is one group on its way in.
type joining struct {
	Options
	group  Group
	others []Group
	last   place // of the group, as it was last read or written
}

// Run raises the weight of a group step by step, from where it stands: an active group
// is past the pilots. others are all other groups of the fleet. When the context ends the
// weight stays as it is, and a later Run goes on with it, with the next step for all
// merchants if it names no others than the pilots.
func Run(ctx context.Context, group Group, others []Group, o Options) error {
	j := &joining{Options: o.withDefaults(), group: group, others: others}
	now, err := group.Info(ctx)
	if err != nil {
		return fmt.Errorf("join group %d: %w", group.ID(), err)
	}
	if now.State != shard.GroupJoining && now.State != shard.GroupActive {
		return fmt.Errorf("join group %d: it is %s: only a group that is joining takes on weight", group.ID(), now.State)
	}
	j.last = placeOf(now)
	if err := j.known(ctx); err != nil {
		return err
	}
	if err := j.ready(ctx); err != nil {
		return err
	}
	for _, step := range j.steps() {
		if err := j.step(ctx, step); err != nil {
			return err
		}
	}
	return nil
}

// known waits until every instance that works in another group has a lease in this
// one. An instance that does not know the group would not find its orders, and would
// create another attempt of a key that lies there.
func (j *joining) known(ctx context.Context) error {
	until := j.Now().Add(j.Wait)
	for {
		missing, err := j.missing(ctx)
		if err == nil && missing == 0 {
			return nil
		}
		if !j.Now().Before(until) {
			if err != nil {
				return fmt.Errorf("join group %d: ask which instances know it: %w", j.group.ID(), err)
			}
			return fmt.Errorf("join group %d: %w: %d of them work elsewhere and not there: restart them with a config that has it", j.group.ID(), ErrUnknown, missing)
		}
		if err := j.Sleep(ctx, j.Look); err != nil {
			return err
		}
	}
}

func (j *joining) missing(ctx context.Context) (n int, err error) {
	now := j.Now()
	here, err := j.group.Instances(ctx, now)
	if err != nil {
		return 0, err
	}
	missing := map[string]bool{}
	for _, g := range j.others {
		there, err := g.Instances(ctx, now)
		if err != nil {
			return 0, err // it may be the one that tells of an instance that is missing
		}
		for holder := range there {
			if _, ok := here[holder]; !ok {
				missing[holder] = true
			}
		}
	}
	return len(missing), nil
}

// ready waits until nothing speaks against the group: an engine that has just started
// needs some probes to trust it.
func (j *joining) ready(ctx context.Context) error {
	for until := j.Now().Add(j.Wait); ; {
		reason := j.look(ctx)
		if reason == "" {
			return ctx.Err()
		}
		if !j.Now().Before(until) {
			return j.refuse(ctx, reason)
		}
		if err := j.Sleep(ctx, j.Look); err != nil {
			return err
		}
	}
}

// step takes the group to its next place and looks at it for a while.
func (j *joining) step(ctx context.Context, next place) error {
	if err := j.set(ctx, next); err != nil {
		return err
	}
	for until := j.Now().Add(j.Watch); j.Now().Before(until); {
		if err := j.Sleep(ctx, j.Look); err != nil {
			return err
		}
		if reason := j.look(ctx); reason != "" {
			return j.refuse(ctx, reason)
		}
	}
	return nil
}

// look asks for what speaks against the group. A look that the context cut short says
// nothing.
func (j *joining) look(ctx context.Context) string {
	reason := j.Check(ctx)
	if ctx.Err() != nil {
		return ""
	}
	return reason
}

// refuse takes the whole weight back.
func (j *joining) refuse(ctx context.Context, reason string) error {
	if j.last.state == shard.GroupJoining && len(j.last.pilots) == 0 {
		return fmt.Errorf("join group %d: nothing was changed: %s", j.group.ID(), reason)
	}
	back := &TakenBack{Group: j.group.ID(), Weight: j.last.weight, Pilots: j.last.pilots, Reason: reason}
	if err := j.set(ctx, takesNone); err != nil {
		return fmt.Errorf("group %d has weight %d, and it could not be taken back, though it should: %s: %w", j.group.ID(), back.Weight, reason, err)
	}
	return back
}

// setTries is how often a change is tried that the group does not answer.
const setTries = 20

// set writes where the group is to stand at a new epoch, and lets the other groups know.
func (j *joining) set(ctx context.Context, next place) error {
	var epoch int64
	var err error
	for try := 1; ; try++ {
		if epoch, err = j.write(ctx, next, epoch); err == nil {
			break
		}
		if try == setTries || errors.Is(err, ErrChanged) {
			return fmt.Errorf("set weight %d of group %d: %w", next.weight, j.group.ID(), err)
		}
		if err := j.Sleep(ctx, j.Look); err != nil {
			return err
		}
	}
	j.last = next
	for _, g := range j.others {
		if err := g.RaiseEpoch(ctx, epoch); err != nil && j.Log != nil { // engines read the topology each second in any case
			j.Log.Warn("a group does not know the new epoch", "group", g.ID(), "epoch", epoch, "err", err)
		}
	}
	j.OnStep(next.weight, next.pilots)
	return nil
}

// write is one try at an epoch above all groups'. tried is the epoch of the last try,
// whose answer was lost: it may be in force.
func (j *joining) write(ctx context.Context, next place, tried int64) (epoch int64, err error) {
	now, err := j.group.Info(ctx)
	switch {
	case err != nil:
		return tried, fmt.Errorf("read its weight: %w", err)
	case tried > 0 && now.Epoch >= tried && placeOf(now).is(next):
		return now.Epoch, nil
	case !placeOf(now).is(j.last):
		return tried, fmt.Errorf("%w: it is %s, and was %s", ErrChanged, placeOf(now), j.last)
	}
	epoch = now.Epoch
	for _, g := range j.others {
		if info, err := g.Info(ctx); err == nil { // what matters is that this group's own epoch rises
			epoch = max(epoch, info.Epoch)
		}
	}
	epoch++
	if len(next.pilots) > 0 {
		return epoch, j.group.SetPilots(ctx, next.weight, next.pilots, epoch, j.Now())
	}
	return epoch, j.group.SetWeight(ctx, next.weight, next.state, epoch, j.Now())
}
