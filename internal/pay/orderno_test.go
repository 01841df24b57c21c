package pay

import (
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPublishedOrderNumber(t *testing.T) {
	no, err := ParseOrderNo("2016091212154323221992")
	if err != nil {
		t.Fatal(err)
	}
	if got := no.Base(); got != "201609121215432322199" {
		t.Errorf("base = %s", got)
	}
	if no.Tag() != 2 || no.TagWidth() != 1 || no.Legacy() {
		t.Errorf("tag = %d, width = %d, legacy = %v", no.Tag(), no.TagWidth(), no.Legacy())
	}
	if want := time.Date(2016, 9, 12, 12, 15, 43, 0, Beijing); !no.Second().Equal(want) {
		t.Errorf("second = %v, want %v", no.Second(), want)
	}
	if no.Instance() != 23 || no.Sequence() != 22199 {
		t.Errorf("instance = %d, sequence = %d", no.Instance(), no.Sequence())
	}
}

func TestParseOrderNo(t *testing.T) {
	base := "201609121215432322199"
	for _, c := range []struct {
		name, in string
		tag      Tag
		width    int
		refused  string
	}{
		{name: "legacy", in: base},
		{name: "tag of two digits", in: base + "12", tag: 12, width: 2},
		{name: "padded tag", in: base + "03", tag: 3, width: 2},
		{name: "longest", in: base + "99999999999", tag: 99_999_999_999, width: 11},
		{name: "too long", in: base + strings.Repeat("1", 12), refused: "has 33 characters"},
		{name: "too short", in: base[:20], refused: "has 20 characters"},
		{name: "empty", in: "", refused: "has 0 characters"},
		{name: "letter", in: base[:20] + "x", refused: "at position 21"},
		{name: "wide digit", in: base[:18] + "９", refused: "at position 19"},
		{name: "sign", in: "+" + base, refused: "at position 1"},
		{name: "no such month", in: "201613121215432322199" + "2", refused: "date and time that exists"},
		{name: "no such day", in: "201602301215432322199" + "2", refused: "date and time that exists"},
		{name: "leap second", in: "201612312359602322199" + "2", refused: "date and time that exists"},
		{name: "tag zero", in: base + "0", refused: "tags start at 1"},
		{name: "a megabyte", in: strings.Repeat("1", 1<<20), refused: "bytes more"},
	} {
		t.Run(c.name, func(t *testing.T) {
			no, err := ParseOrderNo(c.in)
			if c.refused != "" {
				var input *InputError
				if !errors.As(err, &input) || input.Code != CodeInvalidOrderNo || !strings.Contains(err.Error(), c.refused) {
					t.Fatalf("error = %v, want %s with %q", err, CodeInvalidOrderNo, c.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if no.Tag() != c.tag || no.TagWidth() != c.width || no.String() != c.in {
				t.Errorf("tag %d width %d text %s", no.Tag(), no.TagWidth(), no)
			}
		})
	}
}

func TestNewOrderNoRefusesWhatDoesNotFit(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, Beijing)
	for _, c := range []struct {
		name               string
		at                 time.Time
		instance, sequence int
		tag                Tag
		width              int
	}{
		{"instance", at, 100, 0, 1, 1},
		{"negative instance", at, -1, 0, 1, 1},
		{"sequence", at, 0, 100_000, 1, 1},
		{"tag wider than its width", at, 0, 0, 10, 1},
		{"tag zero", at, 0, 0, 0, 1},
		{"width zero", at, 0, 0, 1, 0},
		{"33 characters", at, 0, 0, 1, 12},
		{"year of five digits", time.Date(10000, 1, 1, 0, 0, 0, 0, Beijing), 0, 0, 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if no, err := NewOrderNo(c.at, c.instance, c.sequence, c.tag, c.width); err == nil {
				t.Errorf("accepted as %s", no)
			}
		})
	}
}

func TestOrderNoRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0)
		instance := rapid.IntRange(0, MaxInstance).Draw(t, "instance")
		sequence := rapid.IntRange(0, MaxSequence).Draw(t, "sequence")
		width := rapid.IntRange(1, MaxTagWidth).Draw(t, "width")
		limit := Tag(1)
		for range width {
			limit *= 10
		}
		tag := Tag(rapid.Int64Range(1, int64(limit)-1).Draw(t, "tag"))
		no, err := NewOrderNo(at, instance, sequence, tag, width)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParseOrderNo(no.String())
		if err != nil || again != no {
			t.Fatalf("%s came back as %s, %v", no, again, err)
		}
		if !again.Second().Equal(at) || again.Instance() != instance || again.Sequence() != sequence || again.Tag() != tag || len(no.String()) > MaxNoLen {
			t.Fatalf("%s lost a part", no)
		}
	})
}

// TestLaterNumbersAreHigher holds the order that the rule of twins relies on.
func TestLaterNumbersAreHigher(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.Int64Range(0, 4_000_000_000).Draw(t, "at")
		later := at + rapid.Int64Range(1, 1000).Draw(t, "later")
		mk := func(sec int64) OrderNo {
			no, err := NewOrderNo(time.Unix(sec, 0), rapid.IntRange(0, 99).Draw(t, "i"), rapid.IntRange(0, MaxSequence).Draw(t, "s"), Tag(rapid.IntRange(1, 9).Draw(t, "t")), 1)
			if err != nil {
				t.Fatal(err)
			}
			return no
		}
		a, b := mk(at), mk(later)
		if a.Compare(b) >= 0 || b.Compare(a) <= 0 || a.Compare(a) != 0 {
			t.Fatalf("%s and %s compare wrongly", a, b)
		}
	})
}

func FuzzParseOrderNo(f *testing.F) {
	for _, s := range []string{"2016091212154323221992", "201609121215432322199", "", "0", strings.Repeat("9", 32), "20160912121543232219９"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		no, err := ParseOrderNo(s)
		if err != nil {
			return
		}
		if no.String() != s || len(s) > MaxNoLen {
			t.Fatalf("%q came back as %q", s, no)
		}
	})
}

func BenchmarkParseOrderNo(b *testing.B) {
	for b.Loop() {
		if _, err := ParseOrderNo("2016091212154323221992"); err != nil {
			b.Fatal(err)
		}
	}
}
