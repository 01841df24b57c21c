package result

import (
	"time"

	"paytool/internal/drill"
	"paytool/internal/drill/curve"
	"paytool/internal/shard"
)

// Format is the version of the JSON of results.
const Format = 1

// Summary is what `drill run -o json` prints.
type Summary struct {
	ID       string          `json:"drill_id"`
	Verdict  Verdict         `json:"verdict"`
	Exit     int             `json:"exit"`
	Fault    string          `json:"fault"`
	Groups   []shard.GroupID `json:"groups"`
	Baseline Baseline        `json:"baseline"`
	During   During          `json:"during"`
	Affected Affected        `json:"affected"`
	// MTTRMs is how long old orders of the targets could not be updated, of a promotion
	// drill. Null: not measured, as with the two after it.
	MTTRMs *float64 `json:"mttr_ms"`
	// TimeToEjectMs is from the injection until new orders avoided all targets,
	// TimeToReadmitMs from the recovery until they went to all of them again.
	TimeToEjectMs   *float64     `json:"time_to_eject_ms"`
	TimeToReadmitMs *float64     `json:"time_to_readmit_ms"`
	LongestGapMs    float64      `json:"longest_gap_ms"`
	Verify          drill.Verify `json:"verify"`
	Restore         Restore      `json:"restore"`
	Report          string       `json:"report"` // path of the page, "" if none was written
}

// Baseline is the load before the first injection. Waits count from the moment an
// order was due.
type Baseline struct {
	P50Ms float64 `json:"p50_ms"`
	P99Ms float64 `json:"p99_ms"`
	Rate  float64 `json:"rate"` // acknowledged orders a second
}

// During is the load from the first injection to the last recovery.
type During struct {
	Attempted int     `json:"attempted"`
	Acked     int     `json:"acked"`
	Failed    int     `json:"failed"`
	Unknown   int     `json:"unknown"`
	Dropped   int     `json:"dropped"`
	Rejected  int     `json:"rejected"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
	MaxMs     float64 `json:"max_ms"`
	Hops      int     `json:"hops"` // acknowledged orders that went past a group
}

// Affected is who had to wait for a broken group.
type Affected struct {
	OrdersWaiting int `json:"orders_waiting"`
	Merchants     int `json:"merchants"`
	Terminals     int `json:"terminals"`
}

// Restore is how the way back went. OK: every fault is proven gone, and each group
// has acknowledged a canary order with semi-sync on.
type Restore struct {
	OK     bool    `json:"ok"`
	Ms     float64 `json:"ms"`     // from the start of the recovery to the last canary
	Detail string  `json:"detail"` // what is still broken, "" if OK
}

// Result is a finished drill: its summary and all that a report shows.
type Result struct {
	Format int `json:"drill_result"`
	Summary
	Title       string    `json:"title"`
	Environment string    `json:"environment"`
	By          string    `json:"by"`   // who started it
	Host        string    `json:"host"` // where it ran
	Tool        string    `json:"tool"` // name and version of the program
	Started     time.Time `json:"started"`
	Ended       time.Time `json:"ended"`
	Plan        string    `json:"plan"` // as a plan file

	Reasons []Reason `json:"reasons"` // the worst first
	Checks  []Check  `json:"checks"`
	Settled int      `json:"settled"` // orders without an answer that were decided later
	// Phase times count from the start of the load, as those of the curve do.
	LoadStarted time.Time   `json:"load_started"`
	InjectedMs  float64     `json:"injected_ms"`
	RestoredMs  float64     `json:"restored_ms"`
	LoadMs      float64     `json:"load_ms"`
	Curve       curve.Curve `json:"curve"`
	Timeline    []Event     `json:"timeline"`
}

// Check is one figure of the hypothesis.
type Check struct {
	Code    CheckCode `json:"code"`
	Unit    string    `json:"unit"`    // "orders", "ms" or "percent"
	Want    float64   `json:"want"`    // at most
	Got     *float64  `json:"got"`     // null: it did not happen, or was not measured
	Decides bool      `json:"decides"` // else it is only shown
	Held    bool      `json:"held"`
}

// CheckCode names a check, as the plan's key does.
type CheckCode string

// The checks.
const (
	CheckFailed   CheckCode = "failed"
	CheckP99      CheckCode = "p99_delta"
	CheckGap      CheckCode = "longest_gap"
	CheckMax      CheckCode = "max"
	CheckEject    CheckCode = "eject"
	CheckReadmit  CheckCode = "readmit"
	CheckRecovery CheckCode = "recovery"
	CheckDip      CheckCode = "dip_percent"
	CheckMTTR     CheckCode = "mttr"
)

// Event is something that happened during a drill.
type Event struct {
	At     time.Time     `json:"at"`
	Kind   EventKind     `json:"kind"`
	Group  shard.GroupID `json:"group"` // 0: no group in particular
	Detail string        `json:"detail"`
	// Of SemisyncOff: when commits did still wait, since when there was no replica to wait
	// for, and how long they waited at most. Zero where nobody knows.
	Since time.Time     `json:"-"`
	Alone time.Time     `json:"-"`
	Wait  time.Duration `json:"-"`
}

// EventKind is what an event is.
type EventKind string

// The kinds of events.
const (
	PhaseBegan  EventKind = "phase"        // Detail is the Phase
	Injected    EventKind = "injected"     // Detail is the fault; it is really there
	Recovered   EventKind = "recovered"    // Detail is the fault; it is really gone
	Ejected     EventKind = "ejected"      // Detail is the cause
	Readmitted  EventKind = "readmitted"   // new orders go there again
	SemisyncOff EventKind = "semisync_off" // commits no longer wait for a replica
	SemisyncOn  EventKind = "semisync_on"  // they do again
	Promoted    EventKind = "promoted"     // Detail names the new primary
	Canary      EventKind = "canary"       // an order of the drill's own was acknowledged
	Remark      EventKind = "remark"       // anything else that a reader should know
)

// Phase is a part of a drill, one after the other.
type Phase string

// The phases.
const (
	PhaseGate     Phase = "gate"     // may it run, and is all well?
	PhaseBaseline Phase = "baseline" // the load alone
	PhaseFault    Phase = "fault"
	PhaseRestore  Phase = "restore"
	PhaseSettle   Phase = "settle" // until no doubt is open
	PhaseVerify   Phase = "verify"
	PhaseReport   Phase = "report"
)

// Phases are all phases in their order.
func Phases() []Phase {
	return []Phase{PhaseGate, PhaseBaseline, PhaseFault, PhaseRestore, PhaseSettle, PhaseVerify, PhaseReport}
}
