package doctor

import (
	"fmt"
	"strconv"
	"strings"
)

// A replica is late from warnLag seconds on, and no help from errorLag on.
const (
	warnLag  = 5
	errorLag = 60
)

func receiving(n Node) bool {
	return isOn(n.Replication.text("replica_io_running", "slave_io_running"))
}

func checkReplication(g Group, n Node) []Finding {
	switch {
	case n.Replication == nil:
		return nil // a refusal says why
	case n.Primary && len(n.Replication) > 0:
		return []Finding{{
			ID: "primary_follows", Severity: Warning,
			Found: fmt.Sprintf("the primary itself is set up to follow %s", n.source()),
			Do:    "if it was promoted and has applied all that it received, let it forget the old primary; otherwise the config names the wrong primary",
			SQL:   []string{"STOP REPLICA", "RESET REPLICA ALL"},
			Why:   "it may apply writes of another server beside those of the engines",
		}}
	case n.Primary:
		return nil
	case len(n.Replication) == 0:
		return []Finding{{
			ID: "not_replicating", Severity: Error, Found: "it follows nobody",
			Do:  "set it up as a replica of this group's primary (CHANGE MASTER TO, on MySQL CHANGE REPLICATION SOURCE TO), or take it out of the config",
			Why: "it holds no new orders, and reads on it give old answers",
		}}
	}
	return append(checkSourceIsPrimary(g, n), checkThreads(n)...)
}

func (n Node) source() string {
	return n.Replication.text("source_host", "master_host") + ":" + n.Replication.text("source_port", "master_port")
}

// checkSourceIsPrimary compares server ids: addresses differ with where one stands.
func checkSourceIsPrimary(g Group, n Node) []Finding {
	follows := n.Replication.text("source_server_id", "master_server_id")
	p, ok := g.primary()
	want := p.Variables["server_id"]
	if !ok || want == "" || follows == "" || follows == "0" || follows == want {
		return nil // 0: it has not connected yet
	}
	return []Finding{{
		ID: "follows_another", Severity: Error, Found: fmt.Sprintf("it follows the server with id %s at %s, the group's primary has id %s", follows, n.source(), want),
		Do:  "let it follow the group's primary (CHANGE MASTER TO, on MySQL CHANGE REPLICATION SOURCE TO), or correct the config",
		Why: "it acknowledges nothing to the primary, and may hold the orders of another group",
	}}
}

func checkThreads(n Node) (findings []Finding) {
	if state := n.Replication.text("replica_io_running", "slave_io_running"); !isOn(state) {
		findings = append(findings, stopped("receiver", "IO_THREAD", state, n.Replication["last_io_error"]))
	}
	if state := n.Replication.text("replica_sql_running", "slave_sql_running"); !isOn(state) {
		findings = append(findings, stopped("applier", "SQL_THREAD", state, n.Replication["last_sql_error"]))
	}
	behind, err := strconv.Atoi(n.Replication.text("seconds_behind_source", "seconds_behind_master"))
	if err == nil && behind >= warnLag {
		f := Finding{
			ID: "replication_late", Severity: Warning, Found: fmt.Sprintf("it is %d s behind its primary, want less than %d s", behind, warnLag),
			Do:  "look for a long transaction, a lock or a slow disk on the replica (SHOW FULL PROCESSLIST)",
			Why: "reads on it give old answers, and promoting it takes that much longer",
		}
		if behind >= errorLag {
			f.Severity = Error
		}
		findings = append(findings, f)
	}
	if f, ok := checkGTIDUse(n); ok {
		findings = append(findings, f)
	}
	return findings
}

func stopped(thread, word, state, reason string) Finding {
	if reason == "" {
		reason = "it names no error"
	}
	f := Finding{
		ID: thread + "_stopped", Severity: Error,
		Found: fmt.Sprintf("its %s is not running (%s): %s", thread, strings.ToLower(state), reason),
		Do:    "mend what the error says, then start it; without an error somebody has stopped it",
		SQL:   []string{"START REPLICA " + word},
		Why:   "the replica falls behind: it cannot answer for the primary, nor take over",
	}
	if thread == "receiver" {
		f.Why = "the replica gets no orders and acknowledges none: when the others go, the group takes no orders"
	}
	return f
}

func checkGTIDUse(n Node) (Finding, bool) {
	f := Finding{
		ID: "replication_by_position", Severity: Warning,
		Do:  "let it follow by GTID",
		Why: "after a promotion it cannot find its place at the new primary by itself",
	}
	if using, ok := n.Replication["using_gtid"]; ok { // MariaDB
		f.Found = fmt.Sprintf("Using_Gtid is %s, want Slave_Pos", using)
		f.SQL = []string{"STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID=slave_pos", "START SLAVE"}
		return f, strings.EqualFold(using, "No")
	}
	auto, ok := n.Replication["auto_position"]
	f.Found = fmt.Sprintf("Auto_Position is %s, want 1", auto)
	f.SQL = []string{"STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_AUTO_POSITION=1", "START REPLICA"}
	return f, ok && auto != "1"
}
