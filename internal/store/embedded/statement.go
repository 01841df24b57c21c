package embedded

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// statement is one statement of a client.
type statement struct {
	text string // as SQLite gets it
	word string // its first keyword in upper case, "" where there are only comments
}

// binaryMark is how the client's driver writes bytes: _binary'...', quotes doubled.
const binaryMark = "_binary'"

// readOnlyMark is how package store asks for the switch. To SQLite it is a comment.
const readOnlyMark = "/*! @@global.read_only, */"

// manualMark is how it asks whether a session commits by itself.
const manualMark = "/*! @@autocommit, */"

// parse finds the first keyword, rewrites byte literals, puts in whether the server
// is read-only and autocommit off where the client asks, and refuses what would be
// understood in another way than the client meant it: several statements at once,
// text that is not UTF-8, and NUL, at which SQLite stops reading.
func parse(query string, readOnly, manual bool) (statement, error) {
	var st statement
	var out strings.Builder
	ended := false
	for i := 0; i < len(query); {
		n := tokenLength(query[i:])
		token := query[i : i+n]
		i += n
		switch {
		case readOnly && token == readOnlyMark:
			token = "1,"
		case manual && token == manualMark:
			token = "0,"
		case isBlank(token):
		case token == ";":
			ended = true
			continue
		case ended:
			return statement{}, mysql.NewError(mysql.ER_PARSE_ERROR, "one statement at a time: there is more after the semicolon")
		case st.word == "":
			st.word = strings.ToUpper(token)
		case strings.HasPrefix(token, binaryMark):
			token = bytesLiteral(token)
		}
		out.WriteString(token)
	}
	st.text = out.String()
	if !utf8.ValidString(st.text) || strings.IndexByte(st.text, 0) >= 0 {
		return statement{}, mysql.NewError(mysql.ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, "Incorrect string value: text must be UTF-8 without NUL; hand over bytes as bytes")
	}
	return st, nil
}

// tokenLength is the length of the token at the start of s: a comment, a quoted
// text, a word, or a single byte.
func tokenLength(s string) int {
	switch c := s[0]; {
	case strings.HasPrefix(s, "/*"):
		return through(s, 2, "*/")
	case strings.HasPrefix(s, "--"):
		return through(s, 2, "\n")
	case strings.HasPrefix(s, binaryMark):
		return len(binaryMark) - 1 + quotedLength(s[len(binaryMark)-1:])
	case c == '\'' || c == '"' || c == '`':
		return quotedLength(s)
	case isWordByte(c):
		n := 1
		for n < len(s) && isWordByte(s[n]) {
			n++
		}
		return n
	}
	return 1
}

// through is the length of s up to and with the end mark, all of s without one.
func through(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}

// quotedLength is the length of the quoted text at the start of s, in which a
// doubled quote stands for one and a backslash for itself.
func quotedLength(s string) int {
	quote := s[:1]
	for n := 1; ; {
		i := strings.Index(s[n:], quote)
		if i < 0 {
			return len(s)
		}
		n += i + 1
		if !strings.HasPrefix(s[n:], quote) {
			return n
		}
		n++
	}
}

func isWordByte(c byte) bool {
	return c == '_' || c == '@' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}

func isBlank(token string) bool {
	return strings.HasPrefix(token, "/*") || strings.HasPrefix(token, "--") || strings.TrimSpace(token) == ""
}

// bytesLiteral writes bytes as text where they are text: JSON comes in either
// way, and SQLite would never find one of them equal to the other.
func bytesLiteral(token string) string {
	quoted := token[len(binaryMark)-1:]
	if len(quoted) < 2 || quoted[len(quoted)-1] != '\'' {
		return token // unfinished: for SQLite to refuse
	}
	if utf8.ValidString(quoted) && strings.IndexByte(quoted, 0) < 0 {
		return quoted
	}
	raw := strings.ReplaceAll(quoted[1:len(quoted)-1], "''", "'")
	return fmt.Sprintf("X'%s'", hex.EncodeToString([]byte(raw)))
}
