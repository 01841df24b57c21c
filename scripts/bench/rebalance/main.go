// Command rebalance measures how fast a tag's rows are copied from one group to
// another and compared there, beside mysqldump piped into mysql on the same rows, in
// one run, and prints a table.
//
//	go run ./scripts/bench/rebalance                     50,000 orders, 3 rounds
//	go run ./scripts/bench/rebalance -orders 1000000     for a quiet machine
//	go run ./scripts/bench/rebalance -alone -pool 512    one primary, all in memory
//	go run ./scripts/bench/rebalance -creates 50         what creates feel, too
//
// The groups are a sandbox of its own: a primary and two semi-sync replicas each, all
// durable. "Behind" is the time that the replicas of the target still needed once the
// last row was committed. The ways take turns; of the rounds of each the median
// counts. It needs mariadb-server.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
	"paytool/internal/store"
	"paytool/internal/store/chunk"
)

type options struct {
	orders, rounds, pool, creates int
	alone                         bool
}

func main() {
	var o options
	flag.IntVar(&o.orders, "orders", 50_000, "orders of the moving tag; each has about two more rows")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each way")
	flag.BoolVar(&o.alone, "alone", false, "stop the target's replicas, and wait for none")
	flag.IntVar(&o.pool, "pool", 16, "MB of each server's buffer pool")
	flag.IntVar(&o.creates, "creates", 0, "create so many orders a second in the target beside further copies, and say how long they take")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "scripts/bench/rebalance:", err)
		os.Exit(1)
	}
}

// moving is the tag that goes from group 1 to group 2.
const moving pay.Tag = 1

// scene is two groups, the first of them full.
type scene struct {
	source, target *store.Group
	from, to       *chunk.Side
	nodes          []sandbox.Node
	rows           int64
	alone          bool // the target's replicas stand still
	created        int  // by the engine
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("/tmp", "pt-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers' user has to pass
		return err
	}
	status, err := sandbox.Up(ctx, sandbox.Options{Dir: filepath.Join(dir, "s"), Groups: 2})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sandbox.Down(ctx, filepath.Join(dir, "s"), true)) }()
	s, err := prepare(ctx, status)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.source.Close(), s.target.Close()) }()
	if err := s.fill(ctx, o.orders); err != nil {
		return err
	}
	if err := s.setUp(ctx, o); err != nil {
		return err
	}
	if err := s.measure(ctx, o.rounds); err != nil {
		return err
	}
	if o.creates == 0 {
		return nil
	}
	return s.payments(ctx, o)
}

// setUp makes the servers as they are to be measured.
func (s *scene) setUp(ctx context.Context, o options) error {
	s.alone = o.alone
	for _, n := range s.nodes {
		statements := []string{fmt.Sprintf("SET GLOBAL innodb_buffer_pool_size=%d", o.pool<<20)}
		if o.alone && n.Group == 2 {
			statements = append(statements, "SET GLOBAL rpl_semi_sync_master_enabled=OFF", "STOP ALL SLAVES")
		}
		if err := asRoot(ctx, n, statements...); err != nil {
			return err
		}
	}
	return nil
}

func asRoot(ctx context.Context, n sandbox.Node, statements ...string) error {
	db, err := n.Admin()
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", statement, err), db.Close())
		}
	}
	return db.Close()
}

func prepare(ctx context.Context, status *sandbox.Status) (*scene, error) {
	cfg, err := config.Load(status.Config)
	if err != nil {
		return nil, err
	}
	var groups []*store.Group
	for _, g := range cfg.Groups {
		opened, err := store.Open(store.Config{
			Group: shard.GroupID(g.Group), Primary: store.Node{DSN: string(g.Primary.DSN), MonitorDSN: string(g.Primary.MonitorDSN)},
		}, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, err
		}
		if err := opened.Prepare(ctx, 100); err != nil {
			return nil, err
		}
		groups = append(groups, opened)
	}
	s := &scene{source: groups[0], target: groups[1], nodes: status.Nodes}
	if s.from, err = chunk.Open(ctx, s.source); err != nil {
		return nil, err
	}
	if s.to, err = chunk.Open(ctx, s.target); err != nil {
		return nil, err
	}
	return s, s.target.SetClaim(ctx, shard.Claim{Tag: moving, Group: 2, State: shard.TagMoved, Epoch: 1})
}

// way is one contestant.
type way struct {
	name   string
	writes bool // it begins with an empty target
	run    func(ctx context.Context) error
	rounds []round
}

type round struct {
	took, behind time.Duration
	cpu          usage // until the replicas were there
}

func (s *scene) measure(ctx context.Context, rounds int) error {
	ways := []*way{
		{name: "mysqldump, piped into mysql", writes: true, run: s.pipe},
		{name: "copy by chunk", writes: true, run: s.copy},
		{name: "verify by chunk", run: s.verify},
	}
	for range rounds {
		for _, w := range ways {
			if w.writes {
				if err := s.empty(ctx); err != nil {
					return err
				}
			}
			before, err := s.spent()
			if err != nil {
				return err
			}
			began := time.Now()
			if err := w.run(ctx); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
			r := round{took: time.Since(began)}
			began = time.Now()
			if err := s.catchUp(ctx); err != nil {
				return err
			}
			r.behind = time.Since(began)
			after, err := s.spent()
			if err != nil {
				return err
			}
			r.cpu = after.minus(before)
			w.rounds = append(w.rounds, r)
		}
	}
	s.show(ways)
	return nil
}

func (s *scene) show(ways []*way) {
	fmt.Printf("%d rows\n\n| way | rows/s | seconds | replicas behind, s | against mysqldump | CPU s: source, target, its replicas, client |\n|---|---|---|---|---|---|\n", s.rows)
	base := ways[0].median().took
	for _, w := range ways {
		m := w.median()
		fmt.Printf("| %s | %.0f | %.2f | %.2f | %.2f | %.2f, %.2f, %.2f, %.2f |\n", w.name, float64(s.rows)/m.took.Seconds(), m.took.Seconds(), m.behind.Seconds(), base.Seconds()/m.took.Seconds(),
			m.cpu.source.Seconds(), m.cpu.target.Seconds(), m.cpu.replicas.Seconds(), m.cpu.client.Seconds())
	}
}

// median is the round with the middle time.
func (w *way) median() round {
	sorted := slices.SortedFunc(slices.Values(w.rounds), func(a, b round) int { return cmp.Compare(a.took, b.took) })
	return sorted[len(sorted)/2]
}

func (s *scene) copy(ctx context.Context) error {
	done, err := chunk.Copy{Source: s.from, Target: s.to, Tag: moving}.Run(ctx, chunk.Checkpoint{})
	if err == nil && (done.Inserted != s.rows || done.Rows != s.rows) {
		return fmt.Errorf("%d rows of %d were copied", done.Inserted, s.rows)
	}
	return err
}

func (s *scene) verify(ctx context.Context) error {
	sum, err := chunk.Compare{Source: s.from, Target: s.to, Tag: moving}.Run(ctx, chunk.Checkpoint{})
	if err == nil && !sum.Clean() {
		return fmt.Errorf("%d rows differ", sum.Differing)
	}
	return err
}

// pipe is what people do without a tool: it checks nothing, and holds no fence.
func (s *scene) pipe(ctx context.Context) error {
	var tables []string
	for _, t := range store.MovingTables {
		tables = append(tables, t.Name)
	}
	dump := exec.CommandContext(ctx, "mysqldump", append([]string{
		"-uroot", "-S", s.primary(1).Socket, "--single-transaction", "--no-create-info", "--skip-triggers", "--compact", "--where", fmt.Sprintf("tag=%d", moving), "pay",
	}, tables...)...)
	load := exec.CommandContext(ctx, "mysql", "-uroot", "-S", s.primary(2).Socket, "pay")
	dump.Stderr, load.Stderr = os.Stderr, os.Stderr
	var err error
	if load.Stdin, err = dump.StdoutPipe(); err != nil {
		return err
	}
	if err := load.Start(); err != nil {
		return err
	}
	return errors.Join(dump.Run(), load.Wait())
}

func (s *scene) primary(group int) sandbox.Node {
	return s.nodes[slices.IndexFunc(s.nodes, func(n sandbox.Node) bool { return n.Group == group && n.Role == sandbox.RolePrimary })]
}

// empty takes the copy away again, outside what is measured. After a DELETE the servers
// would go on for seconds to clear what it had marked, at the cost of the next way.
func (s *scene) empty(ctx context.Context) error {
	for _, t := range store.MovingTables {
		if err := asRoot(ctx, s.primary(2), "TRUNCATE TABLE pay."+t.Name); err != nil {
			return err
		}
	}
	return s.catchUp(ctx)
}

// catchUp waits until every replica of the target has applied what it committed.
func (s *scene) catchUp(ctx context.Context) error {
	if s.alone {
		return nil
	}
	var position string
	if err := s.target.Bulk().QueryRowContext(ctx, "SELECT @@global.gtid_binlog_pos").Scan(&position); err != nil {
		return err
	}
	for _, n := range s.nodes {
		if n.Group != 2 || n.Role == sandbox.RolePrimary {
			continue
		}
		db, err := n.Admin()
		if err != nil {
			return err
		}
		var late int
		err = errors.Join(db.QueryRowContext(ctx, "SELECT MASTER_GTID_WAIT(?, 120)", position).Scan(&late), db.Close())
		if err != nil || late != 0 {
			return fmt.Errorf("a replica did not come to %s: %w", position, err)
		}
	}
	return nil
}

// fill writes paid orders with their moves, and a refund to every fifth.
func (s *scene) fill(ctx context.Context, orders int) error {
	began := time.Date(2026, 3, 1, 0, 0, 0, 0, pay.Beijing)
	tables := []struct {
		head string
		rows func(i int, no string) [][]any
	}{
		{`orders (order_no, tag, merchant_id, merchant_order_no, attempt, live, state, amount_fen, refunded_fen, channel, account, channel_trade_no,
 terminal_id, subject, created_ms, paid_ms, updated_ms, twin_of, shadow, risk_double, version, op_id)`, func(i int, no string) [][]any {
			return [][]any{{
				no, moving, fmt.Sprintf("m%04d", i%2000), fmt.Sprintf("K-%09d", i), 1, 1, "PAID", 100 + i%9000, 0, "wechat", "1900000109", fmt.Sprintf("42000%023d", i),
				"t-17", "中杯拿铁咖啡", 1772300000000 + i, 1772300001000 + i, 1772300001000 + i, "", 0, 0, 3, fmt.Sprintf("op-%028x", i),
			}}
		}},
		{"outbox (tag, order_no, version, merchant_id, created_ms, published_ms, from_state, to_state, mover, op_id, detail)", func(i int, no string) [][]any {
			return [][]any{
				{moving, no, 1, fmt.Sprintf("m%04d", i%2000), 1772300000000 + i, 0, "", "CREATED", "create", fmt.Sprintf("op-%028x", i), ""},
				{moving, no, 2, fmt.Sprintf("m%04d", i%2000), 1772300001000 + i, 0, "CREATED", "PAYING", "pay", fmt.Sprintf("op-%028x", i+1), ""},
			}
		}},
		{"refunds (order_no, refund_no, tag, amount_fen, state, channel_refund_no, created_ms, done_ms, updated_ms, version, op_id)", func(i int, no string) [][]any {
			if i%5 != 0 {
				return nil
			}
			return [][]any{{no, "r1", moving, 50, "DONE", fmt.Sprintf("50000%023d", i), 1772300002000 + i, 1772300003000 + i, 1772300003000 + i, 2, "op"}}
		}},
	}
	for _, t := range tables {
		var batch [][]any
		for i := range orders {
			no, err := pay.NewOrderNo(began.Add(time.Duration(i/300)*time.Second), 7, i%300, moving, 1)
			if err != nil {
				return err
			}
			batch = append(batch, t.rows(i, no.String())...)
			if len(batch) < 1000 && i+1 < orders {
				continue
			}
			if err := s.insert(ctx, t.head, batch); err != nil {
				return err
			}
			s.rows += int64(len(batch))
			batch = batch[:0]
		}
	}
	return nil
}

func (s *scene) insert(ctx context.Context, head string, batch [][]any) error {
	if len(batch) == 0 {
		return nil
	}
	one := "(" + strings.TrimSuffix(strings.Repeat("?,", len(batch[0])), ",") + "),"
	_, err := s.source.Bulk().ExecContext(ctx, "INSERT INTO "+head+" VALUES "+strings.TrimSuffix(strings.Repeat(one, len(batch)), ","), slices.Concat(batch...)...)
	return err
}
