package promote

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestHas(t *testing.T) {
	t.Parallel()
	const a, b = "3E11FA47-71CA-11E1-9E33-C80AA9429562", "4E11FA47-71CA-11E1-9E33-C80AA9429562"
	for _, c := range []struct {
		have, want string
		has        bool
	}{
		{"", "", true},
		{"1-10-5", "", true},
		{"", "1-10-5", false},
		{"1-10-57", "1-10-57", true},
		{"1-12-58", "1-10-57", true}, // another server wrote on
		{"1-10-57", "1-12-58", false},
		{"1-10-57,2-20-3", "2-20-3", true},
		{"1-10-57", "2-20-3", false},
		{a + ":1-5", a + ":1-5", true},
		{a + ":1-5", a + ":2-4", true},
		{a + ":1-5:7", a + ":6", false},
		{a + ":1-3:4-9", a + ":2-8", true}, // spans that touch are one
		{a + ":1-5,\n" + b + ":1", b + ":1", true},
		{a + ":1-5", b + ":1", false},
		{a + ":1-3:tag:1-9", a + ":tag:2", true},
		{a + ":1-3:tag:1-9", a + ":5", false},
	} {
		have, err1 := ParseGTID(c.have)
		want, err2 := ParseGTID(c.want)
		if err1 != nil || err2 != nil || have.Has(want) != c.has {
			t.Errorf("%q has %q: %t, want %t; %v, %v", c.have, c.want, !c.has, c.has, err1, err2)
		}
	}
	for _, bad := range []string{"1-2", "1-2-x", a + ":5-3", a + ":1-x", "nonsense", a + ":1-2-3"} {
		if set, err := ParseGTID(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q was read as %v, %v", bad, set, err)
		}
	}
}

// TestHasCounts holds spans against plain sets of numbers.
func TestHasCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (text string, plain map[uint64]bool) {
			var parts []string
			plain = map[uint64]bool{}
			for i := range rapid.IntRange(1, 5).Draw(t, name) {
				from := rapid.Uint64Range(1, 20).Draw(t, fmt.Sprint(name, i, "from"))
				to := from + rapid.Uint64Range(0, 5).Draw(t, fmt.Sprint(name, i, "long"))
				parts = append(parts, fmt.Sprintf("%d-%d", from, to))
				for n := from; n <= to; n++ {
					plain[n] = true
				}
			}
			return "uuid:" + strings.Join(parts, ":"), plain
		}
		haveText, have := draw("have")
		wantText, want := draw("want")
		all := true
		for n := range want {
			all = all && have[n]
		}
		a, err1 := ParseGTID(haveText)
		b, err2 := ParseGTID(wantText)
		if err1 != nil || err2 != nil || a.Has(b) != all {
			t.Fatalf("%s has %s: want %t; %v, %v", haveText, wantText, all, err1, err2)
		}
	})
}
