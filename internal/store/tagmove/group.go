package tagmove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// Group is one group for a move. It is safe for concurrent use.
type Group struct{ of *store.Group }

// Open uses a group of the store's, which the caller goes on to own.
func Open(g *store.Group) *Group { return &Group{of: g} }

var _ mover.Group = (*Group)(nil)

// ID is the number of the group.
func (g *Group) ID() shard.GroupID { return g.of.ID() }

// Info reads the group's rows on its primary.
func (g *Group) Info(ctx context.Context) (shard.Report, error) { return g.of.Info(ctx) }

// Follow looks for the group's primary.
func (g *Group) Follow(ctx context.Context) (moved bool, err error) { return g.of.Follow(ctx) }

// Lag is how far the slowest replica is behind, in whole seconds.
func (g *Group) Lag(ctx context.Context) (behind time.Duration, known bool) { return g.of.Lag(ctx) }

// SetWeight writes weight and state at an epoch.
func (g *Group) SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, at time.Time) error {
	return oldEpoch(g.of.SetWeight(ctx, weight, state, epoch, at))
}

// SetPilots has the group be joining and take the orders of these merchants alone.
func (g *Group) SetPilots(ctx context.Context, weight int, merchants []string, epoch int64, at time.Time) error {
	return oldEpoch(g.of.SetPilots(ctx, weight, merchants, epoch, at))
}

func oldEpoch(err error) error {
	if errors.Is(err, store.ErrOldEpoch) {
		return fmt.Errorf("%w: %w", mover.ErrOldEpoch, err)
	}
	return err
}

// RaiseEpoch raises the group's epoch; a lower one changes nothing.
func (g *Group) RaiseEpoch(ctx context.Context, epoch int64) error {
	return g.of.RaiseEpoch(ctx, epoch)
}

const (
	errNoSuchTable = 1146
	errLockWait    = 1205
	errDeadlock    = 1213
)

// workOnTags is a transaction that locks rows of tags. That writers of orders or copies
// hold them for too long is mover.ErrBusy.
func (g *Group) workOnTags(ctx context.Context, doing string, f func(q store.Querier) error) error {
	err := g.of.Work(ctx, doing, f)
	if answered(err, errLockWait, errDeadlock) {
		return fmt.Errorf("%w: %w", mover.ErrBusy, err)
	}
	return err
}

// answered reports whether the server answered with one of the numbers.
func answered(err error, numbers ...uint16) bool {
	var answer *mysql.MySQLError
	return errors.As(err, &answer) && slices.Contains(numbers, answer.Number)
}

// Instances lists the holders of live leases at now, and the epoch that each last
// reported with a probe. Epoch 0 stands for one whose program does not record which
// orders change: whoever waits until all know the topology waits until it has gone.
func (g *Group) Instances(ctx context.Context, now time.Time) (map[string]int64, error) {
	known := map[string]int64{}
	err := g.of.Ask(ctx, "list the instances", func(q store.Querier) error {
		return each(ctx, q, "SELECT holder, CASE WHEN recorder=holder THEN epoch ELSE 0 END FROM instances WHERE holder<>'' AND until_ms>?",
			[]any{now.UnixMilli()}, func(scan scan) error {
				var holder string
				var epoch int64
				err := scan(&holder, &epoch)
				known[holder] = epoch
				return err
			})
	})
	return known, err
}

// scan reads the columns of one row.
type scan func(into ...any) error

// each reads every row of a query.
func each(ctx context.Context, q store.Querier, query string, args []any, one func(scan scan) error) error {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := one(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// among is " IN (?,?)" and its arguments.
func among[T any](values []T) (text string, args []any) {
	for _, v := range values {
		args = append(args, v)
	}
	return " IN (" + strings.TrimSuffix(strings.Repeat("?,", len(values)), ",") + ")", args
}

// sorted lists tags as everybody locks them.
func sorted(tags []pay.Tag) []pay.Tag { return slices.Compact(slices.Sorted(slices.Values(tags))) }
