package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// startTimeout bounds the start of a node, crash recovery on a busy machine
// included.
const startTimeout = 60 * time.Second

// server is where MariaDB's programs are.
type server struct {
	mariadbd, installDB string
}

func findServer(look func(name string) (string, error)) (server, error) {
	mariadbd, err1 := look("mariadbd")
	installDB, err2 := look("mariadb-install-db")
	if err1 != nil || err2 != nil {
		return server{}, ErrNoMariaDB
	}
	return server{mariadbd: mariadbd, installDB: installDB}, nil
}

// Available returns ErrNoMariaDB where Up cannot work for want of the server.
func Available() error {
	_, err := findServer(lookPath)
	return err
}

func lookPath(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return exec.LookPath("/usr/sbin/" + name) // not in everybody's PATH
}

// keep brings a node that runs back to where it answers.
func (b *box) keep(ctx context.Context, n node, p process) error {
	if p.stopped() {
		b.log.Info("thaw node", "node", n.String(), "pid", p.pid)
		if err := p.resume(); err != nil {
			return fmt.Errorf("thaw node %s: %w", n, err)
		}
	}
	err := b.awaitAnswer(ctx, n, p.pid)
	if errors.Is(err, errEnded) {
		return b.start(ctx, n) // it was killed, and not quite dead when we looked
	}
	if err != nil {
		return fmt.Errorf("wait for node %s: %w", n, err)
	}
	return nil
}

func (b *box) start(ctx context.Context, n node) error {
	if err := b.ensureData(ctx, n); err != nil {
		return fmt.Errorf("create node %s: %w", n, err)
	}
	if err := awaitPort(ctx, n.port); err != nil {
		return fmt.Errorf("start node %s: %w", n, err)
	}
	pid, err := b.launch(ctx, n)
	if err != nil {
		return fmt.Errorf("start node %s: %w", n, err)
	}
	b.log.Info("node started", "node", n.String(), "pid", pid, "port", n.port)
	if err := b.awaitAnswer(ctx, n, pid); err != nil {
		return fmt.Errorf("start node %s: %w", n, err)
	}
	return nil
}

// detach starts its arguments in the background and prints the process id. The
// shell ends at once, so that the server belongs to init and neither our end
// nor our not waiting for it leaves a zombie.
const detach = `"$@" </dev/null >>"$0" 2>&1 & echo $!`

func (b *box) launch(ctx context.Context, n node) (pid int, err error) {
	out, err := b.user.command(ctx, n.dir, "/bin/sh", "-c", detach, n.errorLog(), b.server.mariadbd,
		"--defaults-file="+n.cnf(), "--datadir="+n.dataDir(), "--tmpdir="+n.dir,
		"--socket="+n.socket(), "--pid-file="+n.pidFile()).Output()
	if err != nil {
		return 0, fmt.Errorf("launch %s: %w", b.server.mariadbd, err)
	}
	return strconv.Atoi(strings.TrimSpace(string(out)))
}

var errEnded = errors.New("mariadbd ended")

func (b *box) awaitAnswer(ctx context.Context, n node, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	db, err := openRoot(n.socket())
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // nothing was written
	err = poll(ctx, func() (bool, error) {
		if !alive(pid) {
			return false, errEnded
		}
		pingCtx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		return db.PingContext(pingCtx) == nil, nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w; the end of %s:\n%s", err, n.errorLog(), lastLines(n.errorLog(), 10))
	}
	return err
}

// lastLines returns the end of a log, or why there is none to show.
func lastLines(path string, n int) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
