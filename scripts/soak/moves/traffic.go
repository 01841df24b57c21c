package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"paytool/internal/api/client"
	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	merchant = "old"
	price    = pay.Fen(1000) // of each old order; a refund takes one fen of it
)

// traffic is what clients do to the old orders while groups come and go.
type traffic struct {
	world  *world
	client *client.Client
	orders []*oldOrder
	cancel context.CancelFunc
	wg     sync.WaitGroup
	loads  []*exec.Cmd // one after the other, for engines read their config once

	mu      sync.Mutex
	figures figures
	errs    []error
}

// oldOrder is one order and what its client was told of it.
type oldOrder struct {
	mu       sync.Mutex
	no       pay.OrderNo
	paid     bool    // or may be: its payment code was sent
	refunds  int     // asked for so far, each over one fen
	refunded pay.Fen // that were confirmed
	unknown  pay.Fen // that were not
}

type figures struct {
	reads, updates, lists, exports int
	refused, askedAgain            int           // payments that were, see traffic.pay
	held                           int           // updates that were asked for again, see traffic.held
	gaveWay                        int           // reads that an instance turned away, for creates to be served
	slowest                        time.Duration // update
	slowestRead                    time.Duration
	loads                          []loadFigures
}

type loadFigures struct {
	Acked   int     `json:"acked"`
	Failed  int     `json:"failed"`
	Unknown int     `json:"unknown"`
	Dropped int     `json:"dropped"`
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
}

func (f figures) print(took time.Duration, w *world) {
	fmt.Printf("\n%d switches seen, %d kills of the tool, %d of primaries, %s\n", len(w.fences), w.killed, w.crashed, took.Round(time.Second))
	if w.killer != nil {
		w.killer.print()
	}
	for _, l := range f.loads {
		fmt.Printf("creates: %d acknowledged, %d failed, %d unknown, %d dropped; p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
			l.Acked, l.Failed, l.Unknown, l.Dropped, l.P50, l.P99, l.Max)
	}
	fmt.Printf("old orders: %d reads (slowest %d ms), %d payments and refunds (slowest %d ms), %d refused, %d payments asked for again, %d lists, %d exports\n",
		f.reads, f.slowestRead.Milliseconds(), f.updates, f.slowest.Milliseconds(), f.refused, f.askedAgain, f.lists, f.exports)
	if f.gaveWay > 0 {
		fmt.Printf("%d reads were turned away at once, as reads give way to creates\n", f.gaveWay)
	}
	if f.held > 0 {
		fmt.Printf("%d payments and refunds were refused at a fence that was left up, and asked for again\n", f.held)
	}
	if w.refused > 0 {
		fmt.Printf("%d plans were refused for a moment: orders lay in two groups after one of them was out\n", w.refused)
	}
	if len(w.fences) > 0 {
		longest := time.Duration(0)
		for _, d := range w.fences {
			longest = max(longest, d)
		}
		fmt.Printf("fence to switch: longest of %d is %d ms\n", len(w.fences), longest.Milliseconds())
	}
}

func (w *world) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for _, a := range w.addresses()[:max(1, len(w.served))] {
		for {
			answer, err := ask(ctx, "http://"+a+"/readyz")
			if err == nil {
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					break
				}
			}
			if (order.System{}).Sleep(ctx, 50*time.Millisecond) != nil {
				return fmt.Errorf("the engine at %s does not get ready: %w", a, errors.Join(err, ctx.Err()))
			}
		}
	}
	return nil
}

func ask(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// startTraffic makes the old orders, pays them, and sets everything going.
func (w *world) startTraffic(ctx context.Context) (*traffic, error) {
	c, err := client.New(client.Options{URLs: w.urls(), Clock: order.System{}})
	if err != nil {
		return nil, err
	}
	t := &traffic{world: w, client: c}
	for i := range w.old {
		o, err := c.Create(ctx, order.Request{Key: pay.Key{MerchantID: merchant, MerchantOrderNo: fmt.Sprintf("O-%06d", i)}, Amount: price})
		if err != nil {
			return nil, fmt.Errorf("make old order %d: %w", i, err)
		}
		t.orders = append(t.orders, &oldOrder{no: o.No})
	}
	for _, rate := range []string{"50", fmt.Sprint(w.rate)} { // connections are opened, and no figure counts
		if _, err := w.paytool(ctx, append([]string{"load"}, append(w.target(), "--rate", rate, "--for", "5s")...)...); err != nil {
			return nil, err
		}
	}
	if err := t.startLoad(ctx); err != nil {
		return nil, err
	}
	if err := w.resetCPU(ctx); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(ctx)
	t.cancel = cancel
	for i := range uint64(4) {
		t.wg.Go(func() { t.update(running, i) })
		t.wg.Go(func() { t.read(running, i) })
	}
	t.wg.Go(func() { t.repeat(running, w.listEvery, t.list) })
	t.wg.Go(func() { t.repeat(running, w.exportEvery, t.export) })
	return t, order.System{}.Sleep(ctx, 5*time.Second)
}

// ledger is the file with the orders of a load, and results that with its figures.
func (t *traffic) ledger(i int) string {
	return filepath.Join(t.world.dir, fmt.Sprintf("load-%d.jsonl", i))
}

func (t *traffic) result(i int) string {
	return filepath.Join(t.world.dir, fmt.Sprintf("load-%d.json", i))
}

func (t *traffic) startLoad(ctx context.Context) error {
	n := len(t.loads)
	load := t.world.command(ctx, append([]string{"load"}, append(t.world.target(), "--rate", fmt.Sprint(t.world.rate), "--for", "3h", "--seed", fmt.Sprint(t.world.seed),
		"--ledger", t.ledger(n), "-o", "json")...)...)
	load.Cancel = func() error { return nil } // it is interrupted, for its figures
	out, err := os.Create(t.result(n))
	if err != nil {
		return err
	}
	defer out.Close() //nolint:errcheck // the load has a copy of its own
	load.Stdout = out
	if err := load.Start(); err != nil {
		return err
	}
	t.loads = append(t.loads, load)
	return nil
}

// endLoad ends the load that began first and is still there, and reads its figures.
func (t *traffic) endLoad() error {
	n := len(t.figures.loads)
	_ = t.loads[n].Process.Signal(os.Interrupt)
	_ = t.loads[n].Wait() // 130
	t.world.cpu.ended(t.loads[n])
	var l loadFigures
	text, err := os.ReadFile(t.result(n))
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	t.figures.loads = append(t.figures.loads, l)
	return err
}

func (t *traffic) note(f func(*figures), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.figures)
	if err != nil {
		t.figures.refused++
		t.errs = append(t.errs, fmt.Errorf("%s %w", time.Now().Format("15:04:05.000"), err))
	}
}

const pause = 200 * time.Millisecond // of one worker between two requests

// update pays one old order after the other, or refunds one fen of it. An outcome that
// stays unknown is asked for again with the same number, as a client would.
func (t *traffic) update(ctx context.Context, worker uint64) {
	chance := rand.New(rand.NewPCG(t.world.seed, 100+worker))
	for (order.System{}).Sleep(ctx, pause) == nil {
		o := t.orders[chance.IntN(len(t.orders))]
		o.mu.Lock()
		var err error
		began := time.Now()
		switch {
		case !o.paid:
			o.paid = true
			err = t.pay(o)
		case o.refunds < 45: // a payment takes 50
			o.refunds++
			err = t.refund(o)
		}
		took := time.Since(began)
		if err != nil {
			err = fmt.Errorf("after %d ms: %w", took.Milliseconds(), err)
		}
		t.note(func(f *figures) { f.updates++; f.slowest = max(f.slowest, took) }, err)
		o.mu.Unlock()
	}
}

// pay sends the payment code once, and asks what became of it until that is known.
// Where a group did not say in time whether it holds another payment of the key, nothing
// was sent, and the cashier asks again.
func (t *traffic) pay(o *oldOrder) error {
	var got order.Order
	var told error
	for range 5 {
		got, told = t.client.Pay(context.Background(), o.no, order.PayRequest{AuthCode: order.AuthCode("success-" + o.no.String())})
		var silent *order.Error
		if !errors.As(told, &silent) {
			break
		}
		guarded := silent.Code == order.CodeGuardSilent || silent.Code == order.CodeRiskDouble
		if !guarded && !t.held(silent) {
			break
		}
		if guarded {
			t.note(func(f *figures) { f.askedAgain++ }, nil)
		}
	}
	err := told
	for range 50 {
		if err == nil && got.State == pay.Paid {
			return nil
		}
		_ = order.System{}.Sleep(context.Background(), pause)
		got, err = t.client.Get(context.Background(), o.no)
	}
	if err == nil {
		err = errors.New("it is " + string(got.State))
	}
	return fmt.Errorf("pay order %s: %w", o.no, errors.Join(told, err))
}

func (t *traffic) refund(o *oldOrder) error {
	request := order.RefundRequest{No: fmt.Sprintf("R-%s-%d", o.no, o.refunds), Amount: 1}
	var err error
	for range 5 {
		// A request under way is not given up with the run: its outcome counts.
		_, _, err = t.client.Refund(context.Background(), o.no, request)
		var refused *order.Error
		if err == nil || errors.As(err, &refused) && refused.Outcome != order.Unknown && !t.held(refused) {
			break
		}
	}
	if err != nil {
		o.unknown++
		return fmt.Errorf("refund %s of order %s: %w", request.No, o.no, err)
	}
	o.refunded++
	return nil
}

// held reports whether an update was refused because a fence was up for longer than
// updates wait. That is how it is where a process was killed under its fence, and the
// one that was to lift it as well; a client asks again with the same number.
func (t *traffic) held(refused *order.Error) bool {
	if t.world.killer == nil || !strings.Contains(refused.Error(), order.ErrNotOwned.Error()) {
		return false
	}
	t.note(func(f *figures) { f.held++ }, nil)
	return true
}

// read asks for old orders and holds them against what is known.
func (t *traffic) read(ctx context.Context, worker uint64) {
	chance := rand.New(rand.NewPCG(t.world.seed, 200+worker))
	for (order.System{}).Sleep(ctx, pause) == nil {
		o := t.orders[chance.IntN(len(t.orders))]
		began := time.Now()
		got, err := t.client.Get(context.Background(), o.no)
		took := time.Since(began)
		var away *order.Error
		if errors.As(err, &away) && away.Code == order.CodeOverloaded { // another one is asked for in its turn
			t.note(func(f *figures) { f.gaveWay++ }, nil)
			continue
		}
		if err == nil && (got.State != pay.Paid && got.State != pay.Created && got.State != pay.Paying || got.Amount != price) {
			err = fmt.Errorf("it is %s over %d fen", got.State, got.Amount)
		}
		if err != nil {
			err = fmt.Errorf("get order %s: %w", o.no, err)
		}
		t.note(func(f *figures) { f.reads++; f.slowestRead = max(f.slowestRead, took) }, err)
	}
}

func (t *traffic) repeat(ctx context.Context, every time.Duration, f func() error) {
	for (order.System{}).Sleep(ctx, every) == nil {
		if err := f(); err != nil {
			t.note(func(*figures) {}, err)
		}
	}
}

// stop ends the traffic and answers with its figures, and with an error if anything
// was refused. Updates of a group whose primary was killed are.
func (t *traffic) stop(ctx context.Context) (figures, error) {
	t.cancel()
	t.wg.Wait()
	var err error
	for len(t.figures.loads) < len(t.loads) {
		err = errors.Join(err, t.endLoad())
	}
	f, failed := t.figures, 0
	for _, l := range f.loads {
		failed += l.Failed
	}
	if err == nil && (f.refused > 0 && !t.world.crashes || failed > 0) {
		err = fmt.Errorf("%d requests about old orders and %d creates were refused", f.refused, failed)
		if len(t.errs) > 0 {
			err = fmt.Errorf("%w; the first: %w", err, errors.Join(t.errs[:min(5, len(t.errs))]...))
		}
	}
	return f, errors.Join(err, ctx.Err())
}
