package order

import (
	"context"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Group is one group as the engine needs it. Every call ends when its context
// does. Calls are safe for concurrent use.
type Group interface {
	ID() shard.GroupID

	// Prepare brings the schema up to date and writes the group's own rows where
	// there are none: its number, weight and first tag, and the server uid of the
	// primary. It refuses a server that is not the group's primary.
	Prepare(ctx context.Context, weight int) error
	// Info reads what the group says of itself, on its primary.
	Info(ctx context.Context) (shard.Report, error)
	// Lease takes a slot for the holder, the preferred one if it is free. Asked
	// again by the same holder it answers with the same slot.
	Lease(ctx context.Context, holder, name string, prefer int, now, until time.Time) (Lease, error)
	// Release gives a lease back; no number after its High is used any more.
	Release(ctx context.Context, l Lease) error
	// Probe writes a real change to the instance's own row and checks group,
	// epoch, server and, if asked, semi-sync.
	Probe(ctx context.Context, r ProbeRequest) ProbeAnswer

	// Begin starts a write transaction on the primary.
	Begin(ctx context.Context) (Tx, error)
	// FindKey reads every live row of a key on the primary, by attempt.
	FindKey(ctx context.Context, key pay.Key) ([]Order, error)
	// FindKeys does so for many keys of one statement, in any order.
	FindKeys(ctx context.Context, keys []pay.Key) ([]Order, error)
	// Find reads an order. A fresh replica may answer; that there is none is only
	// said after asking the primary. With the primary out (down is true) any
	// replica answers.
	Find(ctx context.Context, no pay.OrderNo, down bool) (Order, error)

	// Doubts lists open doubts about tries in the group old, oldest first.
	Doubts(ctx context.Context, old shard.GroupID, limit int) ([]Doubt, error)
	// SettleDoubt closes a doubt. It is idempotent.
	SettleDoubt(ctx context.Context, no pay.OrderNo, how Settlement, at time.Time) error
	// OpenDoubts counts the doubts that are not settled.
	OpenDoubts(ctx context.Context) (int, error)
	// Hops lists hops past a group that are due, by order number, after the given
	// one.
	Hops(ctx context.Context, above shard.GroupID, due time.Time, after pay.OrderNo, limit int) ([]Hop, error)
	// HopsSince lists the hops dated at a time or later, the oldest first, at most
	// limit.
	HopsSince(ctx context.Context, since time.Time, limit int) ([]Hop, error)
	// AskedHops records that the group above was asked about these orders, and
	// when it is asked again; a zero time closes them.
	AskedHops(ctx context.Context, above shard.GroupID, orders []pay.OrderNo, next time.Time) error
}

// Tx is one write transaction. Its first statement is always LockTag: it holds
// the tag's row against a fence until the transaction ends (rule 9).
type Tx interface {
	// LockTag locks the tag's row in share mode and reads it, and says which
	// attempt of the key is the last live one in this group, 0 for none. A tag
	// without a row answers a zero Claim.
	LockTag(ctx context.Context, tag pay.Tag, key pay.Key) (claim shard.Claim, lastAttempt int, err error)
	// InsertOrder writes the order and its outbox row.
	InsertOrder(ctx context.Context, o Order) error
	InsertHops(ctx context.Context, hops []Hop) error
	InsertDoubts(ctx context.Context, doubts []Doubt) error
	// LockOrder reads an order for update.
	LockOrder(ctx context.Context, no pay.OrderNo) (Order, error)
	// Void moves an order from CREATED to VOID if it still has this version, and
	// writes its outbox row.
	Void(ctx context.Context, no pay.OrderNo, version int64, twinOf pay.OrderNo, opID string, at time.Time) (done bool, err error)
	// Commit ends the transaction. An error before the COMMIT was sent is
	// NotCommitted, one during or after it is Unknown unless the server's answer
	// is definite.
	Commit(ctx context.Context) error
	// Rollback ends a transaction that was not committed. It may be called after
	// Commit and does nothing then.
	Rollback()
}
