// Package config reads paytool's one YAML file, once, at the start.
//
// What happens here: finding the file, reading it within limits, refusing
// what is unknown or out of range with file, line and key, filling in
// defaults, and showing the result with its passwords masked. What does not:
// connecting to a group, and any reading after the start. Settings that change
// at run time live in the groups.
package config

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"paytool/internal/strictyaml"
)

// The values of Engine.Selection.
const (
	SelectionRendezvous = "rendezvous" // by weighted hash of the key: a retry meets its first attempt
	SelectionRandom     = "random"     // as published; no idempotency across groups
)

// The values of Engine.Probe.
const (
	ProbeBackground = "background" // a write probe per group, out of band
	ProbeInline     = "inline"     // a write probe before each create, as published
)

// The values of Engine.Guard; "" leaves it to each group.
const (
	GuardAsk    = "ask"
	GuardPay    = "pay"
	GuardRefuse = "refuse"
)

// Config is the whole file. It is not changed after Parse, so it may be read
// from several goroutines.
type Config struct {
	Engine Engine `yaml:"engine"`
	Log    Log    `yaml:"log"`
	// Environment is what these groups are for, such as production: a drill's plan has
	// to name it. "" is none.
	Environment string `yaml:"environment,omitempty"`
	// StateDir holds what lies on this machine and not in the groups: the event log,
	// the built-in channel's books, bills and the ledger of differences. Default: "paytool-state" beside the file.
	StateDir string    `yaml:"state_dir"`
	Groups   []Group   `yaml:"groups"`
	Accounts []Account `yaml:"accounts,omitempty"`
	Recon    Recon     `yaml:"recon"`

	file     string
	lines    strictyaml.Lines // of each key path that the file holds
	warnings []string
}

// Engine holds the settings of the order engine. Unless a field says
// otherwise, Parse has filled in its default and Validate wants it positive.
type Engine struct {
	Name      string `yaml:"name"`      // this instance in leases and probe rows; default: the host name
	Selection string `yaml:"selection"` // SelectionRendezvous or SelectionRandom
	Probe     string `yaml:"probe"`     // ProbeBackground or ProbeInline

	TagWidth    int `yaml:"tag_width"`    // digits of the group tag in new order numbers, 1 to 9
	LegacyGroup int `yaml:"legacy_group"` // group of the numbers without a tag; 0: there are none

	// RequireSemisync is nil where the file does not say: see SemisyncFor.
	RequireSemisync *bool `yaml:"require_semisync,omitempty"`

	Pool          int           `yaml:"pool"`           // most open connections to one node
	CreateTimeout time.Duration `yaml:"create_timeout"` // for one whole try in one group, at most 10 s
	LookupTimeout time.Duration `yaml:"lookup_timeout"` // for asking other groups for a known key
	ProbeInterval time.Duration `yaml:"probe_interval"`
	ProbeTimeout  time.Duration `yaml:"probe_timeout"`  // for one whole probe, connecting included
	CreatedExpiry time.Duration `yaml:"created_expiry"` // an order that was never sent is closed after this
	MaxAmountFen  int64         `yaml:"max_amount_fen"` // largest amount of one order, in fen

	// Guard is what a payment does when a group does not say whether it holds another
	// payment of the key: GuardAsk, GuardPay or GuardRefuse; "" asks for groups with
	// replicas and pays for those without.
	Guard      string        `yaml:"guard,omitempty"`
	RevokePaid bool          `yaml:"revoke_paid"` // a cashier may revoke a paid order
	PayTimeout time.Duration `yaml:"pay_timeout"` // a payment without an answer is revoked after this
	RefundGap  time.Duration `yaml:"refund_gap"`  // least time between two refunds of an order; 0: none
}

// SemisyncFor reports whether g may take orders only while a replica
// acknowledges its writes: what the file says, else whether g has replicas.
func (e Engine) SemisyncFor(g Group) bool {
	if e.RequireSemisync != nil {
		return *e.RequireSemisync
	}
	return len(g.Replicas) > 0
}

// Log says how much is logged and in which form.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug,
	"info":  slog.LevelInfo,
	"warn":  slog.LevelWarn,
	"error": slog.LevelError,
}

// SlogLevel is Level for log/slog; info where Level is not valid.
func (l Log) SlogLevel() slog.Level { return logLevels[l.Level] }

// Group is one database group: a primary and its replicas.
type Group struct {
	Group    int    `yaml:"group"`          // its number, from 1; the tag of its orders
	Weight   int    `yaml:"weight"`         // its share of new orders against the other weights; 0 takes none
	Zone     string `yaml:"zone,omitempty"` // where its primary stands: what fails together; "" if nobody says
	Primary  Node   `yaml:"primary"`
	Replicas []Node `yaml:"replicas,omitempty"`
}

const defaultWeight = 100

// UnmarshalYAML fills in the default weight before the file's words are read,
// since a weight of 0 is a decision and not an omission.
func (g *Group) UnmarshalYAML(decode func(any) error) error {
	type plain Group
	p := plain{Weight: defaultWeight}
	if err := decode(&p); err != nil {
		return err
	}
	*g = Group(p)
	return nil
}

// Node is one database server and the accounts for it.
type Node struct {
	DSN        DSN `yaml:"dsn"`                   // application account, with the database
	MonitorDSN DSN `yaml:"monitor_dsn,omitempty"` // reads replication status
	AdminDSN   DSN `yaml:"admin_dsn,omitempty"`   // drills and moves
}

// Parse reads, completes and validates the text of a configuration. The name
// stands for the file in errors. All errors are KeyErrors, joined, and none of
// them holds a value that could be a password.
func Parse(name string, data []byte) (*Config, error) { return parseText(name, data, false) }

func parseText(name string, data []byte, withoutGroups bool) (*Config, error) {
	c := defaults()
	c.file = name
	var err error
	if c.lines, err = strictyaml.Decode(name, data, noGroups, c); err != nil {
		return nil, err
	}
	if c.Engine.Name == "" {
		// The error shows as an empty name, which Validate refuses.
		c.Engine.Name, _ = os.Hostname()
	}
	if c.StateDir == "" {
		c.StateDir = filepath.Join(filepath.Dir(name), "paytool-state")
	}
	c.reconPaths()
	if err := c.validate(withoutGroups); err != nil {
		return nil, err
	}
	return c, nil
}

// ForGroups is a configuration of defaults for groups that no file names: embedded
// ones, below stateDir.
func ForGroups(stateDir string, groups []Group) (*Config, error) {
	c := defaults()
	c.StateDir, c.Groups = stateDir, groups
	c.reconPaths()
	c.Engine.Name, _ = os.Hostname() // as in Parse
	for i := range c.Groups {
		c.Groups[i].Weight = defaultWeight
	}
	return c, c.Validate()
}

func defaults() *Config {
	return &Config{
		Engine: Engine{
			Selection:     SelectionRendezvous,
			Probe:         ProbeBackground,
			TagWidth:      1,
			Pool:          64,
			CreateTimeout: 250 * time.Millisecond,
			LookupTimeout: 50 * time.Millisecond,
			ProbeInterval: 100 * time.Millisecond,
			ProbeTimeout:  250 * time.Millisecond,
			CreatedExpiry: 15 * time.Minute,
			MaxAmountFen:  100_000_000, // 1,000,000.00 yuan
			PayTimeout:    30 * time.Second,
			RefundGap:     time.Minute,
		},
		Log:   Log{Level: "info", Format: "text"},
		Recon: Recon{OverdueAfter: 7 * 24 * time.Hour},
	}
}

// Warnings are remarks on a configuration that works all the same.
func (c *Config) Warnings() []string { return c.warnings }

// Masked is a deep copy in which the passwords of all DSNs read ***, for code
// that takes a DSN's text as it is.
func (c *Config) Masked() *Config {
	m := *c
	if c.Engine.RequireSemisync != nil {
		m.Engine.RequireSemisync = new(*c.Engine.RequireSemisync)
	}
	m.Accounts = slices.Clone(c.Accounts)
	for i := range m.Accounts {
		m.Accounts[i].Hosts = slices.Clone(c.Accounts[i].Hosts)
		m.Accounts[i].Recon.Rates = slices.Clone(c.Accounts[i].Recon.Rates)
	}
	m.Groups = make([]Group, len(c.Groups))
	for i, g := range c.Groups {
		g.Primary = g.Primary.masked()
		replicas := make([]Node, len(g.Replicas))
		for j, r := range g.Replicas {
			replicas[j] = r.masked()
		}
		g.Replicas = replicas
		m.Groups[i] = g
	}
	return &m
}

func (n Node) masked() Node {
	return Node{
		DSN:        DSN(n.DSN.String()),
		MonitorDSN: DSN(n.MonitorDSN.String()),
		AdminDSN:   DSN(n.AdminDSN.String()),
	}
}

// MarshalJSON has the keys of the file, and durations spelled as there, which
// encoding/json would print in nanoseconds. Passwords are masked, as they are
// by yaml.Marshal: see DSN.
func (c *Config) MarshalJSON() ([]byte, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("show config: %w", err)
	}
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("show config: %w", err)
	}
	return json.Marshal(tree)
}
