package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/recon/ledger"
)

func newReconVerifyCmd(r *reconApp) *cobra.Command {
	var head string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that nobody has edited or cut the ledger",
		Long: `Compute the ledger's chain of hashes again and compare everything that is derived from
it. With --head, as an old report has it, also prove that the ledger still contains what
it was then: nobody can make up another history without that.

Exit status: 0 it is whole, 1 it is not, or could not be read.`,
		Example: `  paytool recon verify
  paytool recon verify --head 1284:9f2c...`,
	}
	cmd.Flags().StringVar(&head, "head", "", "the head of an old report, NUMBER:HASH")
	return reconCommand(cmd, noArgs, func(ctx context.Context, _ []string) error {
		want, err := parseHead(head)
		if err != nil {
			return err
		}
		return r.withLedger(ctx, func(l *ledger.Ledger, _ *config.Config) error {
			found, err := l.Verify(ctx, want)
			if err != nil {
				return err
			}
			if err := r.show(found, func(w io.Writer) error { return writeVerified(w, found) }); err != nil {
				return err
			}
			if len(found.Problems) > 0 {
				return errNo
			}
			return nil
		})
	})
}

var headForm = regexp.MustCompile(`^[0-9]{1,18}[: ][0-9a-f]{64}$`)

func parseHead(text string) (*ledger.Head, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no head is a head to compare with nothing
	}
	if !headForm.MatchString(text) {
		return nil, usageError(fmt.Errorf("--head %q: want NUMBER:HASH, as a report has it", text))
	}
	seq, hash, _ := strings.Cut(strings.Replace(text, " ", ":", 1), ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if err != nil {
		return nil, usageError(fmt.Errorf("--head %q: %w", text, err))
	}
	return &ledger.Head{Seq: n, Hash: hash}, nil
}

func writeVerified(w io.Writer, found ledger.Report) error {
	if len(found.Problems) == 0 {
		return fprintf(w, "whole: %d events, head %d:%s\n", found.Events, found.Head.Seq, found.Head.Hash)
	}
	for _, p := range found.Problems {
		if err := fprintf(w, "%s\n", p); err != nil {
			return err
		}
	}
	return fprintf(w, "\nThe ledger of %d events is not what was written. Keep it as it is, and compare it with a backup.\n", found.Events)
}
