package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"paytool/internal/drill/result"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
)

// TestDrillRun runs whole drills on one sandbox: one that holds, what is refused, and
// damage that somebody does meanwhile, which has to be found and named each time.
func TestDrillRun(t *testing.T) {
	b := newBench(t, 3)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, b *bench)
	}{
		{"a drill proves its orders", drillProves},
		{"what must not be is refused", drillRefuses},
		{"a zone fails as a whole", drillZone},
		{"one drill at a time, on what is repaired", drillAlone},
		{"a fault without effect proves nothing", drillWithoutEffect},
		{"a node that cannot be read proves nothing", drillUnread},
		{"through engines that are served", drillServed},
		{"what others send is observed", drillObserves},
		{"a lost order is named", func(t *testing.T, b *bench) { drillFinds(t, b, result.Lost, loseOrder) }},
		{"a replica that lacks one is named", func(t *testing.T, b *bench) { drillFinds(t, b, result.Diverged, loseOnReplica) }},
		{"a doubled order is named", func(t *testing.T, b *bench) { drillFinds(t, b, result.Doubled, doubleOrder) }},
	} {
		if !t.Run(step.name, func(t *testing.T) { b.T = t; step.run(t, b) }) {
			return
		}
	}
}

// short makes a drill as short as it can be.
func short(args ...string) []string {
	return append([]string{"drill", "run", "--baseline", "1s", "--for", "2s", "--rate", "60"}, args...)
}

func drillProves(t *testing.T, b *bench) {
	page := filepath.Join(t.TempDir(), "drill.html")
	var r result.Summary
	status := b.json(&r, short("--groups", "2", "--fault", "read_only", "--html", page)...)
	v := r.Verify
	if status != r.Exit || r.Exit != 0 && r.Exit != exitDeviated || !v.OK || v.Acked == 0 || v.Found != v.Acked || r.During.Hops == 0 || !r.Restore.OK {
		t.Errorf("exit %d: %+v\n%s", status, r, b.stderr)
	}
	if text, err := os.ReadFile(page); err != nil || !bytes.Contains(text, []byte(r.ID)) {
		t.Errorf("the page: %v", err)
	}
	if status, out, _ := b.paytool("drill", "list"); status != exitDone || !strings.Contains(out, r.ID) {
		t.Errorf("the history lacks %s:\n%s", r.ID, out)
	}
	b.sound()
}

// drillZone puts groups 2 and 3 into a zone of the config.
func drillZone(t *testing.T, b *bench) {
	text, err := os.ReadFile(b.config)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text []byte) {
		if err := os.WriteFile(b.config, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer write(text)
	zones := func(of ...string) {
		changed := string(text)
		for i, zone := range of {
			head := fmt.Sprintf("group: %d\n", i+1)
			at := strings.Index(changed, head)
			if at < 0 {
				t.Fatalf("the config has no %q:\n%s", head, changed)
			}
			indent := changed[strings.LastIndex(changed[:at], "\n")+1 : at]
			changed = changed[:at] + head + strings.Repeat(" ", len(indent)) + "zone: " + zone + "\n" + changed[at+len(head):]
		}
		write([]byte(changed))
	}
	zones("east", "west", "west")
	var r result.Summary
	status := b.json(&r, short("--zone", "west", "--fault", "read_only")...)
	if status != r.Exit || r.Exit != 0 && r.Exit != exitDeviated || !slices.Equal(r.Groups, []shard.GroupID{2, 3}) || !r.Verify.OK || r.During.Hops == 0 {
		t.Errorf("exit %d: %+v\n%s", status, r, b.stderr)
	}
	plan := filepath.Join(t.TempDir(), "plan.yaml")
	if err := os.WriteFile(plan, []byte("title: t\nenvironment: sandbox\ntargets: {zone: west}\nmethod: [{fault: read_only, for: 5s}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, out, _ := b.paytool("drill", "run", "--plan", plan, "--dry-run"); status != exitDone || !strings.Contains(out, "today: groups [2 3]") {
		t.Errorf("a plan with a zone: exit %d\n%s", status, out)
	}
	if status, _, said := b.paytool("drill", "run", "--zone", "north", "--fault", "read_only"); status != exitRefused || !strings.Contains(said, "no group is in zone") {
		t.Errorf("a zone that there is not: exit %d, %q", status, said)
	}
	zones("west", "west", "west")
	if status, _, said := b.paytool("drill", "run", "--plan", plan); status != exitRefused || !strings.Contains(said, "never all") {
		t.Errorf("a zone that is everything: exit %d, %q", status, said)
	}
}

// drillAlone: while another drill runs, or has left its fault behind, or drills are held
// back, none begins.
func drillAlone(t *testing.T, b *bench) {
	refused := func(why string) {
		t.Helper()
		if status, _, said := b.paytool(short("--groups", "1", "--fault", "read_only")...); status != exitRefused || !strings.Contains(said, why) {
			t.Errorf("exit %d, %q; want %d and %q", status, said, exitRefused, why)
		}
	}
	tool := b.injecting("--group", "2", "--fault", "read_only")
	refused("another drill runs")
	tool.signal(syscall.SIGTERM)
	tool.wait()
	b.leave("--group", "2", "--fault", "read_only")
	refused("is not repaired")
	if status, _, said := b.paytool("drill", "recover"); status != exitDone {
		t.Errorf("recover: exit %d, %q", status, said)
	}
	if status, _, _ := b.paytool("drill", "stop", "--all", "--reason", "incident 4712"); status != exitDone {
		t.Errorf("stop: exit %d", status)
	}
	refused("incident 4712")
	if status, _, _ := b.paytool("drill", "stop", "--release"); status != exitDone {
		t.Errorf("release: exit %d", status)
	}
	b.sound()
}

// drillWithoutEffect asks for a fault that strikes one request in a thousand million.
func drillWithoutEffect(t *testing.T, b *bench) {
	var r result.Summary
	status := b.json(&r, short("--groups", "2", "--fault", "reply_lost:p=0.000000001")...)
	_, shown, _ := b.paytool("drill", "show", r.ID)
	if status != exitInconclusive || r.Verdict != result.Inconclusive || !r.Restore.OK || !r.Verify.OK || !strings.Contains(shown, "the fault had no effect: reply_lost") {
		t.Errorf("exit %d: %+v\n%s\n%s", status, r, shown, b.stderr)
	}
	b.sound()
}

// drillUnread freezes a replica once the fault is gone: what it has cannot be looked at.
func drillUnread(t *testing.T, b *bench) {
	var out bytes.Buffer
	frozen := b.nodes(1, sandbox.RoleReplica)[0]
	watched := &onLine{words: "gone: ", then: func() {
		if err := frozen.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
	}}
	status := run(context.Background(), append(short("--groups", "2", "--fault", "read_only"), "-o", "json", "--config", b.config), strings.NewReader(""), &out, watched)
	if err := frozen.Signal(syscall.SIGCONT); err != nil {
		t.Error(err)
	}
	var r result.Summary
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || status != exitInconclusive || r.Verdict != result.Inconclusive || r.Verify.Unread != 1 || r.Verify.Lost > 0 {
		t.Errorf("exit %d, %v: %+v\n%s", status, err, r, &watched.all)
	}
	b.sound()
}

// drillServed sends the orders to two instances and takes their word for who is
// ejected, and the hop ledgers' for who went past whom.
func drillServed(t *testing.T, b *bench) {
	one, two := b.serve(t), b.serve(t)
	var r result.Summary
	status := b.json(&r, short("--groups", "2", "--fault", "read_only", "--url", one.url, "--url", two.url)...)
	v := r.Verify
	if status != r.Exit || r.Exit != 0 && r.Exit != exitDeviated || !v.OK || v.Acked == 0 || v.Found != v.Acked || r.During.Hops == 0 || r.TimeToEjectMs == nil {
		t.Errorf("exit %d: %+v\n%s", status, r, b.stderr)
	}
	b.sound()
	if status, _, said := b.paytool("drill", "run", "--groups", "2", "--fault", "read_only", "--baseline", "1s", "--url", one.url, "--observe"); status != exitRefused || !strings.Contains(said, "nothing to observe") {
		t.Errorf("nobody sends anything: exit %d, %q", status, said)
	}
	two.end(t)
	if status, _, said := b.paytool("drill", "run", "--groups", "2", "--fault", "read_only", "--url", one.url, "--url", two.url); status != exitRefused || !strings.Contains(said, "connection refused") {
		t.Errorf("an instance is not there: exit %d, %q", status, said)
	}
	other := startInstance(t, "--dir", filepath.Join(t.TempDir(), "shop"), "--listen", "127.0.0.1:0", "--drain", "0s")
	if status, _, said := b.paytool("drill", "run", "--groups", "2", "--fault", "read_only", "--url", other.url); status != exitRefused {
		t.Errorf("the engine of another shop: exit %d, %q", status, said)
	}
	other.end(t)
	one.end(t)
	b.sound()
}

// drillObserves watches a load of somebody else. Nobody kept a ledger: it never passes,
// and damage is found all the same.
func drillObserves(t *testing.T, b *bench) {
	engine := b.serve(t)
	ctx, enough := context.WithCancel(t.Context())
	var sending sync.WaitGroup
	sending.Go(func() {
		run(ctx, []string{"load", "--url", engine.url, "--rate", "60", "--for", "1m"}, strings.NewReader(""), io.Discard, io.Discard)
	})
	observe := short("--groups", "2", "--fault", "read_only", "--url", engine.url, "--observe")
	var r result.Summary
	status := b.json(&r, observe...)
	if v := r.Verify; status != exitInconclusive || r.Verdict != result.Inconclusive || !v.OK || v.Found == 0 || v.Acked != 0 || r.During.Acked == 0 || r.During.Hops == 0 || r.During.Failed > 0 {
		t.Errorf("exit %d: %+v\n%s", status, r, b.stderr)
	}
	drillFindsIn(t, b, result.Doubled, doubleOrder, observe)
	enough()
	sending.Wait()
	engine.end(t)
	b.sound()
}

func drillRefuses(t *testing.T, b *bench) {
	foreign := filepath.Join(t.TempDir(), "plan.yaml")
	text := "title: t\nenvironment: production\ntargets: {groups: [1]}\nmethod: [{fault: hang, for: 5s}]\n"
	if err := os.WriteFile(foreign, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"all":               {"--groups", "1,2,3", "--fault", "hang"},
		"loop mount":        {"--groups", "1", "--fault", "disk_full"},
		"do not go through": {"--groups", "1", "--fault", "lost_commit", "--url", "http://127.0.0.1:1"},
		`"production"`:      {"--plan", foreign},
		"hang+latency:d=":   {"--plan", overlapping(t)},
	} {
		status, _, said := b.paytool(append([]string{"drill", "run"}, args...)...)
		if status != exitRefused || !strings.Contains(said, want) {
			t.Errorf("%v: exit %d, %q; want %d and %q", args, status, said, exitRefused, want)
		}
	}
	if status, out, _ := b.paytool("drill", "run", "--groups", "2", "--fault", "hang", "--dry-run"); status != exitDone || !strings.Contains(out, "today: groups [2]") {
		t.Errorf("dry run: exit %d\n%s", status, out)
	}
	if status, _, said := b.paytool("drill", "run", "--groups", "2", "--fault", "hnag"); status != exitUsage || !strings.Contains(said, "hnag") {
		t.Errorf("exit %d, %q", status, said)
	}
	b.sound()
}

func overlapping(t *testing.T) string {
	path := filepath.Join(t.TempDir(), "plan.yaml")
	text := "title: t\nenvironment: sandbox\ntargets: {groups: [1]}\nmethod: [{fault: hang, for: 5s}, {fault: \"latency:d=50ms\", at: 2s, for: 5s}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// onLine calls then once, when a line of what is written holds the words.
type onLine struct {
	words string
	then  func()
	once  sync.Once
	mu    sync.Mutex
	all   bytes.Buffer
}

func (w *onLine) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.all.Write(p)
	found := strings.Contains(w.all.String(), w.words)
	w.mu.Unlock()
	if found {
		w.once.Do(w.then)
	}
	return len(p), nil
}

// drillFinds does damage once the fault is gone and the load goes on.
func drillFinds(t *testing.T, b *bench, want result.Code, damage func(b *bench)) {
	drillFindsIn(t, b, want, damage, short("--groups", "2", "--fault", "read_only"))
}

func drillFindsIn(t *testing.T, b *bench, want result.Code, damage func(b *bench), args []string) {
	var out bytes.Buffer
	watched := &onLine{words: "gone: ", then: func() { damage(b) }}
	status := run(context.Background(), append(args, "-o", "json", "--config", b.config), strings.NewReader(""), &out, watched)
	var r result.Summary
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("exit %d, %v\n%s", status, err, &watched.all)
	}
	counts := map[result.Code]int{result.Lost: r.Verify.Lost, result.Diverged: r.Verify.Diverged, result.Doubled: r.Verify.Doubled}
	if status != exitBroken || r.Verdict != result.Broken || counts[want] != 1 || len(r.Verify.Problems) == 0 {
		t.Errorf("exit %d, %s: %+v\n%s", status, r.Verdict, r.Verify, &watched.all)
	}
	b.sound()
}

// newest is the newest order of the load in a group.
const newest = "merchant_order_no LIKE 'load-%' ORDER BY created_ms DESC LIMIT 1"

func loseOrder(b *bench) {
	b.sql(b.nodes(1, sandbox.RolePrimary), "DELETE FROM pay.orders WHERE "+newest)
}

// loseOnReplica leaves the binary log alone: the replica goes on replicating.
func loseOnReplica(b *bench) {
	b.quietly(b.nodes(1, sandbox.RoleReplica)[0], "DELETE FROM pay.orders WHERE "+newest)
}

// doubleOrder writes an order of group 1 into group 3 once more, under a number of
// that group.
func doubleOrder(b *bench) {
	from, err := b.nodes(1, sandbox.RolePrimary)[0].Admin()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	rows, err := from.QueryContext(b.Context(), "SELECT * FROM pay.orders WHERE "+newest)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil || !rows.Next() {
		b.Fatalf("no order to double: %v", errors.Join(err, rows.Err()))
	}
	values, places := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		places[i] = &values[i]
	}
	if err := rows.Scan(places...); err != nil {
		b.Fatal(err)
	}
	for i, name := range columns {
		switch text := asText(values[i]); name {
		case "order_no":
			values[i] = text[:len(text)-1] + "3"
		case "tag":
			values[i] = 3
		}
	}
	to, err := b.nodes(3, sandbox.RolePrimary)[0].Admin()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	insert := "INSERT INTO pay.orders (" + strings.Join(columns, ",") + ") VALUES (?" + strings.Repeat(",?", len(columns)-1) + ")"
	if _, err := to.ExecContext(b.Context(), insert, values...); err != nil {
		b.Fatal(err)
	}
}

func asText(v any) string {
	text, _ := v.([]byte)
	return string(text)
}

// quietly runs a statement on one node that its binary log does not have.
func (b *bench) quietly(n sandbox.Node, statement string) {
	b.Helper()
	db, err := n.Admin()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var conn *sql.Conn
	if conn, err = db.Conn(b.Context()); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, s := range []string{"SET SESSION sql_log_bin=0", statement} {
		if _, err := conn.ExecContext(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}
