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

	// PrepareAs brings the schema up to date and writes the group's own rows where
	// there are none: its number, how it begins, its first tag, and the server uid of
	// the primary. It refuses a server that is not the group's primary.
	PrepareAs(ctx context.Context, b shard.Birth) error
	// Info reads what the group says of itself, on its primary.
	Info(ctx context.Context) (shard.Report, error)
	// Follow asks all nodes of the group which of them is the primary and writes to
	// that one from then on. It reports whether it is another one than before. Only
	// one goroutine calls it, and Probe.
	Follow(ctx context.Context) (moved bool, err error)
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
	// FindKey reads every live row of a key on the primary, by attempt. Reads by a key
	// (FindKeys, FindKeyFresh, KeyRows and KeyHops too) give rows of tags that have moved
	// as well: the caller tells an order from its copies.
	FindKey(ctx context.Context, key pay.Key) ([]Order, error)
	// FindKeys does so for many keys of one statement, in any order.
	FindKeys(ctx context.Context, keys []pay.Key) ([]Order, error)
	// Find reads an order. A fresh replica may answer; that there is none is only
	// said after asking the primary. With the primary out (down is true) any
	// replica answers. All reads by an order's number answer ErrNotOwned where its tag
	// has moved.
	Find(ctx context.Context, no pay.OrderNo, down bool) (Order, error)

	// Backlog says what of the following lists has anything in it.
	Backlog(ctx context.Context, q BacklogQuery) (Backlog, error)
	// Doubts lists open doubts about tries in the group old, oldest first. This list and
	// all that follow leave out what belongs to tags that have moved: the group that owns
	// them lists it.
	Doubts(ctx context.Context, old shard.GroupID, limit int) ([]Doubt, error)
	// SettleDoubt closes a doubt, or answers ErrNotOwned where its winner's tag takes no
	// writes here. It is idempotent.
	SettleDoubt(ctx context.Context, d Doubt, how Settlement, at time.Time) error
	// OpenDoubts counts the doubts that are not settled.
	OpenDoubts(ctx context.Context) (int, error)
	// Hops lists hops past a group that are due, by order number, after the given
	// one.
	Hops(ctx context.Context, above shard.GroupID, due time.Time, after pay.OrderNo, limit int) ([]Hop, error)
	// HopsSince lists the hops dated at a time or later, the oldest first, at most
	// limit, but for those of ReasonWeights.
	HopsSince(ctx context.Context, since time.Time, limit int) ([]Hop, error)
	// AskedHops records that the group above was asked about these orders, and
	// when it is asked again; a zero time closes them. Where tags of theirs take no
	// writes here it does the others and answers ErrNotOwned.
	AskedHops(ctx context.Context, above shard.GroupID, orders []pay.OrderNo, next time.Time) error

	Payments
	Display
}

// Payments is what paying, revoking and refunding need of a group.
type Payments interface {
	// Read reads an order on the primary, or answers ErrNotFound.
	Read(ctx context.Context, no pay.OrderNo) (Order, error)
	// FindKeyFresh reads the live rows of a key for the guard before pay: on the
	// primary, or where that does not answer on the replicas, if every one of them
	// answers and has applied all that it received (money rules, rule 7). With the
	// primary out (down is true) it is not asked.
	FindKeyFresh(ctx context.Context, key pay.Key, down bool) ([]Order, error)
	// Moves lists the moves of an order on the primary, oldest first.
	Moves(ctx context.Context, no pay.OrderNo) ([]Move, error)
	// DueOrders lists orders whose Due has come, the longest due first.
	DueOrders(ctx context.Context, q DueQuery) ([]Order, error)
	// DueRefunds and DueTasks list what has come due, on the primary.
	DueRefunds(ctx context.Context, now time.Time, limit int) ([]Refund, error)
	DueTasks(ctx context.Context, now time.Time, limit int) ([]Task, error)
	// Expire closes those of the orders of one tag that are still CREATED and due,
	// in one transaction under the tag's lock, and returns how many.
	Expire(ctx context.Context, tag pay.Tag, orders []pay.OrderNo, now time.Time, opID string) (int, error)

	// LeaseJournal takes the lease on looking after an order whose own group is
	// out, or reports false while another holder has it. The row lies in this group.
	LeaseJournal(ctx context.Context, e JournalEntry, now time.Time) (bool, error)
	// PutJournal records the channel's answer for such an order. The first definite
	// one stays.
	PutJournal(ctx context.Context, e JournalEntry) error
	// Journal lists entries with an answer, the oldest first; of one order, or of
	// all where no is zero.
	Journal(ctx context.Context, no pay.OrderNo, limit int) ([]JournalEntry, error)
	// DropJournal removes an entry that was applied or is of no use any more.
	DropJournal(ctx context.Context, no pay.OrderNo) error
}

// DueQuery asks for orders that have come due.
type DueQuery struct {
	Now      time.Time
	States   []pay.State
	Channels []string // only orders of these; nil: of any
	Limit    int
	Down     bool // the primary is out: any replica may answer
}

// Display is what lists, traces, exports and clean-ups need of a group. Reads ask
// the primary and, where that does not answer, the replicas; the long ones, Entries
// and Dossiers, are kept from the primary where a replica will do.
type Display interface {
	// List reads orders of a merchant, the newest first, after the cursor.
	List(ctx context.Context, q ListQuery) ([]Order, error)
	// ReadRefunds and ReadRevokes list the records of an order, oldest first.
	ReadRefunds(ctx context.Context, no pay.OrderNo) ([]Refund, error)
	ReadRevokes(ctx context.Context, no pay.OrderNo) ([]Revoke, error)
	// KeyRows reads every row of a key, VOID ones too.
	KeyRows(ctx context.Context, key pay.Key) ([]Order, error)
	// KeyHops reads the hops of a key.
	KeyHops(ctx context.Context, key pay.Key) ([]Hop, error)
	// Tasks lists tasks in a state, "" for all, the oldest first, after an id.
	Tasks(ctx context.Context, state TaskState, shadow bool, limit int) ([]Task, error)
	// FindTask reads a task of an order with that tag on the primary, or answers
	// ErrNotFound.
	FindTask(ctx context.Context, id string, tag pay.Tag) (Task, error)
	// Entries yields our entries of a span of time as one node has them at one
	// moment, shadow ones left out. An error of yield ends it and is returned.
	Entries(ctx context.Context, q EntryQuery, yield func(pay.Entry) error) (Source, error)
	// Dossiers yields all that the group has about the orders whose numbers were given
	// in a span of time, as one node has it at one moment. An error of yield ends it
	// and is returned.
	Dossiers(ctx context.Context, q DossierQuery, yield func(Dossier) error) (Source, error)
	// PurgeShadow deletes at most limit shadow orders created before a time, with
	// everything that belongs to them, and returns how many. Orders of an open
	// doubt stay.
	PurgeShadow(ctx context.Context, before time.Time, limit int) (int, error)
	// CountShadow counts what PurgeShadow would delete.
	CountShadow(ctx context.Context, before time.Time) (int, error)
}

// ListQuery asks for a page of orders.
type ListQuery struct {
	Merchant string
	From, To time.Time // of creation; zero for open ends, To is not included
	State    pay.State // None: every state but VOID
	Shadow   bool      // shadow orders instead of real ones
	Limit    int
	// After is the last order of the page before: only older ones follow. Orders of
	// one millisecond are sorted by number.
	After Cursor
}

// Cursor is a place in a list: the creation and number of an order. The zero
// Cursor stands before the newest order.
type Cursor struct {
	Created time.Time
	No      pay.OrderNo
}

// Tx is one write transaction. Its first statement is always LockTag or InsertOwned:
// both hold the tag's row against a fence until the transaction ends (rule 9).
type Tx interface {
	// LockTag locks the tag's row in share mode and reads it, and says which
	// attempt of the key is the last live one in this group, 0 for none. A tag
	// without a row answers a zero Claim.
	LockTag(ctx context.Context, tag pay.Tag, key pay.Key) (claim shard.Claim, lastAttempt int, err error)
	// InsertOwned locks the tag of a new order like LockTag and writes the order like
	// InsertOrder, in one round trip less than the two. It reports false, with nothing
	// written, where something speaks against that: the tag is not owned, its changes
	// are recorded for a move, or a live order of the key is there. LockTag tells which.
	InsertOwned(ctx context.Context, o Order) (done bool, err error)
	// InsertOrder writes the order and its outbox row.
	InsertOrder(ctx context.Context, o Order) error
	InsertHops(ctx context.Context, hops []Hop) error
	InsertDoubts(ctx context.Context, doubts []Doubt) error
	// LockOrder reads an order for update.
	LockOrder(ctx context.Context, no pay.OrderNo) (Order, error)
	// Move writes after over before, if the row still has before's state and
	// version, with version + 1, and the row of the move. It reports false, with
	// nothing written, when the order has moved on. Key, attempt, amount, tag and
	// the like never change.
	Move(ctx context.Context, before, after Order, m Move) (done bool, err error)

	// LockRefunds reads every refund of an order for update, by creation.
	LockRefunds(ctx context.Context, no pay.OrderNo) ([]Refund, error)
	// PutRefund writes a refund: a new one (Version 1), or over the one with the
	// version before. It reports false when that is not there any more. A refund
	// number that exists already answers ErrDuplicateNo.
	PutRefund(ctx context.Context, r Refund) (done bool, err error)
	// LockRevokes and PutRevoke do the same for revokes.
	LockRevokes(ctx context.Context, no pay.OrderNo) ([]Revoke, error)
	PutRevoke(ctx context.Context, r Revoke) (done bool, err error)
	// LockTask reads a task for update, or answers ErrNotFound; PutTask writes it
	// like PutRefund, but a task that exists already is left as it is: done is false.
	LockTask(ctx context.Context, id string) (Task, error)
	PutTask(ctx context.Context, t Task) (done bool, err error)
	// Commit ends the transaction. An error before the COMMIT was sent is
	// NotCommitted, one during or after it is Unknown unless the server's answer
	// is definite.
	Commit(ctx context.Context) error
	// Rollback ends a transaction that was not committed. It may be called after
	// Commit and does nothing then.
	Rollback()
}
