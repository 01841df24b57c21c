package embedded

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// session is one client. The protocol asks it one thing at a time.
type session struct {
	server.EmptyHandler // answers what nobody asks here
	srv                 *Server
	ctx                 context.Context // ends when the server stops
	manual              bool            // autocommit is off: whatever comes first begins a transaction
	begun               bool            // by BEGIN, until COMMIT or ROLLBACK
	looks               bool            // begun is READ ONLY: tx is a reader, and nobody's turn
	tx                  *sql.Conn       // the writer, from the first statement after BEGIN on; whoever has it has the turn
	wrote               bool            // in tx
	over                bool            // the client is answered once more and then left
}

// UseDB takes any name: a group is one database.
func (s *session) UseDB(string) error { return nil }

// HandleQuery answers one statement.
func (s *session) HandleQuery(query string) (*mysql.Result, error) {
	st, err := parse(query, s.srv.readOnly.Load(), s.manual)
	if err != nil {
		return nil, err
	}
	result, err := s.run(st)
	if err != nil {
		return nil, answerTo(err)
	}
	return result, nil
}

func (s *session) run(st statement) (*mysql.Result, error) {
	switch st.word {
	case "SET":
		return nil, s.set(st)
	case "", "USE", "KILL":
		// A killed statement has ended by the time that somebody could kill it.
		return nil, nil
	case "BEGIN", "START":
		return nil, s.begin(strings.HasSuffix(strings.ToUpper(st.text), "READ ONLY"))
	case "COMMIT":
		return nil, s.commit()
	case "ROLLBACK":
		if !strings.Contains(strings.ToUpper(st.text), " TO ") {
			s.rollback()
			return nil, nil
		}
		return s.write(st)
	case "SHOW":
		return s.show(st)
	case "SELECT", "WITH", "EXPLAIN":
		return s.read(st)
	case "INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "ALTER", "DROP", "SAVEPOINT", "RELEASE":
		return s.write(st)
	}
	// Not for SQLite to judge: ATTACH and PRAGMA reach beyond the group.
	return nil, mysql.NewError(mysql.ER_PARSE_ERROR, fmt.Sprintf("an embedded group does not know the statement %q", st.word))
}

// set turns autocommit off and on. Of all the other rules of SET, sessions have those
// that package store asks for already.
func (s *session) set(st statement) error {
	text := strings.ToLower(strings.ReplaceAll(st.text, " ", ""))
	switch {
	case strings.Contains(text, "autocommit=0"):
		s.manual = true
	case strings.Contains(text, "autocommit=1"):
		s.manual = false
		return s.commit() // of a transaction that is still open, as servers do
	}
	return nil
}

// begin starts nothing yet: the turn would be held for one more round trip.
func (s *session) begin(readOnly bool) error {
	err := s.commit() // of a transaction that is still open, as servers do
	s.begun, s.looks = err == nil, readOnly
	return err
}

// start waits for the turn before the transaction does anything, so that it never
// has to give way to another one. One that only reads has a snapshot of its own and
// waits for nobody.
func (s *session) start() error {
	if (!s.begun && !s.manual) || s.tx != nil {
		return nil
	}
	if s.looks {
		return s.startLooking()
	}
	if err := s.srv.file.takeTurn(s.ctx); err != nil {
		return err
	}
	tx, err := s.srv.file.writer.Conn(s.ctx)
	if err != nil {
		s.srv.file.release()
		return err
	}
	s.tx, s.wrote = tx, false
	if _, err := tx.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		s.rollback()
		return err
	}
	return nil
}

func (s *session) startLooking() error {
	tx, err := s.srv.file.readers.Conn(s.ctx)
	if err != nil {
		return err
	}
	s.tx, s.wrote = tx, false
	if _, err := tx.ExecContext(context.Background(), "BEGIN"); err != nil {
		s.rollback()
		return err
	}
	return nil
}

// commit leaves the client after an error: nobody should go on in a session of
// which it is not known where it stands.
func (s *session) commit() error {
	if s.tx == nil {
		s.begun = false
		return nil
	}
	if s.wrote && s.srv.readOnly.Load() {
		s.rollback()
		return errReadOnly
	}
	// A context would interrupt it; a commit ends as it ends.
	if _, err := s.tx.ExecContext(context.Background(), "COMMIT"); err != nil {
		s.rollback()
		s.over = true
		return err
	}
	s.leave()
	return nil
}

// rollback ends the transaction if one is open. A connection that cannot roll
// back is not used again.
func (s *session) rollback() {
	if s.tx == nil {
		s.begun = false
		return
	}
	if _, err := s.tx.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		_ = s.tx.Raw(func(any) error { return driver.ErrBadConn }) // the one way to tell the pool
	}
	s.leave()
}

// leave gives the writer to the next in line.
func (s *session) leave() {
	_ = s.tx.Close() // it only goes back to the pool
	if !s.looks {
		s.srv.file.release()
	}
	s.tx, s.begun, s.looks = nil, false, false
}

func (s *session) read(st statement) (*mysql.Result, error) {
	if strings.HasPrefix(st.text, "SELECT COUNT(*) FROM information_schema.processlist") {
		return integerTable("COUNT(*)", 0), nil // no statement outlives its client
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	query, ctx := s.srv.file.readers.QueryContext, s.ctx
	if s.tx != nil {
		query, ctx = s.tx.QueryContext, context.Background()
	}
	rows, err := query(ctx, st.text)
	if err != nil {
		return nil, s.failed(err)
	}
	result, err := resultset(rows)
	return result, s.failed(err)
}

var errReadOnly = mysql.NewError(mysql.ER_OPTION_PREVENTS_STATEMENT, "The embedded group is running with the --read-only option so it cannot execute this statement")

var errLooksOnly = mysql.NewError(mysql.ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, "Cannot execute statement in a READ ONLY transaction")

func (s *session) write(st statement) (*mysql.Result, error) {
	if s.srv.readOnly.Load() {
		return nil, errReadOnly
	}
	if st.word == "CREATE" || st.word == "ALTER" {
		st.text = translateDDL(st.text)
	}
	if err := s.start(); err != nil {
		return nil, err
	}
	if s.tx != nil && s.looks {
		return nil, errLooksOnly
	}
	if s.tx != nil {
		s.wrote = true
		return s.exec(s.tx.ExecContext, st)
	}
	if err := s.srv.file.takeTurn(s.ctx); err != nil {
		return nil, err
	}
	defer s.srv.file.release()
	return s.exec(s.srv.file.writer.ExecContext, st)
}

func (s *session) exec(on func(context.Context, string, ...any) (sql.Result, error), st statement) (*mysql.Result, error) {
	done, err := on(context.Background(), st.text)
	if err != nil {
		return nil, s.failed(err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return nil, err
	}
	id, err := done.LastInsertId()
	if err != nil {
		return nil, err
	}
	r := mysql.NewResultReserveResultset(0)
	r.AffectedRows, r.InsertId = uint64(max(n, 0)), uint64(max(id, 0))
	return r, nil
}

// failed ends a transaction that SQLite may have ended already.
func (s *session) failed(err error) error {
	if err != nil && s.tx != nil && endsTransaction(err) {
		s.rollback()
		s.over = true
	}
	return err
}

// show answers what a primary without replicas has to say.
func (s *session) show(st statement) (*mysql.Result, error) {
	switch {
	case strings.Contains(st.text, "'Innodb_row_lock_current_waits'"):
		return table([]string{"Variable_name", "Value"}, []string{"Innodb_row_lock_current_waits", strconv.FormatInt(s.srv.file.waiting.Load(), 10)}), nil
	case strings.HasPrefix(st.text, "SHOW GLOBAL STATUS"):
		return table([]string{"Variable_name", "Value"}), nil
	case st.text == "SHOW REPLICA STATUS":
		return table([]string{"Replica_IO_State"}), nil
	}
	return nil, mysql.NewError(mysql.ER_NOT_SUPPORTED_YET, fmt.Sprintf("an embedded group does not know %q", st.text))
}

// HandleStmtPrepare is refused: the driver puts parameters into the text itself.
func (s *session) HandleStmtPrepare(string) (int, int, any, error) {
	return 0, 0, nil, mysql.NewError(mysql.ER_UNSUPPORTED_PS, "an embedded group prepares no statements; set interpolateParams=true in the dsn")
}

// HandleOtherCommand refuses without the library's line on the standard logger.
func (s *session) HandleOtherCommand(cmd byte, _ []byte) error {
	return mysql.NewError(mysql.ER_UNKNOWN_COM_ERROR, fmt.Sprintf("an embedded group does not know command %d", cmd))
}

// HandleFieldList refuses the same way.
func (s *session) HandleFieldList(string, string) ([]*mysql.Field, error) {
	return nil, mysql.NewError(mysql.ER_UNKNOWN_COM_ERROR, "an embedded group lists no fields")
}
