package history

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/drill/result"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

func drilled(id string, day int, verdict result.Verdict, groups ...shard.GroupID) result.Result {
	r := result.Result{Format: result.Format}
	r.ID, r.Verdict, r.Exit, r.Fault, r.Groups = id, verdict, verdict.Exit(), "hang", groups
	r.Started = time.Date(2026, 11, day, 10, 0, 0, 0, pay.Beijing)
	r.Ended = r.Started.Add(time.Minute)
	return r
}

func saved(t *testing.T, results ...result.Result) Folder {
	t.Helper()
	f := In(filepath.Join(t.TempDir(), "drills"))
	for _, r := range results {
		if err := f.Save(r); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestSaveLoadList(t *testing.T) {
	t.Parallel()
	a, b := drilled("a", 10, result.Held, 2), drilled("b", 17, result.Broken, 3)
	f := saved(t, a, b)
	got, err := f.Load("b")
	if err != nil {
		t.Fatal(err)
	}
	if got.Verdict != result.Broken || !got.Started.Equal(b.Started) {
		t.Errorf("read back %+v", got.Summary)
	}
	entries, unreadable, err := f.List()
	if err != nil || len(unreadable) > 0 {
		t.Fatal(err, unreadable)
	}
	if len(entries) != 2 || entries[0].ID != "b" || entries[1].ID != "a" {
		t.Errorf("listed %+v", entries)
	}
	b.Report = "b.html"
	if err := f.Save(b); err != nil {
		t.Fatal(err)
	}
	if got, err := f.Load("b"); err != nil || got.Report != "b.html" {
		t.Errorf("saved again, and read %q, %v", got.Report, err)
	}
}

func TestListPassesOverOtherFiles(t *testing.T) {
	t.Parallel()
	f := saved(t, drilled("a", 10, result.Held, 2))
	for name, text := range map[string]string{
		"lock": "", "a.journal": "{}", ".b.json.123": "{}", "torn.json": `{"drill_result":1,`, "other.json": `{"x":1}`, "copy.json": `{"drill_result":1,"drill_id":"a"}`,
	} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, unreadable, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 {
		t.Errorf("listed %+v", entries)
	}
	if diff := cmp.Diff([]string{"copy.json", "other.json", "torn.json"}, unreadable); diff != "" {
		t.Error(diff)
	}
}

func TestNoFolderHasNoDrills(t *testing.T) {
	t.Parallel()
	entries, unreadable, err := In(filepath.Join(t.TempDir(), "none")).List()
	if err != nil || entries == nil || len(entries)+len(unreadable) != 0 {
		t.Errorf("%v, %v, %v", entries, unreadable, err)
	}
}

func TestForeignIDs(t *testing.T) {
	t.Parallel()
	f := saved(t)
	for _, id := range []string{"", "..", "../x", "a/b", ".hidden", "a b", "a\x00", strings.Repeat("a", 81)} {
		if err := f.Save(drilled(id, 1, result.Held)); !errors.Is(err, ErrNotFound) {
			t.Errorf("saved %q: %v", id, err)
		}
		if _, err := f.Load(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("loaded %q: %v", id, err)
		}
	}
	if _, err := f.Load("unknown"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
}

func TestNewerFormatIsRefused(t *testing.T) {
	t.Parallel()
	r := drilled("a", 10, result.Held)
	r.Format = 2
	f := saved(t, r)
	if _, err := f.Load("a"); err == nil || !strings.Contains(err.Error(), "is a result of version 2, this paytool reads version 1") {
		t.Error(err)
	}
}

func TestBefore(t *testing.T) {
	t.Parallel()
	other := drilled("crash", 16, result.Held, 2)
	other.Fault = "crash"
	f := saved(t, drilled("a", 3, result.Held, 2), drilled("b", 10, result.Held, 3), other, drilled("no", 15, result.Refused, 2), drilled("c", 17, result.Held, 2))
	entries, _, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := Before(entries, drilled("c", 17, result.Held, 2)); !ok || id != "b" {
		t.Errorf("before c came %q", id)
	}
	if id, ok := Before(entries, drilled("a", 3, result.Held, 2)); ok {
		t.Errorf("before a came %q", id)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	before, after := drilled("a", 3, result.Held, 2), drilled("b", 10, result.Deviated, 2)
	before.During.P99Ms, after.During.P99Ms = 250, 276 // more than a tenth
	before.Restore.Ms, after.Restore.Ms = 100, 119     // within the noise
	before.Checks = []result.Check{{Code: result.CheckEject, Unit: "ms", Got: new(300.0)}, {Code: result.CheckMTTR, Unit: "ms"}}
	after.Checks = []result.Check{{Code: result.CheckEject, Unit: "ms"}, {Code: result.CheckMTTR, Unit: "ms", Got: new(9000.0)}}
	d := Compare(before, after)
	var got []string
	for _, l := range d.Lines {
		if l.Worse {
			got = append(got, l.What)
		}
	}
	if diff := cmp.Diff([]string{"eject", "p99"}, got); diff != "" || d.Worse != 2 {
		t.Errorf("%s%d worse", diff, d.Worse)
	}
	if d := Compare(before, before); d.Worse != 0 {
		t.Errorf("a drill is worse than itself: %+v", d.Lines)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	promoted := drilled("p", 9, result.Held, 2)
	promoted.MTTRMs = new(8500.0)
	last := drilled("c", 24, result.Broken, 2)
	last.LongestGapMs, last.During.P99Ms = 1250, 40
	f := saved(t, drilled("a", 3, result.Held, 3), promoted, last)
	entries, _, err := f.List()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := WriteMetrics(&b, entries); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"paytool_drill_kept 3",
		"paytool_drill_last_start_timestamp_seconds 1795485600",
		"paytool_drill_last_end_timestamp_seconds 1795485660",
		"paytool_drill_last_exit_status 6",
		"paytool_drill_last_longest_gap_seconds 1.25",
		"paytool_drill_last_p99_seconds 0.04",
		"paytool_drill_mttr_seconds 8.5",
		"paytool_drill_last_good_timestamp_seconds 1794189660",
		`paytool_drill_group_last_good_timestamp_seconds{group="2"} 1794189660`,
		`paytool_drill_group_last_good_timestamp_seconds{group="3"} 1793671260`,
	}
	var got []string
	for line := range strings.Lines(b.String()) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.Reset()
	if err := WriteMetrics(&b, nil); err != nil || !strings.Contains(b.String(), "paytool_drill_kept 0\n") {
		t.Errorf("of no drill: %q, %v", b.String(), err)
	}
}
