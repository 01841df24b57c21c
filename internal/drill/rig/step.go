package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Kind says how a step is undone.
type Kind string

// The kinds.
const (
	Thaw     Kind = "thaw"     // let the process go on
	Restart  Kind = "restart"  // start the node
	Variable Kind = "variable" // put the global variable back
	Replica  Kind = "replica"  // start the thread of the replica
	Acks     Kind = "acks"     // wait until as many replicas acknowledge as before
	Process  Kind = "process"  // nothing: it ends with the tool's process
)

// Step is one thing that a drill changes, with all that is needed to undo it. To
// undo it twice does no harm.
type Step struct {
	N       int       `json:"n"` // from 1, in the order of injection
	Fault   string    `json:"fault"`
	Group   int       `json:"group"`
	Node    Node      `json:"node"`
	Kind    Kind      `json:"kind"`
	Process *Identity `json:"process,omitempty"` // Thaw: that was stopped; Restart: that was killed
	UID     string    `json:"uid,omitempty"`     // of the server, where SQL undoes it
	Name    string    `json:"name,omitempty"`    // of the variable or thread
	Prior   string    `json:"prior,omitempty"`   // what it was
}

// askTimeout bounds one question to a server: it may hang.
const askTimeout = 3 * time.Second

// undo takes the step back and says what it did.
func (s Step) undo(ctx context.Context, w World) (said string, err error) {
	switch s.Kind {
	case Thaw:
		err := w.Signal(*s.Process, syscall.SIGCONT)
		if errors.Is(err, os.ErrProcessDone) { // with whatever else befell it: it ran before the drill
			return fmt.Sprintf("%s: process %d had ended, the node runs again", s.Node.Name, s.Process.PID), w.Start(ctx, s.Node)
		}
		return fmt.Sprintf("%s: process %d goes on", s.Node.Name, s.Process.PID), err
	case Restart:
		return s.Node.Name + ": it runs", w.Start(ctx, s.Node)
	case Variable:
		return s.putBack(ctx, w)
	case Replica:
		return s.follow(ctx, w)
	case Acks:
		return s.rearm(ctx, w)
	case Process:
		return fmt.Sprintf("%s: %s ended with the process that made it", s.Node.Name, s.Fault), nil
	}
	return "", fmt.Errorf("this paytool does not know how to undo a %q; use the one that wrote the journal", s.Kind)
}

// gone measures whether the step is undone. The error says what is still there.
func (s Step) gone(ctx context.Context, w World) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	switch s.Kind {
	case Thaw:
		if w.State(*s.Process) == Stopped {
			return fmt.Errorf("process %d is still stopped", s.Process.PID)
		}
		return nil
	case Restart:
		return s.ask(ctx, w, func(Server) error { return nil })
	case Variable:
		return s.ask(ctx, w, func(db Server) error {
			return same(s.Name, s.Prior)(db.Variable(ctx, s.Name))
		})
	case Replica:
		return s.ask(ctx, w, func(db Server) error {
			threads, err := db.Threads(ctx)
			if err == nil && !threads.runs(Thread(s.Name)) {
				err = fmt.Errorf("%s does not run", s.Name)
			}
			return err
		})
	case Acks:
		return s.ask(ctx, w, func(db Server) error { return s.acknowledged(ctx, db) })
	case Process:
		return nil
	}
	return fmt.Errorf("a %q cannot be measured", s.Kind)
}

// ByHand is what a person would do, "" where there is nothing.
func (s Step) ByHand() string {
	switch s.Kind {
	case Thaw:
		return fmt.Sprintf("kill -CONT %d", s.Process.PID)
	case Restart:
		return "paytool sandbox up --dir " + s.Node.Sandbox
	case Variable:
		return fmt.Sprintf("on %s SET GLOBAL %s=%s", s.Node.Name, s.Name, s.Prior)
	case Replica:
		return fmt.Sprintf("on %s START REPLICA %s", s.Node.Name, s.Name)
	case Acks, Process:
	}
	return ""
}

// ask connects to the step's server and makes sure that it is the same one.
func (s Step) ask(ctx context.Context, w World, f func(Server) error) (err error) {
	db, err := w.Server(ctx, s.Node)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	uid, err := db.UID(ctx)
	switch {
	case err != nil:
		return err
	case s.UID != "" && uid != s.UID:
		return fmt.Errorf("another server answers there: its uid is %q, the drill broke %q; undo it there by hand", uid, s.UID)
	}
	return f(db)
}

func (s Step) putBack(ctx context.Context, w World) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = s.ask(ctx, w, func(db Server) error {
		if same(s.Name, s.Prior)(db.Variable(ctx, s.Name)) == nil {
			return nil
		}
		return db.SetVariable(ctx, s.Name, s.Prior)
	})
	return fmt.Sprintf("%s: %s is %s", s.Node.Name, s.Name, s.Prior), err
}

func (s Step) follow(ctx context.Context, w World) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	err = s.ask(ctx, w, func(db Server) error { return db.SetThread(ctx, Thread(s.Name), true) })
	return fmt.Sprintf("%s: %s runs", s.Node.Name, s.Name), err
}

// ackTimeout is how long replicas may take to come back: they notice a lost
// primary after seconds, and redial it as their settings say.
const ackTimeout = 30 * time.Second

// rearm waits for the replicas, and turns semi-sync on where it fell back: without
// a commit it would stay off.
func (s Step) rearm(ctx context.Context, w World) (said string, err error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	err = until(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		return s.ask(ctx, w, func(db Server) error {
			err := s.acknowledged(ctx, db)
			if errors.Is(err, errFellBack) {
				return db.RearmSemisync(ctx)
			}
			return err
		})
	})
	return fmt.Sprintf("%s: %s replicas acknowledge", s.Node.Name, s.Prior), err
}

var errFellBack = errors.New("semi-sync has fallen back and is off")

func (s Step) acknowledged(ctx context.Context, db Server) error {
	want, err := strconv.Atoi(s.Prior)
	if err != nil {
		return fmt.Errorf("replicas that acknowledged before: %w", err)
	}
	// A node that follows another by now gave its place to it: promotion drills do that.
	if threads, err := db.Threads(ctx); err != nil || (threads.IO && threads.SQL) {
		return err
	}
	now, err := db.Semisync(ctx)
	switch {
	case err != nil:
		return err
	case now.Replicas < want:
		return fmt.Errorf("%d replicas acknowledge, it was %d", now.Replicas, want)
	case !now.On:
		return errFellBack
	}
	return nil
}

// same turns a read of a variable into an error unless it has the wanted value.
func same(name, want string) func(got string, err error) error {
	return func(got string, err error) error {
		if err == nil && got != want {
			err = fmt.Errorf("%s is %s, not %s", name, got, want)
		}
		return err
	}
}

const pollEvery = 50 * time.Millisecond

// until asks again and again, and returns the last error when ctx ends.
func until(ctx context.Context, ask func(ctx context.Context) error) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-tick.C:
		}
	}
}
