package fetch

import (
	"errors"
	"testing"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

func TestDueOf(t *testing.T) {
	t.Parallel()
	at := func(y int, m time.Month, d, h int) time.Time { return time.Date(y, m, d, h, 0, 0, 0, pay.Beijing) }
	for _, tc := range []struct {
		date, channel string
		ends, ready   time.Time
	}{
		{"2026-11-20", bill.WeChat, at(2026, 11, 21, 0), at(2026, 11, 21, 10)},
		{"2026-12-31", bill.Alipay, at(2027, 1, 1, 0), at(2027, 1, 1, 10)},
		{"2026-12", bill.Alipay, at(2027, 1, 1, 0), at(2027, 1, 4, 10)},
	} {
		d, err := dueOf(tc.date, tc.channel)
		if err != nil || !d.ends.Equal(tc.ends) || !d.ready.Equal(tc.ready) {
			t.Errorf("%s of %s: %v, %v; want %s and %s", tc.date, tc.channel, d, err, tc.ends, tc.ready)
		}
	}
	for _, date := range []string{"", "20261120", "2026-02-30", "2026-1-2", "2026-11-20\n"} {
		if _, err := dueOf(date, bill.Alipay); !errors.Is(err, ErrRequest) {
			t.Errorf("%q: %v", date, err)
		}
	}
}
