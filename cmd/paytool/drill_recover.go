package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill/rig"
)

type recoverOptions struct {
	yes     bool
	ifDirty bool
}

func newDrillRecoverCmd(a *app) *cobra.Command {
	var o recoverOptions
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Take back what an earlier drill left, from its journal alone",
		Long: `Take back what an earlier drill left, from its journal alone, prove that it is gone,
and have a shadow order acknowledged in each of its groups. To call it again does no
harm. Processes are known by id and start time, servers by their own id: no stranger
is touched. Outside a sandbox it shows what it would do, and does it with --yes.
` + drillStatuses,
		Example: `  paytool drill recover
  paytool drill recover --yes
  paytool drill recover --if-dirty       for ExecStopPost of a systemd unit`,
		Args:        noArgs,
		Annotations: map[string]string{quiet: "yes"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			return drillError(runDrillRecover(cmd.Context(), a, o))
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.yes, "yes", false, "do it on servers that are no sandbox, too")
	flags.BoolVar(&o.ifDirty, "if-dirty", false, "the same as --yes, and print nothing where nothing is left")
	return cmd
}

// recoverResult is the contract of `drill recover -o json`, and part of `drill stop`.
type recoverResult struct {
	Settled []settledDrill `json:"settled"`
}

type settledDrill struct {
	Drill  string   `json:"drill_id"`
	Fault  string   `json:"fault"`
	Groups []int    `json:"groups"`
	Who    string   `json:"who"`
	Done   []string `json:"done"`
}

func newRecoverResult(settled []*rig.Journal) recoverResult {
	r := recoverResult{Settled: []settledDrill{}}
	for _, j := range settled {
		r.Settled = append(r.Settled, settledDrill{Drill: j.Header.Drill, Fault: j.Header.Fault, Groups: j.Header.Groups, Who: j.Header.Who, Done: j.Clean.Done})
	}
	return r
}

func runDrillRecover(ctx context.Context, a *app, o recoverOptions) error {
	s, err := a.openDrillSite(ctx)
	if err != nil {
		return err
	}
	if !o.yes && !o.ifDirty {
		if err := consent(a, s.dir); err != nil {
			return err
		}
	}
	settled, err := rig.Recover(ctx, s.dir, s, time.Now, "recover: "+whoami())
	err = errors.Join(err, s.takeOrders(ctx, a, settled))
	if len(settled) == 0 && (err != nil || o.ifDirty) {
		return err
	}
	result := newRecoverResult(settled)
	return errors.Join(err, a.show(result, func(w io.Writer) error { return writeSettled(w, result) }))
}

// consent refuses to touch servers of somebody else unasked.
func consent(a *app, dir string) error {
	dirty, _ := rig.Dirty(dir) // what cannot be read is for Recover to tell
	var foreign []string
	for _, j := range dirty {
		for _, s := range slices.Backward(j.Steps) {
			if text := s.ByHand(); s.Node.Sandbox == "" && text != "" {
				foreign = append(foreign, text)
			}
		}
	}
	for _, text := range foreign {
		_, _ = fmt.Fprintln(a.err, "would undo:", text)
	}
	if len(foreign) > 0 {
		return fmt.Errorf("%w: these servers are no sandbox; call it with --yes", rig.ErrRefused)
	}
	return nil
}

// takeOrders has an order acknowledged in each group that was repaired.
func (s *drillSite) takeOrders(ctx context.Context, a *app, settled []*rig.Journal) error {
	var seen []int
	for _, j := range settled {
		for _, g := range j.Header.Groups {
			if slices.Contains(seen, g) || s.index(g) < 0 {
				continue
			}
			seen = append(seen, g)
			if err := rig.AwaitCanary(ctx, s.canary(a.logger(s.cfg.Log)), g); err != nil {
				return &rig.RestoreError{Drill: j.Header.Drill, Err: err}
			}
		}
	}
	return nil
}

func writeSettled(w io.Writer, r recoverResult) error {
	p := printer{w: w}
	if len(r.Settled) == 0 {
		p.printf("nothing is left of any drill\n")
	}
	for _, d := range r.Settled {
		p.printf("drill %s (%s on groups %v, by %s) is taken back\n", d.Drill, d.Fault, d.Groups, d.Who)
		for _, text := range d.Done {
			p.printf("  %s\n", text)
		}
	}
	return p.err
}
