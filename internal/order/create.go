package order

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Create writes an order into the first group that takes it and answers with it.
// Asked again with the same key and amount it answers with the last attempt.
//
// An error is an *Error. With Outcome NotCommitted nothing was written; with
// Unknown an order may exist, and the caller asks again with the same key.
//
// Cost without trouble: one transaction of three round trips in the home group.
// In trouble a try ends after CreateTimeout, and no try of a group that is out starts
// later than twice that. Where no group answered in time, though not all are out, up to
// two of them are tried once more.
func (e *Engine) Create(ctx context.Context, r Request) (Order, error) {
	if err := e.Check(r); err != nil {
		return Order{}, err
	}
	c := &creation{e: e, Request: r, attempt: 1, start: e.env.Now(), failed: map[shard.GroupID]error{}}
	if r.NewAttempt {
		attempt, err := e.nextAttempt(ctx, r.Key)
		if err != nil {
			return Order{}, err
		}
		c.attempt = attempt
	}
	if err := c.reserve(ctx); err != nil {
		return Order{}, err
	}
	c.plan = e.fleet.Plan(r.Key, c.start, e.draw)
	if found, ok := c.lookUp(ctx); ok {
		return c.answer(ctx, found)
	}
	return c.run(ctx)
}

// Check refuses a request that no group could take. It asks nobody.
func (e *Engine) Check(r Request) error {
	if err := r.check(e.opts.MaxAmount); err != nil {
		return refuseInput(err)
	}
	return nil
}

// Plan works out which groups a create would try now, and writes nothing.
func (e *Engine) Plan(r Request) shard.Plan { return e.fleet.Plan(r.Key, e.env.Now(), e.draw) }

// creation is one Create on its way through the groups.
type creation struct {
	Request
	e       *Engine
	attempt int
	start   time.Time
	plan    shard.Plan
	numbers numbers
	doubts  []Doubt                 // tries of this request whose outcome is unknown
	failed  map[shard.GroupID]error // the error of each group tried
	again   []shard.GroupID         // that are tried a second time, nil before that
}

// secondTries is how many groups are tried a second time: as many as a request has
// numbers for, see reserve. They begin within secondWithin times CreateTimeout or not at all.
const (
	secondTries  = 2
	secondWithin = 4
)

// reserve takes a number for each group and two to spare. A full second is
// waited out; a clock that went back is refused until it has caught up.
func (c *creation) reserve(ctx context.Context) error {
	for {
		block, err := c.e.seq.block(c.e.env.Now(), len(c.e.members)+2)
		switch {
		case err == nil:
			c.numbers = block
			return nil
		case errors.Is(err, errClockBack):
			return &Error{Code: CodeClockBack, Outcome: NotCommitted, Err: err, RetryAfter: time.Second,
				Message: "the clock of this machine went back; no order number is given out before it has caught up",
				Hint:    "check the time service of this machine"}
		}
		if err := c.e.env.Sleep(ctx, 10*time.Millisecond); err != nil {
			return errCancelled(err)
		}
	}
}

// run tries the groups of the plan until one has the order. Every good group is
// tried, however long the ones before it took. Groups that are stuck with their creates
// are passed, and when no other good one is left, a place is waited for rather than
// an ejected group tried.
//
// That every group hangs at once is a slow moment of this machine or of what they share,
// more likely than the end of all of them: it is over when the last one was waited for.
func (c *creation) run(ctx context.Context) (Order, error) {
	lastStart := c.start.Add(2 * c.e.opts.CreateTimeout)
	if c.plan.Hopeless {
		lastStart = c.start.Add(c.e.opts.LookupTimeout) // one that hangs is enough: answer at once
	}
	for {
		full := 0
		for i, g := range c.plan.Tries {
			if c.tried(g) {
				continue
			}
			lastResort := i >= c.plan.Good
			late := c.e.env.Now().After(lastStart)
			if ctx.Err() != nil || (lastResort && (late || (full > 0 && !c.plan.Panic()))) {
				break
			}
			ticket, ok := c.e.fleet.Enter(g, c.e.env.Now(), lastResort)
			if !ok {
				full++
				continue
			}
			order, ended, err := c.tryIn(ctx, ticket)
			if ended {
				return order, err
			}
		}
		if full == 0 || c.plan.Hopeless || ctx.Err() != nil || c.e.env.Now().After(lastStart) {
			if !c.secondRound(ctx) {
				return Order{}, c.giveUp(ctx, full)
			}
			lastStart = c.e.env.Now().Add(c.e.opts.CreateTimeout)
			continue
		}
		_ = c.e.env.Sleep(ctx, 5*time.Millisecond) // the loop looks at the context itself
		c.plan = c.e.fleet.Plan(c.Key, c.e.env.Now(), c.e.draw)
	}
}

func (c *creation) tried(g shard.GroupID) bool {
	return c.failed[g] != nil && !slices.Contains(c.again, g)
}

// secondRound lets groups that did not answer in time be tried once more, and reports
// whether there are any.
func (c *creation) secondRound(ctx context.Context) bool {
	now := c.e.env.Now()
	if c.again != nil || c.e.opts.InlineProbe || ctx.Err() != nil || now.After(c.start.Add(secondWithin*c.e.opts.CreateTimeout)) {
		return false
	}
	plan := c.e.fleet.Plan(c.Key, now, c.e.draw)
	if plan.Hopeless {
		return false
	}
	for _, g := range plan.Tries {
		if causeOf(c.failed[g]) == shard.Hang && len(c.again) < secondTries {
			c.again = append(c.again, g)
		}
	}
	if c.again == nil {
		return false
	}
	c.plan = plan
	return true
}

func (c *creation) giveUp(ctx context.Context, full int) error {
	if len(c.doubts) > 0 {
		return errUnknown(c.Key, c.doubts, c.failed[c.doubts[0].OldGroup])
	}
	if err := ctx.Err(); err != nil {
		return errCancelled(err)
	}
	return errNoGroup(c.e.fleet.Snapshot(), c.failed, full > 0 && !c.plan.Hopeless)
}

func errCancelled(err error) error {
	return &Error{Code: CodeCancelled, Outcome: NotCommitted, Message: "cancelled before an order was written", Err: err}
}

// tryIn makes one try and reports whether the request ends with it.
func (c *creation) tryIn(ctx context.Context, ticket shard.Ticket) (order Order, ended bool, err error) {
	m, ok := c.e.member(ticket.Group)
	if !ok {
		c.e.fleet.Leave(ticket, c.e.env.Now(), shard.Result{})
		c.failed[ticket.Group] = errNoLease
		return Order{}, false, nil
	}
	c.again = slices.DeleteFunc(c.again, func(g shard.GroupID) bool { return g == m.ID() })
	o, err := c.try(ctx, m)
	counted := ctx.Err() == nil || err == nil // a caller that went away says nothing about the group
	c.e.heard(c.e.fleet.Leave(ticket, c.e.env.Now(), shard.Result{
		Counts: counted && (err == nil || causeOf(err) != ""), Cause: causeOf(err),
	}))
	switch {
	case err == nil:
		return o, true, nil
	case errors.Is(err, ErrDuplicateKey):
		o, err := c.adopt(ctx, m)
		return o, true, err
	case errors.Is(err, ErrRefusedValue) && len(c.doubts) == 0: // else an earlier try may have been committed
		return Order{}, true, refuseInput(err)
	}
	c.failed[ticket.Group] = err
	if !o.No.IsZero() {
		c.e.trace(o.No, "try", fmt.Sprintf("key %s in group %d: %v", c.Key, m.ID(), err))
	}
	if errors.Is(err, ErrNotOwned) {
		c.e.stale.Store(true)
		c.e.fleet.Hopped(m.ID(), c.e.env.Now())
	}
	if outcomeOf(err) == Unknown {
		c.doubts = append(c.doubts, Doubt{
			OrderNo: o.No, OldGroup: m.ID(), Key: c.Key, Attempt: c.attempt, Amount: c.Amount,
			Shadow: c.Shadow, Created: c.e.env.Now(),
		})
	}
	return Order{}, false, nil
}

// try is one create transaction in one group. The order is returned with an
// error too: its number is what a doubt is about. A number that is taken is
// passed over.
func (c *creation) try(ctx context.Context, m *member) (Order, error) {
	ctx, cancel := c.e.env.WithTimeout(ctx, c.e.opts.CreateTimeout)
	defer cancel()
	if c.e.opts.InlineProbe {
		if answer := c.e.probe(ctx, m); answer.Cause != "" {
			return Order{}, &Fault{Outcome: NotCommitted, Cause: answer.Cause, Err: answer.Err}
		}
	}
	for {
		lease, _ := m.currentLease()
		tag := pay.Tag(m.ID())
		no, err := c.numbers.take(lease, tag, c.e.opts.TagWidth)
		if err != nil {
			return Order{}, &Fault{Outcome: NotCommitted, Err: err}
		}
		o := c.order(no, m.ID())
		if err = c.write(ctx, m, o); !errors.Is(err, ErrDuplicateNo) {
			return o, err
		}
	}
}

func (c *creation) order(no pay.OrderNo, g shard.GroupID) Order {
	now := c.e.env.Now()
	return Order{
		No: no, Key: c.Key, Attempt: c.attempt, State: pay.Created, Amount: c.Amount, Channel: c.Channel,
		TerminalID: c.TerminalID, Subject: c.Subject, Created: now, Updated: now, Due: now.Add(c.e.opts.Expiry), Shadow: c.Shadow,
		Version: 1, OpID: c.e.opID(), Group: g,
	}
}

func (c *creation) write(ctx context.Context, m *member, o Order) error {
	hops := c.hops(o, c.plan.Above(m.ID()))
	err := transact(ctx, m, func(tx Tx) error {
		if err := c.insert(ctx, tx, o); err != nil {
			return err
		}
		if len(hops) > 0 {
			if err := tx.InsertHops(ctx, hops); err != nil {
				return err
			}
			c.e.fleet.WillLand(shard.Landing{Key: c.Key, Group: m.ID(), At: o.Created})
		}
		if len(c.doubts) == 0 {
			return nil
		}
		return tx.InsertDoubts(ctx, c.doubtsFor(o.No))
	})
	if err == nil {
		for _, h := range hops {
			c.e.trace(o.No, "hop", fmt.Sprintf("past group %d (%s) into group %d", h.Above, h.Reason, m.ID()))
			c.e.opts.OnHop(h)
		}
	}
	return err
}

// insert writes the order in one round trip where nothing speaks against it, and else
// finds out what does.
func (c *creation) insert(ctx context.Context, tx Tx, o Order) error {
	if done, err := tx.InsertOwned(ctx, o); done || err != nil {
		return err
	}
	claim, last, err := tx.LockTag(ctx, o.No.Tag(), c.Key)
	switch {
	case err != nil:
		return err
	case claim.State != shard.TagOwned:
		return &Fault{Outcome: NotCommitted, Err: ErrNotOwned}
	case last >= c.attempt:
		return ErrDuplicateKey
	}
	return tx.InsertOrder(ctx, o)
}

func (c *creation) hops(o Order, above []shard.GroupID) []Hop {
	hops := make([]Hop, 0, len(above))
	for _, g := range above {
		hops = append(hops, Hop{OrderNo: o.No, Above: g, Key: c.Key, Attempt: c.attempt,
			Reason: c.reason(g, o.Group), Created: o.Created, Due: o.Created})
	}
	return hops
}

// reason says in a word why a group above the winner was passed.
func (c *creation) reason(g, winner shard.GroupID) string {
	if slices.ContainsFunc(c.doubts, func(d Doubt) bool { return d.OldGroup == g }) {
		return Unknown.String()
	}
	if cause := causeOf(c.failed[g]); cause != "" {
		return string(cause)
	}
	if !c.e.fleet.Admitted(g) {
		return "ejected"
	}
	if c.plan.Reweighted(g, winner) {
		return ReasonWeights
	}
	return reasonBusy
}

// doubtsFor are the doubts that go if the winner stays. An earlier try that turned out to
// be the winner is none of them.
func (c *creation) doubtsFor(winner pay.OrderNo) []Doubt {
	doubts := slices.DeleteFunc(slices.Clone(c.doubts), func(d Doubt) bool { return d.OrderNo == winner })
	for i := range doubts {
		doubts[i].Winner = winner
	}
	return doubts
}
