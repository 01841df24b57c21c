package order_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// today is a span around all that a shop has written.
func (s *shop) today() order.EntryQuery {
	now := s.bed.clock.Now()
	return order.EntryQuery{From: now.Add(-time.Hour), To: now.Add(time.Hour), Channel: s.till.name}
}

func TestEntriesOfAllGroups(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		want := map[string]bool{}
		for i := range 30 {
			want[s.put(s.draft(shard.GroupID(1+i%3), newKey(), pay.Paid)).No.String()] = true
		}
		var within atomic.Int32
		got := map[string]int{}
		sources, err := s.engine.Entries(t.Context(), s.today(), func(e pay.Entry) error {
			if within.Add(1) != 1 {
				t.Error("two are yielded at a time")
			}
			if e.Channel == s.till.name { // others have orders without a channel
				got[e.OrderNo]++
			}
			within.Add(-1)
			return nil
		})
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d entries, %v, want %d", len(got), err, len(want))
		}
		for no, n := range got {
			if n != 1 || !want[no] {
				t.Errorf("order %s came %d times", no, n)
			}
		}
		for i, source := range sources {
			if source.Group != shard.GroupID(i+1) || source.Node == "" {
				t.Errorf("source %d is %+v", i, source)
			}
		}
	})
}

// TestEntriesAreAllOrNothing: a group that fails ends the others, which wait for
// nobody, and is named; yield is not called any more.
func TestEntriesAreAllOrNothing(t *testing.T) {
	eachKind(t, func(t *testing.T, b *bed) {
		s := b.shop(t)
		s.put(s.draft(1, newKey(), pay.Paid))
		out := errors.New("out")
		for i, g := range s.groups {
			g.fails(func(g *tamper) {
				g.books = func(ctx context.Context) error {
					if i == 1 {
						return out
					}
					<-ctx.Done()
					return nil // it goes on as if it had not heard
				}
			})
		}
		_, err := s.engine.Entries(t.Context(), s.today(), func(e pay.Entry) error {
			t.Errorf("order %s was yielded after a group had failed", e.OrderNo)
			return nil
		})
		if !errors.Is(err, out) || !strings.Contains(err.Error(), "group 2") {
			t.Errorf("error %v, want group 2's", err)
		}
		for _, g := range s.groups {
			g.heals()
		}
		enough := errors.New("enough")
		if _, err := s.engine.Entries(t.Context(), s.today(), func(pay.Entry) error { return enough }); !errors.Is(err, enough) {
			t.Errorf("yield's error: %v", err)
		}
	})
}
