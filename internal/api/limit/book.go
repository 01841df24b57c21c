package limit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Keeper is one group that keeps rules.
type Keeper interface {
	// Name is for people: "group 2".
	Name() string
	// LoadRules reads the newest version of every rule.
	LoadRules(ctx context.Context) ([]Rule, error)
	// RuleHistory reads every version of a subject's rule that this group has.
	RuleHistory(ctx context.Context, s Subject) ([]Rule, error)
	// PutRule adds a version, or answers ErrOldRule.
	PutRule(ctx context.Context, r Rule) error
}

// ErrOldRule means that a keeper has this version of a rule or a newer one.
var ErrOldRule = errors.New("a newer version of the rule is known")

// Book is the rules in all groups. Each group has all of them, so that any one that
// answers will do; a group that missed a change is told by whoever reads next.
// It is safe for concurrent use.
type Book struct {
	Keepers []Keeper
	Timeout time.Duration // of one group
}

// Read reads all groups at once and returns the newest rules. It fails only where no
// group answered; missing are the errors of those that did not.
func (b *Book) Read(ctx context.Context) (rules Rules, missing []error, err error) {
	read, errs, missing, err := b.ask(ctx, Keeper.LoadRules)
	if err != nil {
		return nil, missing, err
	}
	rules = Rules{}
	for _, some := range read {
		rules.Add(some...)
	}
	b.mend(ctx, rules, read, errs)
	return rules, missing, nil
}

// History reads every version of a subject's rule, the newest first. A group that was
// out when a rule was set never hears of versions that were overtaken, so all of them
// are asked.
func (b *Book) History(ctx context.Context, s Subject) (versions []Rule, missing []error, err error) {
	read, _, missing, err := b.ask(ctx, func(k Keeper, ctx context.Context) ([]Rule, error) { return k.RuleHistory(ctx, s) })
	if err != nil {
		return nil, missing, err
	}
	for _, some := range read {
		for _, r := range some {
			if !slices.ContainsFunc(versions, func(has Rule) bool { return !newer(has, r) && !newer(r, has) }) {
				versions = append(versions, r)
			}
		}
	}
	slices.SortFunc(versions, func(a, b Rule) int {
		if newer(a, b) {
			return -1
		}
		return 1
	})
	return versions, missing, nil
}

// ask asks all keepers at once. It fails only where none answered.
func (b *Book) ask(ctx context.Context, what func(Keeper, context.Context) ([]Rule, error)) (read [][]Rule, errs, missing []error, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	read, errs = make([][]Rule, len(b.Keepers)), make([]error, len(b.Keepers))
	b.each(func(i int, k Keeper) { read[i], errs[i] = what(k, ctx) })
	for i, err := range errs {
		if err != nil {
			missing = append(missing, fmt.Errorf("%s: %w", b.Keepers[i].Name(), err))
		}
	}
	if len(missing) == len(b.Keepers) {
		err = fmt.Errorf("read the limits: no group answers: %w", errors.Join(missing...))
	}
	return read, errs, missing, err
}

// mend tells groups what they missed. That it fails does no harm: the next reader
// tries again.
func (b *Book) mend(ctx context.Context, rules Rules, read [][]Rule, errs []error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	b.each(func(i int, k Keeper) {
		if errs[i] != nil {
			return
		}
		has := Rules{}
		has.Add(read[i]...)
		for _, r := range rules.List() {
			if has[r.Subject].Version < r.Version {
				_ = k.PutRule(ctx, r)
			}
		}
	})
}

// Set writes a rule as the next version into every group that answers, and returns it.
// It fails where none took it, or where another change came at the same time; missing
// are the errors of groups that will learn of it later.
func (b *Book) Set(ctx context.Context, r Rule) (set Rule, missing []error, err error) {
	if err := r.Check(); err != nil {
		return r, nil, err
	}
	known, _, err := b.Read(ctx)
	if err != nil {
		return r, nil, err
	}
	r.Version = known[r.Subject].Version + 1
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	errs := make([]error, len(b.Keepers))
	b.each(func(i int, k Keeper) { errs[i] = k.PutRule(ctx, r) })
	overtaken := false
	for i, err := range errs {
		if err != nil {
			overtaken = overtaken || errors.Is(err, ErrOldRule)
			missing = append(missing, fmt.Errorf("%s: %w", b.Keepers[i].Name(), err))
		}
	}
	switch {
	case overtaken:
		return r, missing, fmt.Errorf("the limit of %s was changed by somebody else at the same time; look at it and try again: %w", r.Subject, errors.Join(missing...))
	case len(missing) == len(b.Keepers):
		return r, missing, fmt.Errorf("set the limit of %s: no group took it: %w", r.Subject, errors.Join(missing...))
	}
	return r, missing, nil
}

func (b *Book) each(f func(i int, k Keeper)) {
	var wg sync.WaitGroup
	for i, k := range b.Keepers {
		wg.Go(func() { f(i, k) })
	}
	wg.Wait()
}

// Teach reads the book once and lets the throttle learn. It returns the rules that came
// into force.
func (b *Book) Teach(ctx context.Context, t *Throttle) (changed []Rule, err error) {
	rules, _, err := b.Read(ctx)
	if err != nil {
		return nil, err
	}
	return t.Learn(time.Now(), rules.List()...), nil
}

// Follow teaches the throttle at every interval, until the context ends. It calls
// changed for each rule that comes into force, and failed once for each time that no
// group answers any more.
func (b *Book) Follow(ctx context.Context, t *Throttle, every time.Duration, changed func(Rule), failed func(error)) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	silent := false
	for {
		rules, err := b.Teach(ctx, t)
		if ctx.Err() != nil {
			return
		}
		for _, r := range rules {
			changed(r)
		}
		if err != nil && !silent {
			failed(err)
		}
		silent = err != nil
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
