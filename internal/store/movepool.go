package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// What rooms that move rows between groups have to know of this one.

// Bulk is the pool for many rows of the primary at once, apart from the one for
// orders. Its connections have the rules of every session here, and none is made to a
// server that is not the group's primary, once Info has told which one that is. The
// group closes it.
func (g *Group) Bulk() *sql.DB { return g.primary().scan }

// PrimaryName is the primary for people: "g1/primary 127.0.0.1:3306".
func (g *Group) PrimaryName() string { return g.primary().name }

// Querier is what statements are sent over, within a transaction or without.
type Querier = querier

// Work runs f in one transaction on the primary, in the pool of Bulk, and commits it
// within the context's time. An error of the server or of the way to it comes back as
// an *order.Fault with its outcome; any other error of f is f's own word and comes
// back as it is, wrapped, with nothing changed.
func (g *Group) Work(ctx context.Context, doing string, f func(q Querier) error) error {
	n := g.primary()
	t, err := g.beginOn(ctx, n, n.scan)
	if err != nil {
		return err
	}
	defer t.Rollback()
	if err := f(t.conn); err != nil {
		t.broken = isForeign(err)
		return n.word(doing, err)
	}
	return t.Commit(ctx)
}

// Ask runs reads that are no transaction in the pool of Bulk. Errors are as of Work.
func (g *Group) Ask(ctx context.Context, doing string, f func(q Querier) error) error {
	n := g.primary()
	if err := f(n.scan); err != nil {
		return n.word(doing, err)
	}
	return nil
}

// AsFault turns an error of the server or of the way to it into an *order.Fault that
// says that nothing was committed; others stay as they are. It is for reads over Bulk.
func AsFault(err error) error {
	var fault *order.Fault
	if err == nil || errors.As(err, &fault) || !isForeign(err) {
		return err
	}
	return classify(err, beforeCommit)
}

func (n *node) word(doing string, err error) error {
	return AsFault(fmt.Errorf("%s on %s: %w", doing, n.name, err))
}

// isForeign reports whether an error came from the server, or from the way to it.
func isForeign(err error) bool {
	var answer *mysql.MySQLError
	cause, _ := diagnose(err)
	return errors.As(err, &answer) || cause != shard.Unknown
}

// Lag is how far the slowest replica is behind its primary, in whole seconds, and
// whether every one of them could tell. A group without replicas is never behind.
func (g *Group) Lag(ctx context.Context) (behind time.Duration, known bool) {
	known = true
	for _, n := range g.replicas() {
		r, err := readReplication(ctx, n.monitor)
		if err != nil || r.behind < 0 {
			known = false
			continue
		}
		behind = max(behind, time.Duration(r.behind)*time.Second)
	}
	return behind, known
}

// RequireRecorders keeps programs that do not record changes from joining the group,
// see schemaMoves. It is called in the transaction that has a tag recorded.
func RequireRecorders(ctx context.Context, q Querier) error {
	_, err := q.ExecContext(ctx, "UPDATE schema_version SET min_reader=? WHERE version=? AND min_reader<?", recordsChanges, recordsChanges, recordsChanges)
	return err
}
