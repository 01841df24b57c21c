package main

import (
	"database/sql/driver"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// ill is one thing that can be wrong with a group.
type ill struct {
	id, place string
	cause     func(w *ward)
	// mend does what the finding says in words; nil where its SQL is all.
	mend func(w *ward)
}

// set changes a node as an administrator might by mistake.
func set(id, place string, statements ...string) ill {
	return ill{id: id, place: place, cause: func(w *ward) { w.exec(place, statements...) }}
}

// grant gives the application's account too much, on one node.
func grant(id, place, statement string) ill {
	return ill{id: id, place: place, cause: func(w *ward) { w.quietly(place, statement+" TO paytool_app@'127.0.0.1'") }}
}

// row changes what engines wrote, and back.
func row(id, place, cause, mend string) ill {
	return ill{id: id, place: place, cause: func(w *ward) { w.exec(place, cause) }, mend: func(w *ward) { w.exec(place, mend) }}
}

var ills = []ill{
	set("sync_binlog", "g1/primary", "SET GLOBAL sync_binlog=0"),
	set("flush_log_at_commit", "g1/replica1", "SET GLOBAL innodb_flush_log_at_trx_commit=2"),
	set("binlog_format", "g2/primary", "SET GLOBAL binlog_format=MIXED"),
	set("gtid_strict_mode", "g1/replica2", "SET GLOBAL gtid_strict_mode=OFF"),
	set("primary_read_only", "g2/primary", "SET GLOBAL read_only=ON"),
	set("replica_writable", "g1/replica1", "SET GLOBAL read_only=OFF"),
	set("settings_differ", "g2/replica1", "SET GLOBAL sql_mode=''"),

	set("semisync_wait_point", "g1/primary", "SET GLOBAL rpl_semi_sync_master_wait_point=AFTER_COMMIT"),
	set("semisync_alone", "g1/primary", "SET GLOBAL rpl_semi_sync_master_wait_no_slave=OFF"),
	set("semisync_off", "g1/primary", "SET GLOBAL rpl_semi_sync_master_enabled=OFF"),
	set("semisync_timeout", "g1/primary", "SET GLOBAL rpl_semi_sync_master_timeout=100"),
	set("semisync_on_replica", "g1/replica1", "SET GLOBAL rpl_semi_sync_master_enabled=ON"),
	set("semisync_off_replica", "g1/replica1", "SET GLOBAL rpl_semi_sync_slave_enabled=OFF"),
	{id: "semisync_not_acknowledging", place: "g1/replica1", cause: connectWithout},
	{id: "semisync_few_replicas", place: "g1/primary",
		cause: func(w *ward) { w.exec("g1/replica1", "STOP SLAVE IO_THREAD") },
		mend:  func(w *ward) { w.follow("receiver_stopped", "g1/replica1") }},
	{id: "semisync_no_replica", place: "g1/primary",
		cause: func(w *ward) {
			w.exec("g1/replica1", "STOP SLAVE IO_THREAD")
			w.exec("g1/replica2", "STOP SLAVE IO_THREAD")
		},
		mend: func(w *ward) {
			w.follow("receiver_stopped", "g1/replica1")
			w.follow("receiver_stopped", "g1/replica2")
		}},
	{id: "semisync_degraded", place: "g1/primary", cause: degrade, mend: thaw},

	grant("grant_dangerous", "g1/replica1", "GRANT READ_ONLY ADMIN ON *.*"),
	grant("grant_dangerous", "g1/primary", "GRANT CONNECTION ADMIN, BINLOG ADMIN ON *.*"),
	grant("grant_dangerous", "g1/primary", "GRANT SUPER ON *.*"),
	{id: "grant_dangerous", place: "g1/primary", cause: func(w *ward) {
		w.quietly("g1/primary", "GRANT ALL PRIVILEGES ON *.* TO paytool_app@'127.0.0.1' WITH GRANT OPTION")
	}},
	grant("grant_global", "g1/primary", "GRANT SELECT, PROCESS ON *.*"),
	grant("grant_system_schema", "g1/primary", "GRANT INSERT ON mysql.*"),
	{id: "grant_option", place: "g1/primary", cause: func(w *ward) {
		w.quietly("g1/primary", "GRANT SELECT ON pay.* TO paytool_app@'127.0.0.1' WITH GRANT OPTION")
	}},

	{id: "unreachable", place: "g1/primary", cause: func(w *ward) { w.signalTo("g1/primary", syscall.SIGSTOP) },
		mend: func(w *ward) { w.signalTo("g1/primary", syscall.SIGCONT) }},
	{id: "unreachable", place: "g1/replica2", cause: func(w *ward) { w.signalTo("g1/replica2", syscall.SIGKILL) }, mend: (*ward).heal},
	{id: "access_denied", place: "g1/replica1",
		cause: func(w *ward) { w.quietly("g1/replica1", "ALTER USER paytool_app@'127.0.0.1' ACCOUNT LOCK") },
		mend:  func(w *ward) { w.quietly("g1/replica1", "ALTER USER paytool_app@'127.0.0.1' ACCOUNT UNLOCK") }},
	{id: "monitor_refused", place: "g1/replica1",
		cause: func(w *ward) {
			w.quietly("g1/replica1", "REVOKE SLAVE MONITOR ON *.* FROM paytool_monitor@'127.0.0.1'")
		},
		mend: func(w *ward) {
			w.quietly("g1/replica1", "GRANT BINLOG MONITOR, SLAVE MONITOR ON *.* TO paytool_monitor@'127.0.0.1'")
		}},

	set("max_connections", "g1/replica1", "SET GLOBAL max_connections=30"),
	{id: "max_connections", place: "g1/replica2",
		cause: func(w *ward) {
			w.quietly("g1/replica2", "ALTER USER paytool_app@'127.0.0.1' WITH MAX_USER_CONNECTIONS 20")
		},
		mend: func(w *ward) {
			w.quietly("g1/replica2", "ALTER USER paytool_app@'127.0.0.1' WITH MAX_USER_CONNECTIONS 0")
		}},
	{id: "pool_small", place: "g2/primary", cause: crowd},
}

// illsOfReplication are those of replicas.
var illsOfReplication = []ill{
	set("receiver_stopped", "g2/replica2", "STOP SLAVE IO_THREAD"),
	set("applier_stopped", "g2/replica2", "STOP SLAVE SQL_THREAD"),
	set("primary_follows", "g2/primary", "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='nobody', MASTER_PASSWORD='s3cret'"),
	set("replication_by_position", "g2/replica1", "STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID=no", "START SLAVE"),
	{id: "not_replicating", place: "g2/replica1",
		cause: func(w *ward) { w.exec("g2/replica1", "STOP SLAVE", "RESET SLAVE ALL") },
		mend:  (*ward).heal}, // whose CHANGE MASTER TO is what the finding asks for
	{id: "follows_another", place: "g2/replica1",
		cause: func(w *ward) {
			w.exec("g2/replica1", "STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_PORT=%d", w.node("g2/replica2").Port), "START SLAVE")
		},
		mend: (*ward).heal},
	{id: "replication_late", place: "g2/replica1", cause: late, mend: func(w *ward) { w.unlock() }},
}

// illsOfBooks are those of what engines wrote.
var illsOfBooks = []ill{
	row("wrong_group", "g2/primary", "UPDATE pay.group_info SET group_id=7", "UPDATE pay.group_info SET group_id=2"),
	row("stale_primary", "g2/primary", "UPDATE pay.group_info SET primary_uid=REVERSE(primary_uid)", "UPDATE pay.group_info SET primary_uid=REVERSE(primary_uid)"),
	row("schema_too_new", "g2/primary", "INSERT INTO pay.schema_version (version, min_reader) VALUES (99, 99)", "DELETE FROM pay.schema_version WHERE version=99"),
	{id: "schema_behind", place: "g2/primary",
		cause: func(w *ward) {
			w.exec("g1/primary", "INSERT INTO pay.schema_version (version, min_reader) VALUES (99, 1)")
		},
		mend: func(w *ward) { w.exec("g1/primary", "DELETE FROM pay.schema_version WHERE version=99") }},
	{id: "tag_owned_twice",
		cause: func(w *ward) {
			w.exec("g2/primary", "INSERT INTO pay.group_state (tag, state, epoch) VALUES (1, 'owned', 1)")
		},
		mend: func(w *ward) { w.exec("g2/primary", "DELETE FROM pay.group_state WHERE tag=1") }},
	{id: "tag_not_owned",
		cause: func(w *ward) { w.exec("g1/primary", "UPDATE pay.group_state SET state='fenced'") },
		mend:  func(w *ward) { w.exec("g1/primary", "UPDATE pay.group_state SET state='owned'") }},
	{id: "epoch_behind", place: "g2/primary",
		cause: func(w *ward) { w.exec("g1/primary", "UPDATE pay.group_info SET epoch=5") }},
	{id: "instance_behind", place: "g1/primary",
		cause: func(w *ward) {
			w.exec("g1/primary", fmt.Sprintf(`INSERT INTO pay.instances (slot, holder, name, n, at_ms, until_ms, floor_s, high_s, epoch)
VALUES (42, 'h', 'late:1', 1, 0, %d, 0, 0, 1)`, time.Now().Add(time.Hour).UnixMilli()))
		},
		mend: func(w *ward) { w.exec("g1/primary", "DELETE FROM pay.instances WHERE slot=42") }},
}

// connectWithout makes a replica's receiver connect before semi-sync is enabled.
func connectWithout(w *ward) {
	const place = "g1/replica1"
	w.exec(place, "SET GLOBAL rpl_semi_sync_slave_enabled=OFF", "STOP SLAVE IO_THREAD", "START SLAVE IO_THREAD")
	w.eventually("the receiver has connected", func() bool {
		var waiting int
		err := w.root(place).QueryRowContext(w.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE state='Waiting for master to send event'").Scan(&waiting)
		return err == nil && waiting == 1
	})
	w.exec(place, "SET GLOBAL rpl_semi_sync_slave_enabled=ON")
}

// degrade lets a commit wait in vain for replicas that are there and frozen.
func degrade(w *ward) {
	w.signalTo("g1/replica1", syscall.SIGSTOP)
	w.signalTo("g1/replica2", syscall.SIGSTOP)
	w.exec("g1/primary", "SET GLOBAL rpl_semi_sync_master_timeout=1", "UPDATE pay.group_info SET changed_ms=changed_ms+1",
		"UPDATE pay.group_info SET changed_ms=changed_ms-1", "SET GLOBAL rpl_semi_sync_master_timeout=2000")
}

// thaw does as the finding says: find out why no replica answered, then turn it on.
func thaw(w *ward) {
	sql := w.until(true, "semisync_degraded", "g1/primary").SQL
	w.signalTo("g1/replica1", syscall.SIGCONT)
	w.signalTo("g1/replica2", syscall.SIGCONT)
	w.exec("g1/primary", sql...)
}

// late lets a write of a hundred seconds ago wait for a lock on a replica.
func late(w *ward) {
	conn, err := w.root("g2/replica1").Conn(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	if _, err := conn.ExecContext(w.Context(), "LOCK TABLES pay.group_info READ"); err != nil {
		w.Fatal(err)
	}
	w.unlock = func() { _ = conn.Raw(func(any) error { return driver.ErrBadConn }) } // the lock ends with its connection
	w.exec("g2/primary", "SET timestamp=UNIX_TIMESTAMP()-100", "UPDATE pay.group_info SET changed_ms=changed_ms+1", "UPDATE pay.group_info SET changed_ms=changed_ms-1", "SET timestamp=DEFAULT")
}

// crowd opens more connections than an engine's pool has, for a moment.
func crowd(w *ward) {
	for range 60 {
		conn, err := w.root("g2/primary").Conn(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
}

// TestShardDoctor makes groups ill in every way that a sandbox allows, wants each
// found, does what the finding says, and wants it gone.
func TestShardDoctor(t *testing.T) {
	w := newWard(t, 2)
	w.part("before any engine", func() {
		w.until(true, "not_prepared", "g2/primary")
		w.eventually("an engine has prepared both groups", func() bool {
			w.paytool("shard", "status") // does so as far as the groups answer in time
			return len(w.examine().Findings) == 0
		})
	})
	w.part("healthy", w.wantNothing)
	for _, i := range slices.Concat(ills, illsOfReplication, illsOfBooks) {
		w.part(i.id+" "+i.place, func() { i.run(w) })
	}
	w.part("settings that need a restart", func() { restartIll(w) })
	w.part("healed", func() {
		w.eventually("replication is what it was", func() bool { return w.examine().OK })
		w.wantNothing()
	})
	w.part("config", func() { configIlls(w) })
}

func (i ill) run(w *ward) {
	i.cause(w)
	found := w.until(true, i.id, i.place, "--timeout", "1s")
	if found.Found == "" || found.Do == "" || found.Why == "" {
		w.Errorf("it does not say what, what to do and why: %+v", found)
	}
	if i.mend != nil {
		i.mend(w)
	} else {
		w.exec(i.place, found.SQL...)
	}
	w.until(false, i.id, i.place)
}

// wantNothing also holds --quiet to its word, which a cron job relies on.
func (w *ward) wantNothing() {
	w.Helper()
	if r := w.examine(); !r.OK || len(r.Findings) != 0 || r.Groups != 2 || r.Nodes != 6 {
		w.Errorf("healthy groups: %+v", r)
	}
	if status, stdout, stderr := w.paytool("shard", "doctor", "--quiet", "--strict"); status != exitDone || stdout+stderr != "" {
		w.Errorf("--quiet: exit %d, printed %q %q", status, stdout, stderr)
	}
}

// restartIll starts a replica with what cannot be changed while it runs. Each
// finding asks for an entry in the option file, which the sandbox then writes.
func restartIll(w *ward) {
	const place = "g2/replica2"
	ids := []string{"doublewrite", "replica_updates_not_logged", "version_unsupported", "versions_differ"}
	w.restart(place, "--innodb-doublewrite=OFF", "--log-slave-updates=OFF", "--version=10.6.1-MariaDB")
	for _, id := range ids {
		w.until(true, id, place)
	}
	w.restart(place)
	w.restart(place, "--skip-log-bin")
	w.until(true, "binlog_off", place)
	w.restart(place)
	for _, id := range append(ids, "binlog_off") {
		w.until(false, id, place)
	}
}

// configIlls are in the config, not in a server.
func configIlls(w *ward) {
	text, err := os.ReadFile(w.config)
	if err != nil {
		w.Fatal(err)
	}
	write := func(first, second string) {
		w.Helper()
		changed := strings.Replace(strings.Replace(string(text), "- group: 1\n", "- group: 1\n"+first, 1), "- group: 2\n", "- group: 2\n"+second, 1)
		if err := os.WriteFile(w.config, []byte(changed), 0o600); err != nil {
			w.Fatal(err)
		}
	}
	for _, c := range []struct{ id, first, second string }{
		{"zone_shared", "  zone: north\n", "  zone: north\n"},
		{"zone_missing", "  zone: north\n", ""},
		{"few_groups", "  weight: 0\n", ""},
	} {
		write(c.first, c.second)
		w.until(true, c.id, "")
		write("  zone: north\n", "  zone: south\n")
		w.until(false, c.id, "")
	}
	write("", "")
	if r := w.examine("--instances", "8"); r.OK || r.Errors != 6 || r.Findings[0].ID != "max_connections" {
		w.Errorf("8 instances with pools of 64 on servers with 400 connections: %+v", r)
	}
	if r := w.examine("--group", "2"); r.Groups != 1 || r.Nodes != 3 {
		w.Errorf("--group 2: %+v", r)
	}
}
