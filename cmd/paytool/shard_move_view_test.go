package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
	"paytool/internal/shard/mover"
)

// viewBed is a view and a run of two tags with 2,000,000 rows.
type viewBed struct {
	view *moveView
	out  bytes.Buffer
	now  time.Time
}

func newViewBed(terminal bool) *viewBed {
	b := &viewBed{now: time.Date(2026, 3, 1, 2, 0, 0, 0, pay.Beijing)}
	out := newStatusLine(&b.out)
	out.visible = terminal
	b.view = newMoveView(out, func() time.Time { return b.now })
	b.view.expect(mover.Run{ID: "a-4", Source: 4, Target: 1, Tags: []pay.Tag{4, 8}, Plan: move.Plan{Moves: []move.Move{
		{Leg: move.Leg{Tag: 4, From: 4, To: 1}, Rows: 1_500_000},
		{Leg: move.Leg{Tag: 8, From: 4, To: 1}, Rows: 500_000},
		{Leg: move.Leg{Tag: 5, From: 5, To: 2}, Rows: 7},
	}}})
	return b
}

func (b *viewBed) hear(after time.Duration, e mover.Event) {
	b.now = b.now.Add(after)
	e.At, e.Run = b.now, "a-4"
	b.view.heard(e)
}

func (b *viewBed) copied(after time.Duration, tag pay.Tag, rows int64) {
	b.hear(after, mover.Event{Step: move.Copy, Tag: tag, Progress: mover.Progress{Rows: rows}})
}

// TestFiguresOfAMove: rows of both tags count together, the rate is that of the last ten
// seconds, and while a brake holds no time is promised.
func TestFiguresOfAMove(t *testing.T) {
	t.Parallel()
	b := newViewBed(false)
	b.hear(0, mover.Event{Step: move.Copy, Mark: move.Intent})
	b.copied(time.Second, 4, 50_000)
	b.copied(time.Second, 4, 100_000) // within two seconds: no line
	b.copied(time.Second, 4, 150_000)
	b.hear(2*time.Second, mover.Event{Step: move.Copy, Tag: 4, Progress: mover.Progress{Rows: 150_000, Held: "a replica of group 1 is 3s behind"}})
	b.hear(4*time.Second, mover.Event{Step: move.Copy, Tag: 4, Progress: mover.Progress{Rows: 150_000, Held: "a replica of group 1 is 3s behind"}}) // the same is not said again
	b.copied(16*time.Second, 4, 1_500_000)
	b.copied(5*time.Second, 8, 400_000)
	b.hear(5*time.Second, mover.Event{Step: move.Copy, Mark: move.Done})
	b.hear(0, mover.Event{Step: move.Follow, Mark: move.Intent})
	b.hear(3*time.Second, mover.Event{Step: move.Follow, Changes: 1234})
	b.hear(time.Second, mover.Event{Step: move.Follow, Mark: move.Done})
	b.view.heard(mover.Event{Run: "b-5", Step: move.Copy, Mark: move.Intent}) // nobody asked about it
	want := `4 -> 1: copy
4 -> 1: copy, 50,000 of 2,000,000 rows
4 -> 1: copy, 150,000 of 2,000,000 rows, 50,000 rows/s, about 37s left
4 -> 1: copy, 150,000 of 2,000,000 rows, waits: a replica of group 1 is 3s behind
4 -> 1: copy, 1,500,000 of 2,000,000 rows, 84,375 rows/s, about 6s left
4 -> 1: copy, 1,900,000 of 2,000,000 rows, 80,000 rows/s, about 1s left
4 -> 1: copy: done in 35s, 1,900,000 rows
4 -> 1: follow
4 -> 1: follow, 1,234 changes outstanding
4 -> 1: follow: done in 4s
`
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMoveOnATerminalIsOneLine(t *testing.T) {
	t.Parallel()
	b := newViewBed(true)
	b.hear(0, mover.Event{Step: move.Verify, Mark: move.Intent})
	b.hear(time.Second, mover.Event{Step: move.Verify, Tag: 4, Progress: mover.Progress{Rows: 10}})
	b.hear(time.Second/10, mover.Event{Step: move.Verify, Tag: 4, Progress: mover.Progress{Rows: 20}})
	b.hear(0, mover.Event{Step: move.Verify, Mark: move.Again, Note: "order 7 differs"})
	b.view.close()
	const drawn = "4 -> 1: verify, 20 of 2,000,000 rows, 100 rows/s, about 5h33m20s left"
	want := "4 -> 1: verify\n" + clearLine +
		clearLine + "4 -> 1: verify, 10 of 2,000,000 rows" + clearLine + drawn +
		clearLine + "4 -> 1: verify once more: order 7 differs\n" + drawn + clearLine + clearLine
	if diff := cmp.Diff(want, b.out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s", n, got)
		}
	}
	if got := runName(shard.GroupID(4), 1); got != "4 -> 1" {
		t.Error(got)
	}
}
