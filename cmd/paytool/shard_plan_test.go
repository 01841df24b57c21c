package main

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"paytool/internal/sandbox"
	"paytool/internal/shard/move"
)

// TestShardPlanOnServers plans on real groups: what is counted, and what is refused.
func TestShardPlanOnServers(t *testing.T) {
	b := newBench(t, 2)
	if status, _, stderr := b.paytool("load", "--rate", "40", "--for", "2s"); status != 0 {
		t.Fatalf("load: exit %d: %s", status, stderr)
	}
	codes := func(p move.Plan) (list []string) {
		for _, r := range p.Refusals {
			list = append(list, r.Code)
		}
		return list
	}

	var clean move.Plan
	b.json(&clean, "shard", "shrink", "--to", "1", "--dry-run")
	if len(clean.Moves) != 1 || clean.Moves[0].Leg != (move.Leg{Tag: 2, From: 2, To: 1}) || clean.Moves[0].Rows == 0 || slices.Contains(codes(clean), "duplicates") {
		t.Fatalf("%+v", clean)
	}

	// One attempt of a key is live in both groups.
	for group := range 2 {
		b.sql(b.nodes(group+1, sandbox.RolePrimary), fmt.Sprintf(`INSERT INTO pay.orders (order_no, tag, merchant_id, merchant_order_no, attempt, live, state, amount_fen, refunded_fen,
 channel, account, channel_trade_no, terminal_id, subject, created_ms, paid_ms, updated_ms, twin_of, shadow, risk_double, version, op_id)
 VALUES ('20260301100000070000%02d', %d, 'm1', 'both', 1, 1, 'CREATED', 1, 0, '', '', '', '', '', 1, 0, 1, '', 0, 0, 1, 'x')`, 10+group+1, group+1))
	}
	var twins move.Plan
	if status := b.json(&twins, "shard", "shrink", "--to", "1", "--dry-run"); status != 1 || !slices.Contains(codes(twins), "duplicates") {
		t.Errorf("exit %d, refused: %v", status, twins.Refusals)
	}
	if d := twins.Moves[0].Duplicates; len(d) != 1 || d[0].MerchantOrderNo != "both" || d[0].Source == d[0].Target {
		t.Errorf("duplicates %+v", d)
	}
	if twins.Hash != clean.Hash {
		t.Errorf("the hash changed from %s to %s, and nothing else was decided", clean.Hash, twins.Hash)
	}
	if _, stdout, _ := b.paytool("shard", "shrink", "--to", "1", "--dry-run"); !strings.Contains(stdout, `live in both groups: merchant m1, "both", attempt 1`) {
		t.Errorf("printed:\n%s", stdout)
	}

	b.signal(2, syscall.SIGKILL)
	var silent move.Plan
	if status := b.json(&silent, "shard", "shrink", "--remove", "2", "--dry-run"); status != 1 || !slices.Contains(codes(silent), "silent") {
		t.Errorf("exit %d, refused: %v", status, silent.Refusals)
	}
}
