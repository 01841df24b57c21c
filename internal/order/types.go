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
	// RiskDouble: it was paid while a group did not say whether it holds another
	// attempt of the key (money rules, rule 7).
	RiskDouble bool
	// SendBy is the moment after which its number does not leave for the channel any
	// more: a deadline at first, and once the channel shows that it has the number,
	// the moment of that. Zero while it was never to be sent.
	SendBy time.Time
	// Due is when somebody has to look at the order again: to expire, query or
	// revoke it. Whoever does so moves it into the future first, so that it is a
	// lease as well. Zero: there is nothing to do.
	Due     time.Time
	Tries   int // looks or revokes since the last change of state
	Version int64
	OpID    string // of the last move, so that a re-read decides an unknown one
	Updated time.Time

	// Group is where the row was read or written; it is not a column.
	Group shard.GroupID
	// Recording: the channel took the payment, and the row's group cannot be told
	// yet. It is not a column; see Journal.
	Recording bool
}

// Move is one step of an order, a row of its own in its group. From and To are
// the same where only a lease or a date changed.
type Move struct {
	OrderNo pay.OrderNo
	Version int64 // of the order after the move
	From    pay.State
	To      pay.State
	By      pay.Mover
	OpID    string
	At      time.Time
	Detail  string // a few words for people
}

// Refund is one refund of an order.
type Refund struct {
	OrderNo   pay.OrderNo
	No        string // the merchant's number for it, or the engine's for money back
	Amount    pay.Fen
	State     pay.RefundState
	ChannelNo string // the channel's number for it
	Detail    string // the channel's last word
	Created   time.Time
	Accepted  time.Time // by the channel; zero before
	Done      time.Time // zero before
	Due       time.Time // when to look again, as in Order
	Tries     int
	Shadow    bool
	Version   int64
	OpID      string
	Updated   time.Time
}

// Revoke is one revoke of an order: an order state says that it is under way, this
// record what became of the money.
type Revoke struct {
	OrderNo pay.OrderNo
	No      string
	Amount  pay.Fen
	State   RevokeState
	Money   pay.Money // "" while the channel has not said
	By      pay.Mover // why it was opened; ByChannel when the channel ended the order by itself
	Detail  string    // the channel's last word
	Created time.Time
	Done    time.Time // zero before
	Shadow  bool
	Version int64
	OpID    string
	Updated time.Time
}

// RevokeState is the state of a revoke record.
type RevokeState string

// The states of a revoke record.
const (
	RevokeRequested RevokeState = "requested"
	RevokeDone      RevokeState = "done"
	RevokeRefused   RevokeState = "refused"
)

// Task is something that waits for a person, or that the engine has to carry to
// its end in sight of one.
type Task struct {
	ID       string // made of kind and order, so that opening it twice opens one
	Kind     TaskKind
	OrderNo  pay.OrderNo
	Merchant string
	Amount   pay.Fen
	State    TaskState
	Detail   string // what is the matter and what to do
	Created  time.Time
	Deadline time.Time // by when a person should have acted
	Due      time.Time // when the engine looks at it next; zero for a person's
	Tries    int
	Closed   time.Time
	ClosedBy string // a person, or "engine"
	Note     string // why it was closed
	Shadow   bool
	Version  int64
}

// TaskKind says what a task is about.
type TaskKind string

// The kinds of tasks.
const (
	// TaskMoneyBack: money was taken that we do not keep. The engine gives it back
	// (money rules, rule 8).
	TaskMoneyBack TaskKind = "money_back"
	// TaskRevoke: a revoke has no definite answer after its last try.
	TaskRevoke TaskKind = "revoke_unsettled"
	// TaskRevokeRefused: a revoke came too late, the order is paid after all.
	TaskRevokeRefused TaskKind = "revoke_refused"
	// TaskRefund: the channel wants a person to deal with a refund.
	TaskRefund TaskKind = "refund_abnormal"
	// TaskContradiction: the channel's words do not fit the order, or one another.
	TaskContradiction TaskKind = "contradiction"
	// TaskNotFound: the channel did not know a payment long after it was sent; it is
	// revoked.
	TaskNotFound TaskKind = "not_found_at_channel"
	// TaskDoubt: a doubt is open though its group has been back for a minute.
	TaskDoubt TaskKind = "doubt_unsettled"
)

// TaskState is the state of a task.
type TaskState string

// The states of a task.
const (
	TaskOpen TaskState = "open"
	TaskDone TaskState = "done"
)

// JournalEntry is an answer of a channel about an order whose own group is out. It
// lies in another group until that is back (money rules, rule 11).
type JournalEntry struct {
	OrderNo pay.OrderNo
	// Answer is nil while only the look itself is leased.
	Answer  *Answer
	Until   time.Time // of the lease
	Holder  string    // of the lease
	Created time.Time
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
	Reason  string // why the group was passed: a cause, "unknown" for an unknown try, or ReasonWeights
	Created time.Time
	// Due is when Above is asked next for a twin; zero once it was asked for the
	// last time.
	Due time.Time
}

// ReasonWeights: the group was not passed. It is where earlier weights would have sent the
// order, so that an earlier try may lie there.
const ReasonWeights = "weights"

// reasonBusy: the group was full of creates that were slow.
const reasonBusy = "passed"

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
