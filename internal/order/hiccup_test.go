package order

import (
	"testing"
	"testing/synctest"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// TestUpdatesWaitForAHiccup: a group that has only just gone out is waited for, and one
// that has been out for a while refuses at once.
func TestUpdatesWaitForAHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, ranked := newFakeEngine(t)
		m, _ := e.member(ranked[0].id)
		probedUntil := func(down bool, cause shard.Cause) {
			for {
				if _, is := e.fleet.Down(m.ID()); is == down {
					return
				}
				e.fleet.Probed(m.ID(), time.Now(), cause)
			}
		}
		waits := func() (time.Duration, error) {
			began := time.Now()
			err := e.there(t.Context(), m, pay.OrderNo{})
			return time.Since(began), err
		}
		if took, err := waits(); took != 0 || err != nil {
			t.Errorf("a group that is well: %s, %v", took, err)
		}
		probedUntil(true, shard.Hang)
		time.AfterFunc(200*time.Millisecond, func() { probedUntil(false, "") })
		if took, err := waits(); took < 200*time.Millisecond || took > 200*time.Millisecond+fencePause || err != nil {
			t.Errorf("a hiccup: %s, %v", took, err)
		}
		probedUntil(true, shard.Hang)
		took, err := waits()
		if took != hiccup || !isGroupDown(err) {
			t.Errorf("a group that stays out: %s, %v", took, err)
		}
		wantCode(t, err, CodeGroupDown, NotCommitted)
		if took, err := waits(); took != 0 || !isGroupDown(err) {
			t.Errorf("a group that has been out: %s, %v", took, err)
		}
	})
}

// TestACutShortChangeIsTriedAgain: a transaction that the group did not carry to its
// commit wrote nothing, so that it is tried again, twice at most.
func TestACutShortChangeIsTriedAgain(t *testing.T) {
	hangs := fault(NotCommitted, shard.Hang)
	for _, c := range []struct {
		name  string
		fails []error // of one try after the other
		runs  int
		code  string
	}{
		{"a slow moment", []error{hangs}, 2, ""},
		{"two slow moments", []error{hangs, hangs}, 3, ""},
		{"a group that stays slow", []error{hangs, hangs, hangs, nil}, 3, CodeGroupDown},
		{"an outcome that is unknown and found to be done", []error{fault(Unknown, shard.Hang)}, 1, ""},
		{"an answer", []error{&Error{Code: CodeOrderEnded, Outcome: NotCommitted}}, 1, CodeOrderEnded},
		{"a row that was not as it was", []error{errMovedMeanwhile(pay.OrderNo{})}, 1, CodeMoved},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, _ := newFakeEngine(t)
			o, err := e.Create(t.Context(), testRequest)
			if err != nil {
				t.Fatal(err)
			}
			runs := 0
			_, err = e.change(t.Context(), o.No, func(*change, *Order) (why, error) {
				runs++
				if runs <= len(c.fails) && c.fails[runs-1] != nil {
					return why{}, c.fails[runs-1]
				}
				return why{}, errNothing
			})
			if runs != c.runs {
				t.Errorf("ran %d times, want %d", runs, c.runs)
			}
			if c.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantCode(t, err, c.code, NotCommitted)
		})
	}
}
