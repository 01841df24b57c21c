package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"paytool/internal/order"
	"paytool/internal/sandbox"
	"slices"
	"strings"
	"syscall"
	"time"
)

// moment is some time after the tool has said a line. Steps under the fence have no
// line of their own: they follow on the end of the step before.
type moment struct {
	after  string // what the line ends in or, where something is done, has in it
	within time.Duration
}

var (
	// momentsForth and momentsBack are those of a move, and of its way back. A step may be
	// over before its time is.
	momentsForth = []moment{
		{": drain", 200 * time.Millisecond}, {": copy", 300 * time.Millisecond}, {": follow", 200 * time.Millisecond},
		{": verify", 300 * time.Millisecond}, {": verify: done", 100 * time.Millisecond}, {": verify: done", 300 * time.Millisecond},
		{": switch: done", 100 * time.Millisecond}, {": reverse window", 200 * time.Millisecond},
	}
	momentsBack = []moment{
		{": reverse window: done", 100 * time.Millisecond},
		{": reverse window: done", 300 * time.Millisecond}, {": switch back: done", 200 * time.Millisecond},
	}
)

func (m moment) met(line string) bool {
	if strings.HasSuffix(m.after, ": done") {
		return strings.Contains(line, m.after)
	}
	return strings.HasSuffix(line, m.after)
}

// during runs a command, and does something at a moment of it, which is given the line
// that was said. It reports whether the command came to its good end.
func (w *world) during(ctx context.Context, args []string, at moment, do func(cmd *exec.Cmd, line string) error) (ended bool, err error) {
	cmd := w.command(ctx, args...)
	var out bytes.Buffer
	cmd.Stdout = &out
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return false, fmt.Errorf("start paytool %v: %w", args, err)
	}
	met, done := make(chan string, 1), make(chan error, 1)
	go func() {
		for lines := bufio.NewScanner(said); lines.Scan(); {
			if at.met(lines.Text()) {
				select {
				case met <- lines.Text():
				default: // it has happened
				}
			}
		}
		err := cmd.Wait()
		w.cpu.ended(cmd)
		done <- err
	}()
	var failed error
	select {
	case err = <-done:
	case line := <-met:
		if failed = (order.System{}).Sleep(ctx, time.Duration(w.rand.Int64N(int64(at.within)))); failed == nil {
			failed = do(cmd, line)
		}
		err = <-done
	}
	if failed != nil {
		return false, failed
	}
	if err == nil {
		return true, w.note(out.Bytes())
	}
	return false, ignoreExit(err)
}

// ignoreExit lets the next process try: the lease of one that was killed lasts a moment.
func ignoreExit(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// crash kills the primary of both sides at each moment of a move and of its way back,
// and starts it again with its data. The move goes on by itself, or with the next process.
func (w *world) crash(ctx context.Context) error {
	type loss struct {
		moment
		target bool
	}
	both := func(list []moment) (losses []loss) {
		for _, m := range list {
			losses = append(losses, loss{m, false}, loss{m, true})
		}
		return losses
	}
	there, again := both(momentsForth), both(momentsBack)
	for i := range there {
		if err := w.crashDuring(ctx, []string{"shard", "shrink", "--to", fmt.Sprint(w.to), "--yes", "-o", "json"}, there[i].moment, there[i].target); err != nil {
			return err
		}
		l := again[i%len(again)]
		if err := w.crashDuring(ctx, []string{"shard", "reverse", "--yes", "-o", "json"}, l.moment, l.target); err != nil {
			return err
		}
	}
	return nil
}

const crashPatience = 2 * time.Minute // until a command comes to its end after a crash

func (w *world) crashDuring(ctx context.Context, args []string, at moment, target bool) error {
	crashed := false
	ended, err := w.during(ctx, args, at, func(_ *exec.Cmd, line string) error {
		var source, to int
		if _, err := fmt.Sscanf(line, "%d -> %d:", &source, &to); err != nil {
			return fmt.Errorf("read the groups of %q: %w", line, err)
		}
		if target {
			source = to
		}
		crashed = true
		return w.crashPrimary(ctx, source)
	})
	for giveUp := time.Now().Add(crashPatience); err == nil && !ended; {
		if err = (order.System{}).Sleep(ctx, time.Second); err != nil {
			break
		}
		var out []byte
		if out, err = w.paytool(ctx, w.onward(ctx, args)...); err == nil {
			ended, err = true, w.note(out)
		} else if time.Now().Before(giveUp) {
			err = nil
		}
	}
	fmt.Printf("primary killed %v after %q, target %t: %v\n", crashed, at.after, target, errWord(err))
	if crashed {
		w.crashed++
	}
	return err
}

func errWord(err error) string {
	if err != nil {
		return "NOT ENDED"
	}
	return "ended"
}

// onward is the command that goes on: what was not begun is begun.
func (w *world) onward(ctx context.Context, args []string) []string {
	if slices.Contains(args, "reverse") {
		return args
	}
	out, err := w.paytool(ctx, "shard", "history", "-o", "json")
	var history struct {
		Runs []struct {
			Ended bool `json:"ended"`
		} `json:"runs"`
	}
	if err != nil || json.Unmarshal(out, &history) != nil {
		return args
	}
	for _, r := range history.Runs {
		if !r.Ended {
			return []string{"shard", "continue", "-o", "json"}
		}
	}
	return args
}

func (w *world) crashPrimary(ctx context.Context, group int) error {
	status, err := sandbox.Inspect(ctx, w.sandbox())
	if err != nil {
		return err
	}
	for _, n := range status.Nodes {
		if n.Group == group && n.Role == sandbox.RolePrimary {
			if err := n.Signal(syscall.SIGKILL); err != nil {
				return err
			}
		}
	}
	_, err = sandbox.Up(ctx, sandbox.Options{Dir: w.sandbox()})
	return err
}
