package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/shard"
)

const (
	mariaDB = "mariadb-10.11.json"
	mySQL   = "mysql-8.4.json"
)

func TestHealthyGroupsHaveNoFindings(t *testing.T) {
	t.Parallel()
	for _, file := range []string{mariaDB, mySQL} {
		if found := Judge(healthy(t, file)); len(found) != 0 {
			t.Errorf("%s: %+v", file, found)
		}
	}
}

// variable changes one variable of a node.
func variable(group, node int, name, value string) func(f *Facts) {
	return func(f *Facts) { f.at(group, node).Variables[name] = value }
}

func status(group, node int, name, value string) func(f *Facts) {
	return func(f *Facts) { f.at(group, node).Status[name] = value }
}

func replication(group, node int, name, value string) func(f *Facts) {
	return func(f *Facts) { f.at(group, node).Replication[name] = value }
}

func granted(line string) func(f *Facts) {
	return func(f *Facts) {
		g, ok := ParseGrant(line)
		if !ok {
			panic("not a grant: " + line)
		}
		f.at(1, 0).Grants = append(f.at(1, 0).Grants, g)
	}
}

func all(changes ...func(f *Facts)) func(f *Facts) {
	return func(f *Facts) {
		for _, change := range changes {
			change(f)
		}
	}
}

func without(names ...string) func(f *Facts) {
	return func(f *Facts) {
		for _, n := range names {
			delete(f.at(1, 0).Variables, n)
		}
	}
}

type judgement struct {
	name   string
	file   string
	change func(f *Facts)
	want   []string // "severity id"
	found  string   // part of what was found, with the value that was
	sql    string   // part of the statements
}

var onServers = []judgement{
	{"power cut", mariaDB, variable(1, 0, "sync_binlog", "0"), []string{"error sync_binlog"}, "sync_binlog is 0, want 1", "SET GLOBAL sync_binlog=1"},
	{"log not flushed", mariaDB, variable(2, 1, "innodb_flush_log_at_trx_commit", "2"), []string{"error flush_log_at_commit"}, "is 2, want 1", "innodb_flush_log_at_trx_commit=1"},
	{"MariaDB's 3 is as safe as 1", mariaDB, variable(2, 1, "innodb_flush_log_at_trx_commit", "3"), nil, "", ""},
	{"MySQL has no 3", mySQL, variable(1, 0, "innodb_flush_log_at_trx_commit", "0"), []string{"error flush_log_at_commit"}, "is 0", ""},
	{"doublewrite", mySQL, variable(1, 2, "innodb_doublewrite", "DETECT_ONLY"), []string{"error doublewrite"}, "DETECT_ONLY", ""},
	{"doublewrite that repairs", mySQL, variable(1, 2, "innodb_doublewrite", "DETECT_AND_RECOVER"), nil, "", ""},
	{"no binlog", mariaDB, variable(1, 0, "log_bin", "OFF"), []string{"error binlog_off"}, "log_bin is OFF", ""},
	{"statements", mariaDB, variable(1, 0, "binlog_format", "MIXED"), []string{"error binlog_format"}, "MIXED, want ROW", "binlog_format=ROW"},
	{"updates", mariaDB, variable(1, 1, "log_slave_updates", "OFF"), []string{"warning replica_updates_not_logged"}, "log_slave_updates is OFF", ""},
	{"updates, MySQL", mySQL, variable(1, 1, "log_replica_updates", "OFF"), []string{"warning replica_updates_not_logged"}, "log_replica_updates", ""},
	{"gtid strict", mariaDB, variable(1, 1, "gtid_strict_mode", "OFF"), []string{"warning gtid_strict_mode"}, "OFF, want ON", "gtid_strict_mode=ON"},
	{"gtid mode", mySQL, variable(1, 1, "gtid_mode", "OFF"), []string{"warning gtid_mode"}, "gtid_mode is OFF", ""},
	{"gtid consistency", mySQL, variable(1, 1, "enforce_gtid_consistency", "WARN"), []string{"warning gtid_consistency"}, "WARN", ""},
	{"read-only primary", mariaDB, variable(1, 0, "read_only", "ON"), []string{"error primary_read_only"}, "read_only is ON, want OFF", "read_only=OFF"},
	{"writable replica", mariaDB, variable(1, 2, "read_only", "OFF"), []string{"error replica_writable"}, "read_only is OFF, want ON", "read_only=ON"},
	{"writable for SUPER", mySQL, variable(1, 2, "super_read_only", "OFF"), []string{"warning replica_super_writable"}, "super_read_only is OFF", "super_read_only=ON"},
	{"sql_mode", mariaDB, variable(1, 2, "sql_mode", ""), []string{"warning settings_differ"}, `sql_mode is "", on g1/primary0`, "SET GLOBAL sql_mode='STRICT_TRANS_TABLES"},
	{"isolation, MySQL", mySQL, variable(2, 0, "transaction_isolation", "SERIALIZABLE"), []string{"warning settings_differ"}, "SERIALIZABLE", "='REPEATABLE-READ'"},
	{"case of names", mySQL, variable(2, 0, "lower_case_table_names", "1"), []string{"warning settings_differ"}, "lower_case_table_names", ""},

	{"semi-sync off", mariaDB, variable(1, 0, "rpl_semi_sync_master_enabled", "OFF"), []string{"error semisync_off"}, "OFF, want ON", "rpl_semi_sync_master_enabled=ON"},
	{"semi-sync off, MySQL", mySQL, variable(1, 0, "rpl_semi_sync_source_enabled", "OFF"), []string{"error semisync_off"}, "", "rpl_semi_sync_source_enabled=ON"},
	{"semi-sync not required", mariaDB, all(variable(1, 0, "rpl_semi_sync_master_enabled", "OFF"), func(f *Facts) { f.Groups[0].Semisync = false }), []string{"warning semisync_off"}, "", ""},
	{"no plugin", mySQL, without("rpl_semi_sync_source_enabled", "rpl_semi_sync_source_wait_point", "rpl_semi_sync_source_wait_no_replica"), []string{"error semisync_missing"}, "source side", "SONAME 'semisync_source.so'"},
	{"no plugin on a replica", mySQL, func(f *Facts) { delete(f.at(1, 1).Variables, "rpl_semi_sync_replica_enabled") }, []string{"error semisync_missing"}, "replica side", "SONAME 'semisync_replica.so'"},
	{"alone", mariaDB, status(1, 0, "rpl_semi_sync_master_clients", "0"), []string{"error semisync_no_replica"}, "0 of 2", ""},
	{"one away", mySQL, status(1, 0, "rpl_semi_sync_source_clients", "1"), []string{"warning semisync_few_replicas"}, "1 of 2", ""},
	{"degraded", mySQL, all(status(1, 0, "rpl_semi_sync_source_status", "OFF"), status(1, 0, "rpl_semi_sync_source_no_tx", "7")), []string{"error semisync_degraded"}, "7 commits", "rpl_semi_sync_source_enabled=ON"},
	{"wait point", mariaDB, variable(1, 0, "rpl_semi_sync_master_wait_point", "AFTER_COMMIT"), []string{"error semisync_wait_point"}, "AFTER_COMMIT, want AFTER_SYNC", "wait_point=AFTER_SYNC"},
	{"alone at once", mySQL, variable(1, 0, "rpl_semi_sync_source_wait_no_replica", "OFF"), []string{"warning semisync_alone"}, "", "rpl_semi_sync_source_wait_no_replica=ON"},
	{"impatient", mySQL, variable(1, 0, "rpl_semi_sync_source_timeout", "999"), []string{"warning semisync_timeout"}, "999 ms, want at least 1000 ms", "=10000"},
	{"too many wanted", mySQL, variable(1, 0, "rpl_semi_sync_source_wait_for_replica_count", "3"), []string{"error semisync_count"}, "is 3, but the group has 2", "=1"},
	{"waiting replica", mariaDB, variable(1, 1, "rpl_semi_sync_master_enabled", "ON"), []string{"error semisync_on_replica"}, "ON on a replica", "rpl_semi_sync_master_enabled=OFF"},
	{"MySQL replicas may be ready to be promoted", mySQL, variable(1, 1, "rpl_semi_sync_source_enabled", "ON"), nil, "", ""},
	{"replica's side off", mySQL, variable(1, 1, "rpl_semi_sync_replica_enabled", "OFF"), []string{"warning semisync_off_replica"}, "", "rpl_semi_sync_replica_enabled=ON"},
	{"replica's side idle", mariaDB, status(1, 1, "rpl_semi_sync_slave_status", "OFF"), []string{"warning semisync_not_acknowledging"}, "", "STOP REPLICA IO_THREAD"},

	{"receiver", mariaDB, all(replication(1, 1, "slave_io_running", "Connecting"), replication(1, 1, "last_io_error", "error connecting")), []string{"error receiver_stopped"}, "(connecting): error connecting", "START REPLICA IO_THREAD"},
	{"applier, MySQL", mySQL, replication(1, 1, "replica_sql_running", "No"), []string{"error applier_stopped"}, "(no)", "START REPLICA SQL_THREAD"},
	{"late", mariaDB, replication(1, 1, "seconds_behind_master", "5"), []string{"warning replication_late"}, "5 s behind", ""},
	{"not late", mariaDB, replication(1, 1, "seconds_behind_master", "4"), nil, "", ""},
	{"very late", mySQL, replication(1, 1, "seconds_behind_source", "60"), []string{"error replication_late"}, "60 s behind", ""},
	{"follows nobody", mySQL, func(f *Facts) { f.at(1, 1).Replication = Values{} }, []string{"error not_replicating"}, "", ""},
	{"follows another", mySQL, replication(1, 1, "source_server_id", "77"), []string{"error follows_another"}, "id 77 at 10.0.0.1:3306, the group's primary has id 1", ""},
	{"primary follows", mariaDB, func(f *Facts) { f.at(1, 0).Replication = Values{"master_host": "db9", "master_port": "3306"} }, []string{"warning primary_follows"}, "db9:3306", "RESET REPLICA ALL"},
	{"by position", mariaDB, replication(1, 1, "using_gtid", "No"), []string{"warning replication_by_position"}, "No", "MASTER_USE_GTID=slave_pos"},
	{"by position, MySQL", mySQL, replication(1, 1, "auto_position", "0"), []string{"warning replication_by_position"}, "Auto_Position is 0", "SOURCE_AUTO_POSITION=1"},

	{"old MariaDB", mariaDB, variable(1, 1, "version", "10.6.1-MariaDB"), []string{"error version_unsupported", "error versions_differ"}, "10.6.1", ""},
	{"old MySQL", mySQL, variable(1, 1, "version", "5.7.44"), []string{"error version_unsupported", "error versions_differ"}, "want MySQL 8.0", ""},
	{"newer replica", mySQL, variable(1, 1, "version", "9.1.0"), []string{"warning versions_differ"}, `"9.1.0", the primary's is "8.4.3"`, ""},
	{"no version", mySQL, variable(1, 1, "version", "?"), []string{"error version_unsupported"}, `"?"`, ""},

	{"full disk", mariaDB, func(f *Facts) { f.at(1, 1).Disks = []Disk{{Path: "/data", Total: 100 << 30, Free: 4 << 30}} }, []string{"error disk_full"}, "4.0 % of the disk at /data is free (4.0 GiB of 100.0 GiB)", ""},
	{"filling disk", mariaDB, func(f *Facts) { f.at(1, 1).Disks = []Disk{{Total: 100, Free: 14}} }, []string{"warning disk_full"}, "14.0 %", ""},
	{"unseen disk", mySQL, func(f *Facts) { f.at(1, 1).Disks, f.at(1, 1).DisksUnknown = nil, "why" }, []string{"note disk_not_checked"}, "why", ""},
}

var onAccounts = []judgement{
	{"read-only admin", mariaDB, granted("GRANT READ_ONLY ADMIN ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*ABC'"), []string{"error grant_dangerous"}, "READ_ONLY ADMIN on *.*", "REVOKE READ_ONLY ADMIN ON *.* FROM `a`@`%`"},
	{"MySQL's names", mySQL, granted("GRANT CONNECTION_ADMIN,BINLOG_ADMIN ON *.* TO `a`@`%`"), []string{"error grant_dangerous"}, "CONNECTION_ADMIN, BINLOG_ADMIN", "REVOKE CONNECTION_ADMIN, BINLOG_ADMIN"},
	{"all, as MySQL lists it", mySQL, granted("GRANT SELECT, INSERT, UPDATE, SHUTDOWN, FILE, SUPER ON *.* TO `a`@`%` WITH GRANT OPTION"), []string{"error grant_dangerous"}, "SHUTDOWN, FILE, SUPER, GRANT OPTION", "GRANT ALL PRIVILEGES ON `pay`.* TO `a`@`%`"},
	{"all", mariaDB, granted("GRANT ALL PRIVILEGES ON *.* TO 'a'@'%'"), []string{"error grant_dangerous"}, "ALL PRIVILEGES on *.*", "GRANT ALL PRIVILEGES ON `pay`.*"},
	{"more than needed", mariaDB, granted("GRANT SELECT, PROCESS ON *.* TO `a`@`%`"), []string{"warning grant_global"}, "SELECT, PROCESS", "SET SESSION sql_log_bin=0"},
	{"hands on everything", mariaDB, granted("GRANT USAGE ON *.* TO `a`@`%` WITH GRANT OPTION"), []string{"warning grant_global"}, "GRANT OPTION", "REVOKE GRANT OPTION ON *.* FROM `a`@`%`"},
	{"hands on", mariaDB, granted("GRANT SELECT (a, b) ON `pay`.`orders` TO `a`@`%` WITH GRANT OPTION"), []string{"warning grant_option"}, "`pay`.`orders`", "REVOKE GRANT OPTION ON `pay`.`orders`"},
	{"writes accounts", mySQL, granted("GRANT INSERT ON `mysql`.* TO `a`@`%`"), []string{"error grant_system_schema"}, "INSERT on `mysql`.*", "REVOKE INSERT ON `mysql`.*"},
	{"every schema", mySQL, granted("GRANT INSERT ON `%`.* TO `a`@`%`"), []string{"error grant_system_schema"}, "", ""},

	{"silent", mariaDB, refused(Application, Silent), []string{"error unreachable"}, "because", ""},
	{"down", mariaDB, refused(Application, Down), []string{"error unreachable"}, "because", ""},
	{"unclear", mariaDB, refused(Application, Unclear), []string{"error unreachable"}, "because", ""},
	{"denied", mariaDB, refused(Application, Denied), []string{"error access_denied"}, "because", ""},
	{"monitor", mariaDB, refused(Monitor, Denied), []string{"error monitor_refused"}, "because", ""},

	{"clock", mariaDB, func(f *Facts) {
		f.at(1, 1).Clock = &Clock{Ahead: -700 * time.Millisecond, Margin: 10 * time.Millisecond}
	}, []string{"warning clock_skew"}, "its clock is 700ms behind this machine's (±10ms)", ""},
	{"slow answer, not a wrong clock", mariaDB, func(f *Facts) {
		f.at(1, 1).Clock = &Clock{Ahead: 700 * time.Millisecond, Margin: 300 * time.Millisecond}
	}, nil, "", ""},
	{"clock far off", mariaDB, func(f *Facts) { f.at(1, 1).Clock = &Clock{Ahead: time.Hour} }, []string{"error clock_skew"}, "1h0m0s ahead of", ""},
	{"our clock", mariaDB, everyClock(3 * time.Second), []string{"warning clock_skew"}, "this machine's clock is 3s behind that of every server", ""},
	{"two wrong clocks", mariaDB, all(everyClock(3*time.Second), func(f *Facts) { f.at(1, 1).Clock.Ahead = 9 * time.Second }), []string{"error clock_skew", "warning clock_skew"}, "", ""},
}

func refused(account Account, kind RefusalKind) func(f *Facts) {
	return func(f *Facts) {
		n := f.at(1, 1)
		*n = Node{Name: n.Name, Refusals: []Refusal{{Account: account, Kind: kind, Reason: "because"}}}
	}
}

func everyClock(ahead time.Duration) func(f *Facts) {
	return func(f *Facts) {
		for i := range f.Groups {
			for j := range f.Groups[i].Nodes {
				f.Groups[i].Nodes[j].Clock = &Clock{Ahead: ahead, Margin: time.Millisecond}
			}
		}
	}
}

func books(group int, change func(b *Books)) func(f *Facts) {
	return func(f *Facts) { change(f.at(group, 0).Books) }
}

func zones(names ...string) func(f *Facts) {
	return func(f *Facts) {
		for i, zone := range names {
			if i >= len(f.Groups) {
				f.Groups = append(f.Groups, Group{ID: shard.GroupID(i + 1), Weight: 100})
			}
			f.Groups[i].Zone = zone
		}
	}
}

var onFleets = []judgement{
	{"one group", mariaDB, func(f *Facts) { f.Groups = f.Groups[:1] }, []string{"warning few_groups"}, "1 group takes new orders", ""},
	{"one with a weight", mariaDB, func(f *Facts) { f.Groups[0].Weight = 0 }, []string{"warning few_groups"}, "", ""},
	{"two zones", mariaDB, zones("a", "b"), nil, "", ""},
	{"one zone", mariaDB, zones("a", "a"), []string{"warning zone_shared"}, `the primaries of groups 1, 2 lie in one zone, "a"`, ""},
	{"no zone", mariaDB, zones("a", ""), []string{"warning zone_missing"}, "group 2 has no zone", ""},
	{"uneven zones", mariaDB, zones("a", "a", "a", "b"), []string{"warning zone_shared"}, "groups 1, 2, 3", ""},
	{"few zones, even", mariaDB, zones("a", "b", "a", "b", "c"), []string{"note zone_shared"}, "groups 1, 3", ""},

	{"too few connections", mariaDB, variable(1, 0, "max_connections", "82"), []string{"error max_connections"}, "max_connections is 82, want at least 83: 1 instances at work with up to 73 connections each", "SET GLOBAL max_connections=83"},
	{"just enough", mariaDB, variable(1, 0, "max_connections", "83"), nil, "", ""},
	{"account's limit", mariaDB, func(f *Facts) { f.at(1, 1).AccountConns = 70 }, []string{"error max_connections"}, "max_user_connections of the application's account is 70, want at least 80", ""},
	{"planned", mariaDB, func(f *Facts) { f.Instances = 6 }, []string{"error max_connections"}, "6 instances planned", ""},
	{"leases", mariaDB, books(2, func(b *Books) { b.Instances = slices.Repeat([]Instance{{Name: "i", Epoch: 1}}, 6) }), []string{"error max_connections"}, "6 instances at work", ""},
	{"peak", mariaDB, status(1, 0, "max_used_connections", "37"), []string{"warning pool_small"}, "becomes 74 when 2 groups fail; the instances' pools have 73", "FLUSH"},
	{"peak that fits", mariaDB, status(1, 0, "max_used_connections", "36"), nil, "", ""},

	{"new group", mariaDB, books(2, func(b *Books) { *b = Books{} }), []string{"note not_prepared"}, "", ""},
	{"wrong database", mariaDB, books(2, func(b *Books) { b.Group = 3 }), []string{"error wrong_group"}, "that of group 3, the config says group 2", ""},
	{"old primary", mySQL, books(2, func(b *Books) { b.PrimaryUID = "other" }), []string{"error stale_primary"}, `"3e11fa47-71ca-11e1-9e33-c80aa9429562", the group's primary is the server with uid "other"`, ""},
	{"new schema", mariaDB, books(2, func(b *Books) { b.Schema, b.MinReader = 9, 3 }), []string{"error schema_too_new", "warning schema_behind"}, "needs a program that knows 3, this one knows 2", ""},
	{"old schema", mariaDB, books(2, func(b *Books) { b.Schema = 1 }), []string{"warning schema_behind"}, "version 1, that of other groups at 2", ""},
	{"two owners", mariaDB, books(2, func(b *Books) {
		b.Claims = append(b.Claims, shard.Claim{Tag: 1, Group: 2, State: shard.TagOwned, Epoch: 1})
	}), []string{"error tag_owned_twice"}, "tag 1 is owned by groups 1, 2", ""},
	{"no owner", mariaDB, books(2, func(b *Books) { b.Claims[0].State = shard.TagFenced }), []string{"error tag_not_owned"}, "group 2 says fenced at epoch 1", ""},
	{"owner unheard", mariaDB, all(books(2, func(b *Books) { b.Claims[0].State = shard.TagMoved }), func(f *Facts) { f.Groups[0].Nodes = nil }), nil, "", ""},
	{"epochs", mariaDB, books(2, func(b *Books) { b.Epoch = 4 }), []string{"warning epoch_behind"}, "group is at epoch 1, the newest is 4", "UPDATE `pay`.group_info SET epoch=4 WHERE id=1 AND epoch<4"},
	{"instance", mariaDB, books(2, func(b *Books) { b.Instances = []Instance{{Name: "till:7", Epoch: 0}} }), []string{"warning instance_behind"}, "instance till:7 knows epoch 0, the group is at 1", ""},
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(onServers, onAccounts, onFleets) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := healthy(t, c.file)
			c.change(&f)
			found := Judge(f)
			if diff := cmp.Diff(c.want, ids(found)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s%+v", diff, found)
			}
			if text := fmt.Sprint(found); !strings.Contains(text, c.found) || !strings.Contains(text, c.sql) {
				t.Errorf("found %q or %q is not in %+v", c.found, c.sql, found)
			}
			for _, f := range found {
				if f.Found == "" || f.Do == "" || f.Why == "" || f.SQL == nil {
					t.Errorf("it does not say what, what to do and why: %+v", f)
				}
			}
		})
	}
}

func TestBurdenOfFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		weights []int
		want    float64 // of the first group
	}{
		{[]int{100}, 1},
		{[]int{100, 100}, 2},
		{[]int{100, 100, 100}, 3},
		{[]int{100, 100, 100, 100, 100}, 5.0 / 3},
		{[]int{100, 300, 100, 100}, 3},
		{[]int{0, 100, 100}, 1},
	} {
		var f Facts
		for i, w := range c.weights {
			f.Groups = append(f.Groups, Group{ID: shard.GroupID(i + 1), Weight: w})
		}
		if got := f.burden(f.Groups[0]); got != c.want {
			t.Errorf("weights %v: %v, want %v", c.weights, got, c.want)
		}
	}
}

func TestParseGrant(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line string
		want Grant
		ok   bool
	}{
		{"GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*ABC'", Grant{Scope: "*.*", Account: "`a`@`%`"}, true},
		{"GRANT ALL PRIVILEGES ON `pay`.* TO `a`@`%` WITH GRANT OPTION", Grant{Privileges: []string{"ALL PRIVILEGES"}, Scope: "`pay`.*", Account: "`a`@`%`", Admin: true}, true},
		{"GRANT SELECT (id, no), INSERT ON `pay`.`orders` TO 'a b'@'10.%'", Grant{Privileges: []string{"SELECT", "INSERT"}, Scope: "`pay`.`orders`", Account: "'a b'@'10.%'"}, true},
		{"GRANT SUPER ON *.* TO `role`", Grant{Privileges: []string{"SUPER"}, Scope: "*.*", Account: "`role`"}, true},
		{"GRANT `role` TO `a`@`%`", Grant{}, false},
		{"GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION", Grant{}, false},
		{"SET DEFAULT ROLE `r` FOR `a`@`%`", Grant{}, false},
		{"", Grant{}, false},
	} {
		got, ok := ParseGrant(c.line)
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: ok %t (-want +got):\n%s", c.line, ok, diff)
		}
		if strings.Contains(fmt.Sprint(got), "*ABC") {
			t.Errorf("%s: the hash is kept", c.line)
		}
	}
}

func TestParseRoles(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"GRANT `r`@`%`,`w`@`%` TO `a`@`%`":   "`r`@`%`,`w`@`%`",
		"GRANT USAGE ON *.* TO `a`@`%`":      "",
		"GRANT `r`@`%`; DROP TABLE x TO `a`": "",
	} {
		if got := ParseRoles(line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// TestHostileServer: what a server says may hold anything, and is shown on a
// terminal.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		f := healthy(t, mariaDB)
		n := f.at(rapid.IntRange(1, 2).Draw(rt, "group"), rapid.IntRange(0, 2).Draw(rt, "node"))
		for _, values := range []Values{n.Variables, n.Status, n.Replication} {
			for name := range values {
				if rapid.Bool().Draw(rt, name) {
					values[name] = rapid.String().Draw(rt, "value of "+name) + "\x1b[2J\n"
				}
			}
		}
		for _, found := range Judge(f) {
			for _, text := range append([]string{found.Node, found.Found, found.Do}, found.SQL...) {
				if strings.ContainsAny(text, "\x1b\n\r\x00") || len([]rune(text)) > maxText+3 {
					rt.Fatalf("not printable: %q", text)
				}
			}
		}
	})
}

// TestEveryFindingIsTested reads the ids from the source: a new one needs its row
// in the tables above.
func TestEveryFindingIsTested(t *testing.T) {
	t.Parallel()
	tested := map[string]bool{}
	for _, c := range slices.Concat(onServers, onAccounts, onFleets) {
		for _, want := range c.want {
			_, id, _ := strings.Cut(want, " ")
			tested[id] = true
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	literal := regexp.MustCompile(`(?:\bID(?::| =) |^\t\{)"([a-z_]+)"`)
	count := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, m := range literal.FindAllStringSubmatch(line, -1) {
				count++
				if !tested[m[1]] {
					t.Errorf("%s: finding %s has no test", name, m[1])
				}
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d findings were found in the source: has their spelling changed?", count)
	}
}
