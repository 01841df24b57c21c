package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// readyTimeout bounds how long a group may take until it replicates: replicas
// notice a lost primary after 5 s and redial it every second.
const readyTimeout = 30 * time.Second

// primarySQL and replicaSQL bring a node back to its option file's settings,
// which a drill may have changed since its start.
const (
	primarySQL = "SET GLOBAL read_only=OFF, rpl_semi_sync_slave_enabled=OFF, rpl_semi_sync_master_wait_point=AFTER_SYNC, rpl_semi_sync_master_timeout=2000, rpl_semi_sync_master_wait_no_slave=ON, rpl_semi_sync_master_enabled=ON"
	replicaSQL = "SET GLOBAL read_only=ON, rpl_semi_sync_master_enabled=OFF, rpl_semi_sync_slave_enabled=ON"
)

// changeMasterSQL takes the primary's port and the password.
const changeMasterSQL = "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%d, MASTER_USER='paytool_repl', MASTER_PASSWORD='%s', " +
	"MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1"

// replicate sets up a group, its primary first, and waits until every replica
// applies and acknowledges.
func (b *box) replicate(ctx context.Context, nodes []node) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	primary, err := openRoot(nodes[0].socket())
	if err != nil {
		return err
	}
	defer primary.Close() //nolint:errcheck // statements have reported their own errors
	if _, err := primary.ExecContext(ctx, primarySQL); err != nil {
		return fmt.Errorf("set up primary %s: %w", nodes[0], err)
	}
	for _, n := range nodes[1:] {
		if err := b.join(ctx, n); err != nil {
			return fmt.Errorf("set up replica %s: %w", n, err)
		}
	}
	if err := awaitSemiSync(ctx, primary, len(nodes)-1); err != nil {
		return fmt.Errorf("wait for replication of group %d: %w; look into %s", nodes[0].group, err, nodes[0].errorLog())
	}
	return nil
}

// join makes a replica follow its primary and returns once it does. Nothing
// that is in order is touched.
func (b *box) join(ctx context.Context, n node) error {
	db, err := openRoot(n.socket())
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // statements have reported their own errors
	if _, err := db.ExecContext(ctx, replicaSQL); err != nil {
		return err
	}
	st, err := replicaStatus(ctx, db)
	if err != nil {
		return err
	}
	semi, err := semiSyncStatus(ctx, db)
	if err != nil {
		return err
	}
	var steps []string
	changeMaster := fmt.Sprintf(changeMasterSQL, n.primaryPort, b.marker.Passwords.Replication)
	switch {
	case st == nil: // new, or a primary until now: then what it wrote counts as replicated
		steps = []string{changeMaster + ", MASTER_DEMOTE_TO_SLAVE=1", "START SLAVE"}
	case st["Master_Host"] != "127.0.0.1" || st["Master_Port"] != strconv.Itoa(n.primaryPort) || st["Using_Gtid"] != "Slave_Pos":
		steps = []string{"STOP SLAVE", changeMaster, "START SLAVE"}
	case !st.running() || !semi.replica:
		// The receiver is restarted too: it asks for semi-sync only when it
		// connects.
		steps = []string{"STOP SLAVE IO_THREAD", "START SLAVE"}
	}
	for _, step := range steps {
		if _, err := db.ExecContext(ctx, step); err != nil {
			return errors.New(b.marker.Passwords.mask(err.Error()))
		}
	}
	err = poll(ctx, func() (bool, error) {
		st, err = replicaStatus(ctx, db)
		return st.running(), err
	})
	if err != nil && st != nil {
		return fmt.Errorf("%w: receiver %s %s, applier %s %s", err, st["Slave_IO_Running"], st["Last_IO_Error"], st["Slave_SQL_Running"], st["Last_SQL_Error"])
	}
	return err
}

// awaitSemiSync waits until the primary counts its replicas and waits for
// them.
func awaitSemiSync(ctx context.Context, primary *sql.DB, replicas int) error {
	var st semiSync
	err := poll(ctx, func() (bool, error) {
		var err error
		st, err = semiSyncStatus(ctx, primary)
		if err != nil || st.clients < replicas {
			return false, err
		}
		if st.master {
			return true, nil
		}
		// Having fallen back, it would wait for the next write to turn on.
		_, err = primary.ExecContext(ctx, "SET GLOBAL rpl_semi_sync_master_enabled=OFF")
		if err == nil {
			_, err = primary.ExecContext(ctx, "SET GLOBAL rpl_semi_sync_master_enabled=ON")
		}
		return false, err
	})
	if err != nil {
		return fmt.Errorf("semi-sync on: %t, %d of %d replicas acknowledge: %w", st.master, st.clients, replicas, err)
	}
	return nil
}
