package store

import (
	"context"
	"errors"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"paytool/internal/order"
	"paytool/internal/shard"
)

var createTable = regexp.MustCompile(`CREATE TABLE IF NOT EXISTS (\w+)`)

func TestEveryTableMovesOrStays(t *testing.T) {
	t.Parallel()
	declared := slices.Clone(localTables)
	columns := map[string]string{}
	for _, m := range MovingTables {
		declared = append(declared, m.Name)
	}
	created := []string{createTable.FindStringSubmatch(versionTable)[1]}
	for _, m := range migrations {
		for _, s := range m.statements {
			if name := createTable.FindStringSubmatch(s); name != nil {
				created = append(created, name[1])
				columns[name[1]] = s
			}
		}
	}
	slices.Sort(declared)
	slices.Sort(created)
	if !slices.Equal(declared, created) {
		t.Errorf("MovingTables and localTables name %v, the schema creates %v", declared, created)
	}
	for _, m := range MovingTables {
		for _, c := range append([]string{m.Tag}, m.Key...) {
			if !strings.Contains(columns[m.Name], "\n  "+c+" ") {
				t.Errorf("table %s has no column %s", m.Name, c)
			}
		}
	}
}

func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	last := 0
	for _, m := range migrations {
		if m.version != last+1 || m.minReader > m.version || m.minReader < 1 {
			t.Errorf("migration %d after %d, min_reader %d", m.version, last, m.minReader)
		}
		last = m.version
		for _, s := range m.statements {
			s = strings.Replace(s, "DROP PRIMARY KEY, ADD PRIMARY KEY ", "", 1) // widens it, in one statement
			for _, word := range []string{"DROP ", "RENAME ", "TRUNCATE ", "DELETE "} {
				if strings.Contains(strings.ToUpper(s), word) {
					t.Errorf("migration %d takes something away from instances of the old program: %s", m.version, s)
				}
			}
		}
	}
	if last != schemaVersion {
		t.Errorf("the last migration is %d, schemaVersion %d", last, schemaVersion)
	}
}

func TestOpenRefusesADSNWithoutRepeatingIt(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"", "user:pa/ss@wo(rd", "user:secret@nowhere/pay"} {
		_, err := Open(Config{Group: 1, Primary: Node{DSN: dsn}}, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), "g1/primary") {
			t.Errorf("%q: %v, want an error that names the node", dsn, err)
			continue
		}
		if strings.Contains(err.Error(), "pa/ss") || strings.Contains(err.Error(), "secret") {
			t.Errorf("the error repeats a password: %v", err)
		}
	}
}

func TestOpenNeedsNoServer(t *testing.T) {
	t.Parallel()
	node := Node{DSN: "app:secret@tcp(127.0.0.1:1)/pay"}
	g, err := Open(Config{Group: 4, Primary: node, Replicas: []Node{node}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	_, err = g.Info(context.Background())
	var f *order.Fault
	if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != shard.Crash {
		t.Errorf("nobody listens: %v, want not committed because of a crash", err)
	}
	if s := err.Error(); strings.Contains(s, "secret") || !strings.Contains(s, "g4/primary 127.0.0.1:1") {
		t.Errorf("the error repeats the password or does not name the node: %s", s)
	}
	if s := g.Status(context.Background()); len(s.Nodes) != 2 || s.Nodes[0].Reachable() || s.Orders != -1 {
		t.Errorf("status: %+v", s)
	}
}

func TestPrepareTwiceAndAtOnce(t *testing.T) {
	t.Run("embedded", func(t *testing.T) { checkPrepareTwiceAndAtOnce(t, newBareEmbeddedBed(t)) })
	t.Run("mariadb", func(t *testing.T) { checkPrepareTwiceAndAtOnce(t, newBareBed(t)) })
}

func checkPrepareTwiceAndAtOnce(t *testing.T, b *bed) {
	ctx := b.ctx()
	first := b.open()
	var f *order.Fault
	if _, err := first.Info(ctx); !errors.As(err, &f) || f.Cause != shard.Unknown {
		t.Errorf("info of an empty database: %v, want cause unknown: it is no reason not to prepare it", err)
	}
	groups := []*Group{first, b.open(), b.open()}
	var wg sync.WaitGroup
	for _, g := range groups {
		wg.Go(func() {
			if err := g.Prepare(ctx, 70); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := first.Prepare(ctx, 30); err != nil {
		t.Error(err)
	}
	for _, g := range groups {
		info, err := g.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if info.Group != 1 || info.State != shard.GroupActive || info.Weight != 70 || info.Epoch != 1 || (info.PrimaryUID == "") != b.embedded() ||
			len(info.Claims) != 1 || info.Claims[0] != (shard.Claim{Tag: 1, Group: 1, State: shard.TagOwned, Epoch: 1}) {
			t.Errorf("got %+v; a second weight changes nothing", info)
		}
	}
}

func TestPrepareGoesOnAfterHalfAMigration(t *testing.T) {
	onEachKind(t, checkPrepareGoesOnAfterHalfAMigration)
}

func checkPrepareGoesOnAfterHalfAMigration(t *testing.T, b *bed) {
	b.exec(0, "DELETE FROM "+b.schema+"schema_version")
	b.exec(0, "DROP TABLE "+b.schema+"hops")
	if b.embedded() {
		b.exec(0, "DROP INDEX orders_tag")
	} else {
		b.exec(0, "DROP INDEX orders_tag ON pay.orders")
		b.exec(0, "ALTER TABLE pay.doubts DROP PRIMARY KEY, ADD PRIMARY KEY (order_no)") // as it was up to version 3
	}
	if err := b.group.Prepare(b.ctx(), 100); err != nil {
		t.Fatal(err)
	}
	if n := b.count("schema_version"); n != schemaVersion {
		t.Errorf("%d versions are recorded, want %d", n, schemaVersion)
	}
	if n := b.count("hops"); n != 0 {
		t.Errorf("hops has %d rows", n)
	}
	if b.embedded() {
		return
	}
	var columns int
	if err := b.root(0).QueryRowContext(b.ctx(), `SELECT COUNT(*) FROM information_schema.statistics
WHERE table_schema='pay' AND table_name='doubts' AND index_name='PRIMARY'`).Scan(&columns); err != nil || columns != 2 {
		t.Errorf("the key of doubts has %d columns, want 2; %v", columns, err)
	}
}

func TestPrepareAndTheVersionsOfOthers(t *testing.T) {
	onEachKind(t, checkPrepareAndTheVersionsOfOthers)
}

func checkPrepareAndTheVersionsOfOthers(t *testing.T, b *bed) {
	b.exec(0, "INSERT INTO "+b.schema+"schema_version VALUES (?, ?)", schemaVersion+1, schemaVersion)
	if err := b.group.Prepare(b.ctx(), 100); err != nil {
		t.Errorf("a newer schema that this program can read: %v", err)
	}
	b.exec(0, "INSERT INTO "+b.schema+"schema_version VALUES (?, ?)", schemaVersion+2, schemaVersion+1)
	err := b.group.Prepare(b.ctx(), 100)
	var f *order.Fault
	var tooNew *SchemaError
	if !errors.As(err, &f) || !errors.As(err, &tooNew) || tooNew.MinReader != schemaVersion+1 {
		t.Errorf("a schema that is too new: %v", err)
	}
}

func TestStalePrimaryIsRefused(t *testing.T) { onEachKind(t, checkStalePrimaryIsRefused) }

func checkStalePrimaryIsRefused(t *testing.T, b *bed) {
	ctx := b.ctx()
	b.insert(newOrder(t, 1))
	b.exec(0, "UPDATE "+b.schema+"group_info SET primary_uid='the promoted replica'")
	for name, call := range map[string]func(g *Group) error{
		"prepare": func(g *Group) error { return g.Prepare(ctx, 100) },
		"info":    func(g *Group) error { _, err := g.Info(ctx); return err },
	} {
		err := call(b.open())
		var f *order.Fault
		if !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != shard.StalePrimary {
			t.Errorf("%s: %v, want stale_primary", name, err)
		}
	}
	// A probe of an instance that knew the server from before asks for a reload.
	l := b.lease("h1", 5, t0)
	if a := b.probe(l, t0, t0.Unix()); !a.Changed {
		t.Errorf("probe: %+v, want changed", a)
	}
}

func TestAnotherServerBehindTheDSNIsRefused(t *testing.T) {
	onEachKind(t, checkAnotherServerBehindTheDSNIsRefused)
}

func checkAnotherServerBehindTheDSNIsRefused(t *testing.T, b *bed) {
	ctx := b.ctx()
	l := b.lease("h1", 5, t0)
	elsewhere := "what this instance learned from another server"
	b.group.primary().uid.Store(&elsewhere) // as if the name behind the DSN had been switched
	b.group.primary().db.SetMaxIdleConns(0)
	var f *order.Fault
	if _, err := b.group.Begin(ctx); !errors.As(err, &f) || f.Outcome != order.NotCommitted || f.Cause != shard.StalePrimary {
		t.Errorf("begin: %v, want stale_primary", err)
	}
	if a := b.probe(l, t0, t0.Unix()); a.Cause != shard.StalePrimary {
		t.Errorf("probe: %+v, want stale_primary", a)
	}
}

func TestAnotherGroupBehindTheDSNIsRefused(t *testing.T) {
	onEachKind(t, checkAnotherGroupBehindTheDSNIsRefused)
}

func checkAnotherGroupBehindTheDSNIsRefused(t *testing.T, b *bed) {
	b.cfg.Group = 2
	err := b.open().Prepare(b.ctx(), 100)
	var f *order.Fault
	if !errors.As(err, &f) || f.Cause != shard.StalePrimary || !strings.Contains(err.Error(), "group 1 lies behind") {
		t.Errorf("got %v, want stale_primary that names both groups", err)
	}
}

func TestEveryConnectionHasTheSameRules(t *testing.T) {
	b := newBed(t)
	b.exec(0, "SET GLOBAL sql_mode='', GLOBAL time_zone='+08:00', GLOBAL tx_isolation='REPEATABLE-READ'")
	defer b.exec(0, "SET GLOBAL sql_mode='STRICT_TRANS_TABLES', GLOBAL time_zone='+00:00', GLOBAL tx_isolation='READ-COMMITTED'")
	var isolation, zone, mode string
	var lockWait, metadataWait int
	err := b.open().primary().db.QueryRowContext(b.ctx(), "SELECT @@tx_isolation, @@time_zone, @@sql_mode, @@innodb_lock_wait_timeout, @@lock_wait_timeout").
		Scan(&isolation, &zone, &mode, &lockWait, &metadataWait)
	if err != nil {
		t.Fatal(err)
	}
	if isolation != "READ-COMMITTED" || zone != "+00:00" || !strings.Contains(mode, "STRICT_ALL_TABLES") || lockWait != 1 || metadataWait != 1 {
		t.Errorf("isolation %s, zone %s, mode %s, waits %d and %d s", isolation, zone, mode, lockWait, metadataWait)
	}
}

func TestCloseTwice(t *testing.T) { onEachKind(t, checkCloseTwice) }

func checkCloseTwice(t *testing.T, b *bed) {
	if err := b.group.Close(); err != nil {
		t.Error(err)
	}
	if _, err := b.group.Begin(b.ctx()); err == nil {
		t.Error("a closed group began a transaction")
	}
}
