package recon

import (
	"fmt"
)

func (r *run) bridge() Bridge {
	b := Bridge{Ours: r.expected.net().Amount, Carried: r.carriedFen, Theirs: r.trades.sum}
	for _, d := range r.differences {
		switch d.Class {
		case MissingInChannel:
			b.MissingInChannel += d.DifferenceFen
		case MissingInOurs:
			b.MissingInOurs += d.DifferenceFen
		case AmountMismatch, KindMismatch:
			b.Amount += d.DifferenceFen
		case StateMismatch:
			b.State += d.DifferenceFen
		case DuplicateInChannel, DuplicateInOurs:
			b.Duplicate += d.DifferenceFen
		default: // of the fund flow, or without an amount
		}
	}
	b.Unexplained = b.Theirs - b.Ours - b.MissingInChannel - b.MissingInOurs - b.Amount - b.State - b.Duplicate - b.Carried
	return b
}

func (r *run) fundBridge() *FundBridge {
	if len(r.books.Fund) == 0 {
		return nil
	}
	b := &FundBridge{
		Trade: r.trades.net, Fees: r.fund.unpaidFees - r.trades.charged, Missing: r.fund.missing, Extra: r.fund.extra, Amount: r.fund.amount,
		Returned: r.fund.returned, Carried: r.fund.carried, Other: r.funds.other, Fund: r.funds.sum,
	}
	b.Unexplained = b.Fund - b.Trade - b.Fees - b.Missing - b.Extra - b.Amount - b.Returned - b.Carried - b.Other
	return b
}

// prove asserts that every row has a verdict and every fen an explanation. A run
// that cannot prove it must not be believed.
func (r *run) prove(res *Result) error {
	for _, side := range []Side{Ours, Trade, Fund} {
		if c := r.rows[side]; !c.Whole() {
			return fmt.Errorf("reconcile: rows of %s were lost or counted twice: %+v; this is a bug of paytool, keep the files", side, *c)
		}
	}
	roll := r.roll
	if roll.Opening+roll.New-roll.Cleared-roll.Expired != roll.Closing {
		return fmt.Errorf("reconcile: the carried rows do not roll forward: %+v; this is a bug of paytool, keep the files", roll)
	}
	if res.Bridge.Unexplained != 0 {
		return fmt.Errorf("reconcile: the bridge leaves %s yuan unexplained: %+v; this is a bug of paytool, keep the files", res.Bridge.Unexplained.Yuan(), res.Bridge)
	}
	if err := r.proveKinds(res); err != nil {
		return err
	}
	if res.Fund != nil && res.Fund.Unexplained != 0 {
		return fmt.Errorf("reconcile: the fund bridge leaves %s yuan unexplained: %+v; this is a bug of paytool, keep the files", res.Fund.Unexplained.Yuan(), *res.Fund)
	}
	return nil
}
