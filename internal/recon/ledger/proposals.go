package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

const proposalColumns = `n, stage, action, reason, text, until, by, at_ms, decided_by, decided_ms, result, count, fen`

const byNumber = `SELECT ` + proposalColumns + ` FROM proposals WHERE n = ?`

// proposals reads proposals without their differences.
func proposals(ctx context.Context, tx *sql.Tx, query string, args ...any) (found []Proposal, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p Proposal
		var n, at, decided int64
		if err := rows.Scan(&n, &p.Stage, &p.Action, &p.Reason, &p.Text, &p.Until, &p.By, &at, &p.DecidedBy, &decided, &p.Result, &p.Count, &p.Sum); err != nil {
			return nil, err
		}
		p.ID, p.At = proposalID(n), fromMillis(at)
		if decided != 0 {
			when := fromMillis(decided)
			p.DecidedAt = &when
		}
		found = append(found, p)
	}
	return found, rows.Err()
}

// proposalOf is a proposal with its differences.
func proposalOf(ctx context.Context, tx *sql.Tx, id ProposalID) (p Proposal, err error) {
	n, err := id.number()
	if err != nil {
		return p, err
	}
	found, err := proposals(ctx, tx, byNumber, n)
	if err != nil {
		return p, err
	}
	if len(found) == 0 {
		return p, fmt.Errorf("proposal %s: %w", id, ErrUnknown)
	}
	p = found[0]
	p.Differences, err = members(ctx, tx, n)
	return p, err
}

func members(ctx context.Context, tx *sql.Tx, n int64) (ids []recon.ID, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT id FROM members WHERE proposal = ? ORDER BY id`, n)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id recon.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// small are the ids of open differences within the tolerance that nobody has decided.
func small(ctx context.Context, tx *sql.Tx, book *Book, tolerance pay.Fen) (ids []recon.ID, err error) {
	if tolerance <= 0 {
		return nil, errors.New("the tolerance is an amount above 0.00")
	}
	rows, err := tx.QueryContext(ctx, `SELECT id FROM differences WHERE (?1 IS NULL OR channel = ?1 AND account = ?2)
  AND state = 'open' AND pending = 0 AND executed = '' AND fen <> 0 AND ABS(fen) <= ?3 ORDER BY id`, append(bookArgs(book), tolerance)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id recon.ID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
