package store

// schemaVersion is the newest schema that this program knows.
const schemaVersion = 4

// migration brings a group's schema to a version. Its statements only add, and
// can be run again after half of them were run, so that instances of the old and
// the new program work side by side. A column is widened or added by a new
// migration; a text that was released never changes.
type migration struct {
	version int
	// minReader is the oldest schemaVersion of a program that can go on working
	// beside this schema.
	minReader  int
	statements []string
}

// Table is one table that moves with a tag.
type Table struct {
	Name string
	Key  []string // columns that identify a row, also in another group
	Tag  string   // column that holds the tag
}

// MovingTables is the one list of tables that move with a tag: copy, follow,
// verify and their tests walk it. A test holds it against the schema.
var MovingTables = []Table{
	{Name: "orders", Key: []string{"order_no"}, Tag: "tag"},
	{Name: "refunds", Key: []string{"order_no", "refund_no"}, Tag: "tag"},
	{Name: "revokes", Key: []string{"order_no", "revoke_no"}, Tag: "tag"},
	{Name: "outbox", Key: []string{"order_no", "version"}, Tag: "tag"},
	{Name: "hops", Key: []string{"order_no", "above_group"}, Tag: "tag"},
	{Name: "doubts", Key: []string{"order_no", "winner"}, Tag: "tag"},
	{Name: "tasks", Key: []string{"id"}, Tag: "tag"},
}

// localTables stay in their group.
var localTables = []string{"schema_version", "group_info", "group_state", "instances", "base_data", "journal",
	"changed", "moves", "move_journal", "move_checkpoints"}

// Widths of text columns are those of package pay in characters; a test writes
// each at its maximum. Columns without a character set hold utf8mb4 and compare
// byte by byte. live is 1, and NULL in VOID rows: NULLs do not collide, so any
// number of them lies beside one live row of a key and attempt.
var migrations = []migration{schemaOrders, schemaPayments, schemaMoves, schemaDoubts}

// schemaOrders is what creating an order and the topology need.
var schemaOrders = migration{
	version:   1,
	minReader: 1,
	statements: []string{
		`CREATE TABLE IF NOT EXISTS orders (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL PRIMARY KEY,
  tag BIGINT NOT NULL,
  merchant_id VARCHAR(32) NOT NULL,
  merchant_order_no VARCHAR(64) NOT NULL,
  attempt INT NOT NULL,
  live TINYINT NULL,
  state VARCHAR(10) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  amount_fen BIGINT NOT NULL,
  refunded_fen BIGINT NOT NULL,
  channel VARCHAR(16) NOT NULL,
  account VARCHAR(32) NOT NULL,
  channel_trade_no VARCHAR(64) NOT NULL,
  terminal_id VARCHAR(64) NOT NULL,
  subject VARCHAR(127) NOT NULL,
  created_ms BIGINT NOT NULL,
  paid_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  twin_of VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  shadow TINYINT NOT NULL,
  risk_double TINYINT NOT NULL,
  version BIGINT NOT NULL,
  op_id VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  CONSTRAINT ` + uniqueKey + ` UNIQUE (merchant_id, merchant_order_no, attempt, live)
)` + tableOptions,
		`CREATE INDEX orders_tag ON orders (tag, order_no)`,
		`CREATE INDEX orders_merchant ON orders (merchant_id, created_ms, order_no)`,

		`CREATE TABLE IF NOT EXISTS refunds (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  refund_no VARCHAR(64) NOT NULL,
  tag BIGINT NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  channel_refund_no VARCHAR(64) NOT NULL,
  created_ms BIGINT NOT NULL,
  done_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  version BIGINT NOT NULL,
  op_id VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  PRIMARY KEY (order_no, refund_no)
)` + tableOptions,
		`CREATE INDEX refunds_tag ON refunds (tag, order_no)`,

		`CREATE TABLE IF NOT EXISTS revokes (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  revoke_no VARCHAR(64) NOT NULL,
  tag BIGINT NOT NULL,
  amount_fen BIGINT NOT NULL,
  state VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  money VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  created_ms BIGINT NOT NULL,
  done_ms BIGINT NOT NULL,
  updated_ms BIGINT NOT NULL,
  version BIGINT NOT NULL,
  op_id VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  PRIMARY KEY (order_no, revoke_no)
)` + tableOptions,
		`CREATE INDEX revokes_tag ON revokes (tag, order_no)`,

		`CREATE TABLE IF NOT EXISTS outbox (
  id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
  tag BIGINT NOT NULL,
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  version BIGINT NOT NULL,
  merchant_id VARCHAR(32) NOT NULL,
  created_ms BIGINT NOT NULL,
  published_ms BIGINT NOT NULL
)` + tableOptions,
		// SQLite numbers rows by itself only where the type reads INTEGER, which is
		// 32 bits elsewhere; at a thousand orders a second that lasts for weeks.
		`/*! ALTER TABLE outbox MODIFY id BIGINT NOT NULL AUTO_INCREMENT */`,
		`CREATE INDEX outbox_open ON outbox (published_ms, id)`,

		`CREATE TABLE IF NOT EXISTS hops (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  above_group BIGINT NOT NULL,
  tag BIGINT NOT NULL,
  merchant_id VARCHAR(32) NOT NULL,
  merchant_order_no VARCHAR(64) NOT NULL,
  attempt INT NOT NULL,
  reason VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  created_ms BIGINT NOT NULL,
  due_ms BIGINT NOT NULL,
  closed TINYINT NOT NULL,
  PRIMARY KEY (order_no, above_group)
)` + tableOptions,
		`CREATE INDEX hops_due ON hops (above_group, closed, due_ms, order_no)`,
		`CREATE INDEX hops_created ON hops (created_ms)`, // what engines read every second

		`CREATE TABLE IF NOT EXISTS doubts (
  order_no VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  tag BIGINT NOT NULL,
  old_group BIGINT NOT NULL,
  merchant_id VARCHAR(32) NOT NULL,
  merchant_order_no VARCHAR(64) NOT NULL,
  attempt INT NOT NULL,
  amount_fen BIGINT NOT NULL,
  shadow TINYINT NOT NULL,
  winner VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  created_ms BIGINT NOT NULL,
  settled_ms BIGINT NOT NULL,
  settlement VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  PRIMARY KEY (order_no, winner)
)` + tableOptions,
		`CREATE INDEX doubts_open ON doubts (old_group, settled_ms, created_ms)`,

		`CREATE TABLE IF NOT EXISTS base_data (
  kind VARCHAR(32) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  id VARCHAR(64) NOT NULL,
  version BIGINT NOT NULL,
  body MEDIUMTEXT NOT NULL,
  updated_ms BIGINT NOT NULL,
  PRIMARY KEY (kind, id, version)
)` + tableOptions,

		// An instance's lease and its probe row in one: a probe renews the lease.
		`CREATE TABLE IF NOT EXISTS instances (
  slot INT NOT NULL PRIMARY KEY,
  holder VARCHAR(64) NOT NULL,
  name VARCHAR(255) NOT NULL,
  n BIGINT NOT NULL,
  at_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  floor_s BIGINT NOT NULL,
  high_s BIGINT NOT NULL,
  epoch BIGINT NOT NULL
)` + tableOptions,

		`CREATE TABLE IF NOT EXISTS group_state (
  tag BIGINT NOT NULL PRIMARY KEY,
  state VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  epoch BIGINT NOT NULL
)` + tableOptions,

		`CREATE TABLE IF NOT EXISTS group_info (
  id INT NOT NULL PRIMARY KEY,
  group_id BIGINT NOT NULL,
  state VARCHAR(16) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  weight INT NOT NULL,
  epoch BIGINT NOT NULL,
  changed_ms BIGINT NOT NULL,
  primary_uid VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL
)` + tableOptions,
	},
}

const tableOptions = ` /*! ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin */`

// versionTable is written before anything else and never migrated.
const versionTable = `CREATE TABLE IF NOT EXISTS schema_version (
  version INT NOT NULL PRIMARY KEY,
  min_reader INT NOT NULL
)` + tableOptions
