package metrics

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"paytool/internal/api/limit"
	"paytool/internal/order"
	"paytool/internal/shard"
)

// latencies are the bounds of histograms, in seconds: fine where creates are, and at
// the time limits of a try.
var latencies = []float64{.001, .002, .005, .01, .02, .04, .06, .08, .1, .15, .2, .25, .3, .5, 1, 2.5, 5, 10}

// amounts are the bounds of order amounts, in fen: 1 yuan to a million.
var amounts = []float64{1e2, 1e3, 1e4, 5e4, 1e5, 5e5, 1e6, 5e6, 1e7, 1e8}

// Info is what is told about the program itself. A change of it is an event on every
// graph.
type Info struct {
	Version    string
	GoVersion  string
	ConfigHash string // of the settings, without passwords
}

// Metrics are the figures of one engine instance. It is safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry

	requests     *prometheus.CounterVec
	requestTime  *prometheus.HistogramVec
	errors       *prometheus.CounterVec
	orders       *prometheus.CounterVec
	createTime   prometheus.Histogram
	amounts      prometheus.Histogram
	calls        *prometheus.CounterVec
	callTime     *prometheus.HistogramVec
	rejections   *prometheus.CounterVec
	rejectTime   prometheus.Histogram
	hops         *prometheus.CounterVec
	ejections    *prometheus.CounterVec
	readmissions *prometheus.CounterVec

	polled polled
	moves  moves
}

// New sets up the figures in a registry of their own.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.requests = counters("paytool_requests_total", "HTTP requests by method, route and status.", "method", "route", "status")
	m.requestTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "paytool_request_seconds", Help: "Time from the arrival of a request to its answer.", Buckets: latencies,
	}, []string{"route"})
	m.errors = counters("paytool_errors_total", "Requests answered with an error, by its stable code.", "route", "code")
	m.orders = counters("paytool_orders_total", "Creates by the group that took the order (none where no group did) and by outcome: acked, refused, failed or unknown.", "group", "outcome", "shadow")
	m.createTime = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "paytool_create_seconds", Help: "Time from the arrival of a create to its answer, rejections left out.", Buckets: latencies,
	})
	m.amounts = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "paytool_order_amount_fen", Help: "Amounts of acked creates in fen, shadow orders left out.", Buckets: amounts,
	})
	m.calls = counters("paytool_channel_calls_total", "Calls of a channel by what was asked and what the answer means.", "channel", "call", "verdict")
	m.callTime = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "paytool_channel_seconds", Help: "Time of a call of a channel.", Buckets: latencies,
	}, []string{"channel", "call"})
	m.rejections = counters("paytool_rejections_total", "Requests turned away before anything was done for them.", "class", "reason")
	m.rejectTime = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "paytool_rejection_seconds", Help: "Time from the arrival of a request to its being turned away.", Buckets: latencies,
	})
	m.hops = counters("paytool_hops_total", "Orders that went past a group, by that group, the one they landed in, and why.", "from", "to", "reason")
	m.ejections = counters("paytool_ejections_total", "Ejections of a group by this instance.", "group", "cause")
	m.readmissions = counters("paytool_readmissions_total", "Readmissions of a group by this instance.", "group")
	m.polled = newPolled()
	m.registry.MustRegister(m.requests, m.requestTime, m.errors, m.orders, m.createTime, m.amounts, m.calls, m.callTime,
		m.rejections, m.rejectTime, m.hops, m.ejections, m.readmissions,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.polled.all()...)
	m.moves = newMoves()
	m.registry.MustRegister(m.moves.all()...)
	m.begin()
	return m
}

// begin shows at 0 what an alarm looks at: a counter that appears with its first event
// has not risen, as far as Prometheus can tell.
func (m *Metrics) begin() {
	for _, outcome := range []string{"failed", "unknown"} {
		m.orders.WithLabelValues("none", outcome, "false")
	}
	for _, class := range limit.Classes() {
		for _, reason := range []limit.Reason{limit.QueueFull, limit.Waited} {
			m.rejections.WithLabelValues(class.String(), string(reason))
		}
	}
}

// About says what runs here. It is called once.
func (m *Metrics) About(info Info) {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "paytool_build_info", Help: "Always 1; the labels say what runs here."}, []string{"version", "go_version", "config_hash"})
	build.WithLabelValues(info.Version, info.GoVersion, info.ConfigHash).Set(1)
	m.registry.MustRegister(build)
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// Handler answers with all figures.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry})
}

// Answered counts a request that has its answer.
func (m *Metrics) Answered(method, route string, status int, code string, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	if code != "" {
		m.errors.WithLabelValues(route, code).Inc()
	}
	m.requestTime.WithLabelValues(route).Observe(took.Seconds())
}

// Created counts a create that the engine has ended.
func (m *Metrics) Created(o order.Order, r order.Request, err error, took time.Duration) {
	group := "none"
	if err == nil {
		group = label(o.Group)
	}
	if err == nil && !r.Shadow {
		m.amounts.Observe(float64(o.Amount))
	}
	m.orders.WithLabelValues(group, outcome(err), strconv.FormatBool(r.Shadow)).Inc()
	m.createTime.Observe(took.Seconds())
}

// outcome tells what the groups did from what the caller should not have asked.
func outcome(err error) string {
	var e *order.Error
	switch {
	case err == nil:
		return "acked"
	case !errors.As(err, &e) || e.Outcome != order.NotCommitted:
		return "unknown"
	case e.Code == order.CodeNoGroup, e.Code == order.CodeOverloaded, e.Code == order.CodeClockBack, e.Code == order.CodeCancelled, e.Code == order.CodeAttemptUnclear:
		return "failed"
	}
	return "refused"
}

// Rejected counts a request that was turned away.
func (m *Metrics) Rejected(class limit.Class, reason limit.Reason, after time.Duration) {
	m.rejections.WithLabelValues(class.String(), string(reason)).Inc()
	m.rejectTime.Observe(after.Seconds())
}

// Heard counts an ejection or a readmission.
func (m *Metrics) Heard(e shard.Event) {
	switch {
	case e.Ejected:
		m.ejections.WithLabelValues(label(e.Group), string(e.Cause)).Inc()
	case e.Cause != shard.Starting:
		m.readmissions.WithLabelValues(label(e.Group)).Inc()
	}
}

// Hopped counts an order that went past a group into another one, which its tag names
// as long as it is new.
func (m *Metrics) Hopped(h order.Hop) {
	m.hops.WithLabelValues(label(h.Above), strconv.Itoa(int(h.OrderNo.Tag())), h.Reason).Inc()
}

func label(g shard.GroupID) string { return strconv.Itoa(int(g)) }
