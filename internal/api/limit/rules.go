package limit

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
)

// Kind is what a rule is about.
type Kind string

// The kinds.
const (
	Merchant Kind = "merchant"
	Terminal Kind = "terminal"
	Channel  Kind = "channel"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{Merchant, Terminal, Channel} }

// Each is the id of the rule for every subject of a kind that has none of its own.
// Each of them has the whole share for itself.
const Each = "*"

// Subject is one merchant, terminal or channel.
type Subject struct {
	Kind Kind
	ID   string
}

func (s Subject) String() string { return string(s.Kind) + " " + s.ID }

// Bounds of a rule.
const (
	MaxRate  = 100_000 // creates a second
	MaxBurst = 100_000
)

// Rule says how many creates a second a subject may make. Every change is a version
// of its own, and the newest one holds.
type Rule struct {
	Subject
	Version   int64
	PerSecond float64 // 0 takes none
	Burst     int     // how many may come at once after a pause; at least 1 unless PerSecond is 0
	Cleared   bool    // there is no rule any more
	By        string  // who changed it
	Reason    string
	At        time.Time
}

// Check refuses a rule that nobody can have meant.
func (r Rule) Check() error {
	most := map[Kind]int{Merchant: pay.MaxMerchantID, Terminal: pay.MaxTerminalID, Channel: pay.MaxChannel}[r.Kind]
	if most == 0 {
		return fmt.Errorf("a rule is about a merchant, a terminal or a channel, not about %q", r.Kind)
	}
	if err := errors.Join(pay.CheckField(string(r.Kind), r.ID, 1, most), pay.CheckField("by", r.By, 1, maxWords), pay.CheckField("reason", r.Reason, 1, maxWords)); err != nil {
		return err
	}
	switch {
	case !(r.PerSecond >= 0 && r.PerSecond <= MaxRate): // NaN fails both
		return fmt.Errorf("a rate of %v a second is not between 0 and %d", r.PerSecond, MaxRate)
	case r.Burst < 0 || r.Burst > MaxBurst:
		return fmt.Errorf("a burst of %d is not between 0 and %d", r.Burst, MaxBurst)
	case r.Burst == 0 && r.PerSecond > 0 && !r.Cleared:
		return errors.New("a burst of 0 would take nothing at any rate: say at least 1")
	}
	return nil
}

const maxWords = 127 // characters of who and why

// Rules are the newest versions by subject.
type Rules map[Subject]Rule

// Add takes over what is newer than what is known, in any order, and returns it. Of
// two rules of one version, which two persons wrote at the same moment into different
// groups, the stricter one holds everywhere.
func (r Rules) Add(rules ...Rule) (changed []Rule) {
	for _, n := range rules {
		known, ok := r[n.Subject]
		if ok && !newer(n, known) {
			continue
		}
		r[n.Subject] = n
		changed = append(changed, n)
	}
	return changed
}

// newer is a total order of a subject's rules, so that all instances agree.
func newer(a, b Rule) bool {
	return cmp.Or(
		cmp.Compare(a.Version, b.Version),
		compareBool(b.Cleared, a.Cleared), // of one version: a rule before none
		cmp.Compare(b.PerSecond, a.PerSecond),
		cmp.Compare(b.Burst, a.Burst),
		cmp.Compare(a.By, b.By),
		cmp.Compare(a.Reason, b.Reason),
		a.At.Compare(b.At),
	) > 0
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// List is every rule, cleared ones too, by kind and id.
func (r Rules) List() []Rule {
	all := make([]Rule, 0, len(r))
	for _, rule := range r {
		all = append(all, rule)
	}
	slices.SortFunc(all, func(a, b Rule) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
	return all
}

// of is the rule that holds for a subject.
func (r Rules) of(s Subject) (Rule, bool) {
	for _, id := range []string{s.ID, Each} {
		if rule, ok := r[Subject{s.Kind, id}]; ok && !rule.Cleared {
			return rule, true
		}
	}
	return Rule{}, false
}
