package daybook

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText is how long a text of a file may get in a cell, in characters: enough for
// any that says something, far from the 32,767 where a spreadsheet cuts it.
const maxText = 2000

// clean makes a text that came from a file fit to be shown on one line: what XML or
// a terminal cannot bear is replaced, and so are the marks that turn the direction
// of writing, which make one number look like another.
func clean(s string) string {
	if len(s) <= maxText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s // as nearly all are
	}
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\uFFFE' || r == '\uFFFF':
			return utf8.RuneError
		}
		return r
	}, s)
	if utf8.RuneCountInString(s) > maxText {
		s = string([]rune(s)[:maxText-1]) + "…"
	}
	return s
}

// neutral is clean, and no spreadsheet takes it for a formula: not when the file is
// opened, and not when somebody edits the cell. Some take the wide forms as well.
func neutral(s string) string {
	if strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + clean(s)
	}
	s = clean(s)
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " "))
	if strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}
