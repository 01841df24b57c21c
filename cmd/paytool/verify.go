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

	"paytool/internal/drill"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/store"
)

type verifyOptions struct {
	ledger string
	settle time.Duration
	books  bool
}

func newOrderVerifyCmd(a *app) *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Hold a load's ledger against every node of every group",
		Long: `Hold the ledger of a load against every node of every group: nothing that was
acknowledged may be lost, doubled or changed. It settles first, as a running engine
does, until no doubt and no payment is open; --settle 0 only looks. With --books the
run's payments are also held against what the built-in channel took and kept.

Exit status: 0 all is well, 1 it is not, or not everything could be looked at.`,
		Example: `  paytool order verify --ledger run.jsonl
  paytool order verify --ledger run.jsonl --settle 0 -o json
  paytool order verify --ledger run.jsonl --books   # after a load with --pay`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runOrderVerify(cmd.Context(), a, o) },
	}
	cmd.Flags().StringVar(&o.ledger, "ledger", "", "the ledger of \"paytool load --ledger\" (required)")
	cmd.Flags().DurationVar(&o.settle, "settle", 30*time.Second, "how long to settle first; 0 only looks")
	cmd.Flags().BoolVar(&o.books, "books", false, "hold the built-in channel's books against ours too, to the fen")
	return cmd
}

func runOrderVerify(ctx context.Context, a *app, o verifyOptions) (err error) {
	if o.ledger == "" {
		return usageError(errors.New("--ledger is missing; see `paytool order verify --help`"))
	}
	run, err := readLedger(o.ledger)
	if err != nil {
		return err
	}
	e, err := a.openEngine(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	e.Refresh(ctx)
	if o.settle > 0 {
		if err := e.settleBefore(ctx, a.err, o.settle, run.Pays); err != nil {
			return err
		}
	}
	verdict, err := e.judge(ctx, run)
	if err != nil {
		return err
	}
	if err := e.checkFiles(ctx); err != nil {
		return err
	}
	shown := verdictShown{Verify: verdict}
	if o.books {
		books, err := e.compareBooks(ctx, run)
		if err != nil {
			return err
		}
		shown.Books = &books
		shown.OK = shown.OK && books.OK()
	}
	if err := a.showVerdict(shown); err != nil {
		return err
	}
	if !shown.OK {
		return errNo
	}
	return nil
}

// checkFiles checks the files of embedded groups that this process serves.
func (e *engine) checkFiles(ctx context.Context) error {
	if e.set == nil || !e.set.Serving() {
		return nil
	}
	var errs []error
	for _, g := range e.set.Groups() {
		if err := e.set.Server(g.Number).Check(ctx); err != nil {
			errs = append(errs, fmt.Errorf("check the file of group %d: %w", g.Number, err))
		}
	}
	return errors.Join(errs...)
}

// verdictShown is a verdict, and the comparison of books where it was asked for.
type verdictShown struct {
	drill.Verify
	Books *drill.Books `json:"books,omitempty"`
}

func readLedger(path string) (*drill.Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	return drill.ReadLedger(f, path)
}

// settleBefore settles like an engine. Groups that are out are waited for too:
// they are part of the verdict.
func (e *engine) settleBefore(ctx context.Context, progress io.Writer, patience time.Duration, pays bool) error {
	e.run(ctx)
	sctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := e.Ready(sctx); err != nil {
		_, _ = fmt.Fprintln(progress, "warning: not settled:", err)
		return ctx.Err()
	}
	if open := e.settleUp(sctx, true); !open.None() {
		_, _ = fmt.Fprintf(progress, "warning: not everything is settled after %s (%d wait for a group that is out, %d failed)\n", patience, open.Waiting, open.Failed)
	}
	if !pays { // elsewhere payments are always under way
		return ctx.Err()
	}
	if n, err := e.finishPayments(sctx); n > 0 || err != nil {
		_, _ = fmt.Fprintf(progress, "warning: %d payments, revokes, refunds or money-back tasks are still open after %s\n", n, patience)
	}
	return ctx.Err()
}

// finishPayments waits until nothing is under way, or the context ends. The running
// engine does the work.
func (e *engine) finishPayments(ctx context.Context) (n int, err error) {
	for {
		n, err = e.Unfinished(ctx)
		if (n == 0 && err == nil) || (order.System{}).Sleep(ctx, 200*time.Millisecond) != nil {
			return n, err
		}
	}
}

// judge reads every node and hands its rows to the judge. A node that cannot be
// read makes the verdict a "no", never a pass.
func (e *engine) judge(ctx context.Context, run *drill.Run) (drill.Verify, error) {
	var nodes []drill.Node
	var readers []*store.NodeReader
	for _, g := range e.groups {
		for _, r := range g.Nodes() {
			nodes = append(nodes, drill.Node{Name: r.Name(), Group: g.ID(), Primary: r.Primary()})
			readers = append(readers, r)
		}
	}
	topo := e.Fleet().Topology()
	judge := drill.NewJudge(run, nodes, topo.Locate)
	order.System{}.Gather(ctx, len(readers), func(ctx context.Context, i int) {
		if err := readNode(ctx, readers[i], run, func(o order.Order) {
			if !movedAway(topo, o.No.Tag(), nodes[i].Group) {
				judge.Add(nodes[i], o)
			}
		}); err != nil {
			e.log.Warn("node not read", "node", nodes[i].Name, "err", err)
			judge.Unread(nodes[i])
		}
	})
	if err := ctx.Err(); err != nil {
		return drill.Verify{}, err
	}
	return judge.Verdict(e.openDoubts(ctx)), nil
}

func (e *engine) openDoubts(ctx context.Context) (doubts int) {
	for _, g := range e.groups {
		n, err := g.OpenDoubts(ctx)
		if err != nil {
			e.log.Warn("doubts not counted", "group", g.ID(), "err", err)
			continue // its primary is unread as well, which is a "no" by itself
		}
		doubts += n
	}
	return doubts
}

// movedAway reports whether the group once owned the tag and does not any more:
// what it still holds of it is a copy. A row in a group that never owned its tag is
// no copy but a finding.
func movedAway(topo shard.Topology, tag pay.Tag, g shard.GroupID) bool {
	if owner, ok := topo.Owner(tag); !ok || owner.Group == g {
		return false
	}
	return slices.ContainsFunc(topo.History(tag), func(c shard.Claim) bool { return c.Group == g })
}

// Times of reading a node: a replica must first have applied what it received.
const (
	catchUpTimeout = 15 * time.Second
	readTimeout    = 5 * time.Minute
)

func readNode(ctx context.Context, r *store.NodeReader, run *drill.Run, add func(order.Order)) error {
	return caughtUp(ctx, r, func(ctx context.Context) error {
		return r.Rows(ctx, run.Merchant, run.Prefix, func(o order.Order) error {
			add(o)
			return nil
		})
	})
}

// caughtUp reads a node once it has applied what it received.
func caughtUp(ctx context.Context, r *store.NodeReader, read func(ctx context.Context) error) error {
	catchUp, cancel := context.WithTimeout(ctx, catchUpTimeout)
	err := r.CatchUp(catchUp)
	cancel()
	if err != nil {
		return err
	}
	ctx, cancel = context.WithTimeout(ctx, readTimeout)
	defer cancel()
	return read(ctx)
}

func (a *app) showVerdict(v verdictShown) error {
	return a.show(v, func(w io.Writer) error {
		t := report.Table{Header: []string{"WHAT", "COUNT", "MEANING"}, Right: map[string]bool{"COUNT": true}}
		t.Add("acked", v.Acked, "the client was given a number")
		t.Add("found", v.Found, "of these, an order that lives")
		t.Add("lost", v.Lost, "acked, and nowhere")
		t.Add("doubled", v.Doubled, "two payable orders of one key")
		t.Add("diverged", v.Diverged, "nodes of a group disagree")
		t.Add("corrupt", v.Corrupt, "another amount, state or group")
		t.Add("phantom", v.Phantom, "surely failed, and yet a row")
		t.Add("unexpected", v.Unexpected, "never sent, and yet a row")
		t.Add("recovered", v.Recovered, "unknown to the client, and there: fine")
		t.Add("unread", v.Unread, "nodes that could not be read")
		t.Add("doubts open", v.DoubtsOpen, "not settled")
		if err := t.Write(w); err != nil {
			return err
		}
		for _, p := range v.Problems {
			if _, err := fmt.Fprintf(w, "%s: key %s order %s %s: %s\n", p.Kind, p.Key, p.OrderNo, p.Node, p.Detail); err != nil {
				return err
			}
		}
		if v.Books != nil {
			if err := writeBooks(w, *v.Books); err != nil {
				return err
			}
		}
		verdict := "\nok: every acknowledged order is there once\n"
		if !v.OK {
			verdict = "\nNOT OK\n"
		}
		_, err := io.WriteString(w, verdict)
		return err
	})
}
