package main

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// pilotShop is a shop whose second group is to join the first.
func pilotShop(t *testing.T) *shop {
	t.Helper()
	s := newShop(t, 1, 1)
	s.open()
	s.sell(1)
	s.engine.stop()
	s.grow(2, 1)
	s.open()
	return s
}

// made are the orders of one merchant, by the number that the merchant gave them.
type made map[string]order.Order

// make has an engine create n orders of a merchant; those that are known are retries.
func (s *shop) make(e *engine, known made, merchant, prefix string, n int) (orders made, inNew int) {
	s.Helper()
	orders = made{}
	for i := range n {
		key := pay.Key{MerchantID: merchant, MerchantOrderNo: fmt.Sprintf("%s-%d", prefix, i)}
		o, err := e.Create(s.Context(), order.Request{Key: key, Amount: shopPrice})
		if err != nil {
			s.Fatal(err)
		}
		if was, again := known[key.MerchantOrderNo]; again && o.No != was.No {
			s.Errorf("order %s of group %d: its retry is %s in group %d", was.No, was.Group, o.No, o.Group)
		}
		orders[key.MerchantOrderNo] = o
		if o.Group == 2 {
			inNew++
		}
	}
	return orders, inNew
}

// awaitPilots waits until the client's engine has heard whose orders the new group takes.
func (s *shop) awaitPilots(state shard.GroupState, pilots ...string) {
	s.Helper()
	eventually(s.T, fmt.Sprintf("group 2 is %s with pilots %v", state, pilots), func() bool {
		g, _ := s.engine.Fleet().Topology().Group(2)
		return g.State == state && slices.Equal(g.Pilots, pilots) && s.engine.Fleet().Admitted(2)
	})
}

// started is an engine that begins now.
func (s *shop) started() *engine {
	s.Helper()
	e := s.newEngine()
	if err := e.start(s.Context()); err != nil {
		s.Fatal(err)
	}
	return e
}

// TestPilots lets a group take one merchant's orders alone, takes them back, and then lets
// it take those of all. Retries find each order where it lies, through engines that saw
// all of it and through ones that started since.
func TestPilots(t *testing.T) {
	s := pilotShop(t)

	// The command stays in its first step until it is interrupted.
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	var errOut bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		var out bytes.Buffer
		ended <- run(ctx, []string{"--config", s.config, "shard", "expand", "--merchants", "m1", "--watch", "10m", "--yes"}, strings.NewReader(""), &out, &errOut)
	}()
	s.awaitPilots(shard.GroupJoining, "m1", pay.ShadowMerchant)
	const n = 60
	first, inNew := s.make(s.engine, nil, "m1", "A", n)
	if inNew < n/4 || inNew > n*3/4 {
		t.Errorf("%d of %d orders of the pilot went to the new group, want about half", inNew, n)
	}
	others, inNew := s.make(s.engine, nil, "m2", "A", n)
	if inNew > 0 {
		t.Errorf("%d orders of another merchant went to the new group", inNew)
	}
	interrupt()
	if status := <-ended; status != exitInterrupted || !strings.Contains(errOut.String(), "for the orders of merchant m1 alone") {
		t.Errorf("expand: exit %d\n%s", status, errOut.String())
	}
	if _, out, _ := s.paytool("shard", "status"); !strings.Contains(out, "joining, 1 merchant") {
		t.Errorf("status:\n%s", out)
	}
	s.make(s.started(), first, "m1", "A", n)

	// The new group fails: its orders stay there, and no more of them go there.
	s.on(2, "CREATE TRIGGER pay.refuse BEFORE INSERT ON pay.orders FOR EACH ROW SIGNAL SQLSTATE '45000'")
	if status, _, stderr := s.paytool("shard", "expand", "--merchants", "m1", "--wait", "2s", "--yes"); status != exitFailed || !strings.Contains(stderr, "for its first merchants and taken back") {
		t.Fatalf("expand of a group where creates fail: exit %d\n%s", status, stderr)
	}
	s.on(2, "DROP TRIGGER pay.refuse")
	s.awaitPilots(shard.GroupJoining)
	for _, e := range []*engine{s.engine, s.started()} {
		s.make(e, first, "m1", "A", n)
		s.make(e, others, "m2", "A", n)
	}
	second, inNew := s.make(s.engine, nil, "m1", "B", n)
	if inNew > 0 {
		t.Errorf("%d orders of the pilot went to the new group after its weight was taken back", inNew)
	}

	// Once more, to the end.
	s.must("shard", "expand", "--merchants", "m1,m3", "--steps", "1", "--watch", "1s", "--yes")
	s.awaitPilots(shard.GroupActive)
	for _, e := range []*engine{s.engine, s.started()} {
		s.make(e, first, "m1", "A", n)
		s.make(e, second, "m1", "B", n)
		s.make(e, others, "m2", "A", n)
	}
	if _, inNew = s.make(s.engine, nil, "m2", "C", n); inNew < n/4 || inNew > n*3/4 {
		t.Errorf("%d of %d orders of any merchant went to the new group, want about half", inNew, n)
	}
	s.refund()
	s.check()
}
