package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/drill/history"
	"paytool/internal/drill/result"
	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/whole"
)

type drillListOptions struct {
	limit   int
	metrics string
}

func newDrillListCmd(a *app) *cobra.Command {
	var o drillListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the drills that were run, the newest first",
		Long: `List the drills that were run here, the newest first. Results lie in drills/ below
state_dir, one JSON file each.

With --metrics the list is also written for Prometheus' node exporter, "time of the
last good drill" among it.`,
		Example: `  paytool drill list
  paytool drill list --limit 52 -o csv > year.csv
  paytool drill list --metrics /var/lib/node_exporter/paytool_drill.prom`,
		Args:        noArgs,
		Annotations: map[string]string{csvOutput: "yes"},
		RunE:        func(*cobra.Command, []string) error { return runDrillList(a, o) },
	}
	cmd.Flags().IntVar(&o.limit, "limit", 20, "list at most this many; 0 is all")
	cmd.Flags().StringVar(&o.metrics, "metrics", "", "write Prometheus' text form into this file, whose name ends in .prom")
	return cmd
}

func runDrillList(a *app, o drillListOptions) error {
	if o.limit < 0 {
		return usageError(fmt.Errorf("--limit %d: want 0 or more", o.limit))
	}
	_, entries, err := a.drillHistory()
	if err != nil {
		return err
	}
	if o.metrics != "" {
		if err := whole.Write(o.metrics, func(w io.Writer) error { return history.WriteMetrics(w, entries) }); err != nil {
			return err
		}
	}
	if o.limit > 0 && len(entries) > o.limit {
		entries = entries[:o.limit]
	}
	if a.output == outputCSV {
		return writeDrillCSV(a.out, entries)
	}
	return a.show(map[string]any{"drills": entries}, func(w io.Writer) error { return writeDrills(w, entries) })
}

// drillHistory is the folder of results, and all that it holds. Files that cannot be
// read are named on stderr.
func (a *app) drillHistory() (history.Folder, []history.Entry, error) {
	dir, err := a.drillDir()
	if err != nil {
		return history.Folder{}, nil, err
	}
	kept := history.In(dir)
	entries, unreadable, err := kept.List()
	for _, name := range unreadable {
		_, _ = fmt.Fprintf(a.err, "warning: %s in %s is no result that this paytool can read\n", name, dir)
	}
	return kept, entries, err
}

// lastDrill stands for the newest drill where an id is asked for.
const lastDrill = "last"

// loadDrill reads the result of an id.
func (a *app) loadDrill(id string) (history.Folder, []history.Entry, result.Result, error) {
	kept, entries, err := a.drillHistory()
	if err != nil {
		return kept, nil, result.Result{}, err
	}
	if id == lastDrill {
		if len(entries) == 0 {
			return kept, nil, result.Result{}, fmt.Errorf("no drill was run here yet: %w; see `paytool drill run --help`", history.ErrNotFound)
		}
		id = entries[0].ID
	}
	r, err := kept.Load(id)
	return kept, entries, r, err
}

func writeDrills(w io.Writer, entries []history.Entry) error {
	t := report.Table{
		Header: []string{"DRILL", "STARTED", "FAULT", "GROUPS", "VERDICT", "NOT TAKEN", "P99", "LONGEST GAP", "MTTR"},
		Right:  map[string]bool{"NOT TAKEN": true, "P99": true, "LONGEST GAP": true, "MTTR": true},
	}
	for _, e := range entries {
		t.Add(e.ID, e.Started.In(pay.Beijing).Format(time.DateTime), e.Fault, groupWords(e.Groups), e.Verdict,
			e.During.Attempted-e.During.Acked, inMs(&e.During.P99Ms), inMs(&e.LongestGapMs), inMs(e.MTTRMs))
	}
	return t.Write(w)
}

// groupWords are group numbers as --groups takes them.
func groupWords(groups []shard.GroupID) string {
	words := make([]string, len(groups))
	for i, g := range groups {
		words[i] = strconv.Itoa(int(g))
	}
	return strings.Join(words, ",")
}

// inMs is a figure in milliseconds, a dash if it was not measured.
func inMs(v *float64) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(*v, 'f', 1, 64) + " ms"
}

func writeDrillCSV(w io.Writer, entries []history.Entry) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"drill_id", "started", "ended", "fault", "groups", "verdict", "exit", "attempted", "acked", "p99_ms", "longest_gap_ms", "time_to_eject_ms", "mttr_ms"}}
	number := func(v *float64) string {
		if v == nil {
			return ""
		}
		return strconv.FormatFloat(*v, 'f', -1, 64)
	}
	for _, e := range entries {
		rows = append(rows, []string{
			e.ID, e.Started.Format(time.RFC3339), e.Ended.Format(time.RFC3339), e.Fault, groupWords(e.Groups), string(e.Verdict), strconv.Itoa(e.Exit),
			strconv.Itoa(e.During.Attempted), strconv.Itoa(e.During.Acked), number(&e.During.P99Ms), number(&e.LongestGapMs), number(e.TimeToEjectMs), number(e.MTTRMs),
		})
	}
	return out.WriteAll(rows)
}

func newDrillShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show one drill: verdict, reasons and figures",
		Long: `Show one drill: its verdict, what speaks against it, and its figures against what was
expected. "last" is the newest one. -o json prints the whole result, curves included.`,
		Example: `  paytool drill show last
  paytool drill show 20261124-100000-hang -o json | jq .curve.second`,
		Args: oneArg("the id of a drill, or last"),
		RunE: func(_ *cobra.Command, args []string) error {
			_, _, r, err := a.loadDrill(args[0])
			if err != nil {
				return err
			}
			return a.showDrill(&r)
		},
	}
}

// showDrill prints a result for people or for programs.
func (a *app) showDrill(r *result.Result) error {
	return a.show(r, func(w io.Writer) error { return writeDrill(w, r) })
}

func writeDrill(w io.Writer, r *result.Result) error {
	p := printer{w: w}
	if r.Title != r.Fault {
		p.printf("%s\n", r.Title)
	}
	p.printf("%s on groups %s, %s, by %s: %s (exit status %d)\n", r.Fault, groupWords(r.Groups),
		r.Started.In(pay.Beijing).Format(time.DateTime), r.By, strings.ToUpper(string(r.Verdict)), r.Exit)
	for _, reason := range r.Reasons {
		p.printf("  %s\n", reason)
	}
	if p.err != nil || r.Verdict == result.Refused { // nothing was measured
		return p.err
	}
	p.printf("\n")
	t := report.Table{Header: []string{"WHAT", "AT MOST", "MEASURED", ""}, Right: map[string]bool{"AT MOST": true, "MEASURED": true}}
	for _, c := range r.Checks {
		want, mark := "", "shown only"
		if c.Decides {
			want, mark = amount(&c.Want, c.Unit), "held"
		}
		if !c.Held {
			mark = "NOT HELD"
		}
		t.Add(c.Code, want, amount(c.Got, c.Unit), mark)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	v := &r.Verify
	p.printf("\n%d orders in the fault, %d taken, %d of them elsewhere; p99 %.1f ms (baseline %.1f ms)\n",
		r.During.Attempted, r.During.Acked, r.During.Hops, r.During.P99Ms, r.Baseline.P99Ms)
	p.printf("%d acked, %d found: %d lost, %d doubled, %d diverged, %d corrupt, %d phantom, %d unexpected, %d recovered; %d nodes unread\n",
		v.Acked, v.Found, v.Lost, v.Doubled, v.Diverged, v.Corrupt, v.Phantom, v.Unexpected, v.Recovered, v.Unread)
	if r.Report != "" {
		p.printf("report: %s\n", r.Report)
	}
	return p.err
}

// amount is a figure with its unit, a dash if it was not measured.
func amount(v *float64, unit string) string {
	if v == nil {
		return "-"
	}
	return strconv.FormatFloat(math.Round(*v*10)/10, 'f', -1, 64) + " " + unit
}
