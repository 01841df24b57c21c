package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/bill"
	"paytool/internal/bill/fetch"
	"paytool/internal/config"
)

// exitNotReady is `bill fetch`'s own: try again later.
const exitNotReady = 3

type billFetchOptions struct {
	account, date, billType, out string
}

func newBillFetchCmd(a *app) *cobra.Command {
	var o billFetchOptions
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "Fetch a bill from WeChat Pay or Alipay",
		Long: `Fetch a bill of an account in the config's accounts. It lands whole or not at all,
checked, with a .json of its origin, size, time and digests beside it. Fetched again it
changes nothing; a bill that differs from the one that is there is kept beside it, and
reported. WeChat's bills are unpacked, Alipay's stay the zip that they are.

The bill of a day is built on the next one until 10:00 Beijing time: before that "there
is none" is taken for "not ready yet", after it a note says that the day has no bill.

To try it without an account: paytool channel sim.

Exit status: 0 the bill is there, or there is none for that day, 1 failed, or the bill
differs from an earlier one or cannot be trusted, 2 wrong usage, 3 not ready yet.`,
		Example: `  paytool bill fetch --account shop --date 2026-11-20
  paytool bill fetch --account shop --date 2026-11-20 --type fund --out bills
  paytool bill fetch --account kiosk --date 2026-10      # Alipay has months too`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBillFetch(cmd.Context(), a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.account, "account", "", "which account of the config (default: the only one)")
	flags.StringVar(&o.date, "date", "", "the day in Beijing, like 2026-11-20 (required)")
	flags.StringVar(&o.billType, "type", "trade", "trade, fund, or a type as inspect prints it, such as trade_refund")
	flags.StringVar(&o.out, "out", ".", "the folder of the bills; it is made if it is not there")
	return cmd
}

func runBillFetch(ctx context.Context, a *app, o billFetchOptions) error {
	if o.date == "" {
		return usageError(errors.New("--date is missing; see `paytool bill fetch --help`"))
	}
	cfg, err := a.loadAccounts()
	if err != nil {
		return err
	}
	account, err := cfg.Account(o.account)
	if err != nil {
		return usageError(err)
	}
	f, err := newFetcher(a, account, cfg.Log)
	if err != nil {
		return err
	}
	a.err.Set(fmt.Sprintf("fetching the bill of %s", o.date))
	result, err := f.Fetch(ctx, fetch.Request{Type: fetchedType(account.Channel, o.billType), Date: o.date, Dir: o.out})
	a.err.Set("")
	if errors.Is(err, fetch.ErrRequest) {
		return usageError(err)
	}
	if err != nil {
		return err
	}
	if err := a.show(result, func(w io.Writer) error { return writeFetched(w, result) }); err != nil {
		return err
	}
	switch result.State {
	case fetch.NotReady:
		return &statusError{status: exitNotReady}
	case fetch.NoBill:
		return nil
	default:
	}
	err = a.judge(result.Path, result.Report)
	if result.Differs != "" {
		return errors.Join(err, fmt.Errorf("the channel's bill is no longer %s: the new one is kept as %s; see `paytool bill diff %s %s`",
			result.Differs, result.Path, result.Differs, result.Path))
	}
	return err
}

func writeFetched(w io.Writer, r fetch.Result) error {
	var err error
	switch {
	case r.State == fetch.NotReady:
		_, err = fmt.Fprintf(w, "not ready: the bill of %s is not built yet; ask again at %s\n", r.Date, r.RetryAt.Format(time.RFC3339))
	case r.State == fetch.NoBill:
		_, err = fmt.Fprintf(w, "no bill: %s has none for %s; noted in %s\n", r.Channel, r.Date, r.NotePath)
	case r.Unchanged:
		_, err = fmt.Fprintf(w, "%s: unchanged, %d bytes, %d rows\n", r.Path, r.Size, r.Report.Rows)
	default:
		_, err = fmt.Fprintf(w, "%s: %d bytes, %d rows\n", r.Path, r.Size, r.Report.Rows)
	}
	return err
}

// fetchedType turns the short names into the channel's types.
func fetchedType(channel, name string) bill.Type {
	types := map[string]bill.Type{"trade": bill.TradeAll, "fund": bill.Fundflow}
	if channel == config.ChannelAlipay {
		types = map[string]bill.Type{"trade": bill.AlipayTrade, "fund": bill.AlipayAccount}
	}
	if t, ok := types[name]; ok {
		return t
	}
	return bill.Type(name)
}

// loadAccounts is loadConfig for commands that need no groups.
func (a *app) loadAccounts() (*config.Config, error) {
	path, err := config.Find(a.configPath, os.Getenv("PAYTOOL_CONFIG"))
	if err != nil {
		return nil, err
	}
	cfg, err := config.LoadAccounts(path)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings() {
		_, _ = fmt.Fprintln(a.err, "warning:", w)
	}
	return cfg, nil
}

func newFetcher(a *app, account config.Account, log config.Log) (*fetch.Fetcher, error) {
	keys, err := fetch.ReadKeys(fetch.KeyFiles{
		Private: account.PrivateKeyFile, Channel: account.PublicKeyFile, API: account.APIKeyFile, ChannelID: account.PublicKeyID,
	})
	if err != nil {
		return nil, fmt.Errorf("account %s: %w", account.Name, err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if account.CertificateFile != "" {
		cert, err := tls.LoadX509KeyPair(account.CertificateFile, account.PrivateKeyFile)
		if err != nil {
			return nil, fmt.Errorf("account %s: read certificate_file with private_key_file: %w", account.Name, err)
		}
		transport.TLSClientConfig = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	return fetch.New(fetch.Options{
		Account: fetch.Account{
			Name: account.Name, Channel: account.Channel, Protocol: account.Protocol, Merchant: account.Merchant,
			SubMerchant: account.SubMerchant, AppID: account.AppID, Serial: account.Serial, SignType: account.SignType,
			Hosts: slices.Clone(account.Hosts), Keys: keys,
		},
		Client: &http.Client{Transport: transport}, Log: a.logger(log),
	})
}
