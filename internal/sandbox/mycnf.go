package sandbox

import "fmt"

// storageCnf is what the template and the nodes copied from it must agree on. The
// scan depth fits the small buffer pool: by default InnoDB keeps 1,536 pages free,
// of a pool that has 1,014, and so writes and reads every page again and again.
const storageCnf = `[mysqld]
innodb_data_file_path=ibdata1:10M:autoextend
innodb_temp_data_file_path=ibtmp1:1M:autoextend
innodb_autoextend_increment=1
innodb_log_file_size=8M
innodb_buffer_pool_size=16M
innodb_lru_scan_depth=100
innodb_buffer_pool_dump_at_shutdown=0
innodb_buffer_pool_load_at_startup=0
innodb_use_native_aio=0
character_set_server=utf8mb4
collation_server=utf8mb4_bin
default_time_zone=+00:00
skip_name_resolve
`

// nodeCnf makes every node as durable as production and a failed one quick to
// notice. An acknowledged order is on two machines before others see it
// (AFTER_SYNC), and after 2 s without a replica the primary goes on alone,
// which the engine has to notice.
const nodeCnf = `transaction_isolation=READ-COMMITTED
performance_schema=OFF
max_connections=400
bind_address=127.0.0.1
port=%d
server_id=%d
innodb_flush_log_at_trx_commit=1
sync_binlog=1
log_bin=binlog
binlog_format=ROW
log_slave_updates=ON
relay_log=relay
relay_log_recovery=ON
gtid_domain_id=%d
gtid_strict_mode=ON
slave_net_timeout=5
rpl_semi_sync_master_wait_point=AFTER_SYNC
rpl_semi_sync_master_timeout=2000
rpl_semi_sync_master_wait_no_slave=ON
`

// Semi-sync's master side is for the primary only: on a replica it makes the
// applier wait for acknowledgements that never come. A primary that was killed and
// comes back as a replica cuts off, by init_rpl_role, what it had written and nobody
// had acknowledged: the new primary does not have it.
const (
	primaryCnf = "rpl_semi_sync_master_enabled=ON\n"
	replicaCnf = "read_only=ON\nrpl_semi_sync_slave_enabled=ON\ninit_rpl_role=SLAVE\n"
)

// renderCnf is the option file of a node. Paths are not in it: they go on the
// command line, where a blank or a # in them means nothing.
func renderCnf(n node) string {
	text := storageCnf + fmt.Sprintf(nodeCnf, n.port, n.serverID(), n.group)
	if n.isPrimary() {
		return text + primaryCnf
	}
	return text + replicaCnf
}
