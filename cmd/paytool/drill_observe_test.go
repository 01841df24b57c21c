package main

import (
	"testing"
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/scrape"
	"paytool/internal/shard"
)

// TestSamplesOfCounters: as many samples as orders, each count where it belongs, within
// the time and the waits that the engines tell.
func TestSamplesOfCounters(t *testing.T) {
	t.Parallel()
	last := time.Unix(100, 0)
	seen := scrape.Seen{
		At: last.Add(100 * time.Millisecond), Acked: map[shard.GroupID]int{1: 3, 3: 2}, Failed: 1, Unknown: 1, Rejected: 2,
		Hops: []scrape.Hops{{From: 2, To: 3, N: 1}, {From: 4, To: 3, N: 1}},
		Waits: []scrape.Waits{
			{Over: 10 * time.Millisecond, UpTo: 20 * time.Millisecond, N: 5}, {Over: 200 * time.Millisecond, UpTo: 250 * time.Millisecond, N: 3}, // one of them a caller's mistake
		},
	}
	answers, past := map[drill.Answer]int{}, map[shard.GroupID]int{}
	slow := 0
	for _, s := range samplesOf(seen, last) {
		answers[s.Answer]++
		if s.past != 0 {
			past[s.past]++
			if s.Order.Group != 3 {
				t.Errorf("a hop into group 3 landed in %d", s.Order.Group)
			}
		}
		wait := s.Done.Sub(s.Due)
		switch {
		case s.Done.After(seen.At) || !s.Done.After(last):
			t.Errorf("an order ended at %s", s.Done)
		case s.Answer == drill.Rejected && wait != 0:
			t.Errorf("one that was turned away has waited %s", wait)
		case wait > 200*time.Millisecond && wait < 250*time.Millisecond:
			slow++
		case s.Answer != drill.Rejected && (wait <= 10*time.Millisecond || wait >= 20*time.Millisecond):
			t.Errorf("an order has waited %s", wait)
		}
	}
	if answers[drill.Acked] != 5 || answers[drill.Failed] != 1 || answers[drill.Unknown] != 1 || answers[drill.Rejected] != 2 || past[2] != 1 || past[4] != 1 || slow != 2 {
		t.Errorf("answers %v, past %v, %d slow", answers, past, slow)
	}
}
