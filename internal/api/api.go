package api

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// Engine is the order engine as the API needs it. Calls are concurrent; their errors
// are *order.Error.
type Engine interface {
	Check(r order.Request) error
	Create(ctx context.Context, r order.Request) (order.Order, error)
	Get(ctx context.Context, no pay.OrderNo) (order.Order, error)
	List(ctx context.Context, q order.ListQuery) (order.Page, error)
	Pay(ctx context.Context, no pay.OrderNo, r order.PayRequest) (order.Order, error)
	Revoke(ctx context.Context, no pay.OrderNo) (order.Order, error)
	Refund(ctx context.Context, no pay.OrderNo, r order.RefundRequest) (order.Order, order.Refund, error)
	Trace(ctx context.Context, no pay.OrderNo) (order.Trace, error)
}

// Meter hears what the API did. It must be fast and safe for concurrent use.
type Meter interface {
	// Answered: a request has its answer. route is its pattern, never its path, method
	// one that HTTP knows, and code that of an error, "" where there is none.
	Answered(method, route string, status int, code string, took time.Duration)
	// Created: the engine has ended a create. took counts from the request's arrival.
	Created(o order.Order, r order.Request, err error, took time.Duration)
	// Rejected: a request was turned away, that long after it had come to the gate.
	Rejected(class limit.Class, reason limit.Reason, after time.Duration)
}

// Options set up an API.
type Options struct {
	Engine   Engine
	Gate     *limit.Gate
	Throttle *limit.Throttle
	Meter    Meter
	// Metrics answers GET /metrics.
	Metrics http.Handler
	// Ready says why this instance should get no new requests.
	Ready func() error
	// Tokens are those of which a request must bring one. With none, only requests to
	// this machine's own names are answered, so that no web page can reach the API
	// through a name that it controls.
	Tokens *Tokens
	Log    *slog.Logger
	Now    func() time.Time
	// NewID draws the id of a request that brought none.
	NewID func() string
}

// API answers the requests. It is safe for concurrent use.
type API struct {
	Options
	draining atomic.Bool
}

// New sets up an API; every option but Tokens is needed.
func New(o Options) *API { return &API{Options: o} }

// Drain makes /readyz fail, and asks clients to open new connections, which a load
// balancer leads elsewhere. Everything is answered as before.
func (a *API) Drain() { a.draining.Store(true) }

// handler answers a request, or returns why it does not. It has written nothing then.
type handler func(w http.ResponseWriter, r *http.Request) error

// route is one path and what it does by method.
type route struct {
	path    string
	methods map[string]handler
	open    bool // asked by those who have no token: load balancers
}

func (a *API) routes() []route {
	return []route{
		{path: "/v1/orders", methods: map[string]handler{http.MethodPost: a.create, http.MethodGet: a.list}},
		{path: "/v1/orders/{no}", methods: map[string]handler{http.MethodGet: a.get}},
		{path: "/v1/orders/{no}/pay", methods: map[string]handler{http.MethodPost: a.pay}},
		{path: "/v1/orders/{no}/revoke", methods: map[string]handler{http.MethodPost: a.revoke}},
		{path: "/v1/orders/{no}/refunds", methods: map[string]handler{http.MethodPost: a.refund}},
		{path: "/v1/orders/{no}/trace", methods: map[string]handler{http.MethodGet: a.trace}},
		{path: "/openapi.yaml", methods: map[string]handler{http.MethodGet: openAPI}},
		{path: "/metrics", methods: map[string]handler{http.MethodGet: a.metrics}},
		{path: "/healthz", methods: map[string]handler{http.MethodGet: a.health}, open: true},
		{path: "/readyz", methods: map[string]handler{http.MethodGet: a.ready}, open: true},
	}
}

// Paths lists the paths that are served, as openapi.yaml writes them.
func (a *API) Paths() (paths []string) {
	for _, rt := range a.routes() {
		paths = append(paths, rt.path)
	}
	return paths
}

// Handler answers every request.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range a.routes() {
		mux.Handle(rt.path, a.answer(rt.path, a.admit(rt.open, byMethod(rt.methods))))
	}
	mux.Handle("/", a.answer("other", a.admit(false, func(http.ResponseWriter, *http.Request) error {
		return &refusal{status: http.StatusNotFound, code: CodeNoRoute, message: "there is nothing at this path", hint: "see /openapi.yaml"}
	})))
	return mux
}

func byMethod(methods map[string]handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead { // net/http leaves the body out
			method = http.MethodGet
		}
		if h := methods[method]; h != nil {
			return h(w, r)
		}
		for m := range methods {
			w.Header().Add("Allow", m)
		}
		return &refusal{status: http.StatusMethodNotAllowed, code: CodeMethod, message: "this path does not take that method", hint: "see the Allow header and /openapi.yaml"}
	}
}

func (a *API) metrics(w http.ResponseWriter, r *http.Request) error {
	a.Metrics.ServeHTTP(w, r)
	return nil
}

// health says that the process answers, whatever the groups do: restarting it would
// not mend them.
func (a *API) health(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]bool{"ok": true})
}

func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	if a.draining.Load() {
		return &refusal{status: http.StatusServiceUnavailable, code: CodeDraining, retryAfter: time.Second, message: "this instance is about to stop", hint: "ask another instance"}
	}
	if err := a.Ready(); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]bool{"ready": true})
}
