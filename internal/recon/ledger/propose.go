package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// ErrNothing: there is no difference that a proposal could be about.
var ErrNothing = errors.New("there is nothing to propose")

// NewProposal is what a person wants done.
type NewProposal struct {
	Actor  string `json:"actor"` // 1 to 64 characters that can be seen
	Action Action `json:"action"`
	Reason string `json:"reason"` // a code of Reasons
	Text   string `json:"text"`   // in the person's words, up to 1000 characters
	// Until is the day that Carry puts off to, "2006-01-02" in Beijing: after today and
	// within 31 days. "" for the other actions.
	Until string `json:"until"`
	// Differences are those that it is about, each once; a Reissue or ConsoleRefund is
	// about one.
	Differences []recon.ID `json:"differences"`
}

// SmallProposal is a wish to write off, as one, all open differences of a book (nil: of
// all) that are not above the tolerance and that nobody has decided about.
type SmallProposal struct {
	Actor     string
	Book      *Book
	Tolerance pay.Fen // above 0; amounts count whatever their direction
	Reason    string
	Text      string
}

// Propose records what a person wants done. Carry and Reopen are in force at once, the
// others once a second person approves. All of the differences are taken, or none:
// *UnfitError names one that the action does not suit, ErrPending one that waits for
// another proposal. Who says the same again gets the proposal that there is.
func (l *Ledger) Propose(ctx context.Context, p NewProposal) (Proposal, error) {
	made, err := l.ProposeAll(ctx, []NewProposal{p})
	if err != nil {
		return Proposal{}, err
	}
	return made[0], nil
}

// ProposeAll records several proposals of one person, all or none of them.
func (l *Ledger) ProposeAll(ctx context.Context, all []NewProposal) (made []Proposal, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	_, err = l.write(ctx, all[0].Actor, func(ctx context.Context, w *writer) error {
		made = nil
		for _, p := range all {
			if p.Actor != all[0].Actor {
				return fmt.Errorf("%s and %s cannot propose at once", all[0].Actor, p.Actor)
			}
			done, err := w.propose(ctx, p)
			if err != nil {
				return err
			}
			made = append(made, done)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("propose: %w", err)
	}
	return made, nil
}

// CheckProposal says what Propose would refuse, and changes nothing.
func (l *Ledger) CheckProposal(ctx context.Context, p NewProposal) error {
	err := l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		_, _, err := p.prepare(ctx, tx, l.now())
		return err
	})
	if err != nil {
		return fmt.Errorf("propose: %w", err)
	}
	return nil
}

// ProposeSmall proposes a SmallProposal, as one entry. ErrNothing: there is no such
// difference.
func (l *Ledger) ProposeSmall(ctx context.Context, s SmallProposal) (made Proposal, err error) {
	_, err = l.write(ctx, s.Actor, func(ctx context.Context, w *writer) error {
		p, err := s.find(ctx, w.tx)
		if err != nil {
			return err
		}
		made, err = w.propose(ctx, p)
		return err
	})
	if err != nil {
		return Proposal{}, fmt.Errorf("propose: %w", err)
	}
	return made, nil
}

// CheckSmall counts what ProposeSmall would be about, and changes nothing. The sum is
// signed by cash effect.
func (l *Ledger) CheckSmall(ctx context.Context, s SmallProposal) (count int, sum pay.Fen, err error) {
	err = l.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		p, err := s.find(ctx, tx)
		if err != nil {
			return err
		}
		body, _, err := p.prepare(ctx, tx, l.now())
		count, sum = body.Count, body.Sum
		return err
	})
	if err != nil {
		return 0, 0, fmt.Errorf("propose: %w", err)
	}
	return count, sum, nil
}

func (s SmallProposal) find(ctx context.Context, tx *sql.Tx) (NewProposal, error) {
	ids, err := small(ctx, tx, s.Book, s.Tolerance)
	if err != nil {
		return NewProposal{}, err
	}
	if len(ids) == 0 {
		return NewProposal{}, fmt.Errorf("no open difference of up to %s yuan: %w", s.Tolerance.Yuan(), ErrNothing)
	}
	return NewProposal{Actor: s.Actor, Action: WriteOff, Reason: s.Reason, Text: s.Text, Differences: ids}, nil
}

func (w *writer) propose(ctx context.Context, p NewProposal) (Proposal, error) {
	body, same, err := p.prepare(ctx, w.tx, w.at)
	if err != nil {
		return Proposal{}, err
	}
	if same != nil {
		return *same, nil
	}
	var n int64
	if err := w.tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(n), 0) + 1 FROM proposals`).Scan(&n); err != nil {
		return Proposal{}, err
	}
	body.Proposal = proposalID(n)
	if err := w.add(ctx, eventProposed, body); err != nil {
		return Proposal{}, err
	}
	return proposalOf(ctx, w.tx, body.Proposal)
}

// prepare holds a proposal against the differences that it is about. Same is the
// proposal that says it already.
func (p NewProposal) prepare(ctx context.Context, tx *sql.Tx, now time.Time) (body proposedBody, same *Proposal, err error) {
	if err := p.check(now); err != nil {
		return body, nil, err
	}
	ids := slices.Sorted(slices.Values(p.Differences))
	if same, err = p.said(ctx, tx, ids); err != nil || same != nil {
		return body, same, err
	}
	body = proposedBody{Action: p.Action, Reason: p.Reason, Text: p.Text, Until: p.Until, Count: len(ids), Differences: ids}
	for i, id := range ids {
		if i > 0 && id == ids[i-1] {
			return body, nil, fmt.Errorf("difference %s is named twice", id)
		}
		e, err := entryOf(ctx, tx, id)
		if err != nil {
			return body, nil, err
		}
		if e.Pending != nil {
			return body, nil, fmt.Errorf("difference %s waits for %s (%s, %s): %w", id, e.Pending.ID, e.Pending.Action, e.Pending.Stage, ErrPending)
		}
		if err := Fits(p.Action, e); err != nil {
			return body, nil, err
		}
		body.Sum += e.DifferenceFen
	}
	return body, nil, nil
}

// said is the latest proposal about the differences, if it says the same and its
// effect is still there; nil otherwise. A workbook that is applied twice must not
// double its decisions.
func (p NewProposal) said(ctx context.Context, tx *sql.Tx, ids []recon.ID) (*Proposal, error) {
	var n int64
	var state State
	err := tx.QueryRowContext(ctx, `SELECT m.proposal, d.state FROM members m JOIN differences d ON d.id = m.id WHERE m.id = ? ORDER BY m.proposal DESC LIMIT 1`, ids[0]).Scan(&n, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	last, err := proposalOf(ctx, tx, proposalID(n))
	if err != nil {
		return nil, err
	}
	standing := last.Stage == Proposed || last.Stage == Approved || last.Stage == Done && state == last.Action.outcome()
	if !standing || last.Action != p.Action || last.Reason != p.Reason || last.Text != p.Text || last.Until != p.Until ||
		!samePerson(last.By, p.Actor) || !slices.Equal(last.Differences, ids) {
		return nil, nil
	}
	return &last, nil
}

func proposalID(n int64) ProposalID { return ProposalID("P-" + strconv.FormatInt(n, 10)) }

func (id ProposalID) number() (int64, error) {
	digits, ok := strings.CutPrefix(string(id), "P-")
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || proposalID(n) != id {
		return 0, fmt.Errorf("proposal %q: a proposal is named like P-12: %w", string(id), ErrUnknown)
	}
	return n, nil
}
