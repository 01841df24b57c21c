package daybook

import (
	"fmt"
	"strconv"
	"time"

	"paytool/internal/bill"
	"paytool/internal/pay"
)

// maxDigits is how many digits a spreadsheet keeps of a number. What is longer goes
// out as text, because a figure that is nearly right is wrong.
const maxDigits = 15

// number carries a decimal into a cell. The library takes no digits, only a float64;
// the nearest one to at most 15 digits is printed as the same digits again, and
// nothing is computed with it on the way.
func number(digits string) any {
	count := 0
	for _, c := range digits {
		if c >= '0' && c <= '9' {
			count++
		}
	}
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil || count > maxDigits {
		return digits
	}
	return v
}

// fee is a fee in yuan with all of its five decimals.
func fee(f bill.FeeE5) string {
	sign, whole, rest := "", f/100_000, f%100_000
	if f < 0 {
		sign, whole, rest = "-", -whole, -rest
	}
	return fmt.Sprintf("%s%d.%05d", sign, int64(whole), int64(rest))
}

// rate is a share, as a spreadsheet's percentage has it. 0 of nothing is all of it.
func rate(part, whole int64) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// moment is the wall time in Beijing, without its zone: what a cell can hold.
func moment(t time.Time) time.Time {
	t = t.In(pay.Beijing)
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}

// typedDay is a day that a person typed, as "2006-01-02". Spreadsheets turn what
// looks like a day into the number of days since 1900.
func typedDay(s string) (string, bool) {
	for _, form := range []string{time.DateOnly, "2006-1-2", "2006/1/2", "2006年1月2日"} {
		if t, err := time.Parse(form, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	days, err := strconv.Atoi(s)
	if err != nil || days < 40_000 || days > 80_000 { // 2009 to 2119
		return "", false
	}
	return time.Date(1899, 12, 30+days, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), true
}
