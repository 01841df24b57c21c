package ledger

import (
	"fmt"
	"testing"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// TestManyDifferences: a day that went wrong as a whole is recorded in one go, and its
// small ones are written off as one.
func TestManyDifferences(t *testing.T) {
	t.Parallel()
	const many = 10_000 // 100,000 take seconds: each statement has to find its rows by an index
	b := newBench(t)
	ds := make([]recon.Difference, many)
	for i := range ds {
		ds[i] = lacking(recon.MissingInOurs, friday, fmt.Sprintf("20261120%012d", i), pay.Fen(1+i%100))
		ds[i].Detail, ds[i].Advice = "the channel's bill has the pay, our books do not", "money was taken that we know nothing of: look for the order in every group"
	}
	r := result("r1", friday, ds...)
	start := time.Now()
	step := func(what string) {
		t.Logf("%s: %v", what, time.Since(start).Round(time.Millisecond))
		start = time.Now()
	}
	if done := b.mustRun(r, ""); done.Opened != many {
		t.Fatalf("%+v", done)
	}
	step("record")
	p := must(b.ProposeSmall(b.ctx, SmallProposal{Actor: "li", Tolerance: 5, Reason: "rounding"}))(t)
	step("propose")
	must(b.Approve(b.ctx, "wang", p.ID, ""))(t)
	step("approve")
	if p.Count != many/20 {
		t.Errorf("%d are small, want %d", p.Count, many/20)
	}
	if top := must(b.Differences(b.ctx, Query{States: []State{StateOpen}, Limit: 3}))(t); len(top) != 3 || top[0].DifferenceFen != 100 {
		t.Errorf("%+v", top)
	}
	step("query")
	if a := must(b.Ages(b.ctx, nil, 14))(t); a[13].UpTo3.Rows != many-p.Count {
		t.Errorf("%+v", a[13])
	}
	step("ages")
	b.whole(nil)
	step("verify")
}
