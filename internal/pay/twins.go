package pay

// Twin is what the choice between two orders of one key looks at.
type Twin struct {
	No      OrderNo
	Attempt int
	State   State
}

// Verdict says which of two twins stays.
type Verdict int

// The verdicts of JudgeTwins.
const (
	// KeepBoth: nothing is voided. At most one of them can still be paid, or they
	// are different attempts.
	KeepBoth Verdict = iota
	KeepFirst
	KeepSecond
	// BothSent: a channel may know both numbers. Voiding either could lose money;
	// the later payment is given back (money rules, rule 8).
	BothSent
)

// JudgeTwins decides between two orders of one key. Everybody who voids a twin
// (resolver, sweep, guard) asks here, and only here: with one order of twins two
// of them who act at once cannot void each other's choice. The rules, first match
// wins:
//
//   - an order that ended (CLOSED, REVOKED, VOID) or another attempt is no twin
//     that anybody has to void;
//   - an order that was sent to a channel stays, the unsent one goes;
//   - of two CREATED ones the lower (attempt, order_no) stays (rule 7).
//
// The answer does not depend on which of the two comes first, and a sent order
// never becomes unsent, so that two answers over time contradict each other only
// where the compare-and-set from CREATED fails anyway.
func JudgeTwins(first, second Twin) Verdict {
	switch {
	case first.No == second.No, first.Attempt != second.Attempt:
		return KeepBoth
	case first.State.Final() || second.State.Final():
		return KeepBoth
	case first.State.Sent() && second.State.Sent():
		return BothSent
	case first.State.Sent():
		return KeepFirst
	case second.State.Sent():
		return KeepSecond
	case first.No.Compare(second.No) < 0:
		return KeepFirst
	}
	return KeepSecond
}

// GuardKeepsSecond decides between two CREATED orders of one key before one of them
// is paid: the lower (attempt, order_no) stays (rule 7). For one attempt this is
// JudgeTwins' choice.
func GuardKeepsSecond(first, second Twin) bool {
	if first.Attempt != second.Attempt {
		return second.Attempt < first.Attempt
	}
	return JudgeTwins(first, second) == KeepSecond
}
