package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Prepare is PrepareAs for a group that begins a fleet alone, for tools and tests.
func (g *Group) Prepare(ctx context.Context, weight int) error {
	return g.PrepareAs(ctx, shard.Birth{State: shard.GroupActive, Weight: weight, Epoch: 1, Founders: []shard.GroupID{g.id}})
}

// PrepareAs brings the schema up to date and writes the group's own rows where there
// are none: that is how it begins. On a group that is ready it only reads. It is safe
// to call from several instances at once; the first one's birth counts.
//
// It refuses, as a fault: a server with read_only on (read_only), a server whose
// rows name another group or another primary (stale_primary), and a schema that
// is too new (unknown, a *SchemaError).
func (g *Group) PrepareAs(ctx context.Context, b shard.Birth) error {
	const doing = "prepare the group"
	conn, err := g.primary().db.Conn(ctx)
	if err != nil {
		return g.primary().fail(doing, err, beforeCommit)
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	server, err := readServer(ctx, conn)
	if err != nil {
		return g.primary().fail(doing, err, beforeCommit)
	}
	if server.readOnly {
		return &order.Fault{Outcome: order.NotCommitted, Cause: shard.ReadOnly,
			Err: fmt.Errorf("%s on %s: read_only is on; `SET GLOBAL read_only=0` once it is the primary again", doing, g.primary().name)}
	}
	applied, err := migrate(ctx, conn)
	if len(applied) > 0 {
		g.log.Info("schema migrated", "node", g.primary().name, "versions", applied)
	}
	if err != nil {
		return g.primary().fail(doing, err, atCommit)
	}
	if err := g.claimServer(ctx, conn, server.uid, b); err != nil {
		return g.primary().fail(doing, err, atCommit)
	}
	return nil
}

// claimServer checks that the rows are this group's and this server's, and
// writes them into an empty group.
func (g *Group) claimServer(ctx context.Context, conn *sql.Conn, uid string, b shard.Birth) error {
	err := g.checkServer(ctx, conn, uid)
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, "INSERT INTO group_info (id, group_id, state, weight, epoch, changed_ms, primary_uid) VALUES (1, ?, ?, ?, ?, 0, ?)",
		g.id, b.State, b.Weight, b.Epoch, uid)
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO group_state (tag, state, epoch) VALUES (?, ?, ?)", pay.Tag(g.id), shard.TagOwned, b.Epoch)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, "INSERT INTO base_data (kind, id, version, body, updated_ms) VALUES (?, ?, 1, ?, 0)", fleetKind, foundersID, foundersText(b.Founders))
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil && !isAnswer(err, errDuplicate) {
		return err
	}
	_ = tx.Rollback() // ends the transaction before the next look: another instance may have been faster
	return g.checkServer(ctx, conn, uid)
}

// checkServer compares the group's row with the server that answered. From then
// on every new connection to the primary is held against that server's uid.
func (g *Group) checkServer(ctx context.Context, db querier, uid string) error {
	var group shard.GroupID
	var primary string
	var epoch int64
	err := db.QueryRowContext(ctx, "SELECT group_id, primary_uid, epoch FROM group_info WHERE id=1").Scan(&group, &primary, &epoch)
	if err != nil {
		return err
	}
	return g.accept(group, primary, epoch, uid)
}

func (g *Group) accept(group shard.GroupID, primary string, epoch int64, uid string) error {
	if group != g.id {
		return anotherGroup(g.primary().name, g.id, group)
	}
	if primary != uid {
		return anotherServer(g.primary().name, primary, uid)
	}
	g.primary().uid.CompareAndSwap(nil, &uid)
	g.sawEpoch(epoch)
	return nil
}

// server is what a server says of itself.
type server struct {
	uid      string
	readOnly bool
}

func readServer(ctx context.Context, db querier) (s server, err error) {
	err = db.QueryRowContext(ctx, "SELECT "+uidColumn+", COALESCE(/*! @@global.read_only, */ 0, 0)").Scan(&s.uid, &s.readOnly)
	return s, err
}

// Info reads the group's rows on the primary. A group that was never prepared is a fault without further meaning.
func (g *Group) Info(ctx context.Context) (shard.Report, error) {
	const doing = "read the group's state"
	info, uid, err := g.readInfo(ctx)
	if err == nil {
		err = g.accept(info.Group, info.PrimaryUID, info.Epoch, uid)
	}
	if err != nil {
		return shard.Report{}, g.primary().fail(doing, err, beforeCommit)
	}
	return info, nil
}

func (g *Group) readInfo(ctx context.Context) (info shard.Report, uid string, err error) {
	rows, err := g.primary().db.QueryContext(ctx, `SELECT i.group_id, i.state, i.weight, i.epoch, i.changed_ms, i.shares, i.primary_uid, `+uidColumn+`,
  COALESCE(s.tag, 0), COALESCE(s.state, ''), COALESCE(s.epoch, 0),
  COALESCE((SELECT b.body FROM base_data b WHERE b.kind='`+fleetKind+`' AND b.id='`+foundersID+`' AND b.version=1), ''),
  COALESCE(`+pilotsSQL+`, '')
FROM group_info i LEFT JOIN group_state s ON s.epoch >= 0 WHERE i.id=1 ORDER BY s.tag`)
	if isAnswer(err, errNoSuchTable) {
		err = errNotPrepared
	}
	if err != nil {
		return info, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var c shard.Claim
		var changed int64
		var shares string
		var founders, pilots string
		err := rows.Scan(&info.Group, &info.State, &info.Weight, &info.Epoch, &changed, &shares, &info.PrimaryUID, &uid, &c.Tag, &c.State, &c.Epoch, &founders, &pilots)
		if err == nil {
			info.Founders, err = parseFleet[shard.GroupID](foundersID, founders)
		}
		if err == nil {
			info.Pilots, err = parseFleet[string](pilotsID, pilots)
		}
		if err != nil {
			return info, "", err
		}
		if changed > 0 {
			info.Changed, info.Shares = time.UnixMilli(changed), readShares(shares)
		}
		if c.Tag != 0 {
			c.Group = info.Group
			info.Claims = append(info.Claims, c)
		}
	}
	if err := rows.Err(); err != nil {
		return info, "", err
	}
	if info.Group == 0 {
		return info, "", errNotPrepared
	}
	return info, uid, nil
}

// The founders lie in the base data, as JSON: written once, with the group's first rows.
const (
	fleetKind  = "fleet"
	foundersID = "founders"
)

func foundersText(founders []shard.GroupID) string {
	text, _ := json.Marshal(founders) // numbers only
	return string(text)
}

// parseFleet reads what base_data says of the fleet under an id, "" for nothing.
func parseFleet[T any](id, text string) (list []T, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("the %s of the fleet in base_data: %w", id, err)
	}
	return list, nil
}

var errNotPrepared = errors.New("no engine has prepared this group yet; start one, or check that the dsn names the right database")

// fromMS reads a time column: Unix milliseconds, 0 for no time.
func fromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func toMS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}
