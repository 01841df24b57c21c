package order

import (
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Order is one row of orders. Times are instants; their zone means nothing.
type Order struct {
	No             pay.OrderNo
	Key            pay.Key
	Attempt        int
	State          pay.State
	Amount         pay.Fen
	Refunded       pay.Fen
	Channel        string
	Account        string
	ChannelTradeNo string
	TerminalID     string
	Subject        string
	Created        time.Time
	PaidAt         time.Time   // zero while not paid
	TwinOf         pay.OrderNo // of a VOID row: the order that stays
	Shadow         bool
	Version        int64
	OpID           string // of the last move, so that a re-read decides an unknown one
	Updated        time.Time

	// Group is where the row was read or written; it is not a column.
	Group shard.GroupID
}

// Twin is what the choice between twins looks at.
func (o Order) Twin() pay.Twin { return pay.Twin{No: o.No, Attempt: o.Attempt, State: o.State} }

// Hop is one row of the hop ledger: an order landed in its group though Above is
// ranked higher for its key. An order that went past several groups has several
// rows.
type Hop struct {
	OrderNo pay.OrderNo
	Above   shard.GroupID
	Key     pay.Key
	Attempt int
	Reason  string // why the group was passed: a cause, or "unknown" for an unknown try
	Created time.Time
	// Due is when Above is asked next for a twin; zero once it was asked for the
	// last time.
	Due time.Time
}

// Doubt is a try whose outcome is unknown, kept in the group of the winner.
type Doubt struct {
	OrderNo  pay.OrderNo // the number of the unknown try
	OldGroup shard.GroupID
	Key      pay.Key
	Attempt  int
	Amount   pay.Fen
	Shadow   bool
	Winner   pay.OrderNo
	Created  time.Time
}

// Settlement is how a doubt ended.
type Settlement string

// The ends of a doubt.
const (
	// Tombstoned: the try was not committed and now never can be.
	Tombstoned Settlement = "tombstoned"
	// Voided: the try had been committed; its row is VOID now and names its twin.
	Voided Settlement = "voided"
	// Kept: the try's row stays and the winner is VOID.
	Kept Settlement = "kept"
	// BothSent: both may have been paid; a matter for rule 8.
	BothSent Settlement = "both_sent"
)

// Lease is an instance's right to issue numbers in one group.
type Lease struct {
	Slot   int    // the two instance digits
	Holder string // unique to this process
	// Floor is the last second that an earlier holder may have used, High the last
	// one that this lease may use (Unix seconds). High is written ahead.
	Floor, High int64
}

// ProbeRequest is one write probe. It renews the lease as well: its row is the
// instance's own.
type ProbeRequest struct {
	Lease Lease
	At    time.Time
	High  int64     // the new high-water second
	Until time.Time // the new end of the lease
	Epoch int64     // of the topology that the instance has in force
	// RequireSemisync: the answer says whether commits wait for a replica.
	RequireSemisync bool
}

// ProbeAnswer is what a probe brought.
type ProbeAnswer struct {
	// Cause is why the group should take no orders, "" for a good probe.
	Cause shard.Cause
	// Changed: the row was not there as expected though the server answered. The
	// topology and the lease must be read again; it never ejects by itself.
	Changed bool
	Err     error // what lies behind the cause, for the log
}
