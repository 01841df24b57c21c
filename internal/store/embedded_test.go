package store

import (
	"database/sql"
	"testing"

	"paytool/internal/store/embedded"
)

// onEachKind runs a test on a group of real servers and on an embedded one.
func onEachKind(t *testing.T, check func(t *testing.T, b *bed)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { check(t, newEmbeddedBed(t)) })
	t.Run("mariadb", func(t *testing.T) { check(t, newBed(t)) })
}

func newEmbeddedBed(t testing.TB) *bed {
	t.Helper()
	b := newBareEmbeddedBed(t)
	b.group = b.open()
	if err := b.group.Prepare(b.ctx(), 100); err != nil {
		t.Fatal(err)
	}
	return b
}

// newBareEmbeddedBed is a bed whose file has no tables yet.
func newBareEmbeddedBed(t testing.TB) *bed {
	t.Helper()
	b := &bed{t: t}
	set, err := embedded.Open(b.ctx(), embedded.Options{Dir: t.TempDir(), Groups: 1, Sync: embedded.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	dsn := set.Groups()[0].DSN
	root, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	b.cfg = Config{Group: 1, Primary: Node{DSN: dsn}}
	b.roots, b.file = map[int]*sql.DB{0: root}, set.Server(1)
	return b
}

func (b *bed) embedded() bool { return b.file != nil }

func (b *bed) setReadOnly(on bool) {
	b.t.Helper()
	if b.embedded() {
		b.file.SetReadOnly(on)
		return
	}
	b.exec(0, "SET GLOBAL read_only=?", on)
}
