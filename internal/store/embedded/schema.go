package embedded

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// columnTypes are the types that a strict SQLite table does not know by these
// names. It refuses all others but INTEGER and TEXT.
var columnTypes = regexp.MustCompile("(?i)\\b(\\w+)(`?\\s+)(VARCHAR|CHAR|TINYINT|SMALLINT|INT|BIGINT|MEDIUMTEXT|LONGTEXT|BLOB|MEDIUMBLOB)\\b(?:\\((\\d+)\\))?(\\s*/\\*! CHARACTER SET ascii)?")

// integerRange has no BIGINT: what is wider is no integer to SQLite.
var integerRange = map[string]string{
	"TINYINT":  "-128 AND 127",
	"SMALLINT": "-32768 AND 32767",
	"INT":      "-2147483648 AND 2147483647",
}

// translateDDL makes the columns of CREATE TABLE and ADD COLUMN as strict as
// MariaDB's strict mode is: types, widths in characters, ranges, ASCII. Each check
// is named by the number of the error that it stands for, and its column.
func translateDDL(text string) string {
	// Without AUTOINCREMENT the number of a deleted last row is given out again.
	text = strings.ReplaceAll(text, "/*! AUTO_INCREMENT */", "AUTOINCREMENT")
	if createsTable.MatchString(text) {
		text += " STRICT"
	}
	return columnTypes.ReplaceAllStringFunc(text, func(column string) string {
		m := columnTypes.FindStringSubmatch(column)
		name, kind, width, ascii := m[1], strings.ToUpper(m[3]), m[4], m[5]
		return name + m[2] + translateColumn(name, kind, width, ascii != "") + ascii
	})
}

var createsTable = regexp.MustCompile(`(?is)^\s*CREATE\s+TABLE\b`)

func translateColumn(name, kind, width string, ascii bool) string {
	check := func(number int, format string, args ...any) string {
		return fmt.Sprintf(" CONSTRAINT \"%d %s\" CHECK (%s)", number, name, fmt.Sprintf(format, args...))
	}
	limits, small := integerRange[kind]
	switch {
	case small:
		return "INTEGER" + check(mysql.ER_WARN_DATA_OUT_OF_RANGE, "`%s` BETWEEN %s", name, limits)
	case kind == "BIGINT":
		return "INTEGER"
	case strings.HasSuffix(kind, "BLOB"):
		return "ANY" // bytes that are text come as text
	case width == "":
		return "TEXT"
	}
	text := "TEXT" + check(mysql.ER_DATA_TOO_LONG, "length(`%s`)<=%s", name, width)
	if ascii {
		text += check(mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, "octet_length(`%s`)=length(`%s`)", name, name)
	}
	return text
}
