package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill/fault"
	"paytool/internal/drill/proxy"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/rig/site"
	"paytool/internal/order"
	"paytool/internal/pay"
)

type injectOptions struct {
	groups []int
	fault  string
	hold   time.Duration
	ttl    time.Duration
	yes    bool
}

// ttlMargin is added to --for where no TTL is given.
const ttlMargin = 50 * time.Second

func newDrillInjectCmd(a *app) *cobra.Command {
	var o injectOptions
	cmd := &cobra.Command{
		Use:   "inject",
		Short: "Inject a fault, hold it, take it back: without load and without a verdict",
		Long: `Inject a fault into one group or several, prove that it is there, hold it for --for,
take it back, prove that it is gone, and have a shadow order acknowledged in each.
Ctrl-C takes it back at once. Whatever happens to this process, a watchdog takes the
fault back, at the latest after --ttl.

A fault of the network acts on those who go through a proxy, whose address is printed:
point an engine's dsn at it. Never are all groups broken at once.
` + drillStatuses,
		Example: `  paytool drill inject --group 2 --fault hang --for 10s
  paytool drill inject --group 2,3 --fault read_only+lag
  paytool drill inject --group 1 --fault latency:d=200ms,jitter=50ms --for 1m`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return drillError(runDrillInject(cmd.Context(), a, o)) },
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&o.groups, "group", nil, "groups to break")
	flags.StringVar(&o.fault, "fault", "", "what to do: see \"paytool drill faults\"")
	flags.DurationVar(&o.hold, "for", 10*time.Second, "how long the fault lasts once it is there")
	flags.DurationVar(&o.ttl, "ttl", 0, "after this long a watchdog takes it back (default: --for and 50s)")
	flags.BoolVar(&o.yes, "yes", false, "consent to a fault on servers that are no sandbox")
	return cmd
}

// injectResult is the contract of `drill inject -o json`.
type injectResult struct {
	Drill    string    `json:"drill_id"`
	Fault    string    `json:"fault"`
	Groups   []int     `json:"groups"`
	Injected time.Time `json:"injected"`
	Held     int64     `json:"held_ms"` // from the proof that it was there to the undo
	Restore  restored  `json:"restore"`
	Undone   []string  `json:"undone"`
	Journal  string    `json:"journal"`
}

type restored struct {
	OK bool  `json:"ok"`
	MS int64 `json:"ms"` // from the undo to an acknowledged order in each group
}

func runDrillInject(ctx context.Context, a *app, o injectOptions) error {
	faults, err := fault.Parse(o.fault)
	if err != nil {
		return usageError(fmt.Errorf("--fault: %w", err))
	}
	if o.ttl == 0 {
		o.ttl = o.hold + ttlMargin
	}
	if o.hold <= 0 || o.ttl < o.hold+o.hold/5 || len(o.groups) == 0 {
		return usageError(errors.New("--group names the groups, --for is longer than 0, and --ttl longer than that by a fifth at least"))
	}
	if a.dir != "" {
		return usageError(errors.New("--dir: embedded groups live in the process that serves them, and cannot be broken from another one; name a config with --config"))
	}
	s, err := a.openDrillSite(ctx)
	if err != nil {
		return err
	}
	if len(o.groups) >= len(s.cfg.Groups) {
		return fmt.Errorf("%w: never all groups at once, and the config has %d", rig.ErrRefused, len(s.cfg.Groups))
	}
	groups, closeDoors, err := s.targets(ctx, a, faults, o.groups)
	if err != nil {
		return err
	}
	defer closeDoors()
	opts := rig.Options{
		Dir: s.dir, ID: newDrillID(time.Now()), Who: whoami(), Config: s.file, Faults: faults, Groups: groups, TTL: o.ttl,
		World: s, Watchdog: watchdogCmd, Canary: s.canary(a.logger(s.cfg.Log)), Log: a.logger(s.cfg.Log),
		Heard: func(e rig.Event) { _, _ = fmt.Fprintln(a.err, injectLine(e)) },
	}
	if o.yes {
		for _, f := range faults {
			opts.Allowed = append(opts.Allowed, f.Name)
		}
	}
	r, err := rig.Open(opts)
	if err != nil {
		return err
	}
	defer r.Close()
	out, err := r.Run(ctx, func(ctx context.Context) error { return order.System{}.Sleep(ctx, o.hold) })
	if out.Injected.IsZero() {
		return err
	}
	return errors.Join(err, a.showInject(opts, o, out))
}

func (a *app) showInject(opts rig.Options, o injectOptions, out rig.Outcome) error {
	result := injectResult{
		Drill: opts.ID, Fault: opts.Faults.String(), Groups: o.groups, Injected: out.Injected.In(pay.Beijing).Truncate(time.Millisecond), Undone: append([]string{}, out.Undone...), Journal: out.Journal,
		Restore: restored{OK: out.OK},
	}
	if !out.There.IsZero() {
		result.Held = out.Undoing.Sub(out.There).Milliseconds()
	}
	if out.OK {
		result.Restore.MS = out.Restored.Sub(out.Undoing).Milliseconds()
	}
	return a.show(result, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s on groups %v: held %d ms, taken back: %t, orders acknowledged after %d ms\n",
			result.Fault, result.Groups, result.Held, result.Restore.OK, result.Restore.MS)
		return err
	})
}

func injectLine(e rig.Event) string {
	line := e.At.Format("15:04:05.000") + " " + string(e.Phase)
	if e.Group != 0 {
		line += fmt.Sprintf(" group %d", e.Group)
	}
	return line + ": " + e.Text
}

// targets describes the groups, and opens a proxy before each where a fault has no
// other way.
func (s *drillSite) targets(ctx context.Context, a *app, faults fault.List, numbers []int) (groups []rig.Group, closeDoors func(), err error) {
	var proxies []*proxy.Proxy
	closeDoors = func() {
		for _, p := range proxies {
			p.Close()
		}
	}
	for _, n := range numbers {
		g, err := s.Group(n)
		if err != nil {
			closeDoors()
			return nil, nil, usageError(fmt.Errorf("--group: %w", err))
		}
		if needsDoor(faults, g) {
			p, err := proxy.Listen(context.WithoutCancel(ctx), g.Primary.Addr, proxy.Options{Log: a.logger(s.cfg.Log)})
			if err == nil {
				proxies = append(proxies, p)
				g.Door, err = site.Door(p, s.cfg.Groups[s.index(n)].Primary.DSN, p.Addr())
			}
			if err != nil {
				closeDoors()
				return nil, nil, err
			}
			_, _ = fmt.Fprintf(a.err, "group %d is reached through %s: the fault acts on those who go there\n", n, p.Addr())
		}
		groups = append(groups, g)
	}
	return groups, closeDoors, nil
}

func (s *drillSite) index(group int) int {
	for i, g := range s.cfg.Groups {
		if g.Group == group {
			return i
		}
	}
	return -1
}

// needsDoor reports whether a fault can be had through a proxy alone.
func needsDoor(faults fault.List, g rig.Group) bool {
	for _, f := range faults {
		spec, ok := fault.Lookup(f.Name)
		if !ok || !spec.ActsOn(fault.Network) {
			continue
		}
		if !spec.ActsOn(fault.Process) || g.Primary.Sandbox == "" || f != fault.New(f.Name) {
			return true
		}
	}
	return false
}

// watchdogCmd is this very program as a watchdog, even if its file was replaced
// meanwhile.
func watchdogCmd(journal string) *exec.Cmd {
	return &exec.Cmd{Path: "/proc/self/exe", Args: []string{"paytool", "drill", "watchdog", "--journal", journal}, Dir: "/"}
}

func newDrillID(now time.Time) string {
	suffix, err := randomHex(2)
	if err != nil {
		suffix = "0000" // the time tells drills apart, as one runs at a time
	}
	return now.In(pay.Beijing).Format("20060102-150405") + "-" + suffix
}

func whoami() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += "@" + host
	}
	return name
}
