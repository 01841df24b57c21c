package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
	"paytool/internal/report/daybook"
	"paytool/internal/whole"
)

type reconApplyOptions struct {
	dryRun       bool
	instructions string
	results      string
}

func newReconApplyCmd(r *reconApp) *cobra.Command {
	var o reconApplyOptions
	cmd := &cobra.Command{
		Use:   "apply [FILE.xlsx]",
		Short: "Take in a workbook's decisions, or let the order engine carry out what is approved",
		Long: `With a workbook: the decisions that were typed into it become proposals in your name;
all of them, or none if one of them cannot be. A second person approves them.

Without: what was approved for the order engine is carried out. It asks the channel
afresh, and does nothing unless the answer and the amount agree; doing it twice changes
nothing. The result ends the difference, or says why not. No money is moved.

Where the engine is another program, --instructions writes what is to be done into a
file, and --results reads what came of it.`,
		Example: `  paytool recon apply day.xlsx --dry-run
  paytool recon apply day.xlsx
  paytool recon apply --dry-run
  paytool recon apply
  paytool recon apply --instructions todo.json`,
	}
	flags := cmd.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be done, and change nothing")
	flags.StringVar(&o.instructions, "instructions", "", "write what is approved into this file instead of carrying it out")
	flags.StringVar(&o.results, "results", "", "read what another engine made of it")
	return reconCommand(cmd, cobra.MaximumNArgs(1), func(ctx context.Context, args []string) error {
		if len(args) == 1 && o.instructions+o.results != "" || o.instructions != "" && o.results != "" {
			return usageError(errors.New("a workbook, --instructions and --results exclude each other"))
		}
		return r.withLedger(ctx, func(l *ledger.Ledger, _ *config.Config) error {
			switch {
			case len(args) == 1:
				return r.applyWorkbook(ctx, l, args[0], o.dryRun)
			case o.results != "":
				return r.applyResults(ctx, l, o.results, o.dryRun)
			}
			return r.applyInstructions(ctx, l, o)
		})
	})
}

// applyWorkbook proposes all decisions of a workbook, or none.
func (r *reconApp) applyWorkbook(ctx context.Context, l *ledger.Ledger, path string, dryRun bool) error {
	actor, err := r.who()
	if err != nil {
		return err
	}
	decisions, err := daybook.ReadDecisions(ctx, path)
	if err != nil {
		return err
	}
	problems := decisions.Problems
	var proposals []ledger.NewProposal
	for _, d := range decisions.Rows {
		p := ledger.NewProposal{Actor: actor, Action: d.Action, Reason: d.Reason, Text: d.Text, Until: d.Until, Differences: []recon.ID{d.ID}}
		if err := l.CheckProposal(ctx, p); err != nil {
			problems = append(problems, fmt.Sprintf("%s row %d: %v", d.Sheet, d.Row, err))
		}
		proposals = append(proposals, p)
	}
	if len(problems) > 0 {
		for _, p := range problems {
			_, _ = fmt.Fprintf(r.err, "%s: %s\n", path, p)
		}
		return fmt.Errorf("apply %s: %d decisions cannot be taken; nothing was written: correct them and apply it again", path, len(problems))
	}
	if dryRun {
		return r.showDecisions(proposals)
	}
	made, err := l.ProposeAll(ctx, proposals)
	if err != nil {
		return err
	}
	return r.showProposals(made)
}

func (r *reconApp) showDecisions(ps []ledger.NewProposal) error {
	shown := struct {
		Decisions []ledger.NewProposal `json:"decisions"`
	}{append([]ledger.NewProposal{}, ps...)}
	return r.show(shown, func(w io.Writer) error {
		if len(ps) == 0 {
			return fprintf(w, "no decision in it\n")
		}
		t := report.Table{Header: []string{"DIFFERENCE", "ACTION", "REASON", "UNTIL", "TEXT"}}
		for _, p := range ps {
			t.Add(p.Differences[0], p.Action, p.Reason, p.Until, p.Text)
		}
		return errors.Join(t.Write(w), fprintf(w, "\n%d decisions would be proposed; nothing was written\n", len(ps)))
	})
}

// instruction is what an order engine is told. The id makes it idempotent.
type instruction struct {
	ID           recon.ID          `json:"id"`
	Proposal     ledger.ProposalID `json:"proposal"`
	Action       ledger.Action     `json:"action"`
	Channel      string            `json:"channel"`
	Account      string            `json:"account"`
	OrderNo      string            `json:"order_no"`
	RefundNo     string            `json:"refund_no"`
	ChannelTrade string            `json:"channel_trade_no"`
	AmountFen    pay.Fen           `json:"amount_fen"`
	Approvers    [2]string         `json:"approvers"`
	Reason       string            `json:"reason"`
}

// instructionResult is what came of one.
type instructionResult struct {
	Proposal ledger.ProposalID `json:"proposal"`
	Done     bool              `json:"done"`
	Result   string            `json:"result"`
}

func newInstruction(i ledger.Instruction) instruction {
	return instruction{
		ID: i.Entry.ID, Proposal: i.Proposal.ID, Action: i.Proposal.Action, Channel: i.Entry.Channel, Account: i.Entry.Account,
		OrderNo: i.Entry.OrderNo, RefundNo: i.Entry.RefundNo, ChannelTrade: i.Entry.ChannelTradeNo, AmountFen: i.Entry.TheirsFen,
		Approvers: [2]string{i.Proposal.By, i.Proposal.DecidedBy}, Reason: i.Proposal.Reason + " " + i.Proposal.Text,
	}
}

func (r *reconApp) applyInstructions(ctx context.Context, l *ledger.Ledger, o reconApplyOptions) error {
	approved, err := l.Instructions(ctx)
	if err != nil {
		return err
	}
	todo := make([]instruction, 0, len(approved))
	for _, i := range approved {
		todo = append(todo, newInstruction(i))
	}
	shown := struct {
		Instructions []instruction `json:"instructions"`
	}{todo}
	if o.instructions != "" && !o.dryRun {
		return whole.Write(o.instructions, func(w io.Writer) error { return report.JSON(w, shown) })
	}
	if o.dryRun || len(todo) == 0 {
		return r.show(shown, func(w io.Writer) error { return writeInstructions(w, todo) })
	}
	actor, err := r.who()
	if err != nil {
		return err
	}
	var results []instructionResult
	err = r.withEngine(ctx, func(e *engine) error {
		if err := e.start(ctx); err != nil {
			return err
		}
		for _, i := range todo {
			done, words, err := e.carryOut(ctx, i)
			if err != nil {
				return fmt.Errorf("%s of %s is not decided: %w; apply again", i.Action, i.ID, err)
			}
			if _, err := l.Finish(ctx, actor, i.Proposal, done, words); err != nil {
				return err
			}
			results = append(results, instructionResult{Proposal: i.Proposal, Done: done, Result: words})
		}
		return nil
	})
	return errors.Join(r.showResults(results), err, failedResults(results))
}

func writeInstructions(w io.Writer, todo []instruction) error {
	if len(todo) == 0 {
		return fprintf(w, "nothing waits for the order engine\n")
	}
	t := report.Table{Header: []string{"PROPOSAL", "ACTION", "ORDER", "REFUND", "YUAN", "APPROVED BY"}, Right: map[string]bool{"YUAN": true}}
	for _, i := range todo {
		t.Add(i.Proposal, i.Action, i.OrderNo, i.RefundNo, i.AmountFen.Yuan(), i.Approvers[0]+", "+i.Approvers[1])
	}
	return t.Write(w)
}

func (r *reconApp) showResults(results []instructionResult) error {
	shown := struct {
		Results []instructionResult `json:"results"`
	}{append([]instructionResult{}, results...)}
	return r.show(shown, func(w io.Writer) error {
		t := report.Table{Header: []string{"PROPOSAL", "DONE", "RESULT"}}
		for _, x := range results {
			t.Add(x.Proposal, x.Done, x.Result)
		}
		return t.Write(w)
	})
}

func failedResults(results []instructionResult) error {
	for _, x := range results {
		if !x.Done {
			return errNo
		}
	}
	return nil
}

// applyResults records what another engine made of its instructions.
func (r *reconApp) applyResults(ctx context.Context, l *ledger.Ledger, path string, dryRun bool) error {
	actor, err := r.who()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	var file struct {
		Results []instructionResult `json:"results"`
	}
	if err := strictJSON(text, &file); err != nil {
		return fmt.Errorf("read the results of %s: %w; want {\"results\":[{\"proposal\",\"done\",\"result\"}]}", path, err)
	}
	if dryRun {
		return r.showResults(file.Results)
	}
	for _, x := range file.Results {
		if _, err := l.Finish(ctx, actor, x.Proposal, x.Done, x.Result); err != nil {
			return err
		}
	}
	return errors.Join(r.showResults(file.Results), failedResults(file.Results))
}

// strictJSON reads one JSON value without unknown keys.
func strictJSON(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after it")
	}
	return nil
}
