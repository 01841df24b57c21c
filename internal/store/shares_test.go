package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"paytool/internal/shard"
)

func TestShares(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.UnixMilli(int64(s) * 1000) }
	text := addShare("", shard.Share{Share: 100}, shard.Share{}, at(1))
	text = addShare(text, shard.Share{}, shard.Share{Share: 50, Pilots: true}, at(2))
	text = addShare(text, shard.Share{}, shard.Share{Share: 12}, at(3))
	want := []shard.Share{{Share: 100}, {Share: 0, Since: at(1)}, {Share: 50, Pilots: true, Since: at(2)}, {Share: 12, Since: at(3)}}
	if got := readShares(text); !slices.EqualFunc(got, want, sameShare) {
		t.Errorf("%q is %v, want %v", text, got, want)
	}
	for word := range strings.FieldsSeq(text) { // a program that knows no pilots
		var share, since int
		if _, err := fmt.Sscanf(word, "%d@%d", &share, &since); err != nil {
			t.Errorf("%q: %v", word, err)
		}
	}
	for i := range 100 {
		text = addShare(text, shard.Share{}, shard.Share{Share: 1 << 30, Pilots: true}, time.UnixMilli(1<<41+int64(i)))
	}
	if got := readShares(text); len(got) != shard.MostShares || len(text) > 1000 {
		t.Errorf("keeps %d in %d characters", len(got), len(text))
	}
	for _, foreign := range []string{"100", "100@", "a@b", "100@1 x"} {
		if got := readShares(foreign); got != nil {
			t.Errorf("reads %q as %v", foreign, got)
		}
	}
}

func sameShare(a, b shard.Share) bool {
	return a.Share == b.Share && a.Pilots == b.Pilots && a.Since.Equal(b.Since)
}
