package ledger

// applicationID marks a SQLite file as a ledger, and layout is the version of its
// tables: a program reads its own alone.
const (
	applicationID = 0x70_61_79_4c // "payL"
	layout        = 1
)

// kept are the tables that nothing else follows from. The events vouch for the rest by
// digests: results, findings and closing rows belong to the event of their run.
var kept = []string{
	`CREATE TABLE events (
  seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, actor TEXT NOT NULL, type TEXT NOT NULL,
  body TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL
) STRICT`,
	`CREATE TABLE results (run INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT`,
	`CREATE TABLE findings (
  run INTEGER NOT NULL, pos INTEGER NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, pos)
) STRICT, WITHOUT ROWID`,
	`CREATE TABLE closing (
  run INTEGER NOT NULL, pos INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, pos)
) STRICT, WITHOUT ROWID`,
}

// locks refuse what must never happen, for whoever opens the file with another tool.
var locks = []string{
	`CREATE TRIGGER events_update BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'events are never changed'); END`,
	`CREATE TRIGGER events_delete BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END`,
	`CREATE TRIGGER results_update BEFORE UPDATE ON results BEGIN SELECT RAISE(ABORT, 'results are never changed'); END`,
	`CREATE TRIGGER results_delete BEFORE DELETE ON results BEGIN SELECT RAISE(ABORT, 'results are never deleted'); END`,
	`CREATE TRIGGER findings_update BEFORE UPDATE ON findings BEGIN SELECT RAISE(ABORT, 'findings are never changed'); END`,
	`CREATE TRIGGER findings_delete BEFORE DELETE ON findings BEGIN SELECT RAISE(ABORT, 'findings are never deleted'); END`,
	`CREATE TRIGGER closing_update BEFORE UPDATE ON closing BEGIN SELECT RAISE(ABORT, 'closing rows are never changed'); END`,
	`CREATE TRIGGER closing_delete BEFORE DELETE ON closing BEGIN SELECT RAISE(ABORT, 'closing rows are never deleted'); END`,
}

// views are the tables that follow from the events; the projector alone writes them.
var views = []string{
	// replaced is the event of the run that replaced this one, 0 for the day's current.
	`CREATE TABLE runs (
  seq INTEGER PRIMARY KEY, channel TEXT NOT NULL, account TEXT NOT NULL, date TEXT NOT NULL, run_id TEXT NOT NULL,
  at_ms INTEGER NOT NULL, actor TEXT NOT NULL, supersedes TEXT NOT NULL, reason TEXT NOT NULL,
  opening_date TEXT NOT NULL, opening_carried TEXT NOT NULL, opening_fund INTEGER,
  closing_carried TEXT NOT NULL, closing_fund INTEGER, replaced INTEGER NOT NULL
) STRICT`,
	`CREATE UNIQUE INDEX runs_current ON runs (channel, account, date) WHERE replaced = 0`,
	// run and pos are of the finding as the latest run has it, opened of the first event.
	// since_ms is NULL for what has ended; turn counts how often it was reopened.
	`CREATE TABLE differences (
  id TEXT PRIMARY KEY, opened INTEGER NOT NULL, channel TEXT NOT NULL, account TEXT NOT NULL, date TEXT NOT NULL,
  run INTEGER NOT NULL, pos INTEGER NOT NULL, rank INTEGER NOT NULL, class TEXT NOT NULL, kind TEXT NOT NULL,
  order_no TEXT NOT NULL, refund_no TEXT NOT NULL, trade_no TEXT NOT NULL, fen INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  first_ms INTEGER NOT NULL, state TEXT NOT NULL, until TEXT NOT NULL, changed_ms INTEGER NOT NULL, reason TEXT NOT NULL,
  other TEXT NOT NULL, pending INTEGER NOT NULL, executed TEXT NOT NULL, turn INTEGER NOT NULL, since_ms INTEGER
) STRICT, WITHOUT ROWID`,
	`CREATE INDEX differences_day ON differences (channel, account, date)`,
	`CREATE INDEX differences_order ON differences (order_no, channel, account)`,
	`CREATE TABLE intervals (
  id TEXT NOT NULL, turn INTEGER NOT NULL, from_ms INTEGER NOT NULL, to_ms INTEGER NOT NULL, PRIMARY KEY (id, turn)
) STRICT, WITHOUT ROWID`,
	`CREATE TABLE proposals (
  n INTEGER PRIMARY KEY, stage TEXT NOT NULL, action TEXT NOT NULL, reason TEXT NOT NULL, text TEXT NOT NULL, until TEXT NOT NULL,
  by TEXT NOT NULL, at_ms INTEGER NOT NULL, decided_by TEXT NOT NULL, decided_ms INTEGER NOT NULL, result TEXT NOT NULL,
  count INTEGER NOT NULL, fen INTEGER NOT NULL
) STRICT`,
	`CREATE TABLE members (proposal INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (proposal, id)) STRICT, WITHOUT ROWID`,
	`CREATE INDEX members_id ON members (id)`,
	// touches are the events after the first that concern a difference.
	`CREATE TABLE touches (id TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (id, seq)) STRICT, WITHOUT ROWID`,
}

// viewTables are the tables of views, with what a row of each is called by.
var viewTables = []struct{ name, key string }{
	{"runs", "run_id"}, {"differences", "id"}, {"intervals", "id"}, {"proposals", "n"}, {"members", "id"}, {"touches", "id"},
}
