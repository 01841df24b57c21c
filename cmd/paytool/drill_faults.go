package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/drill/fault"
	"paytool/internal/report"
)

func newDrillFaultsCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "faults",
		Short: "List the faults: what each does, what it needs, how it is undone",
		Long: `List the faults: what each does, what it needs, how it is undone, and what an order
that is under way comes to: failed (nothing was written, and the client is told),
unknown (no answer, the row may be there), degraded, stale or slow.

A fault is written NAME[:KEY=VALUE,...]; + joins several, which are injected in that
order and taken back in the opposite one.`,
		Example: `  paytool drill faults
  paytool drill faults -o json | jq -r '.faults[] | select(.heals_alone) | .name'`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runDrillFaults(a) },
	}
}

// faultRow is a fault in `drill faults -o json`.
type faultRow struct {
	Name       fault.Name        `json:"name"`
	ActsOn     []fault.Scope     `json:"acts_on"` // the truest way first
	Class      fault.Class       `json:"class"`
	HealsAlone bool              `json:"heals_alone"`
	Does       string            `json:"does"`
	Needs      string            `json:"needs"`
	Undo       string            `json:"undo"`
	Sometimes  []fault.Sometimes `json:"sometimes"` // without these the drill is inconclusive
	Params     []faultParam      `json:"params"`
}

type faultParam struct {
	Name    string `json:"name"`
	Default string `json:"default"`
	Meaning string `json:"meaning"`
}

func runDrillFaults(a *app) error {
	var result struct {
		Faults []faultRow `json:"faults"`
	}
	for _, s := range fault.Specs() {
		row := faultRow{
			Name: s.Name, ActsOn: s.Scopes, Class: s.Class, HealsAlone: s.HealsAlone, Does: s.Meaning, Needs: s.Needs, Undo: s.Undo,
			Sometimes: append([]fault.Sometimes{}, s.Sometimes...), Params: []faultParam{},
		}
		for _, p := range s.Params {
			row.Params = append(row.Params, faultParam{Name: p.Name, Default: p.Default, Meaning: p.Meaning})
		}
		result.Faults = append(result.Faults, row)
	}
	return a.show(result, func(w io.Writer) error { return writeFaults(w, result.Faults) })
}

// writeFaults prints a table of what the faults are, and below it what each takes.
func writeFaults(w io.Writer, faults []faultRow) error {
	t := report.Table{Header: []string{"FAULT", "ACTS ON", "ORDERS", "HEALS ALONE", "WHAT IT DOES"}}
	for _, f := range faults {
		on := make([]string, len(f.ActsOn))
		for i, s := range f.ActsOn {
			on[i] = string(s)
		}
		heals := "no"
		if f.HealsAlone {
			heals = "yes"
		}
		t.Add(f.Name, strings.Join(on, ", "), f.Class, heals, f.Does)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	p := printer{w: w}
	for _, f := range faults {
		p.printf("\n%s\n  needs   %s\n  undone  %s\n", f.Name, f.Needs, f.Undo)
		for _, param := range f.Params {
			p.printf("  %-7s %s (%s)\n", param.Name+"=", param.Meaning, param.Default)
		}
	}
	return p.err
}
