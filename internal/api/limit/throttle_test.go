package limit_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/api/limit"
)

var noon = time.Unix(1_700_000_000, 0)

func merchant(id string) limit.Subject { return limit.Subject{Kind: limit.Merchant, ID: id} }

func rule(s limit.Subject, version int64, perSecond float64, burst int) limit.Rule {
	return limit.Rule{Subject: s, Version: version, PerSecond: perSecond, Burst: burst, By: "ann", Reason: "test", At: noon}
}

// allowed is how many of n requests at one moment get through.
func allowed(throttle *limit.Throttle, at time.Time, n int, subjects ...limit.Subject) (through int) {
	for range n {
		if throttle.Allow(at, subjects...) == nil {
			through++
		}
	}
	return through
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	throttle := limit.NewThrottle()
	throttle.Learn(noon, rule(merchant("m1"), 1, 10, 20), rule(merchant(limit.Each), 1, 1, 5))
	for _, c := range []struct {
		name     string
		after    time.Duration
		subjects []limit.Subject
		want     int
	}{
		{"a burst", 0, []limit.Subject{merchant("m1")}, 20},
		{"then the rate", time.Second, []limit.Subject{merchant("m1")}, 10},
		{"another merchant has a share of its own", time.Second, []limit.Subject{merchant("m2")}, 5},
		{"and so has a third", time.Second, []limit.Subject{merchant("m3")}, 5},
		{"a kind without a rule is free", time.Second, []limit.Subject{{Kind: limit.Terminal, ID: "t1"}}, 50},
		{"no terminal is no subject", time.Second, []limit.Subject{{Kind: limit.Terminal}}, 50},
	} {
		if got := allowed(throttle, noon.Add(c.after), 50, c.subjects...); got != c.want {
			t.Errorf("%s: %d of 50 came through, want %d", c.name, got, c.want)
		}
	}
}

func TestThrottleSaysWhenToComeAgain(t *testing.T) {
	t.Parallel()
	throttle := limit.NewThrottle()
	throttle.Learn(noon, rule(merchant("m1"), 1, 4, 1), rule(merchant("bad"), 1, 0, 0))
	allowed(throttle, noon, 1, merchant("m1"))
	var r *limit.Rejected
	if err := throttle.Allow(noon, merchant("m1")); !errors.As(err, &r) || r.RetryAfter != 250*time.Millisecond || r.Subject != merchant("m1") {
		t.Errorf("got %v, %+v", err, r)
	}
	if err := throttle.Allow(noon.Add(250*time.Millisecond), merchant("m1")); err != nil {
		t.Errorf("came when told to, and got %v", err)
	}
	if err := throttle.Allow(noon, merchant("bad")); !errors.As(err, &r) || r.RetryAfter != time.Minute {
		t.Errorf("a blocked merchant got %v, %+v", err, r)
	}
}

// A request that one subject's rule refuses costs the others nothing.
func TestThrottleAllOrNothing(t *testing.T) {
	t.Parallel()
	throttle := limit.NewThrottle()
	terminal := limit.Subject{Kind: limit.Terminal, ID: "t1"}
	throttle.Learn(noon, rule(merchant("m1"), 1, 1, 5), rule(terminal, 1, 1, 1))
	if got := allowed(throttle, noon, 10, merchant("m1"), terminal); got != 1 {
		t.Errorf("%d came through", got)
	}
	if got := allowed(throttle, noon, 10, merchant("m1")); got != 4 {
		t.Errorf("%d of the merchant's tokens are left, want 4", got)
	}
}

func TestThrottleLearns(t *testing.T) {
	t.Parallel()
	throttle := limit.NewThrottle()
	if got := allowed(throttle, noon, 1000, merchant("m1")); got != limit.Unread.Burst {
		t.Errorf("%d came through before any rule was read, want %d", got, limit.Unread.Burst)
	}
	throttle.Learn(noon)
	if got := allowed(throttle, noon, 1000, merchant("m1")); got != 1000 {
		t.Errorf("%d came through where there are no rules", got)
	}
	throttle.Learn(noon, rule(merchant("m1"), 2, 1, 3))
	if got := allowed(throttle, noon, 10, merchant("m1")); got != 3 {
		t.Errorf("%d came through under the new rule, want 3", got)
	}
	if changed := throttle.Learn(noon, rule(merchant("m1"), 1, 1000, 1000)); len(changed) != 0 {
		t.Errorf("an old version changed %v", changed)
	}
	throttle.Learn(noon, rule(merchant("m1"), 3, 5, 10)) // raised while the bucket is empty
	if got := allowed(throttle, noon.Add(time.Second), 100, merchant("m1")); got != 5 {
		t.Errorf("%d came through a second after it was raised, want 5", got)
	}
	cleared := rule(merchant("m1"), 4, 0, 0)
	cleared.Cleared = true
	throttle.Learn(noon, cleared)
	if got := allowed(throttle, noon, 100, merchant("m1")); got != 100 {
		t.Errorf("%d came through after the rule was cleared", got)
	}
	throttle.Learn(noon) // a reading without the rules leaves what is known
	if got := allowed(throttle, noon, 100, merchant("m1")); got != 100 {
		t.Errorf("%d came through", got)
	}
}

// Whatever the order in which instances read rules, the same ones hold in the end.
func TestRulesAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		drawn := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) limit.Rule {
			r := rule(merchant(rapid.SampledFrom([]string{"m1", "m2"}).Draw(t, "merchant")), int64(rapid.IntRange(1, 3).Draw(t, "version")),
				float64(rapid.IntRange(0, 2).Draw(t, "rate")), rapid.IntRange(1, 2).Draw(t, "burst"))
			r.Cleared = rapid.Bool().Draw(t, "cleared")
			return r
		}), 1, 8).Draw(t, "rules")
		one, other := limit.Rules{}, limit.Rules{}
		one.Add(drawn...)
		for _, r := range rapid.Permutation(drawn).Draw(t, "another order") {
			other.Add(r)
		}
		if diff := cmp.Diff(one.List(), other.List()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRuleCheck(t *testing.T) {
	t.Parallel()
	good := rule(merchant("m1"), 1, 10, 20)
	for name, spoil := range map[string]func(r *limit.Rule){
		"kind":       func(r *limit.Rule) { r.Kind = "shop" },
		"id":         func(r *limit.Rule) { r.ID = "" },
		"control":    func(r *limit.Rule) { r.ID = "m\n1" },
		"rate":       func(r *limit.Rule) { r.PerSecond = -1 },
		"burst":      func(r *limit.Rule) { r.Burst = 0 },
		"who":        func(r *limit.Rule) { r.By = "" },
		"why":        func(r *limit.Rule) { r.Reason = "" },
		"large rate": func(r *limit.Rule) { r.PerSecond = limit.MaxRate + 1 },
	} {
		r := good
		spoil(&r)
		if r.Check() == nil {
			t.Errorf("%s: %+v passes", name, r)
		}
	}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	block := rule(merchant("m1"), 1, 0, 0)
	if err := block.Check(); err != nil {
		t.Error(err)
	}
}
