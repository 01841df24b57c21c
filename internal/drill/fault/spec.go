package fault

import (
	"slices"
	"strings"
)

// Scope is what a fault acts on, and so who carries it out.
type Scope string

// The scopes.
const (
	Network Scope = "network" // the way between engine and group: a proxy in front of it
	Process Scope = "process" // the database's process, which a sandbox's alone may be touched
	Server  Scope = "server"  // settings and sessions of the database
	Disk    Scope = "disk"    // the file system below the data: nobody carries it out here
)

// Class is what a fault does to an order that is under way in the group.
type Class string

// The classes.
const (
	Unknown  Class = "unknown"  // the client gets no answer, the row may be there
	Failed   Class = "failed"   // the client is told that nothing was written
	Degraded Class = "degraded" // written and acknowledged, with less behind it than there should be
	Stale    Class = "stale"    // written; replicas do not have it yet
	Slow     Class = "slow"     // written, late
)

// Sometimes is what must have happened at least once during a drill: without it
// the drill shows nothing about the fault, and is inconclusive.
type Sometimes string

// The expectations.
const (
	OrderHopped    Sometimes = "order_hopped"    // a new order went to another group
	UnknownSettled Sometimes = "unknown_settled" // an order without an answer was decided later
)

// Spec describes a fault to people and to the parser.
type Spec struct {
	Name    Name
	Scopes  []Scope // where it can be carried out, the truest way first
	Meaning string  // what it does, in one line
	Needs   string  // what must be there for it
	Undo    string  // how it is taken back
	// Class is what happens to an order under way.
	Class Class
	// HealsAlone says that the fault ends with the process that made it, whatever
	// becomes of that.
	HealsAlone bool
	Sometimes  []Sometimes
	Params     []Param
}

// Param is a parameter that a fault takes. Without it the Default holds.
type Param struct {
	Name, Default, Meaning string

	set func(f *Fault, text string) error
	get func(f Fault) string
}

// Specs are the faults that there are, by name.
func Specs() []Spec {
	all := slices.Clone(specs)
	for i := range all {
		all[i].Params = slices.Clone(all[i].Params)
		all[i].Scopes = slices.Clone(all[i].Scopes)
		all[i].Sometimes = slices.Clone(all[i].Sometimes)
	}
	return all
}

// Lookup finds a fault's Spec.
func Lookup(name Name) (Spec, bool) {
	i := slices.IndexFunc(specs, func(s Spec) bool { return s.Name == name })
	if i < 0 {
		return Spec{}, false
	}
	return specs[i], true
}

// ActsOn reports whether the fault can be carried out there.
func (s Spec) ActsOn(at Scope) bool { return slices.Contains(s.Scopes, at) }

func (s Spec) param(name string) (Param, bool) {
	i := slices.IndexFunc(s.Params, func(p Param) bool { return p.Name == name })
	if i < 0 {
		return Param{}, false
	}
	return s.Params[i], true
}

func known() string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = string(s.Name)
	}
	return strings.Join(names, ", ")
}

func paramNames(name Name) string {
	s, _ := Lookup(name)
	if len(s.Params) == 0 {
		return "no parameters"
	}
	names := make([]string, len(s.Params))
	for i, p := range s.Params {
		names[i] = p.Name
	}
	return strings.Join(names, ", ")
}
