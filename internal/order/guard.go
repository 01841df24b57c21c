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

// GuardPolicy is what a payment does when the guard got no answer from a group.
type GuardPolicy string

// The policies of the guard before pay.
const (
	GuardAsk    GuardPolicy = "ask"    // the cashier is told and may confirm
	GuardPay    GuardPolicy = "pay"    // go on, the order is marked
	GuardRefuse GuardPolicy = "refuse" // no payment before the group answers
)

// guardVerdict is what the guard found.
type guardVerdict struct {
	// instead is the attempt to go on with in place of the asked one: it is paid,
	// open, or the twin that stays.
	instead *Order
	// risk: a group was silent, and the policy or the cashier says go on.
	risk bool
}

// guard asks every group for other attempts of the key, before the channel may be
// called (money rules, rule 7). A CREATED twin is voided here, by compare-and-set,
// so that of two instances that pay twins at once one fails.
func (e *Engine) guard(ctx context.Context, o Order, confirmed bool) (guardVerdict, error) {
	rows, silent := e.askFresh(ctx, o.Key)
	for _, other := range rows {
		if other.No == o.No || other.State.Final() {
			continue
		}
		if other.State != pay.Created {
			return guardVerdict{instead: &other}, nil
		}
		keep, loser := o, other
		if pay.GuardKeepsSecond(o.Twin(), other.Twin()) {
			keep, loser = other, o
		}
		done, err := e.voidTwin(ctx, loser.No, keep.No, pay.ByGuard)
		e.trace(o.No, "guard", fmt.Sprintf("twin %s is %s; void %s: %t", other.No, other.State, loser.No, done && err == nil))
		switch {
		case err != nil:
			silent = append(silent, loser.Group) // it could not be told: what it holds may still be paid
		case !done:
			return guardVerdict{}, errMovedMeanwhile(loser.No)
		case keep.No == other.No:
			return guardVerdict{instead: &other}, nil
		}
	}
	return e.onSilence(o, silent, confirmed)
}

// onSilence applies the policy for groups of which no node answered.
func (e *Engine) onSilence(o Order, silent []shard.GroupID, confirmed bool) (guardVerdict, error) {
	if len(silent) == 0 {
		return guardVerdict{}, nil
	}
	slices.Sort(silent)
	silent = slices.Compact(silent)
	e.count("guard_silent")
	e.trace(o.No, "guard", fmt.Sprintf("groups %v are silent", silent))
	policy := e.opts.Guard
	if policy == "" {
		policy = GuardPay
		if slices.ContainsFunc(silent, func(g shard.GroupID) bool { return !e.opts.AsyncGroups[g] }) {
			policy = GuardAsk
		}
	}
	message := fmt.Sprintf("groups %v do not say whether they hold another payment of key %s", silent, o.Key)
	switch {
	case policy == GuardRefuse:
		return guardVerdict{}, &Error{Code: CodeGuardSilent, Outcome: NotCommitted, RetryAfter: time.Second,
			Message: message, Hint: "nothing was sent; try again when they are back"}
	case policy == GuardAsk && !confirmed:
		return guardVerdict{}, &Error{Code: CodeRiskDouble, Outcome: NotCommitted, RetryAfter: time.Second,
			Message: message, Hint: "nothing was sent; ask the buyer whether this was paid already, and confirm (--confirm-risk) if it was not"}
	}
	return guardVerdict{risk: true}, nil
}

// askFresh reads the live rows of a key in all groups for a decision about money,
// and names those of which no node could answer for sure.
func (e *Engine) askFresh(ctx context.Context, key pay.Key) (found []Order, silent []shard.GroupID) {
	ctx, cancel := e.env.WithTimeout(ctx, e.opts.GuardTimeout)
	defer cancel()
	rows, silent := askEach(ctx, e, func(ctx context.Context, m *member) ([]Order, error) {
		_, down := e.fleet.Down(m.ID())
		return m.FindKeyFresh(ctx, key, down && !m.primaryAnswers())
	})
	found, unread := e.owned(ctx, slices.Concat(rows...))
	return found, append(silent, unread...)
}

func errMovedMeanwhile(no pay.OrderNo) error {
	return &Error{Code: CodeMoved, Outcome: NotCommitted, RetryAfter: fencePause, Err: errMoved,
		Message: fmt.Sprintf("order %s: %v", no, errMoved), Hint: "ask again"}
}

func isMoved(err error) bool { return errors.Is(err, errMoved) }
