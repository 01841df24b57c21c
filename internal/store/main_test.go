package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/store/embedded"
)

// real is the one sandbox of this package's tests: one group. Tests on it do not
// run in parallel; each leaves it healthy.
var real struct {
	once sync.Once
	dir  string
	err  error
	// migrated: the database has every table. Emptying them is much faster than
	// migrating again.
	migrated bool
}

func TestMain(m *testing.M) {
	code := m.Run()
	if real.dir != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := sandbox.Down(ctx, real.dir, true); err != nil {
			fmt.Fprintln(os.Stderr, "clean up:", err)
			code = max(code, 1)
		}
		cancel()
		_ = os.RemoveAll(real.dir)
	}
	os.Exit(code)
}

func startSandbox() error {
	real.once.Do(func() {
		if real.dir, real.err = os.MkdirTemp("/tmp", "pt-store-"); real.err != nil {
			return
		}
		if real.err = os.Chmod(real.dir, 0o755); real.err != nil {
			return
		}
		real.err = healSandbox(1)
	})
	return real.err
}

// healSandbox restarts, thaws and reconnects what a test broke.
func healSandbox(groups int) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err := sandbox.Up(ctx, sandbox.Options{Dir: real.dir, Groups: groups, Replicas: 2})
	return err
}

// bed is an empty group 1 for one test: on real servers, or a file.
type bed struct {
	t      testing.TB
	cfg    Config
	nodes  []sandbox.Node   // primary, replica, replica; none of a file
	file   *embedded.Server // nil of real servers
	group  *Group           // opened and prepared
	roots  map[int]*sql.DB
	schema string // before a table's name in what root is asked
	read   order.Source
}

func newBed(t testing.TB) *bed {
	t.Helper()
	b := newSandboxBed(t)
	if real.migrated {
		b.empty()
	} else {
		b.drop()
	}
	b.group = b.open()
	if err := b.group.Prepare(b.ctx(), 100); err != nil {
		t.Fatal(err)
	}
	real.migrated = true
	return b
}

// empty deletes all rows, and what a test recorded of later versions.
func (b *bed) empty() {
	b.t.Helper()
	tx, err := b.root(0).BeginTx(b.ctx(), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	defer tx.Rollback()
	tables := slices.Clone(localTables)
	for _, m := range MovingTables {
		tables = append(tables, m.Name)
	}
	for _, name := range tables {
		where := ""
		if name == "schema_version" {
			where = fmt.Sprintf(" WHERE version>%d", schemaVersion)
		}
		if _, err := tx.ExecContext(b.ctx(), "DELETE FROM pay."+name+where); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		b.t.Fatal(err)
	}
}

// newBareBed is a bed whose database has no tables yet.
func newBareBed(t testing.TB) *bed {
	t.Helper()
	b := newSandboxBed(t)
	b.drop()
	return b
}

func newSandboxBed(t testing.TB) *bed {
	t.Helper()
	sandboxtest.Need(t)
	if err := startSandbox(); err != nil {
		t.Fatal(err)
	}
	b := &bed{t: t, cfg: realConfig(t), roots: map[int]*sql.DB{}, schema: "pay."}
	b.inspect()
	return b
}

func (b *bed) drop() {
	b.t.Helper()
	real.migrated = false
	for _, s := range []string{"DROP DATABASE IF EXISTS pay", "CREATE DATABASE pay CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"} {
		b.exec(0, s)
	}
}

// realConfig reads the group's DSNs from the sandbox's configuration.
func realConfig(t testing.TB) Config {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(real.dir, "paytool.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type node struct {
		DSN        string `yaml:"dsn"`
		MonitorDSN string `yaml:"monitor_dsn"`
	}
	var file struct {
		Groups []struct {
			Primary  node   `yaml:"primary"`
			Replicas []node `yaml:"replicas"`
		} `yaml:"groups"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	g := file.Groups[0]
	cfg := Config{Group: 1, Primary: Node(g.Primary)}
	for _, r := range g.Replicas {
		cfg.Replicas = append(cfg.Replicas, Node(r))
	}
	return cfg
}

func (b *bed) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	b.t.Cleanup(cancel)
	return ctx
}

func (b *bed) open() *Group {
	b.t.Helper()
	g, err := Open(b.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := g.Close(); err != nil {
			b.t.Error(err)
		}
	})
	return g
}

func (b *bed) inspect() {
	b.t.Helper()
	st, err := sandbox.Inspect(b.ctx(), real.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	b.nodes = nil
	for _, n := range st.Nodes {
		if n.Group == 1 {
			b.nodes = append(b.nodes, n)
		}
	}
}

// root is the administrator's way into a node, beside the group's own.
func (b *bed) root(node int) *sql.DB {
	b.t.Helper()
	if db := b.roots[node]; db != nil {
		return db
	}
	db, err := b.nodes[node].Admin()
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = db.Close() })
	b.roots[node] = db
	return db
}

func (b *bed) exec(node int, query string, args ...any) {
	b.t.Helper()
	if _, err := b.root(node).ExecContext(b.ctx(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

// healAfter makes the sandbox healthy again when the test ends.
func (b *bed) healAfter() {
	b.t.Cleanup(func() {
		if err := healSandbox(0); err != nil {
			b.t.Errorf("heal the sandbox: %v", err)
		}
	})
}

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

var t0 = time.Date(2026, 3, 1, 10, 0, 0, 0, pay.Beijing)

// number makes an order number of group 1, numbered within t0's second.
func number(t testing.TB, sequence int) pay.OrderNo { return taggedNumber(t, sequence, 1) }

func taggedNumber(t testing.TB, sequence int, tag pay.Tag) pay.OrderNo {
	t.Helper()
	no, err := pay.NewOrderNo(t0, 7, sequence, tag, 1)
	if err != nil {
		t.Fatal(err)
	}
	return no
}

func newOrder(t testing.TB, sequence int) order.Order {
	return order.Order{
		No: number(t, sequence), Key: pay.Key{MerchantID: "m1", MerchantOrderNo: fmt.Sprintf("k%05d", sequence)},
		Attempt: 1, State: pay.Created, Amount: 1250, Channel: "wechat", Subject: "咖啡",
		Created: t0, Updated: t0, Version: 1, OpID: fmt.Sprintf("op%d", sequence), Group: 1,
	}
}

// write runs a transaction as the engine does: lock the tag, f, commit.
func write(ctx context.Context, g *Group, f func(tx order.Tx) error) error {
	tx, err := g.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, _, err := tx.LockTag(ctx, pay.Tag(g.ID()), pay.Key{}); err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit(ctx)
}

func insert(ctx context.Context, g *Group, o order.Order) error {
	return write(ctx, g, func(tx order.Tx) error { return tx.InsertOrder(ctx, o) })
}

func (b *bed) insert(o order.Order) {
	b.t.Helper()
	if err := insert(b.ctx(), b.group, o); err != nil {
		b.t.Fatal(err)
	}
}
