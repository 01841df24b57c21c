package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"paytool/internal/bill/fetch"
	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/recon/daily"
)

// fileSource has the bills by name.
type fileSource struct {
	recon *reconApp
	opts  *reconRunOptions
}

// Inputs implements daily.Source.
func (s *fileSource) Inputs(ctx context.Context, a daily.Account, date string, recorded bool) (in daily.Inputs, err error) {
	in = daily.Inputs{Trade: s.opts.bills, Fund: s.opts.funds, Ours: s.opts.ours}
	if s.opts.ours == ownDatabase {
		in.Ours, err = s.opts.newExport(s.recon, "").read(ctx, a, date, recorded)
	}
	return in, err
}

// fetchSource fetches the bills of the config's accounts.
type fetchSource struct {
	recon    *reconApp
	opts     *reconRunOptions
	cfg      *config.Config
	accounts map[string]config.Account
}

// fetchJob reconciles the accounts of the config.
func (o *reconRunOptions) fetchJob(r *reconApp, cfg *config.Config, dates []string) (reconJob, error) {
	job := reconJob{dates: dates}
	s := &fetchSource{recon: r, opts: o, cfg: cfg, accounts: map[string]config.Account{}}
	for _, c := range cfg.Accounts {
		if o.account != "" && c.Name != o.account || o.channel != "" && c.Channel != o.channel {
			continue
		}
		c, err := cfg.Account(c.Name) // with its paths
		if err != nil {
			return job, err
		}
		s.accounts[c.Name] = c
		a := dailyAccount(c)
		o.override(&a)
		job.accounts = append(job.accounts, a)
	}
	switch {
	case len(cfg.Accounts) == 0:
		return job, usageError(errors.New("--bill is missing, and there is no config with accounts whose bills could be fetched; see `paytool bill fetch --help`"))
	case len(job.accounts) == 0:
		return job, usageError(fmt.Errorf("the config has no account %q of channel %q", o.account, o.channel))
	case o.ours != "" && o.ours != ownDatabase && len(job.accounts)*len(dates) > 1:
		return job, usageError(errors.New("--ours FILE is one day's of one account: choose it with --account and --date, or give --ours db"))
	}
	job.source = s
	return job, nil
}

// Inputs implements daily.Source. Bills of a recorded day are not fetched again: who
// wants to know whether the channel has changed one asks `bill fetch`.
func (s *fetchSource) Inputs(ctx context.Context, a daily.Account, date string, recorded bool) (in daily.Inputs, err error) {
	account := s.accounts[a.Account]
	f := &fetching{source: s, account: account, date: date, recorded: recorded}
	if in.Trade, in.NoBill, err = f.get(ctx, &in, "trade"); err != nil || !in.RetryAt.IsZero() {
		return in, err
	}
	if !account.Recon.NoFundBill {
		if in.Fund, in.NoFund, err = f.get(ctx, &in, "fund"); err != nil || !in.RetryAt.IsZero() {
			return in, err
		}
	}
	if in.Ours = s.opts.ours; in.Ours == "" || in.Ours == ownDatabase {
		in.Ours, err = s.opts.newExport(s.recon, s.cfg.Recon.Ledger).read(ctx, a, date, recorded)
	}
	return in, err
}

// fetching is one account's day at the channel.
type fetching struct {
	source   *fetchSource
	account  config.Account
	date     string
	recorded bool
	fetcher  *fetch.Fetcher
}

func (f *fetching) get(ctx context.Context, in *daily.Inputs, kind string) (paths []string, none bool, err error) {
	dir := f.source.opts.billDir
	if dir == "" {
		dir = f.source.cfg.Recon.Bills
	}
	req := fetch.Request{Type: fetchedType(f.account.Channel, kind), Date: f.date, Dir: dir}
	if f.recorded {
		if note, ok := fetch.Landed(f.fetchAccount(), req); ok {
			if note.State == fetch.NoBill {
				return nil, true, nil
			}
			return []string{filepath.Join(dir, note.File)}, false, nil
		}
	}
	if f.fetcher == nil {
		if f.fetcher, err = newFetcher(f.source.recon.app, f.account, f.source.cfg.Log); err != nil {
			return nil, false, err
		}
	}
	f.source.recon.err.Set(fmt.Sprintf("fetching the %s bill of %s, %s", kind, f.account.Name, f.date))
	defer f.source.recon.err.Set("")
	got, err := f.fetcher.Fetch(ctx, req)
	if err != nil {
		return nil, false, err
	}
	switch {
	case got.State == fetch.NotReady:
		in.RetryAt = *got.RetryAt
		return nil, false, nil
	case got.State == fetch.NoBill:
		return nil, true, nil
	case got.Differs != "":
		in.Warnings = append(in.Warnings, fmt.Sprintf("the channel's bill is no longer %s: %s is used", got.Differs, got.Path))
	}
	return []string{got.Path}, false, nil
}

// fetchAccount is as much of the account as names its files.
func (f *fetching) fetchAccount() fetch.Account {
	return fetch.Account{Name: f.account.Name, Channel: f.account.Channel, Merchant: f.account.Merchant, SubMerchant: f.account.SubMerchant}
}

// ourExport reads our entries from the groups.
type ourExport struct {
	recon *reconApp
	dir   string // "" is a folder that is gone when the command ends
	keep  bool   // the day is recorded with the entries of an earlier export
}

// newExport keeps entries with the ledger that they are recorded in.
func (o *reconRunOptions) newExport(r *reconApp, ledgerDir string) ourExport {
	if r.ledgerDir != "" {
		ledgerDir = r.ledgerDir
	}
	e := ourExport{recon: r, dir: r.scratch, keep: o.supersede != ""}
	if ledgerDir != "" {
		e.dir = filepath.Join(ledgerDir, "ours")
	}
	return e
}

// read writes our entries of a day into a file, which is what the day is reconciled
// with from then on.
func (x ourExport) read(ctx context.Context, a daily.Account, date string, recorded bool) (string, error) {
	if err := os.MkdirAll(x.dir, 0o700); err != nil {
		return "", fmt.Errorf("make the folder of our entries: %w", err)
	}
	path := filepath.Join(x.dir, fmt.Sprintf("%s_%s_%s.csv", a.Channel, orDash(a.Account), date))
	if recorded {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	from, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if err != nil {
		return "", usageError(fmt.Errorf("--date %q: want a day like 2026-11-20", date))
	}
	q := order.EntryQuery{From: from, To: from.AddDate(0, 0, 1), Channel: cmp.Or(a.OurChannel, a.Channel), Account: cmp.Or(a.OurAccount, a.Account)}
	x.recon.err.Set("reading our entries of " + date)
	defer x.recon.err.Set("")
	fresh := path + ".new"
	err = x.recon.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		_, err := e.exportFile(ctx, fresh, q)
		return err
	})
	if err == nil && x.keep {
		err = keepBeside(path)
	}
	if err == nil {
		err = os.Rename(fresh, path)
	}
	return path, err
}

// keepBeside moves the entries of an earlier run aside: the ledger has their digest.
func keepBeside(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.Rename(path, strings.TrimSuffix(path, ".csv")+info.ModTime().UTC().Format(".20060102T150405.000")+".csv")
	}
	if err != nil {
		return fmt.Errorf("keep our entries of an earlier run: %w", err)
	}
	return nil
}
