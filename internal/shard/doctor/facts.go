package doctor

import (
	"strings"
	"time"

	"paytool/internal/shard"
)

// Facts is everything that Judge knows.
type Facts struct {
	// Groups are all groups of the config, also those that were not asked.
	Groups []Group
	// Instances is how many engine instances are to work at a time; 0 takes the
	// number that is at work now.
	Instances int
	// PrimaryConns and ReplicaConns are the most connections that one instance
	// opens to a primary and to a replica.
	PrimaryConns, ReplicaConns int
	// Schema is the newest schema version that this program knows.
	Schema int
}

// Group is one group of the config and what its nodes said.
type Group struct {
	ID       shard.GroupID
	Weight   int    // in the config; 0 takes no new orders
	Zone     string // of its primary, "" where the config names none
	Semisync bool   // it may take orders only while a replica acknowledges
	// Database holds the orders.
	Database string
	// Replicas is how many the config names.
	Replicas int
	// Nodes are the primary and then the replicas; empty where the group was not
	// asked.
	Nodes []Node
}

// Node is one server and its own words. Maps are nil where it was not heard.
type Node struct {
	Name    string // for people: "g1/primary 127.0.0.1:3306"
	Primary bool
	// Refusals are the accounts that could not be used.
	Refusals []Refusal
	// Variables and Status are global, their names in lower case.
	Variables, Status Values
	// Replication is the row of SHOW REPLICA STATUS, empty where the node follows
	// nobody, nil where it did not say.
	Replication Values
	// AccountConns is how many connections the application's account may have, 0
	// for no limit of its own.
	AccountConns int
	// Grants are those of the application's account.
	Grants []Grant
	// Clock is nil where it was not read.
	Clock *Clock
	// Disks are those that hold data or binlog; without any, DisksUnknown says why.
	Disks        []Disk
	DisksUnknown string
	// Books are what an engine wrote into a primary; nil where they were not read.
	Books *Books
}

// Values are named values as a server prints them.
type Values map[string]string

// first is the first of the names that the server knows, and its value.
func (v Values) first(names ...string) (name, value string, ok bool) {
	for _, n := range names {
		if value, ok := v[n]; ok {
			return n, value, true
		}
	}
	return "", "", false
}

// text is the value of the first known name, "" without one.
func (v Values) text(names ...string) string {
	_, value, _ := v.first(names...)
	return value
}

func isOn(value string) bool {
	return value == "1" || strings.EqualFold(value, "ON") || strings.EqualFold(value, "YES")
}

// Account is one of the config's accounts on a node.
type Account string

// The accounts that are examined.
const (
	Application Account = "application"
	Monitor     Account = "monitor"
)

// RefusalKind says what became of an attempt to ask.
type RefusalKind string

// The kinds of refusals.
const (
	Silent  RefusalKind = "silent"  // no answer in time
	Down    RefusalKind = "down"    // nobody listens
	Denied  RefusalKind = "denied"  // the server does not let the account in, or not do that
	Unclear RefusalKind = "unclear" // anything else
)

// Refusal is an account that could not be used.
type Refusal struct {
	Account Account
	Kind    RefusalKind
	Reason  string // without any password
}

// Clock is how far a server's clock is ahead of ours, and by how much that may be
// wrong: half of the time that the question took.
type Clock struct{ Ahead, Margin time.Duration }

// Disk is the file system below Path. Sizes are in bytes; Free is what the
// server's user may still write.
type Disk struct {
	Path        string
	Total, Free uint64
}

// Books are a primary's own rows.
type Books struct {
	// Prepared is false where no engine has ever worked on the database.
	Prepared          bool
	Schema, MinReader int
	shard.Report
	// Instances are the engine instances whose leases last.
	Instances []Instance
}

// Instance is an engine instance at work.
type Instance struct {
	Name  string
	Epoch int64 // the newest epoch that it knows
}

func (n Node) mariaDB() bool { return strings.Contains(n.Variables["version"], "MariaDB") }

// uid is the server's own id.
func (n Node) uid() string { return n.Variables.text("server_uid", "server_uuid") }

// primary is the group's primary if it was asked.
func (g Group) primary() (Node, bool) {
	if len(g.Nodes) == 0 || !g.Nodes[0].Primary {
		return Node{}, false
	}
	return g.Nodes[0], true
}
