package ledger

import (
	"context"

	"paytool/internal/recon"
)

func (p *projector) proposed(ctx context.Context, e *Event, b proposedBody) error {
	n, err := b.Proposal.number()
	if err != nil {
		return err
	}
	at, stage, decidedBy, decided := e.At.UnixMilli(), Proposed, "", int64(0)
	if b.Action.atOnce() {
		stage, decidedBy, decided = Done, e.Actor, at
	}
	if err := p.one(ctx, `INSERT INTO proposals (n, stage, action, reason, text, until, by, at_ms, decided_by, decided_ms, result, count, fen)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?, ?)`, n, stage, b.Action, b.Reason, b.Text, b.Until, e.Actor, at, decidedBy, decided, b.Count, b.Sum); err != nil {
		return err
	}
	for _, id := range b.Differences {
		if err := p.one(ctx, `INSERT INTO members (proposal, id) VALUES (?, ?)`, n, id); err != nil {
			return err
		}
		if err := p.propose(ctx, e, b, n, id); err != nil {
			return err
		}
	}
	return nil
}

func (p *projector) propose(ctx context.Context, e *Event, b proposedBody, n int64, id recon.ID) error {
	switch b.Action {
	case Reopen:
		return p.reopen(ctx, e, id, b.Reason)
	case Carry:
		if err := p.one(ctx, `UPDATE differences SET state = 'carried', until = ?, reason = ?, changed_ms = ? WHERE id = ? AND since_ms IS NOT NULL AND pending = 0`,
			b.Until, b.Reason, e.At.UnixMilli(), id); err != nil {
			return err
		}
	case Resolve, WriteOff, Reissue, ConsoleRefund:
		if err := p.one(ctx, `UPDATE differences SET pending = ? WHERE id = ? AND since_ms IS NOT NULL AND pending = 0`, n, id); err != nil {
			return err
		}
	}
	return p.touch(ctx, e, id)
}

func (p *projector) approved(ctx context.Context, e *Event, b decidedBody) error {
	prop, err := proposalOf(ctx, p.tx, b.Proposal)
	if err != nil {
		return err
	}
	if prop.Action.byEngine() {
		if err := p.decide(ctx, e, prop, Approved, ""); err != nil {
			return err
		}
		return p.touch(ctx, e, prop.Differences[0])
	}
	if err := p.decide(ctx, e, prop, Done, ""); err != nil {
		return err
	}
	for _, id := range prop.Differences {
		if err := p.end(ctx, e, id, prop.Action.outcome(), prop.Reason, ""); err != nil {
			return err
		}
	}
	return nil
}

func (p *projector) decide(ctx context.Context, e *Event, prop Proposal, stage Stage, result string) error {
	n, err := prop.ID.number()
	if err != nil {
		return err
	}
	return p.one(ctx, `UPDATE proposals SET stage = ?, decided_by = ?, decided_ms = ?, result = ? WHERE n = ? AND stage = 'proposed'`,
		stage, e.Actor, e.At.UnixMilli(), result, n)
}

// decided ends a proposal without an effect: its differences are free again.
func (p *projector) decided(ctx context.Context, e *Event, id ProposalID, stage Stage, result string) error {
	prop, err := proposalOf(ctx, p.tx, id)
	if err != nil {
		return err
	}
	if err := p.decide(ctx, e, prop, stage, result); err != nil {
		return err
	}
	return p.release(ctx, e, prop)
}

func (p *projector) release(ctx context.Context, e *Event, prop Proposal) error {
	for _, d := range prop.Differences {
		if err := p.one(ctx, `UPDATE differences SET pending = 0 WHERE id = ? AND pending <> 0`, d); err != nil {
			return err
		}
		if err := p.touch(ctx, e, d); err != nil {
			return err
		}
	}
	return nil
}

func (p *projector) finished(ctx context.Context, e *Event, b finishedBody) error {
	prop, err := proposalOf(ctx, p.tx, b.Proposal)
	if err != nil {
		return err
	}
	n, err := b.Proposal.number()
	if err != nil {
		return err
	}
	stage := Failed
	if b.OK {
		stage = Done
	}
	if err := p.one(ctx, `UPDATE proposals SET stage = ?, result = ? WHERE n = ? AND stage = 'approved'`, stage, b.Result, n); err != nil {
		return err
	}
	if !b.OK {
		return p.release(ctx, e, prop)
	}
	for _, d := range prop.Differences {
		if err := p.one(ctx, `UPDATE differences SET executed = ? WHERE id = ?`, prop.Action, d); err != nil {
			return err
		}
		if err := p.end(ctx, e, d, prop.Action.outcome(), prop.Reason, ""); err != nil {
			return err
		}
	}
	return nil
}
