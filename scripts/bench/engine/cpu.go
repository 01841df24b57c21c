package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the kernel's unit in /proc on every Linux there is.
const tick = 10 * time.Millisecond

// cpuTime is what this process and those that were started with dir in their command
// line, the servers and `paytool serve`, have used so far.
func cpuTime(dir string) (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, fmt.Errorf("read this process's CPU time: %w", err)
	}
	total := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return 0, err
	}
	for _, path := range lines {
		line, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(line, []byte(dir)) {
			continue // it has ended, or is somebody else's
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(stat), ") ") // its name may hold blanks
		fields := strings.Fields(after)
		if len(fields) < 13 {
			return 0, fmt.Errorf("%s reads %q", path, stat)
		}
		for _, field := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			total += time.Duration(n) * tick
		}
	}
	return total, nil
}

// idle is how many processors are busy while nobody asks for anything.
func idle(dir string) (float64, error) {
	const settle, span = 2 * time.Second, 3 * time.Second
	time.Sleep(settle) // engines have only just started
	start := time.Now()
	before, err := cpuTime(dir)
	if err != nil {
		return 0, err
	}
	time.Sleep(span)
	after, err := cpuTime(dir)
	return float64(after-before) / float64(time.Since(start)), err
}
