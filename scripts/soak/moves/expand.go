package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
)

func (w *world) retireAndExpand(ctx context.Context, t *traffic) error {
	var status struct {
		Runs []struct {
			Plan string `json:"plan"`
		} `json:"runs"`
	}
	out, err := w.paytool(ctx, "shard", "history", "-o", "json")
	if err == nil {
		err = json.Unmarshal(out, &status)
	}
	if err != nil {
		return err
	}
	if len(status.Runs) == 0 {
		return errors.New("the history knows of no move")
	}
	plan := status.Runs[len(status.Runs)-1].Plan
	if err := w.retire(ctx, "shard", "retire", "--plan", plan, "--yes", "-o", "json"); err != nil {
		return err
	}
	fmt.Println("retired")
	if err := w.up(ctx, w.groups+1); err != nil {
		return err
	}
	if err := w.restartEach(ctx); err != nil {
		return err
	}
	if !w.http { // the load's own engine has to read the config anew, too
		if err := t.restartLoad(ctx); err != nil {
			return err
		}
	}
	if _, err := w.paytool(ctx, "shard", "expand", "--watch", "2s", "--yes"); err != nil {
		return err
	}
	fmt.Println("group", w.groups+1, "joined")
	return order.System{}.Sleep(ctx, 5*time.Second) // for orders of the new group
}

// restartLoad starts another load before the first one ends.
func (t *traffic) restartLoad(ctx context.Context) error {
	if err := t.startLoad(ctx); err != nil {
		return err
	}
	if err := (order.System{}).Sleep(ctx, 3*time.Second); err != nil {
		return err
	}
	return t.endLoad()
}

// retire runs the command. It can be run once only, and so is killed as often as it
// goes: some more kills are for that.
func (w *world) retire(ctx context.Context, args ...string) error {
	if w.killer != nil {
		return w.killer.drive(ctx, w.kills+max(2, w.kills/20), args...)
	}
	_, err := w.paytool(ctx, args...)
	return err
}
