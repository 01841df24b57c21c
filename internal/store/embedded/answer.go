package embedded

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// resultset reads all rows. A column whose values are all integers says so, as the
// client hands on the type that it is told.
func resultset(rows *sql.Rows) (*mysql.Result, error) {
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	integers := make([]bool, len(names))
	values, targets := make([]any, len(names)), make([]any, len(names))
	for i := range values {
		integers[i], targets[i] = true, &values[i]
	}
	set := mysql.NewResultset(len(names))
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		var row []byte
		for i, v := range values {
			if v == nil {
				row = append(row, 0xfb) // NULL
				continue
			}
			if _, ok := v.(int64); !ok {
				integers[i] = false
			}
			text, err := mysql.FormatTextValue(v)
			if err != nil {
				return nil, err
			}
			row = append(row, mysql.PutLengthEncodedString(text)...)
		}
		set.RowDatas = append(set.RowDatas, row)
	}
	for i, name := range names {
		set.Fields[i] = field(name, integers[i] && len(set.RowDatas) > 0)
	}
	return mysql.NewResult(set), rows.Err()
}

// utf8mb4Bin is the number of the collation utf8mb4_bin, binary that of none.
const (
	utf8mb4Bin = 46
	binary     = 63
)

func field(name string, integer bool) *mysql.Field {
	if integer {
		return &mysql.Field{Name: []byte(name), Charset: binary, Type: mysql.MYSQL_TYPE_LONGLONG, Flag: mysql.BINARY_FLAG}
	}
	return &mysql.Field{Name: []byte(name), Charset: utf8mb4Bin, Type: mysql.MYSQL_TYPE_VAR_STRING}
}

// table is a small answer of texts.
func table(names []string, rows ...[]string) *mysql.Result {
	set := mysql.NewResultset(len(names))
	for i, name := range names {
		set.Fields[i] = field(name, false)
	}
	for _, r := range rows {
		var row []byte
		for _, v := range r {
			row = append(row, mysql.PutLengthEncodedString([]byte(v))...)
		}
		set.RowDatas = append(set.RowDatas, row)
	}
	return mysql.NewResult(set)
}

// answerTo turns an error into the one that a MariaDB server would answer with.
func answerTo(err error) error {
	var own *mysql.MyError
	if errors.As(err, &own) {
		return own
	}
	if errors.Is(err, context.Canceled) {
		return mysql.NewError(mysql.ER_SERVER_SHUTDOWN, "the embedded group is stopping")
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return mysql.NewError(mysql.ER_UNKNOWN_ERROR, err.Error())
	}
	if e.Code()&0xff == sqlite3.SQLITE_CONSTRAINT {
		return constraintAnswer(e)
	}
	return mysql.NewError(errorNumber(e), e.Error())
}

// constraintAnswer keeps SQLite's words about duplicates: they name the columns
// and no values.
func constraintAnswer(e *sqlite.Error) error {
	switch e.Code() {
	case sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_ROWID:
		return mysql.NewError(mysql.ER_DUP_ENTRY, e.Error())
	case sqlite3.SQLITE_CONSTRAINT_NOTNULL:
		return mysql.NewError(mysql.ER_BAD_NULL_ERROR, e.Error())
	case sqlite3.SQLITE_CONSTRAINT_DATATYPE:
		return mysql.NewError(mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, e.Error())
	case sqlite3.SQLITE_CONSTRAINT_CHECK:
		var number uint16
		var column string
		const mark = "CHECK constraint failed: "
		if _, name, ok := strings.Cut(e.Error(), mark); ok {
			if _, err := fmt.Sscanf(name, "%d %s", &number, &column); err == nil {
				return mysql.NewError(number, checkWords(number)+" for column '"+column+"'")
			}
		}
	}
	return mysql.NewError(mysql.ER_UNKNOWN_ERROR, e.Error())
}

func checkWords(number uint16) string {
	switch number {
	case mysql.ER_DATA_TOO_LONG:
		return "Data too long"
	case mysql.ER_WARN_DATA_OUT_OF_RANGE:
		return "Out of range value"
	}
	return "Incorrect value"
}

func errorNumber(e *sqlite.Error) uint16 {
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return mysql.ER_LOCK_WAIT_TIMEOUT
	case sqlite3.SQLITE_FULL:
		return mysql.ER_RECORD_FILE_FULL
	case sqlite3.SQLITE_IOERR:
		return mysql.ER_ERROR_ON_WRITE
	case sqlite3.SQLITE_READONLY:
		return mysql.ER_OPEN_AS_READONLY
	case sqlite3.SQLITE_INTERRUPT:
		return mysql.ER_SERVER_SHUTDOWN
	case sqlite3.SQLITE_TOOBIG:
		return mysql.ER_DATA_TOO_LONG
	case sqlite3.SQLITE_ERROR:
		return statementNumber(e.Error())
	case sqlite3.SQLITE_SCHEMA: // tables were made or changed between two looks at them
		if number := statementNumber(e.Error()); number != mysql.ER_PARSE_ERROR {
			return number
		}
		return mysql.ER_TABLE_DEF_CHANGED
	}
	return mysql.ER_UNKNOWN_ERROR
}

// statementNumber tells errors apart that have one code in SQLite.
func statementNumber(message string) uint16 {
	switch {
	case strings.Contains(message, "no such table"):
		return mysql.ER_NO_SUCH_TABLE
	case strings.Contains(message, "no such column"), strings.Contains(message, "has no column named"):
		return mysql.ER_BAD_FIELD_ERROR
	case strings.Contains(message, "unknown datatype"):
		return mysql.ER_NOT_SUPPORTED_YET
	case strings.Contains(message, "duplicate column name"):
		return mysql.ER_DUP_FIELDNAME
	case strings.Contains(message, "index ") && strings.Contains(message, "already exists"):
		return mysql.ER_DUP_KEYNAME
	case strings.Contains(message, "already exists"):
		return mysql.ER_TABLE_EXISTS_ERROR
	}
	return mysql.ER_PARSE_ERROR
}

// endsTransaction reports whether SQLite may have rolled the transaction back by
// itself: later statements would each commit on their own.
func endsTransaction(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return true
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_READONLY:
		return false
	}
	return true
}

func integerTable(name string, value int64) *mysql.Result {
	r := table([]string{name}, []string{strconv.FormatInt(value, 10)})
	r.Fields[0] = field(name, true)
	return r
}
