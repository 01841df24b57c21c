// Package mttr measures how long the old orders of a group could not be updated:
// new orders go elsewhere when a group fails, old ones wait until it is back, or
// until another node has been promoted.
//
// What happens here: trying an update again and again, and finding the outage in the
// answers. What does not: the update itself, which is handed in, failing or promoting
// anything, and saying what an outage means for a year.
package mttr

import (
	"context"
	"time"
)

// Every is the usual time between two updates.
const Every = 20 * time.Millisecond

// tryFor bounds one update: an engine does not wait longer for a group either.
const tryFor = 250 * time.Millisecond

// Outage is the time in which updates failed.
type Outage struct {
	// From is when the first update that failed was begun, To when the first one after
	// the last failure had succeeded. From is zero where none failed, To where none
	// succeeded any more.
	From, To time.Time
	Tried    int
	Failed   int
	// Last is the last failure's error, nil where none failed.
	Last error
}

// Length is how long updates failed. It reports false where they still did at the
// end: then the time is not known.
func (o Outage) Length() (time.Duration, bool) {
	switch {
	case o.From.IsZero():
		return 0, true
	case o.To.IsZero():
		return 0, false
	}
	return o.To.Sub(o.From), true
}

// Watch tries updates, one at a time and one every so often, until the context ends,
// and returns what it saw. An update that the end cut short does not count.
func Watch(ctx context.Context, every time.Duration, now func() time.Time, update func(ctx context.Context) error) Outage {
	var o Outage
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		from := now()
		tctx, cancel := context.WithTimeout(ctx, tryFor)
		err := update(tctx)
		cancel()
		if ctx.Err() != nil {
			return o
		}
		o.add(from, now(), err)
		select {
		case <-ctx.Done():
			return o
		case <-tick.C:
		}
	}
}

func (o *Outage) add(from, to time.Time, err error) {
	o.Tried++
	if err == nil {
		if !o.From.IsZero() && o.To.IsZero() {
			o.To = to
		}
		return
	}
	o.Failed++
	o.Last = err
	o.To = time.Time{} // it was not over
	if o.From.IsZero() {
		o.From = from
	}
}
