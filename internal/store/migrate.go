package store

import (
	"context"
	"database/sql"
	"fmt"
)

// querier is what a statement needs: *sql.DB, *sql.Conn and *sql.Tx have it.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// SchemaError is a schema that this program does not understand.
type SchemaError struct{ Version, MinReader int }

func (e *SchemaError) Error() string {
	return fmt.Sprintf("the schema is at version %d and needs a program that knows version %d; this one knows %d: upgrade it",
		e.Version, e.MinReader, schemaVersion)
}

// migrate brings the schema up to date and returns the versions that it applied.
// Where nothing is to be done it only reads. Two may run at once: what the other
// one was faster with counts as done.
func migrate(ctx context.Context, db querier) (applied []int, err error) {
	version, minReader, err := readVersion(ctx, db)
	if isAnswer(err, errNoSuchTable) {
		_, err = db.ExecContext(ctx, versionTable)
	}
	if err != nil {
		return nil, err
	}
	if minReader > schemaVersion {
		return nil, &SchemaError{Version: version, MinReader: minReader}
	}
	for _, m := range migrations {
		if m.version <= version {
			continue
		}
		if err := m.apply(ctx, db); err != nil {
			return applied, fmt.Errorf("migrate to schema version %d: %w", m.version, err)
		}
		applied = append(applied, m.version)
	}
	return applied, nil
}

func readVersion(ctx context.Context, db querier) (version, minReader int, err error) {
	err = db.QueryRowContext(ctx, "SELECT COALESCE(MAX(version), 0), COALESCE(MAX(min_reader), 0) FROM schema_version").
		Scan(&version, &minReader)
	return version, minReader, err
}

func (m migration) apply(ctx context.Context, db querier) error {
	for _, s := range m.statements {
		_, err := db.ExecContext(ctx, s)
		for isAnswer(err, errLockWait, errDeadlock) && ctx.Err() == nil {
			_, err = db.ExecContext(ctx, s) // another instance is at the same table
		}
		if err != nil && !isAnswer(err, errTableExists, errDuplicateColumn, errDuplicateIndex) {
			return err
		}
	}
	_, err := db.ExecContext(ctx, "INSERT INTO schema_version (version, min_reader) VALUES (?, ?)", m.version, m.minReader)
	if isAnswer(err, errDuplicate) {
		return nil
	}
	return err
}
