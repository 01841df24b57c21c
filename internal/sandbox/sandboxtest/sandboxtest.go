// Package sandboxtest gives a test real MariaDB groups of its own and takes
// them away afterwards. It decides what happens where MariaDB is missing; how
// groups run is package sandbox's business.
package sandboxtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"paytool/internal/sandbox"
)

// NoMariaDB is the environment variable that, set to 1, leaves out the tests that
// need MariaDB. Without it they fail where MariaDB is missing: a suite that
// silently left out its database would look green.
const NoMariaDB = "PAYTOOL_TEST_NO_MARIADB"

// Need lets the test go on only where MariaDB is installed.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(NoMariaDB) == "1" {
		t.Skipf("NOT TESTED on MariaDB: %s=1", NoMariaDB)
	}
	err := sandbox.Available()
	if err == nil {
		return
	}
	t.Fatalf("this test needs MariaDB: %v; to leave such tests out, set %s=1", err, NoMariaDB)
}

// Dir returns an empty directory that the servers' user can reach and whose
// path is short enough for sockets, which t.TempDir does not promise. A
// sandbox in it is stopped and all is removed when the test ends.
func Dir(t testing.TB) string {
	t.Helper()
	Need(t)
	dir, err := os.MkdirTemp("/tmp", "pt-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { clean(t, dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the user mysql has to pass
		t.Fatal(err)
	}
	return dir
}

// Start brings up a sandbox of its own for this test, with the default number
// of replicas in each group. Its directory is the folder of Status.Config.
func Start(t testing.TB, groups int) *sandbox.Status {
	t.Helper()
	dir := Dir(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	st, err := sandbox.Up(ctx, sandbox.Options{Dir: dir, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func clean(t testing.TB, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := os.Stat(filepath.Join(dir, ".paytool-sandbox")); err == nil {
		if err := sandbox.Down(ctx, dir, true); err != nil {
			t.Errorf("clean up: %v", err)
			return // its servers may still run on these files
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Errorf("clean up: %v", err)
	}
}
