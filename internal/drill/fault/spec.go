package fault

import (
	"slices"
	"strings"
)

// Scope is what a fault acts on, and so who carries it out.
type Scope string

// The scopes.
const (
	Network Scope = "network" // the way between engine and group
	Process Scope = "process" // the database's process
	Server  Scope = "server"  // settings and sessions of the database
)

// Spec describes a fault to people and to the parser.
type Spec struct {
	Name    Name
	Scope   Scope
	Meaning string // one line
	Params  []Param
}

// Param is a parameter that a fault takes. Without it the Default holds.
type Param struct {
	Name, Default, Meaning string

	set func(f *Fault, text string) error
	get func(f Fault) string
}

// specs is every fault that works, by name.
var specs = []Spec{
	{
		Name: Hang, Scope: Network,
		Meaning: "nothing passes in either direction, connections open and stay silent; what was held goes on afterwards",
		Params:  []Param{chanceOf("connection")},
	},
	{
		Name: Latency, Scope: Network,
		Meaning: "each request reaches the server late, those that open a connection too; answers are not delayed",
		Params: []Param{
			{
				Name: "d", Default: "100ms", Meaning: "how late",
				set: setDelay, get: func(f Fault) string { return f.Delay.String() },
			},
			{
				Name: "jitter", Default: "0s", Meaning: "up to how much earlier or later than d, evenly spread",
				set: setJitter, get: func(f Fault) string { return f.Jitter.String() },
			},
			chanceOf("request"),
		},
	},
	{
		Name: LostCommit, Scope: Network,
		Meaning: "COMMIT is executed, its answer is lost and the connection ends",
		Params:  []Param{chanceOf("COMMIT")},
	},
	{
		// No chance: a closed port turns everybody away.
		Name: Refuse, Scope: Network,
		Meaning: "new connections are refused, those that are open end",
	},
	{
		Name: ReplyLost, Scope: Network,
		Meaning: "the server executes the statement, and its answer never comes",
		Params:  []Param{on, chanceOf("statement")},
	},
	{
		Name: RequestLost, Scope: Network,
		Meaning: "the statement never reaches the server, and no answer comes",
		Params:  []Param{on, chanceOf("statement")},
	},
	{
		Name: Reset, Scope: Network,
		Meaning: "connections are reset, those that are open at once and new ones as they come",
		Params:  []Param{chanceOf("connection")},
	},
}

var on = Param{
	Name: "on", Default: string(Any), Meaning: "any statement, or commit alone",
	set: setStatement, get: func(f Fault) string { return string(f.On) },
}

func chanceOf(what string) Param {
	return Param{
		Name: "p", Default: "1", Meaning: "the chance that a " + what + " is struck",
		set: setChance, get: func(f Fault) string { return formatChance(f.P) },
	}
}

// Specs are the faults that there are, by name.
func Specs() []Spec {
	all := slices.Clone(specs)
	for i := range all {
		all[i].Params = slices.Clone(all[i].Params)
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
