package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"paytool/internal/shard"
)

// The pilots lie in the base data, as JSON: a version for each change, the newest counts.
const (
	pilotsID  = "pilots"
	pilotsSQL = "(SELECT b.body FROM base_data b WHERE b.kind='" + fleetKind + "' AND b.id='" + pilotsID + "' ORDER BY b.version DESC LIMIT 1)"
)

// SetPilots has the group be joining and take the orders of these merchants alone, with a
// weight, until the next SetWeight. Otherwise it is as SetWeight.
func (g *Group) SetPilots(ctx context.Context, weight int, merchants []string, epoch int64, at time.Time) error {
	return g.weigh(ctx, shard.Report{State: shard.GroupJoining, Weight: weight, Pilots: merchants, Epoch: epoch}, at)
}

// readPilots reads what writePilots wrote, and its version: 0 where nobody did.
func readPilots(ctx context.Context, tx *sql.Tx) (pilots []string, version int64, err error) {
	var text string
	err = tx.QueryRowContext(ctx, "SELECT version, body FROM base_data WHERE kind=? AND id=? ORDER BY version DESC LIMIT 1", fleetKind, pilotsID).Scan(&version, &text)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err == nil {
		pilots, err = parseFleet[string](pilotsID, text)
	}
	return pilots, version, err
}

func writePilots(ctx context.Context, tx *sql.Tx, pilots []string, version int64, at time.Time) error {
	text, err := json.Marshal(append([]string{}, pilots...)) // nobody is [], not null
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO base_data (kind, id, version, body, updated_ms) VALUES (?, ?, ?, ?, ?)", fleetKind, pilotsID, version, string(text), toMS(at))
	return err
}
