package ledger

import (
	"context"
	"database/sql"
	"fmt"
)

// Instruction is what the order engine has to carry out. Its outcome comes back by
// Finish; the difference's id makes it idempotent.
type Instruction struct {
	Proposal Proposal `json:"proposal"`
	Entry    Entry    `json:"entry"`
}

// Approve lets a second person agree: Resolve and WriteOff end the differences,
// Reissue and ConsoleRefund become instructions. ErrFourEyes: the proposer cannot,
// also not under the name in other letters. ErrStage: it is decided already.
func (l *Ledger) Approve(ctx context.Context, actor string, id ProposalID, text string) (Proposal, error) {
	return l.decide(ctx, "approve", actor, id, text, func(ctx context.Context, w *writer, p Proposal) error {
		if samePerson(actor, p.By) {
			return fmt.Errorf("%s has proposed %s: %w", p.By, id, ErrFourEyes)
		}
		return w.add(ctx, eventApproved, decidedBody{id, text, p.Count, p.Sum})
	})
}

// Reject ends a proposal without an effect; the proposer may take it back by it.
// ErrStage: it is decided already.
func (l *Ledger) Reject(ctx context.Context, actor string, id ProposalID, text string) (Proposal, error) {
	return l.decide(ctx, "reject", actor, id, text, func(ctx context.Context, w *writer, p Proposal) error {
		return w.add(ctx, eventRejected, decidedBody{id, text, p.Count, p.Sum})
	})
}

func (l *Ledger) decide(ctx context.Context, verb, actor string, id ProposalID, text string, f func(context.Context, *writer, Proposal) error) (Proposal, error) {
	p, err := l.change(ctx, actor, id, func(ctx context.Context, w *writer, p Proposal) error {
		if err := checkText(text); err != nil {
			return err
		}
		if p.Stage != Proposed {
			return fmt.Errorf("it is %s by %s: %w", p.Stage, p.DecidedBy, ErrStage)
		}
		return f(ctx, w, p)
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("%s %s: %w", verb, id, err)
	}
	return p, nil
}

// Finish records what came of an instruction, in the engine's words. Ok ends the
// difference; otherwise it is free for another proposal, unless a run has ceased to
// find it meanwhile. The same outcome again changes nothing; the opposite is ErrStage.
func (l *Ledger) Finish(ctx context.Context, actor string, id ProposalID, ok bool, result string) (Proposal, error) {
	want := Failed
	if ok {
		want = Done
	}
	p, err := l.change(ctx, actor, id, func(ctx context.Context, w *writer, p Proposal) error {
		switch {
		case !p.Action.byEngine():
			return fmt.Errorf("%s is no instruction: %w", p.Action, ErrStage)
		case p.Stage == want:
			return nil
		case p.Stage != Approved:
			return fmt.Errorf("it is %s: %w", p.Stage, ErrStage)
		}
		if err := checkText(result); err != nil {
			return err
		}
		if err := w.add(ctx, eventFinished, finishedBody{id, ok, result}); err != nil || ok {
			return err
		}
		return w.catchUp(ctx, p)
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("record the result of %s: %w", id, err)
	}
	return p, nil
}

// catchUp ends what a superseding run had left alone for the order engine's sake.
func (w *writer) catchUp(ctx context.Context, p Proposal) error {
	for _, id := range p.Differences {
		var replaced bool
		if err := w.tx.QueryRowContext(ctx, `SELECT r.replaced <> 0 FROM differences d JOIN runs r ON r.seq = d.run WHERE d.id = ?`, id).Scan(&replaced); err != nil {
			return err
		}
		if replaced {
			if err := w.add(ctx, eventResolved, changedBody{ID: id, Reason: reasonSuperseded}); err != nil {
				return err
			}
		}
	}
	return nil
}

// change runs f on a proposal and returns it as it is afterwards.
func (l *Ledger) change(ctx context.Context, actor string, id ProposalID, f func(context.Context, *writer, Proposal) error) (p Proposal, err error) {
	_, err = l.write(ctx, actor, func(ctx context.Context, w *writer) error {
		if p, err = proposalOf(ctx, w.tx, id); err != nil {
			return err
		}
		if err := f(ctx, w, p); err != nil {
			return err
		}
		p, err = proposalOf(ctx, w.tx, id)
		return err
	})
	return p, err
}

// Instructions are the approved proposals that wait for their result, oldest first.
func (l *Ledger) Instructions(ctx context.Context) (all []Instruction, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err := staged(ctx, tx, Approved)
		if err != nil {
			return err
		}
		for _, p := range found {
			for _, id := range p.Differences {
				e, err := entryOf(ctx, tx, id)
				if err != nil {
					return err
				}
				all = append(all, Instruction{Proposal: p, Entry: *e})
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the instructions: %w", err)
	}
	return all, nil
}

// Proposal is one proposal. ErrUnknown: there is none of that id.
func (l *Ledger) Proposal(ctx context.Context, id ProposalID) (p Proposal, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		p, err = proposalOf(ctx, tx, id)
		return err
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("read the proposal: %w", err)
	}
	return p, nil
}

// Proposals are those at the given stages, or all, oldest first.
func (l *Ledger) Proposals(ctx context.Context, stages ...Stage) (found []Proposal, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		found, err = staged(ctx, tx, stages...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the proposals: %w", err)
	}
	return found, nil
}

func staged(ctx context.Context, tx *sql.Tx, stages ...Stage) ([]Proposal, error) {
	wanted := ""
	for _, s := range stages {
		wanted += " " + string(s) + " "
	}
	found, err := proposals(ctx, tx, `SELECT `+proposalColumns+` FROM proposals WHERE ?1 = '' OR instr(?1, ' ' || stage || ' ') ORDER BY n`, wanted)
	if err != nil {
		return nil, err
	}
	for i := range found {
		n, err := found[i].ID.number()
		if err != nil {
			return nil, err
		}
		if found[i].Differences, err = members(ctx, tx, n); err != nil {
			return nil, err
		}
	}
	return found, nil
}
