package main

import (
	"context"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill/rig"
)

// How often a watchdog tries to undo what cannot be reached, and for how long.
const (
	watchdogAgain    = time.Second
	watchdogPatience = 10 * time.Minute
)

// newDrillWatchdogCmd is started by drills, not by people.
func newDrillWatchdogCmd(a *app) *cobra.Command {
	var journal string
	cmd := &cobra.Command{
		Use: "watchdog", Short: "Take a fault back when its drill ends, falls silent or takes too long", Hidden: true,
		Args:        noArgs,
		Annotations: map[string]string{quiet: "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A machine that shuts down signals the drill as well, which takes its fault back;
			// the watchdog ends when it has.
			signal.Ignore(syscall.SIGHUP)
			return runDrillWatchdog(context.WithoutCancel(cmd.Context()), a, journal)
		},
	}
	cmd.Flags().StringVar(&journal, "journal", "", "the drill's journal")
	return cmd
}

func runDrillWatchdog(ctx context.Context, a *app, journal string) error {
	j, err := rig.ReadJournal(journal)
	if err != nil {
		return err
	}
	open := newDrillSite
	if j.Header.Config == "" {
		open = noServers
	}
	s, err := open(ctx, j.Header.Config)
	if err != nil {
		return err
	}
	return rig.Watch(ctx, rig.Watching{
		Journal: journal, World: s, In: a.in, Out: a.out, Now: time.Now, Again: watchdogAgain, Patience: watchdogPatience,
	})
}
