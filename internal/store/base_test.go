package store

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBase(t *testing.T) { onEachKind(t, checkBase) }

func checkBase(t *testing.T, b *bed) {
	ctx := b.ctx()
	version := func(kind, id string, v int64, body string) Base {
		return Base{Kind: kind, ID: id, Version: v, Body: json.RawMessage(body), Updated: t0}
	}
	newest := []Base{version("merchant", "m1", 3, `{"name":"咖啡"}`), version("merchant", "m2", 1, `{}`)}
	for _, v := range []Base{version("merchant", "m1", 1, `{}`), newest[0], newest[1], version("terminal", "m1", 9, `{}`)} {
		if err := b.group.PutBase(ctx, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, old := range []int64{2, 3} {
		if err := b.group.PutBase(ctx, version("merchant", "m1", old, `{"late":1}`)); !errors.Is(err, ErrOldVersion) {
			t.Errorf("version %d after 3: %v", old, err)
		}
	}
	got, err := b.group.LoadBase(ctx, "merchant")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(newest, got); d != "" {
		t.Errorf("newest merchants (-want +got):\n%s", d)
	}
	history, err := b.group.BaseHistory(ctx, "merchant", "m1")
	if d := cmp.Diff([]Base{newest[0], version("merchant", "m1", 1, `{}`)}, history); err != nil || d != "" {
		t.Errorf("versions of m1 (-want +got): %v\n%s", err, d)
	}
	if none, err := b.group.LoadBase(ctx, "rate"); err != nil || len(none) != 0 {
		t.Errorf("no rates: %v, %v", none, err)
	}
}
