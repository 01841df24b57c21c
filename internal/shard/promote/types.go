package promote

import (
	"fmt"
	"strings"

	"paytool/internal/shard"
)

// Reach is how a node answers.
type Reach string

// How a node answers. Only a refused connection says that no server runs there: one
// that is silent may be frozen or cut off, and take writes again at any moment.
const (
	Answers Reach = "answers"
	Dead    Reach = "dead"
	Silent  Reach = "silent"
)

// Node is what one node of the config says of itself. Of a node that does not
// answer only Name, Addr, Reach and Why are known.
type Node struct {
	Name  string // for people: "g2/replica1 127.0.0.1:3307"
	Addr  string // host:port, as the config has it
	Reach Reach
	Why   string // it does not answer

	UID        string        // the server's own id
	Group      shard.GroupID // that the rows there are of; 0: there are none
	Epoch      int64         // of the group's row
	PrimaryUID string        // that the group's row names
	ReadOnly   bool
	Follows    bool // it is set up as a replica, whether or not it replicates
	Applied    bool // a replica has applied all that it received
	GTID       string
}

// Wish is what the operator asks for.
type Wish struct {
	Group shard.GroupID
	// Addr is the new primary's; "" with Promote: the replica that has the most.
	Addr string
	// Promote turns a replica into the primary first. Without it that has been done,
	// by whatever does failovers here.
	Promote bool
	// Fenced is the operator's word that a silent old primary is off and stays off.
	Fenced bool
	// AcceptLoss goes on although a replica that does not answer, or that has thrown
	// away what it had received, may have had orders that no other node has.
	AcceptLoss bool
	// Semisync: the group may take orders only while a replica acknowledges.
	Semisync bool
}

// StepKind is what one step does.
type StepKind string

// The steps, in the order in which they are taken.
const (
	CatchUp StepKind = "catch_up" // wait until the node has applied what the old primary, read-only by now, has
	Halt    StepKind = "halt"     // the node receives nothing more from the old primary
	Apply   StepKind = "apply"    // wait until it has applied all that it received
	Detach  StepKind = "detach"   // it forgets the old primary
	Follow  StepKind = "follow"   // it follows the new primary
	Record  StepKind = "record"   // the group's row names the new primary at a higher epoch
	Open    StepKind = "open"     // the new primary waits for acknowledgements and takes writes
	Resume  StepKind = "resume"   // undo of Halt: the node receives again
)

// Step is one thing to do on one node.
type Step struct {
	Kind StepKind `json:"step"`
	Node string   `json:"node"` // Addr
	// From is the other node, of CatchUp (the old primary) and Follow (the new one).
	From string `json:"from,omitempty"`
	// Epoch is the new one, OldEpoch and OldUID what the row must still say, of Record.
	Epoch    int64  `json:"epoch,omitempty"`
	OldEpoch int64  `json:"-"`
	OldUID   string `json:"-"`
	UID      string `json:"uid,omitempty"` // of the new primary, of Record
	Semisync bool   `json:"semisync,omitempty"`
	// AcceptLoss, of Apply: a replica that cannot tell what it had received will do.
	AcceptLoss bool `json:"accept_loss,omitempty"`
}

// Plan is a decision.
type Plan struct {
	Group   shard.GroupID `json:"group"`
	Primary string        `json:"primary"` // address of the new one
	Name    string        `json:"node"`
	Epoch   int64         `json:"epoch"`
	// Already: the group's row names that node, and it takes writes. Nothing is to be done.
	Already bool   `json:"already"`
	Steps   []Step `json:"steps"`
}

// Refusal says everything that is in the way.
type Refusal struct {
	Group   shard.GroupID
	Reasons []string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("set the primary of group %d: refused: %s", r.Group, strings.Join(r.Reasons, "; "))
}
