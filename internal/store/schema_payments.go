package store

// schemaPayments is what paying, revoking and refunding need.
//
// The outbox doubles as the record of moves: whoever follows the changes of an
// order and whoever asks how it came to its state read the same rows, and a move
// costs no second insert.
var schemaPayments = migration{
	version:   2,
	minReader: 1,
	statements: []string{
		`ALTER TABLE orders ADD COLUMN send_by_ms BIGINT NOT NULL DEFAULT 0`,
		`ALTER TABLE orders ADD COLUMN due_ms BIGINT NOT NULL DEFAULT 0`, // 0: there is nothing to do
		`ALTER TABLE orders ADD COLUMN tries INT NOT NULL DEFAULT 0`,
		`CREATE INDEX orders_due ON orders (due_ms, order_no)`,

		`ALTER TABLE outbox ADD COLUMN from_state VARCHAR(10) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE outbox ADD COLUMN to_state VARCHAR(10) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE outbox ADD COLUMN mover VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE outbox ADD COLUMN op_id VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE outbox ADD COLUMN detail VARCHAR(200) NOT NULL DEFAULT ''`,
		`CREATE INDEX outbox_order ON outbox (order_no, version)`,

		`ALTER TABLE refunds ADD COLUMN detail VARCHAR(200) NOT NULL DEFAULT ''`,
		`ALTER TABLE refunds ADD COLUMN accepted_ms BIGINT NOT NULL DEFAULT 0`,
		`ALTER TABLE refunds ADD COLUMN due_ms BIGINT NOT NULL DEFAULT 0`,
		`ALTER TABLE refunds ADD COLUMN tries INT NOT NULL DEFAULT 0`,
		`ALTER TABLE refunds ADD COLUMN shadow TINYINT NOT NULL DEFAULT 0`,
		`CREATE INDEX refunds_due ON refunds (due_ms)`,
		`CREATE INDEX refunds_accepted ON refunds (accepted_ms)`,
		`CREATE INDEX refunds_created ON refunds (created_ms)`, // of those that were not accepted

		`ALTER TABLE revokes ADD COLUMN detail VARCHAR(200) NOT NULL DEFAULT ''`,
		`ALTER TABLE revokes ADD COLUMN mover VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL DEFAULT ''`,
		`ALTER TABLE revokes ADD COLUMN shadow TINYINT NOT NULL DEFAULT 0`,
		`CREATE INDEX revokes_done ON revokes (done_ms)`,

		`CREATE TABLE IF NOT EXISTS tasks (
  id VARCHAR(96) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL PRIMARY KEY,
  tag BIGINT NOT NULL,
  kind VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  merchant_id VARCHAR(32) NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(10) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  detail VARCHAR(500) NOT NULL,
  created_ms BIGINT NOT NULL,
  deadline_ms BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  tries INT NOT NULL,
  closed_ms BIGINT NOT NULL,
  closed_by VARCHAR(64) NOT NULL,
  note VARCHAR(500) NOT NULL,
  shadow TINYINT NOT NULL,
  version BIGINT NOT NULL
)` + tableOptions,
		`CREATE INDEX tasks_due ON tasks (due_ms)`,
		`CREATE INDEX tasks_list ON tasks (shadow, state, created_ms, id)`,
		`CREATE INDEX tasks_order ON tasks (order_no)`,

		// Answers about orders of other groups; answer is empty while only the look
		// at the order is leased.
		`CREATE TABLE IF NOT EXISTS journal (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL PRIMARY KEY,
  holder VARCHAR(64) NOT NULL,
  until_ms BIGINT NOT NULL,
  answer MEDIUMTEXT NOT NULL,
  created_ms BIGINT NOT NULL
)` + tableOptions,

		`CREATE INDEX hops_key ON hops (merchant_id, merchant_order_no)`,
		`CREATE INDEX doubts_winner ON doubts (winner)`,
	},
}
