package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
)

// reconLong is the exit statuses of all recon commands. Wrong usage is 1 here: 2 says
// that there are differences.
const reconLong = `Hold our books against the channels' bills, and carry each difference to its end.

Each morning:
  paytool recon run --date yesterday    fetch, compare, record, report
  paytool recon status                  what is missing, different, overdue
  paytool recon diffs                   what is to be done
  paytool recon propose, approve        decide, by two persons
  paytool recon apply                   let the order engine carry it out

Exit status: 0 balanced, 1 failed or wrong usage, 2 differences, 3 not ready, try
later, 4 an input cannot be trusted, 5 differences that are open for too long.
Of several days 1 comes before 4, 3, 5 and 2.`

// reconApp is what the recon commands share.
type reconApp struct {
	*app
	ledgerDir string
	actor     string
	scratch   string // a folder that is gone when the command ends
}

func newReconCmd(a *app) *cobra.Command {
	r := &reconApp{app: a}
	cmd := group("recon", "Hold our books against the channels' bills: every fen explained, every day",
		newReconRunCmd(r), newReconStatusCmd(r), newReconDiffsCmd(r), newReconExplainCmd(r), newReconProposeCmd(r), newReconApproveCmd(r),
		newReconApplyCmd(r), newReconReportCmd(r), newReconVerifyCmd(r), newReconInternalCmd(r))
	cmd.Long = reconLong
	flags := cmd.PersistentFlags()
	flags.StringVar(&r.ledgerDir, "ledger", "", "folder of the ledger of differences (default: the config's recon.ledger)")
	flags.StringVar(&r.actor, "actor", "", "who does this, in the ledger (default: $PAYTOOL_ACTOR, else the user of this machine)")
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return reconStatus(usageError(err)) })
	cmd.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		return reconStatus(cmd.Root().PersistentPreRunE(cmd, args))
	}
	return cmd
}

// reconCommand gives a command's errors the statuses of the recon commands.
func reconCommand(cmd *cobra.Command, args cobra.PositionalArgs, run func(ctx context.Context, args []string) error) *cobra.Command {
	cmd.Args = func(cmd *cobra.Command, given []string) error { return reconStatus(args(cmd, given)) }
	cmd.RunE = func(cmd *cobra.Command, given []string) error { return reconStatus(run(cmd.Context(), given)) }
	return cmd
}

// reconStatus gives an error the status that the recon commands have for it.
func reconStatus(err error) error {
	var status *statusError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &status) && status.status == exitUsage && status.err != nil:
		return &statusError{status: exitFailed, err: status.err}
	case status != nil:
		return err
	}
	return &statusError{status: daily.StatusOf(err).Exit(), err: err}
}

// who is the person that acts. The ledger wants to know even where nobody asks.
func (r *reconApp) who() (string, error) {
	for _, name := range []string{r.actor, os.Getenv("PAYTOOL_ACTOR")} {
		if name != "" {
			return name, nil
		}
	}
	u, err := user.Current()
	if err != nil || u.Username == "" {
		return "", usageError(errors.New("--actor is missing: this machine does not say who you are"))
	}
	return u.Username, nil
}

// reconConfig is the config where there is one; without it the defaults.
func (r *reconApp) reconConfig() (*config.Config, error) {
	if _, err := config.Find(r.configPath, os.Getenv("PAYTOOL_CONFIG")); err != nil && r.configPath == "" && os.Getenv("PAYTOOL_CONFIG") == "" {
		return &config.Config{Recon: config.Recon{OverdueAfter: ledger.DefaultOverdue}}, nil
	}
	return r.loadAccounts()
}

// openLedger opens the ledger of --ledger or of the config. make says that it may be
// made; a command that only looks must not leave an empty ledger where a path is wrong.
func (r *reconApp) openLedger(ctx context.Context, cfg *config.Config, make bool) (*ledger.Ledger, error) {
	dir := r.ledgerDir
	if dir == "" {
		dir = cfg.Recon.Ledger
	}
	if dir == "" {
		return nil, usageError(errors.New("--ledger is missing, and there is no config that says where the ledger is"))
	}
	return ledger.Open(ctx, dir, ledger.Options{Now: time.Now, OverdueAfter: cfg.Recon.OverdueAfter, MustExist: !make})
}

// withLedger opens the ledger for one command.
func (r *reconApp) withLedger(ctx context.Context, f func(l *ledger.Ledger, cfg *config.Config) error) (err error) {
	cfg, err := r.reconConfig()
	if err != nil {
		return err
	}
	l, err := r.openLedger(ctx, cfg, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	return f(l, cfg)
}

// bookFlags choose an account's days in the ledger.
type bookFlags struct{ channel, account string }

func (b *bookFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.channel, "channel", "", "only this channel's: wechat, alipay or unionpay")
	cmd.Flags().StringVar(&b.account, "account", "", "only this account's")
}

// choose finds the books of the ledger that are meant.
func (b *bookFlags) choose(ctx context.Context, l *ledger.Ledger) ([]ledger.Book, error) {
	all, err := l.Books(ctx)
	if err != nil {
		return nil, err
	}
	var chosen []ledger.Book
	for _, book := range all {
		if (b.channel == "" || b.channel == book.Channel) && (b.account == "" || b.account == book.Account) {
			chosen = append(chosen, book)
		}
	}
	if len(chosen) == 0 && (b.channel != "" || b.account != "") {
		return nil, usageError(fmt.Errorf("the ledger has no days of channel %q account %q; it has %v", b.channel, b.account, all))
	}
	return chosen, nil
}
