package generate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paytool/internal/bill"
)

func TestOptionsRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{
		"date": {Date: "2026-13-01"}, "channel": {Channel: "cash"}, "rows": {Rows: -1}, "refunds": {Refunds: 0.9}, "plant": {Rows: 10, Plant: 2},
		"merchant": {Merchant: "1,2"}, "rate": {RateE5: -1},
	} {
		if _, err := Day(context.Background(), o, Outputs{}); err == nil || !strings.Contains(err.Error(), "generate a bill") {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Day(ctx, Options{}, Outputs{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of its context: %v", err)
	}
}

func TestFilesLandWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	paths := Paths{Bill: filepath.Join(dir, "bill.csv.gz"), Fund: filepath.Join(dir, "fund.csv"), Ours: filepath.Join(dir, "ours.csv"), Truth: filepath.Join(dir, "truth.json")}
	if _, err := Files(context.Background(), Options{Rows: 50}, paths, false); err != nil {
		t.Fatal(err)
	}
	if r, err := bill.Inspect(context.Background(), paths.Bill, nil, bill.Options{}); err != nil || !r.OK() || r.Rows != 50 {
		t.Errorf("the packed bill: %v", err)
	}
	if _, err := Files(context.Background(), Options{Rows: 60}, paths, false); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("files that exist: %v", err)
	}
	if _, err := Files(context.Background(), Options{Rows: 60}, paths, true); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Files(ctx, Options{Rows: 70}, paths, true); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
	if r, err := bill.Inspect(context.Background(), paths.Bill, nil, bill.Options{}); err != nil || r.Rows != 60 {
		t.Errorf("after an interrupted run the old bill is %+v, %v", r, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 4 {
		t.Errorf("the folder holds %v, %v: want the four files alone", names, err)
	}
}
