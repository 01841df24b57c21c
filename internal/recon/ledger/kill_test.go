package ledger

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// childEnv makes the test binary record run after run in the ledger in its working
// directory: something to kill.
const childEnv = "PAYTOOL_TEST_LEDGER"

// endlessDay is the n-th day of the child, the same each time.
func endlessDay(n int) *recon.Result {
	date := morning.AddDate(0, 0, n).Format(time.DateOnly)
	var ds []recon.Difference
	for i := range 20 {
		ds = append(ds, lacking(recon.MissingInOurs, date, fmt.Sprintf("%d-%d", n, i), pay.Fen(1+i)))
	}
	return result(fmt.Sprintf("run-%d", n), date, ds...)
}

// recordDay records a day of the child; the same again is Known.
func recordDay(ctx context.Context, l *Ledger, n int) (Recorded, error) {
	r := endlessDay(n)
	opening, err := l.Opening(ctx, wechat, r.Date)
	if err != nil {
		return Recorded{}, err
	}
	return l.Record(ctx, Run{Account: wechat.Account, Result: r, Opening: opening, Actor: "child"})
}

// runChild says each day that is recorded, so that the parent knows what must be there.
func runChild() int {
	ctx := context.Background()
	l, err := Open(ctx, ".", Options{Now: func() time.Time { return morning }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for n := 0; ; n++ {
		done, err := recordDay(ctx, l, n)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		if !done.Known {
			fmt.Println(n)
		}
	}
}

// TestKilled: kill -9 at any moment; the ledger is whole, has what was said to be
// recorded, and the run that was interrupted is run again.
func TestKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(5, 5))
	last := -1
	for round := range 6 {
		last = max(last, killChild(t, dir, 1+random.IntN(6), time.Duration(random.IntN(4000))*time.Microsecond))
		b := openBench(t, dir)
		b.whole(nil)
		if f := must(readHead(b.path(headName)))(t); f.Head != must(b.Head(b.ctx))(t) {
			t.Errorf("round %d: %s was not brought up to date: %v", round, headName, f)
		}
		for n := range last + 1 {
			if done := must(recordDay(b.ctx, b.Ledger, n))(t); !done.Known {
				t.Errorf("round %d: day %d was said to be recorded, and is not", round, n)
			}
		}
		must(recordDay(b.ctx, b.Ledger, last+1))(t)
	}
}

// TestTwoProcesses: a child and this process record the same days at once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openBench(t, dir)
	child, out := startChild(t, dir)
	mine, last := 0, -1
	for n := 0; n < 12 || mine == 0 && n < 1000; n++ {
		if !must(recordDay(b.ctx, b.Ledger, n))(t).Known {
			mine++
		}
	}
	for lines := bufio.NewScanner(out); last < 12 && lines.Scan(); {
		last = saidDay(t, lines.Text())
	}
	kill(t, child)
	b.whole(nil)
	if mine == 0 {
		t.Error("the child recorded every day")
	}
	if n := len(must(b.Differences(b.ctx, Query{From: endlessDay(0).Date, To: endlessDay(11).Date}))(t)); n != 12*20 {
		t.Errorf("%d differences of 12 days, want 20 of each", n)
	}
}

func startChild(t *testing.T, dir string) (*exec.Cmd, io.Reader) {
	t.Helper()
	child := exec.Command(must(os.Executable())(t))
	child.Env = append(os.Environ(), childEnv+"=1")
	child.Dir, child.Stderr = dir, os.Stderr
	out := must(child.StdoutPipe())(t)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() }) // where the test ended early
	return child, out
}

// kill waits for the end of a child that must not have come by itself.
func kill(t *testing.T, child *exec.Cmd) {
	t.Helper()
	_ = child.Process.Kill() // it may be dead already
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || exit.Exited() {
		t.Fatalf("the child ended by itself: %v", err)
	}
}

func saidDay(t *testing.T, line string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(line, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// killChild kills a child a moment after it has recorded some days, and returns the
// last that it said.
func killChild(t *testing.T, dir string, days int, moment time.Duration) (last int) {
	t.Helper()
	child, out := startChild(t, dir)
	lines := bufio.NewScanner(out)
	last = -1
	for seen := 0; lines.Scan(); seen++ {
		last = saidDay(t, lines.Text())
		if seen+1 == days { // the moment of the kill is chance, nothing depends on its length
			time.AfterFunc(moment, func() { _ = child.Process.Kill() })
		}
	}
	kill(t, child)
	return last
}
