// Package fault describes the ways in which a drill breaks a group, as values:
// they print themselves, read back and can be compared. Specs lists those that
// there are.
//
// Nothing is broken here. Package proxy carries out the faults of the network,
// package rig the others; a new fault is a Spec here and the code that carries it
// out elsewhere.
//
// As text a fault is NAME[:KEY=VALUE,...], several are joined by +:
//
//	latency:d=20ms,jitter=5ms+lost_commit:p=0.1
package fault

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Name is a fault's name, as people type it.
type Name string

// The faults.
const (
	Crash           Name = "crash"
	DiskFull        Name = "disk_full"
	Flood           Name = "flood"
	Hang            Name = "hang"
	Lag             Name = "lag"
	Latency         Name = "latency"
	Lock            Name = "lock"
	LostCommit      Name = "lost_commit"
	Partition       Name = "partition"
	ReadOnly        Name = "read_only"
	Refuse          Name = "refuse"
	ReplyLost       Name = "reply_lost"
	RequestLost     Name = "request_lost"
	Reset           Name = "reset"
	SemisyncDegrade Name = "semisync_degrade"
	SemisyncStall   Name = "semisync_stall"
	SlowCPU         Name = "slow_cpu"
)

// Statement says which of a client's statements a fault strikes.
type Statement string

// The statements. The zero value belongs to faults that take no such parameter.
const (
	Any    Statement = "any"    // whatever the server has to answer
	Commit Statement = "commit" // COMMIT alone
)

// Fault is one fault with its parameters. Parameters that its Spec does not name
// are zero. Faults are values: equal ones do the same.
type Fault struct {
	Name Name
	// P is the chance to strike, or a share of the time, above 0 and at most 1. What
	// it is asked of is said by the Spec.
	P float64
	// Delay is how long a request waits, give or take Jitter, evenly spread.
	Delay, Jitter time.Duration
	On            Statement
}

// New is the fault of that name with its default parameters. A name that nobody
// knows is for Check to refuse.
func New(name Name) Fault {
	f := Fault{Name: name}
	s, ok := Lookup(name)
	if !ok {
		return f
	}
	for _, p := range s.Params {
		if err := p.set(&f, p.Default); err != nil {
			panic(fmt.Sprintf("fault %s: default of %s: %v", name, p.Name, err)) // the table of specs is wrong
		}
	}
	return f
}

// String is the canonical text: parameters in the order of the Spec, those at
// their default left out. Parse reads it back.
func (f Fault) String() string {
	s, _ := Lookup(f.Name)
	var set []string
	for _, p := range s.Params {
		if text := p.get(f); text != p.Default {
			set = append(set, p.Name+"="+text)
		}
	}
	if len(set) == 0 {
		return string(f.Name)
	}
	return string(f.Name) + ":" + strings.Join(set, ",")
}

// Check refuses a fault that Parse could not have made: an unknown name, or a
// parameter that is out of range or not the fault's own.
func (f Fault) Check() error {
	back, err := parseOne(f.String())
	if err != nil {
		return err
	}
	if back != f {
		return fmt.Errorf("fault %q: a field is set that it does not take; it takes %s", f.Name, paramNames(f.Name))
	}
	return nil
}

// List is a number of faults at once. Where two would strike the same request, the
// first has it; latency strikes beside the others.
type List []Fault

// String joins the faults by +.
func (l List) String() string {
	texts := make([]string, len(l))
	for i, f := range l {
		texts[i] = f.String()
	}
	return strings.Join(texts, "+")
}

// Check refuses a list that Parse could not have made.
func (l List) Check() error {
	if len(l) == 0 {
		return fmt.Errorf("no fault is named; known are %s", known())
	}
	for i, f := range l {
		if err := f.Check(); err != nil {
			return err
		}
		if l[:i].Has(f.Name) {
			return fmt.Errorf("fault %q is named twice; name it once", f.Name)
		}
	}
	return nil
}

// Has reports whether a fault of that name is in the list.
func (l List) Has(name Name) bool {
	return slices.ContainsFunc(l, func(f Fault) bool { return f.Name == name })
}
