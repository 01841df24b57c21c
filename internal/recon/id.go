package recon

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// runID is over what the result follows from: the bytes of the inputs and the
// settings, neither names nor seed.
func (r *run) runID() string {
	var digests []string
	for i, report := range r.reports {
		// Kinds: by the account's rule for revokes, the same bytes are other rows.
		digests = append(digests, fmt.Sprintf("%t %s %v", i >= len(r.books.Trade), report.SHA256, report.Kinds))
	}
	slices.Sort(digests)
	o := r.opts
	settings := []any{o.Channel, o.Account, o.OurChannel, o.OurAccount, o.Date, o.Rates, o.FundOpening, o.CutWindow, o.CarryDays, r.books.NoBill, digests, r.ours.report.SHA256, r.books.Carried}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(settings); err != nil {
		panic(err) // values of our own: there is nothing in them that JSON lacks
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// identify gives every difference its id. The differences are sorted, so that it
// does not depend on the order of rows which of several alike gets which number.
func identify(opts *Options, all []Difference) {
	alike := map[ID]int{}
	for i := range all {
		first := differenceID(opts, &all[i], 0)
		all[i].ID = differenceID(opts, &all[i], alike[first])
		alike[first]++
	}
}

// differenceID is over what a difference is about, not over the file and line where
// it stands: the same bill in another order or under another name has the same ones.
func differenceID(opts *Options, d *Difference, ordinal int) ID {
	var b []byte
	for _, s := range [...]string{
		opts.Channel, opts.Account, opts.Date, string(d.Class), string(d.Kind), d.OrderNo, d.RefundNo, d.ChannelTradeNo,
	} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, n := range [...]int64{int64(d.OursFen), int64(d.TheirsFen), int64(ordinal)} {
		b = binary.AppendVarint(b, n)
	}
	sum := sha256.Sum256(b)
	return ID("D-" + base32.StdEncoding.EncodeToString(sum[:10])) // 16 letters and digits: short enough to be read out
}
