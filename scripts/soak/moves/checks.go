package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"paytool/internal/order"
)

// list pages through all old orders: each is there once.
func (t *traffic) list() error {
	seen, after := map[string]int{}, ""
	for {
		page, err := t.page(after)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		if len(page.Missing) > 0 && !t.world.crashes {
			return fmt.Errorf("list: groups %v did not answer", page.Missing)
		}
		for _, o := range page.Orders {
			seen[o.No]++
		}
		if after = page.Next; after == "" || len(page.Missing) > 0 {
			t.note(func(f *figures) { f.lists++ }, nil)
			return t.onceEach("a list", seen, len(page.Missing) == 0)
		}
	}
}

type page struct {
	Orders []struct {
		No string `json:"order_no"`
	} `json:"orders"`
	Missing []int  `json:"missing_groups"`
	Next    string `json:"next"`
}

// page asks one instance after the other, as a load balancer would: one is restarted now
// and then. It waits where reads give way to creates.
func (t *traffic) page(after string) (p page, err error) {
	for i := range 20 {
		var answer *http.Response
		url := t.world.urls()[i%t.world.instances]
		answer, err = ask(context.Background(), url+"/v1/orders?limit=500&merchant_id="+merchant+"&after="+after)
		if err == nil {
			status := answer.StatusCode
			err = json.NewDecoder(answer.Body).Decode(&p)
			_ = answer.Body.Close()
			switch {
			case status == http.StatusOK:
				return p, err
			case status != http.StatusServiceUnavailable:
				return p, fmt.Errorf("HTTP %d", status)
			}
			err = errors.New("it gives way for seconds")
			t.note(func(f *figures) { f.gaveWay++ }, nil)
		}
		_ = order.System{}.Sleep(context.Background(), pause)
	}
	return p, err
}

func (t *traffic) onceEach(where string, seen map[string]int, complete bool) error {
	for _, o := range t.orders {
		if n := seen[o.no.String()]; n > 1 || n == 0 && complete {
			return fmt.Errorf("%s has order %s %d times", where, o.no, n)
		}
	}
	return nil
}

// export writes today's entries and counts the old orders among them.
func (t *traffic) export() error {
	cmd := t.world.command(context.Background(), "order", "export", "--date", time.Now().UTC().Add(8*time.Hour).Format(time.DateOnly))
	out, err := cmd.Output()
	t.world.cpu.ended(cmd)
	if err != nil {
		// A group that is out, or a fence that nobody has lifted yet: the export says so
		// and is not written.
		if t.world.crashes || t.world.killer != nil && strings.Contains(tail(err), "try again in a moment") {
			return nil
		}
		return fmt.Errorf("export: %w\n%s", err, tail(err))
	}
	seen, err := payRows(out)
	if err != nil {
		return err
	}
	t.note(func(f *figures) { f.exports++ }, nil)
	return t.onceEach("an export", seen, true)
}

// finalChecks reads every old order under its number, and has the tool verify the load.
func (w *world) finalChecks(ctx context.Context, t *traffic) error {
	var errs []error
	for _, o := range t.orders {
		got, err := t.client.Get(ctx, o.no)
		if err == nil && (got.Refunded < o.refunded || got.Refunded > o.refunded+o.unknown) {
			err = fmt.Errorf("%d fen are refunded, its client knows of %d to %d", got.Refunded, o.refunded, o.refunded+o.unknown)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("order %s: %w", o.no, err))
		}
	}
	fmt.Printf("%d old orders found under their numbers, %d wrong\n", len(t.orders)-len(errs), len(errs))
	for i := range t.loads {
		verified, err := w.paytool(ctx, "order", "verify", "--ledger", t.ledger(i), "-o", "json")
		fmt.Printf("order verify: %s\n", compact(verified))
		errs = append(errs, err)
	}
	verified, err := w.paytool(ctx, "shard", "verify", "-o", "json")
	fmt.Printf("shard verify: %s\n", compact(verified))
	return errors.Join(append(errs, err)...)
}

func compact(text []byte) string {
	var short bytes.Buffer
	if json.Compact(&short, text) != nil {
		return string(text)
	}
	return short.String()
}
