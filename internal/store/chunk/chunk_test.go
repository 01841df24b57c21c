package chunk

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

func TestCopyAndCompare(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		many := 10_000
		if !b.source.hashes { // rows are hashed here, which -race makes slow
			many = 5_000
		}
		b.fill(b.source, moving, 0, many)
		b.fill(b.source, 3, 0, 500) // stays
		b.fill(b.target, 2, 0, 500) // the target's own
		// A try that is in doubt at the source is so at the target too, beside an order there.
		b.exec(b.target, "UPDATE doubts SET order_no=? WHERE order_no=?", number(t, 1, moving+6), number(t, 1, 2+6))
		done := b.copied()
		if done.Inserted != done.Rows || done.Rows < int64(2*many) || done.Replaced != 0 || done.Deleted != 0 {
			t.Errorf("copied %+v", done)
		}
		sum, differences := b.compared()
		if !sum.Clean() || len(differences) != 0 {
			t.Fatalf("a fresh copy differs: %v", differences)
		}
		if got := sum.Source["orders"].Rows; got != int64(many) {
			t.Errorf("%d orders were compared", got)
		}
		if diff := cmp.Diff(sum.Source, sum.Target); diff != "" {
			t.Errorf("sums differ:\n%s", diff)
		}
		if again := b.copied(); again.Inserted+again.Replaced+again.Deleted != 0 || again.Rows != done.Rows {
			t.Errorf("a second copy changed something: %+v", again)
		}
		b.changesAreFound(many)
	})
}

// changesAreFound changes orders at the source as payments do, and rows at the target
// as nobody should.
func (b *bed) changesAreFound(many int) {
	t := b.t
	t.Helper()
	paid, refunded, lost, alien := number(t, 100, moving), number(t, many/2, moving), number(t, many-1, moving), number(t, many+10_000, moving)
	rottenAt := many * 4 / 5
	rotten, amount := number(t, rottenAt, moving), 100+rottenAt%9000
	b.exec(b.source, "UPDATE orders SET state='REVOKING', version=4 WHERE order_no=?", paid)
	b.exec(b.source, "INSERT INTO refunds (order_no, refund_no, tag, amount_fen, state, channel_refund_no, created_ms, done_ms, updated_ms, version, op_id) VALUES (?,'late',1,70,'REQUESTED','',1,0,1,1,'op')", refunded)
	b.exec(b.target, "UPDATE orders SET amount_fen=amount_fen+1 WHERE order_no=?", rotten)
	b.exec(b.target, "DELETE FROM outbox WHERE order_no=?", lost)
	b.exec(b.target, "INSERT INTO revokes (order_no, revoke_no, tag, amount_fen, state, money, created_ms, done_ms, updated_ms, version, op_id) VALUES (?,'v9',1,1,'REVOKED','',1,1,1,1,'op')", alien)
	want := []string{
		"orders " + paid + " differs state:REVOKING/PAID version:4/3",
		"refunds " + refunded + " late missing",
		"orders " + rotten + fmt.Sprintf(" differs amount_fen:%d/%d", amount, amount+1),
		"outbox " + lost + " 1 missing",
		"revokes " + alien + " v9 extra",
	}
	sum, differences := b.compared()
	var got []string
	for _, d := range differences {
		got = append(got, d.words())
		if d.Tag != moving || d.Source != 1 || d.Target != 2 {
			t.Errorf("%+v", d)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || sum.Differing != int64(len(want)) {
		t.Errorf("%d differ (-want +got):\n%s", sum.Differing, diff)
	}
	// Two orders that changed are copied by their numbers, the rest by copying again.
	var numbers []pay.OrderNo
	for _, no := range []string{paid, refunded} {
		parsed, err := pay.ParseOrderNo(no)
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, parsed)
	}
	if done, err := b.copy().Orders(t.Context(), numbers); err != nil || done.Replaced != 1 || done.Inserted != 1 || done.Deleted != 0 {
		t.Errorf("copied the changed orders: %+v, %v", done, err)
	}
	compare := Compare{Source: b.source, Target: b.target, Tag: moving}
	if sum, err := compare.Orders(t.Context(), numbers); err != nil || !sum.Clean() || sum.Source["orders"].Rows != 2 {
		t.Errorf("compared the changed orders: %+v, %v", sum, err)
	}
	if done := b.copied(); done.Replaced != 1 || done.Inserted != 1 || done.Deleted != 1 {
		t.Errorf("a copy over a rotten one: %+v", done)
	}
	if sum, _ := b.compared(); !sum.Clean() {
		t.Errorf("still differs: %+v", sum)
	}
}

func (d Difference) words() string {
	text := d.Table + " " + d.Key + " " + string(d.Fate)
	for _, c := range d.Columns {
		text += " " + c.Name + ":" + c.Source + "/" + c.Target
	}
	return text
}

var errKilled = errors.New("killed")

// TestKilledCopyResumes ends the process after some chunks, before it could save the
// last one.
func TestKilledCopyResumes(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 6000)
		var saved, unsaved Checkpoint
		killed := b.copy()
		killed.Save = func(_ context.Context, done Checkpoint) error {
			if done.Chunks == 4 {
				unsaved = done
				return errKilled
			}
			saved = done
			return nil
		}
		if _, err := killed.Run(t.Context(), Checkpoint{}); !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		chunks := int64(0)
		resumed := b.copy()
		before := saved
		resumed.Save = func(_ context.Context, done Checkpoint) error {
			chunks++
			before = done
			return nil
		}
		done, err := resumed.Run(t.Context(), saved)
		if err != nil {
			t.Fatal(err)
		}
		if saved.Chunks != 3 || before.Chunks != 3+chunks || !before.Ended || before.Orders != 6000 {
			t.Errorf("saved %+v, resumed to %+v", saved, before)
		}
		// The one chunk that was committed and not saved, and no other, was there.
		if there, want := done.Rows-done.Inserted, unsaved.Rows-saved.Rows; done.Replaced+done.Deleted != 0 || there != want {
			t.Errorf("resumed: %+v, %d rows were there, want %d", done, there, want)
		}
		if sum, differences := b.compared(); !sum.Clean() {
			t.Errorf("differs: %v", differences)
		}
	})
}

// TestNoChunkOvertakes: while a chunk is being saved, the next one is written, and is
// not committed however long that takes. Who dies then does one chunk again, not two.
func TestNoChunkOvertakes(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 2000)
		c := b.copy()
		c.Pace.First, c.Pace.Most = 500, 500
		c.Save = func(ctx context.Context, done Checkpoint) error {
			for range 500 { // enough for the next chunk, if nothing held it
				var there int64
				if err := b.target.db().QueryRowContext(ctx, "SELECT COUNT(*) FROM orders").Scan(&there); err != nil {
					return err
				}
				if there != done.Orders {
					return fmt.Errorf("chunk %d: %d orders are committed, want %d", done.Chunks, there, done.Orders)
				}
			}
			return nil
		}
		if _, err := c.Run(t.Context(), Checkpoint{}); err != nil {
			t.Error(err)
		}
	})
}

func TestComparisonResumes(t *testing.T) {
	b := newEmbeddedBed(t)
	b.fill(b.source, moving, 0, 2000)
	b.copied()
	b.exec(b.target, "UPDATE orders SET subject='x' WHERE order_no IN (?,?)", number(t, 10, moving), number(t, 1900, moving))
	var found []string
	c := Compare{Source: b.source, Target: b.target, Tag: moving, Found: func(d Difference) error {
		found = append(found, d.OrderNo)
		return nil
	}}
	if _, err := c.Run(t.Context(), Checkpoint{After: number(t, 1000, moving)}); err != nil {
		t.Fatal(err)
	}
	if want := []string{number(t, 1900, moving)}; !slices.Equal(found, want) {
		t.Errorf("found %v, want %v", found, want)
	}
	c.Changed = func(_ context.Context, no string) (bool, error) { return no == number(t, 10, moving), nil }
	sum, err := c.Run(t.Context(), Checkpoint{})
	if err != nil || sum.Differing != 1 || sum.Outstanding != 1 {
		t.Errorf("with a change on record: %+v, %v", sum, err)
	}
}

// TestChangeThatIsCarriedOverMeanwhile: what follows the changes may strike one off after
// the comparison has read the row and before it asks.
func TestChangeThatIsCarriedOverMeanwhile(t *testing.T) {
	b := newEmbeddedBed(t)
	b.fill(b.source, moving, 0, 500)
	b.copied()
	late, rotten := number(t, 10, moving), number(t, 20, moving)
	b.exec(b.source, "UPDATE orders SET subject='late' WHERE order_no=?", late)
	b.exec(b.target, "UPDATE orders SET subject='rotten' WHERE order_no=?", rotten)
	var found []string
	c := Compare{Source: b.source, Target: b.target, Tag: moving,
		Changed: func(_ context.Context, no string) (bool, error) {
			if no == late {
				b.exec(b.target, "UPDATE orders SET subject='late' WHERE order_no=?", late)
			}
			return false, nil
		},
		Found: func(d Difference) error {
			found = append(found, d.OrderNo)
			return nil
		}}
	sum, err := c.Run(t.Context(), Checkpoint{})
	if err != nil || sum.Differing != 1 || sum.Outstanding != 0 || !slices.Equal(found, []string{rotten}) {
		t.Errorf("found %v, %+v, %v", found, sum, err)
	}
}

// TestTargetThatDoesNotWait: once the target owns the tag its rows are newer, and a
// copier that was left behind must not touch them.
func TestTargetThatDoesNotWait(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 10)
		b.claim(shard.TagOwned)
		if _, err := b.copy().Run(t.Context(), Checkpoint{}); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("owned: %v", err)
		}
		b.exec(b.target, "DELETE FROM group_state WHERE tag=?", moving)
		if _, err := b.copy().Run(t.Context(), Checkpoint{}); !errors.Is(err, ErrNotWaiting) {
			t.Errorf("not prepared: %v", err)
		}
		b.claim(shard.TagMoved)
		b.copied()
		b.exec(b.target, "UPDATE orders SET version=9 WHERE order_no=?", number(t, 1, moving))
		if _, err := b.copy().Run(t.Context(), Checkpoint{}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), number(t, 1, moving)) {
			t.Errorf("newer: %v", err)
		}
	})
}

func TestDuplicatesAndStrays(t *testing.T) {
	onEachKind(t, func(t *testing.T, b *bed) {
		b.fill(b.source, moving, 0, 1000)
		// Order 500 has a live twin at the target, order 507 a VOID one, order 508 another attempt.
		for i, c := range []struct {
			n, attempt int
			live       any
		}{{500, 1, 1}, {507, 1, nil}, {508, 2, 1}} {
			b.exec(b.target, `INSERT INTO orders (order_no, tag, merchant_id, merchant_order_no, attempt, live, state, amount_fen, refunded_fen, channel, account,
 channel_trade_no, terminal_id, subject, created_ms, paid_ms, updated_ms, twin_of, shadow, risk_double, version, op_id)
 VALUES (?, 2, ?, ?, ?, ?, 'CREATED', 1, 0, '', '', '', '', '', 1, 0, 1, '', 0, 0, 1, 'x')`,
				number(t, 900+i, 2), fmt.Sprintf("m%03d", c.n%50), fmt.Sprintf("k%d-%07d", moving, c.n), c.attempt, c.live)
		}
		var twins []Twin
		if err := Twins(t.Context(), b.source, b.target, moving, Pace{}, func(w Twin) error {
			twins = append(twins, w)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		want := []Twin{{"m000", "k1-0000500", 1, number(t, 500, moving), number(t, 900, 2)}}
		if diff := cmp.Diff(want, twins); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if _, err := b.copy().Run(t.Context(), Checkpoint{}); !errors.Is(err, ErrClash) {
			t.Errorf("copied a clash: %v", err)
		}
		b.exec(b.source, "UPDATE orders SET tag=2 WHERE order_no=?", number(t, 3, moving))
		strays, err := b.source.Strays(t.Context(), []pay.Tag{moving})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]Stray{
			{Group: 1, Table: "orders", Tag: 2, Rows: 1, First: number(t, 3, moving)},
			{Group: 1, Table: "orders", Tag: 2, Rows: 1, First: number(t, 3, moving), Mislabelled: true},
		}, strays); diff != "" {
			t.Errorf("strays (-want +got):\n%s", diff)
		}
		if strays, err := b.target.Strays(t.Context(), []pay.Tag{2}); err != nil || len(strays) == 0 || strays[0].Table != "orders" || strays[0].Tag != moving {
			t.Errorf("the half copy is not found: %v, %v", strays, err)
		}
		sizes, err := b.source.Sizes(t.Context(), moving)
		if err != nil || sizes[0].Table != "orders" || sizes[0].Rows != 999 || sizes[0].Bytes < 999*200 || sizes[0].Bytes > 999*600 {
			t.Errorf("%v, %v", sizes, err)
		}
	})
}

// TestServersHashAsWeDo holds the SQL of a digest against the same sums made here.
func TestServersHashAsWeDo(t *testing.T) {
	b := newRealBed(t)
	b.fill(b.source, moving, 0, 500)
	theirs, err := b.source.digest(t.Context(), moving, Span{})
	if err != nil {
		t.Fatal(err)
	}
	all, err := b.source.read(t.Context(), moving, Span{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.source.add(all), theirs); diff != "" {
		t.Errorf("(-here +server):\n%s", diff)
	}
	for _, table := range b.source.tables {
		var nullable int
		if err := b.source.db().QueryRowContext(t.Context(), `SELECT COUNT(*) FROM information_schema.columns
WHERE table_schema=DATABASE() AND table_name=? AND is_nullable='YES' AND character_set_name IS NOT NULL`, table.Name).Scan(&nullable); err != nil || nullable > 0 {
			t.Errorf("%s has %d texts that may be NULL: a digest does not allow for them; %v", table.Name, nullable, err)
		}
	}
	if theirs[0].Rows != 500 || theirs[0].Hash == 0 || theirs[0].Fen == 0 {
		t.Errorf("%+v", theirs[0])
	}
}

// TestRowsOfOtherTextNeverHashAlike: the text of a row can be read back in one way.
func TestRowsOfOtherTextNeverHashAlike(t *testing.T) {
	t.Parallel()
	value := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Int64(), func(n int64) any { return n }),
		rapid.Map(rapid.StringMatching(`[0-9,:\-a]{0,6}`), func(s string) any { return s }),
	)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		a := row(rapid.SliceOfN(value, n, n).Draw(t, "a"))
		b := row(rapid.SliceOfN(value, n, n).Draw(t, "b"))
		for i := range a { // the columns of a table: texts are never NULL, numbers may be
			_, text := a[i].(string)
			if _, other := b[i].(string); text != other {
				b[i] = a[i]
			}
		}
		if alike := string(a.text(nil)) == string(b.text(nil)); alike != slices.Equal(a, b) {
			t.Fatalf("%v and %v: %q, %q", a, b, a.text(nil), b.text(nil))
		}
	})
}

func TestPace(t *testing.T) {
	t.Parallel()
	p := Pace{Time: 200 * time.Millisecond, Bytes: 1 << 20, Most: 10_000}.withDefaults()
	for _, c := range []struct {
		name  string
		size  int
		took  time.Duration
		bytes int64
		want  int
	}{
		{"just right", 1000, 200 * time.Millisecond, 1 << 20, 1000},
		{"fast: at most double", 1000, time.Millisecond, 1, 2000},
		{"slow: at least half", 1000, 10 * time.Second, 1, 500},
		{"large rows", 1000, 150 * time.Millisecond, 5 << 18, 800},
		{"never above the most", 9000, time.Millisecond, 1, 10_000},
		{"never below the least", 60, time.Minute, 1, leastChunk},
		{"a clock that stood still", 100, 0, 0, 200},
	} {
		if got := p.next(c.size, c.took, c.bytes); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
	for near, want := range map[easing]int{0: 2000, 0.05: 1000, 0.1: 666, 0.2: 500, 1: 500} { // a fifth, but at least half
		eased := p
		eased.Brakes = []Brake{near}
		if got := eased.next(1000, 100*time.Millisecond, 0); got != want {
			t.Errorf("%v near a brake: %d orders after 1000 in half their time, want %d", near, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		got := p.next(rapid.IntRange(leastChunk, 10_000).Draw(t, "size"), time.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "took")), rapid.Int64Range(0, math.MaxInt64).Draw(t, "bytes"))
		if got < leastChunk || got > 10_000 {
			t.Fatalf("%d orders", got)
		}
	})
}

func TestBrakesHold(t *testing.T) {
	t.Parallel()
	flag := filepath.Join(t.TempDir(), "pause")
	if err := os.WriteFile(flag, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	clock := time.Date(2026, 3, 1, 1, 30, 0, 0, pay.Beijing)
	lag := 3 * time.Second
	var said []string
	p := Pace{
		Brakes: []Brake{
			FlagFile(flag),
			Window{From: 2 * time.Hour, To: 5 * time.Hour, Now: func() time.Time { return clock }},
			Lag{What: "replica1 is behind by", Most: time.Second, Ask: func(context.Context) (time.Duration, error) { return lag, nil }},
			BrakeFunc(func(context.Context) (string, error) {
				if len(said) < 4 {
					return "", errors.New("nobody answers")
				}
				return "", nil
			}),
		},
		Held: func(reason string) { said = append(said, reason) },
		Sleep: func(context.Context, time.Duration) error { // each wait mends one thing
			switch len(said) {
			case 1:
				return os.Remove(flag)
			case 2:
				clock = clock.Add(time.Hour)
			case 3:
				lag = 0
			}
			return nil
		},
	}.withDefaults()
	if err := p.wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"the flag file " + flag + " exists: remove it to go on",
		"it is 01:30, outside the window from 2h0m0s to 5h0m0s",
		"replica1 is behind by 3s, at most 1s is allowed while rows move",
		"a brake cannot tell: nobody answers",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (Pace{Brakes: []Brake{BrakeFunc(func(context.Context) (string, error) { return "wait", nil })}}).withDefaults().wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a held copy that is cancelled: %v", err)
	}
}

// easing is a Brake that never holds.
type easing float64

func (easing) Hold(context.Context) (string, error) { return "", nil }
func (e easing) Ease() float64                      { return float64(e) }

func TestRestGrowsAsABrakeComesNear(t *testing.T) {
	t.Parallel()
	never := BrakeFunc(func(context.Context) (string, error) { return "", nil })
	for _, c := range []struct {
		brakes []Brake
		want   time.Duration // after a chunk of 100 ms
	}{
		{nil, 0},
		{[]Brake{never, easing(0)}, 0},
		{[]Brake{easing(0.1), easing(0.5), never}, 200 * time.Millisecond},
		{[]Brake{easing(7)}, 400 * time.Millisecond},
	} {
		slept := time.Duration(0)
		p := Pace{Brakes: c.brakes, Sleep: func(_ context.Context, d time.Duration) error {
			slept += d
			return nil
		}}.withDefaults()
		if err := p.rest(t.Context(), 100*time.Millisecond); err != nil || slept != c.want {
			t.Errorf("%v: rests for %s, want %s; %v", c.brakes, slept, c.want, err)
		}
	}
}

// TestEveryKindOfWorkRests: copying, comparing and deleting pause between their chunks.
func TestEveryKindOfWorkRests(t *testing.T) {
	b := newEmbeddedBed(t)
	b.fill(b.source, moving, 0, 1000)
	rests := 0
	pace := Pace{First: 100, Most: 100, Brakes: []Brake{easing(1)}, Sleep: func(context.Context, time.Duration) error {
		rests++
		return nil
	}}
	rested := func(what string) {
		t.Helper()
		if rests < 5 {
			t.Errorf("%s: %d rests in ten chunks", what, rests)
		}
		rests = 0
	}
	c := b.copy()
	c.Pace = pace
	if _, err := c.Run(t.Context(), Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	rested("copy")
	if _, err := (Compare{Source: b.source, Target: b.target, Tag: moving, Pace: pace}).Run(t.Context(), Checkpoint{}); err != nil {
		t.Fatal(err)
	}
	rested("compare")
	if _, err := (Delete{Side: b.target, Tag: moving, Pace: pace}).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	rested("delete")
}

func TestWindowOverMidnight(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hour int
		in   bool
	}{{23, true}, {3, true}, {5, false}, {12, false}} {
		w := Window{From: 22 * time.Hour, To: 5 * time.Hour, Now: func() time.Time { return time.Date(2026, 3, 1, c.hour, 0, 0, 0, pay.Beijing) }}
		if reason, err := w.Hold(t.Context()); err != nil || (reason == "") != c.in {
			t.Errorf("%d h: %q, %v", c.hour, reason, err)
		}
	}
}

func TestThreads(t *testing.T) {
	b := newRealBed(t)
	if reason, err := (Threads{Side: b.source, Most: 1000}).Hold(t.Context()); err != nil || reason != "" {
		t.Errorf("%q, %v", reason, err)
	}
	if reason, err := (Threads{Side: b.source}).Hold(t.Context()); err != nil || !strings.Contains(reason, "at most 0") {
		t.Errorf("%q, %v", reason, err)
	}
}
