package move

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTimeline(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(1_700_000_000_000 + int64(ms)).UTC() }
	journal := []Entry{
		{Seq: 1, At: at(0), Who: "li", Step: Drain, Mark: Intent},
		{Seq: 2, At: at(10), Who: "li", Step: Drain, Mark: Done},
		{Seq: 3, At: at(20), Who: "li", Step: Copy, Mark: Intent},
		{Seq: 4, At: at(900), Who: "wang", Mark: Pause, Note: "lunch"},
		{Seq: 5, At: at(1000), Who: "li", Step: Copy, Mark: Done, Note: "7 rows"},
		{Seq: 6, At: at(2000), Who: "wang", Mark: Resume},
		{Seq: 7, At: at(2100), Who: "wang", Step: Follow, Mark: Intent}, // and it died
		{Seq: 8, At: at(5000), Who: "li", Step: Follow, Mark: Intent},
		{Seq: 9, At: at(5100), Who: "li", Step: Follow, Mark: Done},
	}
	want := []Taken{
		{Drain, Done, "li", at(0), at(10), ""},
		{Copy, Done, "li", at(20), at(1000), "7 rows"},
		{Stop, Pause, "wang", at(900), at(900), "lunch"},
		{Stop, Resume, "wang", at(2000), at(2000), ""},
		{Follow, Intent, "wang", at(2100), at(2100), ""},
		{Follow, Done, "li", at(5000), at(5100), ""},
	}
	if diff := cmp.Diff(want, Timeline(journal)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHeld(t *testing.T) {
	t.Parallel()
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	vain := []Entry{{At: at(100), Step: Fence, Mark: Intent}, {At: at(1200), Step: Unfence, Mark: Intent}, {At: at(1300), Step: Unfence, Mark: Done}}
	again := append(vain[:len(vain):len(vain)], Entry{At: at(5000), Step: Fence, Mark: Intent})
	switched := append(again[:len(again):len(again)], Entry{At: at(5300), Step: Switch, Mark: Intent}, Entry{At: at(5400), Step: Switch, Mark: Done})
	back := append(switched[:len(switched):len(switched)], Entry{At: at(9000), Step: FenceBack, Mark: Intent}, Entry{At: at(9100), Step: SwitchBack, Mark: Done})
	for _, c := range []struct {
		name    string
		journal []Entry
		want    time.Duration
	}{
		{"never", []Entry{{At: at(1), Step: Drain, Mark: Intent}, {At: at(2), Step: Unfence, Mark: Done}}, 0},
		{"in vain", vain, 1200 * time.Millisecond},
		{"still", again, 0},
		{"to the switch", switched, 400 * time.Millisecond},
		{"and back", back, 100 * time.Millisecond},
	} {
		if got := Held(c.journal); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
