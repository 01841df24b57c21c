package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
	"paytool/internal/report"
)

type reconProposeOptions struct {
	new    ledger.NewProposal
	action string
	small  int64
	book   bookFlags
	dryRun bool
}

func newReconProposeCmd(r *reconApp) *cobra.Command {
	var o reconProposeOptions
	cmd := &cobra.Command{
		Use:   "propose [ID...]",
		Short: "Propose what is to be done with differences; a second person approves",
		Long: `Propose what is to be done with differences:
  resolve         the explanation lies outside: close it
  write_off       give the amount up (核销)
  reissue         the channel was paid, our order is not: let the engine mark it as paid (补单)
  console_refund  a refund that was made in the channel's console: let the engine record it
  carry           wait until a day (--until); in force at once
  reopen          take the end back; in force at once
All but the last two wait for the approval of a second person. With --small every open
difference of at most so many fen is proposed for a write-off, in one entry.

Reasons: ` + reasonCodes(),
		Example: `  paytool recon propose D-3K7Q2M4XN5PZTABC --action reissue --reason our_error
  paytool recon propose --small 1 --reason rounding
  paytool recon propose D-3K7Q2M4XN5PZTABC --action carry --until 2026-11-25 --reason late_counterpart`,
	}
	flags := cmd.Flags()
	flags.StringVar(&o.action, "action", "", "what is to be done (required)")
	flags.StringVar(&o.new.Reason, "reason", "", "why: one of the codes (required)")
	flags.StringVar(&o.new.Text, "text", "", "why, in words")
	flags.StringVar(&o.new.Until, "until", "", "of carry: the day to wait until, like 2026-11-25")
	flags.Int64Var(&o.small, "small", 0, "write off every open difference of at most so many fen")
	flags.BoolVar(&o.dryRun, "dry-run", false, "say what would be proposed, and write nothing")
	o.book.add(cmd)
	return reconCommand(cmd, cobra.ArbitraryArgs, func(ctx context.Context, args []string) error {
		if err := o.check(args); err != nil {
			return err
		}
		return r.withLedger(ctx, func(l *ledger.Ledger, _ *config.Config) error { return r.propose(ctx, l, o, args) })
	})
}

func reasonCodes() string {
	var codes []string
	for _, reason := range ledger.Reasons() {
		if !reason.ByRun {
			codes = append(codes, fmt.Sprintf("\n  %-17s %s", reason.Code, reason.Words))
		}
	}
	return strings.Join(codes, "")
}

func (o *reconProposeOptions) check(args []string) error {
	switch {
	case o.small < 0:
		return usageError(fmt.Errorf("--small %d: want 1 fen or more", o.small))
	case o.small > 0 && (len(args) > 0 || o.action != "" && o.action != string(ledger.WriteOff)):
		return usageError(errors.New("--small writes off all small differences: it takes no ids and no other action"))
	case o.small == 0 && (len(args) == 0 || o.action == ""):
		return usageError(errors.New("ids and --action are needed; see `paytool recon propose --help`"))
	case o.small == 0 && !slices.Contains(ledger.Actions(), ledger.Action(o.action)):
		return usageError(fmt.Errorf("--action %q: want one of %v", o.action, ledger.Actions()))
	case o.new.Reason == "":
		return usageError(errors.New("--reason is missing; see `paytool recon propose --help`"))
	}
	return nil
}

func (r *reconApp) propose(ctx context.Context, l *ledger.Ledger, o reconProposeOptions, args []string) error {
	actor, err := r.who()
	if err != nil {
		return err
	}
	p := o.new
	p.Actor, p.Action = actor, ledger.Action(o.action)
	if o.small > 0 {
		books, err := o.book.choose(ctx, l)
		if err != nil {
			return err
		}
		var one *ledger.Book
		if o.book != (bookFlags{}) {
			if len(books) != 1 {
				return usageError(fmt.Errorf("--small is for one account or for all: choose one of %v", books))
			}
			one = &books[0]
		}
		small := ledger.SmallProposal{Actor: actor, Book: one, Tolerance: pay.Fen(o.small), Reason: p.Reason, Text: p.Text}
		if o.dryRun {
			count, sum, err := l.CheckSmall(ctx, small)
			if err != nil {
				return err
			}
			return fprintf(r.out, "would propose to write off %d differences, %s yuan together\n", count, sum.Yuan())
		}
		made, err := l.ProposeSmall(ctx, small)
		if err != nil {
			return err
		}
		return r.showProposals([]ledger.Proposal{made})
	}
	for _, id := range args {
		p.Differences = append(p.Differences, recon.ID(id))
	}
	if o.dryRun {
		if err := l.CheckProposal(ctx, p); err != nil {
			return err
		}
		return fprintf(r.out, "%s fits %v; nothing was written\n", p.Action, args)
	}
	made, err := l.Propose(ctx, p)
	if err != nil {
		return err
	}
	return r.showProposals([]ledger.Proposal{made})
}

func newReconApproveCmd(r *reconApp) *cobra.Command {
	var text string
	var reject bool
	cmd := &cobra.Command{
		Use:   "approve [PROPOSAL...]",
		Short: "Approve what somebody else has proposed, or reject it",
		Long: `Approve proposals, as the second person. Without an argument those that wait are
listed. A write-off and a forced close are then done; what the order engine has to do
waits for "paytool recon apply". With --reject the proposal is turned down, which its
author may do as well.`,
		Example: `  paytool recon approve
  paytool recon approve P-17 --actor han.meimei
  paytool recon approve P-18 --reject --text "the customer was not told"`,
	}
	cmd.Flags().StringVar(&text, "text", "", "a remark")
	cmd.Flags().BoolVar(&reject, "reject", false, "turn it down")
	return reconCommand(cmd, cobra.ArbitraryArgs, func(ctx context.Context, args []string) error {
		return r.withLedger(ctx, func(l *ledger.Ledger, _ *config.Config) error {
			if len(args) == 0 {
				waiting, err := l.Proposals(ctx, ledger.Proposed)
				if err != nil {
					return err
				}
				return r.showProposals(waiting)
			}
			return r.decide(ctx, l, args, text, reject)
		})
	})
}

func (r *reconApp) decide(ctx context.Context, l *ledger.Ledger, ids []string, text string, reject bool) error {
	actor, err := r.who()
	if err != nil {
		return err
	}
	var decided []ledger.Proposal
	for _, id := range ids {
		decide := l.Approve
		if reject {
			decide = l.Reject
		}
		p, err := decide(ctx, actor, ledger.ProposalID(id), text)
		if err != nil {
			if len(decided) > 0 { // these are
				err = errors.Join(r.showProposals(decided), err)
			}
			return err
		}
		decided = append(decided, p)
	}
	return r.showProposals(decided)
}

func (r *reconApp) showProposals(ps []ledger.Proposal) error {
	shown := struct {
		Proposals []ledger.Proposal `json:"proposals"`
	}{append([]ledger.Proposal{}, ps...)}
	return r.show(shown, func(w io.Writer) error { return writeProposals(w, ps) })
}

func writeProposals(w io.Writer, ps []ledger.Proposal) error {
	if len(ps) == 0 {
		return fprintf(w, "nothing waits\n")
	}
	t := report.Table{
		Header: []string{"PROPOSAL", "ACTION", "ABOUT", "YUAN", "STAGE", "BY", "REASON", "TEXT"},
		Right:  map[string]bool{"YUAN": true},
	}
	next := ""
	for _, p := range ps {
		about := fmt.Sprintf("%d differences", p.Count)
		if p.Count == 1 && len(p.Differences) == 1 {
			about = string(p.Differences[0])
		}
		t.Add(p.ID, p.Action, about, p.Sum.Yuan(), p.Stage, p.By, p.Reason, p.Text)
		switch p.Stage {
		case ledger.Proposed:
			next = fmt.Sprintf("a second person: paytool recon approve %s", p.ID)
		case ledger.Approved:
			next = "paytool recon apply --dry-run"
		default:
		}
	}
	if err := t.Write(w); err != nil || next == "" {
		return err
	}
	return fprintf(w, "\nnext: %s\n", next)
}
