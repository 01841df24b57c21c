package store

import (
	"errors"
	"io"
	"testing"
	"time"

	"paytool/internal/shard"
)

// Answers as servers gave them, shortened to what is read.
var (
	mariadbSemisync = map[string]string{"Rpl_semi_sync_master_clients": "2", "Rpl_semi_sync_master_no_tx": "3",
		"Rpl_semi_sync_master_status": "ON", "Rpl_semi_sync_master_wait_sessions": "1", "Rpl_semi_sync_slave_status": "OFF"}
	mysql84Semisync = map[string]string{"Rpl_semi_sync_source_clients": "1", "Rpl_semi_sync_source_no_tx": "0",
		"Rpl_semi_sync_source_status": "ON", "Rpl_semi_sync_source_wait_sessions": "0", "Rpl_semi_sync_replica_status": "OFF"}
	mysql80OldSemisync = map[string]string{"Rpl_semi_sync_master_clients": "0", "Rpl_semi_sync_master_no_tx": "12",
		"Rpl_semi_sync_master_status": "OFF", "Rpl_semi_sync_master_wait_sessions": "0"}
)

func TestParseSemisync(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name     string
		status   map[string]string
		want     semisync
		degraded bool
		stalled  bool
	}{
		{"MariaDB 10.11", mariadbSemisync, semisync{known: true, on: true, clients: 2, waiting: 1, unacked: 3}, false, true},
		{"MySQL 8.4", mysql84Semisync, semisync{known: true, on: true, clients: 1}, false, false},
		{"MySQL 8.0 with the old plugin, degraded", mysql80OldSemisync, semisync{known: true, unacked: 12}, true, false},
		{"no plugin", map[string]string{}, semisync{}, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseSemisync(tc.status)
			if err != nil || got != tc.want {
				t.Errorf("got %+v, %v, want %+v", got, err, tc.want)
			}
			if (got.degraded() != nil) != tc.degraded || got.stalled() != tc.stalled {
				t.Errorf("degraded %v, stalled %v", got.degraded(), got.stalled())
			}
		})
	}
	if _, err := parseSemisync(map[string]string{"Rpl_semi_sync_master_status": "ON", "Rpl_semi_sync_master_clients": "two"}); err == nil {
		t.Error("a number that is none was taken")
	}
}

func TestParseReplication(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		row  map[string]string
		want replication
	}{
		{"MariaDB 10.11", map[string]string{"Slave_IO_Running": "Yes", "Slave_SQL_Running": "Yes", "Seconds_Behind_Master": "4"},
			replication{io: true, sql: true, behind: 4}},
		{"MySQL 8.4", map[string]string{"Replica_IO_Running": "Yes", "Replica_SQL_Running": "No", "Seconds_Behind_Source": "0"},
			replication{io: true}},
		{"connecting: the lag is NULL", map[string]string{"Slave_IO_Running": "Connecting", "Slave_SQL_Running": "Yes"},
			replication{sql: true, behind: -1}},
		{"no replica", nil, replication{behind: -1}},
		{"MariaDB 10.11, an event waits", map[string]string{"Slave_SQL_Running": "Yes", "Master_Log_File": "binlog.000001", "Read_Master_Log_Pos": "19005",
			"Relay_Master_Log_File": "binlog.000001", "Exec_Master_Log_Pos": "17656", "Relay_Log_Pos": "17952"},
			replication{sql: true, behind: -1, received: "binlog.000001:19005", applied: "binlog.000001:17656", read: true}},
		{"MariaDB 10.11, restarted while its primary was dead", map[string]string{"Slave_IO_Running": "Connecting", "Slave_SQL_Running": "Yes", "Master_Log_File": "binlog.000001",
			"Read_Master_Log_Pos": "17656", "Relay_Master_Log_File": "binlog.000001", "Exec_Master_Log_Pos": "17656", "Relay_Log_Pos": "4"},
			replication{sql: true, behind: -1, received: "binlog.000001:17656", applied: "binlog.000001:17656"}},
		{"MySQL 8.4, all applied", map[string]string{"Replica_SQL_Running": "Yes", "Source_Log_File": "binlog.000002", "Read_Source_Log_Pos": "345",
			"Relay_Source_Log_File": "binlog.000002", "Exec_Source_Log_Pos": "345", "Relay_Log_Pos": "500"},
			replication{sql: true, behind: -1, received: "binlog.000002:345", applied: "binlog.000002:345", read: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := parseReplication(tc.row); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

func TestAppliedAll(t *testing.T) {
	t.Parallel()
	here, before := "bin.000002:345", "bin.000002:344"
	for name, tc := range map[string]struct {
		r    replication
		want bool
	}{
		"all, the primary is out": {replication{sql: true, read: true, received: here, applied: here}, true},
		"an event waits":          {replication{sql: true, read: true, received: here, applied: before}, false},
		"nothing is applied":      {replication{read: true, received: here, applied: here}, false},
		"nothing is known":        {replication{sql: true, read: true}, false},
		"restarted":               {replication{sql: true, received: here, applied: here}, false},
	} {
		if got := tc.r.appliedAll(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestUnansweredCause(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		s    semisync
		err  error
		want shard.Cause
	}{
		{"no replica left", semisync{on: true}, nil, shard.SemisyncStalled},
		{"commits wait", semisync{on: true, clients: 2, waiting: 3}, nil, shard.SemisyncStalled},
		{"only writes hang", semisync{on: true, clients: 2}, nil, shard.Hang},
		{"nothing answers", semisync{}, errors.New("silence"), shard.Hang},
		{"gone", semisync{}, io.EOF, shard.Crash},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := unansweredCause(tc.s, tc.err); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSemisyncOfAGroup(t *testing.T) { onEachKind(t, checkSemisyncOfAGroup) }

func checkSemisyncOfAGroup(t *testing.T, b *bed) {
	want := SemisyncOn
	if b.embedded() {
		want = SemisyncOff
	}
	eventually(t, "the primary says so", func() bool {
		got, err := b.group.Semisync(b.ctx())
		return err == nil && got == want
	})
	if waits, replicas, err := b.group.CommitsWait(b.ctx()); err != nil || waits == b.embedded() || (replicas == 0) != b.embedded() {
		t.Errorf("commits wait: %v, for %d replicas, %v", waits, replicas, err)
	}
}

// TestCommitsWaitForAReplicaThatIsGone: without any replica commits hang and are safe;
// only once semi-sync has turned itself off are they not.
func TestCommitsWaitForAReplicaThatIsGone(t *testing.T) {
	b := newBed(t)
	b.healAfter()
	defer b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=2000, GLOBAL rpl_semi_sync_master_enabled=1") // as sandboxes have it
	b.exec(0, "SET GLOBAL rpl_semi_sync_master_timeout=60000")
	for i := 1; i < len(b.group.Nodes()); i++ {
		b.exec(i, "STOP SLAVE IO_THREAD")
	}
	eventually(t, "no replica is there", func() bool {
		word, err := b.group.Semisync(b.ctx())
		return err == nil && word == SemisyncOff
	})
	if waits, replicas, err := b.group.CommitsWait(b.ctx()); err != nil || !waits || replicas != 0 {
		t.Errorf("commits wait: %v, for %d replicas, %v", waits, replicas, err)
	}
	if atMost, err := b.group.CommitsWaitAtMost(b.ctx()); err != nil || atMost != time.Minute {
		t.Errorf("commits wait at most %s, %v", atMost, err)
	}
	b.exec(0, "SET GLOBAL rpl_semi_sync_master_enabled=0")
	if waits, _, err := b.group.CommitsWait(b.ctx()); err != nil || waits {
		t.Errorf("with semi-sync off commits wait: %v, %v", waits, err)
	}
}
