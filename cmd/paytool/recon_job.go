package main

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"paytool/internal/bill"
	"paytool/internal/config"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
)

// job reads the flags.
func (o *reconRunOptions) job(r *reconApp, cfg *config.Config) (reconJob, error) {
	if err := o.checkFlags(); err != nil {
		return reconJob{}, err
	}
	dates, err := o.days(time.Now())
	if err != nil {
		return reconJob{}, err
	}
	if err := o.reports.check(len(dates)); err != nil {
		return reconJob{}, err
	}
	if len(o.bills) == 0 {
		return o.fetchJob(r, cfg, dates)
	}
	if len(dates) > 1 {
		return reconJob{}, usageError(errors.New("--bill is of one day: give --date"))
	}
	a, err := o.oneAccount(cfg)
	if err != nil {
		return reconJob{}, err
	}
	o.override(&a)
	return reconJob{accounts: []daily.Account{a}, dates: dates, source: &fileSource{recon: r, opts: o}, single: true}, nil
}

// oneAccount is the account that the files are of: the config's, if it is there.
func (o *reconRunOptions) oneAccount(cfg *config.Config) (daily.Account, error) {
	var of []string // accounts of the channel
	for _, c := range cfg.Accounts {
		if c.Channel == o.channel {
			of = append(of, c.Name)
		}
	}
	name := o.account
	if name == "" && len(of) == 1 {
		name = of[0]
	}
	if name == "" || len(cfg.Accounts) == 0 {
		return daily.Account{Book: ledger.Book{Channel: o.channel, Account: name}}, nil
	}
	c, err := cfg.Account(name)
	if err != nil {
		return daily.Account{}, usageError(err)
	}
	if c.Channel != o.channel {
		return daily.Account{}, usageError(fmt.Errorf("--channel %s: the account %s is one of %s", o.channel, name, c.Channel))
	}
	return dailyAccount(c), nil
}

func (o *reconRunOptions) checkFlags() error {
	for _, f := range []struct {
		flag, value string
		needed      bool
	}{{"--channel", o.channel, len(o.bills) > 0}, {"--date", o.date + o.from, true}, {"--ours", o.ours, len(o.bills) > 0}} {
		if f.needed && f.value == "" {
			return usageError(fmt.Errorf("%s is missing; see `paytool recon run --help`", f.flag))
		}
	}
	switch {
	case o.date != "" && o.from+o.to != "":
		return usageError(errors.New("--date and --from, --to exclude each other"))
	case o.channel != "" && !slices.Contains([]string{bill.WeChat, bill.Alipay, bill.UnionPay}, o.channel):
		return usageError(fmt.Errorf("--channel %q: want wechat, alipay or unionpay", o.channel))
	case len(o.bills) == 0 && (len(o.funds) > 0 || o.carry+o.carryOut != ""):
		return usageError(errors.New("--fund, --carry and --carry-out go with --bill; without it bills are fetched, and the ledger carries"))
	case o.memoryMiB < 1:
		return usageError(fmt.Errorf("--memory %d: at least 1 MiB", o.memoryMiB))
	case o.carryDays < 0:
		return usageError(fmt.Errorf("--carry-days %d: at least 1", o.carryDays))
	}
	return nil
}

// maxDays bounds a catch-up: who means more has mistyped a year.
const maxDays = 366

// days are the days that are meant, in order.
func (o *reconRunOptions) days(now time.Time) ([]string, error) {
	yesterday := now.In(pay.Beijing).AddDate(0, 0, -1).Format(time.DateOnly)
	first, last := o.date, o.date
	if o.from != "" || o.to != "" {
		first, last = o.from, o.to
		if last == "" {
			last = yesterday
		}
	}
	parse := func(flag, text string) (time.Time, error) {
		if text == "yesterday" {
			text = yesterday
		}
		t, err := time.ParseInLocation(time.DateOnly, text, pay.Beijing)
		if err != nil {
			return t, usageError(fmt.Errorf("%s %q: want a day like 2026-11-20, or yesterday", flag, text))
		}
		return t, nil
	}
	from, err := parse(firstFlag(o.date), first)
	if err != nil {
		return nil, err
	}
	to, err := parse("--to", last)
	if err != nil {
		return nil, err
	}
	var days []string
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		if days = append(days, day.Format(time.DateOnly)); len(days) > maxDays {
			return nil, usageError(fmt.Errorf("--from %s --to %s: more than %d days", first, last, maxDays))
		}
	}
	if len(days) == 0 {
		return nil, usageError(fmt.Errorf("--to %s is before --from %s", last, first))
	}
	return days, nil
}

func firstFlag(date string) string {
	if date != "" {
		return "--date"
	}
	return "--from"
}

// override lets flags go before the config.
func (o *reconRunOptions) override(a *daily.Account) {
	if o.merchant != "" {
		a.Merchant = o.merchant
	}
	if o.cutWindow != 0 {
		a.CutWindow = o.cutWindow
	}
	if o.carryDays != 0 {
		a.CarryDays = o.carryDays
	}
	if o.alipayPlain {
		a.AlipayRevoke = bill.RevokeNever
	}
	if o.ourChannel != "" {
		a.OurChannel = o.ourChannel
	}
	if o.ourAccount != "" {
		a.OurAccount = o.ourAccount
	}
}

// dailyAccount is a configured account as the daily room wants it.
func dailyAccount(c config.Account) daily.Account {
	a := daily.Account{
		Book: ledger.Book{Channel: c.Channel, Account: c.Name}, Merchant: c.Merchant, CutWindow: c.Recon.CutWindow, CarryDays: c.Recon.CarryDays,
		OurChannel: c.Recon.OurChannel, OurAccount: c.Recon.OurAccount, Rates: recon.Rates{},
	}
	if c.SubMerchant != "" {
		a.Merchant = c.SubMerchant
	}
	if c.Recon.PlainRefunds {
		a.AlipayRevoke = bill.RevokeNever
	}
	for _, rate := range c.Recon.Rates {
		a.Rates[rate.Product] = rate.E5()
	}
	return a
}
