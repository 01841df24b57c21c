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
