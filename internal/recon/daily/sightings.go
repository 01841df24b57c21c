package daily

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paytool/internal/bill"
	"paytool/internal/entries"
	"paytool/internal/pay"
	"paytool/internal/recon"
)

// Sighting is a row of a recorded day's files that names a number.
type Sighting struct {
	Date           string        `json:"date"` // the day whose file it is
	Role           recon.Role    `json:"role"`
	Kind           pay.EntryKind `json:"kind"`
	OrderNo        string        `json:"order_no"`
	RefundNo       string        `json:"refund_no"`
	ChannelTradeNo string        `json:"channel_trade_no"`
	Amount         pay.Fen       `json:"amount_fen"`
	State          string        `json:"state"`
	Time           time.Time     `json:"time"`
	File           string        `json:"file"`
	Line           int           `json:"line"`
}

// Sightings looks through the files of a recorded day for an order's, refund's or
// trade's number. Files that are not there any more, or not as they were, are named.
func (a *Account) Sightings(ctx context.Context, result *recon.Result, number string) (found []Sighting, missing []string, err error) {
	for _, f := range result.Files {
		if sum, err := digest(f.Name); err != nil || sum != f.SHA256 {
			missing = append(missing, f.Name)
			continue
		}
		see := func(s Sighting) {
			s.Date, s.Role, s.File = result.Date, f.Role, f.Name
			found = append(found, s)
		}
		if f.Role == recon.RoleOurs {
			err = inOurs(ctx, f.Name, number, see)
		} else {
			err = a.inBill(ctx, f.Name, number, see)
		}
		if err != nil {
			return found, missing, fmt.Errorf("look for %s: %w", number, err)
		}
	}
	return found, missing, nil
}

func names(number string, texts ...[]byte) bool {
	return slices.ContainsFunc(texts, func(t []byte) bool { return string(t) == number })
}

func inOurs(ctx context.Context, path, number string, see func(Sighting)) error {
	_, err := (&recon.OurFile{Path: path}).Read(ctx, func(r *entries.Row) error {
		if names(number, r.OrderNo, r.RefundNo, r.ChannelTradeNo, r.ChannelRefundNo, r.MerchantOrderNo) {
			see(Sighting{
				Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
				Amount: r.Amount, State: r.State, Time: time.Unix(r.Second, 0).In(pay.Beijing), Line: r.Line,
			})
		}
		return nil
	})
	return err
}

func (a *Account) inBill(ctx context.Context, path, number string, see func(Sighting)) error {
	_, err := billFile(path, bill.Options{AlipayRevoke: a.AlipayRevoke}).Read(ctx, func(r *bill.Row) error {
		if names(number, r.OrderNo, r.RefundNo, r.ChannelTradeNo, r.ChannelRefundNo) {
			see(Sighting{
				Kind: r.Kind, OrderNo: string(r.OrderNo), RefundNo: string(r.RefundNo), ChannelTradeNo: string(r.ChannelTradeNo),
				Amount: r.Amount, State: string(r.State), Time: r.Time, Line: r.Line,
			})
		}
		return nil
	})
	return err
}
