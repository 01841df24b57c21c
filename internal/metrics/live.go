package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"paytool/internal/api/limit"
	"paytool/internal/shard"
)

// Live is what this process knows at any moment without asking a group.
type Live struct {
	Groups func() []shard.Status
	Epoch  func() int64
	Gate   func() limit.GateStatus
	Counts func() map[string]int64 // order.Engine.Counts
}

var (
	admittedDesc = prometheus.NewDesc("paytool_group_admitted", "1 while new orders go to the group, else 0.", []string{"group"}, nil)
	inFlightDesc = prometheus.NewDesc("paytool_in_flight", "Creates under way in the group.", []string{"group"}, nil)
	epochDesc    = prometheus.NewDesc("paytool_topology_epoch", "The epoch of the topology that is in force here.", nil, nil)
	limitDesc    = prometheus.NewDesc("paytool_limit", "How many creates and reads may be under way; it adapts to their latency.", nil, nil)
	underWayDesc = prometheus.NewDesc("paytool_under_way", "Requests under way.", []string{"class"}, nil)
	waitingDesc  = prometheus.NewDesc("paytool_waiting", "Requests that wait for a place.", []string{"class"}, nil)
	eventsDesc   = prometheus.NewDesc("paytool_engine_events_total", "What the engine counts: alarms by kind, refused and unknown moves, channel answers by verdict.", []string{"event"}, nil)
)

// Observe adds the live figures. It is called once, before the first scrape.
func (m *Metrics) Observe(l Live) { m.registry.MustRegister(liveCollector{l}) }

type liveCollector struct{ Live }

// Describe lists the figures.
func (liveCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{admittedDesc, inFlightDesc, epochDesc, limitDesc, underWayDesc, waitingDesc, eventsDesc} {
		ch <- d
	}
}

// Collect reads them.
func (c liveCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, s := range c.Groups() {
		admitted := 0.0
		if s.Ejection == nil {
			admitted = 1
		}
		gauge(admittedDesc, admitted, label(s.Group.ID))
		gauge(inFlightDesc, float64(s.InFlight), label(s.Group.ID))
	}
	gauge(epochDesc, float64(c.Epoch()))
	gate := c.Gate()
	gauge(limitDesc, float64(gate.Limit))
	for _, class := range limit.Classes() {
		gauge(underWayDesc, float64(gate.UnderWay[class]), class.String())
		gauge(waitingDesc, float64(gate.Waiting[class]), class.String())
	}
	for event, n := range c.Counts() {
		ch <- prometheus.MustNewConstMetric(eventsDesc, prometheus.CounterValue, float64(n), event)
	}
}
