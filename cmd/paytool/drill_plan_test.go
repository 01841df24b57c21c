package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/drill/plan"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// readPlan is what `drill run` makes of its arguments.
func readPlan(args ...string) (plan.Plan, error) {
	var f drillPlanFlags
	cmd := &cobra.Command{Use: "run"}
	f.add(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return plan.Plan{}, err
	}
	return f.read(cmd.Flags())
}

func TestPlanFlags(t *testing.T) {
	t.Parallel()
	got, err := readPlan("--groups", "2,3", "--fault", "hang+latency:d=20ms", "--for", "20s", "--rate", "300", "--baseline", "10s", "--ttl", "2m", "--lang", "en")
	if err != nil {
		t.Fatal(err)
	}
	want := plan.Defaults()
	want.Title = "hang+latency:d=20ms"
	want.Targets.Groups, want.Method = []int{2, 3}, []plan.Step{{Fault: "hang+latency:d=20ms", For: 20 * time.Second}}
	want.Load.Rate, want.Load.Baseline, want.TTL, want.Report.Lang = 300, 10*time.Second, 2*time.Minute, "en"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPlanFile(t *testing.T) {
	t.Parallel()
	p, err := readPlan("--plan", "../../docs/drills/weekly.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if p.Environment != "production" || p.Targets.Rotate != 1 {
		t.Errorf("read %+v", p)
	}
}

func TestPlanFlagsRefused(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{nil, "targets: want one of groups, zone and rotate\nmethod[0].fault: no fault is named"},
		{[]string{"--groups", "2", "--fault", "hung"}, `fault "hung" is not known`},
		{[]string{"--groups", "2", "--fault", "hang", "--ttl", "5s"}, "ttl: 5s is over before the last fault is recovered"},
		{[]string{"--groups", "2", "--fault", "hang", "--promote"}, "method[0].promote: goes with the fault crash"},
		{[]string{"--plan", "../../docs/drills/weekly.yaml", "--rate", "5", "--for", "3s"}, "--plan says it all: leave out --for, --rate"},
		{[]string{"--plan", "none.yaml"}, "read drill plan: open none.yaml"},
	} {
		_, err := readPlan(tc.args...)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: %v, want %q", tc.args, err, tc.want)
		}
	}
}

func TestChooseTargets(t *testing.T) {
	t.Parallel()
	cfg := &config.Config{Groups: []config.Group{{Group: 1, Zone: "a"}, {Group: 2, Zone: "b"}, {Group: 3, Zone: "b"}}}
	p := plan.Defaults()
	p.Targets.Zone, p.Window = "b", plan.Window{From: "10:00", To: "16:00"}
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, pay.Beijing)
	got, err := chooseTargets(&p, cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]shard.GroupID{2, 3}, got); diff != "" {
		t.Error(diff)
	}
	if _, err := chooseTargets(&p, cfg, noon.Add(6*time.Hour)); err == nil || !strings.HasPrefix(err.Error(), "outside the window of the plan: ") {
		t.Errorf("at six in the evening: %v", err)
	}
}
