package embedded

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ query, word, text string }{
		{"select 1", "SELECT", "select 1"},
		{" /*! ALTER TABLE x */ ", "", " /*! ALTER TABLE x */ "},
		{"-- nothing", "", "-- nothing"},
		{"/* a */ -- b\nINSERT INTO t VALUES (1);", "INSERT", "/* a */ -- b\nINSERT INTO t VALUES (1)"},
		{"SELECT 'a;b -- c /* d', \"e;f\", `g;h`; -- end", "SELECT", "SELECT 'a;b -- c /* d', \"e;f\", `g;h` -- end"},
		{"SELECT 'it''s; \\'", "SELECT", "SELECT 'it''s; \\'"},
		{"SELECT _binary'it''s'", "SELECT", "SELECT 'it''s'"},
		{"SELECT _binary'\x00''\xff', a_binary", "SELECT", "SELECT X'0027ff', a_binary"},
		{"SELECT 'open", "SELECT", "SELECT 'open"},
		{"SELECT '_binary''x'''", "SELECT", "SELECT '_binary''x'''"},
	} {
		st, err := parse(tc.query, false, false)
		if err != nil || st.word != tc.word || st.text != tc.text {
			t.Errorf("%q: word %q, text %q, %v; want %q, %q", tc.query, st.word, st.text, err, tc.word, tc.text)
		}
	}
	const asks = "SELECT COALESCE(" + readOnlyMark + " 0, 0), '" + readOnlyMark + "'"
	if st, err := parse(asks, true, false); err != nil || st.text != "SELECT COALESCE(1, 0, 0), '"+readOnlyMark+"'" {
		t.Errorf("%q became %q, %v", asks, st.text, err)
	}
	for _, query := range []string{"SELECT 1; SELECT 2", "SELECT 1;;x", "SELECT '\xff'", "SELECT 'a\x00b'", "SELECT 1 \x00"} {
		if _, err := parse(query, true, false); err == nil {
			t.Errorf("%q was not refused", query)
		}
	}
}

// What stands in a literal decides nothing, and no input makes it panic.
func TestParseKeepsLiterals(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-z'";\\/*\- \n`+"`"+`咖啡]*`).Draw(t, "text")
		query := "INSERT INTO t VALUES ('" + strings.ReplaceAll(text, "'", "''") + "')"
		if st, err := parse(query, true, false); err != nil || st.word != "INSERT" || st.text != query {
			t.Fatalf("%q became %q, %v", query, st.text, err)
		}
		_, _ = parse(string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")), false, false)
	})
}
