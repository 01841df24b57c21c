package api_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"paytool/internal/api"
	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

const orderNo = "201609121215432322" + "199" + "2"

// engine answers every call with what a test puts into it.
type engine struct {
	order  order.Order
	refund order.Refund
	err    error
	panics bool
	hold   chan struct{} // if not nil, calls wait for it
	mu     sync.Mutex
	asked  []any // the requests, in turn
}

func (e *engine) call(what any) error {
	if e.panics {
		panic("a bug that says secret-code")
	}
	e.mu.Lock()
	e.asked = append(e.asked, what)
	e.mu.Unlock()
	if e.hold != nil {
		<-e.hold
	}
	return e.err
}

func (e *engine) Check(order.Request) error { return nil }

func (e *engine) Create(ctx context.Context, r order.Request) (order.Order, error) {
	if ctx.Done() != nil {
		return order.Order{}, errors.New("a create that its caller can cut short")
	}
	return e.order, e.call(r)
}

func (e *engine) Get(_ context.Context, no pay.OrderNo) (order.Order, error) {
	return e.order, e.call(no)
}

func (e *engine) List(_ context.Context, q order.ListQuery) (order.Page, error) {
	return order.Page{Orders: []order.Order{e.order}, Missing: []shard.GroupID{3}, Next: order.Cursor{Created: e.order.Created, No: e.order.No}}, e.call(q)
}

func (e *engine) Pay(_ context.Context, _ pay.OrderNo, r order.PayRequest) (order.Order, error) {
	return e.order, e.call(r)
}

func (e *engine) Revoke(_ context.Context, no pay.OrderNo) (order.Order, error) {
	return e.order, e.call(no)
}

func (e *engine) Refund(_ context.Context, _ pay.OrderNo, r order.RefundRequest) (order.Order, order.Refund, error) {
	return e.order, e.refund, e.call(r)
}

func (e *engine) Trace(_ context.Context, no pay.OrderNo) (order.Trace, error) {
	o := e.order
	return order.Trace{Key: o.Key, Attempts: []order.Order{o},
		Hops:    []order.Hop{{OrderNo: o.No, Above: 1, Key: o.Key, Reason: "hang", Created: o.Created}},
		Moves:   []order.Move{{OrderNo: o.No, Version: 1, To: pay.Created, By: pay.ByPay, At: o.Created}},
		Refunds: []order.Refund{e.refund},
		Revokes: []order.Revoke{{OrderNo: o.No, No: "R1", Amount: o.Amount, State: order.RevokeDone, Created: o.Created, Done: o.Created}},
		Missing: []shard.GroupID{3}}, e.call(no)
}

// meter counts what it hears.
type meter struct {
	mu       sync.Mutex
	created  int
	rejected map[limit.Reason]int
	routes   map[string]int
}

func (m *meter) Answered(method, route string, _ int, _ string, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.routes[method+" "+route]++
}

func (m *meter) Created(order.Order, order.Request, error, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.created++
}

func (m *meter) Rejected(_ limit.Class, reason limit.Reason, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rejected[reason]++
}

// shop is an API over a fake engine.
type shop struct {
	*api.API
	engine *engine
	meter  *meter
	log    *strings.Builder
}

func newShop(t testing.TB, adjust ...func(o *api.Options)) *shop {
	t.Helper()
	no, err := pay.ParseOrderNo(orderNo)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2016, 9, 12, 4, 15, 43, 0, time.UTC)
	s := &shop{
		engine: &engine{
			order: order.Order{No: no, Key: pay.Key{MerchantID: "m1", MerchantOrderNo: "A-付"}, Attempt: 1, Group: 2, State: pay.Paid, Amount: 1250,
				Channel: "builtin", Created: at, PaidAt: at.Add(1234567890)},
			refund: order.Refund{OrderNo: no, No: "R-1", Amount: 250, State: pay.RefundDone, Created: at, Accepted: at, Done: at},
		},
		meter: &meter{rejected: map[limit.Reason]int{}, routes: map[string]int{}},
		log:   &strings.Builder{},
	}
	throttle := limit.NewThrottle()
	throttle.Learn(at)
	o := api.Options{
		Engine: s.engine, Gate: limit.NewGate(limit.GateOptions{}), Throttle: throttle, Meter: s.meter,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "paytool_up 1\n")
		}),
		Ready: func() error { return nil }, Now: time.Now, NewID: func() string { return "drawn" },
		Log: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range adjust {
		f(&o)
	}
	s.API = api.New(o)
	return s
}

// ask sends one request as a client on this machine would.
func (s *shop) ask(method, path, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w.Result()
}

func refusal(code string, outcome order.Outcome, retry time.Duration) error {
	return &order.Error{Code: code, Outcome: outcome, Message: "because of " + code, Hint: "do this", RetryAfter: retry}
}
