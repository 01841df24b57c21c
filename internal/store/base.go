package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Base is one version of one piece of base data: a merchant, a terminal, a rate.
// Every group has a copy of all of them.
type Base struct {
	Kind    string // at most 32 ASCII characters
	ID      string // at most 64 characters
	Version int64  // from 1, rising with each change
	Body    json.RawMessage
	Updated time.Time
}

// ErrOldVersion means that the group has this version or a higher one already.
var ErrOldVersion = errors.New("the group has this version or a higher one")

// PutBase adds a version. One that is not higher than all others is refused with
// ErrOldVersion; older versions stay readable to those who ask for history.
func (g *Group) PutBase(ctx context.Context, b Base) error {
	doing := fmt.Sprintf("put %s %q version %d", b.Kind, b.ID, b.Version)
	n, err := affected(g.primary().db.ExecContext(ctx, `INSERT INTO base_data (kind, id, version, body, updated_ms)
SELECT n.kind, n.id, n.version, n.body, n.updated_ms FROM (SELECT ? kind, ? id, ? version, ? body, ? updated_ms) n
WHERE NOT EXISTS (SELECT 1 FROM base_data b WHERE b.kind=? AND b.id=? AND b.version>=?)`,
		b.Kind, b.ID, b.Version, string(b.Body), toMS(b.Updated), b.Kind, b.ID, b.Version))
	if isAnswer(err, errDuplicate) || (err == nil && n == 0) {
		return fmt.Errorf("%s on %s: %w", doing, g.primary().name, ErrOldVersion)
	}
	return g.primary().fail(doing, err, atCommit)
}

// LoadBase lists the newest version of everything of a kind, by id.
func (g *Group) LoadBase(ctx context.Context, kind string) ([]Base, error) {
	all, err := g.readBase(ctx, kind)
	return all, g.primary().fail(fmt.Sprintf("load base data of kind %s", kind), err, beforeCommit)
}

func (g *Group) readBase(ctx context.Context, kind string) ([]Base, error) {
	return readAll(ctx, g.primary().db, scanBase, `SELECT `+baseColumns+` FROM base_data b
JOIN (SELECT id, MAX(version) version FROM base_data WHERE kind=? GROUP BY id) newest ON newest.id=b.id AND newest.version=b.version
WHERE b.kind=? ORDER BY b.id`, kind, kind)
}

// BaseHistory lists the versions of one piece of base data, the newest first.
func (g *Group) BaseHistory(ctx context.Context, kind, id string) ([]Base, error) {
	all, err := readAll(ctx, g.primary().db, scanBase, "SELECT "+baseColumns+" FROM base_data b WHERE b.kind=? AND b.id=? ORDER BY b.version DESC", kind, id)
	return all, g.primary().fail(fmt.Sprintf("read the versions of %s %q", kind, id), err, beforeCommit)
}

const baseColumns = "b.kind, b.id, b.version, b.body, b.updated_ms"

func scanBase(row scanner) (b Base, err error) {
	var updated int64
	err = row.Scan(&b.Kind, &b.ID, &b.Version, (*[]byte)(&b.Body), &updated)
	b.Updated = fromMS(updated)
	return b, err
}
