package config

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Recon says where reconciliation keeps its things, and when it complains. Paths are
// relative to the config's folder.
type Recon struct {
	Ledger string `yaml:"ledger"` // folder of the ledger of differences; default: "recon" below state_dir
	Bills  string `yaml:"bills"`  // folder of fetched bills; default: "bills" below state_dir
	// OverdueAfter is how long a difference may stay open after it was first reported.
	OverdueAfter time.Duration `yaml:"overdue_after"`
	// MetricsFile is written after each run for Prometheus' node exporter, which wants
	// a name that ends in .prom; "" writes none.
	MetricsFile string `yaml:"metrics_file,omitempty"`
}

// Rate is what an account pays for a product.
type Rate struct {
	Product string `yaml:"product,omitempty"` // "" is every product that is not listed
	Rate    string `yaml:"rate"`              // such as "0.60%"
}

// AccountRecon is how an account's bills are to be read and compared.
type AccountRecon struct {
	// Since is the first day that is reconciled, "2006-01-02" in Beijing; "" leaves it to
	// the first run.
	Since string `yaml:"since,omitempty"`
	// CutWindow and CarryDays are the channel's day cut; 0 is the default of 30 minutes
	// and one day.
	CutWindow time.Duration `yaml:"cut_window,omitempty"`
	CarryDays int           `yaml:"carry_days,omitempty"`
	// OurChannel and OurAccount are how our entries name the channel and the account; ""
	// as they are named here.
	OurChannel string `yaml:"our_channel,omitempty"`
	OurAccount string `yaml:"our_account,omitempty"`
	// NoFundBill: the account has no fund bill, so that the fund flow is left out.
	NoFundBill bool `yaml:"no_fund_bill,omitempty"`
	// PlainRefunds takes every refund row of Alipay's for a refund, also one whose
	// number is the trade's own.
	PlainRefunds bool   `yaml:"plain_refunds,omitempty"`
	Rates        []Rate `yaml:"rates,omitempty"` // for bills without a rate column
}

// maxRateE5 is 100%.
const maxRateE5 = 100_000

// E5 is the rate in 10^-5: 600 is 0.60%. It is right once Parse has taken the config.
func (r Rate) E5() int64 {
	e5, _ := parseRate(r.Rate)
	return e5
}

// parseRate reads percents with up to three decimals.
func parseRate(s string) (e5 int64, ok bool) {
	number, percent := strings.CutSuffix(s, "%")
	whole, decimals, _ := strings.Cut(number, ".")
	if !percent || len(whole) == 0 || len(whole) > 3 || len(decimals) > 3 || strings.Trim(whole+decimals, "0123456789") != "" {
		return 0, false
	}
	e5, err := strconv.ParseInt(whole+(decimals + "000")[:3], 10, 64)
	return e5, err == nil && e5 <= maxRateE5
}

// reconPaths fills in the defaults of Recon.
func (c *Config) reconPaths() {
	for _, p := range []struct {
		path *string
		name string
	}{{&c.Recon.Ledger, "recon"}, {&c.Recon.Bills, "bills"}} {
		switch {
		case *p.path == "":
			*p.path = filepath.Join(c.StateDir, p.name)
		case !filepath.IsAbs(*p.path):
			*p.path = filepath.Join(filepath.Dir(c.file), *p.path)
		}
	}
	if m := c.Recon.MetricsFile; m != "" && !filepath.IsAbs(m) {
		c.Recon.MetricsFile = filepath.Join(filepath.Dir(c.file), m)
	}
}

func (v *validation) recon() {
	r := v.config.Recon
	v.positive("recon.overdue_after", r.OverdueAfter)
	if r.MetricsFile != "" && filepath.Ext(r.MetricsFile) != ".prom" {
		v.refuse("recon.metrics_file", "want a name that ends in .prom: the node exporter reads no other")
	}
}

func (v *validation) accountRecon(key string, a AccountRecon) {
	if _, err := time.Parse(time.DateOnly, a.Since); a.Since != "" && err != nil {
		v.refuse(key+".since", "want a day like 2026-11-20, in quotes")
	}
	if a.CutWindow < 0 || a.CutWindow > 24*time.Hour {
		v.refuse(key+".cut_window", "want up to a day, not %s", a.CutWindow)
	}
	if a.CarryDays < 0 || a.CarryDays > 31 {
		v.refuse(key+".carry_days", "want up to 31 days, not %d", a.CarryDays)
	}
	products := map[string]bool{}
	for i, r := range a.Rates {
		at := key + ".rates[" + strconv.Itoa(i) + "]"
		if _, ok := parseRate(r.Rate); !ok {
			v.refuse(at+".rate", "want percents like \"0.60%%\", with up to three decimals")
		}
		if products[r.Product] {
			v.refuse(at+".product", "the product has a rate already")
		}
		products[r.Product] = true
	}
}
