package order_test

import (
	"context"
	"errors"
	"sync"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/shard"
)

// fate is what becomes of a COMMIT.
type fate int

const (
	commits   fate = iota
	refused        // the server says no
	lostEarly      // no answer, and it was not committed
	lostLate       // no answer, and it was committed
)

// tamper is a real group that fails where a test wants it to.
type tamper struct {
	order.Group

	mu sync.Mutex
	// commit decides on a transaction by the last move in it; one without a move
	// always commits.
	commit func(m order.Move) fate
	begin  func() error                    // before each transaction
	fresh  func(ctx context.Context) error // before each answer to the guard
	due    func(ctx context.Context) error // before each list of due orders
	read   func(no pay.OrderNo)            // after the refunds of an order were read
	list   func() error                    // before each page of a list
	books  func(ctx context.Context) error // before entries or dossiers are read
}

// fails sets what goes wrong from now on.
func (g *tamper) fails(change func(g *tamper)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change(g)
}

// heals lets everything go well again.
func (g *tamper) heals() {
	g.fails(func(g *tamper) {
		g.commit, g.begin, g.fresh, g.due, g.read, g.list, g.books = nil, nil, nil, nil, nil, nil, nil
	})
}

// silences lets no node of the group answer the guard.
func (g *tamper) silences() {
	g.fails(func(g *tamper) { g.fresh = func(context.Context) error { return asTold(order.NotCommitted) } })
}

func asTold(o order.Outcome) error {
	return &order.Fault{Outcome: o, Cause: shard.Hang, Err: errors.New("as told")}
}

func (g *tamper) FindKeyFresh(ctx context.Context, key pay.Key, down bool) ([]order.Order, error) {
	g.mu.Lock()
	fails := g.fresh
	g.mu.Unlock()
	if fails != nil {
		if err := fails(ctx); err != nil {
			return nil, err
		}
	}
	return g.Group.FindKeyFresh(ctx, key, down)
}

func (g *tamper) DueOrders(ctx context.Context, q order.DueQuery) ([]order.Order, error) {
	g.mu.Lock()
	fails := g.due
	g.mu.Unlock()
	if fails != nil {
		if err := fails(ctx); err != nil {
			return nil, err
		}
	}
	return g.Group.DueOrders(ctx, q)
}

func (g *tamper) List(ctx context.Context, q order.ListQuery) ([]order.Order, error) {
	g.mu.Lock()
	fails := g.list
	g.mu.Unlock()
	if fails != nil {
		if err := fails(); err != nil {
			return nil, err
		}
	}
	return g.Group.List(ctx, q)
}

func (g *tamper) Entries(ctx context.Context, q order.EntryQuery, yield func(pay.Entry) error) (order.Source, error) {
	g.mu.Lock()
	fails := g.books
	g.mu.Unlock()
	if fails != nil {
		if err := fails(ctx); err != nil {
			return order.Source{}, err
		}
	}
	return g.Group.Entries(ctx, q, yield)
}

func (g *tamper) ReadRefunds(ctx context.Context, no pay.OrderNo) ([]order.Refund, error) {
	all, err := g.Group.ReadRefunds(ctx, no)
	g.mu.Lock()
	then := g.read
	g.mu.Unlock()
	if then != nil {
		then(no)
	}
	return all, err
}

func (g *tamper) Begin(ctx context.Context) (order.Tx, error) {
	g.mu.Lock()
	fails := g.begin
	g.mu.Unlock()
	if fails != nil {
		if err := fails(); err != nil {
			return nil, err
		}
	}
	tx, err := g.Group.Begin(ctx)
	if err != nil {
		return nil, err
	}
	return &tamperedTx{Tx: tx, g: g}, nil
}

// tamperedTx is a real transaction whose COMMIT may fail.
type tamperedTx struct {
	order.Tx
	g    *tamper
	last *order.Move
}

func (t *tamperedTx) Move(ctx context.Context, before, after order.Order, m order.Move) (bool, error) {
	t.last = &m
	return t.Tx.Move(ctx, before, after, m)
}

func (t *tamperedTx) Commit(ctx context.Context) error {
	t.g.mu.Lock()
	decide := t.g.commit
	t.g.mu.Unlock()
	if decide == nil || t.last == nil {
		return t.Tx.Commit(ctx)
	}
	switch decide(*t.last) {
	case refused:
		t.Rollback()
		return asTold(order.NotCommitted)
	case lostEarly:
		t.Rollback()
		return asTold(order.Unknown)
	case lostLate:
		if err := t.Tx.Commit(ctx); err != nil {
			return err
		}
		return asTold(order.Unknown)
	default:
		return t.Tx.Commit(ctx)
	}
}

// onceFor tampers with the first move that fits, and with no other.
func onceFor(f fate, fits func(m order.Move) bool) func(order.Move) fate {
	var once sync.Once
	return func(m order.Move) fate {
		result := commits
		if fits(m) {
			once.Do(func() { result = f })
		}
		return result
	}
}

// eachTimeFor tampers with every move that fits, and with no other.
func eachTimeFor(f fate, fits func(m order.Move) bool) func(order.Move) fate {
	return func(m order.Move) fate {
		if fits(m) {
			return f
		}
		return commits
	}
}

// to fits moves to a state from another one.
func to(s pay.State) func(order.Move) bool {
	return func(m order.Move) bool { return m.To == s && m.From != s }
}
