package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"paytool/internal/drill/history"
	"paytool/internal/drill/result"
	"paytool/internal/report"
	"paytool/internal/report/drillreport"
	"paytool/internal/whole"
)

// drillReportFlags say which reports of a drill are written.
type drillReportFlags struct {
	html, junit, lang string
}

func (f *drillReportFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.html, "html", "", "write the page here: it opens offline")
	flags.StringVar(&f.junit, "junit", "", "write the verdict here as JUnit")
	flags.StringVar(&f.lang, "lang", string(drillreport.Chinese), "language of the page: zh or en")
}

func (f *drillReportFlags) check() error {
	if f.lang != string(drillreport.Chinese) && f.lang != string(drillreport.English) {
		return usageError(fmt.Errorf("--lang %s: want zh or en", f.lang))
	}
	return nil
}

// write writes the reports of a drill, each whole or not at all.
func (f *drillReportFlags) write(r *result.Result) error {
	var errs []error
	if f.html != "" {
		errs = append(errs, whole.Write(f.html, func(w io.Writer) error {
			return drillreport.WritePage(w, r, drillreport.Lang(f.lang))
		}))
	}
	if f.junit != "" {
		errs = append(errs, whole.Write(f.junit, func(w io.Writer) error { return drillreport.WriteJUnit(w, r) }))
	}
	return errors.Join(errs...)
}

func newDrillReportCmd(a *app) *cobra.Command {
	var o drillReportFlags
	cmd := &cobra.Command{
		Use:   "report ID",
		Short: "Write the report of a drill again: a page, JUnit",
		Long: `Write the report of a drill: one HTML page that opens offline and whose top a manager
reads in a minute, or the verdict as JUnit. "last" is the newest drill.`,
		Example: `  paytool drill report last --html drill.html
  paytool drill report 20261124-100000-hang --html drill.html --lang en --junit drill.xml`,
		Args: oneArg("the id of a drill, or last"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.html+o.junit == "" {
				return usageError(errors.New("nothing to write: name a file with --html or --junit"))
			}
			_, _, r, err := a.loadDrill(args[0])
			if err != nil {
				return err
			}
			return o.write(&r)
		},
	}
	o.add(cmd)
	return cmd
}

func newDrillDiffCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "diff ID [EARLIER]",
		Short: "Compare a drill with an earlier one",
		Long: `Compare the figures of a drill with those of an earlier one: with the newest of the
same fault before it, if none is named. What rose by more than chance is marked.

Exit status: 0 nothing got worse, 1 something did.`,
		Example: `  paytool drill diff last
  paytool drill diff 20261124-100000-hang 20261117-100000-hang -o json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return usageError(fmt.Errorf("%s wants one or two arguments: ids of drills", cmd.CommandPath()))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return runDrillDiff(a, args) },
	}
}

func runDrillDiff(a *app, args []string) error {
	kept, entries, after, err := a.loadDrill(args[0])
	if err != nil {
		return err
	}
	earlier, ok := history.Before(entries, after)
	if len(args) == 2 {
		earlier, ok = args[1], true
	}
	if !ok {
		return fmt.Errorf("drill %s: no drill of %s was run before it; name another one to compare with", after.ID, after.Fault)
	}
	before, err := kept.Load(earlier)
	if err != nil {
		return err
	}
	d := history.Compare(before, after)
	if err := a.show(d, func(w io.Writer) error { return writeDrillDiff(w, d) }); err != nil {
		return err
	}
	if d.Worse > 0 {
		return errNo
	}
	return nil
}

func writeDrillDiff(w io.Writer, d history.Diff) error {
	t := report.Table{Header: []string{"WHAT", d.Old, d.New, ""}, Right: map[string]bool{d.Old: true, d.New: true}}
	t.Add("verdict", d.OldVerdict, d.NewVerdict, "")
	for _, l := range d.Lines {
		mark := ""
		if l.Worse {
			mark = "worse"
		}
		t.Add(l.What, amount(l.Old, l.Unit), amount(l.New, l.Unit), mark)
	}
	return t.Write(w)
}
