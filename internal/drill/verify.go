package drill

import "paytool/internal/pay"

// Verify is the verdict on a run's data, as `order verify -o json` prints it. All
// counts but Unread and DoubtsOpen are of keys, each counted once a kind however
// many of its rows are wrong.
type Verify struct {
	// Acked keys are those whose client was given an order number. Found of them
	// are there: the row of that number lives, or it is VOID and names a twin of
	// the key that lives. Those neither found nor lost lie, if anywhere, on a node
	// that could not be read.
	Acked int `json:"acked"`
	Found int `json:"found"`

	Lost       int `json:"lost"`       // acked, and no living row of it anywhere
	Doubled    int `json:"doubled"`    // two payable rows, or a number given twice
	Diverged   int `json:"diverged"`   // the nodes of a group do not hold the same row
	Corrupt    int `json:"corrupt"`    // another amount, state, flag or group than the order was given
	Phantom    int `json:"phantom"`    // surely failed for the client, and yet a row
	Unexpected int `json:"unexpected"` // a row of the run that was never sent
	// Recovered keys were unknown to their client and have a row. That is as it
	// should be: the row is VOID, or it is what a retry of the key is given.
	Recovered int `json:"recovered"`
	Unread    int `json:"unread"` // nodes that could not be read

	DoubtsOpen int `json:"doubts_open"`
	// OK: no acknowledged order is lost, doubled or changed, and nothing that was
	// not looked at could say otherwise.
	OK bool `json:"ok"`
	// AckedFen is the ledger's sum of the acked keys, FoundFen the sum of the rows
	// found for them.
	AckedFen pay.Fen `json:"acked_fen"`
	FoundFen pay.Fen `json:"found_fen"`
	// Problems names the first hundred, the worst kinds first.
	Problems []Problem `json:"problems"`
}

// maxProblems bounds the list of problems; the counts are exact all the same.
const maxProblems = 100

// Problem is one thing that makes a verdict not OK.
type Problem struct {
	Kind    ProblemKind `json:"kind"`
	Key     string      `json:"key"`
	OrderNo pay.OrderNo `json:"order_no"`
	Node    string      `json:"node"` // where it shows, if on one node
	Detail  string      `json:"detail"`
}

// ProblemKind is the kind of a problem, and the name of its count in Verify.
type ProblemKind string

// The kinds of problems.
const (
	Lost       ProblemKind = "lost"
	Doubled    ProblemKind = "doubled"
	Corrupt    ProblemKind = "corrupt"
	Diverged   ProblemKind = "diverged"
	Phantom    ProblemKind = "phantom"
	Unexpected ProblemKind = "unexpected"
	Unread     ProblemKind = "unread"
)

// kinds lists the kinds of problems, the worst first.
func kinds() []ProblemKind {
	return []ProblemKind{Lost, Doubled, Corrupt, Diverged, Phantom, Unexpected, Unread}
}

// count is the counter of a kind.
func (v *Verify) count(k ProblemKind) *int {
	switch k {
	case Lost:
		return &v.Lost
	case Doubled:
		return &v.Doubled
	case Corrupt:
		return &v.Corrupt
	case Diverged:
		return &v.Diverged
	case Phantom:
		return &v.Phantom
	case Unexpected:
		return &v.Unexpected
	case Unread:
		return &v.Unread
	}
	panic("drill: no count for problems of kind " + string(k))
}
