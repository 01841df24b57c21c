package order

import (
	"errors"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paytool/internal/pay"
)

func TestNumbersOfARequestGoDown(t *testing.T) {
	var s sequencer
	now := time.Unix(1_700_000_000, 0)
	n, err := s.block(now, 3)
	if err != nil {
		t.Fatal(err)
	}
	lease := Lease{Slot: 7, Floor: now.Unix() - 1, High: now.Unix() + 10}
	var last pay.OrderNo
	for i := range 3 {
		no, err := n.take(lease, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && no.Compare(last) >= 0 {
			t.Errorf("the number of try %d is %s, not below %s", i+1, no, last)
		}
		last = no
	}
	if _, err := n.take(lease, 1, 1); !errors.Is(err, errNumbersUsed) {
		t.Errorf("a fourth number out of a block of three: %v", err)
	}
}

func TestNumbersStayWithinTheLease(t *testing.T) {
	for _, c := range []struct {
		name        string
		floor, high int64
		ok          bool
	}{
		{"between", 99, 100, true},
		{"an earlier holder may have used the second", 100, 110, false},
		{"the high-water is not written yet", 99, 99, false},
		{"no probe has passed", 0, 0, false},
	} {
		n := numbers{second: 100, low: 0, next: 5}
		if _, err := n.take(Lease{Floor: c.floor, High: c.high}, 1, 1); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestSequencerRefusesAClockThatWentBack(t *testing.T) {
	var s sequencer
	if _, err := s.block(time.Unix(100, 0), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := s.block(time.Unix(99, 999_999_999), 1); !errors.Is(err, errClockBack) {
		t.Errorf("a second that is over was used again: %v", err)
	}
	if _, err := s.block(time.Unix(100, 5), 1); err != nil {
		t.Errorf("the clock has caught up: %v", err)
	}
}

func TestSequenceThatIsFullWaitsForTheNextSecond(t *testing.T) {
	var s sequencer
	now := time.Unix(100, 0)
	for range (pay.MaxSequence + 1) / 10 {
		if _, err := s.block(now, 10); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.block(now, 1); !errors.Is(err, errSequenceFull) {
		t.Errorf("number 100,001 of a second: %v", err)
	}
	if _, err := s.block(now.Add(time.Second), 1); err != nil {
		t.Error(err)
	}
}

// TestNoNumberTwice lets several goroutines take blocks of any size.
func TestNoNumberTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sequencer
		sizes := rapid.SliceOfN(rapid.IntRange(1, 9), 1, 50).Draw(t, "sizes")
		var mu sync.Mutex
		var wg sync.WaitGroup
		seen := map[string]bool{}
		for i, size := range sizes {
			wg.Go(func() {
				n, err := s.block(time.Unix(100+int64(i/20), 0), size)
				if err != nil {
					return // a goroutine with a later second came first
				}
				for range size {
					no, err := n.take(Lease{High: 1 << 40}, 1, 1)
					mu.Lock()
					if err != nil || seen[no.String()] {
						t.Errorf("%s twice, or %v", no, err)
					}
					seen[no.String()] = true
					mu.Unlock()
				}
			})
		}
		wg.Wait()
	})
}
