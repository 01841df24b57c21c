package recon

import (
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// Class is the class of a difference. Names are a contract: programs compare them.
type Class string

// The classes.
const (
	StateMismatch      Class = "state_mismatch"
	MissingInOurs      Class = "missing_in_ours"
	MissingInChannel   Class = "missing_in_channel"
	AmountMismatch     Class = "amount_mismatch"
	KindMismatch       Class = "kind_mismatch"
	DuplicatePayment   Class = "duplicate_payment"
	DuplicateInChannel Class = "duplicate_in_channel"
	DuplicateInOurs    Class = "duplicate_in_ours"
	RefundReturned     Class = "refund_returned"
	FeeMismatch        Class = "fee_mismatch"
	FundMissing        Class = "fund_missing"
	FundExtra          Class = "fund_extra"
	FundAmount         Class = "fund_amount"
	RejectedRow        Class = "rejected_row"
)

// Classes lists every class, the most pressing first.
func Classes() []Class {
	return []Class{
		StateMismatch, MissingInOurs, MissingInChannel, AmountMismatch, KindMismatch, DuplicatePayment, DuplicateInChannel,
		DuplicateInOurs, RefundReturned, FundMissing, FundExtra, FundAmount, FeeMismatch, RejectedRow,
	}
}

// flow is where differences of the class come from.
func (c Class) flow() Flow {
	switch c {
	case FundMissing, FundExtra, FundAmount, RefundReturned:
		return FundFlow
	default:
		return TradeFlow
	}
}

// Side is whose row it is.
type Side string

// The sides. In the trade flow ours stands against the trade bill, in the fund flow
// the trade bill against the fund bill.
const (
	Ours  Side = "ours"
	Trade Side = "trade"
	Fund  Side = "fund"
)

// Flow is which two books are compared.
type Flow string

// The flows.
const (
	TradeFlow Flow = "trade"
	FundFlow  Flow = "fund"
)

// Row is a row of any book, with the texts that a judgement or a report needs.
type Row struct {
	Side            Side          `json:"side"`
	Kind            pay.EntryKind `json:"kind"`
	OrderNo         string        `json:"order_no"`
	RefundNo        string        `json:"refund_no"`
	ChannelTradeNo  string        `json:"channel_trade_no"`
	ChannelRefundNo string        `json:"channel_refund_no"`
	MerchantID      string        `json:"merchant_id"`
	MerchantOrderNo string        `json:"merchant_order_no"`
	Amount          pay.Fen       `json:"amount_fen"` // never negative: the kind tells the direction
	Settle          pay.Fen       `json:"settle_fen"` // of the trade bill
	Fee             bill.FeeE5    `json:"fee_e5"`     // of the trade bill, with its sign
	Rate            string        `json:"rate"`       // of the trade bill
	Product         string        `json:"product"`    // of ours
	State           string        `json:"state"`
	Business        string        `json:"business"` // of the fund bill
	Time            time.Time     `json:"time"`
	File            string        `json:"file"`
	Line            int           `json:"line"`
}

// effect is what a row does to the money that the channel holds for us.
func effect(k pay.EntryKind, amount pay.Fen) pay.Fen {
	if k == pay.EntryPay || k == bill.In {
		return amount
	}
	return -amount
}

// Carried is a row that waits for its counterpart. It is handed from one day's run
// to the next as a value.
type Carried struct {
	Flow     Flow   `json:"flow"`
	From     string `json:"from"`     // the day it is of, "2006-01-02"
	Deadline string `json:"deadline"` // the last day whose bill may show the counterpart; days without a bill do not count
	// Maybe: the other side need not have it. Past its deadline it is explained.
	Maybe bool `json:"maybe"`
	// Implied: a revoke that our books hold as the state of the order alone.
	Implied bool `json:"implied"`
	// Net is what the row moves on the account, signed, and Fee says that it is the
	// fee alone. Of the fund flow.
	Net pay.Fen `json:"net_fen"`
	Fee bool    `json:"fee"`
	Row Row     `json:"row"`
}

// ID names a difference for ever: the same disagreement about the same rows of the
// same day and account has the same id in every run.
type ID string

// Difference is one thing that does not agree. Ours and theirs are positive, 0
// where a side has nothing; in the fund flow ours is the trade bill and theirs the
// fund bill. The difference is signed by cash effect: theirs less ours.
type Difference struct {
	ID             ID            `json:"id"`
	Class          Class         `json:"class"`
	Kind           pay.EntryKind `json:"kind"`
	OrderNo        string        `json:"order_no"`
	RefundNo       string        `json:"refund_no"`
	ChannelTradeNo string        `json:"channel_trade_no"`
	OursFen        pay.Fen       `json:"ours_fen"`
	TheirsFen      pay.Fen       `json:"theirs_fen"`
	DifferenceFen  pay.Fen       `json:"difference_fen"`
	// Time is the row's, the channel's where it has one: the age counts from it.
	Time time.Time `json:"time"`
	// File and Line name the row: the channel's where it has one, else ours.
	File   string `json:"file"`
	Line   int    `json:"line"`
	Detail string `json:"detail"`
	Advice string `json:"advice"`
	// PairedBy is "ours" where the rows were paired by what our books say rather
	// than by their numbers.
	PairedBy string `json:"paired_by"`
}

// Options say what is compared, and by which rules. The zero value of each setting
// is its default.
type Options struct {
	Channel string // bill.WeChat, bill.Alipay, bill.UnionPay
	Date    string // "2006-01-02", a day in Beijing
	// Account is the account that the bills are of, as the config names it; entries of
	// ours that name another one are left out. "" takes all.
	Account string
	// OurChannel and OurAccount are how our entries name the channel and the account; ""
	// is as Channel and Account do.
	OurChannel, OurAccount string
	// Rates are the account's, for bills without a rate column. Without any, fees of
	// such bills are not held to anything.
	Rates Rates
	// FundOpening is what the fund bill of the day before closed with; nil: not known.
	FundOpening *pay.Fen
	// CutWindow is the time before midnight whose rows the other side may show on
	// another day (30 minutes).
	CutWindow time.Duration
	// CarryDays is for how many bill days a carried row is waited for (1).
	CarryDays int
	// Memory bounds the bytes that hold fingerprints; what is beyond it goes to a
	// temporary file in TempDir (DefaultMemory).
	Memory  int64
	TempDir string
	// Seed makes the fingerprints: draw it anew for each run, so that nobody can
	// prepare rows that meet.
	Seed uint64
}

// Rates are the rates of an account by product, in 10^-5: 600 is 0.60%. "" is every
// other product's.
type Rates map[string]int64
