// Command moves shrinks and expands a sandbox under load, again and again, and then
// holds every order against what its client was told.
//
//	go run ./scripts/soak/moves                 5 -> 3 and back 10 times, retired, then 6 joins
//	go run ./scripts/soak/moves -crashes        and kill -9 of a primary of each side in each step
//	go run ./scripts/soak/moves -kills 200 -groups 4 -to 2 -replicas 1 -http -rate 40 -old 300
//	                                            kill -9 of the tool in all steps alike, instead of -switches
//
// `paytool load` sends -rate creates a second, with an engine of its own or, with
// -http, to the engines that serve, of which there are -instances. Beside that,
// orders that were there before are read, paid and refunded by fen all the time, and
// listed and exported to see that each counts once. It needs mariadb-server, and prints the seed that chooses moments.
//
// It ends with 1 if a create or an update was refused, an order was lost, doubled, stale
// or not found, or a list counted one twice.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"paytool/internal/order"
	"paytool/internal/sandbox"
)

type options struct {
	groups, replicas, to, switches, kills, old int
	instances                                  int
	rate                                       float64
	listEvery, exportEvery                     time.Duration
	crashes, expand, http                      bool
	seed                                       uint64
	keep                                       bool
}

func main() {
	var o options
	flag.IntVar(&o.groups, "groups", 5, "groups before")
	flag.IntVar(&o.replicas, "replicas", 2, "of each group")
	flag.IntVar(&o.to, "to", 3, "groups after the shrink")
	flag.IntVar(&o.switches, "switches", 20, "switches of groups, there and back")
	flag.IntVar(&o.kills, "kills", 0, "kill -9 of the tool at so many moments of its steps")
	flag.BoolVar(&o.crashes, "crashes", false, "kill -9 of a primary of each side in each step, and start it again")
	flag.BoolVar(&o.expand, "expand", true, "retire the groups at the end and have a new one join")
	flag.IntVar(&o.old, "old", 2000, "orders that are there before and change all the time")
	flag.IntVar(&o.instances, "instances", 2, "engines that serve, at most 2")
	flag.BoolVar(&o.http, "http", false, "creates too go over HTTP")
	flag.Float64Var(&o.rate, "rate", 300, "creates a second beside that")
	flag.DurationVar(&o.listEvery, "list-every", 2*time.Second, "pause between two lists of the old orders")
	flag.DurationVar(&o.exportEvery, "export-every", 30*time.Second, "pause between two exports of the day, which grow with the day's orders")
	flag.Uint64Var(&o.seed, "seed", rand.Uint64(), "seed of the moments")
	flag.BoolVar(&o.keep, "keep", false, "leave the sandbox's files")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "scripts/soak/moves:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	fmt.Println("seed", o.seed)
	w, err := newWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.kills > 0 {
		if w.killer, err = w.newKiller(); err != nil {
			return err
		}
		defer w.killer.journals.close()
	}
	began := time.Now()
	traffic, err := w.startTraffic(ctx)
	if err != nil {
		return err
	}
	var moveErr error
	if o.crashes {
		moveErr = w.crash(ctx)
	}
	switch {
	case moveErr != nil:
	case w.killer != nil:
		moveErr = w.killer.run(ctx)
	default:
		moveErr = w.moves(ctx)
	}
	if moveErr == nil && o.expand {
		moveErr = w.retireAndExpand(ctx, traffic)
	}
	figures, trafficErr := traffic.stop(ctx)
	figures.print(time.Since(began), w)
	w.stopServing() // for what it took
	if status, err := sandbox.Inspect(ctx, w.sandbox()); err == nil {
		w.cpu.print(status.Nodes)
	}
	if err := w.serve(ctx); err != nil {
		return err
	}
	return errors.Join(moveErr, trafficErr, w.finalChecks(ctx, traffic))
}

// world is the sandbox, the binary and the engines that serve.
type world struct {
	options
	dir, binary, config string
	rand                *rand.Rand
	served              []*exec.Cmd
	fences              []time.Duration // from the intent to fence to the switch
	cpu                 *cpu
	killer              *killer // nil without -kills
	killed              int     // times that the tool was killed
	crashed             int     // primaries
	refused             int     // plans, because of orders that are live in two groups
}

// sandbox is the folder of the groups.
func (w *world) sandbox() string { return filepath.Dir(w.config) }

func (w *world) addresses() []string {
	return []string{"127.0.0.1:18491", "127.0.0.1:18492"}[:w.instances]
}

func (w *world) urls() (list []string) {
	for _, a := range w.addresses() {
		list = append(list, "http://"+a)
	}
	return list
}

// target names the engines for `paytool load`, none where it has its own.
func (w *world) target() (flags []string) {
	if !w.http {
		return nil
	}
	for _, u := range w.urls() {
		flags = append(flags, "--url", u)
	}
	return flags
}

func newWorld(ctx context.Context, o options) (*world, error) {
	dir, err := os.MkdirTemp("", "pt-moves-")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // the servers' user has to pass
		return nil, err
	}
	w := &world{
		options: o, cpu: newCPU(), dir: dir, binary: filepath.Join(dir, "paytool"), config: filepath.Join(dir, "s", "paytool.yaml"),
		rand: rand.New(rand.NewPCG(o.seed, 1)),
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", w.binary, "./cmd/paytool").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	if err := w.up(ctx, o.groups); err != nil {
		return w, err
	}
	return w, w.serve(ctx)
}

// up brings so many groups up. Refunds of an order may follow each other at once: the
// channel's rule of a minute would refuse most of them.
func (w *world) up(ctx context.Context, groups int) error {
	if _, err := sandbox.Up(ctx, sandbox.Options{Dir: w.sandbox(), Groups: groups, Replicas: w.replicas}); err != nil {
		return err
	}
	text, err := os.ReadFile(w.config)
	if err == nil && !bytes.Contains(text, []byte("refund_gap")) {
		err = os.WriteFile(w.config, bytes.Replace(text, []byte("engine:\n"), []byte("engine:\n  refund_gap: 1ms\n"), 1), 0o600) //nolint:gosec // in the folder that it made
	}
	if err != nil {
		return fmt.Errorf("set refund_gap: %w", err)
	}
	return nil
}

func (w *world) close() error {
	w.stopServing()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if w.keep {
		fmt.Println("kept:", w.dir)
		return sandbox.Down(ctx, w.sandbox(), false)
	}
	return errors.Join(sandbox.Down(ctx, w.sandbox(), true), os.RemoveAll(w.dir))
}

// paytool runs the binary and answers with its stdout. An exit status that is not 0 is
// an error with the end of stderr.
func (w *world) paytool(ctx context.Context, args ...string) ([]byte, error) {
	cmd := w.command(ctx, args...)
	out, err := cmd.Output()
	w.cpu.ended(cmd)
	if err != nil {
		return out, fmt.Errorf("paytool %v: %w\n%s%s", args, err, out, tail(err))
	}
	return out, nil
}

func (w *world) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.binary, args...)
	cmd.Env = append(os.Environ(), "PAYTOOL_CONFIG="+w.config)
	// Where the kernel shares the processors out by session, each server of the sandbox
	// has a share; engines and load would have one together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

func tail(err error) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return ""
	}
	return string(exit.Stderr[max(0, len(exit.Stderr)-2000):])
}

func (w *world) serve(ctx context.Context) error {
	for _, a := range w.addresses() {
		if err := w.serveOne(ctx, a); err != nil {
			return err
		}
	}
	return w.awaitReady(ctx)
}

func (w *world) serveOne(ctx context.Context, address string) error {
	cmd := w.command(ctx, "serve", "--listen", address, "--drain", "1s")
	log, err := os.OpenFile(filepath.Join(w.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() //nolint:errcheck // the engine has a copy of its own
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return err
	}
	w.served = append(w.served, cmd)
	return nil
}

func (w *world) stopServing() {
	for _, cmd := range w.served {
		w.stopOne(cmd)
	}
	w.served = nil
}

func (w *world) stopOne(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait() // 130
	w.cpu.ended(cmd)
}

// restartEach restarts one engine after the other, which is how they read the config
// anew. Requests go to the other one meanwhile.
func (w *world) restartEach(ctx context.Context) error {
	old := w.served
	w.served = nil
	for i, cmd := range old {
		w.stopOne(cmd)
		if err := w.serveOne(ctx, w.addresses()[i]); err != nil {
			return err
		}
		if err := w.awaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// moves shrinks and reverses until there were enough switches. Each is a process of its
// own.
func (w *world) moves(ctx context.Context) error {
	shrink := []string{"shard", "shrink", "--to", fmt.Sprint(w.to), "--yes", "-o", "json"}
	switches := 0
	for round := 1; switches < w.switches; round++ {
		began := time.Now()
		if err := w.drive(ctx, shrink...); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		switches += w.groups - w.to
		shrunk := time.Since(began)
		if switches >= w.switches {
			return nil // it stays shrunk
		}
		if err := w.drive(ctx, "shard", "reverse", "--yes", "-o", "json"); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		switches += w.groups - w.to
		fmt.Printf("round %d: shrunk in %.1fs, reversed in %.1fs; %d switches\n", round, shrunk.Seconds(), (time.Since(began) - shrunk).Seconds(), switches)
	}
	return w.drive(ctx, shrink...)
}

// drive runs a command to its end, again where it was refused for a moment.
func (w *world) drive(ctx context.Context, args ...string) error {
	for tries := 0; ; tries++ {
		out, err := w.paytool(ctx, args...)
		if err == nil {
			return w.note(out)
		}
		if tries == patience || !w.momentary(out, err) {
			return err
		}
		if err := (order.System{}).Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

const patience = 20 // times that a command is run again, a second after it was refused

// momentary reports whether a command was refused for something that passes: the lease
// of a process that was killed, or orders that a group which was out for a moment has
// left in two groups, until the sweep has settled them.
func (w *world) momentary(out []byte, err error) bool {
	if bytes.Contains(out, []byte(`"code": "duplicates"`)) {
		w.refused++
		return true
	}
	return strings.Contains(err.Error(), "another process holds")
}

// note keeps the times of the switches that a command made.
func (w *world) note(out []byte) error {
	var done struct {
		Runs []struct {
			FenceMS float64 `json:"fence_ms"`
		} `json:"runs"`
	}
	if err := json.Unmarshal(out, &done); err != nil {
		return fmt.Errorf("read what the command said: %w", err)
	}
	for _, r := range done.Runs {
		w.fences = append(w.fences, time.Duration(r.FenceMS*float64(time.Millisecond)))
	}
	return nil
}
