package tagmove

import (
	"errors"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/drill/fault"
	"paytool/internal/drill/proxy"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/mover"
	"paytool/internal/store"
)

// TestLostAnswers: the connection ends with the answer to a COMMIT. The outcome is
// unknown, never failed; here it was committed, and to ask again does no harm.
func TestLostAnswers(t *testing.T) {
	b := newRealBed(t)
	ctx, tags, on := b.ctx(), []pay.Tag{moving}, true
	b.insert(b.target, 1)
	b.exec(b.target, "INSERT INTO changed (tag, order_no, stage) VALUES (1, ?, 0)", number(t, 1).String())
	broken, lost := b.behindProxy(b.configs[1])
	carrier := NewCarrier(b.carrier().pace, b.source.of, broken.of)
	b.do(carrier.CopyOrders(ctx, legwork(mine), []pay.OrderNo{number(t, 5)})) // looks at the tables
	b.insert(b.source, 2)
	for _, c := range []struct {
		name  string
		call  func() error
		again error // what it answers when asked again
		query string
		want  int64
	}{
		{"begin", func() error { return broken.Begin(ctx, run(first, 1), nil) }, nil, "SELECT COUNT(*) FROM moves", 1},
		{"hold", func() error { return broken.Hold(ctx, first, mine, t0, t0.Add(time.Second)) }, nil, "SELECT COUNT(*) FROM moves WHERE holder='holder-1'", 1},
		{"append", func() error { return broken.Append(ctx, first, mine, entry(1)) }, mover.ErrSeq, "SELECT COUNT(*) FROM move_journal", 1},
		{"checkpoint", func() error { return broken.SaveCheckpoint(ctx, first, mine, "a", "b") }, nil, "SELECT COUNT(*) FROM move_checkpoints", 1},
		{"copy", func() error { return carrier.CopyOrders(ctx, legwork(mine), []pay.OrderNo{number(t, 2)}) }, nil, "SELECT COUNT(*) FROM orders", 2},
		{"advance", func() error {
			return broken.Advance(ctx, []int64{b.changes(b.target, mover.Compared)[0].ID}, mover.Copied)
		}, nil, "SELECT COUNT(*) FROM changed WHERE stage=1", 1},
		{"forget", func() error { return broken.Forget(ctx, mine, tags, 0) }, nil, "SELECT COUNT(*) FROM changed", 0},
		{"record", func() error { return broken.Record(ctx, mine, tags, true) }, nil, "SELECT COUNT(*) FROM group_state WHERE recording=1", 1},
		{"the switch", func() error {
			return broken.SetClaims(ctx, mine, mover.Claims{Tags: tags, State: shard.TagOwned, Epoch: 3, Record: &on})
		}, nil, "SELECT COUNT(*) FROM group_state WHERE tag=1 AND state='owned' AND epoch=3", 1},
		{"admit", func() error { return broken.Admit(ctx, tags, other) }, nil, "SELECT COUNT(*) FROM group_state WHERE mover='holder-2'", 1},
		{"drop", func() error { return broken.Drop(ctx, first, mine) }, nil, "SELECT COUNT(*) FROM moves WHERE holder=''", 1},
	} {
		lost(true)
		err := c.call()
		lost(false)
		var f *order.Fault
		if !errors.As(err, &f) || f.Outcome != order.Unknown {
			t.Errorf("%s: %v, want a fault of unknown outcome", c.name, err)
		}
		eventually(t, c.name+" is committed", func() bool { return b.count(b.target, c.query) == c.want })
		if err := c.call(); !errors.Is(err, c.again) {
			t.Errorf("%s again: %v, want %v", c.name, err, c.again)
		}
		if n := b.count(b.target, c.query); n != c.want {
			t.Errorf("%s again: %s is %d, want %d", c.name, c.query, n, c.want)
		}
	}
}

// behindProxy is a group once more, over a proxy that loses the answers to COMMIT
// while it is told to.
func (b *bed) behindProxy(cfg store.Config) (g *Group, lose func(on bool)) {
	b.t.Helper()
	dsn, err := mysql.ParseDSN(cfg.Primary.DSN)
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := proxy.Listen(b.ctx(), dsn.Addr, proxy.Options{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	dsn.Addr = p.Addr()
	cfg.Primary.DSN = dsn.FormatDSN()
	faults, err := fault.Parse("lost_commit:p=1")
	if err != nil {
		b.t.Fatal(err)
	}
	return b.open(cfg), func(on bool) {
		b.t.Helper()
		if on {
			b.do(p.Set(faults))
			return
		}
		b.do(p.Clear())
	}
}
