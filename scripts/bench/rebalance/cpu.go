package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paytool/internal/sandbox"
)

// usage is processor time by who spent it. On a machine that others use too it says
// more than the clock.
type usage struct{ source, target, replicas, client time.Duration }

func (u usage) minus(v usage) usage {
	return usage{u.source - v.source, u.target - v.target, u.replicas - v.replicas, u.client - v.client}
}

// spent is the processor time of the servers and of this process with its ended
// children, since they began.
func (s *scene) spent() (usage, error) {
	var u usage
	for _, n := range s.nodes {
		t, err := cpuOf(n.PID)
		if err != nil {
			return usage{}, err
		}
		switch {
		case n.Group == 2 && n.Role == sandbox.RolePrimary:
			u.target += t
		case n.Group == 2:
			u.replicas += t
		default:
			u.source += t
		}
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if err := syscall.Getrusage(who, &r); err != nil {
			return usage{}, fmt.Errorf("read our own processor time: %w", err)
		}
		u.client += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return u, nil
}

// cpuOf reads /proc, which counts in hundredths of a second.
func cpuOf(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read the processor time of a server: %w", err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the name
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the processor time of process %d: %q", pid, stat)
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("read the processor time of process %d: %w", pid, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
