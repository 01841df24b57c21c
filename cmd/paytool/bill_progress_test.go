package main

import (
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		rows, total int64
		want        string
	}{
		{3000, 0, "reading: 3000 rows, 1000 a second"},
		{3000, 12000, "reading: 3000 rows, 1000 a second, 25 %, 9s left"},
		{0, 12000, "reading: 0 rows, 0 a second"},
	} {
		if got := progressLine("reading", tc.rows, tc.total, 3*time.Second); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
