package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store/chunk"
)

// fakeCarrier compares three chunks of a tag; rows named in bad differ, by chunk.
type fakeCarrier struct {
	mover.Carrier
	bad     map[int]mover.Difference
	works   []mover.Legwork
	chunks  []string // "tag/chunk", as they were compared
	breakAt int      // the chunk before which it breaks; 0: none
}

func (c *fakeCarrier) Compare(ctx context.Context, l mover.Legwork, from string, save func(ctx context.Context, checkpoint string, p mover.Progress) error, found func(mover.Difference) error) error {
	c.works = append(c.works, l)
	first := 1
	if from != "" {
		if _, err := fmt.Sscanf(from, "chunk %d", &first); err != nil {
			return err
		}
		first++
	}
	for i := first; i <= 3; i++ {
		if i == c.breakAt {
			c.breakAt = 0
			return errBroken
		}
		c.chunks = append(c.chunks, fmt.Sprintf("%d/%d", l.Tag, i))
		if d, ok := c.bad[i]; ok {
			if err := found(d); err != nil {
				return err
			}
		}
		if err := save(ctx, "", mover.Progress{Held: "a brake holds"}); err != nil {
			return err
		}
		if err := save(ctx, fmt.Sprintf("chunk %d", i), mover.Progress{Orders: int64(i) * 10, Rows: int64(i) * 100}); err != nil {
			return err
		}
	}
	return nil
}

// verifyBed is a fleet of which groups 4 and 5 were drained and copied.
type verifyBed struct {
	*moveBed
	carrier *fakeCarrier
	homes   map[shard.GroupID][]pay.Tag
	strays  map[shard.GroupID][]chunk.Stray
}

func newVerifyBed(t *testing.T, until mover.Until) *verifyBed {
	b := &verifyBed{moveBed: newMoveBed(t), carrier: &fakeCarrier{}, homes: map[shard.GroupID][]pay.Tag{}, strays: map[shard.GroupID][]chunk.Stray{}}
	if _, err := b.Begin(t.Context(), plan54()); err != nil {
		t.Fatal(err)
	}
	for _, s := range b.runs {
		if _, err := b.Drive(t.Context(), s.Run.ID, until); err != nil {
			t.Fatal(err)
		}
		if until == mover.UntilDrained {
			b.write(s, s.State.Next(), "intent", "")
		}
	}
	b.moves.carrier, b.moves.brakes = b.carrier, []mover.Brake{&throttle{}}
	return b
}

func (b *verifyBed) verify(o shardVerifyOptions) (shardVerdict, error) {
	var reports []shard.Report
	for g := range shard.GroupID(5) {
		reports = append(reports, shard.Report{Group: g + 1, Claims: []shard.Claim{{Tag: pay.Tag(g + 1), Group: g + 1, State: shard.TagOwned, Epoch: 3}}})
	}
	v := verifier{
		moves: b.moves, opts: o, topology: shard.NewTopology(2, reports...), groups: []shard.GroupID{1, 2, 3, 4, 5}, tell: func(string) {},
		strays: func(_ context.Context, g shard.GroupID, home []pay.Tag) ([]chunk.Stray, error) {
			b.homes[g] = home
			return b.strays[g], nil
		},
	}
	return v.run(b.t.Context())
}

func TestVerifyComparesWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	b := newVerifyBed(t, mover.UntilDrained)
	v, err := b.verify(shardVerifyOptions{})
	if err != nil || !v.OK || len(v.Compared) != 2 || !slices.Equal(v.Searched, []shard.GroupID{1, 2, 3, 4, 5}) {
		t.Fatalf("%+v, %v", v, err)
	}
	if got := v.Compared[0]; got != (comparedTag{Tag: 4, Owner: 4, Copy: 1, Orders: 30, Rows: 300}) {
		t.Errorf("%+v", got)
	}
	for g, want := range map[shard.GroupID][]pay.Tag{1: {1, 4}, 2: {0, 2, 5}, 3: {3}, 4: {4}, 5: {5}} {
		if !slices.Equal(b.homes[g], want) {
			t.Errorf("group %d is home to %v, want %v", g, b.homes[g], want)
		}
	}
	if l := b.carrier.works[0]; l.From != 4 || l.To != 1 || l.Epoch != 3 || len(l.Brakes) != 1 {
		t.Errorf("%+v", l)
	}

	// After the switch the target owns the tags, and the source has the copy.
	b = newVerifyBed(t, mover.UntilSwitched)
	if _, err := b.verify(shardVerifyOptions{tag: 5}); err != nil {
		t.Fatal(err)
	}
	if l := b.carrier.works; len(l) != 1 || l[0].Tag != 5 || l[0].From != 2 || l[0].To != 5 {
		t.Errorf("%+v", l)
	}
}

func TestVerifyNamesWhatDiffers(t *testing.T) {
	t.Parallel()
	b := newVerifyBed(t, mover.UntilDrained)
	b.app.output = outputTable
	b.carrier.bad = map[int]mover.Difference{2: {Table: "orders", Key: "20260301100000070000114", OrderNo: "20260301100000070000114", Fate: "differs", Text: "amount_fen 100, 900"}}
	b.strays[3] = []chunk.Stray{{Group: 3, Table: "refunds", Tag: 9, Rows: 1200, First: "20260301100000070000119"}, {Group: 3, Table: "orders", Tag: 3, Rows: 1, First: "x", Mislabelled: true}}
	v, err := b.verify(shardVerifyOptions{})
	if err != nil || v.OK || len(v.Differences) != 2 || len(v.Strays) != 2 {
		t.Fatalf("%+v, %v", v, err)
	}
	if err := b.app.showShardVerdict(v); !errors.Is(err, errNo) {
		t.Errorf("ended with %v", err)
	}
	golden(t, "shard_verify.txt", b.out.String())
	if v, err := b.verify(shardVerifyOptions{tag: 4}); err != nil || len(v.Strays) != 0 || len(v.Differences) != 1 {
		t.Errorf("of one tag: %+v, %v", v, err)
	}
	if v, err := b.verify(shardVerifyOptions{plan: "0123456789abcdef"}); err != nil || len(v.Searched) != 0 || len(v.Compared) != 2 {
		t.Errorf("of one plan: %+v, %v", v, err)
	}
}

// TestVerifyResumes: what was compared is not compared again, and what was found is
// not forgotten.
func TestVerifyResumes(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "verify.json")
	b := newVerifyBed(t, mover.UntilDrained)
	b.carrier.bad = map[int]mover.Difference{1: {Table: "orders", OrderNo: "x", Fate: "missing"}}
	b.carrier.breakAt = 3
	if _, err := b.verify(shardVerifyOptions{resume: file}); err == nil {
		t.Fatal("it did not break")
	}
	v, err := b.verify(shardVerifyOptions{resume: file})
	if err != nil || len(v.Differences) != 2 || v.Compared[0].Rows != 300 {
		t.Fatalf("%+v, %v", v, err)
	}
	if got, want := strings.Join(b.carrier.chunks, " "), "4/1 4/2 4/3 5/1 5/2 5/3"; got != want {
		t.Errorf("compared %s, want %s", got, want)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.verify(shardVerifyOptions{resume: file}); err == nil || !strings.Contains(err.Error(), "delete "+file) {
		t.Errorf("a file that is cut short: %v", err)
	}
}
