// Command engine measures creates on a sandbox of its own in three ways, in one run,
// and prints a table: plain transactions that write the same two rows with the same
// driver, the engine in this process, and the engine over HTTP. The ways take turns,
// and of the rounds of each the median counts.
//
//	go run ./scripts/bench/engine                       4 groups, 16 workers, 3 rounds of 5 s
//	go run ./scripts/bench/engine -profile engine.prof  and where the engine's time goes
//
// Workers ask one after the other, so that each way is as busy as it can be. The plain
// transactions know neither fence, key, health nor hop: what the engine costs above
// them is what it does. "By CPU" compares what a create costs on all processors
// together, without what engines and servers do while nobody asks; it says more where
// other work shares the machine. It needs mariadb-server and Linux.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"paytool/internal/api/client"
	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/sandbox"
	"paytool/internal/shard"
	"paytool/internal/store"
)

type options struct {
	groups, workers, rounds int
	round                   time.Duration
	profile                 string
	dir                     string  // of this run
	idle                    float64 // processors busy while nobody asks: probes, heartbeats
}

// way is one contestant: create makes order number n.
type way struct {
	name   string
	create func(ctx context.Context, n int64) error
	rounds []round
}

type round struct {
	rate     float64 // of those that were made
	p50, p99 time.Duration
	cpu      time.Duration // of all processes of this run, for each that was made
	hops     int64         // orders that the engine sent past a group
	failed   int
}

func main() {
	var o options
	flag.IntVar(&o.groups, "groups", 4, "groups of the sandbox")
	flag.IntVar(&o.workers, "workers", 16, "how many ask at a time")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds of each way")
	flag.DurationVar(&o.round, "for", 5*time.Second, "how long a round lasts")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the engine's rounds here")
	flag.Parse()
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "scripts/bench/engine:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp("/tmp", "pt-bench-")
	if err != nil {
		return err
	}
	o.dir = dir
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers' user has to pass
		return err
	}
	status, err := sandbox.Up(ctx, sandbox.Options{Dir: filepath.Join(dir, "s"), Groups: o.groups})
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, sandbox.Down(ctx, filepath.Join(dir, "s"), true))
	}()
	cfg, err := config.Load(status.Config)
	if err != nil {
		return err
	}
	engine, stopEngine, err := startEngine(ctx, cfg)
	if err != nil {
		return err
	}
	defer stopEngine()
	plain, err := plainTransactions(cfg, "BEGIN")
	if err != nil {
		return err
	}
	fenced, err := plainTransactions(cfg, fence)
	if err != nil {
		return err
	}
	served, stopServe, err := serve(ctx, dir, status.Config)
	if err != nil {
		return err
	}
	defer stopServe()
	if o.idle, err = idle(dir); err != nil {
		return err
	}
	ways := []*way{{name: "plain transactions", create: plain}, {name: "plain, with the fence", create: fenced}, {name: "engine, in process", create: engine}, {name: "engine, over HTTP", create: served}}
	if err := measure(ctx, o, ways); err != nil {
		return err
	}
	show(ways)
	fmt.Printf("\nWith nobody asking, %.2f processors are busy: probes and heartbeats of both engines.\n", o.idle)
	return nil
}

// measure lets the ways take turns, after a round that does not count.
func measure(ctx context.Context, o options, ways []*way) error {
	for i := range o.rounds + 1 {
		for _, w := range ways {
			stop, err := profile(o, w, i)
			if err != nil {
				return err
			}
			r, err := w.run(ctx, o)
			stop()
			if err != nil {
				return err
			}
			if i > 0 {
				w.rounds = append(w.rounds, r)
			}
		}
	}
	return nil
}

// profile covers the engine's last round.
func profile(o options, w *way, i int) (stop func(), err error) {
	if o.profile == "" || w.name != "engine, in process" || i != o.rounds {
		return func() {}, nil
	}
	f, err := os.Create(o.profile)
	if err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, pprof.StartCPUProfile(f)
}

var (
	numbers atomic.Int64 // of orders, over all ways
	hopped  atomic.Int64 // rows of hops that the engine in process wrote
)

func (w *way) run(ctx context.Context, o options) (round, error) {
	start, hopsBefore := time.Now(), hopped.Load()
	cpuBefore, err := cpuTime(o.dir)
	if err != nil {
		return round{}, err
	}
	times := make([][]time.Duration, o.workers)
	errs := make([][]error, o.workers)
	var wg sync.WaitGroup
	for i := range o.workers {
		wg.Go(func() {
			for time.Since(start) < o.round {
				at := time.Now()
				if err := w.create(ctx, numbers.Add(1)); err != nil {
					errs[i] = append(errs[i], err)
					time.Sleep(10 * time.Millisecond) // turned away: one that came back at once would only cost time
					continue
				}
				times[i] = append(times[i], time.Since(at))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	cpuAfter, err := cpuTime(o.dir)
	if err != nil {
		return round{}, err
	}
	all, failed := slices.Concat(times...), slices.Concat(errs...)
	if len(all) == 0 {
		return round{}, fmt.Errorf("%s: nothing was made: %w", w.name, failed[0])
	}
	slices.Sort(all)
	return round{
		rate: float64(len(all)) / took.Seconds(), p50: all[len(all)/2], p99: all[len(all)*99/100],
		cpu: (cpuAfter - cpuBefore - time.Duration(o.idle*float64(took))) / time.Duration(len(all)), hops: hopped.Load() - hopsBefore, failed: len(failed),
	}, nil
}

func show(ways []*way) {
	fmt.Println("| way | creates/s | p50 ms | p99 ms | CPU ms each | hops | failed | against plain | by CPU |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|")
	base := ways[0].median()
	for _, w := range ways {
		m := w.median()
		fmt.Printf("| %s | %.0f | %.1f | %.1f | %.2f | %d | %d | %.2f | %.2f |\n", w.name, m.rate, ms(m.p50), ms(m.p99), ms(m.cpu), m.hops, m.failed, m.rate/base.rate, ms(base.cpu)/ms(m.cpu))
	}
}

// median is the round with the middle rate.
func (w *way) median() round {
	sorted := slices.SortedFunc(slices.Values(w.rounds), func(a, b round) int { return int(a.rate - b.rate) })
	return sorted[len(sorted)/2]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func key(n int64) pay.Key {
	return pay.Key{MerchantID: "bench", MerchantOrderNo: fmt.Sprintf("B-%012d", n)}
}

func startEngine(ctx context.Context, cfg *config.Config) (create func(context.Context, int64) error, stop func(), err error) {
	var groups []order.Group
	for _, g := range cfg.Groups {
		c := store.Config{Group: shard.GroupID(g.Group), Primary: store.Node{DSN: string(g.Primary.DSN), MonitorDSN: string(g.Primary.MonitorDSN)}, Pool: cfg.Engine.Pool}
		for _, r := range g.Replicas {
			c.Replicas = append(c.Replicas, store.Node{DSN: string(r.DSN), MonitorDSN: string(r.MonitorDSN)})
		}
		opened, err := store.Open(c, slog.New(slog.DiscardHandler))
		if err != nil {
			return nil, nil, err
		}
		groups = append(groups, opened)
	}
	e := order.New(order.Options{Name: "bench", Holder: fmt.Sprintf("bench-%d", os.Getpid()), OnHop: func(order.Hop) { hopped.Add(1) }}, groups, order.System{}, rand.Uint64, slog.New(slog.DiscardHandler))
	running, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(running)
	}()
	stop = func() {
		cancel()
		<-ended
	}
	return func(ctx context.Context, n int64) error {
		_, err := e.Create(ctx, order.Request{Key: key(n), Amount: 1250})
		return err
	}, stop, e.Ready(ctx)
}

// fence is what the engine begins with: it holds the tag against a move, and looks for
// an earlier attempt of the key.
const fence = `SELECT s.state, s.epoch, (SELECT MAX(o.attempt) FROM orders o WHERE o.merchant_id=? AND o.merchant_order_no=? AND o.live=1)
FROM group_state s WHERE s.tag=? LOCK IN SHARE MODE`

// plainTransactions write an order's two rows, in the groups by turns. They begin with
// BEGIN, or with the fence where autocommit is off.
func plainTransactions(cfg *config.Config, begin string) (func(context.Context, int64) error, error) {
	var dbs []*sql.DB
	for _, g := range cfg.Groups {
		c, err := mysql.ParseDSN(string(g.Primary.DSN))
		if err != nil {
			return nil, err
		}
		c.InterpolateParams = true
		if begin == fence {
			c.Params = map[string]string{"autocommit": "0"}
		}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			return nil, err
		}
		db := sql.OpenDB(connector)
		db.SetMaxOpenConns(cfg.Engine.Pool)
		db.SetMaxIdleConns(cfg.Engine.Pool)
		dbs = append(dbs, db)
	}
	return func(ctx context.Context, n int64) error {
		group := int(n % int64(len(dbs)))
		return plainCreate(ctx, dbs[group], begin, cfg.Groups[group].Group, n)
	}, nil
}

func plainCreate(ctx context.Context, db *sql.DB, begin string, tag int, n int64) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it only goes back to the pool
	k := key(n)
	if begin == fence {
		var state string
		var epoch, last sql.NullInt64
		err = conn.QueryRowContext(ctx, fence, k.MerchantID, k.MerchantOrderNo, tag).Scan(&state, &epoch, &last)
	} else {
		_, err = conn.ExecContext(ctx, begin)
	}
	if err == nil {
		err = insertRows(ctx, conn, k, tag, n)
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = conn.ExecContext(ctx, "ROLLBACK") // the first error is the better one
	}
	return err
}

func insertRows(ctx context.Context, conn *sql.Conn, k pay.Key, tag int, n int64) error {
	now := time.Now().UnixMilli()
	no := fmt.Sprintf("20010101000000%07d%d", n%10_000_000, tag) // a day on which no engine made orders
	_, err := conn.ExecContext(ctx, `INSERT INTO orders (order_no, merchant_id, merchant_order_no, attempt, state, amount_fen, refunded_fen,
  channel, account, channel_trade_no, terminal_id, subject, created_ms, paid_ms, updated_ms, twin_of, shadow, version, op_id,
  risk_double, send_by_ms, due_ms, tries, tag, live)
VALUES (?, ?, ?, 1, 'created', 1250, 0, '', '', '', '', '', ?, 0, ?, '', 0, 1, ?, 0, 0, ?, 0, ?, 1)`,
		no, k.MerchantID, k.MerchantOrderNo, now, now, fmt.Sprintf("%032x", n), now+900_000, tag)
	if err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `INSERT INTO outbox (tag, order_no, version, merchant_id, created_ms, published_ms, from_state, to_state, mover, op_id, detail)
VALUES (?, ?, 1, ?, ?, 0, '', 'created', 'create', ?, '')`, tag, no, k.MerchantID, now, fmt.Sprintf("%032x", n))
	return err
}

// serve builds and starts `paytool serve` on the same groups.
func serve(ctx context.Context, dir, configPath string) (create func(context.Context, int64) error, stop func(), err error) {
	const url = "http://127.0.0.1:18479"
	binary := filepath.Join(dir, "paytool")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "./cmd/paytool").CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	cmd := exec.CommandContext(ctx, binary, "serve", "--config", configPath, "--listen", "127.0.0.1:18479", "--drain", "0s")
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	c, err := client.New(client.Options{URLs: []string{url}, Clock: order.System{}})
	if err != nil {
		return nil, nil, err
	}
	stop = func() {
		c.Close()
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait() // interrupted
	}
	for range 100 {
		if err = c.Ready(ctx); err == nil {
			break
		}
		_ = order.System{}.Sleep(ctx, 100*time.Millisecond)
	}
	return func(ctx context.Context, n int64) error {
		_, err := c.Create(ctx, order.Request{Key: key(n), Amount: 1250})
		return err
	}, stop, err
}
