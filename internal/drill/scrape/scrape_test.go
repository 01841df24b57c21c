package scrape

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/api/limit"
	"paytool/internal/metrics"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"

	"net/http/httptest"
)

// instances are engines whose figures a test makes.
type instances map[string]string

func (i instances) Instances() []string { return []string{"a", "b"} }

func (i instances) Metrics(_ context.Context, instance string) ([]byte, error) {
	if text, ok := i[instance]; ok {
		return []byte(text), nil
	}
	return nil, errors.New("connection refused")
}

func look(t *testing.T, e *Engines) Seen {
	t.Helper()
	seen, err := e.Look(t.Context(), time.Unix(1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

// TestRealFigures reads what an engine writes: a figure that is renamed there is missed
// here.
func TestRealFigures(t *testing.T) {
	t.Parallel()
	m := metrics.New()
	out := false
	m.Observe(metrics.Live{
		Groups: func() []shard.Status {
			two := shard.Status{Group: shard.Group{ID: 2}}
			if out {
				two.Ejection = &shard.Ejection{Cause: shard.Hang}
			}
			return []shard.Status{{Group: shard.Group{ID: 1}}, two}
		},
		Epoch: func() int64 { return 1 }, Gate: func() limit.GateStatus { return limit.GateStatus{} }, Counts: func() map[string]int64 { return nil },
	})
	text := func() string {
		r := httptest.NewRecorder()
		m.Handler().ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
		return r.Body.String()
	}
	e := Watch(instances{"a": text(), "b": text()})
	if seen := look(t, e); seen.Events != nil || len(seen.Acked) > 0 || len(e.Fleet()) != 2 {
		t.Errorf("at the first look: %+v, fleet %v", seen, e.Fleet())
	}
	no, err := pay.NewOrderNo(time.Unix(0, 0), 1, 1, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	m.Created(order.Order{Group: 1}, order.Request{Shadow: true}, nil, 30*time.Millisecond)
	m.Created(order.Order{Group: 1}, order.Request{}, nil, 3*time.Millisecond)
	m.Created(order.Order{}, order.Request{}, &order.Error{Code: order.CodeNoGroup, Outcome: order.NotCommitted}, 20*time.Second)
	m.Created(order.Order{}, order.Request{}, &order.Error{Code: order.CodeUnknownOutcome, Outcome: order.Unknown}, 30*time.Millisecond)
	m.Created(order.Order{}, order.Request{}, &order.Error{Code: order.CodeAmountMismatch, Outcome: order.NotCommitted}, 30*time.Millisecond)
	m.Hopped(order.Hop{OrderNo: no, Above: 2, Reason: "unknown"})
	m.Rejected(limit.Create, limit.QueueFull, time.Millisecond)
	m.Rejected(limit.Read, limit.QueueFull, time.Millisecond)
	m.Heard(shard.Event{Group: 2, Ejected: true, Cause: shard.Hang})
	out = true
	e.source = instances{"a": text(), "b": text()}
	want := Seen{
		At: time.Unix(1, 0), Events: []shard.Event{{Group: 2, Ejected: true, Cause: shard.Hang}},
		Acked: map[shard.GroupID]int{1: 4}, Failed: 2, Unknown: 2, Rejected: 2, Hops: []Hops{{From: 2, To: 3, N: 2}},
		Waits: []Waits{{2 * time.Millisecond, 5 * time.Millisecond, 2}, {20 * time.Millisecond, 40 * time.Millisecond, 6}, {10 * time.Second, 20 * time.Second, 2}},
	}
	if diff := cmp.Diff(want, look(t, e)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if f := e.Fleet(); f[0].Ejection != nil || f[1].Ejection == nil || f[1].Ejection.Cause != shard.Hang {
		t.Errorf("fleet %+v", f)
	}
}

func page(group2 int, acked int) string {
	return fmt.Sprintf("# HELP x y\npaytool_group_admitted{group=\"1\"} 1\npaytool_group_admitted{group=\"2\"} %d\n"+
		"paytool_ejections_total{cause=\"read_only\",group=\"2\"} %d\npaytool_orders_total{group=\"1\",outcome=\"acked\",shadow=\"true\"} %d 1700000000\ngo_threads 9\n", group2, 1-group2, acked)
}

// A group is out once every instance has ejected it, and back once all send orders there
// again; in between it is hurt all the same.
func TestSeveralInstancesAreOneView(t *testing.T) {
	t.Parallel()
	e := Watch(instances{"a": page(1, 0), "b": page(1, 0)})
	look(t, e)
	for i, step := range []struct {
		a, b   int
		events []shard.Event
		hurt   bool
	}{
		{0, 1, nil, true},
		{0, 0, []shard.Event{{Group: 2, Ejected: true, Cause: shard.ReadOnly}}, true},
		{1, 0, nil, true},
		{0, 0, nil, true},
		{1, 0, nil, true},
		{1, 1, []shard.Event{{Group: 2}}, false},
	} {
		e.source = instances{"a": page(step.a, 0), "b": page(step.b, 0)}
		seen := look(t, e)
		if diff := cmp.Diff(step.events, seen.Events); diff != "" || (e.Fleet()[1].Ejection != nil) != step.hurt {
			t.Errorf("step %d: fleet %+v, events (-want +got):\n%s", i, e.Fleet(), diff)
		}
	}
}

// An instance that does not answer is named, and what it counted meanwhile is not lost;
// one that was restarted counts from zero.
func TestSilentAndRestartedInstances(t *testing.T) {
	t.Parallel()
	e := Watch(instances{"a": page(1, 10), "b": page(1, 100)})
	look(t, e)
	e.source = instances{"a": page(1, 11)}
	seen, err := e.Look(t.Context(), time.Unix(2, 0))
	if err == nil || !strings.Contains(err.Error(), "of b: connection refused") || seen.Acked[1] != 1 || len(e.Fleet()) != 2 {
		t.Errorf("%v, %+v", err, seen)
	}
	e.source = instances{"a": page(1, 11), "b": page(1, 105)}
	if seen := look(t, e); seen.Acked[1] != 5 {
		t.Errorf("after it answers again: %+v", seen)
	}
	e.source = instances{"a": page(1, 3), "b": page(1, 105)}
	if seen := look(t, e); seen.Acked[1] != 3 {
		t.Errorf("after a restart: %+v", seen)
	}
}

func TestWhatIsNoEngine(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "<html>", "go_threads 9\n", "paytool_group_admitted{group=2} 1\n", "paytool_group_admitted{group=\"2\"} x\n", "paytool_group_admitted{group=\"2\"\n"} {
		e := Watch(instances{"a": text, "b": page(1, 0)})
		if _, err := e.Look(t.Context(), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "the figures of a:") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
