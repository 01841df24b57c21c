package embedded

import (
	"bytes"
	"database/sql"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestTextAndBytesComeBackAsTheyWere(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, "CREATE TABLE t (v TEXT NULL, b BLOB NULL, n BIGINT NULL)")
	ctx := testContext(t)
	same := func(t rapid.TB, text string, raw []byte) {
		if _, err := db.ExecContext(ctx, "DELETE FROM t"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (?, ?, NULL)", text, raw); err != nil {
			t.Fatalf("insert %q, %q: %v", text, raw, err)
		}
		var gotText string
		var gotRaw []byte
		var n sql.NullInt64
		err := db.QueryRowContext(ctx, "SELECT v, b, n FROM t WHERE v=? AND b=?", text, raw).Scan(&gotText, &gotRaw, &n)
		if err != nil || gotText != text || !bytes.Equal(gotRaw, raw) || n.Valid {
			t.Fatalf("wrote %q and %q, read %q, %q and %v, %v", text, raw, gotText, gotRaw, n, err)
		}
	}
	for _, text := range []string{"", "'", "''", `"`, `\`, `\'`, `\\`, "a\nb\r\tc", "😀咖啡𠮷", "a -- b", "/* c */", "/*! d */", "?", "`", ";", "_binary'x'", "%_"} {
		same(t, text, []byte(text))
	}
	same(t, strings.Repeat("咖啡", 1<<20), bytes.Repeat([]byte{0xff}, 3<<20)) // of MariaDB's 16 MB
	same(t, "bytes", []byte{0, 1, 0xff, '\'', '\\', 0})
	rapid.Check(t, func(t *rapid.T) {
		same(t, strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", ""), rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
	})
	for _, refused := range []string{"a\x00b", "\xff"} {
		if _, err := db.ExecContext(ctx, "INSERT INTO t VALUES (?, NULL, NULL)", refused); number(t, err) != 1366 {
			t.Errorf("%q: %v, want 1366", refused, err)
		}
	}
}

const strictTable = `CREATE TABLE IF NOT EXISTS t (
  id INTEGER NOT NULL PRIMARY KEY /*! AUTO_INCREMENT */,
  code VARCHAR(3) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
  name VARCHAR(3) NULL,
  small TINYINT NULL,
  mid INT NULL,
  big BIGINT NULL,
  CONSTRAINT code_key UNIQUE (code, mid)
) /*! ENGINE=InnoDB */`

func TestAnswersHaveTheNumbersOfMariaDB(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	ctx := testContext(t)
	for _, s := range []string{strictTable, strictTable, "CREATE INDEX by_name ON t (name)", "/*! ALTER TABLE t MODIFY id BIGINT */",
		"INSERT INTO t (id, code, mid) VALUES (7, 'abc', 1)", "ALTER TABLE t ADD COLUMN more VARCHAR(2) NOT NULL DEFAULT ''"} {
		exec(t, db, s)
	}
	for query, want := range map[string]uint16{
		"INSERT INTO t (id, code) VALUES (7, 'x')":                    1062,
		"INSERT INTO t (code, mid) VALUES ('abc', 1)":                 1062,
		"INSERT INTO t (code) VALUES (NULL)":                          1048,
		"INSERT INTO t (code) VALUES ('abcd')":                        1406,
		"INSERT INTO t (code) VALUES ('咖')":                           1366,
		"INSERT INTO t (code, name) VALUES ('a', '咖啡馆')":              0,
		"INSERT INTO t (code, name) VALUES ('b', '咖啡馆们')":             1406,
		"INSERT INTO t (code, small) VALUES ('c', 127)":               0,
		"INSERT INTO t (code, small) VALUES ('d', 128)":               1264,
		"INSERT INTO t (code, mid) VALUES ('e', -2147483649)":         1264,
		"INSERT INTO t (code, mid) VALUES ('e', 'two')":               1366,
		"INSERT INTO t (code, big) VALUES ('f', 9223372036854775808)": 1366,
		"INSERT INTO t (code, big) VALUES ('g', 9223372036854775807)": 0,
		"INSERT INTO t (code, big) VALUES ('h', 1.5)":                 1366,
		"UPDATE t SET more='abc'":                                     1406,
		"SELECT * FROM missing":                                       1146,
		"SELECT missing FROM t":                                       1054,
		"CREATE INDEX by_name ON t (name)":                            1061,
		"CREATE TABLE t (id BIGINT)":                                  1050,
		"ALTER TABLE t ADD COLUMN name VARCHAR(3)":                    1060,
		"CREATE TABLE j (a BIGINT DEFAULT 0, body JSON)":              1235,
		"CREATE TABLE k (a VARCHAR(9) DEFAULT 'a DATE')":              0,
		"INSERT INTO t (code) SELECT 'long' WHERE 'A' LIKE 'a'":       0,
		"PRAGMA journal_mode=DELETE":                                  1064,
		"ATTACH '/tmp/other.db' AS other":                             1064,
		"WITH w AS (SELECT 1 AS one) SELECT one FROM w":               0,
		"SELEC 1":                1064,
		"SELECT 1; DROP TABLE t": 1064,
		"SHOW TABLES":            1235,
		"SHOW REPLICA STATUS":    0,
		"SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_%'":      0,
		"SET autocommit=1, sql_mode='STRICT_ALL_TABLES'": 0,
		"KILL 7":   0,
		"COMMIT":   0,
		"ROLLBACK": 0,
		"SELECT COUNT(*) FROM information_schema.processlist WHERE id=1": 0,
	} {
		if _, err := db.ExecContext(ctx, query); number(t, err) != want {
			t.Errorf("%s: %v, want number %d", query, err, want)
		}
	}
	if n := count(t, db, "t"); n != 4 {
		t.Errorf("%d rows, want 4: a refused statement writes nothing", n)
	}
}

func TestIntegersComeBackAsIntegers(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	var whole, text, nothing any
	if err := db.QueryRowContext(testContext(t), "SELECT 7, 'seven', NULL").Scan(&whole, &text, &nothing); err != nil {
		t.Fatal(err)
	}
	if b, _ := text.([]byte); whole != int64(7) || string(b) != "seven" || nothing != nil {
		t.Errorf("got %T %v, %T %v, %v", whole, whole, text, text, nothing)
	}
}

func TestANumberIsNotGivenOutTwice(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	exec(t, db, "INSERT INTO t (code) VALUES ('a')")
	exec(t, db, "DELETE FROM t")
	r, err := db.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('b')")
	if err != nil {
		t.Fatal(err)
	}
	if id, err := r.LastInsertId(); id != 2 || err != nil {
		t.Errorf("id %d, %v, want 2", id, err)
	}
}

func TestOthersReadOnlyWhatIsCommitted(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	tx, err := db.BeginTx(testContext(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t (code) VALUES ('a')")
	if in, out := count(t, tx, "t"), count(t, db, "t"); in != 1 || out != 0 {
		t.Errorf("the transaction sees %d rows, others %d, want 1 and 0", in, out)
	}
	if _, err := tx.ExecContext(testContext(t), "INSERT INTO t (code, name) VALUES ('b', 'long')"); number(t, err) != 1406 {
		t.Errorf("a value too long: %v", err)
	}
	exec(t, tx, "SAVEPOINT s")
	exec(t, tx, "INSERT INTO t (code) VALUES ('c')")
	exec(t, tx, "ROLLBACK TO s")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "t"); n != 1 {
		t.Errorf("%d rows, want the one from before the savepoint: a refused statement does not end the transaction", n)
	}
}

// TestAutocommitOff: whatever comes first begins a transaction, which has the turn
// until COMMIT or ROLLBACK, and the next statement begins the next one.
func TestAutocommitOff(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	manual := newSession(t, db)
	commitsItself := func() (on bool) {
		if err := manual.QueryRowContext(testContext(t), "SELECT COALESCE(/*! @@autocommit, */ 1, 1)").Scan(&on); err != nil {
			t.Fatal(err)
		}
		return on
	}
	if !commitsItself() {
		t.Error("a new session does not commit by itself")
	}
	exec(t, manual, "SET autocommit=0")
	if commitsItself() {
		t.Error("autocommit is on after SET autocommit=0")
	}
	for _, end := range []string{"ROLLBACK", "COMMIT"} { // the SELECT above holds the turn
		if _, err := db.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('x')"); number(t, err) != 1205 {
			t.Errorf("another writer: %v, want 1205 while the turn is taken", err)
		}
		exec(t, manual, "INSERT INTO t (code) VALUES ('a')")
		if in, out := count(t, manual, "t"), count(t, db, "t"); in != 1 || out != 0 {
			t.Errorf("the session sees %d rows, others %d, want 1 and 0", in, out)
		}
		exec(t, manual, end)
		exec(t, db, "DELETE FROM t WHERE code='x'") // the turn is free
		if end == "ROLLBACK" {
			count(t, manual, "t")
		}
	}
	if n := count(t, db, "t"); n != 1 {
		t.Errorf("%d rows, want the one that was committed", n)
	}
	exec(t, manual, "INSERT INTO t (code) VALUES ('b')")
	exec(t, manual, "SET autocommit=1")
	exec(t, manual, "INSERT INTO t (code) VALUES ('c')")
	if n := count(t, db, "t"); n != 3 {
		t.Errorf("%d rows after autocommit was turned on, want 3", n)
	}
}

// TestAReadOnlyTransactionIsASnapshot: it sees one moment, keeps nobody from writing,
// and may take as long as it likes.
func TestAReadOnlyTransactionIsASnapshot(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal, IdleInTransaction: time.Nanosecond})
	exec(t, db, strictTable)
	exec(t, db, "INSERT INTO t (code) VALUES ('a')")
	looks := newSession(t, db)
	exec(t, looks, "START TRANSACTION /*! WITH CONSISTENT SNAPSHOT, */ READ ONLY")
	before := count(t, looks, "t")
	exec(t, db, "INSERT INTO t (code) VALUES ('b')")
	if after := count(t, looks, "t"); before != 1 || after != 1 {
		t.Errorf("it sees %d rows and then %d, want 1 and 1", before, after)
	}
	if _, err := looks.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('c')"); number(t, err) != 1792 {
		t.Errorf("a write: %v, want 1792", err)
	}
	exec(t, looks, "COMMIT")
	if n := count(t, looks, "t"); n != 2 {
		t.Errorf("%d rows after its end, want 2", n)
	}
	exec(t, looks, "INSERT INTO t (code) VALUES ('c')")
	if n := count(t, db, "t"); n != 3 {
		t.Errorf("%d rows after it wrote outside of one, want 3", n)
	}
}

func TestReadOnlyAnswers1290(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	tx, err := db.BeginTx(testContext(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t (code) VALUES ('a')")
	set.Server(1).SetReadOnly(true)
	if _, err := tx.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('b')"); number(t, err) != 1290 || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("write: %v", err)
	}
	if err := tx.Commit(); number(t, err) != 1290 {
		t.Errorf("commit of a transaction that has written: %v", err)
	}
	if _, err := db.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('c')"); number(t, err) != 1290 {
		t.Errorf("autocommit: %v", err)
	}
	var on int
	if err := db.QueryRowContext(testContext(t), "SELECT COALESCE(/*! @@global.read_only, */ 0, 0)").Scan(&on); err != nil || on != 1 {
		t.Errorf("read_only is %d, %v", on, err)
	}
	set.Server(1).SetReadOnly(false)
	exec(t, db, "INSERT INTO t (code) VALUES ('d')")
	if n := count(t, db, "t"); n != 1 {
		t.Errorf("%d rows, want the last one alone", n)
	}
}

func TestAFullDiskEndsTheTransaction(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, "CREATE TABLE big (body TEXT NOT NULL)")
	file := set.Server(1).file
	exec(t, file.writer, "PRAGMA max_page_count=8")
	c := newSession(t, db)
	exec(t, c, "BEGIN")
	exec(t, c, "INSERT INTO big VALUES ('small')")
	if _, err := c.ExecContext(testContext(t), "INSERT INTO big VALUES (?)", strings.Repeat("x", 1<<16)); number(t, err) != 1114 {
		t.Errorf("got %v, want 1114", err)
	}
	if err := c.PingContext(testContext(t)); err == nil {
		t.Error("the session went on after its transaction had ended")
	}
	exec(t, file.writer, "PRAGMA max_page_count=100000")
	exec(t, db, "INSERT INTO big VALUES (?)", strings.Repeat("x", 1<<16))
	if n := count(t, db, "big"); n != 1 {
		t.Errorf("%d rows, want one: the transaction is gone as a whole", n)
	}
}

func TestWritersTakeTurnsInTheOrderOfAsking(t *testing.T) {
	set, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	ctx, file := testContext(t), set.Server(1).file
	first := newSession(t, db)
	exec(t, first, "BEGIN")
	count(t, first, "t")
	const writers = 8
	errs := make(chan error, writers)
	for i := range writers {
		go func() {
			_, err := db.ExecContext(ctx, "INSERT INTO t (code, mid) VALUES ('w', ?)", i)
			errs <- err
		}()
		eventually(t, "the writer waits", func() bool { return file.waiting.Load() == int64(i+1) })
	}
	exec(t, first, "COMMIT")
	for range writers {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := count(t, db, "t WHERE mid=id-1"); n != writers {
		t.Errorf("%d of %d writers were served in their turn", n, writers)
	}
}

func TestAWriterThatWaitsTooLongIsAnswered1205(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal})
	exec(t, db, strictTable)
	first := newSession(t, db)
	exec(t, first, "BEGIN")
	count(t, first, "t")
	if _, err := db.ExecContext(testContext(t), "INSERT INTO t (code) VALUES ('a')"); number(t, err) != 1205 {
		t.Errorf("got %v, want 1205", err)
	}
	exec(t, first, "ROLLBACK")
	exec(t, db, "INSERT INTO t (code) VALUES ('b')")
}

// The limit is shorter than the time for which a writer waits for its turn.
func TestASilentTransactionIsEnded(t *testing.T) {
	_, db := openGroup(t, Options{Sync: Normal, IdleInTransaction: 50 * time.Millisecond})
	exec(t, db, strictTable)
	silent := newSession(t, db)
	exec(t, silent, "BEGIN")
	exec(t, silent, "INSERT INTO t (code) VALUES ('a')")
	exec(t, db, "INSERT INTO t (code) VALUES ('b')")
	if _, err := silent.ExecContext(testContext(t), "COMMIT"); err == nil {
		t.Error("the transaction was committed after its session had ended")
	}
	if n := count(t, db, "t"); n != 1 {
		t.Errorf("%d rows, want the second writer's alone", n)
	}
}

func TestHowFilesAreWritten(t *testing.T) {
	for sync, number := range map[Sync]string{Full: "2", Normal: "1"} {
		set, _ := openGroup(t, Options{Sync: sync})
		for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": number} {
			var got string
			if err := set.Server(1).file.writer.QueryRowContext(testContext(t), "PRAGMA "+pragma).Scan(&got); err != nil || got != want {
				t.Errorf("%s: %s is %s, %v, want %s", sync, pragma, got, err, want)
			}
		}
	}
}
