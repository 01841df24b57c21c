package main

import (
	"strings"
	"testing"
	"time"
)

// TestReconDays: days are Beijing's, whatever the machine's zone says.
func TestReconDays(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC) // the 23rd, 01:00, in Beijing
	for _, tc := range []struct {
		o    reconRunOptions
		want string
	}{
		{reconRunOptions{date: "yesterday"}, "2026-11-22"},
		{reconRunOptions{date: "2026-11-20"}, "2026-11-20"},
		{reconRunOptions{from: "2026-11-20"}, "2026-11-20 2026-11-21 2026-11-22"},
		{reconRunOptions{from: "2026-02-28", to: "2026-03-01"}, "2026-02-28 2026-03-01"},
		{reconRunOptions{from: "yesterday", to: "yesterday"}, "2026-11-22"},
		{reconRunOptions{from: "2026-11-20", to: "2026-11-19"}, "--to"},
		{reconRunOptions{date: "20261120"}, "--date"},
		{reconRunOptions{from: "x"}, "--from"},
		{reconRunOptions{from: "2026-11-20", to: "x"}, "--to"},
		{reconRunOptions{from: "2016-11-20"}, "more than"},
	} {
		days, err := tc.o.days(now)
		if err != nil {
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%+v: %v", tc.o, err)
			}
			continue
		}
		if got := strings.Join(days, " "); got != tc.want {
			t.Errorf("%+v: %s, want %s", tc.o, got, tc.want)
		}
	}
}
