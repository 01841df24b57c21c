package config

import (
	"errors"
	"strings"
	"testing"

	"paytool/internal/strictyaml"
)

// group is one valid group, for texts whose mistake lies elsewhere.
const group = "groups: [{group: 1, primary: {dsn: \"app:" + password + "@tcp(db:3306)/pay\"}}]\n"

func groups(items ...string) string { return "groups:\n  - " + strings.Join(items, "\n  - ") + "\n" }

const primary = "primary: {dsn: \"app:" + password + "@tcp(db1:3306)/pay\"}"

const (
	engineKeys = "name, selection, probe, tag_width, legacy_group, require_semisync, pool, create_timeout, " +
		"lookup_timeout, probe_interval, probe_timeout, created_expiry, max_amount_fen, guard, revoke_paid, pay_timeout, refund_gap"
	noParse = "does not parse (value withheld): write user:password@tcp(host:port)/database"
	noAlias = "anchors, aliases and tags are not read here: write the value out"
)

// refused lists texts and the whole error, line by line.
var refused = []struct {
	name, text string
	want       []string
}{
	// The file as a whole.
	{"empty", "", []string{"paytool.yaml:1: empty: it needs at least one group, or run `paytool sandbox up`, which writes a configuration"}},
	{"only a comment", "# nothing\n", []string{"paytool.yaml:1: empty: it needs at least one group, or run `paytool sandbox up`, which writes a configuration"}},
	{"too large", strings.Repeat("#\n", strictyaml.MaxFileSize/2) + "#", []string{"paytool.yaml:1: larger than 1048576 bytes: is this the right file?"}},
	{"not UTF-8", "a: \xff\n", []string{"paytool.yaml:1: not UTF-8 text: is this the right file?"}},
	{"nested too deep", strings.Repeat("[\n", 20_001), []string{"paytool.yaml:1: more than 20000 brackets: is this the right file?"}},
	{"nested too deep in a line", strings.Repeat("- ", 16<<10), []string{"paytool.yaml:1: a line of more than 16384 bytes: is this the right file?"}},
	{"two documents", group + "---\n" + group, []string{"paytool.yaml:1: more than one YAML document: keep one and remove the --- between them"}},
	{"a word", "paytool\n", []string{"paytool.yaml:1: want keys: engine, log, environment, state_dir, groups, accounts, recon"}},

	// The reader's own words, without the text they quote.
	{"open bracket", "engine: {}\ngroups: [", []string{"paytool.yaml:2: not valid YAML: sequence end token ']' not found"}},
	{"tab", "engine:\n\tpool: 1\n", []string{"paytool.yaml:2: not valid YAML: found character '\t' that cannot start any token"}},
	{"open quote", "log:\n  level: \"" + password + "\n", []string{"paytool.yaml:2: not valid YAML: could not find end character of double-quoted text"}},
	{"password twice as key", password + ": 1\n" + password + ": 2\n", []string{"paytool.yaml:2: not valid YAML: mapping key (text withheld) already defined at [1:1]"}},

	// Keys and kinds.
	{"unknown keys", "engines: {}\nengine:\n  pol: 5\nlog: {file: x}\n" + group, []string{
		"paytool.yaml:1: engines: unknown key; known here: engine, log, environment, state_dir, groups, accounts, recon",
		"paytool.yaml:3: engine.pol: unknown key; known here: " + engineKeys,
		"paytool.yaml:4: log.file: unknown key; known here: level, format",
	}},
	{"password as key", "engine:\n  " + password + ": 5\n" + group, []string{
		"paytool.yaml:2: engine.(key withheld): unknown key; known here: " + engineKeys,
	}},
	{"merge key", "log: {<<: {level: info}}\n" + group, []string{
		"paytool.yaml:1: log.(key withheld): unknown key; known here: level, format",
	}},
	{"anchors", "log: &l {level: info}\nengine: *l\n" + group, []string{
		"paytool.yaml:1: log: " + noAlias,
		"paytool.yaml:2: engine: " + noAlias,
	}},
	{"kinds", "engine:\n  name: 5\n  pool: 1.5\n  tag_width: 010\n  max_amount_fen: 99999999999999999999\n  require_semisync: maybe\n  probe_timeout: 5\n  probe_interval: " + password + "\n  create_timeout:\ngroups: 1\nlog: []\n", []string{
		"paytool.yaml:2: engine.name: want text: put it in quotes",
		"paytool.yaml:3: engine.pool: want a whole number in plain digits",
		"paytool.yaml:4: engine.tag_width: want a whole number in plain digits",
		"paytool.yaml:5: engine.max_amount_fen: want a whole number in plain digits",
		"paytool.yaml:6: engine.require_semisync: want true or false",
		"paytool.yaml:7: engine.probe_timeout: want a duration with its unit, such as 250ms",
		"paytool.yaml:8: engine.probe_interval: want a duration with its unit, such as 250ms",
		"paytool.yaml:9: engine.create_timeout: want a duration with its unit, such as 250ms",
		"paytool.yaml:10: groups: want a list, each item beginning with a dash",
		"paytool.yaml:11: log: want keys: level, format",
	}},

	// Values of engine and log.
	{"enumerations", "engine:\n  selection: hash\n  probe: none\nlog:\n  level: loud\n  format: xml\n" + group, []string{
		"paytool.yaml:2: engine.selection: want rendezvous or random",
		"paytool.yaml:3: engine.probe: want background or inline",
		"paytool.yaml:5: log.level: want debug or info or warn or error",
		"paytool.yaml:6: log.format: want text or json",
	}},
	{"zero and below", "engine:\n  pool: 0\n  create_timeout: 0s\n  lookup_timeout: -1ms\n  probe_interval: 0s\n  probe_timeout: 0s\n  created_expiry: 0s\n  max_amount_fen: 0\n  guard: hope\n  pay_timeout: 0s\n  refund_gap: -1s\n" + group, []string{
		"paytool.yaml:2: engine.pool: want at least 1 connection, not 0",
		"paytool.yaml:3: engine.create_timeout: want more than 0, not 0s",
		"paytool.yaml:4: engine.lookup_timeout: want more than 0, not -1ms",
		"paytool.yaml:5: engine.probe_interval: want more than 0, not 0s",
		"paytool.yaml:6: engine.probe_timeout: want more than 0, not 0s",
		"paytool.yaml:7: engine.created_expiry: want more than 0, not 0s",
		"paytool.yaml:8: engine.max_amount_fen: want at least 1 fen, not 0",
		"paytool.yaml:9: engine.guard: want ask or pay or refuse",
		"paytool.yaml:10: engine.pay_timeout: want more than 0, not 0s",
		"paytool.yaml:11: engine.refund_gap: want 0 or more, not -1s",
	}},
	{"create timeout", "engine: {create_timeout: 10001ms}\n" + group, []string{
		"paytool.yaml:1: engine.create_timeout: want at most 10s, not 10.001s: one group that hangs would hold up its creates that long",
	}},
	{"name", "engine: {name: \"a till\"}\n" + group, []string{
		"paytool.yaml:1: engine.name: want 1 to 64 letters, digits, dots, dashes or underscores; where the host name is none, set one here",
	}},
	{"tag width 0", "engine: {tag_width: 0}\n" + group, []string{
		"paytool.yaml:1: engine.tag_width: want 1 to 9 digits, not 0: an order number has at most 32 characters",
		"paytool.yaml:2: groups[0].group: group 1 needs more digits than engine.tag_width 0: widen it",
	}},
	{"tag width 10", "engine: {tag_width: 10}\n" + group, []string{
		"paytool.yaml:1: engine.tag_width: want 1 to 9 digits, not 10: an order number has at most 32 characters",
	}},
	{"legacy group", "engine: {legacy_group: 2}\n" + group, []string{
		"paytool.yaml:1: engine.legacy_group: group 2 is not in groups: name one that is, or 0 for none",
	}},

	// Groups and nodes.
	{"no groups", "log: {level: info}\ngroups: []\n", []string{
		"paytool.yaml:2: groups: no groups: list at least one, or run `paytool sandbox up`, which writes a configuration",
	}},
	{"group number", groups("group: 0\n    "+primary, "group: 10\n    weight: -1\n    primary: {dsn: \"a@tcp(db2)/pay\"}"), []string{
		"paytool.yaml:2: groups[0].group: want a number from 1, not 0",
		"paytool.yaml:4: groups[1].group: group 10 needs more digits than engine.tag_width 1: widen it",
		"paytool.yaml:5: groups[1].weight: want 0 or more, not -1",
	}},
	{"twice", groups("group: 1\n    "+primary, "group: 1\n    "+primary), []string{
		"paytool.yaml:4: groups[1].group: group 1 is also groups[0].group (line 2)",
		"paytool.yaml:5: groups[1].primary.dsn: the same server as groups[0].primary.dsn (line 3)",
	}},
	{"a replica that is the primary", groups("group: 1\n    " + primary + "\n    replicas:\n      - dsn: \"b@tcp(db1)/pay\""), []string{
		"paytool.yaml:5: groups[0].replicas[0].dsn: the same server as groups[0].primary.dsn (line 3)",
	}},
	{"zone", groups("group: 1\n    zone: \"north \"\n    " + primary), []string{
		"paytool.yaml:3: groups[0].zone: want 1 to 64 letters, digits, dots, dashes or underscores",
	}},
	{"all weights 0", groups("group: 1\n    weight: 0\n    " + primary), []string{
		"paytool.yaml:1: groups: every weight is 0: no group would take an order",
	}},
	{"no replicas for semi-sync", "engine: {require_semisync: true}\n" + groups("group: 1\n    "+primary), []string{
		"paytool.yaml:3: groups[0].replicas: none, but engine.require_semisync is true: the group could never take an order",
	}},
	{"missing dsn", groups("group: 1", "group: 2\n    primary:\n      admin_dsn: \"a@tcp(db)/\"\n    replicas:\n      -\n"), []string{
		"paytool.yaml:2: groups[0].primary.dsn: missing: the application account's data source name, user:password@tcp(host:port)/database",
		"paytool.yaml:4: groups[1].primary.dsn: missing: the application account's data source name, user:password@tcp(host:port)/database",
		"paytool.yaml:7: groups[1].replicas[0].dsn: missing: the application account's data source name, user:password@tcp(host:port)/database",
	}},
	{"unreadable dsns", groups("group: 1\n    primary:\n      dsn: \"app:" + password + "@tcp(db:1\"\n      monitor_dsn: " + password + "\n      admin_dsn: \"a:" + password + "@x/y\""), []string{
		"paytool.yaml:4: groups[0].primary.dsn: " + noParse,
		"paytool.yaml:5: groups[0].primary.monitor_dsn: " + noParse,
		"paytool.yaml:6: groups[0].primary.admin_dsn: " + noParse,
	}},
	{"no database", groups("group: 1\n    primary: {dsn: \"app:" + password + "@tcp(db:1)/\"}"), []string{
		"paytool.yaml:3: groups[0].primary.dsn: names no database: end it with /database",
	}},
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range refused {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c, err := Parse("paytool.yaml", []byte(tc.text))
			if err == nil {
				t.Fatalf("Parse accepts it: %+v", c)
			}
			if got, want := err.Error(), strings.Join(tc.want, "\n"); got != want {
				t.Errorf("error\n%s\nwant\n%s", got, want)
			}
			if strings.Contains(err.Error(), password) {
				t.Error("the error repeats a password")
			}
			if _, ok := errors.AsType[*KeyError](err); !ok {
				t.Errorf("%T holds no KeyError", err)
			}
		})
	}
}

// A configuration that a flag has changed is validated again.
func TestValidateAfterAChange(t *testing.T) {
	t.Parallel()
	c := parse(t, "engine:\n  pool: 5\n"+group)
	c.Engine.Pool = 0
	want := "paytool.yaml:2: engine.pool: want at least 1 connection, not 0"
	if err := c.Validate(); err == nil || err.Error() != want {
		t.Errorf("Validate = %v, want %s", err, want)
	}
}
