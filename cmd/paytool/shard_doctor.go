package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/doctor"
	"paytool/internal/store"
	"paytool/internal/store/vitals"
)

type doctorOptions struct {
	groups    []int
	instances int
	strict    bool
	quiet     bool
	timeout   time.Duration
}

func newShardDoctorCmd(a *app) *cobra.Command {
	var opts doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Examine every server: will a failure cost an order? Say what to do",
		Long: `Examine every server of the config for what would cost an order or money when
something fails: grants that write through read_only, semi-sync that is off or
degraded, settings that are not durable, replication that is broken or late, wrong
epochs, clocks, disks, versions, connections, zones. It only reads, and asks
each server for at most --timeout; a server that does not answer is a finding.

Each finding says what was found, what to do, and why it matters. SQL lines are for
an administrator on the node that is named; the doctor runs none of them.

Exit status: 0 no error was found (with --strict: nor a warning), 1 there is one,
2 wrong usage, 130 interrupted. With --quiet nothing is printed when it is 0.`,
		Example: `  paytool shard doctor
  paytool shard doctor --group 2 -o json
  paytool shard doctor --quiet --strict          in a cron job: mails only what is wrong
  paytool shard doctor --instances 8             would 8 engines have connections enough?`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runShardDoctor(cmd.Context(), a, opts) },
	}
	flags := cmd.Flags()
	flags.IntSliceVar(&opts.groups, "group", nil, "ask only the servers of this group; may be repeated (default: all)")
	flags.IntVar(&opts.instances, "instances", 0, "engine instances to count with (default: those at work)")
	flags.BoolVar(&opts.strict, "strict", false, "a warning makes the exit status 1 too")
	flags.BoolVarP(&opts.quiet, "quiet", "q", false, "print nothing when the exit status is 0")
	flags.DurationVar(&opts.timeout, "timeout", 2*time.Second, "for everything that one server is asked")
	return cmd
}

func (o doctorOptions) check(cfg *config.Config) error {
	switch {
	case o.timeout <= 0:
		return usageError(fmt.Errorf("--timeout %s: want more than 0", o.timeout))
	case o.instances < 0:
		return usageError(fmt.Errorf("--instances %d: want 0 or more", o.instances))
	}
	for _, g := range o.groups {
		if !slices.ContainsFunc(cfg.Groups, func(c config.Group) bool { return c.Group == g }) {
			return usageError(fmt.Errorf("--group %d: the config has no such group; see `paytool config show`", g))
		}
	}
	return nil
}

// doctorReport is the contract of `shard doctor -o json`.
type doctorReport struct {
	OK       bool             `json:"ok"`     // the exit status is 0
	Groups   int              `json:"groups"` // that were asked
	Nodes    int              `json:"nodes"`
	Errors   int              `json:"errors"`
	Warnings int              `json:"warnings"`
	Notes    int              `json:"notes"`
	Findings []doctor.Finding `json:"findings"`
}

func runShardDoctor(ctx context.Context, a *app, opts doctorOptions) error {
	if a.dir != "" {
		return usageError(errors.New("--dir: embedded groups have no servers to examine; name a config with --config"))
	}
	cfg, err := a.loadConfig()
	if err != nil {
		return err
	}
	if err := opts.check(cfg); err != nil {
		return err
	}
	r := examine(ctx, cfg, opts)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("examine the groups: %w", err)
	}
	if !r.OK || !opts.quiet {
		if err := a.show(r, func(w io.Writer) error { return writeDoctorReport(w, r) }); err != nil {
			return err
		}
	}
	if !r.OK {
		return errNo
	}
	return nil
}

func examine(ctx context.Context, cfg *config.Config, opts doctorOptions) doctorReport {
	facts := readFacts(ctx, cfg, opts)
	return newDoctorReport(facts.Groups, doctor.Judge(facts), opts)
}

// readFacts asks every server that opts names.
func readFacts(ctx context.Context, cfg *config.Config, opts doctorOptions) doctor.Facts {
	ask := vitals.Options{Timeout: opts.timeout, Now: time.Now}
	ask.Host, _ = os.Hostname() // without a name no disk is read here, which the findings say
	for _, g := range cfg.Groups {
		group := vitals.Group{
			ID: shard.GroupID(g.Group), Weight: g.Weight, Zone: g.Zone, Semisync: cfg.Engine.SemisyncFor(g),
			Ask: opts.asks(shard.GroupID(g.Group)), Primary: vitalsNode(g.Primary),
		}
		for _, r := range g.Replicas {
			group.Replicas = append(group.Replicas, vitalsNode(r))
		}
		ask.Groups = append(ask.Groups, group)
	}
	facts := doctor.Facts{Groups: vitals.Read(ctx, ask), Instances: opts.instances, Schema: store.SchemaVersion()}
	facts.PrimaryConns, facts.ReplicaConns = store.MaxConns(cfg.Engine.Pool)
	return facts
}

func vitalsNode(n config.Node) vitals.Node {
	return vitals.Node{DSN: string(n.DSN), MonitorDSN: string(n.MonitorDSN)}
}

// asks reports whether a group's servers are asked.
func (o doctorOptions) asks(g shard.GroupID) bool {
	return len(o.groups) == 0 || slices.Contains(o.groups, int(g))
}

// newDoctorReport counts the findings, those about groups that were asked and about
// all of them together.
func newDoctorReport(groups []doctor.Group, findings []doctor.Finding, opts doctorOptions) doctorReport {
	r := doctorReport{Findings: []doctor.Finding{}}
	for _, g := range groups {
		if opts.asks(g.ID) {
			r.Groups++
			r.Nodes += len(g.Nodes)
		}
	}
	for _, f := range findings {
		if f.Group != 0 && !opts.asks(f.Group) {
			continue
		}
		r.Findings = append(r.Findings, f)
		switch f.Severity {
		case doctor.Error:
			r.Errors++
		case doctor.Warning:
			r.Warnings++
		case doctor.Note:
			r.Notes++
		}
	}
	r.OK = r.Errors == 0 && (!opts.strict || r.Warnings == 0)
	return r
}

// writeDoctorReport prints a table of what was found, and below it, finding by
// finding, what to do.
func writeDoctorReport(w io.Writer, r doctorReport) error {
	if len(r.Findings) > 0 {
		t := report.Table{Header: []string{"SEVERITY", "NODE", "FINDING", "FOUND"}}
		for _, f := range r.Findings {
			t.Add(f.Severity, findingPlace(f), f.ID, f.Found)
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	p := printer{w: w}
	var said []string
	for _, f := range r.Findings {
		if !slices.Contains(said, f.ID) {
			said = append(said, f.ID)
			p.printf("\n%s: %s\n", f.ID, f.Why)
			writeAdvice(&p, r.Findings, f.ID)
		}
	}
	if len(r.Findings) > 0 {
		p.printf("\n")
	}
	p.printf("%d groups, %d nodes: %d errors, %d warnings, %d notes\n", r.Groups, r.Nodes, r.Errors, r.Warnings, r.Notes)
	return p.err
}

// writeAdvice prints what to do about all findings of one kind. What is to be done
// on several nodes in the same words is said once.
func writeAdvice(p *printer, findings []doctor.Finding, id string) {
	said := ""
	for _, f := range findings {
		if f.ID != id {
			continue
		}
		if f.Do != said {
			p.printf("  %s\n", f.Do)
			said = f.Do
		}
		if len(f.SQL) == 0 {
			continue
		}
		p.printf("  on %s:\n", findingPlace(f))
		for _, s := range f.SQL {
			p.printf("    %s;\n", s)
		}
	}
}

func findingPlace(f doctor.Finding) string {
	switch {
	case f.Node != "":
		return f.Node
	case f.Group != 0:
		return fmt.Sprintf("g%d", f.Group)
	}
	return "-"
}

// printer keeps the first error of a row of prints.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
