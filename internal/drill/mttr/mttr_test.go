package mttr

import (
	"context"
	"errors"
	"testing"
	"time"
)

var errOut = errors.New("the group is out")

func TestOutage(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	for _, c := range []struct {
		name    string
		answers string // one update every 20 ms, 5 ms long; x: failed
		length  time.Duration
		over    bool
	}{
		{"none fails", "....", 0, true},
		{"one gap", "..xxx..", 65 * time.Millisecond, true},
		{"a success in between does not end it", ".x.x..", 65 * time.Millisecond, true},
		{"from the start", "xx.", 45 * time.Millisecond, true},
		{"not over", "..xx", 0, false},
		{"nothing tried", "", 0, true},
	} {
		var o Outage
		failed := 0
		for i, a := range c.answers {
			var err error
			if a == 'x' {
				err, failed = errOut, failed+1
			}
			o.add(at(20*i), at(20*i+5), err)
		}
		if got, over := o.Length(); got != c.length || over != c.over || o.Tried != len(c.answers) || o.Failed != failed {
			t.Errorf("%s: %v, over %t, %+v; want %v, %t", c.name, got, over, o, c.length, c.over)
		}
	}
}

// TestWatchEnds: it goes on through failures, and an update that the end cut short
// is no failure.
func TestWatchEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	o := Watch(ctx, time.Millisecond, time.Now, func(ctx context.Context) error {
		calls++
		switch calls {
		case 2, 3:
			return errOut
		case 5:
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	if o.Tried != 4 || o.Failed != 2 || !errors.Is(o.Last, errOut) {
		t.Errorf("%+v", o)
	}
	if d, over := o.Length(); !over || d <= 0 {
		t.Errorf("length %v, over %t", d, over)
	}
}
