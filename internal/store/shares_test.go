package store

import (
	"slices"
	"testing"
	"time"

	"paytool/internal/shard"
)

func TestShares(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.UnixMilli(int64(s) * 1000) }
	text := addShare("", 100, shard.Share{Share: 0, Since: at(1)})
	text = addShare(text, 0, shard.Share{Share: 12, Since: at(2)})
	want := []shard.Share{{Share: 100}, {Share: 0, Since: at(1)}, {Share: 12, Since: at(2)}}
	if got := readShares(text); !slices.EqualFunc(got, want, sameShare) {
		t.Errorf("%q is %v, want %v", text, got, want)
	}
	for i := range 100 {
		text = addShare(text, 0, shard.Share{Share: 1 << 30, Since: time.UnixMilli(1<<41 + int64(i))})
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

func sameShare(a, b shard.Share) bool { return a.Share == b.Share && a.Since.Equal(b.Since) }
