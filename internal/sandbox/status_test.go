package sandbox

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestNodeJSON(t *testing.T) {
	t.Parallel()
	lag := int64(2000)
	st := Status{Config: "/s/paytool.yaml", Nodes: []Node{
		{Group: 1, Role: RolePrimary, Port: 20001, Socket: "/s/g1/primary/mysql.sock", SemiSync: SemiSyncUnknown, Dir: "/s/g1/primary"},
		{Group: 1, Role: RoleReplica, PID: 7, Port: 20002, Socket: "/s/g1/replica1/mysql.sock", SemiSync: SemiSyncOn, LagMS: &lag},
	}}
	got, err := json.Marshal(st)
	const want = `{"config":"/s/paytool.yaml","nodes":[` +
		`{"group":1,"role":"primary","pid":0,"port":20001,"socket":"/s/g1/primary/mysql.sock","semisync":"unknown","lag_ms":null},` +
		`{"group":1,"role":"replica","pid":7,"port":20002,"socket":"/s/g1/replica1/mysql.sock","semisync":"on","lag_ms":2000}]}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

func TestLag(t *testing.T) {
	t.Parallel()
	if got := (statusRow{"Seconds_Behind_Master": "3"}).lagMS(); got == nil || *got != 3000 {
		t.Errorf("3 s behind: %v, want 3000", got)
	}
	if got := (statusRow{}).lagMS(); got != nil { // NULL while a thread stands still
		t.Errorf("unknown lag: %d, want none", *got)
	}
}

// A server that accepts and never speaks is hung without being stopped. If
// observing it had no limit, this test would never end.
func TestObserveHungNode(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("/tmp", "pt-") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	n := node{group: 1, dir: filepath.Join(dir, "n")}
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", n.socket())
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // the test is over
	got := observe(t.Context(), n, process{pid: os.Getpid(), state: 'S'})
	if got.PID != os.Getpid() || got.SemiSync != SemiSyncUnknown || got.LagMS != nil {
		t.Errorf("got %+v, want it alive and its state unknown", got)
	}
}
