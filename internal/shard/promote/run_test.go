package promote

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// fake is a group that does what it is told.
type fake struct {
	nodes []Node
	did   []string
	fail  StepKind
	// applied is what happens while replicas apply.
	applied func(nodes []Node)
}

var errNo = errors.New("no")

func (f *fake) Look(context.Context) []Node { return slices.Clone(f.nodes) }

func (f *fake) Do(_ context.Context, s Step) error {
	if s.Kind == f.fail {
		return errNo
	}
	f.did = append(f.did, string(s.Kind)+" "+s.Node)
	if s.Kind == Apply && f.applied != nil {
		f.applied(f.nodes)
	}
	return nil
}

func silent(Step) {}

// TestRunTakesWhoHasTheMost: only once all is applied positions mean something.
func TestRunTakesWhoHasTheMost(t *testing.T) {
	t.Parallel()
	f := &fake{nodes: primaryDead()}
	f.nodes[2].GTID, f.nodes[2].Applied = "2-20-50", false
	f.applied = func(n []Node) { n[2].GTID, n[2].Applied = "2-20-60", true }
	p, err := Run(t.Context(), f, Wish{Group: 2, Promote: true}, silent)
	want := "halt r:1, halt r:2, apply r:1, apply r:2, detach r:2, follow r:1, record r:2, open r:2"
	if got := strings.Join(f.did, ", "); err != nil || p.Primary != "r:2" || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
}

// TestRunGoesBack: a refusal after the replicas were halted lets them go on.
func TestRunGoesBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		f    *fake
		want string
	}{
		{"it lacks orders once all is applied", &fake{nodes: primaryDead(), applied: func(n []Node) { n[2].GTID = "2-20-60" }},
			"halt r:1, halt r:2, apply r:1, apply r:2, resume r:2, resume r:1"},
		{"one does not apply", &fake{nodes: primaryDead(), fail: Apply}, "halt r:1, halt r:2, resume r:2, resume r:1"},
		{"a refusal at once", &fake{nodes: group()}, ""},
	} {
		_, err := Run(t.Context(), c.f, promoteNamed("r:1"), silent)
		if got := strings.Join(c.f.did, ", "); err == nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.name, got, err, c.want)
		}
	}
}

// TestRunStops: what comes after a step that failed is not done.
func TestRunStops(t *testing.T) {
	t.Parallel()
	f := &fake{nodes: primaryDead(), fail: Record}
	_, err := Run(t.Context(), f, promoteNamed("r:1"), silent)
	if !errors.Is(err, errNo) || !strings.Contains(err.Error(), "record on r:1") || !strings.Contains(err.Error(), "run the same command again") {
		t.Errorf("%v", err)
	}
	if last := f.did[len(f.did)-1]; last != "follow r:2" {
		t.Errorf("the last step was %s", last)
	}
}
