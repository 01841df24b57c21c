package plan

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/strictyaml"
)

const whole = `title: Hang of one group
environment: production
targets: {rotate: 1, every: week}
hypothesis: {failed: 0, p99_delta: 40ms, longest_gap: 1s, eject: 350ms, dip_percent: 50}
load: {rate: 300, baseline: 30s, after: 20s, shadow: true}
method:
  - {fault: hang, for: 30s}
  - {fault: "latency:d=20ms", at: 40s, for: 10s}
stop: {failed_percent: 5, p99: 2s, others_ejected: 0, replication: true}
ttl: 2m
window: {days: [Tue, Wed], from: "10:00", to: "16:00"}
verify: {settle: 1m}
report: {lang: en}
`

func TestParseWhole(t *testing.T) {
	t.Parallel()
	p, err := Parse("weekly.yaml", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	want := Plan{
		Title: "Hang of one group", Environment: "production", Targets: Targets{Rotate: 1, Every: EveryWeek},
		Hypothesis: Hypothesis{P99Delta: 40 * time.Millisecond, LongestGap: time.Second, Eject: 350 * time.Millisecond, DipPercent: 50},
		Load:       Load{Rate: 300, Baseline: 30 * time.Second, After: 20 * time.Second, Shadow: true},
		Method:     []Step{{Fault: "hang", For: 30 * time.Second}, {Fault: "latency:d=20ms", At: 40 * time.Second, For: 10 * time.Second}},
		Stop:       Stop{FailedPercent: 5, P99: 2 * time.Second, Replication: true},
		TTL:        2 * time.Minute, Window: Window{Days: []string{"Tue", "Wed"}, From: "10:00", To: "16:00"},
		Verify: Verify{Settle: time.Minute}, Report: Report{Lang: "en"},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Error(diff)
	}
	if got := p.FaultFor(); got != 50*time.Second {
		t.Errorf("the faults take %s", got)
	}
	if got := p.LoadFor(); got != 100*time.Second {
		t.Errorf("the load takes %s", got)
	}
	if got := p.FaultText(); got != "hang+latency:d=20ms" {
		t.Errorf("the faults are %q", got)
	}
}

func TestTextReadsBack(t *testing.T) {
	t.Parallel()
	p, err := Parse("p", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.Text()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse("back", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(p, back); diff != "" {
		t.Error(diff)
	}
}

// Flags make the value that a file of the same words makes.
func TestFlagsAndFileAreOne(t *testing.T) {
	t.Parallel()
	file, err := Parse("p", []byte("environment: sandbox\ntargets: {groups: [2]}\nmethod: [{fault: hang, for: 10s}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	flags := Defaults()
	flags.Targets.Groups, flags.Method = []int{2}, []Step{{Fault: "hang", For: 10 * time.Second}}
	if err := flags.Complete(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(file, flags); diff != "" {
		t.Error(diff)
	}
	if flags.TTL != time.Minute {
		t.Errorf("the TTL is %s, want the fault's time and 50s", flags.TTL)
	}
}

const least = "environment: sandbox\ntargets: {groups: [2]}\nmethod: [{fault: hang, for: 10s}]\n"

// refused lists texts and all that is said of them.
var refused = []struct {
	name, text string
	want       []string
}{
	{"empty", "", []string{"p.yaml:1: empty: a plan names at least environment, targets and method; see `paytool drill run --help`"}},
	{"unknown key", least + "loads: {}\nload: {speed: 3}\n", []string{
		"p.yaml:4: loads: unknown key; known here: title, environment, targets, hypothesis, load, method, stop, ttl, window, verify, report",
		"p.yaml:5: load.speed: unknown key; known here: rate, baseline, after, shadow, observe, urls, token_file, merchants",
	}},
	{"no unit", "ttl: 60\n" + least, []string{"p.yaml:1: ttl: want a duration with its unit, such as 250ms"}},
	{"everything at once", "load: {rate: 0}\nwindow: {days: [Tues], from: \"16:00\", to: \"9:00\"}\n", []string{
		"p.yaml:1: environment: missing: name the one environment in which this plan may run, such as sandbox",
		"p.yaml:1: targets: want one of groups, zone and rotate",
		"p.yaml:1: load.rate: want 1 to 100000 orders a second, not 0",
		"p.yaml:1: method: missing: a drill breaks something; list at least one step with fault and for",
		"p.yaml:2: window.days[0]: want Mon, Tue, Wed, Thu, Fri, Sat or Sun",
		"p.yaml:2: window.to: 9:00 is not after 16:00",
	}},
	{"two ways to choose", "environment: sandbox\ntargets:\n  groups: [2, 2, 0]\n  zone: a\n  every: month\nmethod: [{fault: hang, for: 10s}]\n", []string{
		"p.yaml:2: targets: want one of groups, zone and rotate",
		"p.yaml:3: targets.groups[1]: group 2 is named twice",
		"p.yaml:3: targets.groups[2]: want a number from 1, not 0",
		"p.yaml:5: targets.every: want week or quarter",
	}},
	{"steps", "environment: sandbox\ntargets: {groups: [2]}\nttl: 5s\nmethod:\n  - {fault: hang, for: 10s}\n  - {fault: hang, at: 5s, for: 10s}\n  - {fault: hang, at: 15s, for: 1ms}\n  - {fault: hang, at: 20s, for: 1s, promote: true}\n", []string{
		"p.yaml:6: method[1].fault: hang is in place already by method[0]; let it end first",
		"p.yaml:7: method[2].for: want 1s to 1h0m0s, not 1ms",
		"p.yaml:8: method[3].promote: goes with the fault crash: nobody fails over from a primary that is there",
		"p.yaml:3: ttl: 5s is over before the last fault is recovered, 21s after the first injection",
	}},
	{"real orders", "load: {shadow: false}\n" + strings.Replace(least, "sandbox", "production", 1), []string{
		"p.yaml:1: load.shadow: orders that are not shadow orders belong into a sandbox",
	}},
	{"merchants of a load that sends", "load: {merchants: [\"m1\"]}\n" + least, []string{
		"p.yaml:1: load.merchants: are whose own orders are watched, and observe is not set",
	}},
	{"MTTR of nothing", "hypothesis: {mttr: 30s}\n" + least, []string{
		"p.yaml:1: hypothesis.mttr: is measured by a promotion, and no step of the method has promote",
	}},
	{"negative", "hypothesis: {failed: -1, p99_delta: -1ms, dip_percent: 101}\nstop: {failed_percent: 101, p99: 0s, others_ejected: -1}\nverify: {settle: -1s}\nreport: {lang: fr}\n" + least, []string{
		"p.yaml:1: hypothesis.failed: want 0 or more orders, not -1",
		"p.yaml:1: hypothesis.p99_delta: want 0s to 1h0m0s, not -1ms",
		"p.yaml:1: hypothesis.dip_percent: want 0 to 100 percent, not 101",
		"p.yaml:2: stop.failed_percent: want 0 to 100 percent, not 101",
		"p.yaml:2: stop.p99: want 1ms to 1h0m0s, not 0s",
		"p.yaml:2: stop.others_ejected: want 0 or more groups, not -1",
		"p.yaml:3: verify.settle: want 0s to 1h0m0s, not -1s",
		"p.yaml:4: report.lang: want zh or en",
	}},
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range refused {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := Parse("p.yaml", []byte(tc.text))
			if err == nil {
				t.Fatal("taken")
			}
			if diff := cmp.Diff(tc.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestUnknownFaultIsNamedWithItsLine(t *testing.T) {
	t.Parallel()
	_, err := Parse("p.yaml", []byte("environment: sandbox\ntargets: {groups: [2]}\nmethod:\n  - {fault: hangs, for: 10s}\n"))
	if err == nil || !strings.HasPrefix(err.Error(), `p.yaml:4: method[0].fault: fault "hangs" is not known; known are `) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(least))
	for _, tc := range refused {
		f.Add([]byte(tc.text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := Parse("p", text)
		if err != nil {
			if _, ok := errors.AsType[*strictyaml.KeyError](err); !ok {
				t.Fatalf("not a KeyError: %v", err)
			}
			return
		}
		again, err := p.Text()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse("back", again)
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if diff := cmp.Diff(p, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func groups(zones ...string) []Group {
	all := make([]Group, len(zones))
	for i, z := range zones {
		all[len(zones)-1-i] = Group{ID: shard.GroupID(i + 1), Zone: z} // not in order
	}
	return all
}

func day(s string) time.Time {
	d, err := time.ParseInLocation("2006-01-02 15:04", s, pay.Beijing)
	if err != nil {
		panic(err)
	}
	return d
}

func TestChoose(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		targets Targets
		zones   []string
		day     string
		want    []shard.GroupID
		err     string
	}{
		{name: "named", targets: Targets{Groups: []int{3, 1}}, zones: []string{"", "", ""}, want: []shard.GroupID{1, 3}},
		{name: "all named", targets: Targets{Groups: []int{1, 2}}, zones: []string{"", ""}, err: "2 of 2 groups would be broken, and never all are: somebody has to take the payments"},
		{name: "nobody", targets: Targets{Groups: []int{9}}, zones: []string{"", ""}, err: "there is no group 9"},
		{name: "zone", targets: Targets{Zone: "a"}, zones: []string{"a", "b", "a"}, want: []shard.GroupID{1, 3}},
		{name: "zone of all", targets: Targets{Zone: "a"}, zones: []string{"a", "a"}, err: "2 of 2 groups would be broken, and never all are: somebody has to take the payments"},
		{name: "no such zone", targets: Targets{Zone: "c"}, zones: []string{"a", "b"}, err: "no group is in zone \"c\"; see `zone` in the config"},
		{name: "rotate all", targets: Targets{Rotate: 3}, zones: []string{"", ""}, err: "2 of 2 groups would be broken, and never all are: somebody has to take the payments"},
		{name: "the week ends with Sunday", targets: Targets{Rotate: 1}, zones: []string{"", "", ""}, day: "2026-11-22 23:59", want: []shard.GroupID{2}},
		{name: "and begins with Monday", targets: Targets{Rotate: 1}, zones: []string{"", "", ""}, day: "2026-11-23 00:00", want: []shard.GroupID{3}},
		{name: "quarter", targets: Targets{Rotate: 2, Every: EveryQuarter}, zones: []string{"", "", "", "", ""}, day: "2026-09-30 10:00", want: []shard.GroupID{3, 4}},
		{name: "next quarter", targets: Targets{Rotate: 2, Every: EveryQuarter}, zones: []string{"", "", "", "", ""}, day: "2026-10-01 10:00", want: []shard.GroupID{1, 5}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if tc.day == "" {
				tc.day = "2026-11-24 10:00"
			}
			got, err := tc.targets.Choose(groups(tc.zones...), day(tc.day))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if (err == nil) != (tc.err == "") || err != nil && err.Error() != tc.err {
				t.Errorf("err = %v, want %q", err, tc.err)
			}
		})
	}
}

// In as many turns as there are groups, each has been broken once.
func TestRotationIsFair(t *testing.T) {
	t.Parallel()
	for n := 2; n <= 7; n++ {
		met := map[shard.GroupID]int{}
		for week := range n {
			got, err := Targets{Rotate: 1}.Choose(groups(make([]string, n)...), day("2026-12-29 10:00").AddDate(0, 0, 7*week))
			if err != nil {
				t.Fatal(err)
			}
			met[got[0]]++
		}
		if len(met) != n {
			t.Errorf("%d groups, and in as many weeks it was the turn of %v", n, met)
		}
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	office := Window{Days: []string{"Mon", "Tue"}, From: "10:00", To: "16:00"}
	for _, tc := range []struct {
		name   string
		window Window
		now    string
		want   string // of the error
	}{
		{"always", Window{}, "2026-11-22 03:00", ""},
		{"within", office, "2026-11-24 10:00", ""},
		{"too early", office, "2026-11-24 09:59", "it is 09:59 in Beijing, the plan allows 10:00 to 16:00"},
		{"too late", office, "2026-11-24 16:00", "it is 16:00 in Beijing, the plan allows 10:00 to 16:00"},
		{"another day", office, "2026-11-22 12:00", "today is Sun, the plan allows Mon, Tue"},
	} {
		err := tc.window.Open(day(tc.now).UTC())
		if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
			t.Errorf("%s: err = %v, want %q", tc.name, err, tc.want)
		}
	}
}
