package main

import (
	"errors"
	"fmt"
	"io"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/report"
)

// topDifferences is how many differences a terminal shows.
const topDifferences = 20

// writeRecon writes what finance reads first: the verdict, the rows, the bridge, the
// differences and what is to be done.
func writeRecon(w io.Writer, r *recon.Result) error {
	verdict := "BALANCED"
	if !r.Balanced {
		verdict = fmt.Sprintf("%d DIFFERENCES", int64(len(r.Differences))+r.Counts[recon.RejectedRow])
	}
	if _, err := fmt.Fprintf(w, "%s %s: %s\nrun %s\n\n", r.Channel, r.Date, verdict, r.RunID); err != nil {
		return err
	}
	return errors.Join(writeConserved(w, r), writeBridge(w, r), writeDifferences(w, r))
}

func writeConserved(w io.Writer, r *recon.Result) error {
	t := report.Table{
		Header: []string{"rows", "read", "matched", "differing", "carried", "rejected", "not expected"},
		Right:  map[string]bool{"read": true, "matched": true, "differing": true, "carried": true, "rejected": true, "not expected": true},
	}
	for _, side := range []struct {
		side recon.Side
		name string
	}{{recon.Ours, "ours"}, {recon.Trade, "trade bill"}, {recon.Fund, "fund bill"}} {
		if c := r.Rows[side.side]; side.side != recon.Fund || r.Fund != nil {
			t.Add(side.name, c.Read, c.Matched, c.Differing, c.Carried, c.Rejected, c.NotExpected)
		}
	}
	if err := t.Write(w); err != nil {
		return err
	}
	c := r.Carried
	_, err := fmt.Fprintf(w, "\ncarried: %d from before + %d new - %d cleared - %d expired = %d for tomorrow\n\n", c.Opening, c.New, c.Cleared, c.Expired, c.Closing)
	return err
}

func writeBridge(w io.Writer, r *recon.Result) error {
	t := report.Table{Header: []string{"bridge", "yuan"}, Right: map[string]bool{"yuan": true}}
	line := func(name string, f pay.Fen) { t.Add(name, f.Yuan()) }
	b := r.Bridge
	line("our total", b.Ours)
	line("missing in channel", b.MissingInChannel)
	line("missing in ours", b.MissingInOurs)
	line("amounts", b.Amount)
	line("states", b.State)
	line("duplicates", b.Duplicate)
	line("carried", b.Carried)
	line("the channel's total", b.Theirs)
	line("unexplained", b.Unexplained)
	if f := r.Fund; f != nil {
		t.Add("", "")
		line("trade bill, settled", f.Trade)
		line("fees", f.Fees)
		line("missing", f.Missing)
		line("extra", f.Extra)
		line("amounts", f.Amount)
		line("refunds returned", f.Returned)
		line("carried", f.Carried)
		line("other movements", f.Other)
		line("fund bill", f.Fund)
		line("unexplained", f.Unexplained)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, "above 0 (长款): the channel holds more of our money than our books say; below 0 (短款): less")
	return err
}

func writeDifferences(w io.Writer, r *recon.Result) error {
	if len(r.Differences) == 0 && len(r.Rejected) == 0 {
		return nil
	}
	t := report.Table{
		Header: []string{"class", "kind", "order", "refund", "ours", "theirs", "difference", "row"},
		Right:  map[string]bool{"ours": true, "theirs": true, "difference": true},
	}
	shown := r.Differences[:min(len(r.Differences), topDifferences)]
	for _, d := range shown {
		t.Add(d.Class, d.Kind, d.OrderNo, d.RefundNo, d.OursFen.Yuan(), d.TheirsFen.Yuan(), d.DifferenceFen.Yuan(), fmt.Sprintf("%s:%d", d.File, d.Line))
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := t.Write(w); err != nil {
		return err
	}
	var errs []error
	line := func(format string, args ...any) {
		_, err := fmt.Fprintf(w, format+"\n", args...)
		errs = append(errs, err)
	}
	if more := len(r.Differences) - len(shown); more > 0 {
		line("and %d more; all of them with -o json", more)
	}
	line("\nwhat to do")
	told := map[string]bool{}
	for _, d := range shown {
		if key := string(d.Class) + " " + string(d.Kind); !told[key] {
			told[key] = true
			line("  %s: %s", key, d.Advice)
		}
	}
	for _, bad := range r.Rejected[:min(len(r.Rejected), topDifferences)] {
		line("  rejected_row %s:%d: %s", bad.File, bad.Line, bad.Reason)
	}
	return errors.Join(errs...)
}
