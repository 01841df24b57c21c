package sandbox_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
)

// A life is one sandbox that the steps of TestLife share, in order.
type life struct {
	dir string
	st  *sandbox.Status
}

func TestLife(t *testing.T) {
	l := &life{dir: sandboxtest.Dir(t)}
	steps := []struct {
		name string
		run  func(*testing.T, *life)
	}{
		{"up gives one healthy group", upGivesGroup},
		{"accounts have their rights and no more", accountsAreLimited},
		{"up again changes nothing", upAgainChangesNothing},
		{"a killed primary comes back on its port", killedPrimaryComesBack},
		{"one node starts alone", nodeStartsAlone},
		{"a frozen node does not hold up inspect", frozenNodeIsSeen},
		{"up undoes what drills do", upUndoesFaults},
		{"up restores semi-sync without a write", upRestoresSemiSync},
		{"up adds groups beside old ones", upAddsGroups},
		{"a second command is refused", secondCommandIsRefused},
		{"down ends even frozen nodes and keeps data", downKeepsData},
		{"purge leaves nothing", purgeLeavesNothing},
	}
	for _, step := range steps {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, l) }) {
			t.Fatal("the steps that follow build on this one")
		}
	}
}

func upGivesGroup(t *testing.T, l *life) {
	l.up(t, 1)
	if len(l.st.Nodes) != 3 {
		t.Fatalf("%d nodes, want a primary and two replicas", len(l.st.Nodes))
	}
	uids := map[string]bool{}
	for _, n := range l.st.Nodes {
		var uid string
		l.query(t, l.root(t, n), &uid, "SELECT @@server_uid")
		uids[uid] = true
	}
	if len(uids) != 3 {
		t.Errorf("server uids %v: nodes copied from one template must still differ", uids)
	}
	for _, name := range []string{"paytool.yaml", ".paytool-sandbox"} {
		info, err := os.Stat(filepath.Join(l.dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s holds passwords: mode %v, %v, want 0600", name, info.Mode(), err)
		}
	}
	l.write(t, "CREATE TABLE pay.canary (id INT PRIMARY KEY)")
}

func accountsAreLimited(t *testing.T, l *life) {
	primary, replica := l.st.Nodes[0], l.st.Nodes[1]
	const insert = "INSERT INTO pay.canary VALUES (-1)"
	tests := []struct {
		name, user string
		node       sandbox.Node
		statement  string
		want       uint16 // the server's error number
	}{
		{"app on a read-only node", "paytool_app", replica, insert, 1290},
		{"app beyond its schema", "paytool_app", primary, "SELECT * FROM mysql.global_priv", 1142},
		{"app in administration", "paytool_app", primary, "SET GLOBAL read_only=OFF", 1227},
		{"monitor writes", "paytool_monitor", primary, insert, 1142},
		{"root over TCP", "root", primary, "SELECT 1", 1045},
		{"nobody over TCP", "", primary, "SELECT 1", 1045},
	}
	for _, tt := range tests {
		_, err := l.dial(t, tt.user, tt.node).ExecContext(t.Context(), tt.statement)
		var refused *mysql.MySQLError
		if !errors.As(err, &refused) || refused.Number != tt.want {
			t.Errorf("%s: %v, want error %d", tt.name, err, tt.want)
		}
	}
	for _, statement := range []string{"SHOW REPLICA STATUS", "SHOW MASTER STATUS", "SELECT COUNT(*) FROM pay.canary"} {
		if _, err := l.dial(t, "paytool_monitor", replica).ExecContext(t.Context(), statement); err != nil {
			t.Errorf("monitor: %s: %v", statement, err)
		}
	}
	l.exec(t, l.dial(t, "paytool_admin", primary), "SET GLOBAL max_connections=401")
}

func upAgainChangesNothing(t *testing.T, l *life) {
	edited := append(l.config(t), "# a user's remark\n"...)
	if err := os.WriteFile(l.st.Config, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	before := l.pids()
	l.up(t, 0)
	if diff := cmp.Diff(before, l.pids()); diff != "" {
		t.Errorf("processes changed (-before +after):\n%s", diff)
	}
	if !bytes.Equal(edited, l.config(t)) {
		t.Error("the user's edit of the config is gone")
	}
}

func killedPrimaryComesBack(t *testing.T, l *life) {
	old := l.st.Nodes[0]
	l.signal(t, old, syscall.SIGKILL)
	l.up(t, 0)
	if now := l.st.Nodes[0]; now.Port != old.Port || now.PID == old.PID {
		t.Errorf("port %d pid %d, was port %d pid %d: want the same port, another process", now.Port, now.PID, old.Port, old.PID)
	}
	if err := old.Signal(syscall.SIGSTOP); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal to the process that was killed: %v, want %v", err, os.ErrProcessDone)
	}
	l.write(t, "INSERT INTO pay.canary VALUES (1)")
}

// nodeStartsAlone: one node is started again, and all else is left as it is.
func nodeStartsAlone(t *testing.T, l *life) {
	old := l.st.Nodes[1]
	if err := sandbox.StartNode(t.Context(), l.dir, old.Port); err != nil {
		t.Fatal(err)
	}
	if state := old.Identity().State(); state != sandbox.Running {
		t.Errorf("a node that ran is %s after a start", state)
	}
	l.signal(t, old, syscall.SIGSTOP)
	awaitState(t, old, sandbox.Stopped)
	if err := sandbox.StartNode(t.Context(), l.dir, old.Port); err != nil {
		t.Fatal(err)
	}
	awaitState(t, old, sandbox.Stopped) // as it was
	l.signal(t, old, syscall.SIGKILL)
	if err := sandbox.StartNode(t.Context(), l.dir, old.Port); err != nil {
		t.Fatal(err)
	}
	awaitState(t, old, sandbox.Ended)
	l.inspect(t)
	now := l.st.Nodes[1].Identity()
	if now == old.Identity() || now.State() != sandbox.Running {
		t.Errorf("the node's process is %+v and %s, it was %+v", now, now.State(), old.Identity())
	}
	if id, err := sandbox.Identify(now.PID); err != nil || id != now {
		t.Errorf("process %d is %+v, %v; want %+v", now.PID, id, err, now)
	}
	if err := sandbox.StartNode(t.Context(), l.dir, 1); err == nil || !strings.Contains(err.Error(), "no node of it has port 1") {
		t.Errorf("a node that there is not: %v", err)
	}
}

func awaitState(t *testing.T, n sandbox.Node, want sandbox.ProcessState) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for n.Identity().State() != want {
		if time.Now().After(deadline) {
			t.Fatalf("process %d is %s, want %s", n.PID, n.Identity().State(), want)
		}
		time.Sleep(time.Millisecond) // between two looks
	}
}

func frozenNodeIsSeen(t *testing.T, l *life) {
	for _, n := range l.st.Nodes {
		l.signal(t, n, syscall.SIGSTOP)
	}
	l.inspect(t)
	for _, n := range l.st.Nodes {
		if n.PID == 0 || n.SemiSync != sandbox.SemiSyncUnknown || n.LagMS != nil {
			t.Errorf("frozen node %+v: want it alive, its state unknown", n)
		}
	}
}

// upUndoesFaults finds all nodes frozen by the step before.
func upUndoesFaults(t *testing.T, l *life) {
	before := l.pids()
	l.up(t, 0)
	primary := l.root(t, l.st.Nodes[0])
	for _, n := range l.st.Nodes[1:] {
		l.exec(t, l.root(t, n), "STOP SLAVE IO_THREAD")
	}
	l.exec(t, primary, "INSERT INTO pay.canary VALUES (2)") // nobody acknowledges: semi-sync falls back
	l.inspect(t)
	if got := l.st.Nodes[0].SemiSync; got != sandbox.SemiSyncOff {
		t.Errorf("semisync %q without a replica, want %q", got, sandbox.SemiSyncOff)
	}
	if got := l.st.Nodes[1].LagMS; got != nil {
		t.Errorf("lag %d ms of a replica that does not replicate, want unknown", *got)
	}
	l.exec(t, primary, "SET GLOBAL read_only=ON, rpl_semi_sync_master_timeout=600000")
	l.exec(t, l.root(t, l.st.Nodes[1]), "SET GLOBAL read_only=OFF")
	l.exec(t, l.root(t, l.st.Nodes[2]), "STOP SLAVE")
	l.up(t, 0)
	if diff := cmp.Diff(before, l.pids()); diff != "" {
		t.Errorf("repaired by a restart (-before +after):\n%s", diff)
	}
	var timeout, readOnly int
	l.query(t, primary, &timeout, "SELECT @@rpl_semi_sync_master_timeout")
	l.query(t, l.root(t, l.st.Nodes[1]), &readOnly, "SELECT @@read_only")
	if timeout != 2000 || readOnly != 1 {
		t.Errorf("semi-sync timeout %d ms, replica's read_only %d: want 2000 and 1", timeout, readOnly)
	}
	l.write(t, "INSERT INTO pay.canary VALUES (3)")
}

// upRestoresSemiSync covers replicas that kept up without acknowledging: no
// write is left whose acknowledgement would turn the primary's side on.
func upRestoresSemiSync(t *testing.T, l *life) {
	for _, n := range l.st.Nodes[1:] {
		db := l.root(t, n)
		l.exec(t, db, "SET GLOBAL rpl_semi_sync_slave_enabled=OFF")
		l.exec(t, db, "STOP SLAVE IO_THREAD")
		l.exec(t, db, "START SLAVE IO_THREAD")
	}
	l.write(t, "INSERT INTO pay.canary VALUES (4)")
	l.inspect(t)
	for _, n := range l.st.Nodes {
		if n.SemiSync != sandbox.SemiSyncOff {
			t.Errorf("semisync %q, want %q: %+v", n.SemiSync, sandbox.SemiSyncOff, n)
		}
	}
	l.up(t, 0)
}

func upAddsGroups(t *testing.T, l *life) {
	before, config := l.pids(), l.config(t)
	l.up(t, 2)
	if len(l.st.Nodes) != 6 {
		t.Fatalf("%d nodes, want 6", len(l.st.Nodes))
	}
	if diff := cmp.Diff(before, l.pids()[:3]); diff != "" {
		t.Errorf("group 1 changed (-before +after):\n%s", diff)
	}
	backup, err := os.ReadFile(l.st.Config + ".bak")
	if err != nil || !bytes.Equal(backup, config) {
		t.Errorf("backup of the edited config: %v, %q", err, backup)
	}
	if got := bytes.Count(l.config(t), []byte("- group: ")); got != 2 {
		t.Errorf("%d groups in the config, want 2", got)
	}
}

func secondCommandIsRefused(t *testing.T, l *life) {
	f, err := os.Open(filepath.Join(l.dir, ".lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // read only
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := sandbox.Up(t.Context(), sandbox.Options{Dir: l.dir}); !errors.Is(err, sandbox.ErrBusy) {
		t.Errorf("up: %v, want %v", err, sandbox.ErrBusy)
	}
	if err := sandbox.Down(t.Context(), l.dir, true); !errors.Is(err, sandbox.ErrBusy) {
		t.Errorf("down: %v, want %v", err, sandbox.ErrBusy)
	}
}

func downKeepsData(t *testing.T, l *life) {
	l.signal(t, l.st.Nodes[0], syscall.SIGSTOP)
	l.signal(t, l.st.Nodes[4], syscall.SIGSTOP)
	if err := sandbox.Down(t.Context(), l.dir, false); err != nil {
		t.Fatal(err)
	}
	if left := processesNaming(t, l.dir); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	l.inspect(t)
	for _, n := range l.st.Nodes {
		if n.PID != 0 || n.SemiSync != sandbox.SemiSyncUnknown {
			t.Errorf("after down: %+v", n)
		}
	}
	l.up(t, 0)
	var rows int
	l.query(t, l.root(t, l.st.Nodes[0]), &rows, "SELECT COUNT(*) FROM pay.canary")
	if rows != 4 {
		t.Errorf("%d rows after down and up, want 4", rows)
	}
}

func purgeLeavesNothing(t *testing.T, l *life) {
	note := filepath.Join(l.dir, "note.txt")
	if err := os.WriteFile(note, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(l.dir, "paytool-state", "events"), 0o700); err != nil { // what engines keep beside the config
		t.Fatal(err)
	}
	if err := sandbox.Down(t.Context(), l.dir, true); err != nil {
		t.Fatal(err)
	}
	if left := processesNaming(t, l.dir); len(left) > 0 {
		t.Errorf("processes left: %q", left)
	}
	left, err := os.ReadDir(l.dir)
	if err != nil || len(left) != 1 || left[0].Name() != "note.txt" {
		t.Errorf("left in the directory: %v, %v; want the user's note alone", left, err)
	}
	if _, err := sandbox.Inspect(t.Context(), l.dir); !errors.Is(err, sandbox.ErrNoSandbox) {
		t.Errorf("inspect after purge: %v, want %v", err, sandbox.ErrNoSandbox)
	}
}

// up brings the sandbox up and wants every node healthy.
func (l *life) up(t *testing.T, groups int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	st, err := sandbox.Up(ctx, sandbox.Options{Dir: l.dir, Groups: groups})
	if err != nil {
		t.Fatal(err)
	}
	l.st = st
	for _, n := range st.Nodes {
		if n.PID == 0 || n.SemiSync != sandbox.SemiSyncOn || n.LagMS == nil {
			t.Fatalf("after up: %+v", n)
		}
	}
}

func (l *life) inspect(t *testing.T) {
	t.Helper()
	st, err := sandbox.Inspect(t.Context(), l.dir)
	if err != nil {
		t.Fatal(err)
	}
	l.st = st
}

func (l *life) signal(t *testing.T, n sandbox.Node, sig os.Signal) {
	t.Helper()
	if err := n.Signal(sig); err != nil {
		t.Fatalf("%v to %+v: %v", sig, n, err)
	}
}

func (l *life) pids() []int {
	var pids []int
	for _, n := range l.st.Nodes {
		pids = append(pids, n.PID)
	}
	return pids
}

func (l *life) config(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(l.st.Config)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (l *life) root(t *testing.T, n sandbox.Node) *sql.DB {
	t.Helper()
	db, err := n.Admin()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// dial opens a node over TCP as one of the config's accounts, or as a user
// without a password.
func (l *life) dial(t *testing.T, user string, n sandbox.Node) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.User = "tcp", user
	cfg.Addr = fmt.Sprintf("127.0.0.1:%d", n.Port)
	if found := regexp.MustCompile(user + `:([0-9a-f]+)@tcp`).FindSubmatch(l.config(t)); user != "" && found != nil {
		cfg.Passwd = string(found[1])
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func (l *life) exec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func (l *life) query(t *testing.T, db *sql.DB, target any, query string) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(target); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// write runs a statement as the application on group 1's primary and wants
// every replica to apply it.
func (l *life) write(t *testing.T, statement string) {
	t.Helper()
	l.exec(t, l.dial(t, "paytool_app", l.st.Nodes[0]), statement)
	var position string
	l.query(t, l.root(t, l.st.Nodes[0]), &position, "SELECT @@gtid_binlog_pos")
	for _, n := range l.st.Nodes[1:3] {
		var timedOut int
		l.query(t, l.root(t, n), &timedOut, "SELECT MASTER_GTID_WAIT('"+position+"', 9)")
		if timedOut != 0 {
			t.Fatalf("%s has not reached %+v", statement, n)
		}
	}
}

// processesNaming lists the command lines of all processes that mention text.
// It knows nothing of how the package finds its servers.
func processesNaming(t *testing.T, text string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(paths) == 0 {
		t.Fatalf("list processes: %v, %v", paths, err)
	}
	var found []string
	for _, path := range paths {
		if cmdline, err := os.ReadFile(path); err == nil && strings.Contains(string(cmdline), text) {
			found = append(found, string(cmdline))
		}
	}
	return found
}
