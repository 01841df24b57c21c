package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
)

type shardVerifyOptions struct {
	tag      int
	plan     string
	resume   string // checkpoint file
	throttle throttleOptions
}

func newShardVerifyCmd(a *app) *cobra.Command {
	var o shardVerifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare both groups of a move row by row, and look for orders in a wrong group",
		Long: `Compare every tag that is on its way, chunk by chunk: counts, sums and hashes, and where
those differ the rows, each of which is named. An order that changed and is still to be
copied does not count as different. Then every group is searched for rows of tags that
are not at home in it. It only reads, and may run beside everything else.

With --resume the file keeps how far it is: called again, it goes on there, and the file
is removed at the end.

Exit status: 0 nothing differs and nothing is astray, 1 something is, or it could not be
told, 2 wrong usage, 130 interrupted.`,
		Example: `  paytool shard verify
  paytool shard verify --tag 4 -o json
  paytool shard verify --resume verify.json --max-lag 500ms`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShardVerify(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.tag, "tag", 0, "only this tag (default: all)")
	f.StringVar(&o.plan, "plan", "", "only the moves of the plan with this hash, and no search (default: all)")
	f.StringVar(&o.resume, "resume", "", "file that keeps how far it is")
	o.throttle.flags(f)
	return cmd
}

// shardVerdict is the contract of `shard verify -o json`.
type shardVerdict struct {
	OK          bool            `json:"ok"`
	Compared    []comparedTag   `json:"compared"`
	Searched    []shard.GroupID `json:"searched"` // groups, for rows that are astray
	Differences []difference    `json:"differences"`
	Strays      []chunk.Stray   `json:"strays"`
}

// comparedTag is one tag that was compared between two groups.
type comparedTag struct {
	Tag    pay.Tag       `json:"tag"`
	Owner  shard.GroupID `json:"owner"`
	Copy   shard.GroupID `json:"copy"`
	Orders int64         `json:"orders"`
	Rows   int64         `json:"rows"`
}

// difference is one row that is not alike in the group that owns it and in the copy.
type difference struct {
	Table   string        `json:"table"`
	Key     string        `json:"key"`
	OrderNo string        `json:"order_no"`
	Tag     pay.Tag       `json:"tag"`
	Owner   shard.GroupID `json:"owner"`
	Copy    shard.GroupID `json:"copy"`
	Fate    string        `json:"fate"` // missing in the copy, extra there, or differs
	Text    string        `json:"text"` // of the columns that differ
}

func runShardVerify(ctx context.Context, a *app, o shardVerifyOptions) error {
	if o.tag < 0 {
		return usageError(fmt.Errorf("--tag %d: want 1 or more", o.tag))
	}
	return a.withMoves(ctx, o.throttle, func(e *engine, m *moves) error {
		if o.throttle.maxP99 > 0 {
			e.run(ctx) // its probes tell how long writes take
		}
		e.Refresh(ctx)
		v := verifier{
			moves: m, opts: o, topology: e.Fleet().Topology(),
			tell: func(line string) { a.err.Set(line) }, groups: e.groupIDs(),
			strays: func(ctx context.Context, g shard.GroupID, home []pay.Tag) ([]chunk.Stray, error) {
				side, err := e.side(ctx, g)
				if err != nil {
					return nil, err
				}
				return side.Strays(ctx, home)
			},
		}
		verdict, err := v.run(ctx)
		a.err.Set("")
		if err != nil {
			return err
		}
		return a.showShardVerdict(verdict)
	})
}

// verifier compares and searches.
type verifier struct {
	*moves
	opts     shardVerifyOptions
	topology shard.Topology
	groups   []shard.GroupID // of the config
	strays   func(ctx context.Context, g shard.GroupID, home []pay.Tag) ([]chunk.Stray, error)
	tell     func(line string)
	progress verifyProgress
}

func (v *verifier) run(ctx context.Context) (shardVerdict, error) {
	open, err := v.open(ctx, v.opts.plan)
	if err != nil {
		return shardVerdict{}, err
	}
	if v.progress, err = loadVerifyProgress(v.opts.resume); err != nil {
		return shardVerdict{}, err
	}
	if v.slow != nil {
		if err := v.slow(ctx, runsOf(open)); err != nil {
			return shardVerdict{}, err
		}
	}
	for _, s := range open {
		for _, tag := range s.Run.Tags {
			if s.State.Copied && (v.opts.tag == 0 || tag == pay.Tag(v.opts.tag)) {
				if err := v.compare(ctx, s, tag); err != nil {
					return shardVerdict{}, err
				}
			}
		}
	}
	if v.opts.plan == "" {
		if err := v.search(ctx, open); err != nil {
			return shardVerdict{}, err
		}
	}
	return v.progress.verdict(), v.progress.remove(v.opts.resume)
}

// compare compares one tag of a run: what the group that owns it has, against the copy.
func (v *verifier) compare(ctx context.Context, s mover.Standing, tag pay.Tag) error {
	owner, copied := s.Run.Source, s.Run.Target
	if s.State.Switched {
		owner, copied = copied, owner
	}
	leg := v.progress.leg(s.Run.ID, tag, owner, copied)
	if leg.Done {
		return nil
	}
	claim, _ := v.topology.Owner(tag)
	work := mover.Legwork{Tag: tag, From: owner, To: copied, Epoch: claim.Epoch, Brakes: v.brakes}
	total := rowsOfTag(s.Run, tag)
	err := v.carrier.Compare(ctx, work, leg.Checkpoint, func(_ context.Context, checkpoint string, p mover.Progress) error {
		line := fmt.Sprintf("tag %d: %s of %s rows compared", tag, thousands(p.Rows), thousands(max(p.Rows, total)))
		if p.Held != "" {
			v.tell(line + ", waits: " + p.Held)
			return nil
		}
		v.tell(line)
		leg.Checkpoint, leg.Orders, leg.Rows = checkpoint, p.Orders, p.Rows
		return v.progress.save(v.opts.resume)
	}, func(d mover.Difference) error {
		leg.Differences = append(leg.Differences, difference{
			Table: d.Table, Key: d.Key, OrderNo: d.OrderNo, Tag: tag, Owner: owner, Copy: copied, Fate: d.Fate, Text: d.Text,
		})
		return nil
	})
	if err != nil {
		return fmt.Errorf("compare tag %d in groups %d and %d: %w", tag, owner, copied, err)
	}
	leg.Done = true
	return v.progress.save(v.opts.resume)
}

func rowsOfTag(r mover.Run, tag pay.Tag) int64 {
	for _, m := range r.Plan.Moves {
		if m.Tag == tag {
			return m.Rows
		}
	}
	return 0
}

// search looks for rows in groups that they do not belong to. A group is home to the
// tags that it owns, and while a move is open to those that pass through it.
func (v *verifier) search(ctx context.Context, open []mover.Standing) error {
	for _, g := range v.groups {
		if v.progress.searched(g) {
			continue
		}
		v.tell(fmt.Sprintf("group %d is searched for rows that are astray", g))
		found, err := v.strays(ctx, g, v.home(g, open))
		if err != nil {
			return fmt.Errorf("search group %d: %w", g, err)
		}
		found = slices.DeleteFunc(found, func(s chunk.Stray) bool { return v.opts.tag != 0 && s.Tag != pay.Tag(v.opts.tag) })
		v.progress.Searches = append(v.progress.Searches, searchProgress{Group: g, Strays: append([]chunk.Stray{}, found...)})
		if err := v.progress.save(v.opts.resume); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) home(g shard.GroupID, open []mover.Standing) []pay.Tag {
	tags := v.topology.TagsOf(g)
	for _, s := range open {
		if s.Run.Source == g || s.Run.Target == g {
			tags = append(tags, s.Run.Tags...)
		}
	}
	if v.topology.Legacy == g {
		tags = append(tags, 0) // of numbers without a tag
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func (a *app) showShardVerdict(v shardVerdict) error {
	if err := a.show(v, func(w io.Writer) error { return writeShardVerdict(w, v) }); err != nil {
		return err
	}
	if !v.OK {
		return errNo
	}
	return nil
}

func writeShardVerdict(w io.Writer, v shardVerdict) error {
	p := printer{w: w}
	for _, c := range v.Compared {
		p.printf("tag %d: %s orders, %s rows of group %d compared with the copy in group %d\n", c.Tag, thousands(c.Orders), thousands(c.Rows), c.Owner, c.Copy)
	}
	if len(v.Searched) > 0 {
		p.printf("groups %s searched for rows that are astray\n", groupList(v.Searched))
	}
	if len(v.Differences) > 0 {
		t := report.Table{Header: []string{"TABLE", "KEY", "ORDER", "TAG", "OWNER", "COPY", "THE COPY", "COLUMNS"}, Right: map[string]bool{"TAG": true, "OWNER": true, "COPY": true}}
		for _, d := range v.Differences {
			t.Add(d.Table, d.Key, d.OrderNo, d.Tag, d.Owner, d.Copy, copyWord(d.Fate), d.Text)
		}
		p.printf("\n")
		p.err = errors.Join(p.err, t.Write(w))
	}
	for _, s := range v.Strays {
		what := "of a tag that is not at home there"
		if s.Mislabelled {
			what = "whose number ends in another tag than their row says"
		}
		p.printf("group %d has %s rows of tag %d in %s, %s; the first is of order %s\n", s.Group, thousands(s.Rows), s.Tag, s.Table, what, s.First)
	}
	if v.OK {
		p.printf("\nok: nothing differs, and nothing is astray\n")
	} else {
		p.printf("\nNOT OK: %d rows differ, %d kinds of rows are astray\n", len(v.Differences), len(v.Strays))
	}
	return p.err
}

// copyWord says what is wrong with a copied row.
func copyWord(fate string) string {
	switch fate {
	case "missing":
		return "lacks it"
	case "extra":
		return "alone has it"
	}
	return "differs"
}

func (e *engine) groupIDs() (ids []shard.GroupID) {
	for _, g := range e.groups {
		ids = append(ids, g.ID())
	}
	return ids
}
