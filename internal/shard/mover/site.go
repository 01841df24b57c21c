package mover

import (
	"context"
	"errors"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
	"paytool/internal/shard/move"
)

// Errors that a Group answers, besides order.Fault with its outcome.
var (
	// ErrHeld: another process holds the run, or has taken it over.
	ErrHeld = errors.New("another process holds this move")
	// ErrSeq: the journal has an entry of this number already. Read it again.
	ErrSeq = errors.New("the journal has gone on")
	// ErrBusy: writers did not end within the lock timeout; nothing was changed.
	ErrBusy = errors.New("writers did not let go of the tag in time")
	// ErrOldEpoch: the group is at a higher epoch. Read the topology again.
	ErrOldEpoch = errors.New("the group is at a higher epoch")
)

// Run is a run as it is kept in its target's database.
type Run struct {
	// ID is the plan's hash and the source, "0123456789abcdef-5".
	ID     string
	Plan   move.Plan
	Source shard.GroupID
	Target shard.GroupID
	Tags   []pay.Tag // of the source that move, sorted
	Begun  time.Time
	By     string // who began it
}

// Lease is who works on a run, and until when it says so.
type Lease struct {
	Run    string
	Holder string // unique to a process; "" for nobody
	Until  time.Time
}

// Changed is one record that an order was written to while its tag was recorded.
type Changed struct {
	ID    int64
	Tag   pay.Tag
	No    pay.OrderNo
	Stage Stage
}

// Stage is how far a record of a change was worked off.
type Stage int

// The stages.
const (
	Recorded Stage = 0
	Copied   Stage = 1
	Compared Stage = 2 // and found alike
)

// Claims is a change of a group's words on tags, in one transaction.
type Claims struct {
	Tags  []pay.Tag
	State shard.TagState
	Epoch int64 // of the claims; the group's own epoch rises to it
	// Record turns the recording of changes of these tags on or off, in the same
	// transaction; nil leaves it as it is.
	Record *bool
}

// Group is one group as a runner needs it. Calls end with their context, follow the
// group's primary when it changes, and are safe for concurrent use. An error whose
// outcome is unknown is an *order.Fault that says so.
type Group interface {
	ID() shard.GroupID
	// Info reads the group's rows on its primary.
	Info(ctx context.Context) (shard.Report, error)
	// Follow looks for the group's primary; see order.Group.
	Follow(ctx context.Context) (moved bool, err error)
	// Replicas is how far the slowest replica is behind, and whether all of them could
	// be asked. A group without replicas is never behind.
	Lag(ctx context.Context) (behind time.Duration, known bool)

	// SetWeight writes weight and state at an epoch; see store.Group.
	SetWeight(ctx context.Context, weight int, state shard.GroupState, epoch int64, at time.Time) error
	// RaiseEpoch raises the group's epoch; a lower one changes nothing.
	RaiseEpoch(ctx context.Context, epoch int64) error

	// Runs lists the runs whose target this group is, with their leases, the oldest
	// first. Ended ones stay, as history.
	Runs(ctx context.Context) ([]Run, []Lease, error)
	// Begin writes a run, or does nothing where it is there already. It refuses with
	// ErrHeld while a run of another plan with this target or the same source is not
	// among those that have ended. Runs of one plan may share a target.
	Begin(ctx context.Context, r Run, ended []string) error
	// Journal reads a run's entries in their order.
	Journal(ctx context.Context, run string) ([]move.Entry, error)
	// Append adds an entry if its number is the next one, or answers ErrSeq. With a
	// holder it answers ErrHeld where another one holds the run; a person's word needs
	// none.
	Append(ctx context.Context, run, holder string, e move.Entry) error
	// Checkpoint reads and keeps how far a step is, as text, under a name like "copy/4".
	Checkpoint(ctx context.Context, run, name string) (text string, err error)
	SaveCheckpoint(ctx context.Context, run, holder, name, text string) error

	// Hold takes the lease of a run of this target, or renews it, until a time; ErrHeld
	// where somebody else's has not run out at now. It returns once no chunk of another
	// holder is under way.
	Hold(ctx context.Context, run, holder string, now, until time.Time) error
	// Drop gives the lease back if the holder has it.
	Drop(ctx context.Context, run, holder string) error
	// Admit names the holder whose changes of these tags the group lets in from now on.
	// It waits for transactions of another one. Called at source and target.
	Admit(ctx context.Context, tags []pay.Tag, holder string) error

	// SetClaims writes claims if the holder is the admitted one. It waits for writers
	// of the tags, or ends with ErrBusy; ErrOldEpoch where a claim is at a higher epoch.
	SetClaims(ctx context.Context, holder string, c Claims) error
	// Record turns the recording of changes on or off. When it returns, every writer
	// that began before has committed.
	Record(ctx context.Context, holder string, tags []pay.Tag, on bool) error
	// Changes lists records of these tags below a stage, the oldest first, at most
	// limit; CountChanges counts them.
	Changes(ctx context.Context, tags []pay.Tag, below Stage, limit int) ([]Changed, error)
	CountChanges(ctx context.Context, tags []pay.Tag, below Stage) (int64, error)
	// Advance sets the stage of exactly these records.
	Advance(ctx context.Context, ids []int64, to Stage) error
	// Forget deletes records of these tags that are at Compared and no newer than an id;
	// with id 0 all records of the tags.
	Forget(ctx context.Context, holder string, tags []pay.Tag, through int64) error
	// Open counts doubts in this group that are not settled and name the group old: what
	// has to be settled before old is fenced. Hops past it need not be: for a quarter of
	// an hour after a change of weights each order whose home it was leaves one, and the
	// sweep asks whoever has the tags.
	Open(ctx context.Context, old shard.GroupID) (int64, error)
	// Instances lists the holders of live leases in this group at now, and the epoch
	// that each last reported with a probe.
	Instances(ctx context.Context, now time.Time) (map[string]int64, error)
}

// Progress is how far a copy or a comparison is.
type Progress struct {
	Orders, Rows int64
	Chunks       int64
	Held         string // why it waits; "" while it works
}

// Difference is a row that is not alike at source and target, for people.
type Difference struct {
	Table, Key, OrderNo string
	Tag                 pay.Tag
	Source, Target      shard.GroupID
	Fate                string // "missing", "extra", "differs"
	Text                string // of the columns that differ
}

// Carrier copies and compares rows of one tag between two groups; package
// store/chunk does. From is the side that owns the tag, which is the target while a
// switched run is followed backwards.
type Carrier interface {
	// Copy copies every chunk behind a checkpoint ("" from the beginning) and tells
	// save after each; then it is committed at the target.
	Copy(ctx context.Context, l Legwork, from string, save func(ctx context.Context, checkpoint string, p Progress) error) error
	// CopyOrders makes single orders at To as they are at From, deleted ones included.
	CopyOrders(ctx context.Context, l Legwork, numbers []pay.OrderNo) error
	// Compare compares every chunk behind a checkpoint, and tells found of each row that
	// differs and is not on record as changed (below Compared) at From.
	Compare(ctx context.Context, l Legwork, from string, save func(ctx context.Context, checkpoint string, p Progress) error, found func(Difference) error) error
	// CompareOrders compares single orders.
	CompareOrders(ctx context.Context, l Legwork, numbers []pay.OrderNo, found func(Difference) error) error
	// Delete removes a tag's rows from a group that does not own the tag, by chunk.
	Delete(ctx context.Context, l Legwork, at shard.GroupID, save func(ctx context.Context, p Progress) error) error
}

// Legwork is one tag between two groups, and who does it. The group that is written
// to refuses another holder than the admitted one, in the chunk's own transaction.
type Legwork struct {
	Tag      pay.Tag
	From, To shard.GroupID
	Holder   string
	Epoch    int64 // of From's claim: a chunk at To is refused where the tag's claim there is owned
	Brakes   []Brake
}

// Brake holds copying back for the sake of payments; see chunk.Brake and chunk.Easer.
type Brake interface {
	Hold(ctx context.Context) (reason string, err error)
}
