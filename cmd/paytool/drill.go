package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/go-sql-driver/mysql"
	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/rig/site"
	"paytool/internal/store/embedded"
)

// Exit statuses of drills; 0, 1 and 2 are those of every command. The worst wins:
// 7, 6, 8, 5, 4.
const (
	exitRefused       = 3 // by a guard; nothing was touched
	exitDeviated      = 4 // not as smooth as hoped, data intact
	exitStopped       = 5 // before its time; restored
	exitBroken        = 6 // an order was lost, doubled or changed
	exitRestoreFailed = 7 // a fault may still be there
	exitInconclusive  = 8 // the drill shows nothing
)

const drillStatuses = `
Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by a guard (nothing was
touched), 5 stopped before its time (restored), 7 a fault may still be there: call
"paytool drill recover", 8 the fault had no effect (restored).`

func newDrillCmd(a *app) *cobra.Command {
	cmd := group("drill", "Break groups on purpose, and prove that no order suffers",
		newDrillRunCmd(a), newDrillFaultsCmd(a), newDrillInjectCmd(a), newDrillStopCmd(a), newDrillRecoverCmd(a), newDrillWatchdogCmd(a),
		newDrillListCmd(a), newDrillShowCmd(a), newDrillReportCmd(a), newDrillDiffCmd(a), newDrillScheduleCmd(a))
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		if err := cmd.Root().PersistentPreRunE(cmd, args); err != nil {
			return err
		}
		a.warnOfDrills(cmd)
		return nil
	}
	return cmd
}

// quiet marks commands of drills that say themselves what is left of earlier ones.
const quiet = "says what is left"

// warnOfDrills tells, whatever was asked for, that an earlier drill may have left a
// fault behind and nobody is at work on it.
func (a *app) warnOfDrills(cmd *cobra.Command) {
	if cmd.Annotations[quiet] != "" {
		return
	}
	dir, err := a.drillDir()
	if err != nil {
		return // the command says so, if it needs it
	}
	if _, running, err := rig.FindCurrent(dir); err != nil || running {
		return
	}
	dirty, err := rig.Dirty(dir)
	if err != nil {
		_, _ = fmt.Fprintln(a.err, "warning:", err)
	}
	for _, j := range dirty {
		_, _ = fmt.Fprintf(a.err, "warning: drill %s (%s on groups %v, by %s) is not repaired: call `paytool drill recover`\n",
			j.Header.Drill, j.Header.Fault, j.Header.Groups, j.Header.Who)
	}
}

// drillDir is where drills keep journals, results, the lock and the hold.
func (a *app) drillDir() (string, error) {
	if a.dir != "" {
		return filepath.Join(a.dir, "drills"), nil
	}
	path, err := config.Find(a.configPath, os.Getenv("PAYTOOL_CONFIG"))
	if err != nil {
		return "", err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return "", err
	}
	return drillsOf(cfg), nil
}

func drillsOf(cfg *config.Config) string { return filepath.Join(cfg.StateDir, "drills") }

// drillSite is what drills of a config act on.
type drillSite struct {
	*site.Site
	cfg  *config.Config
	file string // absolute
	dir  string // of the journals
	// embedded groups have no servers: they break in a proxy alone.
	embedded bool
}

// openDrillSite finds what drills act on. Faults on embedded groups end with the
// process that serves those: there only journals and the hold are left to see to.
func (a *app) openDrillSite(ctx context.Context) (*drillSite, error) {
	if a.dir != "" {
		dir, err := a.drillDir()
		if err != nil {
			return nil, err
		}
		return noServers(ctx, dir)
	}
	path, err := config.Find(a.configPath, os.Getenv("PAYTOOL_CONFIG"))
	if err != nil {
		return nil, err
	}
	return newDrillSite(ctx, path)
}

// openEmbeddedSite serves the embedded groups of --dir. The caller closes the set.
func (a *app) openEmbeddedSite(ctx context.Context) (*drillSite, *embedded.Set, error) {
	if a.configPath != "" {
		return nil, nil, usageError(errors.New("--dir and --config exclude each other: embedded groups have no config"))
	}
	dir, err := filepath.Abs(a.dir)
	if err != nil {
		return nil, nil, err
	}
	set, err := embedded.Open(ctx, embedded.Options{Dir: dir, Sync: embedded.Full, Log: a.logger(config.Log{Level: "warn"})})
	if err != nil {
		return nil, nil, err
	}
	cfg, err := embeddedConfig(dir, set)
	if err == nil {
		var s *site.Site
		if s, err = site.New(ctx, "", cfg); err == nil {
			return &drillSite{Site: s, cfg: cfg, dir: drillsOf(cfg), embedded: true}, set, nil
		}
	}
	return nil, nil, errors.Join(err, set.Close())
}

// embeddedConfig leads to the ports of the groups, where a proxy can stand before them.
func embeddedConfig(dir string, set *embedded.Set) (*config.Config, error) {
	if !set.Serving() {
		return nil, fmt.Errorf("%w: another process serves %s, whose groups only break in the process that serves them; end it first", rig.ErrRefused, dir)
	}
	groups := make([]config.Group, len(set.Groups()))
	for i, g := range set.Groups() {
		dsn, err := mysql.ParseDSN(g.DSN)
		if err != nil {
			return nil, fmt.Errorf("read the dsn of embedded group %d: %w", g.Number, err)
		}
		dsn.Net, dsn.Addr = "tcp", set.Server(g.Number).Addr()
		groups[i] = config.Group{Group: g.Number, Primary: config.Node{DSN: config.DSN(dsn.FormatDSN())}}
	}
	return config.ForGroups(dir, groups)
}

// noServers is a site of faults that ended with their process.
func noServers(ctx context.Context, dir string) (*drillSite, error) {
	cfg := &config.Config{}
	s, err := site.New(ctx, "", cfg)
	return &drillSite{Site: s, cfg: cfg, dir: dir}, err
}

func newDrillSite(ctx context.Context, path string) (*drillSite, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	s, err := site.New(ctx, path, cfg)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(drillsOf(cfg)) // a watchdog works elsewhere
	if err != nil {
		return nil, err
	}
	return &drillSite{Site: s, cfg: cfg, file: path, dir: dir}, nil
}

// drillError gives an error of the rig its exit status; the worst of several wins.
func drillError(err error) error {
	var left *rig.RestoreError
	var none *rig.NoEffectError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &left):
		return &statusError{status: exitRestoreFailed, err: err}
	case errors.As(err, &none):
		return &statusError{status: exitInconclusive, err: err}
	case errors.Is(err, rig.ErrStopped):
		return &statusError{status: exitStopped, err: err}
	case errors.Is(err, rig.ErrRefused):
		return &statusError{status: exitRefused, err: err}
	}
	return err
}
