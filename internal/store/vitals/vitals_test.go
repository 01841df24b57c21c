package vitals

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/goccy/go-yaml"

	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/shard/doctor"
)

// clinic is a sandbox of one group.
type clinic struct {
	*testing.T
	asked Options
	nodes []sandbox.Node
	text  string // of the config, with all passwords
}

func newClinic(t *testing.T) *clinic {
	st := sandboxtest.Start(t, 1)
	text, err := os.ReadFile(st.Config)
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
	g := Group{ID: 1, Weight: 100, Semisync: true, Ask: true, Primary: Node(file.Groups[0].Primary)}
	for _, r := range file.Groups[0].Replicas {
		g.Replicas = append(g.Replicas, Node(r))
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return &clinic{T: t, asked: Options{Groups: []Group{g}, Host: host, Timeout: 10 * time.Second}, nodes: st.Nodes, text: string(text)}
}

func (c *clinic) root(statements ...string) {
	c.Helper()
	for _, n := range c.nodes {
		db, err := n.Admin()
		if err != nil {
			c.Fatal(err)
		}
		for _, s := range append([]string{"SET sql_log_bin=0"}, statements...) {
			db.SetMaxOpenConns(1) // one session
			if _, err := db.ExecContext(c.Context(), s); err != nil {
				c.Errorf("%s: %v", s, err)
			}
		}
		_ = db.Close()
	}
}

// findings leaves out those of the group as a whole.
func (c *clinic) findings(o Options) (ids []string) {
	for _, f := range doctor.Judge(doctor.Facts{Groups: Read(c.Context(), o), PrimaryConns: 10, ReplicaConns: 10, Schema: 9}) {
		if f.ID != "few_groups" && f.ID != "not_prepared" {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func (c *clinic) want(o Options, want ...string) {
	c.Helper()
	if got := c.findings(o); !slices.Equal(got, want) {
		c.Errorf("findings %v, want %v", got, want)
	}
}

func TestRead(t *testing.T) {
	c := newClinic(t)
	c.want(c.asked)
	c.noSecrets()

	wrong := c.asked
	wrong.Now = func() time.Time { return time.Now().Add(-7 * time.Second) }
	c.want(wrong, "clock_skew") // of this machine, not three times of a server

	remote := c.asked
	remote.Host = "another"
	c.want(remote, "disk_not_checked", "disk_not_checked", "disk_not_checked")
	c.root("INSTALL SONAME 'disks'", "GRANT FILE ON *.* TO paytool_monitor@'127.0.0.1'") // as the finding says
	c.want(remote)

	c.root("CREATE ROLE r", "GRANT SUPER ON *.* TO r", "GRANT r TO paytool_app@'127.0.0.1'", "SET DEFAULT ROLE r FOR paytool_app@'127.0.0.1'")
	c.want(c.asked, "grant_dangerous", "grant_dangerous", "grant_dangerous")

	nobody := c.asked
	nobody.Groups = slices.Clone(c.asked.Groups)
	nobody.Groups[0].Ask = false
	if g := Read(t.Context(), nobody)[0]; len(g.Nodes) != 0 || g.Replicas != 2 || g.Database != "pay" {
		t.Errorf("a group that is not asked: %+v", g)
	}
}

// noSecrets looks for every password of the config, and for hashes.
func (c *clinic) noSecrets() {
	c.Helper()
	facts := fmt.Sprintf("%+v", Read(c.Context(), c.asked))
	for line := range strings.Lines(c.text) {
		if _, dsn, ok := strings.Cut(line, "dsn: "); ok {
			cfg, err := mysql.ParseDSN(strings.TrimSpace(dsn))
			if err != nil {
				c.Fatal(err)
			}
			if strings.Contains(facts, cfg.Passwd) {
				c.Errorf("the facts hold the password of %s", cfg.User)
			}
		}
	}
	if strings.Contains(facts, "IDENTIFIED") {
		c.Error("the facts hold a password's hash")
	}
}

// TestNodesThatDoNotAnswer: each is a part of the facts, and none holds up the others.
func TestNodesThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	mute, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	gone, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	dsn := func(addr net.Addr) Node { return Node{DSN: fmt.Sprintf("app:s3cret@tcp(%s)/pay", addr)} }
	groups := Read(t.Context(), Options{Timeout: 50 * time.Millisecond, Groups: []Group{{
		ID: 1, Ask: true, Primary: dsn(mute.Addr()), Replicas: []Node{dsn(gone.Addr()), {DSN: "app:s3cret@tcp(127"}},
	}}})
	for i, want := range []doctor.RefusalKind{doctor.Silent, doctor.Down, doctor.Unclear} {
		n := groups[0].Nodes[i]
		if len(n.Refusals) == 0 || n.Refusals[0].Kind != want || n.Variables != nil {
			t.Errorf("%s: %+v, want it %s", n.Name, n.Refusals, want)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v", groups), "s3cret") {
		t.Error("the facts hold a password")
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want doctor.RefusalKind
	}{
		{&mysql.MySQLError{Number: 1045}, doctor.Denied},
		{&mysql.MySQLError{Number: 3118}, doctor.Denied},
		{&mysql.MySQLError{Number: 1040}, doctor.Unclear},
		{context.DeadlineExceeded, doctor.Silent},
		{mysql.ErrInvalidConn, doctor.Unclear},
		{sql.ErrNoRows, doctor.Unclear},
	} {
		if got := kindOf(errors.Join(errors.New("connect"), c.err)); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
	}
}

func TestListedDisks(t *testing.T) {
	t.Parallel()
	listed := []doctor.Values{
		{"path": "/", "total": "100", "available": "10"},
		{"path": "/var/lib", "total": "200", "available": "20"},
		{"path": "/var/lib/my", "total": "300", "available": "30"}, // no folder above /var/lib/mysql
		{"path": "/logs", "total": "400", "available": "40"},
		{"path": "/odd", "total": "much"},
	}
	got := listedDisks(listed, []string{"/var/lib/mysql", "/logs"})
	want := []doctor.Disk{{Path: "/var/lib", Total: 200 << 10, Free: 20 << 10}, {Path: "/logs", Total: 400 << 10, Free: 40 << 10}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
