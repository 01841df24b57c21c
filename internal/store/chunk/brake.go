package chunk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// FlagFile holds while a file exists: touch it, and the move waits.
type FlagFile string

// Hold looks for the file.
func (f FlagFile) Hold(context.Context) (string, error) {
	_, err := os.Stat(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the flag file: %w", err)
	}
	return fmt.Sprintf("the flag file %s exists: remove it to go on", string(f)), nil
}

// Window holds outside a time of day. From and To are offsets from midnight in the
// zone of Now's answer; To before From is a window over midnight.
type Window struct {
	From, To time.Duration
	Now      func() time.Time
}

// Hold looks at the clock.
func (w Window) Hold(context.Context) (string, error) {
	now := w.Now()
	day := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute + time.Duration(now.Second())*time.Second
	in := day >= w.From && day < w.To
	if w.To < w.From {
		in = day >= w.From || day < w.To
	}
	if in {
		return "", nil
	}
	return fmt.Sprintf("it is %s, outside the window from %s to %s", now.Format("15:04"), w.From, w.To), nil
}

// Threads holds while a server runs more statements at a time than Most. An embedded
// group, which has no such figure, never holds.
type Threads struct {
	Side *Side
	Most int
}

// Hold asks the server.
func (t Threads) Hold(ctx context.Context) (string, error) {
	if !t.Side.hashes {
		return "", nil
	}
	var name string
	var running int
	err := t.Side.db().QueryRowContext(ctx, "SHOW GLOBAL STATUS LIKE 'Threads_running'").Scan(&name, &running)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("count the running threads on %s: %w", t.Side.Name, err)
	}
	if running <= t.Most {
		return "", nil
	}
	return fmt.Sprintf("%d statements run on %s at a time, at most %d are allowed while rows move", running, t.Side.Name, t.Most), nil
}

// Lag holds while a figure of time is too high: the lag of a replica, or a quantile of
// how long creates take. Ask gives it.
type Lag struct {
	What string // "g1/replica1 is behind by"
	Most time.Duration
	Ask  func(ctx context.Context) (time.Duration, error)
}

// Hold asks for the figure.
func (l Lag) Hold(ctx context.Context) (string, error) {
	now, err := l.Ask(ctx)
	if err != nil {
		return "", fmt.Errorf("%s: %w", l.What, err)
	}
	if now <= l.Most {
		return "", nil
	}
	return fmt.Sprintf("%s %s, at most %s is allowed while rows move", l.What, now, l.Most), nil
}
