package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// password has what an error never repeats: capitals, digits and punctuation.
const password = "Pw0-Geheim!9"

// one is the smallest configuration that is valid.
const one = `groups:
  - group: 1
    primary: {dsn: "app:` + password + `@tcp(127.0.0.1:3301)/pay"}
`

const full = `engine:
  name: till-1
  selection: random
  probe: inline
  tag_width: 2
  legacy_group: 12
  require_semisync: true
  pool: 8
  create_timeout: 1s
  lookup_timeout: 20ms
  probe_interval: 200ms
  probe_timeout: 300ms
  created_expiry: 1h
  max_amount_fen: 500
  guard: refuse
  revoke_paid: true
  pay_timeout: 40s
  refund_gap: 0s
log:
  level: debug
  format: json
state_dir: /var/lib/paytool
recon:
  ledger: /srv/ledger
  overdue_after: 24h
  metrics_file: /srv/recon.prom
groups:
  - group: 12
    weight: 0
    zone: north
    primary:
      dsn: "app:` + password + `@tcp(db1:3306)/pay"
      monitor_dsn: "mon:` + password + `@tcp(db1:3306)/"
      admin_dsn: "adm:` + password + `@tcp(db1:3306)/"
    replicas:
      - {dsn: "app:` + password + `@tcp(db2:3306)/pay"}
  - group: 2
    primary: {dsn: "app:` + password + `@unix(/run/db3.sock)/pay"}
    replicas: [{dsn: "app:` + password + `@tcp(db4:3306)/pay"}]
`

func parse(t *testing.T, text string) *Config {
	t.Helper()
	c, err := Parse("paytool.yaml", []byte(text))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, text)
	}
	return c
}

func TestParseFillsInDefaults(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	want := &Config{
		Engine: Engine{
			Name: host, Selection: "rendezvous", Probe: "background", TagWidth: 1, Pool: 64,
			CreateTimeout: 250 * time.Millisecond, LookupTimeout: 50 * time.Millisecond,
			ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 250 * time.Millisecond,
			CreatedExpiry: 15 * time.Minute, MaxAmountFen: 100_000_000,
			PayTimeout: 30 * time.Second, RefundGap: time.Minute,
		},
		Log:      Log{Level: "info", Format: "text"},
		StateDir: "paytool-state",
		Recon:    Recon{Ledger: "paytool-state/recon", Bills: "paytool-state/bills", OverdueAfter: 7 * 24 * time.Hour},
		Groups: []Group{
			{Group: 1, Weight: 100, Primary: Node{DSN: "app:" + password + "@tcp(127.0.0.1:3301)/pay"}},
		},
	}
	for _, text := range []string{one, "engine:\nlog:\n" + one, "engine: {}\nlog: {}\n" + one, "---\n" + one} {
		if diff := cmp.Diff(want, parse(t, text), cmpopts.IgnoreUnexported(Config{})); diff != "" {
			t.Errorf("Parse of %q (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseReadsEveryKey(t *testing.T) {
	t.Parallel()
	dsn := func(user, rest string) DSN { return DSN(user + ":" + password + "@" + rest) }
	want := &Config{
		Engine: Engine{
			Name: "till-1", Selection: SelectionRandom, Probe: ProbeInline, TagWidth: 2, LegacyGroup: 12,
			RequireSemisync: new(true), Pool: 8, CreateTimeout: time.Second, LookupTimeout: 20 * time.Millisecond,
			ProbeInterval: 200 * time.Millisecond, ProbeTimeout: 300 * time.Millisecond,
			CreatedExpiry: time.Hour, MaxAmountFen: 500,
			Guard: GuardRefuse, RevokePaid: true, PayTimeout: 40 * time.Second,
		},
		Log:      Log{Level: "debug", Format: "json"},
		StateDir: "/var/lib/paytool",
		Recon:    Recon{Ledger: "/srv/ledger", Bills: "/var/lib/paytool/bills", OverdueAfter: 24 * time.Hour, MetricsFile: "/srv/recon.prom"},
		Groups: []Group{
			{
				Group: 12, Weight: 0, Zone: "north",
				Primary: Node{
					DSN:        dsn("app", "tcp(db1:3306)/pay"),
					MonitorDSN: dsn("mon", "tcp(db1:3306)/"),
					AdminDSN:   dsn("adm", "tcp(db1:3306)/"),
				},
				Replicas: []Node{{DSN: dsn("app", "tcp(db2:3306)/pay")}},
			},
			{
				Group: 2, Weight: 100,
				Primary:  Node{DSN: dsn("app", "unix(/run/db3.sock)/pay")},
				Replicas: []Node{{DSN: dsn("app", "tcp(db4:3306)/pay")}},
			},
		},
	}
	if diff := cmp.Diff(want, parse(t, full), cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
}

func TestSemisyncFor(t *testing.T) {
	t.Parallel()
	with, without := Group{Replicas: []Node{{}}}, Group{}
	for _, tc := range []struct {
		set   *bool
		group Group
		want  bool
	}{
		{nil, with, true},
		{nil, without, false},
		{new(false), with, false},
		{new(true), with, true},
	} {
		if got := (Engine{RequireSemisync: tc.set}).SemisyncFor(tc.group); got != tc.want {
			t.Errorf("SemisyncFor with %d replicas = %t, want %t", len(tc.group.Replicas), got, tc.want)
		}
	}
}

func TestMaskedShowsEverythingButPasswords(t *testing.T) {
	t.Parallel()
	c := parse(t, full)
	before := parse(t, full)
	m := c.Masked()
	m.Groups[0].Replicas[0].DSN = "changed"
	*m.Engine.RequireSemisync = false
	if diff := cmp.Diff(before, c, cmpopts.IgnoreUnexported(Config{})); diff != "" {
		t.Errorf("Masked is not a deep copy (-before +after):\n%s", diff)
	}

	asYAML, err := yaml.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(asYAML), string(asJSON), fmt.Sprintf("%v %+v", c, *c), string(c.Masked().Groups[0].Primary.DSN)} {
		if strings.Contains(text, password) {
			t.Errorf("a password is shown:\n%s", text)
		}
		if !strings.Contains(text, "app:***@tcp(db1:3306)/pay") {
			t.Errorf("the masked DSN is missing:\n%s", text)
		}
	}
	again := parse(t, string(asYAML))
	if diff := cmp.Diff(c.Masked(), again, cmpopts.IgnoreUnexported(Config{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what is shown reads back as another configuration (-want +got):\n%s", diff)
	}
	var tree struct {
		Engine struct {
			CreateTimeout string `json:"create_timeout"`
			MaxAmountFen  int64  `json:"max_amount_fen"`
		}
	}
	if err := json.Unmarshal(asJSON, &tree); err != nil || tree.Engine.CreateTimeout != "1s" || tree.Engine.MaxAmountFen != 500 {
		t.Errorf("JSON of the engine = %+v, %v; want 1s and 500", tree.Engine, err)
	}
}

func TestDSNString(t *testing.T) {
	t.Parallel()
	for in, want := range map[DSN]string{
		"":                                  "",
		"app:secret@tcp(db:3306)/pay":       "app:***@tcp(db:3306)/pay",
		"app:se:cr@et@tcp(db:3306)/pay":     "app:***@tcp(db:3306)/pay",
		"app:se/cret@tcp(db:3306)/pay":      "app:***@tcp(db:3306)/pay",
		"app@tcp(db:3306)/pay":              "app@tcp(db:3306)/pay",
		"app:secret@unix(/run/db.sock)/pay": "app:***@unix(/run/db.sock)/pay",
		"app:secret@tcp(db:3306)":           "***", // no slash
		"app:se@tcp/cret@tcp(db:3306)":      "***", // the slash of the password taken for the database's
		"secret":                            "***",
	} {
		if got := in.String(); got != want {
			t.Errorf("DSN(%q).String() = %q, want %q", string(in), got, want)
		}
	}
}

func TestSlogLevel(t *testing.T) {
	t.Parallel()
	for level, want := range map[string]string{"debug": "DEBUG", "info": "INFO", "warn": "WARN", "error": "ERROR"} {
		if got := (Log{Level: level}).SlogLevel().String(); got != want {
			t.Errorf("SlogLevel of %s = %s, want %s", level, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(one))
	f.Add([]byte(full))
	for _, tc := range refused {
		if len(tc.text) < 16<<10 { // the long ones only slow the search
			f.Add([]byte(tc.text))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("paytool.yaml", data)
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Fatalf("Parse accepts what Validate refuses: %v", err)
			}
			return
		}
		if strings.Contains(err.Error(), password) {
			t.Errorf("the error repeats a password: %v", err)
		}
		if _, ok := errors.AsType[*KeyError](err); !ok {
			t.Errorf("not a KeyError: %v", err)
		}
	})
}
