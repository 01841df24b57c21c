package rig

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// The tool beats on a pipe; a watchdog that hears nothing for silence undoes. Both
// are far above what a busy machine delays, and below what a group's users bear.
const (
	beatEvery = 500 * time.Millisecond
	silence   = 5 * time.Second
	armedIn   = 10 * time.Second
)

const armed = "armed\n"

// dog is the tool's side of its watchdog.
type dog struct {
	cmd   *exec.Cmd
	pipe  io.WriteCloser
	ended chan struct{} // closed when the watchdog has ended
	stop  context.CancelFunc
	beats sync.WaitGroup
}

// startDog starts a watchdog in a session of its own, so that neither a Ctrl-C nor
// the end of the terminal reaches it, and waits until it says that it is armed.
func startDog(ctx context.Context, cmd *exec.Cmd) (*dog, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the watchdog: %w", err)
	}
	bctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	d := &dog{cmd: cmd, pipe: pipe, ended: make(chan struct{}), stop: stop}
	answer := make(chan error, 1)
	d.beats.Go(func() {
		line, err := bufio.NewReader(said).ReadString('\n')
		if line != armed {
			err = errors.Join(fmt.Errorf("it said %q", line), err)
		}
		answer <- err
		_ = cmd.Wait() // how it ended does not matter: without it nothing is held
		close(d.ended)
	})
	d.beats.Go(func() { d.beat(bctx) })
	t := time.NewTimer(armedIn)
	defer t.Stop()
	select {
	case err = <-answer:
		if err == nil {
			return d, nil
		}
	case <-t.C:
		err = errors.New("it does not get ready")
	case <-ctx.Done():
		err = ctx.Err()
	}
	d.end(false)
	return nil, fmt.Errorf("arm the watchdog: %w", err)
}

func (d *dog) beat(ctx context.Context) {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		if _, err := d.pipe.Write([]byte{'.'}); err != nil {
			return // it has ended, which is noticed elsewhere
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// endsIn is how long a watchdog may take to end by itself.
const endsIn = 5 * time.Second

// end lets the watchdog go. Where the journal is clean it ends by itself at the end
// of the pipe; where it is not, a person decides, and the watchdog must not end the
// process that tells them.
func (d *dog) end(clean bool) {
	if d == nil {
		return
	}
	d.stop()
	kill := func() { _ = d.cmd.Process.Kill() } // fails where it has ended
	if !clean {
		kill()
	}
	_ = d.pipe.Close() // as above
	late := time.AfterFunc(endsIn, kill)
	defer late.Stop()
	d.beats.Wait()
}

// Watching is what a watchdog needs.
type Watching struct {
	Journal string
	World   World
	In      io.Reader // the pipe from the tool
	Out     io.Writer // where it says that it is armed
	Now     func() time.Time
	// Silence is how long the tool may be silent (5 s). Again is the pause before the
	// watchdog tries again to undo, and Patience how long it tries.
	Silence, Again, Patience time.Duration
}

// Watch is a watchdog's life: it says that it is armed and waits for the end of the
// pipe, silence on it, or the TTL. Then, if the journal is dirty, it ends the tool,
// which cannot be relied on any more, and takes back what the journal says.
func Watch(ctx context.Context, w Watching) error {
	j, err := ReadJournal(w.Journal)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w.Out, armed); err != nil {
		return fmt.Errorf("tell that the watchdog is armed: %w", err)
	}
	if w.Silence == 0 {
		w.Silence = silence
	}
	reason := listen(ctx, w.In, j.Header.TTL(), w.Silence)
	if j, err = ReadJournal(w.Journal); err != nil || j.Clean != nil {
		return err
	}
	if err := endTool(ctx, w.World, j.Header.Tool); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	for {
		_, err := takeBack(ctx, w.World, w.Now, w.Journal, "watchdog: "+reason)
		if err == nil {
			return nil
		}
		pause := time.NewTimer(w.Again)
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
}

// listen returns why the watchdog has to act.
func listen(ctx context.Context, in io.Reader, ttl, silence time.Duration) string {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	beats := make(chan struct{})
	go func() { // cannot be awaited: it may be in a read that ends with the pipe
		defer close(beats)
		buf := make([]byte, 64)
		for {
			if _, err := in.Read(buf); err != nil {
				return
			}
			select {
			case beats <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	end := time.NewTimer(ttl)
	defer end.Stop()
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case _, ok := <-beats:
			if !ok {
				return "the drill's process has ended"
			}
			quiet.Reset(silence)
		case <-quiet.C:
			return "the drill's process is silent"
		case <-end.C:
			return "the TTL is over"
		case <-ctx.Done():
			return "the watchdog was told to end"
		}
	}
}

func endTool(ctx context.Context, w World, tool Identity) error {
	if err := w.Signal(tool, syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end the drill's process %d: %w", tool.PID, err)
	}
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	return until(ctx, func(context.Context) error {
		if w.State(tool) != Ended {
			return fmt.Errorf("the drill's process %d does not end", tool.PID)
		}
		return nil
	})
}
