package chunk

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/sandbox/sandboxtest"
	"paytool/internal/shard"
	"paytool/internal/store"
	"paytool/internal/store/embedded"
)

// real is two groups with a replica each.
var real = sandboxtest.Shared{Name: "chunk", Groups: 2, Replicas: 1}

func TestMain(m *testing.M) { real.Main(m) }

// bed is two empty groups: tag 1 is to move from the first to the second.
type bed struct {
	t              testing.TB
	groups         [2]*store.Group
	source, target *Side
}

// onEachKind runs a test on embedded groups and on real servers.
func onEachKind(t *testing.T, check func(t *testing.T, b *bed)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { check(t, newEmbeddedBed(t)) })
	t.Run("mariadb", func(t *testing.T) { check(t, newRealBed(t)) })
}

func newEmbeddedBed(t testing.TB) *bed {
	t.Helper()
	set, err := embedded.Open(t.Context(), embedded.Options{Dir: t.TempDir(), Groups: 2, Sync: embedded.Normal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	})
	return newBed(t, store.Node{DSN: set.Groups()[0].DSN}, store.Node{DSN: set.Groups()[1].DSN})
}

func newRealBed(t testing.TB) *bed {
	t.Helper()
	groups := real.Start(t)
	b := newBed(t, store.Node(groups[0].Primary), store.Node(groups[1].Primary))
	for _, s := range []*Side{b.source, b.target} {
		for _, m := range store.MovingTables {
			b.exec(s, "DELETE FROM "+m.Name)
		}
	}
	return b
}

func newBed(t testing.TB, nodes ...store.Node) *bed {
	t.Helper()
	b := &bed{t: t}
	for i, n := range nodes {
		g, err := store.Open(store.Config{Group: shard.GroupID(i + 1), Primary: n}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := g.Close(); err != nil {
				t.Error(err)
			}
		})
		if err := g.Prepare(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		b.groups[i] = g
	}
	b.source, b.target = b.open(0), b.open(1)
	b.claim(shard.TagMoved)
	return b
}

func (b *bed) open(i int) *Side {
	b.t.Helper()
	s, err := Open(b.t.Context(), b.groups[i])
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

// claim sets what the target says of the moving tag.
func (b *bed) claim(state shard.TagState) {
	b.t.Helper()
	if err := b.groups[1].SetClaim(b.t.Context(), shard.Claim{Tag: moving, Group: 2, State: state, Epoch: 1}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) exec(s *Side, query string, args ...any) {
	b.t.Helper()
	if _, err := s.db().ExecContext(b.t.Context(), query, args...); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
}

const moving pay.Tag = 1

func number(t testing.TB, n int, tag pay.Tag) string {
	t.Helper()
	no, err := pay.NewOrderNo(time.Date(2026, 3, 1, 10, 0, n/50_000, 0, pay.Beijing), 7, n%50_000, tag, 1)
	if err != nil {
		t.Fatal(err)
	}
	return no.String()
}

// filler collects rows of one table and inserts them by the hundred.
type filler struct {
	b       *bed
	side    *Side
	head    string
	columns int
	args    []any
	rows    int
}

func (b *bed) filler(s *Side, table, columns string) *filler {
	return &filler{b: b, side: s, head: "INSERT INTO " + table + " (" + columns + ") VALUES ", columns: strings.Count(columns, ",") + 1}
}

func (f *filler) add(values ...any) {
	f.args = append(f.args, values...)
	if f.rows++; f.rows == 400 {
		f.flush()
	}
}

func (f *filler) flush() {
	if f.rows == 0 {
		return
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", f.columns), ",") + ")"
	f.b.exec(f.side, f.head+strings.TrimSuffix(strings.Repeat(one+",", f.rows), ","), f.args...)
	f.args, f.rows = nil, 0
}

// fill writes orders of a tag as they are after some days: paid ones, with refunds,
// revoked, void with a twin, hopped, doubted, with tasks.
func (b *bed) fill(s *Side, tag pay.Tag, from, count int) {
	b.t.Helper()
	orders := b.filler(s, "orders", `order_no, tag, merchant_id, merchant_order_no, attempt, live, state, amount_fen, refunded_fen, channel, account,
 channel_trade_no, terminal_id, subject, created_ms, paid_ms, updated_ms, twin_of, shadow, risk_double, version, op_id`)
	moves := b.filler(s, "outbox", "tag, order_no, version, merchant_id, created_ms, published_ms, from_state, to_state, mover, op_id, detail")
	refunds := b.filler(s, "refunds", "order_no, refund_no, tag, amount_fen, state, channel_refund_no, created_ms, done_ms, updated_ms, version, op_id")
	revokes := b.filler(s, "revokes", "order_no, revoke_no, tag, amount_fen, state, money, created_ms, done_ms, updated_ms, version, op_id")
	hops := b.filler(s, "hops", "order_no, above_group, tag, merchant_id, merchant_order_no, attempt, reason, created_ms, due_ms, closed")
	doubts := b.filler(s, "doubts", "order_no, tag, old_group, merchant_id, merchant_order_no, attempt, amount_fen, shadow, winner, created_ms, settled_ms, settlement")
	tasks := b.filler(s, "tasks", `id, tag, kind, order_no, merchant_id, amount_fen, state, detail, created_ms, deadline_ms, due_ms, tries, closed_ms, closed_by, note, shadow, version`)
	for i := from; i < from+count; i++ {
		no, merchant, key := number(b.t, i, tag), fmt.Sprintf("m%03d", i%50), fmt.Sprintf("k%d-%07d", tag, i)
		state, live, twin, version, amount := "PAID", any(1), "", 3, 100+i%9000
		if i%50 == 7 {
			state, live, twin, version = "VOID", nil, number(b.t, i, 9), 2
		}
		orders.add(no, tag, merchant, key, 1, live, state, amount, 0, "wechat", "1900000109", fmt.Sprintf("42000%014d", i), "t-1",
			"咖啡, 'x' \\ 杯", 1772330400000+i, 1772330401000+i, 1772330402000+i, twin, 0, 0, version, fmt.Sprintf("op%d", i))
		moves.add(tag, no, 1, merchant, 1772330400000+i, 0, "", "CREATED", "create", fmt.Sprintf("op%d", i), "")
		if i%10 == 3 {
			refunds.add(no, "r1", tag, 50, "DONE", "50000", 1772330403000+i, 1772330404000+i, 1772330404000+i, 2, "opr")
		}
		if i%60 == 5 {
			revokes.add(no, "v1", tag, amount, "REVOKED", "refunded", 1772330403000+i, 1772330404000+i, 1772330404000+i, 2, "opv")
		}
		if i%40 == 1 {
			hops.add(no, 2, tag, merchant, key, 1, "hang", 1772330400000+i, 1772330460000+i, 0)
		}
		if i%200 == 1 {
			doubts.add(number(b.t, i, tag+6), tag, tag+6, merchant, key, 1, amount, 0, no, 1772330400000+i, 0, "")
		}
		if i%97 == 2 {
			tasks.add("refund-"+no, tag, "refund", no, merchant, 50, "open", "", 1772330403000+i, 1772330503000+i, 1772330503000+i, 0, 0, "", "", 0, 1)
		}
	}
	for _, f := range []*filler{orders, moves, refunds, revokes, hops, doubts, tasks} {
		f.flush()
	}
}

// copied copies the tag and compares it.
func (b *bed) copied() Copied {
	b.t.Helper()
	done, err := b.copy().Run(b.t.Context(), Checkpoint{})
	if err != nil {
		b.t.Fatal(err)
	}
	return done
}

func (b *bed) copy() Copy {
	return Copy{Source: b.source, Target: b.target, Tag: moving, Pace: Pace{First: 200, Most: 3000}}
}

// compared lists what differs, in the order in which it was found.
func (b *bed) compared() (Compared, []Difference) {
	b.t.Helper()
	var list []Difference
	c := Compare{Source: b.source, Target: b.target, Tag: moving, Pace: Pace{First: 300}, Found: func(d Difference) error {
		list = append(list, d)
		return nil
	}}
	sum, err := c.Run(b.t.Context(), Checkpoint{})
	if err != nil {
		b.t.Fatal(err)
	}
	return sum, list
}
