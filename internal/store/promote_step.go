package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"paytool/internal/shard/promote"
)

// spelling is how one of the two servers says what a promotion needs.
type spelling struct {
	halt, resume, stop, start, forget string
	follow                            string // takes host and port; accounts stay as they are
	ackPrimary, ackReplica            string // semi-sync, of a primary and of a replica
}

var mariaDB = spelling{
	halt: "STOP SLAVE IO_THREAD", resume: "START SLAVE IO_THREAD",
	stop: "STOP SLAVE", start: "START SLAVE", forget: "RESET SLAVE ALL",
	follow:     "CHANGE MASTER TO MASTER_HOST=?, MASTER_PORT=?, MASTER_USE_GTID=slave_pos",
	ackPrimary: "SET GLOBAL rpl_semi_sync_slave_enabled=OFF, rpl_semi_sync_master_wait_point=AFTER_SYNC, rpl_semi_sync_master_enabled=ON",
	ackReplica: "SET GLOBAL rpl_semi_sync_master_enabled=OFF, rpl_semi_sync_slave_enabled=ON",
}

// mySQL is written for 8.0.26 and later, and held against the documentation: no
// such server is in the tests.
var mySQL = spelling{
	halt: "STOP REPLICA IO_THREAD", resume: "START REPLICA IO_THREAD",
	stop: "STOP REPLICA", start: "START REPLICA", forget: "RESET REPLICA ALL",
	follow:     "CHANGE REPLICATION SOURCE TO SOURCE_HOST=?, SOURCE_PORT=?, SOURCE_AUTO_POSITION=1",
	ackPrimary: "SET GLOBAL rpl_semi_sync_replica_enabled=OFF, GLOBAL rpl_semi_sync_source_wait_point=AFTER_SYNC, GLOBAL rpl_semi_sync_source_enabled=ON",
	ackReplica: "SET GLOBAL rpl_semi_sync_source_enabled=OFF, GLOBAL rpl_semi_sync_replica_enabled=ON",
}

func (a *admin) spelling() spelling {
	if a.mysql {
		return mySQL
	}
	return mariaDB
}

// Do takes one step of a promotion. It needs a Look before, which tells it the
// server's spelling.
func (p *Promoter) Do(ctx context.Context, s promote.Step) error {
	a := p.at(s.Node)
	if a == nil {
		return fmt.Errorf("no node of group %d", p.group)
	}
	say := a.spelling()
	switch s.Kind {
	case promote.CatchUp:
		return p.catchUp(ctx, a, s.From)
	case promote.Halt:
		return a.exec(ctx, say.halt)
	case promote.Resume:
		return a.exec(ctx, say.resume)
	case promote.Apply:
		return a.awaitApplied(ctx, s.AcceptLoss)
	case promote.Detach:
		return a.exec(ctx, say.stop, say.forget)
	case promote.Follow:
		return a.follow(ctx, s)
	case promote.Record:
		return p.record(ctx, a, s)
	case promote.Open:
		if s.Semisync {
			if err := a.exec(ctx, say.ackPrimary); err != nil {
				return err
			}
		}
		return a.exec(ctx, "SET GLOBAL read_only=OFF")
	}
	return fmt.Errorf("step %q is not known", s.Kind)
}

func (p *Promoter) at(addr string) *admin {
	for _, a := range p.nodes {
		if a.addr == addr {
			return a
		}
	}
	return nil
}

func (a *admin) exec(ctx context.Context, statements ...string) error {
	for _, s := range statements {
		if _, err := a.db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (p *Promoter) catchUp(ctx context.Context, a *admin, from string) error {
	old := p.at(from)
	if old == nil {
		return fmt.Errorf("%s is no node of group %d", from, p.group)
	}
	var position string
	if err := old.db.QueryRowContext(ctx, "SELECT "+gtidColumn).Scan(&position); err != nil {
		return fmt.Errorf("read the position of %s: %w", old.name, err)
	}
	n := &node{name: a.name, scan: a.db}
	return n.reach(ctx, position)
}

var errNoApplier = errors.New("its applier does not run: see SHOW REPLICA STATUS, mend it and start it")

// awaitApplied waits until the replica has applied all that it received.
func (a *admin) awaitApplied(ctx context.Context, acceptLoss bool) error {
	for {
		_, r, err := a.replication(ctx)
		if err != nil {
			return err
		}
		if !r.sql {
			return errNoApplier
		}
		if r.appliedAll() || acceptLoss && !r.read {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("received up to %s, applied up to %s: %w", r.received, r.applied, ctx.Err())
		case <-time.After(applyEvery):
		}
	}
}

// follow lets a replica follow the new primary with the account that it has. What it
// received and has not applied goes, which it has applied by now, or gets again.
func (a *admin) follow(ctx context.Context, s promote.Step) error {
	host, service, err := net.SplitHostPort(s.From)
	if err != nil {
		return fmt.Errorf("address of the new primary: %w", err)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return fmt.Errorf("port of the new primary %s: %w", s.From, err)
	}
	say := a.spelling()
	if err := a.exec(ctx, say.stop); err != nil {
		return err
	}
	// The driver puts the values into the text: no prepared statement could take them.
	if _, err := a.db.ExecContext(ctx, say.follow, host, port); err != nil {
		return fmt.Errorf("%s: %w", say.follow, err)
	}
	if s.Semisync {
		if err := a.exec(ctx, say.ackReplica); err != nil {
			return err
		}
	}
	return a.exec(ctx, say.start)
}

// record is the commit point: from here on engines write to the new primary.
func (p *Promoter) record(ctx context.Context, a *admin, s promote.Step) error {
	tx, err := a.db.BeginTx(ctx, &sql.TxOptions{})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	done, err := affected(tx.ExecContext(ctx, "UPDATE group_info SET epoch=?, primary_uid=? WHERE id=1 AND group_id=? AND epoch=? AND primary_uid=?",
		s.Epoch, s.UID, p.group, s.OldEpoch, s.OldUID))
	if err != nil {
		return err
	}
	if done != 1 {
		return fmt.Errorf("the group's row is not at epoch %d any more: somebody else has changed it meanwhile", s.OldEpoch)
	}
	return tx.Commit()
}

// RaiseEpoch lets a group know that the topology is at that epoch, as a change in
// another group made it. A group that is there already stays as it is.
func (g *Group) RaiseEpoch(ctx context.Context, epoch int64) error {
	return g.change(ctx, fmt.Sprintf("raise the epoch to %d", epoch), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE group_info SET epoch=? WHERE id=1 AND epoch<?", epoch, epoch)
		return err
	})
}
