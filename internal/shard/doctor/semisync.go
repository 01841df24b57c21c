package doctor

import (
	"fmt"
	"strconv"
)

// leastSemisyncTimeout is below what a replica may take on a bad day, in ms.
const leastSemisyncTimeout = 1000

const semisyncWhy = "an acknowledged order may lie on the primary alone, and is lost with it"

// semisyncSeverity takes into account that a group may be meant to work without.
func (g Group) semisyncSeverity(s Severity) Severity {
	if s == Error && !g.Semisync {
		return Warning
	}
	return s
}

func checkSemisync(g Group, n Node) (findings []Finding) {
	if n.Variables == nil || g.Replicas == 0 {
		return nil
	}
	if n.Primary {
		findings = checkSource(g, n)
	} else {
		findings = checkAcknowledging(n)
	}
	for i := range findings {
		findings[i].Severity = g.semisyncSeverity(findings[i].Severity)
	}
	return findings
}

// checkSource looks at the side that waits. It says the first thing that keeps it
// from waiting, since the rest follows from that.
func checkSource(g Group, n Node) (findings []Finding) {
	name, enabled, known := n.Variables.first("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled")
	clients, _ := strconv.Atoi(n.Status.text("rpl_semi_sync_source_clients", "rpl_semi_sync_master_clients"))
	on := isOn(n.Status.text("rpl_semi_sync_source_status", "rpl_semi_sync_master_status"))
	switch {
	case !known:
		return []Finding{missingPlugin("source")}
	case !isOn(enabled):
		return []Finding{{
			ID: "semisync_off", Severity: Error, Found: name + " is OFF, want ON",
			Do:  "set it now, and write " + name + "=ON into the option file of the primary, and of no replica on MariaDB",
			SQL: []string{"SET GLOBAL " + name + "=ON"}, Why: semisyncWhy,
		}}
	case clients == 0:
		return []Finding{{
			ID: "semisync_no_replica", Severity: Error, Found: fmt.Sprintf("0 of %d replicas acknowledge", g.Replicas),
			Do: "mend the replicas first: see the findings about them", Why: semisyncWhy,
		}}
	case !on:
		findings = append(findings, Finding{
			ID: "semisync_degraded", Severity: Error,
			Found: fmt.Sprintf("semi-sync has turned itself off though %d replicas are there; %s commits were not acknowledged", clients, unacknowledged(n)),
			Do:    "find out why no replica answered in time; the next commit turns it on again, or this does",
			SQL:   []string{"SET GLOBAL " + name + "=OFF", "SET GLOBAL " + name + "=ON"}, Why: semisyncWhy,
		})
	case clients < g.Replicas:
		findings = append(findings, Finding{
			ID: "semisync_few_replicas", Severity: Warning, Found: fmt.Sprintf("%d of %d replicas acknowledge", clients, g.Replicas),
			Do: "mend the replica that is away: see the findings about it", Why: "when the next replica goes, the group takes no orders",
		})
	}
	return append(findings, checkSourceNumbers(g, n)...)
}

func unacknowledged(n Node) string {
	return n.Status.text("rpl_semi_sync_source_no_tx", "rpl_semi_sync_master_no_tx")
}

func checkSourceNumbers(g Group, n Node) (findings []Finding) {
	name, value, ok := n.Variables.first("rpl_semi_sync_source_timeout", "rpl_semi_sync_master_timeout")
	if ms, err := strconv.ParseInt(value, 10, 64); ok && err == nil && ms < leastSemisyncTimeout {
		findings = append(findings, Finding{
			ID: "semisync_timeout", Severity: Warning, Found: fmt.Sprintf("%s is %d ms, want at least %d ms", name, ms, leastSemisyncTimeout),
			Do:  "set it now, and write " + name + "=10000 into the option file",
			SQL: []string{"SET GLOBAL " + name + "=10000"},
			Why: "a short hiccup of the replicas turns semi-sync off, and orders are acknowledged that lie on one machine only; a longer wait costs no order, as new ones avoid the group meanwhile",
		})
	}
	name, value, ok = n.Variables.first("rpl_semi_sync_source_wait_for_replica_count", "rpl_semi_sync_master_wait_for_slave_count")
	if count, err := strconv.Atoi(value); ok && err == nil && count > g.Replicas {
		findings = append(findings, Finding{
			ID: "semisync_count", Severity: Error, Found: fmt.Sprintf("%s is %d, but the group has %d replicas", name, count, g.Replicas),
			Do: "set it to 1", SQL: []string{"SET GLOBAL " + name + "=1"},
			Why: "so many replicas never acknowledge: every commit waits until its timeout, and then semi-sync turns itself off",
		})
	}
	return findings
}

// checkAcknowledging looks at a replica.
func checkAcknowledging(n Node) (findings []Finding) {
	if name, source, ok := n.Variables.first("rpl_semi_sync_master_enabled"); ok && n.mariaDB() && isOn(source) {
		findings = append(findings, Finding{
			ID: "semisync_on_replica", Severity: Error, Found: name + " is ON on a replica, want OFF",
			Do:  "turn it off, and take it out of the replica's option file",
			SQL: []string{"SET GLOBAL " + name + "=OFF"},
			Why: "on MariaDB the replica's applier then waits for acknowledgements that never come, and falls behind",
		})
	}
	name, enabled, known := n.Variables.first("rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled")
	status := n.Status.text("rpl_semi_sync_replica_status", "rpl_semi_sync_slave_status")
	switch {
	case !known:
		findings = append(findings, missingPlugin("replica"))
	case !isOn(enabled):
		findings = append(findings, Finding{
			ID: "semisync_off_replica", Severity: Warning, Found: name + " is OFF, want ON",
			Do:  "set it now, and write " + name + "=ON into the option file; the receiver asks for semi-sync only when it connects",
			SQL: append([]string{"SET GLOBAL " + name + "=ON"}, restartReceiver()...),
			Why: "the replica acknowledges nothing: when the others go, the group takes no orders",
		})
	case !isOn(status) && receiving(n):
		findings = append(findings, Finding{
			ID: "semisync_not_acknowledging", Severity: Warning, Found: "it replicates, but without acknowledging: semi-sync status is OFF, want ON",
			Do:  "restart its receiver, which asks for semi-sync only when it connects",
			SQL: restartReceiver(),
			Why: "the replica acknowledges nothing: when the others go, the group takes no orders",
		})
	}
	return findings
}

// restartReceiver is in words that both servers know.
func restartReceiver() []string {
	return []string{"STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD"}
}

func missingPlugin(side string) Finding {
	return Finding{
		ID: "semisync_missing", Severity: Error, Found: "the server does not know semi-sync's " + side + " side",
		Do:  fmt.Sprintf("install the plugin (before MySQL 8.0.26 it is called %s), then run the doctor again", map[string]string{"source": "rpl_semi_sync_master, semisync_master.so", "replica": "rpl_semi_sync_slave, semisync_slave.so"}[side]),
		SQL: []string{fmt.Sprintf("INSTALL PLUGIN rpl_semi_sync_%s SONAME 'semisync_%s.so'", side, side)},
		Why: semisyncWhy,
	}
}
