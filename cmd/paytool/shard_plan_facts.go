package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
	"paytool/internal/shard/move"
	"paytool/internal/store"
	"paytool/internal/store/chunk"
)

// Rows a second that a plan expects: what scripts/bench/rebalance came to on two cores
// with other work on them.
const (
	expectedCopy   = 20_000
	expectedVerify = 100_000
)

// planTimeout bounds what one server is asked by the doctor. A plan is in no hurry, and
// a server that answers late must not look like a broken one.
const planTimeout = 10 * time.Second

// maxDuplicates is how many duplicates a plan lists of each tag; it counts all.
const maxDuplicates = 20

// asked is what all groups said before a plan was drafted.
type asked struct {
	reports []shard.Report
	facts   move.Facts
}

func (s asked) topology(cfg *config.Config) shard.Topology {
	return shard.NewTopology(shard.GroupID(cfg.Engine.LegacyGroup), s.reports...)
}

// plan asks all groups what a plan has to know. It only reads.
func (e *engine) plan(ctx context.Context, embedded bool, request move.Request) (*move.Plan, error) {
	return e.planWith(ctx, request, e.ask(ctx, embedded))
}

func (e *engine) ask(ctx context.Context, embedded bool) (all asked) {
	if embedded {
		all.reports, all.facts = e.askFiles(ctx)
	} else {
		all.reports, all.facts = e.askServers(ctx)
	}
	return all
}

// planWith goes on with what the groups said, and counts what would move.
func (e *engine) planWith(ctx context.Context, request move.Request, all asked) (*move.Plan, error) {
	facts := all.facts
	facts.TagWidth, facts.CopyRows, facts.VerifyRows = e.cfg.Engine.TagWidth, expectedCopy, expectedVerify
	plan := move.Draft(all.topology(e.cfg), request)
	for _, m := range plan.Moves {
		if err := e.weigh(ctx, m.Leg, &facts); err != nil {
			return nil, fmt.Errorf("plan the move of tag %d: %w", m.Tag, err)
		}
	}
	plan.Judge(facts)
	return &plan, ctx.Err()
}

// askServers has the doctor's facts of every server. A group that no engine has
// prepared is not part of the topology yet, and may join.
func (e *engine) askServers(ctx context.Context) (reports []shard.Report, facts move.Facts) {
	seen := readFacts(ctx, e.cfg, doctorOptions{timeout: planTimeout})
	facts.Findings = doctor.Judge(seen)
	for _, g := range seen.Groups {
		about := move.GroupFacts{Group: g.ID, FreeBytes: -1}
		primary := g.Nodes[0] // all are asked
		switch books := primary.Books; {
		case books == nil:
			about.Silent = "its primary could not be read"
			for _, r := range primary.Refusals {
				about.Silent = r.Reason
			}
		case books.Prepared:
			about.Schema = books.Schema
			reports = append(reports, books.Report)
		}
		about.Server = primary.Variables["version"]
		for _, d := range primary.Disks {
			if free := int64(min(d.Free, math.MaxInt64)); about.FreeBytes < 0 || free < about.FreeBytes {
				about.FreeBytes = free
			}
		}
		facts.Groups = append(facts.Groups, about)
	}
	return reports, facts
}

// askFiles is askServers for embedded groups, which the doctor does not know. A file
// that a program of this version opens has its schema.
func (e *engine) askFiles(ctx context.Context) (reports []shard.Report, facts move.Facts) {
	for _, g := range e.groups {
		about := move.GroupFacts{Group: g.ID(), FreeBytes: -1, Schema: store.SchemaVersion()}
		info, err := g.Info(ctx)
		if err != nil {
			about.Silent = err.Error()
		} else {
			reports = append(reports, info)
		}
		facts.Groups = append(facts.Groups, about)
	}
	return reports, facts
}

// weigh counts a tag's rows at its source, and looks its keys up in the target. A
// group that is silent is refused elsewhere.
func (e *engine) weigh(ctx context.Context, leg move.Leg, facts *move.Facts) error {
	i := slices.IndexFunc(facts.Groups, func(g move.GroupFacts) bool { return g.Group == leg.From && g.Silent == "" })
	if i < 0 || !slices.ContainsFunc(facts.Groups, func(g move.GroupFacts) bool { return g.Group == leg.To && g.Silent == "" }) {
		return nil
	}
	source, err := e.side(ctx, leg.From)
	if err != nil {
		return err
	}
	target, err := e.side(ctx, leg.To)
	if err != nil {
		return err
	}
	about, err := weighTag(ctx, source, target, leg.Tag)
	if err != nil {
		return err
	}
	facts.Groups[i].Tags = append(facts.Groups[i].Tags, about)
	return nil
}

func weighTag(ctx context.Context, source, target *chunk.Side, tag pay.Tag) (move.TagFacts, error) {
	about := move.TagFacts{Tag: tag}
	sizes, err := source.Sizes(ctx, tag)
	if err != nil {
		return about, err
	}
	for _, s := range sizes {
		about.Tables = append(about.Tables, move.TableSize{Table: s.Table, Rows: s.Rows, Bytes: s.Bytes})
	}
	err = chunk.Twins(ctx, source, target, tag, chunk.Pace{}, func(t chunk.Twin) error {
		if about.Clashing++; about.Clashing <= maxDuplicates {
			about.Duplicates = append(about.Duplicates, move.Duplicate{
				MerchantID: t.Merchant, MerchantOrderNo: t.MerchantOrderNo, Attempt: t.Attempt, Source: t.Source, Target: t.Target,
			})
		}
		return nil
	})
	return about, err
}

func (e *engine) side(ctx context.Context, id shard.GroupID) (*chunk.Side, error) {
	for _, g := range e.groups {
		if g.ID() == id {
			return chunk.Open(ctx, g)
		}
	}
	return nil, fmt.Errorf("group %d is not in the config", id)
}
