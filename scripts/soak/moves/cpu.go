package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"paytool/internal/sandbox"
)

// cpu is the processor time of all that takes part. The soak runs on the machine of
// what it measures, and what a figure is worth depends on who had the cores. Safe for
// concurrent use.
type cpu struct {
	mu    sync.Mutex
	spent map[string]time.Duration
	began time.Time
	nodes map[int]time.Duration // of the servers, by process, when it began
}

func newCPU() *cpu { return &cpu{spent: map[string]time.Duration{}, nodes: map[int]time.Duration{}} }

// ended counts a process that has ended and was awaited.
func (c *cpu) ended(cmd *exec.Cmd) {
	state := cmd.ProcessState
	if state == nil {
		return
	}
	name := strings.Join(cmd.Args[1:min(3, len(cmd.Args))], " ") // "shard shrink"
	if i := strings.Index(name, " -"); i >= 0 {
		name = name[:i]
	}
	c.add("paytool "+name, state.UserTime()+state.SystemTime())
}

func (c *cpu) add(name string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spent[name] += d
}

// resetCPU begins to count.
func (w *world) resetCPU(ctx context.Context) error {
	w.cpu.mu.Lock()
	defer w.cpu.mu.Unlock()
	clear(w.cpu.spent)
	w.cpu.began = time.Now()
	w.cpu.spent["soak"] = -own()
	for _, cmd := range w.served {
		w.cpu.spent["paytool serve"] -= ofProcess(cmd.Process.Pid)
	}
	status, err := sandbox.Inspect(ctx, w.sandbox())
	if err != nil {
		return err
	}
	for _, n := range status.Nodes {
		w.cpu.nodes[n.PID] = ofProcess(n.PID)
	}
	return nil
}

// print tells who had how much of a core, of those that have ended and of the servers.
func (c *cpu) print(nodes []sandbox.Node) {
	for _, n := range nodes {
		c.add("mariadbd "+string(n.Role), ofProcess(n.PID)-c.nodes[n.PID])
	}
	c.add("soak", own())
	took := time.Since(c.began)
	fmt.Println("processor time, in hundredths of a core:")
	for _, name := range slices.SortedFunc(maps.Keys(c.spent), func(a, b string) int { return cmp.Compare(c.spent[b], c.spent[a]) }) {
		fmt.Printf("  %-24s %6.1f  (%s)\n", name, 100*c.spent[name].Seconds()/took.Seconds(), c.spent[name].Round(time.Second))
	}
}

func own() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// ofProcess is the processor time of a process that lives, 0 where that cannot be told.
func ofProcess(pid int) time.Duration {
	const user, perSecond = 11, 100 // field behind the name, and how many ticks the kernel counts
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < user+2 {
		return 0
	}
	var ticks int64
	for _, f := range fields[user : user+2] {
		n, _ := strconv.ParseInt(f, 10, 64) // the kernel writes numbers
		ticks += n
	}
	return time.Duration(ticks) * time.Second / perSecond
}
