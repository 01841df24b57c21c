package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paytool/internal/api/limit"
	"paytool/internal/store"
)

// limitTimeout is for one group: a change is in force everywhere within a second,
// also while a group hangs.
const limitTimeout = 250 * time.Millisecond

// limitBook is the rules in the engine's groups.
func (e *engine) limitBook() *limit.Book {
	b := &limit.Book{Timeout: limitTimeout}
	for _, g := range e.groups {
		b.Keepers = append(b.Keepers, limitKeeper{g})
	}
	return b
}

// limitKeeper keeps rules as base data of a group.
type limitKeeper struct{ group *store.Group }

// limitBody is a rule as it lies in a group. It is read by other versions of the
// program: keys are added, never changed.
type limitBody struct {
	PerSecond float64 `json:"per_second"`
	Burst     int     `json:"burst"`
	Cleared   bool    `json:"cleared"`
	By        string  `json:"by"`
	Reason    string  `json:"reason"`
}

// limitKind is the kind of base data that holds the rules of a kind.
func limitKind(k limit.Kind) string { return "limit_" + string(k) }

func (k limitKeeper) Name() string { return fmt.Sprintf("group %d", k.group.ID()) }

func (k limitKeeper) LoadRules(ctx context.Context) ([]limit.Rule, error) {
	var rules []limit.Rule
	for _, kind := range limit.Kinds() {
		rows, err := k.group.LoadBase(ctx, limitKind(kind))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			r, err := readLimit(kind, row)
			if err != nil {
				return nil, err
			}
			rules = append(rules, r)
		}
	}
	return rules, nil
}

func (k limitKeeper) RuleHistory(ctx context.Context, s limit.Subject) ([]limit.Rule, error) {
	rows, err := k.group.BaseHistory(ctx, limitKind(s.Kind), s.ID)
	if err != nil {
		return nil, err
	}
	versions := make([]limit.Rule, len(rows))
	for i, row := range rows {
		if versions[i], err = readLimit(s.Kind, row); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

func readLimit(kind limit.Kind, row store.Base) (limit.Rule, error) {
	var body limitBody
	if err := json.Unmarshal(row.Body, &body); err != nil {
		return limit.Rule{}, fmt.Errorf("read the limit of %s %q, version %d: %w", kind, row.ID, row.Version, err)
	}
	r := limit.Rule{
		Subject: limit.Subject{Kind: kind, ID: row.ID}, Version: row.Version, PerSecond: body.PerSecond, Burst: body.Burst,
		Cleared: body.Cleared, By: body.By, Reason: body.Reason, At: row.Updated,
	}
	return r, r.Check()
}

func (k limitKeeper) PutRule(ctx context.Context, r limit.Rule) error {
	body, err := json.Marshal(limitBody{PerSecond: r.PerSecond, Burst: r.Burst, Cleared: r.Cleared, By: r.By, Reason: r.Reason})
	if err != nil {
		return fmt.Errorf("write the limit of %s: %w", r.Subject, err)
	}
	err = k.group.PutBase(ctx, store.Base{Kind: limitKind(r.Kind), ID: r.ID, Version: r.Version, Body: body, Updated: r.At})
	if errors.Is(err, store.ErrOldVersion) {
		return fmt.Errorf("%w: %w", limit.ErrOldRule, err)
	}
	return err
}
