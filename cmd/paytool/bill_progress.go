package main

import (
	"fmt"
	"time"
)

const (
	quickEnough   = 2 * time.Second // nobody needs a progress line for less
	progressEvery = 200 * time.Millisecond
)

// progress draws a line of how far rows have come, once it takes long; total 0
// means that their number is not known, and then there is no time to the end.
func (a *app) progress(what string, total int64) func(rows int64) {
	draw := a.progressOf(what)
	return func(rows int64) { draw(rows, total) }
}

// progressOf is progress where the number of rows is an estimate that gets better.
func (a *app) progressOf(what string) func(rows, total int64) {
	start := time.Now()
	drawn := start.Add(quickEnough - progressEvery)
	return func(rows, total int64) {
		if now := time.Now(); now.Sub(drawn) >= progressEvery {
			drawn = now
			a.err.Set(progressLine(what, rows, total, now.Sub(start)))
		}
	}
}

func progressLine(what string, rows, total int64, taken time.Duration) string {
	rate := float64(rows) / taken.Seconds()
	line := fmt.Sprintf("%s: %d rows, %.0f a second", what, rows, rate)
	if total == 0 || rate == 0 {
		return line
	}
	left := time.Duration(float64(total-rows) / rate * float64(time.Second))
	return fmt.Sprintf("%s, %d %%, %s left", line, rows*100/total, left.Round(time.Second))
}
