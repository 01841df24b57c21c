package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"paytool/internal/report"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

func writePlan(w io.Writer, plan *move.Plan) error {
	p := printer{w: w}
	p.printf("plan %s: %s from groups %s to %s (epoch %d)\n", plan.Hash, plan.Kind, groupList(plan.Groups), groupList(plan.After), plan.Epoch)
	if len(plan.Joining) > 0 {
		p.printf("joining: %s; order numbers end in %d digits of tag; no old order moves\n", groupList(plan.Joining), plan.TagWidth)
	}
	if len(plan.Pilots) > 0 {
		p.printf("first step: the orders of %s alone\n", merchantList(plan.Pilots))
	}
	if len(plan.Moves) > 0 && p.err == nil {
		p.printf("\n")
		t := report.Table{Header: []string{"TAG", "FROM", "TO", "ORDERS", "ROWS", "MIB", "DUPLICATES"}, Right: map[string]bool{}}
		for _, name := range t.Header {
			t.Right[name] = true
		}
		for _, m := range plan.Moves {
			t.Add(m.Tag, m.From, m.To, ordersOf(m), m.Rows, m.Bytes>>20, len(m.Duplicates))
		}
		p.err = errors.Join(p.err, t.Write(w))
		p.printf("\n%d rows, about %d MiB; about %s to copy and verify\n", plan.Rows, plan.Bytes>>20, plan.Takes().Round(time.Second))
	}
	for _, m := range plan.Moves {
		for _, d := range m.Duplicates {
			p.printf("live in both groups: merchant %s, %q, attempt %d: orders %s and %s\n", d.MerchantID, d.MerchantOrderNo, d.Attempt, d.Source, d.Target)
		}
	}
	writeReasons(&p, "warnings", plan.Warnings)
	writeReasons(&p, "refused", plan.Refusals)
	return p.err
}

func ordersOf(m move.Move) int64 {
	for _, t := range m.Tables {
		if t.Table == "orders" {
			return t.Rows
		}
	}
	return 0
}

func writeReasons(p *printer, title string, reasons []move.Reason) {
	if len(reasons) == 0 {
		return
	}
	p.printf("\n%s:\n", title)
	for _, r := range reasons {
		p.printf("  %s: %s\n", r.Code, r.Text)
	}
}

func merchantList(merchants []string) string {
	if len(merchants) == 1 {
		return "merchant " + merchants[0]
	}
	return fmt.Sprintf("%d merchants (%s)", len(merchants), strings.Join(merchants, ", "))
}

func groupList(groups []shard.GroupID) string { return strings.Trim(fmt.Sprint(groups), "[]") }
