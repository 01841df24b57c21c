package ledger

import (
	"context"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// resolve ends a difference that this run explains.
func (r *recording) resolve(ctx context.Context, id recon.ID, reason string, other recon.ID) error {
	r.done.Resolved++
	return r.add(ctx, eventResolved, changedBody{id, reason, other})
}

// lost is a difference of the replaced run that this run does not find.
type lost struct {
	id     recon.ID
	state  State
	reason string
	other  recon.ID
	stage  Stage // of the proposal that it waits for
}

// vanish ends what the replaced run had found and this one does not. What the order
// engine is at work on waits for its result.
func (r *recording) vanish(ctx context.Context) error {
	all, err := r.lost(ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		switch {
		case d.state.Ended() && d.reason == reasonLateCounterpart:
			err = r.part(ctx, d)
		case d.state.Ended() || d.stage == Approved:
		default:
			err = r.resolve(ctx, d.id, reasonSuperseded, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *recording) lost(ctx context.Context) (all []lost, err error) {
	rows, err := r.tx.QueryContext(ctx, `SELECT d.id, d.state, d.reason, d.other, COALESCE(p.stage, '') FROM differences d LEFT JOIN proposals p ON p.n = d.pending
WHERE d.channel = ? AND d.account = ? AND d.date = ? AND d.run = ? ORDER BY d.id`,
		r.book.Channel, r.book.Account, r.body.Date, r.old.seq)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d lost
		if err := rows.Scan(&d.id, &d.state, &d.reason, &d.other, &d.stage); err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, rows.Err()
}

// part takes a pair of late counterparts apart: one of them was a mistake of the
// replaced run, and the other stands alone again.
func (r *recording) part(ctx context.Context, d lost) error {
	if err := r.add(ctx, eventResolved, changedBody{ID: d.id, Reason: reasonSuperseded}); err != nil {
		return err
	}
	var n int
	if err := r.row(ctx, `SELECT COUNT(*) FROM differences WHERE id = ? AND other = ? AND reason = ?`, d.other, d.id, reasonLateCounterpart).Scan(&n); err != nil || n == 0 {
		return err
	}
	r.done.Opened++
	return r.add(ctx, eventReopened, changedBody{ID: d.other, Reason: reasonCounterpartGone})
}

// counterparts resolves pairs: what one side lacked on one day stands alone on the
// other side's on another.
func (r *recording) counterparts(ctx context.Context, seq int64) error {
	for _, pos := range r.fresh {
		d := &r.found[pos]
		class := recon.MissingInChannel
		switch d.Class {
		case recon.MissingInOurs:
		case recon.MissingInChannel:
			class = recon.MissingInOurs
		default:
			continue
		}
		other, err := r.counterpart(ctx, seq, d, class)
		if err != nil {
			return err
		}
		if other == "" {
			continue
		}
		if err := r.resolve(ctx, other, reasonLateCounterpart, d.ID); err != nil {
			return err
		}
		if err := r.resolve(ctx, d.ID, reasonLateCounterpart, other); err != nil {
			return err
		}
	}
	return nil
}

// counterpart is the oldest open difference of other runs of the book that is the
// same movement; "" for none. A revoke's refund number is not part of its identity,
// and without an order number the channel's number stands for it.
func (r *recording) counterpart(ctx context.Context, seq int64, d *recon.Difference, class recon.Class) (id recon.ID, err error) {
	if d.OrderNo == "" && d.ChannelTradeNo == "" {
		return "", nil
	}
	err = r.row(ctx, `SELECT COALESCE((SELECT d.id FROM differences d INDEXED BY differences_order LEFT JOIN proposals p ON p.n = d.pending
WHERE d.order_no = ?1 AND d.channel = ?2 AND d.account = ?3 AND (?1 <> '' OR d.trade_no = ?4)
  AND d.class = ?5 AND d.kind = ?6 AND (?6 = ?7 OR d.refund_no = ?8) AND d.fen = ?9 AND d.run <> ?10
  AND d.since_ms IS NOT NULL AND COALESCE(p.stage, '') <> 'approved' ORDER BY d.date, d.id LIMIT 1), '')`,
		d.OrderNo, r.book.Channel, r.book.Account, d.ChannelTradeNo, class, d.Kind, pay.EntryRevoke, d.RefundNo, -d.DifferenceFen, seq).Scan(&id)
	return id, err
}
