package ledger

import (
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// Book is whose days are kept: an account of a channel.
type Book struct {
	Channel string `json:"channel"`
	Account string `json:"account"` // "" where there is but one
}

// State is where a difference stands.
type State string

// The states. Only StateOpen and StateCarried wait for somebody.
const (
	StateOpen       State = "open"
	StateCarried    State = "carried"  // put off to a day by a person
	StateResolved   State = "resolved" // explained: by a later run, or by two persons
	StateReissued   State = "reissued" // 补单: the order engine marked the order as paid
	StateWrittenOff State = "written_off"
)

// States lists every state, in the order of a difference's life.
func States() []State {
	return []State{StateOpen, StateCarried, StateResolved, StateReissued, StateWrittenOff}
}

// Ended reports whether nobody has to do anything any more.
func (s State) Ended() bool { return s != StateOpen && s != StateCarried }

// Action is what a person wants done with a difference.
type Action string

// The actions. Carry and Reopen are in force at once; the others need a second
// person, and Reissue and ConsoleRefund then the order engine.
const (
	Carry         Action = "carry"
	Resolve       Action = "resolve" // a forced close: the explanation lies outside
	WriteOff      Action = "write_off"
	Reissue       Action = "reissue"        // 补单
	ConsoleRefund Action = "console_refund" // a refund made in the channel's console
	Reopen        Action = "reopen"
)

// Actions lists every action, in the order of a menu.
func Actions() []Action {
	return []Action{Carry, Resolve, WriteOff, Reissue, ConsoleRefund, Reopen}
}

// ProposalID names a proposal, "P-" and a number.
type ProposalID string

// Stage is how far a proposal has come.
type Stage string

// The stages.
const (
	Proposed Stage = "proposed"
	Approved Stage = "approved" // an instruction that waits for its result
	Done     Stage = "done"
	Rejected Stage = "rejected" // by a second person, or by the first who took it back
	Failed   Stage = "failed"   // the order engine could not do it
)

// Proposal is one decision about one difference, or about many small ones at once.
type Proposal struct {
	ID     ProposalID `json:"id"`
	Stage  Stage      `json:"stage"`
	Action Action     `json:"action"`
	Reason string     `json:"reason"` // a code of Reasons
	Text   string     `json:"text"`
	Until  string     `json:"until"` // of Carry, "2006-01-02"

	By        string     `json:"by"`
	At        time.Time  `json:"at"`
	DecidedBy string     `json:"decided_by"` // who approved or rejected it
	DecidedAt *time.Time `json:"decided_at"` // nil while nobody has
	Result    string     `json:"result"`     // what the order engine said

	// Differences are those it is about; of an Entry's Pending they are left out.
	Differences []recon.ID `json:"differences"`
	Count       int        `json:"count"`
	Sum         pay.Fen    `json:"sum_fen"` // of their amounts, signed by cash effect
}

// Entry is a difference as the ledger has it.
type Entry struct {
	recon.Difference
	Book
	Date  string `json:"date"` // the day it is of
	RunID string `json:"run_id"`
	State State  `json:"state"`
	Until string `json:"until"` // while StateCarried: the day it is put off to
	// First is when it was first reported, Changed when its state changed last, by the
	// clock.
	First   time.Time `json:"first"`
	Changed time.Time `json:"changed"`
	Reason  string    `json:"reason"` // of the last change of state: a code of Reasons
	// Other is the late counterpart that ended it, if that is the Reason.
	Other recon.ID `json:"other"`
	// Executed is what the order engine has done about it, "" for nothing. It stays
	// when the difference is reopened: done is done.
	Executed Action `json:"executed"`
	// Pending is the proposal that waits for a second person or for the order engine.
	Pending *Proposal `json:"pending"`
}

// Event is a link of the chain. Hash covers everything else and the hash before it.
type Event struct {
	Seq   int64     `json:"seq"` // from 1, without a gap
	At    time.Time `json:"at"`
	Actor string    `json:"actor"`
	Type  string    `json:"type"`
	Body  []byte    `json:"body"` // JSON
	Prev  string    `json:"prev"`
	Hash  string    `json:"hash"`
}

// Head is the last link of the chain. Whoever has an older one can prove that the
// ledger still contains it.
type Head struct {
	Seq  int64  `json:"seq"`
	Hash string `json:"hash"`
}

// Opening is what a day starts from.
type Opening struct {
	// Date and RunID are of the last day before it that was run; "" where there is none.
	Date    string
	RunID   string
	Carried []recon.Carried
	// Fund is what that day's fund bill closed with, if that day is the day before.
	Fund *pay.Fen
}

// Run is what is recorded of a reconciled day.
type Run struct {
	Account string
	Result  *recon.Result
	Opening Opening // as it was handed to recon.Run
	Actor   string
	// Supersede is the reason why a closed day is replaced; "" refuses that.
	Supersede string
}

// Recorded is what a run changed in the ledger.
type Recorded struct {
	// Known: the ledger has this run already and nothing was written.
	Known bool `json:"known"`
	// Opened are new differences, Resolved those that this run explained or that a
	// superseded run had and this one has not.
	Opened   int `json:"opened"`
	Resolved int `json:"resolved"`
	// Stale are later days of the book that started from what a superseded run had
	// left: they have to be run again, which needs no reason.
	Stale []string `json:"stale"`
	Head  Head     `json:"head"`
}

// RunRecord is a recorded day.
type RunRecord struct {
	Book
	Date       string    `json:"date"`
	RunID      string    `json:"run_id"`
	At         time.Time `json:"at"`
	Actor      string    `json:"actor"`
	Supersedes string    `json:"supersedes"` // the run id that it replaced
	Reason     string    `json:"reason"`     // why
	// Stale: it started from what another run of an earlier day had left since.
	Stale bool `json:"stale"`
	// Result is as the run returned it, differences included.
	Result *recon.Result `json:"result"`
}

// Query chooses differences. The zero value of a field does not limit.
type Query struct {
	Book     *Book
	From, To string // days, both included
	States   []State
	Class    recon.Class
	// Text is an order, refund, trade number, or an id: whatever a person has at hand.
	Text    string
	Pending bool // only those that wait for a second person or the order engine
	Overdue bool // only those that Ledger.Overdue counts
	Limit   int  // 0: all
}

// Buckets are open differences by age: days since the trade.
type Buckets struct {
	UpTo1  AgeTotal `json:"up_to_1"`
	UpTo3  AgeTotal `json:"up_to_3"`
	UpTo7  AgeTotal `json:"up_to_7"`
	Beyond AgeTotal `json:"beyond"`
}

// AgeTotal counts differences and their money, whatever its direction.
type AgeTotal struct {
	Rows   int     `json:"rows"`
	Amount pay.Fen `json:"amount_fen"`
}

// DayAges are the open differences as they were at the end of a day.
type DayAges struct {
	Date string `json:"date"`
	Buckets
}

// Movement is how the number of open differences moved in a day, by the clock:
// Opening + Opened + Reopened - Closed = Closing.
type Movement struct {
	Date     string `json:"date"`
	Opening  int    `json:"opening"`
	Opened   int    `json:"opened"`
	Reopened int    `json:"reopened"`
	Closed   int    `json:"closed"`
	Closing  int    `json:"closing"`
}
