package site_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/drill/rig"
	"paytool/internal/sandbox"
	"paytool/internal/sandbox/sandboxtest"
)

// victim is who gets a kill -9.
type victim string

const (
	theTool    victim = "tool"
	theDog     victim = "watchdog"
	both       victim = "both"
	everything victim = "everything" // a reboot, as far as processes can tell: servers too
	frozen     victim = "frozen"     // the tool, by SIGSTOP: it is silent, and not dead
)

var killable = []string{"hang", "crash", "slow_cpu", "read_only", "semisync_stall", "semisync_degrade", "lag", "lock", "read_only+hang", "lag+crash", "semisync_stall+hang"}

// TestKills kills the tool, its watchdog or both in each phase of a drill on two
// groups: nothing may be left, and each fault must have found the one whose turn it
// was to take it back.
func TestKills(t *testing.T) {
	b := started(t, sandboxtest.Start(t, 2))
	phases := []rig.Phase{rig.Prepare, rig.Inject, rig.There, rig.Held, rig.Undo}
	n := 0
	for _, who := range []victim{theTool, theDog, both} {
		for _, at := range phases {
			faults := killable[n%len(killable)]
			id := fmt.Sprintf("k%d", n)
			n++
			if !t.Run(fmt.Sprintf("%s in %s of %s", who, at, faults), func(t *testing.T) {
				b.kill(t, killing{id: id, faults: faults, at: at, who: who})
			}) {
				return
			}
		}
	}
	if !t.Run("frozen", func(t *testing.T) {
		b.kill(t, killing{id: "frozen", faults: "lock+slow_cpu", at: rig.Held, who: frozen})
	}) {
		return
	}
	if !t.Run("everything", func(t *testing.T) {
		b.kill(t, killing{id: "all", faults: "semisync_stall+hang", at: rig.Held, who: everything})
	}) {
		return
	}
	by := strings.Join(b.journals(t), "\n")
	for _, want := range []string{"drill", "watchdog: the drill's process has ended", "watchdog: the drill's process is silent", "recover"} {
		if !strings.Contains(by, want) {
			t.Errorf("no fault was taken back by %q:\n%s", want, by)
		}
	}
}

// killsVar says how many random kills TestRandomKills does; killSeedVar replays them.
const (
	killsVar    = "PAYTOOL_TEST_KILLS"
	killSeedVar = "PAYTOOL_TEST_SEED"
)

func TestRandomKills(t *testing.T) {
	kills, _ := strconv.Atoi(os.Getenv(killsVar))
	if kills == 0 {
		t.Skipf("set %s to a number of kills: each takes a second or two", killsVar)
	}
	seed, err := strconv.ParseUint(os.Getenv(killSeedVar), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("replay with %s=%d", killSeedVar, seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	b := started(t, sandboxtest.Start(t, 2))
	phases := []rig.Phase{"", rig.Prepare, rig.Inject, rig.There, rig.Held, rig.Undo}
	victims := []victim{theTool, theTool, theDog, both, both, everything}
	count := map[string]int{}
	for n := range kills {
		k := killing{
			id: fmt.Sprintf("r%d", n), faults: killable[chance.IntN(len(killable))], at: phases[chance.IntN(len(phases))],
			who: victims[chance.IntN(len(victims))], after: time.Duration(chance.IntN(150)) * time.Millisecond,
		}
		name := fmt.Sprintf("%d: %s %v after %q of %s", n, k.who, k.after, k.at, k.faults)
		if !t.Run(name, func(t *testing.T) { b.kill(t, k) }) {
			return
		}
		count[string(k.who)]++
	}
	by := map[string]int{}
	for _, who := range b.journals(t) {
		by[who]++
	}
	t.Logf("kills %v; taken back by %v", count, by)
}

type killing struct {
	id, faults string
	at         rig.Phase // "": from the start
	who        victim
	after      time.Duration // from the phase
}

// kill runs a drill, kills, and wants the groups as they were.
func (b *box) kill(t *testing.T, k killing) {
	t.Helper()
	tool := role(roleTool, b.Config, b.drills, k.id, k.faults)
	var complaints strings.Builder
	tool.Stderr = &complaints
	out, err := tool.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tool.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = tool.Process.Kill() })
	defer late.Stop()
	phases := bufio.NewScanner(out)
	for k.at != "" && phases.Scan() && rig.Phase(phases.Text()) != k.at {
		if rig.Phase(phases.Text()) == rig.Held && k.at == rig.Undo {
			_ = tool.Process.Signal(syscall.SIGUSR1) // ends the hold
		}
	}
	time.Sleep(k.after) // a point in time, not a wait for something
	b.strike(t, k, tool)
	for phases.Scan() { // until it ends
	}
	_ = tool.Wait() // killed or not
	b.await(t, k.who)
	if t.Failed() {
		t.Logf("the tool said: %s", complaints.String())
	}
}

func (b *box) strike(t *testing.T, k killing, tool *exec.Cmd) {
	t.Helper()
	switch k.who {
	case theTool:
		_ = tool.Process.Kill()
		return
	case frozen:
		_ = tool.Process.Signal(syscall.SIGSTOP)
		return
	case theDog, both, everything:
	}
	for _, pid := range watchdogs(t, filepath.Join(b.drills, k.id+".journal")) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if k.who == theDog {
		if k.after > 0 || k.at == rig.Prepare || k.at == "" {
			_ = tool.Process.Signal(syscall.SIGUSR1) // the watchdog may not have been there yet
		}
		return
	}
	_ = tool.Process.Kill()
	if k.who != everything {
		return
	}
	for _, n := range b.now(t).Nodes {
		_ = n.Signal(syscall.SIGKILL) // it may be dead
	}
}

// await lets whoever is left take the fault back, recovers where nobody is, and
// wants everything sound.
func (b *box) await(t *testing.T, who victim) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	w, _, err := world(ctx, b.Config)
	if err != nil {
		t.Fatal(err)
	}
	switch who {
	case theTool, theDog, frozen:
		for ctx.Err() == nil {
			dirty, err := rig.Dirty(b.drills)
			if err != nil {
				t.Fatal(err)
			}
			if len(dirty) == 0 {
				break
			}
			time.Sleep(20 * time.Millisecond) // between two looks
		}
	case everything:
		if _, err := sandbox.Up(ctx, sandbox.Options{Dir: b.dir}); err != nil {
			t.Fatal(err)
		}
		fallthrough
	case both:
		if _, err := rig.Recover(ctx, b.drills, w, time.Now, "recover"); err != nil {
			t.Fatal(err)
		}
	}
	if dirty, err := rig.Dirty(b.drills); err != nil || len(dirty) > 0 {
		t.Fatalf("%d journals are dirty, %v", len(dirty), err)
	}
	b.wantSound(t)
}

func (b *box) now(t *testing.T) *sandbox.Status {
	t.Helper()
	st, err := sandbox.Inspect(t.Context(), b.dir)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// watchdogs finds the processes that watch a journal.
func watchdogs(t *testing.T, journal string) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		text, err := os.ReadFile(f)
		if err != nil || string(text) != "/proc/self/exe\x00"+journal+"\x00" {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(f, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
