package metrics

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// Group is a group as the poll asks it.
type Group interface {
	ID() shard.GroupID
	// OpenDoubts counts the doubts that are not settled.
	OpenDoubts(ctx context.Context) (int, error)
	// Semisync says in a word whether commits wait for a replica.
	Semisync(ctx context.Context) (string, error)
}

// Tasks lists open tasks, shadow ones left out, and names the groups that did not
// answer.
type Tasks func(ctx context.Context) ([]order.Task, []shard.GroupID)

// SemisyncWords are the states of semi-sync that Group.Semisync answers with.
var SemisyncWords = []string{"on", "off", "unknown"}

// pollTimeout is for one group: no order waits for these figures.
const pollTimeout = 250 * time.Millisecond

// polled are the figures that lie in the groups. What a group does not say stays as it
// was, and paytool_polled_timestamp_seconds says how old it is.
type polled struct {
	doubts   *prometheus.GaugeVec
	semisync *prometheus.GaugeVec
	at       *prometheus.GaugeVec
	tasks    *prometheus.GaugeVec
	oldest   *prometheus.GaugeVec
}

func newPolled() polled {
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	}
	return polled{
		doubts:   gauges("paytool_doubts_open", "Doubts kept in the group that are not settled.", "group"),
		semisync: gauges("paytool_semisync", "1 for the state of semi-sync on the group's primary: on, off or unknown.", "group", "state"),
		at:       gauges("paytool_polled_timestamp_seconds", "When the group last told its doubts and semi-sync.", "group"),
		tasks:    gauges("paytool_tasks_open", "Open tasks by kind, as of the groups that answer.", "kind"),
		oldest:   gauges("paytool_task_oldest_seconds", "Age of the oldest open task of a kind.", "kind"),
	}
}

func (p polled) all() []prometheus.Collector {
	return []prometheus.Collector{p.doubts, p.semisync, p.at, p.tasks, p.oldest}
}

// Poll asks the groups at every interval until the context ends.
func (m *Metrics) Poll(ctx context.Context, groups []Group, tasks Tasks, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		m.pollOnce(ctx, groups, tasks, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (m *Metrics) pollOnce(ctx context.Context, groups []Group, tasks Tasks, now time.Time) {
	var wg sync.WaitGroup
	for _, g := range groups {
		wg.Go(func() { m.polled.group(ctx, g, now) })
	}
	wg.Go(func() { m.polled.openTasks(ctx, tasks, now) })
	wg.Wait()
}

func (p polled) group(ctx context.Context, g Group, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	group := label(g.ID())
	word, syncErr := g.Semisync(ctx)
	if syncErr != nil {
		word = "unknown"
	}
	for _, w := range SemisyncWords {
		value := 0.0
		if w == word {
			value = 1
		}
		p.semisync.WithLabelValues(group, w).Set(value)
	}
	doubts, err := g.OpenDoubts(ctx)
	if err != nil || syncErr != nil {
		return
	}
	p.doubts.WithLabelValues(group).Set(float64(doubts))
	p.at.WithLabelValues(group).Set(float64(now.Unix()))
}

func (p polled) openTasks(ctx context.Context, tasks Tasks, now time.Time) {
	ctx, cancel := context.WithTimeout(ctx, pollTimeout)
	defer cancel()
	open, missing := tasks(ctx)
	if len(missing) > 0 && len(open) == 0 {
		return
	}
	p.tasks.Reset()
	p.oldest.Reset()
	oldest := map[order.TaskKind]time.Time{}
	for _, t := range open {
		p.tasks.WithLabelValues(string(t.Kind)).Inc()
		if at, ok := oldest[t.Kind]; !ok || t.Created.Before(at) {
			oldest[t.Kind] = t.Created
		}
	}
	for kind, at := range oldest {
		p.oldest.WithLabelValues(string(kind)).Set(now.Sub(at).Seconds())
	}
}
