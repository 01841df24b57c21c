package doctor

import (
	"fmt"
	"strings"
)

// setting is a server variable that has one right value.
type setting struct {
	id       string
	severity Severity
	names    []string // its spellings; a server that knows none is not judged by it
	on       func(g Group, n Node) bool
	right    []string // accepted values, the first is advised
	restart  bool     // it cannot be changed while the server runs
	why      string
}

func everyNode(Group, Node) bool      { return true }
func onPrimary(_ Group, n Node) bool  { return n.Primary }
func onReplica(_ Group, n Node) bool  { return !n.Primary }
func onSource(g Group, n Node) bool   { return n.Primary && g.Replicas > 0 }
func inGroup(g Group, n Node) bool    { return g.Replicas > 0 }
func onMariaDB(_ Group, n Node) bool  { return n.mariaDB() }
func notMariaDB(_ Group, n Node) bool { return !n.mariaDB() }

const durableWhy = "an order that was acknowledged is lost when the machine loses power"

var settings = []setting{
	{"sync_binlog", Error, []string{"sync_binlog"}, everyNode, []string{"1"}, false, durableWhy},
	{"flush_log_at_commit", Error, []string{"innodb_flush_log_at_trx_commit"}, onMariaDB, []string{"1", "3"}, false, durableWhy},
	{"flush_log_at_commit", Error, []string{"innodb_flush_log_at_trx_commit"}, notMariaDB, []string{"1"}, false, durableWhy},
	{"doublewrite", Error, []string{"innodb_doublewrite"}, everyNode, []string{"ON", "1", "DETECT_AND_RECOVER"}, true,
		"a page that was half written when the power went cannot be repaired, and the server does not start again"},
	{"binlog_off", Error, []string{"log_bin"}, inGroup, []string{"ON", "1"}, true,
		"without a binlog there is nothing to replicate: no second machine has the orders, and a replica cannot take over"},
	{"binlog_format", Error, []string{"binlog_format"}, everyNode, []string{"ROW"}, false,
		"statements can give other rows on a replica than on the primary; connections that are open keep the old format until the engines restart"},
	{"replica_updates_not_logged", Warning, []string{"log_replica_updates", "log_slave_updates"}, inGroup, []string{"ON", "1"}, true,
		"a replica that is promoted cannot hand on to the others what it got from the old primary"},
	{"gtid_strict_mode", Warning, []string{"gtid_strict_mode"}, everyNode, []string{"ON", "1"}, false,
		"a replica that was written to by mistake replicates on as if nothing had happened"},
	{"gtid_mode", Warning, []string{"gtid_mode"}, inGroup, []string{"ON"}, true,
		"a replica cannot find its place at a new primary by itself"},
	{"gtid_consistency", Warning, []string{"enforce_gtid_consistency"}, inGroup, []string{"ON", "1"}, true,
		"statements that break GTID replication are let in"},
	{"primary_read_only", Error, []string{"read_only"}, onPrimary, []string{"OFF", "0"}, false,
		"the group takes no orders; turn it off only after making sure that no other server has become the primary"},
	{"replica_writable", Error, []string{"read_only"}, onReplica, []string{"ON", "1"}, false,
		"a client with a wrong address writes orders that the primary never sees"},
	{"replica_super_writable", Warning, []string{"super_read_only"}, onReplica, []string{"ON", "1"}, false,
		"an administrator's slip on the replica makes it differ from the primary"},
	{"semisync_wait_point", Error, []string{"rpl_semi_sync_source_wait_point", "rpl_semi_sync_master_wait_point"}, onSource, []string{"AFTER_SYNC"}, false,
		"others read an order before a second machine has it, and a failover takes it back"},
	{"semisync_alone", Warning, []string{"rpl_semi_sync_source_wait_no_replica", "rpl_semi_sync_master_wait_no_slave"}, onSource, []string{"ON", "1"}, false,
		"when the last replica goes, commits are acknowledged at once with no second machine holding them"},
}

func checkSettings(g Group, n Node) (findings []Finding) {
	for _, s := range settings {
		name, value, ok := n.Variables.first(s.names...)
		if !ok || !s.on(g, n) || s.accepts(value) {
			continue
		}
		findings = append(findings, s.finding(g, name, value))
	}
	return findings
}

func (s setting) accepts(value string) bool {
	for _, r := range s.right {
		if strings.EqualFold(r, value) {
			return true
		}
	}
	return false
}

func (s setting) finding(g Group, name, value string) Finding {
	f := Finding{ID: s.id, Severity: s.severity, Found: fmt.Sprintf("%s is %s, want %s", name, value, s.right[0]), Why: s.why}
	line := fmt.Sprintf("%s=%s", name, s.right[0])
	switch {
	case s.restart && name == "log_bin":
		f.Do = "write log_bin=binlog into its option file and restart it"
	case s.restart:
		f.Do = "write " + line + " into its option file and restart it"
	default:
		f.Do = "set it now, and write " + line + " into its option file, so that a restart keeps it"
		f.SQL = []string{"SET GLOBAL " + line}
	}
	if strings.HasPrefix(s.id, "semisync") {
		f.Severity = g.semisyncSeverity(f.Severity)
	}
	return f
}

// alike are variables that must be the same everywhere. Which value they have
// does not matter to the engine, whose sessions bring their own.
var alike = []string{"sql_mode", "time_zone", "character_set_server", "collation_server", "transaction_isolation", "tx_isolation", "lower_case_table_names", "binlog_row_image"}

// checkAlike holds every node against the first one that answered.
func checkAlike(f Facts) (findings []Finding) {
	var model *Node
	for _, g := range f.Groups {
		for _, n := range g.Nodes {
			if n.Variables == nil {
				continue
			}
			if model == nil {
				model = &n
				continue
			}
			for _, name := range alike {
				mine, ok := n.Variables[name]
				theirs, known := model.Variables[name]
				if !ok || !known || mine == theirs {
					continue
				}
				findings = append(findings, Finding{
					ID: "settings_differ", Severity: Warning, Group: g.ID, Node: n.Name,
					Found: fmt.Sprintf("%s is %q, on %s it is %q", name, mine, model.Name, theirs),
					Do:    fmt.Sprintf("choose one value and write it into every option file; this sets it to that of %s", model.Name),
					SQL:   setAlike(name, theirs),
					Why:   "what an administrator runs by hand, and rows that move to another group, mean something else here than there",
				})
			}
		}
	}
	return findings
}

// setAlike is empty for what only an option file can change.
func setAlike(name, value string) []string {
	if name == "lower_case_table_names" {
		return nil
	}
	quoted := strings.NewReplacer(`\`, `\\`, "'", "''").Replace(value)
	return []string{fmt.Sprintf("SET GLOBAL %s='%s'", name, quoted)}
}
