package doctor

import "fmt"

func checkRefusals(_ Group, n Node) (findings []Finding) {
	for _, r := range n.Refusals {
		findings = append(findings, r.finding())
	}
	return findings
}

func (r Refusal) finding() Finding {
	if r.Account == Monitor {
		return Finding{
			ID: "monitor_refused", Severity: Error,
			Found: "the monitor account cannot be asked: " + r.Reason,
			Do:    "check monitor_dsn in the config; the account needs REPLICA MONITOR (MariaDB: GRANT BINLOG MONITOR, SLAVE MONITOR ON *.*) or REPLICATION CLIENT (MySQL)",
			Why:   "replication was not examined: a replica that has stopped would go unnoticed",
		}
	}
	f := Finding{ID: "unreachable", Severity: Error, Found: "it could not be asked: " + r.Reason,
		Why: "what it did not answer was not examined; a primary that is away takes no orders, a replica that is away cannot hold what the primary loses"}
	switch r.Kind {
	case Denied:
		f.ID = "access_denied"
		f.Do = "check user, password and database of dsn in the config, and that the account exists for this machine's address"
		f.Why = "the engine has the same account, so that it gets no further"
	case Silent:
		f.Do = "look whether the server hangs (a full or stalled disk, a stopped process) or the network drops packets"
	case Down:
		f.Do = "start the server, or correct the address in the config"
	case Unclear:
		f.Do = "try the address by hand, with the account of the config"
	default:
		f.Do = fmt.Sprintf("find out what %q means", r.Kind)
	}
	return f
}
