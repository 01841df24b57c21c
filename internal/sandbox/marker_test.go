package sandbox

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// sample has a group with two replicas and one with one.
func sample() *marker {
	return &marker{
		Version: markerVersion, UID: 102, GID: 105, Configured: 1,
		Passwords: passwords{App: "aa", Monitor: "bb", Admin: "cc", Replication: "replpw"},
		Groups:    []groupMark{{Group: 1, Ports: []int{20001, 20002, 20003}}, {Group: 2, Ports: []int{20004, 20005}}},
	}
}

func TestMarkerRoundTrip(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	if _, err := readMarker(l); !errors.Is(err, ErrNoSandbox) {
		t.Errorf("without a marker: %v, want %v", err, ErrNoSandbox)
	}
	if err := sample().write(l); err != nil {
		t.Fatal(err)
	}
	got, err := readMarker(l)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
}

func TestReadMarkerRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"empty", "", "read marker"},
		{"not JSON", "hello", "read marker"},
		{"newer", `{"version":2}`, "version 2"},
		{"groups out of order", `{"version":1,"groups":[{"group":2,"ports":[1]}]}`, "is not group 1"},
		{"group without ports", `{"version":1,"groups":[{"group":1}]}`, "is not group 1"},
	}
	for _, tt := range tests {
		l := tempLayout(t)
		if err := os.WriteFile(l.marker(), []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readMarker(l); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func TestGrowKeepsWhatExists(t *testing.T) {
	t.Parallel()
	m := sample()
	for _, want := range []int{0, 1, 2} {
		if err := m.grow(want, 2); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(sample(), m); diff != "" {
			t.Errorf("grow(%d) changed two groups:\n%s", want, diff)
		}
	}
	if err := m.grow(4, 3); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample().Groups, m.Groups[:2]); diff != "" {
		t.Errorf("old groups changed:\n%s", diff)
	}
	seen := map[int]bool{}
	for _, g := range m.Groups {
		for _, port := range g.Ports {
			if seen[port] {
				t.Errorf("port %d given twice", port)
			}
			seen[port] = true
		}
	}
	if len(m.Groups) != 4 || len(m.Groups[2].Ports) != 4 || m.Groups[3].Group != 4 {
		t.Errorf("groups %+v, want 3 and 4 with a primary and three replicas each", m.Groups)
	}
}

func TestNodesHaveTheirOwn(t *testing.T) {
	t.Parallel()
	m := &marker{}
	for g := 1; g <= maxGroups; g++ {
		m.Groups = append(m.Groups, groupMark{Group: g, Ports: make([]int, maxReplicas+1)})
	}
	ids, dirs := map[int]bool{}, map[string]bool{}
	for _, n := range m.nodes("/s") {
		ids[n.serverID()], dirs[n.dataDir()] = true, true
	}
	if want := maxGroups * (maxReplicas + 1); len(ids) != want || len(dirs) != want {
		t.Errorf("%d server ids and %d directories for %d nodes", len(ids), len(dirs), want)
	}
	if got := sample().nodes("/s")[4]; got.String() != "g2/replica1" || got.primaryPort != 20004 || got.dir != "/s/g2/replica1" {
		t.Errorf("last node of the sample: %+v", got)
	}
}

func TestChoosePorts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 50).Draw(t, "n")
		start := rapid.IntRange(firstPort, lastPort-1).Draw(t, "start")
		divisor := rapid.IntRange(2, 9).Draw(t, "taken")
		free := func(port int) bool { return port%divisor != 0 }
		ports, err := choosePorts(n, start, free)
		if err != nil || len(ports) != n {
			t.Fatalf("%v, %v: want %d ports", ports, err, n)
		}
		slices.Sort(ports)
		if len(slices.Compact(ports)) != n {
			t.Fatalf("%v: a port twice", ports)
		}
		for _, p := range ports {
			if p < firstPort || p >= lastPort || !free(p) {
				t.Fatalf("%v: %d is out of range or taken", ports, p)
			}
		}
	})
	if _, err := choosePorts(2, lastPort-1, func(port int) bool { return port == firstPort }); err == nil {
		t.Error("two ports where one is free: want an error")
	}
}

func TestPortFree(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close() //nolint:errcheck // the test is over
	if port := ln.Addr().(*net.TCPAddr).Port; portFree(port) {
		t.Errorf("port %d is free while we listen on it", port)
	}
}

func TestRenderCnf(t *testing.T) {
	t.Parallel()
	nodes := sample().nodes("/s")
	primary, replica := renderCnf(nodes[0]), renderCnf(nodes[4])
	for _, line := range []string{"port=20001", "server_id=10", "gtid_domain_id=1", "rpl_semi_sync_master_enabled=ON", "rpl_semi_sync_master_wait_point=AFTER_SYNC", "sync_binlog=1", "skip_name_resolve", "bind_address=127.0.0.1"} {
		if !strings.Contains(primary, line+"\n") {
			t.Errorf("primary lacks %s", line)
		}
	}
	for _, line := range []string{"port=20005", "server_id=21", "gtid_domain_id=2", "read_only=ON", "rpl_semi_sync_slave_enabled=ON"} {
		if !strings.Contains(replica, line+"\n") {
			t.Errorf("replica lacks %s", line)
		}
	}
	if strings.Contains(primary, "read_only") || strings.Contains(replica, "master_enabled") {
		t.Error("a setting of one role is in the other's file")
	}
}

func TestRenderConfig(t *testing.T) {
	t.Parallel()
	text, err := renderConfig(sample())
	if err != nil {
		t.Fatal(err)
	}
	var got configFile
	if err := yaml.UnmarshalWithOptions(text, &got, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(got.Groups) != 2 || len(got.Groups[1].Replicas) != 1 || !got.Engine.RequireSemiSync || got.Engine.TagWidth != 0 {
		t.Fatalf("read back %+v", got)
	}
	n := got.Groups[1].Replicas[0]
	for dsn, want := range map[string]mysql.Config{
		n.DSN:        {User: "paytool_app", Passwd: "aa", DBName: "pay"},
		n.MonitorDSN: {User: "paytool_monitor", Passwd: "bb"},
		n.AdminDSN:   {User: "paytool_admin", Passwd: "cc"},
	} {
		cfg, err := mysql.ParseDSN(dsn)
		if err != nil || cfg.User != want.User || cfg.Passwd != want.Passwd || cfg.DBName != want.DBName || cfg.Addr != "127.0.0.1:20005" {
			t.Errorf("%s reads as %+v, %v", dsn, cfg, err)
		}
	}
	if strings.Contains(string(text), "replpw") {
		t.Error("the replication password is nobody else's business")
	}
}

func TestOptionsRefuse(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {Dir: "d", Groups: -1}, {Dir: "d", Groups: 100}, {Dir: "d", Replicas: -1}, {Dir: "d", Replicas: 10}} {
		if _, err := o.withDefaults(); err == nil {
			t.Errorf("%+v passes", o)
		}
	}
}

func TestPasswordsAreMasked(t *testing.T) {
	t.Parallel()
	m, err := newMarker()
	if err != nil {
		t.Skip(err) // root without the user mysql
	}
	filled := m.Passwords.fill(bootstrapSQL)
	if strings.ContainsAny(filled, "{}") {
		t.Errorf("a password is not filled in: %s", filled)
	}
	masked := m.Passwords.mask(filled)
	for _, p := range []string{m.Passwords.App, m.Passwords.Monitor, m.Passwords.Admin, m.Passwords.Replication} {
		if len(p) != 32 || !strings.Contains(filled, p) || strings.Contains(masked, p) {
			t.Errorf("password of %d characters missing before or left after masking", len(p))
		}
	}
}

// TestMarkerAfterPromotion: roles and replication change with the primary, folders,
// ports and server ids do not.
func TestMarkerAfterPromotion(t *testing.T) {
	t.Parallel()
	before, after := sample(), sample()
	after.Groups[0].Primary = 1
	nodes := after.byGroup("/s")[0]
	if got := nodes[0]; !got.isPrimary() || got.String() != "g1/replica1" || got.port != 20002 || got.role() != RolePrimary {
		t.Errorf("the primary is %+v, %s", got, got)
	}
	for _, n := range nodes[1:] {
		if n.isPrimary() || n.primaryPort != 20002 || n.role() != RoleReplica {
			t.Errorf("replica %+v", n)
		}
	}
	for _, n := range before.nodes("/s") {
		for _, now := range after.nodes("/s") {
			if n.port == now.port && (n.dir != now.dir || n.serverID() != now.serverID()) {
				t.Errorf("port %d was %+v, and is %+v", n.port, n, now)
			}
		}
	}
	if cnf := renderCnf(nodes[1]); nodes[1].folder() != "primary" || !strings.Contains(cnf, "read_only=ON") || !strings.Contains(cnf, "init_rpl_role=SLAVE") {
		t.Errorf("the old primary's option file:\n%s", cnf)
	}
	text, err := renderConfig(after)
	if err != nil || strings.Index(string(text), ":20002)") > strings.Index(string(text), ":20001)") {
		t.Errorf("the config does not begin with the primary: %v\n%s", err, text)
	}
}
