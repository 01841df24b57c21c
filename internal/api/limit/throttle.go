package limit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Unread is the rule of every merchant while no rules could be read since the start:
// limits fail closed, but a shop goes on.
var Unread = Rule{Subject: Subject{Merchant, Each}, PerSecond: 50, Burst: 100}

// mostBuckets bounds the memory; those beyond share one bucket.
const mostBuckets = 100_000

// Throttle holds subjects to their rules, by the token bucket. It is safe for
// concurrent use.
type Throttle struct {
	mu      sync.Mutex
	read    bool
	rules   Rules
	buckets map[Subject]*rate.Limiter
}

// NewThrottle starts with Unread for all merchants, until Learn.
func NewThrottle() *Throttle {
	return &Throttle{rules: Rules{Unread.Subject: Unread}, buckets: map[Subject]*rate.Limiter{}}
}

// Learn takes over rules that were read; what is not among them stays as it is known.
// It returns those that changed something. An empty list says that there are none.
func (t *Throttle) Learn(now time.Time, rules ...Rule) (changed []Rule) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.read {
		t.read, t.rules = true, Rules{}
		clear(t.buckets)
	}
	changed = t.rules.Add(rules...)
	if len(changed) == 0 {
		return nil
	}
	for s, bucket := range t.buckets {
		rule, ok := t.rules.of(s)
		if !ok {
			delete(t.buckets, s)
			continue
		}
		bucket.SetLimitAt(now, rate.Limit(rule.PerSecond))
		bucket.SetBurstAt(now, rule.burst())
	}
	return changed
}

// burst is 0 for a rule that takes none: a bucket starts full.
func (r Rule) burst() int {
	if r.PerSecond == 0 {
		return 0
	}
	return r.Burst
}

// Allow takes one token of each subject that has a rule, or none at all. An error is a
// *Rejected that names the subject.
func (t *Throttle) Allow(now time.Time, subjects ...Subject) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var taken []*rate.Reservation
	for _, s := range subjects {
		rule, ok := t.rules.of(s)
		if !ok || s.ID == "" {
			continue
		}
		r := t.bucket(now, s, rule).ReserveN(now, 1)
		if wait := r.DelayFrom(now); !r.OK() || wait > 0 {
			r.CancelAt(now)
			for _, before := range taken {
				before.CancelAt(now)
			}
			if !r.OK() {
				wait = time.Minute // blocked: somebody has to change the rule
			}
			return &Rejected{Reason: OverRule, RetryAfter: wait, Subject: s}
		}
		taken = append(taken, r)
	}
	return nil
}

func (t *Throttle) bucket(now time.Time, s Subject, rule Rule) *rate.Limiter {
	if b := t.buckets[s]; b != nil {
		return b
	}
	if len(t.buckets) >= mostBuckets {
		t.forget(now)
	}
	if len(t.buckets) >= mostBuckets { // as many merchants at once: somebody makes them up
		s = Subject{s.Kind, Each}
		if b := t.buckets[s]; b != nil {
			return b
		}
	}
	b := rate.NewLimiter(rate.Limit(rule.PerSecond), rule.burst())
	t.buckets[s] = b
	return b
}

// forget drops the buckets that are full: a new one would be the same.
func (t *Throttle) forget(now time.Time) {
	for s, b := range t.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(t.buckets, s)
		}
	}
}
