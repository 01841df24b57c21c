package mover

import (
	"context"
	"maps"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

func (g *fake) ID() shard.GroupID { return g.id }

func (g *fake) report() shard.Report {
	r := shard.Report{Group: g.id, State: g.state, Weight: g.weight, Epoch: g.epoch}
	for _, tag := range slices.Sorted(maps.Keys(g.tags)) {
		r.Claims = append(r.Claims, shard.Claim{Tag: tag, Group: g.id, State: g.tags[tag].state, Epoch: g.tags[tag].epoch})
	}
	return r
}

func (g *fake) Info(ctx context.Context) (r shard.Report, err error) {
	err = g.w.call(ctx, g, "info", func() error { r = g.report(); return nil })
	return r, err
}

func (g *fake) Follow(context.Context) (bool, error) { return false, nil }

func (g *fake) Lag(context.Context) (time.Duration, bool) {
	return time.Duration(g.w.rng.IntN(1200)) * time.Millisecond, g.w.rng.IntN(10) > 0
}

func (g *fake) SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, _ time.Time) error {
	return g.w.call(ctx, g, "weight", func() error {
		if epoch < g.epoch {
			return ErrOldEpoch
		}
		g.weight, g.state, g.epoch = weight, state, epoch
		return nil
	})
}

func (g *fake) RaiseEpoch(ctx context.Context, epoch int64) error {
	return g.w.call(ctx, g, "raise", func() error { g.epoch = max(g.epoch, epoch); return nil })
}

func (g *fake) Runs(ctx context.Context) (runs []Run, leases []Lease, err error) {
	err = g.w.call(ctx, g, "runs", func() error {
		runs = slices.Clone(g.runs)
		for _, l := range g.leases {
			leases = append(leases, l)
		}
		return nil
	})
	return runs, leases, err
}

func (g *fake) Begin(ctx context.Context, r Run, ended []string) error {
	return g.w.call(ctx, g, "begin", func() error {
		for _, other := range g.runs {
			if other.ID == r.ID {
				return nil
			}
			if other.Plan.Hash != r.Plan.Hash && !slices.Contains(ended, other.ID) {
				return ErrHeld
			}
		}
		g.runs = append(g.runs, r)
		return nil
	})
}

func (g *fake) Journal(ctx context.Context, run string) (j []move.Entry, err error) {
	err = g.w.call(ctx, g, "journal", func() error { j = slices.Clone(g.journals[run]); return nil })
	return j, err
}

func (g *fake) held(run, holder string) error {
	if holder != "" && g.leases[run].Holder != holder {
		return ErrHeld
	}
	return nil
}

func (g *fake) Append(ctx context.Context, run, holder string, e move.Entry) error {
	return g.w.call(ctx, g, "append "+string(e.Mark)+" "+string(e.Step), func() error {
		if err := g.held(run, holder); err != nil {
			return err
		}
		if e.Seq != int64(len(g.journals[run]))+1 {
			return ErrSeq
		}
		g.journals[run] = append(g.journals[run], e)
		return nil
	})
}

func (g *fake) Checkpoint(ctx context.Context, run, name string) (text string, err error) {
	err = g.w.call(ctx, g, "checkpoint", func() error { text = g.checkpoints[run+" "+name]; return nil })
	return text, err
}

func (g *fake) SaveCheckpoint(ctx context.Context, run, holder, name, text string) error {
	return g.w.call(ctx, g, "save", func() error {
		if err := g.held(run, holder); err != nil {
			return err
		}
		g.checkpoints[run+" "+name] = text
		return nil
	})
}

func (g *fake) Hold(ctx context.Context, run, holder string, now, until time.Time) error {
	return g.w.call(ctx, g, "hold", func() error {
		if l := g.leases[run]; l.Holder != "" && l.Holder != holder && now.Before(l.Until) {
			return ErrHeld
		}
		g.leases[run] = Lease{Run: run, Holder: holder, Until: until}
		return nil
	})
}

func (g *fake) Drop(ctx context.Context, run, holder string) error {
	return g.w.call(ctx, g, "drop", func() error {
		if g.leases[run].Holder == holder {
			delete(g.leases, run)
		}
		return nil
	})
}

func (g *fake) Admit(ctx context.Context, tags []pay.Tag, holder string) error {
	return g.w.call(ctx, g, "admit", func() error {
		for _, tag := range tags {
			if g.tags[tag] == nil {
				g.tags[tag] = &tagRow{state: shard.TagMoved}
			}
			g.tags[tag].mover = holder
		}
		return nil
	})
}

func (g *fake) admitted(holder string, tags []pay.Tag) error {
	for _, tag := range tags {
		if row := g.tags[tag]; row != nil && row.mover != holder {
			return ErrHeld
		}
	}
	return nil
}

func (g *fake) SetClaims(ctx context.Context, holder string, c Claims) error {
	return g.w.call(ctx, g, "claims "+string(c.State), func() error {
		if err := g.admitted(holder, c.Tags); err != nil {
			return err
		}
		for _, tag := range c.Tags {
			if row := g.tags[tag]; row != nil && row.epoch > c.Epoch {
				return ErrOldEpoch
			}
		}
		if c.State == shard.TagFenced && g.w.rng.Float64() < g.w.busy {
			return ErrBusy
		}
		for _, tag := range c.Tags {
			row := g.tags[tag]
			if row == nil {
				row = &tagRow{mover: holder}
				g.tags[tag] = row
			}
			row.state, row.epoch = c.State, c.Epoch
			if c.Record != nil {
				row.recording = *c.Record
			}
		}
		g.epoch = max(g.epoch, c.Epoch)
		return nil
	})
}

func (g *fake) Record(ctx context.Context, holder string, tags []pay.Tag, on bool) error {
	return g.w.call(ctx, g, "record", func() error {
		if err := g.admitted(holder, tags); err != nil {
			return err
		}
		for _, tag := range tags {
			g.tags[tag].recording = on
		}
		return nil
	})
}

func (g *fake) below(tags []pay.Tag, stage Stage) (list []Changed) {
	for _, c := range g.changed {
		if c.Stage < stage && slices.Contains(tags, c.Tag) {
			list = append(list, c)
		}
	}
	return list
}

func (g *fake) Changes(ctx context.Context, tags []pay.Tag, below Stage, limit int) (list []Changed, err error) {
	err = g.w.call(ctx, g, "changes", func() error {
		list = g.below(tags, below)
		list = list[:min(limit, len(list))]
		return nil
	})
	return list, err
}

func (g *fake) CountChanges(ctx context.Context, tags []pay.Tag, below Stage) (n int64, err error) {
	err = g.w.call(ctx, g, "count", func() error { n = int64(len(g.below(tags, below))); return nil })
	return n, err
}

func (g *fake) Advance(ctx context.Context, ids []int64, to Stage) error {
	return g.w.call(ctx, g, "advance", func() error {
		for i := range g.changed {
			if slices.Contains(ids, g.changed[i].ID) {
				g.changed[i].Stage = to
			}
		}
		return nil
	})
}

func (g *fake) Forget(ctx context.Context, holder string, tags []pay.Tag, through int64) error {
	return g.w.call(ctx, g, "forget", func() error {
		if err := g.admitted(holder, tags); err != nil {
			return err
		}
		g.changed = slices.DeleteFunc(g.changed, func(c Changed) bool {
			return slices.Contains(tags, c.Tag) && (through == 0 || c.Stage == Compared && c.ID <= through)
		})
		return nil
	})
}

func (g *fake) Open(ctx context.Context, _ shard.GroupID) (n int64, err error) {
	err = g.w.call(ctx, g, "open", func() error {
		if g.w.rng.IntN(8) == 0 {
			n = 1
		}
		return nil
	})
	return n, err
}

func (g *fake) Instances(ctx context.Context, now time.Time) (m map[string]int64, err error) {
	err = g.w.call(ctx, g, "instances", func() error {
		m = map[string]int64{"01": g.knows}
		if g.silent.After(now) {
			m["02"] = 1 // records changes, and knows no newer epoch
		}
		return nil
	})
	return m, err
}
