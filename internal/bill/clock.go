package bill

import (
	"errors"
	"time"

	"paytool/internal/pay"
)

const (
	dayLayout   = "2006-01-02"
	monthLayout = "2006-01"
	daySeconds  = 24 * 60 * 60
	zoneSeconds = 8 * 60 * 60
)

var (
	errTime    = errors.New("is not a time like 2006-01-02 15:04:05")
	errCutTime = errors.New("lost its seconds in a spreadsheet; download the bill again and do not open it before it is read")
)

// clock reads the times of a bill. Rows of a day share their date, so the last
// one is kept: a date is worked out once and not once a row.
type clock struct {
	date     [10]byte
	midnight int64 // Unix seconds
}

// parse reads "2006-01-02 15:04:05" in Beijing time.
func (c *clock) parse(b []byte) (time.Time, error) {
	if len(b) != 19 || b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, c.explain(b)
	}
	h, okH := twoDigits(b[11:], 23)
	m, okM := twoDigits(b[14:], 59)
	s, okS := twoDigits(b[17:], 59)
	if !okH || !okM || !okS {
		return time.Time{}, errTime
	}
	if c.date != [10]byte(b[:10]) {
		day, err := time.ParseInLocation(dayLayout, string(b[:10]), pay.Beijing)
		if err != nil {
			return time.Time{}, errTime
		}
		c.date, c.midnight = [10]byte(b[:10]), day.Unix()
	}
	return time.Unix(c.midnight+int64(3600*h+60*m+s), 0).In(pay.Beijing), nil
}

// explain tells a time that a spreadsheet has cut from any other text.
func (c *clock) explain(b []byte) error {
	for _, layout := range []string{"2006/1/2 15:04", "2006-1-2 15:04", "2006/1/2 15:04:05", "2006/1/2", "15:04:05", "04:05.0"} {
		if _, err := time.Parse(layout, string(b)); err == nil {
			return errCutTime
		}
	}
	return errTime
}

func twoDigits(b []byte, most int) (int, bool) {
	tens, ones := int(b[0])-'0', int(b[1])-'0'
	n := 10*tens + ones
	return n, tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 && n <= most
}

// dayOf numbers the days of Beijing, so that rows compare their days without
// calendars.
func dayOf(t time.Time) int64 { return (t.Unix() + zoneSeconds) / daySeconds }

// dayName is the date of a day number, "" for none.
func dayName(day int64) string {
	if day == 0 {
		return ""
	}
	return time.Unix(day*daySeconds-zoneSeconds, 0).In(pay.Beijing).Format(dayLayout)
}
