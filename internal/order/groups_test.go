package order_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"paytool/internal/order"
	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/shard"
	"paytool/internal/store"
	"paytool/internal/store/embedded"
)

// bed is one set of three real groups that all tests of a kind share: their keys
// are drawn, so that none meets another's rows. Tests of one kind do not run in
// parallel, the two kinds do.
type bed struct {
	name   string
	async  bool // groups without replicas
	start  func(b *bed) error
	stop   func(b *bed) error
	once   sync.Once
	err    error
	dir    string
	groups []*store.Group
	dsns   []string // of their primaries
	clock  clock
}

var (
	mariadb = &bed{name: "mariadb", start: startSandbox, stop: stopSandbox}
	inside  = &bed{name: "embedded", async: true, start: startEmbedded}
	beds    = []*bed{mariadb, inside}
)

func TestMain(m *testing.M) {
	code := m.Run()
	for _, b := range beds {
		if err := b.close(); err != nil {
			fmt.Fprintf(os.Stderr, "clean up the %s groups: %v\n", b.name, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// eachKind runs a test on MariaDB and on embedded groups.
func eachKind(t *testing.T, f func(t *testing.T, b *bed)) {
	t.Helper()
	for _, b := range beds {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			b.need(t)
			f(t, b)
		})
	}
}

// need starts the groups with the first test that asks for them.
func (b *bed) need(t *testing.T) {
	t.Helper()
	if b == mariadb {
		sandboxtest.Need(t)
	}
	b.once.Do(func() {
		if b.dir, b.err = os.MkdirTemp("/tmp", "pt-order-"); b.err != nil {
			return
		}
		if b.err = os.Chmod(b.dir, 0o755); b.err == nil { // the user mysql has to pass
			b.err = b.start(b)
		}
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
}

func (b *bed) close() error {
	if b.dir == "" {
		return nil
	}
	var errs []error
	for _, g := range b.groups {
		errs = append(errs, g.Close())
	}
	if b.stop != nil {
		errs = append(errs, b.stop(b))
	}
	return errors.Join(append(errs, os.RemoveAll(b.dir))...)
}

// open opens a group and migrates it, so that no engine has to wait for that.
func (b *bed) open(cfg store.Config) error {
	g, err := store.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	b.groups, b.dsns = append(b.groups, g), append(b.dsns, cfg.Primary.DSN)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return g.Prepare(ctx, 100)
}

func startSandbox(b *bed) error {
	if err := healSandbox(b.dir, 3); err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(b.dir, "paytool.yaml"))
	if err != nil {
		return err
	}
	type node struct {
		DSN        string `yaml:"dsn"`
		MonitorDSN string `yaml:"monitor_dsn"`
	}
	var file struct {
		Groups []struct {
			Group    shard.GroupID `yaml:"group"`
			Primary  node          `yaml:"primary"`
			Replicas []node        `yaml:"replicas"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return err
	}
	for _, g := range file.Groups {
		cfg := store.Config{Group: g.Group, Primary: store.Node(g.Primary)}
		for _, r := range g.Replicas {
			cfg.Replicas = append(cfg.Replicas, store.Node(r))
		}
		if err := b.open(cfg); err != nil {
			return err
		}
	}
	return nil
}

// healSandbox restarts, thaws and reconnects what a test broke.
func healSandbox(dir string, groups int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := sandbox.Up(ctx, sandbox.Options{Dir: dir, Groups: groups, Replicas: 2})
	return err
}

func stopSandbox(b *bed) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return sandbox.Down(ctx, b.dir, true)
}

func startEmbedded(b *bed) error {
	set, err := embedded.Open(context.Background(), embedded.Options{Dir: filepath.Join(b.dir, "groups"), Groups: 3, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	b.stop = func(*bed) error { return set.Close() }
	for _, g := range set.Groups() {
		if err := b.open(store.Config{Group: shard.GroupID(g.Number), Primary: store.Node{DSN: g.DSN}}); err != nil {
			return err
		}
	}
	return nil
}

// node is a server of the sandbox: number 0 of a group is the primary.
func (b *bed) node(t testing.TB, g shard.GroupID, number int) sandbox.Node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	st, err := sandbox.Inspect(ctx, b.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range st.Nodes {
		if n.Group == int(g) {
			if number == 0 {
				return n
			}
			number--
		}
	}
	t.Fatalf("group %d has no such node", g)
	return sandbox.Node{}
}

// exec runs a statement as the administrator of a node.
func (b *bed) exec(t testing.TB, g shard.GroupID, number int, query string) {
	t.Helper()
	db, err := b.node(t, g, number).Admin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := db.ExecContext(ctx, query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// clock is the machine's, which a test may put forward instead of waiting. All
// engines of a bed share it.
type clock struct {
	order.System
	ahead atomic.Int64
}

func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

func (c *clock) forward(d time.Duration) { c.ahead.Add(int64(d)) }

// eventually waits for a condition, at most ten seconds.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen within ten seconds: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks, not instead of one
	}
}
