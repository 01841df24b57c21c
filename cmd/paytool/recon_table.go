package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/report"
)

// topDifferences is how many differences a terminal shows.
const topDifferences = 20

// writeRecon writes what finance reads first: the verdict, the rows, the bridge, the
// differences and what is to be done.
func writeRecon(w io.Writer, out *daily.Outcome) error {
	r := out.Result
	verdict := "BALANCED"
	if !r.Balanced {
		verdict = fmt.Sprintf("%d DIFFERENCES", int64(len(r.Differences))+r.Counts[recon.RejectedRow])
	}
	if _, err := fmt.Fprintf(w, "%s: %s\nrun %s\n", dayName(out.Book, out.Date), verdict, r.RunID); err != nil {
		return err
	}
	if out.Recorded != nil {
		if err := fprintf(w, "ledger head %d:%s\n", out.Recorded.Head.Seq, out.Recorded.Head.Hash); err != nil {
			return err
		}
	}
	if out.Overdue > 0 {
		if err := fprintf(w, "%d differences are open for too long: paytool recon diffs --overdue\n", out.Overdue); err != nil {
			return err
		}
	}
	return errors.Join(fprintf(w, "\n"), writeMatrix(w, r), writeConserved(w, r), writeBridge(w, r), writeDifferences(w, r), writeNext(w, out))
}

// writeMatrix is kind by kind what each side has, what agrees and what does not.
func writeMatrix(w io.Writer, r *recon.Result) error {
	t := report.Table{
		Header: []string{"KIND", "OURS", "YUAN", "CHANNEL", "YUAN ", "MATCHED", "YUAN  ", "DIFFERENCES", "YUAN   "},
		Right:  map[string]bool{"OURS": true, "YUAN": true, "CHANNEL": true, "YUAN ": true, "MATCHED": true, "YUAN  ": true, "DIFFERENCES": true, "YUAN   ": true},
	}
	for _, k := range r.Kinds {
		t.Add(k.Kind, k.Ours.Rows, k.Ours.Amount.Yuan(), k.Theirs.Rows, k.Theirs.Amount.Yuan(), k.Matched.Rows, k.Matched.Amount.Yuan(), k.Difference.Rows, k.Difference.Amount.Yuan())
	}
	return errors.Join(t.Write(w), fprintf(w, "\n"))
}

// writeNext names the next command.
func writeNext(w io.Writer, out *daily.Outcome) error {
	switch r := out.Result; {
	case len(r.Differences) == 0:
		return nil
	case out.Recorded == nil:
		return fprintf(w, "\nnext: keep a ledger with --ledger DIR, a workbook with --xlsx FILE\n")
	default:
		return fprintf(w, "\nnext: paytool recon explain %s\n", r.Differences[0].ID)
	}
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
		Header: []string{"id", "class", "kind", "order", "refund", "ours", "theirs", "difference", "row"},
		Right:  map[string]bool{"ours": true, "theirs": true, "difference": true},
	}
	shown := r.Differences[:min(len(r.Differences), topDifferences)]
	for _, d := range shown {
		t.Add(d.ID, d.Class, d.Kind, d.OrderNo, d.RefundNo, d.OursFen.Yuan(), d.TheirsFen.Yuan(), d.DifferenceFen.Yuan(), fmt.Sprintf("%s:%d", filepath.Base(d.File), d.Line))
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
