package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func tempLayout(t *testing.T) layout {
	t.Helper()
	l, err := resolve(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestForeignDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	touch(t, l.in("thesis.tex"))
	if err := checkOurs(l); err == nil || !strings.Contains(err.Error(), "thesis.tex") {
		t.Errorf("up: %v, want a refusal naming the file", err)
	}
	for _, purge := range []bool{false, true} {
		if err := Down(t.Context(), string(l), purge); !errors.Is(err, ErrNoSandbox) {
			t.Errorf("down, purge %v: %v, want %v", purge, err, ErrNoSandbox)
		}
	}
	entries, err := os.ReadDir(string(l))
	if err != nil || len(entries) != 1 {
		t.Errorf("directory now holds %v, %v: want it untouched", entries, err)
	}
	if _, err := Inspect(t.Context(), l.in("nowhere")); !errors.Is(err, ErrNoSandbox) {
		t.Errorf("inspect of a missing directory: %v, want %v", err, ErrNoSandbox)
	}
}

func TestRemoveSparesOthersFiles(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	outside := t.TempDir()
	touch(t, filepath.Join(outside, "precious"))
	for _, dir := range []string{"g1/primary/data", ".template/data", "g1x", "groups"} {
		if err := os.MkdirAll(l.in(dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{l.marker(), l.lock(), l.config(), l.configBackup(), l.in("g1/primary.cnf"), l.in("ledger.jsonl")} {
		touch(t, path)
	}
	if err := os.Symlink(outside, l.in("g2")); err != nil {
		t.Fatal(err)
	}
	if err := remove(l); err != nil {
		t.Fatal(err)
	}
	var left []string
	entries, err := os.ReadDir(string(l))
	for _, e := range entries {
		left = append(left, e.Name())
	}
	if want := []string{"g1x", "groups", "ledger.jsonl"}; err != nil || !slices.Equal(left, want) {
		t.Errorf("left %v, %v, want %v", left, err, want)
	}
	if _, err := os.Stat(filepath.Join(outside, "precious")); err != nil {
		t.Errorf("a link led the purge outside: %v", err)
	}
}

func TestResolveFollowsLinks(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	if err := os.Mkdir(l.in("real"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", l.in("link")); err != nil {
		t.Fatal(err)
	}
	got, err := resolve(l.in("link/not/yet"))
	if want := layout(l.in("real/not/yet")); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestCheckSockets(t *testing.T) {
	t.Parallel()
	room := maxSocket - len("/g99/replica9/mysql.sock")
	for _, tt := range []struct {
		name string
		len  int
		ok   bool
	}{{"fits", room, true}, {"one too long", room + 1, false}} {
		l := layout("/" + strings.Repeat("d", tt.len-1))
		if err := l.checkSockets(); (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestLockIsExclusive(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	release, err := lock(l)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lock(l); !errors.Is(err, ErrBusy) {
		t.Errorf("second lock: %v, want %v", err, ErrBusy)
	}
	release()
	release, err = lock(l)
	if err != nil {
		t.Fatalf("lock after release: %v", err)
	}
	release()
}

func TestCheckPathNamesTheBar(t *testing.T) {
	t.Parallel()
	top, err := os.MkdirTemp("/tmp", "pt-") // t.TempDir has a closed folder of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	closed := filepath.Join(top, "closed")
	if err := errors.Join(os.Chmod(top, 0o755), os.MkdirAll(filepath.Join(closed, "below"), 0o755), os.Chmod(closed, 0o700)); err != nil {
		t.Fatal(err)
	}
	stranger := account{uid: 4_000_001, gid: 4_000_001}
	err = stranger.checkPath(filepath.Join(closed, "below", "missing"))
	if err == nil || !strings.Contains(err.Error(), "folder "+closed+" cannot be entered") {
		t.Errorf("got %v, want a refusal naming %s", err, closed)
	}
	if err := stranger.checkPath(filepath.Join(top, "missing")); err != nil {
		t.Errorf("open folders: %v", err)
	}
	touch(t, filepath.Join(top, "file"))
	if err := stranger.checkPath(filepath.Join(top, "file")); err == nil {
		t.Error("a file passes for a directory")
	}
	info, err := os.Stat(closed)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("permissions became %v, %v: they are the owner's", info.Mode(), err)
	}
}

func TestCheckRefusesOthersSandbox(t *testing.T) {
	t.Parallel()
	err := account{uid: 4_000_001, gid: 4_000_001}.check("/")
	if err == nil {
		t.Error("a sandbox of another user passes")
	}
}

func TestMaySearch(t *testing.T) {
	t.Parallel()
	const uid, gid = 7, 8
	tests := []struct {
		name     string
		account  account
		mode     uint32
		uid, gid uint32
		want     bool
	}{
		{"owner may", account{uid, gid}, 0o100, uid, 1, true},
		{"owner may not though others may", account{uid, gid}, 0o011, uid, gid, false},
		{"group may", account{uid, gid}, 0o010, 1, gid, true},
		{"group may not though others may", account{uid, gid}, 0o001, 1, gid, false},
		{"others may", account{uid, gid}, 0o001, 1, 1, true},
		{"others may only read", account{uid, gid}, 0o774, 1, 1, false},
		{"root always", account{0, 0}, 0, uid, gid, true},
	}
	for _, tt := range tests {
		if got := tt.account.maySearch(tt.mode, tt.uid, tt.gid); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}

func TestWriteFileReplacesWhole(t *testing.T) {
	t.Parallel()
	path := tempLayout(t).config()
	for _, text := range []string{"a long first text", "short"} {
		if err := writeFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != text {
			t.Errorf("read back %q, %v, want %q", got, err, text)
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(path, &st); err != nil || st.Mode&0o777 != 0o600 {
		t.Errorf("mode %o, %v, want 600", st.Mode&0o777, err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Error(cmp.Diff([]string(nil), left))
	}
}
