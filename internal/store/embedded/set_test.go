package embedded

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/go-sql-driver/mysql"
)

func TestSecondSetConnectsAndTakesOver(t *testing.T) {
	dir := t.TempDir()
	first, second := openSet(t, Options{Dir: dir, Groups: 2, Sync: Normal}), openSet(t, Options{Dir: dir, Sync: Normal})
	if !first.Serving() || second.Serving() || first.Server(2) == nil || first.Server(3) != nil || second.Server(1) != nil {
		t.Fatal("the first Set serves and the second one does not")
	}
	if n := len(second.Groups()); n != 2 {
		t.Fatalf("the second Set has %d groups, want 2", n)
	}
	privateFiles(t, dir)
	db := connect(t, second.Groups()[1].DSN)
	exec(t, db, strictTable)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the second Set takes over", func() bool {
		_, err := db.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('a')")
		return err == nil
	})
	if !second.Serving() {
		t.Error("the second Set answered without serving")
	}
	if _, err := first.Dial(testContext(t), 1); !errors.Is(err, errClosed) {
		t.Errorf("dial through a closed Set: %v", err)
	}
	privateFiles(t, dir)
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"endpoint.json", "group-2/orders.db-wal"} {
		if _, err := os.Stat(filepath.Join(dir, gone)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s after the last Set was closed: %v", gone, err)
		}
	}
}

func TestGroupsAndPasswordStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b@c%(1)?#")
	password := func(opts Options, groups int) string {
		t.Helper()
		opts.Dir = dir
		s, err := Open(testContext(t), opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		if n := len(s.Groups()); n != groups {
			t.Errorf("%d groups, want %d", n, groups)
		}
		db := connect(t, s.Groups()[groups-1].DSN)
		if err := db.PingContext(testContext(t)); err != nil {
			t.Errorf("group %d: %v", groups, err)
		}
		cfg, err := mysql.ParseDSN(s.Groups()[0].DSN)
		if err != nil {
			t.Fatal(err)
		}
		return cfg.Passwd
	}
	first := password(Options{}, defaultGroups)
	if again := password(Options{}, defaultGroups); again != first || len(first) < 32 {
		t.Error("the password changed, or is short")
	}
	password(Options{Groups: 6}, 6)
	password(Options{}, 6)
	if _, err := Open(testContext(t), Options{Dir: dir, Groups: 5}); err == nil || !strings.Contains(err.Error(), "ask for 6") {
		t.Errorf("fewer groups than there are: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "group-3")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(testContext(t), Options{Dir: dir}); err == nil || strings.Contains(err.Error(), first) {
		t.Errorf("a group is missing: %v", err)
	}
}

func TestMoreGroupsThanAreServed(t *testing.T) {
	dir := t.TempDir()
	openSet(t, Options{Dir: dir, Groups: 1})
	if _, err := Open(testContext(t), Options{Dir: dir, Groups: 2}); err == nil || !strings.Contains(err.Error(), "serves 1 of them") {
		t.Errorf("got %v", err)
	}
	if _, err := Open(testContext(t), Options{}); err == nil {
		t.Error("opened no directory")
	}
}

func TestOpenWhileTheHolderServesNothing(t *testing.T) {
	dir, err := openDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	lock, err := dir.tryLock()
	if err != nil || lock == nil {
		t.Fatal(lock, err)
	}
	t.Cleanup(func() { _ = lock.Close() })
	ctx, cancel := context.WithCancel(testContext(t))
	cancel()
	if _, err := Open(ctx, Options{Dir: string(dir)}); err == nil || !strings.Contains(err.Error(), "serves nothing") {
		t.Errorf("got %v", err)
	}
}

// helperDir names the directory that a copy of the test binary writes to.
const helperDir = "PAYTOOL_TEST_EMBEDDED_DIR"

// helper serves one group and writes to it until it is killed. It prints the
// number of each row after its acknowledgement.
func helper(dir string) {
	ctx := context.Background()
	set, err := Open(ctx, Options{Dir: dir, Groups: 1, Sync: Normal})
	if err != nil {
		fmt.Println(err)
		return
	}
	db, err := sql.Open("mysql", set.Groups()[0].DSN)
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS acked (n INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */, pid BIGINT NOT NULL)"); err != nil {
		fmt.Println(err)
		return
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				r, err := db.ExecContext(ctx, "INSERT INTO acked (pid) VALUES (?)", os.Getpid())
				if err != nil {
					fmt.Println(err)
					return
				}
				n, _ := r.LastInsertId()
				fmt.Println(n)
			}
		})
	}
	wg.Wait()
}

// startHelper runs a helper. The returned function reads acknowledged rows until
// there are some, kills the helper and returns all that it has printed.
func startHelper(t *testing.T, dir string) (kill func() []int) {
	t.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), helperDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	lines := bufio.NewScanner(out)
	var rows []int
	read := func() bool {
		if !lines.Scan() {
			return false
		}
		var n int
		if _, err := fmt.Sscan(lines.Text(), &n); err != nil {
			t.Fatalf("the helper said %q", lines.Text())
		}
		rows = append(rows, n)
		return true
	}
	if !read() {
		t.Fatal("the helper wrote nothing")
	}
	return func() []int {
		for len(rows) < 50 && read() {
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for read() {
		}
		_ = cmd.Wait() // it says that it was killed
		return rows
	}
}

func readAcked(t *testing.T, db *sql.DB) map[int]bool {
	t.Helper()
	rows, err := db.QueryContext(testContext(t), "SELECT n FROM acked")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	there := map[int]bool{}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		there[n] = true
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return there
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	dir := t.TempDir()
	rounds := 20
	if testing.Short() {
		rounds = 3
	}
	var acked []int
	for range rounds {
		acked = append(acked, startHelper(t, dir)()...)
		s, err := Open(testContext(t), Options{Dir: dir, Sync: Normal})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Server(1).Check(testContext(t)); err != nil {
			t.Error(err)
		}
		db := connect(t, s.Groups()[0].DSN)
		there := readAcked(t, db)
		if err := errors.Join(db.Close(), s.Close()); err != nil {
			t.Fatal(err)
		}
		for _, n := range acked {
			if !there[n] {
				t.Fatalf("row %d was acknowledged and is gone", n)
			}
		}
	}
	t.Logf("%d rows were acknowledged in %d lives", len(acked), rounds)
}

func TestTakeOverFromAKilledProcess(t *testing.T) {
	dir := t.TempDir()
	kill := startHelper(t, dir)
	s := openSet(t, Options{Dir: dir, Sync: Normal})
	if s.Serving() {
		t.Fatal("serves beside the helper")
	}
	db := connect(t, s.Groups()[0].DSN)
	if n := count(t, db, "acked"); n == 0 {
		t.Error("the helper's rows are not there")
	}
	rows := kill()
	var n int
	eventually(t, "this process takes over", func() bool {
		return db.QueryRowContext(testContext(t), "SELECT COUNT(*) FROM acked").Scan(&n) == nil
	})
	if !s.Serving() || n < len(rows) {
		t.Errorf("serving %v, %d rows, %d were acknowledged", s.Serving(), n, len(rows))
	}
	exec(t, db, "INSERT INTO acked (pid) VALUES (0)")
}

// An endpoint of a process that is gone may name a port that is somebody else's
// by now.
func TestAStaleEndpointIsNotBelieved(t *testing.T) {
	dir, err := openDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stranger.Close() })
	if err := dir.writeEndpoint(endpoint{PID: 1, Ports: []int{stranger.Addr().(*net.TCPAddr).Port}, User: "x", Password: "y"}); err != nil {
		t.Fatal(err)
	}
	s := openSet(t, Options{Dir: string(dir), Groups: 1})
	if !s.Serving() || s.Server(1).Addr() == stranger.Addr().String() {
		t.Error("believed the endpoint")
	}
	exec(t, connect(t, s.Groups()[0].DSN), strictTable)
}
