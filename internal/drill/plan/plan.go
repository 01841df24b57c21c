package plan

import (
	"slices"
	"time"

	"paytool/internal/drill/fault"
	"paytool/internal/shard"
)

// Sandbox is the environment of groups that nobody depends on: the only one in which
// a drill needs no plan.
const Sandbox = "sandbox"

// Plan is a whole drill. Parse and Flags fill in the defaults and check it.
type Plan struct {
	Title       string     `yaml:"title"`
	Environment string     `yaml:"environment"` // the one in which it may run
	Targets     Targets    `yaml:"targets"`
	Hypothesis  Hypothesis `yaml:"hypothesis"`
	Load        Load       `yaml:"load"`
	Method      []Step     `yaml:"method"`
	Stop        Stop       `yaml:"stop"`
	// TTL is when whatever is still broken is taken back, counted from the first
	// injection and by a process of its own.
	TTL    time.Duration `yaml:"ttl"`
	Window Window        `yaml:"window,omitempty"`
	Verify Verify        `yaml:"verify"`
	Report Report        `yaml:"report"`
}

// Targets says which groups are broken: one of its three ways. It is never all of
// them.
type Targets struct {
	Groups []int  `yaml:"groups,omitempty"` // these
	Zone   string `yaml:"zone,omitempty"`   // all groups of this zone
	// Rotate is how many groups, in turn; Every says what a turn is, EveryWeek if "".
	Rotate int    `yaml:"rotate,omitempty"`
	Every  string `yaml:"every,omitempty"`
}

// The values of Targets.Every.
const (
	EveryWeek    = "week"
	EveryQuarter = "quarter"
)

// Hypothesis is what ought to hold from the injection until the groups are restored.
// What is zero behind a comment that says so is shown and does not decide.
type Hypothesis struct {
	// Failed is how many orders may go without an answer that is an order: failed,
	// unknown, turned away or never sent.
	Failed     int           `yaml:"failed"`
	P99Delta   time.Duration `yaml:"p99_delta"`       // above the baseline's p99
	LongestGap time.Duration `yaml:"longest_gap"`     // between two acknowledged orders
	Max        time.Duration `yaml:"max,omitempty"`   // longest wait of an order; 0 is not asked
	Eject      time.Duration `yaml:"eject,omitempty"` // until new orders avoid the targets; 0 is not asked
	Readmit    time.Duration `yaml:"readmit,omitempty"`
	Recovery   time.Duration `yaml:"recovery,omitempty"`    // until the rate is back; 0 is not asked
	DipPercent int           `yaml:"dip_percent,omitempty"` // deepest dip of a second; 0 is not asked
	MTTR       time.Duration `yaml:"mttr,omitempty"`        // of a promotion; 0 is not asked
}

// Load is the traffic that the drill is judged by.
type Load struct {
	Rate     int           `yaml:"rate"`     // orders a second
	Baseline time.Duration `yaml:"baseline"` // before the first injection
	After    time.Duration `yaml:"after"`    // after the last recovery
	// Shadow orders never reach a channel. Only a sandbox may take others.
	Shadow bool `yaml:"shadow"`
	// Observe sends nothing: the merchants' own orders are watched.
	Observe bool `yaml:"observe"`
	// URLs are engines that are being served: the load goes to them, or they are
	// observed. Without any the drill has an engine of its own.
	URLs      []string `yaml:"urls,omitempty"`
	TokenFile string   `yaml:"token_file,omitempty"` // its first token goes with each request to them
	Merchants []string `yaml:"merchants,omitempty"`  // that are observed; none is all
}

// Step is one injection into all targets.
type Step struct {
	Fault string        `yaml:"fault"` // as fault.Parse reads it
	At    time.Duration `yaml:"at,omitempty"`
	For   time.Duration `yaml:"for"`
	// Promote fails over within the group while its primary is down, and brings the old
	// primary back as a replica. It goes with crash.
	Promote bool `yaml:"promote,omitempty"`
}

// Faults is the step's fault as a value. It is right once Check has passed.
func (s Step) Faults() fault.List {
	l, _ := fault.Parse(s.Fault)
	return l
}

// Stop lists what ends a drill early, looked at all the time.
type Stop struct {
	FailedPercent int           `yaml:"failed_percent"` // of the orders of the last second that have an answer
	P99           time.Duration `yaml:"p99"`            // of the last second
	// OthersEjected is how many groups beyond the targets may be ejected.
	OthersEjected int `yaml:"others_ejected"`
	// Replication: a group beyond the targets that loses semi-sync or a replica ends it.
	Replication bool `yaml:"replication"`
}

// Window is when a drill may start, in Beijing time. The zero value is always.
type Window struct {
	Days []string `yaml:"days,omitempty"` // Mon to Sun
	From string   `yaml:"from,omitempty"` // 15:04
	To   string   `yaml:"to,omitempty"`
}

// Verify says how long the data may take to come to rest.
type Verify struct {
	Settle time.Duration `yaml:"settle"`
}

// Report says how the report is written.
type Report struct {
	Lang string `yaml:"lang"` // zh or en
}

// Defaults is the plan that nobody has said anything of: one that lacks targets and a
// method.
func Defaults() Plan {
	return Plan{
		Environment: Sandbox,
		Hypothesis:  Hypothesis{P99Delta: 40 * time.Millisecond, LongestGap: time.Second},
		Load:        Load{Rate: 200, Baseline: 5 * time.Second, After: 5 * time.Second, Shadow: true},
		Stop:        Stop{FailedPercent: 20, P99: 5 * time.Second, Replication: true},
		Verify:      Verify{Settle: 30 * time.Second},
		Report:      Report{Lang: "zh"},
	}
}

// ttlReserve is what the default TTL leaves for the way back.
const ttlReserve = 50 * time.Second

// complete fills in what follows from the rest.
func (p *Plan) complete() {
	if p.TTL == 0 {
		p.TTL = p.FaultFor() + ttlReserve
	}
	if p.Title == "" {
		p.Title = p.FaultText()
	}
}

// FaultFor is the time from the first injection to the last recovery.
func (p *Plan) FaultFor() time.Duration {
	var end time.Duration
	for _, s := range p.Method {
		end = max(end, s.At+s.For)
	}
	return end
}

// LoadFor is how long the load runs.
func (p *Plan) LoadFor() time.Duration { return p.Load.Baseline + p.FaultFor() + p.Load.After }

// FaultText names the faults in the order of their injection, as fault.Parse would
// read them if they came at once.
func (p *Plan) FaultText() string {
	steps := slices.Clone(p.Method)
	slices.SortStableFunc(steps, func(a, b Step) int { return int(a.At - b.At) })
	text := ""
	for i, s := range steps {
		if i > 0 {
			text += "+"
		}
		text += s.Fault
	}
	return text
}

// Has reports whether a fault of that name is injected in any step.
func (p *Plan) Has(name fault.Name) bool {
	return slices.ContainsFunc(p.Method, func(s Step) bool { return s.Faults().Has(name) })
}

// GroupIDs are the named groups.
func (t Targets) GroupIDs() []shard.GroupID {
	ids := make([]shard.GroupID, len(t.Groups))
	for i, g := range t.Groups {
		ids[i] = shard.GroupID(g)
	}
	return ids
}
