package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"paytool/internal/bill"
	"paytool/internal/bill/generate"
	"paytool/internal/pay"
)

// What a channel answers in place of a bill.
var (
	errNoBill   = errors.New("no bill")
	errNotReady = errors.New("not ready")
	errNotMade  = errors.New("the simulator makes no bills of this type: record one")
	errDate     = errors.New("not a day")
)

// bill is the bill of a day, plain for WeChat and a zip for Alipay. A day that is
// not over has none yet.
func (s *Sim) bill(ctx context.Context, channel, date string, t bill.Type) ([]byte, error) {
	day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if err != nil {
		return nil, errDate
	}
	switch {
	case s.faults.take(NoBill):
		return nil, errNoBill
	case s.faults.take(NotReady), s.opts.Now().Before(day.AddDate(0, 0, 1)):
		return nil, errNotReady
	}
	merchant, ext := WeChatMerchant, ".csv"
	if channel == bill.Alipay {
		merchant, ext = AlipayMerchant, ".zip"
	}
	if s.opts.Recorded != "" {
		name := fmt.Sprintf("%s_%s_%s_%s%s", channel, merchant, date, t, ext)
		data, err := os.ReadFile(filepath.Join(s.opts.Recorded, name)) //nolint:gosec // the date was read as one, and the rest is ours
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	number, err := strconv.ParseUint(strings.ReplaceAll(date, "-", ""), 10, 64)
	if err != nil {
		return nil, errDate
	}
	opts := generate.Options{
		Channel: channel, Date: date, Merchant: merchant, Rows: s.opts.Rows, Seed: s.opts.Seed<<32 | number,
		Refunds: 0.05, Revokes: 0.01, Withdraw: true,
	}
	var b bytes.Buffer
	var out generate.Outputs
	switch t {
	case bill.TradeAll, bill.AlipayTrade:
		out.Bill = &b
	case bill.Fundflow, bill.AlipayAccount:
		out.Fund = &b
	default:
		return nil, errNotMade
	}
	if _, err := generate.Day(ctx, opts, out); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
