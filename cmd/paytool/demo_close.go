package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"paytool/internal/bill"
	"paytool/internal/channel/builtin"
	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/whole"
)

// demoClose is the end of the demo's day: its entries, the channel's bill, and what
// reconciliation makes of them.
type demoClose struct {
	Bill     string `json:"bill"`
	Fund     string `json:"fund"`
	Balanced bool   `json:"balanced"` // our books against the channel's bill
	Rows     int64  `json:"rows"`
	Matched  int64  `json:"matched"`
	// Planted mistakes were made in a copy of our entries, and Found of them.
	Planted int           `json:"planted"`
	Found   int64         `json:"found"`
	Ledger  string        `json:"ledger"` // has the day with the mistakes
	XLSX    string        `json:"xlsx"`
	HTML    string        `json:"html"`
	Classes []demoFinding `json:"classes"`
}

type demoFinding struct {
	Class string `json:"class"`
	Count int64  `json:"count"`
}

// closeDay exports the day, gets the channel's bill, and reconciles twice: the books as
// they are, which have to balance, and a copy with mistakes, which have to be found.
func (d *demo) closeDay(ctx context.Context, result *demoResult) error {
	date := time.Now().In(pay.Beijing).Format(time.DateOnly)
	day, err := time.ParseInLocation(time.DateOnly, date, pay.Beijing)
	if err != nil {
		return err
	}
	d.say("the day is closed: our entries are held against the channel's bill")
	at := func(name string) string { return filepath.Join(d.dir, name) }
	result.Export.File = at("ours-" + date + ".csv")
	if result.Export.exportSums, err = d.engine.exportFile(ctx, result.Export.File, order.EntryQuery{From: day, To: day.AddDate(0, 0, 1)}); err != nil {
		return err
	}
	c := &result.Close
	c.Bill, c.Fund, c.Ledger = at("bill-"+date+".csv"), at("fund-"+date+".csv"), at("ledger")
	c.XLSX, c.HTML = at("recon-"+date+".xlsx"), at("recon-"+date+".html")
	if _, err := d.engine.writeBill(ctx, date, builtin.DefaultAccount, c.Bill, c.Fund); err != nil {
		return err
	}
	honest := d.reconcile(ctx, nil, c, date, result.Export.File)
	if honest.Result == nil {
		return honest.Err
	}
	c.Balanced, c.Rows, c.Matched = honest.Result.Balanced, honest.Result.Theirs.Rows, honest.Result.Matched
	return d.findPlanted(ctx, c, date, result.Export.File)
}

// demoBook is the demo's account in the ledger.
var demoBook = daily.Account{Book: ledger.Book{Channel: bill.WeChat, Account: demoMerchant}, OurChannel: builtin.Name, OurAccount: builtin.DefaultAccount}

func (d *demo) reconcile(ctx context.Context, l *ledger.Ledger, c *demoClose, date, ours string) daily.Outcome {
	in := fixedInputs{Trade: []string{c.Bill}, Fund: []string{c.Fund}, Ours: ours}
	r := daily.Runner{Source: in, Ledger: l, Actor: "demo", TempDir: d.dir, Seed: func() uint64 { return d.opts.seed }, Log: d.engine.log}
	return r.Day(ctx, demoBook, date)
}

// fixedInputs are the files of a day.
type fixedInputs daily.Inputs

// Inputs implements daily.Source.
func (f fixedInputs) Inputs(context.Context, daily.Account, string, bool) (daily.Inputs, error) {
	return daily.Inputs(f), nil
}

func (d *demo) findPlanted(ctx context.Context, c *demoClose, date, ours string) (err error) {
	spoiled := filepath.Join(d.dir, "ours-"+date+"-with-mistakes.csv")
	if c.Planted, err = spoil(ours, spoiled); err != nil {
		return err
	}
	l, err := ledger.Open(ctx, c.Ledger, ledger.Options{Now: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	out := d.reconcile(ctx, l, c, date, spoiled)
	if out.Result == nil {
		return out.Err
	}
	for class, n := range out.Result.Counts {
		if n > 0 {
			c.Classes = append(c.Classes, demoFinding{string(class), n})
		}
		c.Found += n
	}
	report, err := newDay(ctx, out.Result, l, demoBook.Trade(&out))
	if err != nil {
		return err
	}
	flags := reportFlags{xlsx: c.XLSX, html: c.HTML, lang: "zh"}
	return flags.write(ctx, report)
}

// spoil copies entries with mistakes in three paid payments: one is missing, one is
// said to be closed, one has another amount.
func spoil(from, to string) (planted int, err error) {
	f, err := os.Open(from)
	if err != nil {
		return 0, fmt.Errorf("spoil our entries: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return 0, fmt.Errorf("spoil our entries: %w", err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	given := map[string]bool{} // orders whose money went back are not spoiled: one mistake would be several
	for _, row := range rows[1:] {
		if row[column["kind"]] != string(pay.EntryPay) {
			given[row[column["order_no"]]] = true
		}
	}
	kept := rows[:1]
	for _, row := range rows[1:] {
		if planted < 3 && row[column["kind"]] == string(pay.EntryPay) && row[column["state"]] == string(pay.Paid) && !given[row[column["order_no"]]] {
			planted++
			switch planted {
			case 1:
				continue
			case 2:
				row[column["state"]] = string(pay.Closed)
			case 3:
				row[column["amount_fen"]] += "9"
			}
		}
		kept = append(kept, row)
	}
	return planted, whole.Write(to, func(w io.Writer) error { return csv.NewWriter(w).WriteAll(kept) })
}
