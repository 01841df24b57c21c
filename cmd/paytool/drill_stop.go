package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill/rig"
	"paytool/internal/pay"
)

type stopOptions struct {
	all     bool
	release bool
	reason  string
}

func newDrillStopCmd(a *app) *cobra.Command {
	var o stopOptions
	cmd := &cobra.Command{
		Use:   "stop",
		Short: "End every drill now, and hold new ones back",
		Long: `With --all: hold new drills back, end the one that runs, which takes back what it did,
and take back what is left of any. It returns when nothing is left. The hold stays
until --release. Drills of other machines are not reached: call it there.
` + drillStatuses,
		Example: `  paytool drill stop --all --reason "incident 4711"
  paytool drill stop --release`,
		Args:        noArgs,
		Annotations: map[string]string{quiet: "yes"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return drillError(runDrillStop(cmd.Context(), a, o)) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.all, "all", false, "end every drill and hold new ones back")
	flags.BoolVar(&o.release, "release", false, "let drills begin again")
	flags.StringVar(&o.reason, "reason", "", "why, for those who find drills held back")
	return cmd
}

// stopResult is the contract of `drill stop -o json`.
type stopResult struct {
	Held    bool   `json:"held"`    // drills are held back now
	Stopped string `json:"stopped"` // the drill that ran, "" if none did
	recoverResult
}

func runDrillStop(ctx context.Context, a *app, o stopOptions) error {
	if o.all == o.release {
		return usageError(errors.New("give --all to end drills, or --release to let them begin again"))
	}
	if o.release {
		return a.releaseDrills()
	}
	s, err := a.openDrillSite(ctx)
	if err != nil {
		return err
	}
	if err := rig.SetHold(s.dir, rig.Hold{Who: whoami(), At: time.Now().In(pay.Beijing), Reason: o.reason}); err != nil {
		return err
	}
	stopped, settled, err := rig.Stop(ctx, s.dir, s, time.Now, "stop: "+whoami())
	result := stopResult{Held: true, recoverResult: newRecoverResult(settled)}
	if stopped != nil {
		result.Stopped = stopped.Drill
	}
	return errors.Join(err, a.show(result, func(w io.Writer) error {
		p := printer{w: w}
		if result.Stopped != "" {
			p.printf("drill %s has ended\n", result.Stopped)
		}
		if err := errors.Join(p.err, writeSettled(w, result.recoverResult)); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, "new drills are held back until `paytool drill stop --release`")
		return err
	}))
}

func (a *app) releaseDrills() error {
	dir, err := a.drillDir()
	if err != nil {
		return err
	}
	held, err := rig.Release(dir)
	if err != nil {
		return err
	}
	return a.show(stopResult{recoverResult: newRecoverResult(nil)}, func(w io.Writer) error {
		text := "drills may begin again"
		if !held {
			text = "drills were not held back"
		}
		_, err := fmt.Fprintln(w, text)
		return err
	})
}
