package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"paytool/internal/order"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// The steps of both ways. A lifted fence lies on both.
var (
	forth = []move.Step{move.Drain, move.Copy, move.Follow, move.Verify, move.Fence, move.LastChanges, move.VerifyChanged, move.Unfence, move.Switch, move.ReverseWindow}
	back  = []move.Step{move.ReverseWindow, move.FenceBack, move.LastBack, move.VerifyBack, move.Unfence, move.SwitchBack, move.Discard, move.Refill}
)

// killer kills the tool with -9 while it is in a step, and sees to it that all steps
// have their share.
type killer struct {
	world    *world
	journals *journals
	took     map[move.Step]time.Duration // the last time that it came to its end

	slack int // by how many kills a step may be ahead of one on the other way

	aimed    map[move.Step]int // kills that were meant for a step
	in       map[move.Step]int // that met it
	between  map[move.Step]int // that came when it was done and the next one not begun
	unread   int               // that came when no move was open any more
	reversed int               // after which the move was taken back, before its switch
	resumed  int
	ahead    int64 // most orders that a copy had behind its checkpoint
	copies   int   // kills in a copy, each of which was looked at for that
}

func (w *world) newKiller() (*killer, error) {
	j, err := w.openJournals()
	return &killer{
		world: w, journals: j, took: map[move.Step]time.Duration{}, slack: 1,
		aimed: map[move.Step]int{}, in: map[move.Step]int{}, between: map[move.Step]int{},
	}, err
}

// run goes there and back until there were enough kills, and stays shrunk.
func (k *killer) run(ctx context.Context) error {
	w := k.world
	for round := 1; w.killed < w.kills; round++ {
		began, before := time.Now(), w.killed
		if err := k.there(ctx, w.kills); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if w.killed < w.kills {
			if err := k.drive(ctx, w.kills, "shard", "reverse", "--yes", "-o", "json"); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		if w.killed == before {
			k.slack++ // a step was over each time before it was seen
		}
		fmt.Printf("round %d: %s, %d kills\n", round, time.Since(began).Round(time.Second), w.killed)
	}
	if err := k.journals.look(ctx); err != nil {
		return err
	}
	if len(k.journals.open) > 0 {
		return nil // it is shrunk
	}
	return k.there(ctx, 0)
}

// there shrinks. One of six kills before the switch is followed by the way back, and
// the shrink is begun anew.
func (k *killer) there(ctx context.Context, until int) error {
	args := []string{"shard", "shrink", "--to", fmt.Sprint(k.world.to), "--yes", "-o", "json"}
	for {
		killed, err := k.attempt(ctx, until, args)
		if err != nil || !killed {
			return err
		}
		early := !slices.ContainsFunc(k.journals.open, func(st mover.Standing) bool { return st.State.Switched })
		switch {
		case len(k.journals.open) == 0: // it had not begun
		case early && k.world.rand.IntN(6) == 0:
			k.reversed++
			if err := k.drive(ctx, until, "shard", "reverse", "--yes", "-o", "json"); err != nil {
				return err
			}
			args = []string{"shard", "shrink", "--to", fmt.Sprint(k.world.to), "--yes", "-o", "json"}
		default:
			args = []string{"shard", "continue", "-o", "json"}
			k.resumed++
		}
	}
}

// drive runs a command that takes moves back or retires them, and goes on after each
// kill. A word that not all of them have heard is said again, but for that to reverse,
// which is meant for the whole plan.
func (k *killer) drive(ctx context.Context, until int, args ...string) error {
	word := args
	for {
		killed, err := k.attempt(ctx, until, args)
		if err != nil || !killed {
			return err
		}
		reversing, deaf := false, false
		for _, st := range k.journals.open {
			reversing = reversing || st.State.Reversing
			deaf = deaf || !st.State.Consented
		}
		switch {
		case len(k.journals.open) == 0:
			return nil // killed when all was done
		case reversing || !deaf:
			args = []string{"shard", "continue", "-o", "json"}
		default:
			args = word
		}
		k.resumed++
	}
}

// attempt runs a command once, and kills it in one of its steps if there are to be
// more kills. One that was refused for a moment is run again.
func (k *killer) attempt(ctx context.Context, until int, args []string) (killed bool, err error) {
	w := k.world
	for tries := 0; ; {
		var out []byte
		if w.killed < until {
			out, killed, err = k.runAndKill(ctx, args)
		} else {
			out, err = w.paytool(ctx, args...)
		}
		switch {
		case killed:
			return true, k.count(ctx)
		case err == nil:
			return false, w.note(out)
		case tries < patience && w.momentary(out, err):
			tries++
		default:
			return false, err
		}
		if err := (order.System{}).Sleep(ctx, time.Second); err != nil {
			return false, err
		}
	}
}

// runAndKill runs a command and kills it a random time after a step was begun that has
// had no more kills than any that is still to come.
func (k *killer) runAndKill(ctx context.Context, args []string) (out []byte, killed bool, err error) {
	cmd := k.world.command(ctx, args...)
	var said, failed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &failed
	watching, stop := context.WithCancel(ctx)
	defer stop()
	if err := k.journals.look(ctx); err != nil {
		return nil, false, err
	}
	if err := cmd.Start(); err != nil {
		return nil, false, fmt.Errorf("start paytool %v: %w", args, err)
	}
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		k.world.cpu.ended(cmd)
		ended <- err
		stop()
	}()
	before := map[string]int{}
	for _, st := range k.journals.open {
		before[st.Run.ID] = len(st.Journal)
	}
	followErr := k.journals.follow(watching, func(st mover.Standing) bool {
		k.learn(st)
		if len(st.Journal) == before[st.Run.ID] || !k.wanted(st) {
			return false
		}
		k.aimed[st.State.Step]++
		if (order.System{}).Sleep(watching, k.within(st.State.Step)) == nil {
			killed = cmd.Process.Kill() == nil
		}
		return true
	})
	err = <-ended
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() >= 0 {
		killed = false // by itself, with a status
	}
	if err != nil {
		err = fmt.Errorf("paytool %v: %w\n%s%s", args, err, said.Bytes(), failed.Bytes()[max(0, failed.Len()-2000):])
	}
	return said.Bytes(), killed && err != nil, errors.Join(followErr, err)
}

// within is a random part of the time that a step takes.
func (k *killer) within(s move.Step) time.Duration {
	took, ok := k.took[s]
	if !ok {
		took = 100 * time.Millisecond
		if s.Holds() {
			took = 8 * time.Millisecond
		}
	}
	if took < 50*time.Millisecond && k.world.rand.IntN(2) == 0 {
		return 0 // to see the journal takes a part of that already
	}
	return time.Duration(k.world.rand.Int64N(int64(max(took, time.Millisecond))))
}

// learn keeps how long the steps of a run take.
func (k *killer) learn(st mover.Standing) {
	for _, t := range move.Timeline(st.Journal) {
		if t.Mark == move.Done {
			k.took[t.Step] = min(t.Took(), 2*time.Second)
		}
	}
}

// wanted reports whether the step that a run is in has had no more kills than each
// that is still to come, nor many more than those of the other way.
func (k *killer) wanted(st mover.Standing) bool {
	s := st.State
	if !s.Open {
		return false
	}
	way := forth
	switch {
	case s.Consented:
		return s.Step == move.Retire || k.world.rand.IntN(4) == 0 // the comparison before it
	case s.Reversing:
		way = back
	}
	here := k.aimed[s.Step]
	at := slices.Index(way, s.Step)
	for _, other := range way[max(at, 0):] {
		if other != move.Unfence && k.aimed[other] < here { // that comes only after a kill
			return false
		}
	}
	for _, other := range slices.Concat(forth, back) {
		if other != move.Unfence && k.aimed[other]+k.slack < here {
			return false
		}
	}
	return true
}

// count counts where a kill has met the move, by what the journal says, and looks how
// far a copy is ahead of its checkpoint.
func (k *killer) count(ctx context.Context) error {
	k.world.killed++
	if err := k.journals.look(ctx); err != nil {
		return err
	}
	st, ok := k.journals.newest()
	switch {
	case !ok:
		k.say("all was over")
		k.unread++
		return nil
	case !st.State.Open:
		k.say("%s of %s was done", st.State.Step, st.Run.ID)
		k.between[st.State.Step]++
		return nil
	}
	k.say("in %s of %s", st.State.Step, st.Run.ID)
	k.in[st.State.Step]++
	if st.State.Step != move.Copy {
		return nil
	}
	n, most, err := k.journals.ahead(ctx, st)
	if err != nil {
		return err
	}
	k.copies++
	k.ahead = max(k.ahead, n)
	if n > most {
		return fmt.Errorf("killed in the copy of move %s: group %d has %d orders behind the checkpoint, and one chunk is at most %d", st.Run.ID, st.Run.Target, n, most)
	}
	return nil
}

// say tells of one kill.
func (k *killer) say(where string, args ...any) {
	fmt.Printf("%s kill %d: %s\n", time.Now().Format("15:04:05.000"), k.world.killed, fmt.Sprintf(where, args...))
}

func (k *killer) print() {
	fmt.Printf("%-22s %8s %8s %8s\n", "kill -9 of the tool", "aimed at", "met in", "after")
	total, met := 0, 0
	for _, s := range slices.Compact(slices.Concat(forth, back[1:4], back[5:], []move.Step{move.Retire})) {
		fmt.Printf("%-22s %8d %8d %8d\n", s, k.aimed[s], k.in[s], k.between[s])
		total, met = total+k.in[s]+k.between[s], met+k.in[s]
	}
	fmt.Printf("%d kills met an open move, %d of them in a step, %d found all of it over; %d were resumed, %d reversed before the switch\n", total, met, k.unread, k.resumed, k.reversed)
	fmt.Printf("%d kills in a copy: at most %d orders were behind the checkpoint, all of one chunk\n", k.copies, k.ahead)
}
