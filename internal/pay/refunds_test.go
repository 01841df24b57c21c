package pay

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func refundStates() []RefundState {
	return []RefundState{RefundRequested, RefundProcessing, RefundUnknown, RefundWaitingFunds, RefundAccepted, RefundDone,
		RefundAbnormal, RefundClosed, RefundFailed}
}

// TestRefundMoves spells what money rules, section 1, says of refunds once more: for
// each state what the channel may say next.
func TestRefundMoves(t *testing.T) {
	t.Parallel()
	ends := []RefundState{RefundDone, RefundAbnormal, RefundClosed}
	underWay := append([]RefundState{RefundProcessing, RefundAccepted}, ends...)
	every := refundStates() // of one that the channel has not accepted
	rules := map[RefundState][]RefundState{
		RefundRequested:    every,
		RefundUnknown:      every,
		RefundWaitingFunds: every,
		RefundFailed:       every,
		RefundProcessing:   underWay,
		RefundAccepted:     underWay,
		RefundAbnormal:     underWay, // a person has dealt with it
		RefundDone:         nil,
		RefundClosed:       nil,
	}
	neverBack := map[RefundState]bool{RefundRequested: true, RefundUnknown: true, RefundFailed: true, RefundWaitingFunds: true}
	for _, from := range refundStates() {
		for _, to := range refundStates() {
			want := from != to && slices.Contains(rules[from], to)
			if got := CanMoveRefund(from, to); got != want {
				t.Errorf("%s to %s: %t, want %t", from, to, got, want)
			}
			if CanMoveRefund(from, to) && slices.Contains(underWay, from) && neverBack[to] {
				t.Errorf("%s goes back to %s: the channel has accepted it", from, to)
			}
		}
		if !from.Valid() || CanMoveRefund(from, "surprise") || CanMoveRefund("surprise", from) {
			t.Errorf("%s and a state that nobody knows", from)
		}
	}
}

func TestRefundEndsAndSends(t *testing.T) {
	t.Parallel()
	for _, s := range refundStates() {
		if ended := s == RefundDone || s == RefundClosed; s.Ended() != ended {
			t.Errorf("%s has ended: %t", s, s.Ended())
		}
		if send := s == RefundRequested || s == RefundWaitingFunds || s == RefundFailed; s.MustSend() != send {
			t.Errorf("%s is to be sent: %t", s, s.MustSend())
		}
	}
}

// TestGuardKeepsOne: whichever of two CREATED orders asks, the same one stays; of one
// attempt it is the one that everybody else keeps, too.
func TestGuardKeepsOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawTwin(t, "a"), drawTwin(t, "b")
		a.State, b.State = Created, Created
		if a.No == b.No {
			return
		}
		second, first := GuardKeepsSecond(a, b), GuardKeepsSecond(b, a)
		if second == first {
			t.Fatalf("%+v and %+v: each keeps itself, or the other", a, b)
		}
		keeps := a
		if second {
			keeps = b
		}
		if lower := min(a.Attempt, b.Attempt); keeps.Attempt != lower {
			t.Fatalf("attempt %d stays, not %d", keeps.Attempt, lower)
		}
		if judged := JudgeTwins(a, b); a.Attempt == b.Attempt && second != (judged == KeepSecond) {
			t.Fatalf("%+v and %+v: the guard keeps the second: %t, the others %v", a, b, second, judged)
		}
	})
}
