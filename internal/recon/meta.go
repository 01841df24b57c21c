package recon

import (
	"github.com/zeebo/xxh3"

	"paytool/internal/pay"
)

// maxFiles is how many files one side may have; the last number is that of carried
// rows.
const (
	maxFiles    = 255
	carriedFile = 255
)

// The parts of sift.Record.Meta: the file, and what decides whether an order is
// clean.
const (
	metaFile     uint32 = 0xff
	metaPay      uint32 = 1 << 8
	metaRevoke   uint32 = 1 << 9
	metaPossible uint32 = 1 << 10
	metaNone     uint32 = 1 << 11 // unexpected
	metaRevoked  uint32 = 1 << 12 // a payment that was revoked
	metaOdd      uint32 = 1 << 13 // the rows of its order are to be looked at whole
	metaRefundIn uint32 = 1 << 14 // fund flow: a refund, which may belong to a revoke without a number
	// The upper half: of ours the place of its product's rate in the rateTable, of the
	// trade bill's the rates that its fee follows from.
	metaRates = 16
)

// fingerprint is the key of an order and the identity of a row: 128 bits of the
// order number, mixed with the kind and the refund number.
func fingerprint(seed uint64, kind pay.EntryKind, order, refund []byte) (key, row uint64) {
	h := xxh3.Hash128Seed(order, seed)
	switch kind {
	case pay.EntryPay:
		return h.Hi, h.Lo
	case pay.EntryRevoke:
		return h.Hi, h.Lo + 1
	default:
		return h.Hi, xxh3.HashSeed(refund, h.Lo)
	}
}

// withFen makes the amount part of an identity's fingerprint: two amounts never meet,
// as the factor is odd.
func withFen(row uint64, fen int64) uint64 {
	return row + uint64(fen)*0x9e3779b97f4a7c15 //nolint:gosec // wraps as it may
}

// moveRow is the identity of a movement with its amount: of the trade's or of its fee.
func moveRow(key uint64, fee bool, net int64) uint64 {
	if fee {
		key = ^key
	}
	return withFen(key, net)
}

func fingerprintText(seed uint64, r *Row) (key, row uint64) {
	return fingerprint(seed, r.Kind, []byte(orderOf(r)), []byte(r.RefundNo))
}

// orderOf is the number that groups rows: the order's, or the channel's where a bill
// lacks it.
func orderOf(r *Row) string {
	if r.OrderNo == "" {
		return r.ChannelTradeNo
	}
	return r.OrderNo
}

// metaOf is what the state of one of our rows means.
func metaOf(kind pay.EntryKind, state string) uint32 {
	var m uint32
	switch kind {
	case pay.EntryPay:
		m = metaPay
		if state == string(pay.Revoked) {
			m |= metaRevoked
		}
	case pay.EntryRevoke:
		m = metaRevoke
	case pay.EntryRefund:
	}
	switch expect(kind, state) {
	case possible:
		m |= metaPossible
	case unexpected:
		m |= metaNone
	case expected:
	}
	return m
}

// kindOf is the kind of a row of the trade bill.
func kindOf(meta uint32) pay.EntryKind {
	switch {
	case meta&metaPay != 0:
		return pay.EntryPay
	case meta&metaRevoke != 0:
		return pay.EntryRevoke
	default:
		return pay.EntryRefund
	}
}
