package store

// recordsChanges is the schema version from which on programs record which orders
// change while their tag moves.
const recordsChanges = 3

// schemaMoves is what moving a tag needs.
//
// Its minReader is 1, so that instances can be replaced one by one. A program of
// version 2 does not record what it changes, so it must not write while a tag is
// recorded: whatever turns the first recording on raises min_reader in the same
// transaction (RequireRecorders), which keeps such a program from joining, and an
// instance that had joined before is known by its lease, see instances.recorder.
var schemaMoves = migration{
	version:   recordsChanges,
	minReader: 1,
	statements: []string{
		// The last shares of new orders and since when, see writeShares: an engine that
		// starts knows where clients' earlier attempts may lie.
		`ALTER TABLE group_info ADD COLUMN shares VARCHAR(1000) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		// The holder whose changes of this tag's claim and copy are let in.
		`ALTER TABLE group_state ADD COLUMN mover VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE group_state ADD COLUMN recording TINYINT NOT NULL DEFAULT 0`,
		// The lease's holder once more, written by a program that records changes. Where
		// it differs, a program that does not has taken the slot over.
		`ALTER TABLE instances ADD COLUMN recorder VARCHAR(64) NOT NULL DEFAULT ''`,

		// Orders that changed while their tag was recorded. Ids become visible out of
		// order; stage tells how far a row was worked off.
		`CREATE TABLE IF NOT EXISTS changed (
  id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
  tag BIGINT NOT NULL,
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  stage TINYINT NOT NULL
)` + tableOptions,
		`/*! ALTER TABLE changed MODIFY id BIGINT NOT NULL AUTO_INCREMENT */`, // as of outbox
		`CREATE INDEX changed_stage ON changed (tag, stage, id)`,
		`CREATE INDEX changed_order ON changed (order_no, stage)`,

		// Runs whose target this group is, each with its lease.
		`CREATE TABLE IF NOT EXISTS moves (
  id VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL PRIMARY KEY,
  source BIGINT NOT NULL,
  plan_hash VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  plan MEDIUMTEXT NOT NULL,
  tags MEDIUMTEXT NOT NULL,
  begun_ms BIGINT NOT NULL,
  begun_by VARCHAR(255) NOT NULL,
  holder VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  until_ms BIGINT NOT NULL
)` + tableOptions,
		`CREATE TABLE IF NOT EXISTS move_journal (
  run VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  seq BIGINT NOT NULL,
  entry MEDIUMTEXT NOT NULL,
  PRIMARY KEY (run, seq)
)` + tableOptions,
		`CREATE TABLE IF NOT EXISTS move_checkpoints (
  run VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  name VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  body MEDIUMTEXT NOT NULL,
  PRIMARY KEY (run, name)
)` + tableOptions,
	},
}
