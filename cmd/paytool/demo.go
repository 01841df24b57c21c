package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/drill"
	"paytool/internal/report"
)

type demoOptions struct {
	rate float64
	seed uint64
}

func newDemoCmd(a *app) *cobra.Command {
	var o demoOptions
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "See a bad day in under a minute, with nothing installed",
		Long: `See a bad day in under a minute, with nothing installed: five embedded groups take
orders at a steady rate; buyers pay, change their minds and get refunds; one group
hangs, one crashes, one turns read-only. Then two groups leave, and the others take over
their orders while new ones arrive. The rate does not drop. At the end every order is held
against what its client was told, every fen against the channel's books, and the day is
closed: our entries are reconciled with the channel's bill.

Nothing leaves this machine. The orders stay in a folder that is named at the end.`,
		Example: `  paytool demo
  paytool demo --dir ./shop --seed 7 -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), a, o) },
	}
	cmd.Flags().Float64Var(&o.rate, "rate", 80, "orders a second")
	cmd.Flags().Uint64Var(&o.seed, "seed", 0, "seed of the amounts and the buyers (default: drawn)")
	return cmd
}

// demoResult is what a demo shows at its end.
type demoResult struct {
	Seed   uint64           `json:"seed"`
	Dir    string           `json:"dir"`
	Load   drill.LoadResult `json:"load"`
	Phases []demoPhase      `json:"phases"`
	Events []demoEvent      `json:"events"`
	Move   demoMove         `json:"move"`
	Till   drill.TillResult `json:"till"`
	Verify drill.Verify     `json:"verify"`
	Books  drill.Books      `json:"books"`
	Export demoExport       `json:"export"`
	Close  demoClose        `json:"close"`
	Next   []string         `json:"next"`
	OK     bool             `json:"ok"`
}

type demoExport struct {
	File string `json:"file"`
	exportSums
}

func runDemo(ctx context.Context, a *app, o demoOptions) error {
	if o.rate <= 0 || o.rate > 1000 {
		return usageError(fmt.Errorf("--rate %v: want more than 0 and at most 1000", o.rate))
	}
	if a.configPath != "" {
		return usageError(errors.New("the demo brings its own groups and takes no --config"))
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	if a.dir != "" {
		return runDemoIn(ctx, a, a.dir, o)
	}
	dir, err := os.MkdirTemp("", "paytool-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	err = runDemoIn(ctx, a, dir, o)
	if err != nil && !errors.Is(err, errNo) { // interrupted: nobody was told where it is
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func runDemoIn(ctx context.Context, a *app, dir string, o demoOptions) (err error) {
	d, err := openDemo(ctx, a, dir, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	result, err := d.run(ctx)
	if err != nil {
		return err
	}
	if err := a.show(result, func(w io.Writer) error { return writeDemo(w, result) }); err != nil {
		return err
	}
	if !result.OK {
		return errNo
	}
	return nil
}

// finish judges the day once everything has come to rest.
func (d *demo) finish(ctx context.Context, result *demoResult) error {
	d.say("the groups are well again; open payments and doubts are brought to their end")
	sctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	d.engine.settleUp(sctx, true) // what stays open is told by the verdict
	if n, err := d.engine.finishPayments(sctx); n > 0 || err != nil {
		d.say(fmt.Sprintf("%d payments, revokes or refunds are still open after %s", n, demoPatience)) // the books will differ
	}
	d.say("every order is held against what its client was told")
	run, err := readLedger(d.ledgerFile())
	if err != nil {
		return err
	}
	if result.Verify, err = d.engine.judge(ctx, run); err != nil {
		return err
	}
	if result.Books, err = d.engine.compareBooks(ctx, run); err != nil {
		return err
	}
	if err := d.closeDay(ctx, result); err != nil {
		return err
	}
	result.OK = result.Verify.OK && result.Books.OK() && result.Move.Done && result.Close.Balanced && result.Close.Found == int64(result.Close.Planted)
	return nil
}

func writeDemo(w io.Writer, r demoResult) error {
	phases := report.Table{
		Header: []string{"WHAT HAPPENED", "ORDERS", "ACKED", "FAILED", "UNKNOWN", "P50 MS", "P99 MS", "MAX MS"},
		Right:  map[string]bool{"ORDERS": true, "ACKED": true, "FAILED": true, "UNKNOWN": true, "P50 MS": true, "P99 MS": true, "MAX MS": true},
	}
	for _, p := range r.Phases {
		if p.Attempted == 0 {
			continue // on a slow machine all orders are in before it begins
		}
		phases.Add(p.Name, p.Attempted, p.Acked, p.Failed, p.Unknown, ms(p.P50Ms), ms(p.P99Ms), ms(p.MaxMs))
	}
	if err := phases.Write(w); err != nil {
		return err
	}
	v, t := r.Verify, r.Till
	text := fmt.Sprintf(`
orders    %d acknowledged; %d lost, %d doubled, %d open doubts
payments  %d, %s yuan; %d refused, %d revoked; %d refunds, %s yuan
groups    %s
books     %d orders; the channel keeps %s yuan, we say %s: %d differences
day       %d rows in the channel's bill, %d agree with ours; of %d planted mistakes %d were found
reports   %s
          %s

`, v.Acked, v.Lost, v.Doubled, v.DoubtsOpen,
		t.Paid, t.PaidFen.Yuan(), t.Refused, t.Revoked, t.Refunds, t.RefundFen.Yuan(),
		r.Move.text(), r.Books.Orders, r.Books.TheirsFen.Yuan(), r.Books.OursFen.Yuan(), len(r.Books.Differences),
		r.Close.Rows, r.Close.Matched, r.Close.Planted, r.Close.Found, r.Close.HTML, r.Close.XLSX)
	switch failed := r.Load.Failed + r.Load.Rejected; {
	case r.OK && failed > 0:
		text += fmt.Sprintf("%d orders were turned away, more than this machine could take just now; none was lost or\ndoubled, and every fen is accounted for.\n", failed)
	case r.OK:
		text += "Nobody noticed: no order was lost or doubled, and every fen is accounted for.\n"
	default:
		text += "NOT OK: something was lost, doubled or does not add up; see -o json.\n"
	}
	text += fmt.Sprintf("\nseed %d; the orders are in %s. Try:\n", r.Seed, r.Dir)
	for _, next := range r.Next {
		text += "  " + next + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

func ms(v float64) string { return fmt.Sprintf("%.1f", v) }

// next are commands to try on what the demo left.
func (d *demo) next(ctx context.Context) []string {
	me := programName()
	in := " --dir " + d.dir
	lines := []string{
		me + " order list --merchant " + demoMerchant + " --limit 10" + in,
		me + " order verify --books --ledger " + d.ledgerFile() + in,
		me + " shard status" + in,
		me + " shard history" + in,
		me + " shard verify" + in,
		me + " task list" + in,
		me + " recon diffs --ledger " + filepath.Join(d.dir, "ledger"),
	}
	if no, ok := d.interesting(ctx); ok {
		lines = append(lines, me+" order trace "+no.String()+in)
	}
	return append(lines, me+" sim --seeds 200", "rm -r "+d.dir)
}

// programName is how the reader calls this program: go run builds it in a folder of
// its own that is gone afterwards.
func programName() string {
	if exe, err := os.Executable(); err == nil && strings.Contains(exe, "go-build") {
		return "go run ./cmd/paytool"
	}
	return os.Args[0]
}
