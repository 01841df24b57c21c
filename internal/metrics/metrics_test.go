package metrics_test

import (
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paytool/internal/api/limit"
	"paytool/internal/metrics"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// scrape reads the figures as Prometheus does.
func scrape(t *testing.T, m *metrics.Metrics) (lines []string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, text)
	}
	return strings.Split(string(text), "\n")
}

// want demands lines, and refuses those that begin with a dash.
func want(t *testing.T, lines []string, wanted ...string) {
	t.Helper()
	for _, line := range wanted {
		absent, not := strings.CutPrefix(line, "-")
		if not {
			line = absent
		}
		if slices.Contains(lines, line) == not {
			t.Errorf("%q: there is %v", line, !not)
		}
	}
}

// busy is a shop after a few orders and troubles.
func busy() *metrics.Metrics {
	m := metrics.New()
	m.About(metrics.Info{Version: "v1", GoVersion: "go1", ConfigHash: "abc"})
	m.Observe(metrics.Live{
		Groups: func() []shard.Status {
			return []shard.Status{{Group: shard.Group{ID: 1}, InFlight: 3}, {Group: shard.Group{ID: 2}, Ejection: &shard.Ejection{Cause: shard.Hang}}}
		},
		Epoch:  func() int64 { return 7 },
		Gate:   limit.NewGate(limit.GateOptions{}).Status,
		Counts: func() map[string]int64 { return map[string]int64{"answer_success": 5} },
	})
	real := order.Request{Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "A-secret"}, Amount: 1}
	shadow := order.Request{Key: pay.Key{MerchantID: pay.ShadowMerchant}, Shadow: true}
	m.Created(order.Order{Group: 2, Amount: 1250}, real, nil, 3*time.Millisecond)
	m.Created(order.Order{Group: 2}, shadow, nil, 3*time.Millisecond)
	for code, outcome := range map[string]order.Outcome{order.CodeNoGroup: order.NotCommitted, order.CodeUnknownOutcome: order.Unknown, order.CodeAmountMismatch: order.NotCommitted} {
		m.Created(order.Order{}, real, &order.Error{Code: code, Outcome: outcome}, 90*time.Millisecond)
	}
	m.Created(order.Order{}, real, errors.New("a foreign one"), time.Second)
	m.Answered("POST", "/v1/orders", 200, "", 3*time.Millisecond)
	m.Answered("POST", "/v1/orders", 409, order.CodeAmountMismatch, 3*time.Millisecond)
	m.Rejected(limit.Read, limit.QueueFull, 3*time.Millisecond)
	m.Heard(shard.Event{Group: 1, Cause: shard.Starting}) // joined: no readmission
	m.Heard(shard.Event{Group: 2, Ejected: true, Cause: shard.Hang})
	m.Heard(shard.Event{Group: 2, Cause: shard.Hang})
	no, err := pay.ParseOrderNo("2016091212154323221993")
	if err != nil {
		panic(err)
	}
	m.Hopped(order.Hop{OrderNo: no, Above: 2, Reason: "hang"})
	return m
}

func TestFigures(t *testing.T) {
	t.Parallel()
	want(t, scrape(t, busy()),
		`paytool_build_info{config_hash="abc",go_version="go1",version="v1"} 1`,
		`paytool_orders_total{group="2",outcome="acked",shadow="false"} 1`,
		`paytool_orders_total{group="2",outcome="acked",shadow="true"} 1`,
		`paytool_orders_total{group="none",outcome="failed",shadow="false"} 1`,
		`paytool_orders_total{group="none",outcome="refused",shadow="false"} 1`,
		`paytool_orders_total{group="none",outcome="unknown",shadow="false"} 2`,
		`paytool_create_seconds_bucket{le="0.005"} 2`,
		`paytool_create_seconds_bucket{le="0.1"} 5`,
		`paytool_requests_total{method="POST",route="/v1/orders",status="200"} 1`,
		`paytool_errors_total{code="amount_mismatch",route="/v1/orders"} 1`,
		`paytool_order_amount_fen_bucket{le="1000"} 0`, `paytool_order_amount_fen_bucket{le="10000"} 1`, `paytool_order_amount_fen_count 1`,
		`paytool_rejections_total{class="read",reason="queue_full"} 1`, `paytool_rejection_seconds_bucket{le="0.002"} 0`, `paytool_rejection_seconds_bucket{le="0.005"} 1`,
		`paytool_ejections_total{cause="hang",group="2"} 1`,
		`paytool_readmissions_total{group="2"} 1`, `-paytool_readmissions_total{group="1"} 1`,
		`paytool_hops_total{from="2",reason="hang",to="3"} 1`,
		`paytool_group_admitted{group="1"} 1`, `paytool_group_admitted{group="2"} 0`, `paytool_in_flight{group="1"} 3`,
		`paytool_topology_epoch 7`, `paytool_limit 64`, `paytool_under_way{class="create"} 0`, `paytool_waiting{class="read"} 0`,
		`paytool_engine_events_total{event="answer_success"} 5`,
	)
}

// TestLabels: whatever a caller can make up is in no label.
func TestLabels(t *testing.T) {
	t.Parallel()
	known := []string{"group", "outcome", "shadow", "from", "to", "reason", "cause", "class", "method", "route", "status", "event", "kind", "state", "version", "go_version", "config_hash", "le", "quantile", "code", "channel", "call", "verdict"}
	for _, line := range scrape(t, busy()) {
		_, labels, ok := strings.Cut(line, "{")
		if strings.HasPrefix(line, "#") || !ok {
			continue
		}
		if strings.Contains(line, "secret") || strings.Contains(line, `"m1"`) {
			t.Errorf("%s tells of a single order or merchant", line)
		}
		labels, _, _ = strings.Cut(labels, "}")
		for pair := range strings.SplitSeq(labels, `",`) {
			if name, _, _ := strings.Cut(pair, "="); !slices.Contains(known, name) {
				t.Errorf("%s: a label %q that nobody has thought about", line, name)
			}
		}
	}
}

// group answers the poll as a test says, and tells of tasks too.
type group struct {
	mu     sync.Mutex
	doubts int
	err    error
	open   []order.Task
}

func (g *group) set(err error, open ...order.Task) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err, g.open = err, open
}

func (g *group) ID() shard.GroupID { return 1 }

func (g *group) OpenDoubts(context.Context) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.doubts, g.err
}

func (g *group) Semisync(context.Context) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return "on", g.err
}

func (g *group) tasks(context.Context) ([]order.Task, []shard.GroupID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.err != nil {
		return nil, []shard.GroupID{1}
	}
	return g.open, nil
}

func TestPoll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := metrics.New()
		g := &group{doubts: 4}
		g.set(nil, order.Task{Kind: order.TaskMoneyBack, Created: time.Now().Add(-time.Minute)}, order.Task{Kind: order.TaskMoneyBack, Created: time.Now()})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.Poll(ctx, []metrics.Group{g}, g.tasks, time.Minute)
		}()
		synctest.Wait()
		want(t, scrape(t, m), `paytool_doubts_open{group="1"} 4`, `paytool_semisync{group="1",state="on"} 1`, `paytool_semisync{group="1",state="unknown"} 0`,
			`paytool_tasks_open{kind="money_back"} 2`, `paytool_task_oldest_seconds{kind="money_back"} 60`)

		// What a group that is out does not say stays, and nobody takes semi-sync for on.
		g.set(errors.New("connection refused"))
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		want(t, scrape(t, m), `paytool_doubts_open{group="1"} 4`, `paytool_semisync{group="1",state="on"} 0`, `paytool_semisync{group="1",state="unknown"} 1`,
			`paytool_tasks_open{kind="money_back"} 2`)
		g.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		want(t, scrape(t, m), `-paytool_tasks_open{kind="money_back"} 2`)
		cancel()
		<-done
	})
}
