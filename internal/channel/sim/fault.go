package sim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Fault is something that goes wrong on the channel's side.
type Fault string

// The faults.
const (
	NotReady       Fault = "not_ready"       // the bill is not built yet
	NoBill         Fault = "no_bill"         // there is none for that day
	WrongSHA1      Fault = "wrong_sha1"      // the announced digest is another one (WeChat)
	ExpiredURL     Fault = "expired_url"     // the download URL has run out
	WrongSignature Fault = "wrong_signature" // the answer is signed with another key
	Hang           Fault = "hang"            // no answer at all
	Stall          Fault = "stall"           // half of the bill, and then nothing
	Cut            Fault = "cut"             // half of the bill, and the connection ends
	ServerError    Fault = "server_error"    // HTTP 500, or the gateway's own error
	DeadHost       Fault = "dead_host"       // the first host closes every connection
)

// Faults are all faults, by name.
var Faults = []Fault{NotReady, NoBill, WrongSHA1, ExpiredURL, WrongSignature, Hang, Stall, Cut, ServerError, DeadHost}

// Forever is a number of requests that does not end.
const Forever = -1

// ParseFault reads NAME or NAME=TIMES.
func ParseFault(text string) (Fault, int, error) {
	name, count, counted := strings.Cut(text, "=")
	times := Forever
	if counted {
		var err error
		if times, err = strconv.Atoi(count); err != nil || times < 1 {
			return "", 0, fmt.Errorf("fault %q: want a number of requests from 1, like %s=2", text, name)
		}
	}
	if !slices.Contains(Faults, Fault(name)) {
		return "", 0, fmt.Errorf("fault %q: want one of %v", text, Faults)
	}
	return Fault(name), times, nil
}

// switches are the faults that are on. Safe for concurrent use.
type switches struct {
	mu   sync.Mutex
	left map[Fault]int
}

func (s *switches) set(f Fault, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.left == nil {
		s.left = map[Fault]int{}
	}
	s.left[f] = times
}

// take reports whether a fault strikes now, and counts it.
func (s *switches) take(f Fault) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.left[f]
	if left > 0 {
		s.left[f]--
	}
	return left != 0
}
