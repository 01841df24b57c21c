package shard

import (
	"slices"
	"time"

	"github.com/zeebo/xxh3"

	"paytool/internal/pay"
)

const (
	// ledgerLag is how long a hop may be unknown to an instance that reads the ledgers
	// four times a second (Unrest): it is committed some time after it was dated, by a
	// create that may have begun before the group above was well again.
	ledgerLag = 1500 * time.Millisecond
	// ledgerStale is how long a group is trusted not to hold a key of which its ledger
	// said nothing when it was last read.
	ledgerStale = 3 * time.Second
)

// Landing is a hop as a look-up needs it: the key's order lies in Group though
// that is not its home.
type Landing struct {
	Key          pay.Key
	Group, Above GroupID
	At           time.Time
	// Busy: Above was passed for want of room, which says little of the next order.
	Busy bool
}

// landings remembers which keys lie off their home, so that a look-up is made for
// those and not for every order. A key is kept as a hash: two keys that share one
// cost a look-up in vain.
type landings struct {
	seen   map[landed]time.Time
	read   map[GroupID]time.Time // when the ledger of each group was last read
	pruned time.Time
}

type landed struct {
	key   uint64
	group GroupID
}

func newLandings() landings {
	return landings{seen: map[landed]time.Time{}, read: map[GroupID]time.Time{}}
}

func hashKey(k pay.Key) uint64 {
	buf := make([]byte, 0, 128)
	buf = append(buf, k.MerchantID...)
	buf = append(buf, 0)
	return xxh3.Hash(append(buf, k.MerchantOrderNo...))
}

func (l *landings) add(at Landing) {
	if l.news(at) {
		l.seen[landed{hashKey(at.Key), at.Group}] = at.At
	}
}

func (l *landings) news(at Landing) bool {
	known, ok := l.seen[landed{hashKey(at.Key), at.Group}]
	return !ok || at.At.After(known)
}

// prune forgets, now and then, what no client retries any more.
func (l *landings) prune(now time.Time, window time.Duration) {
	if now.Sub(l.pruned) < window/16 {
		return
	}
	l.pruned = now
	for k, at := range l.seen {
		if now.Sub(at) >= window {
			delete(l.seen, k)
		}
	}
}

// WillLand records a hop of this instance's own, before its COMMIT is sent: a retry
// of the key finds the order even if the answer is lost. It says nothing of other
// keys, as those that hopped are known one by one.
func (f *Fleet) WillLand(at Landing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.landings.add(at)
}

// LedgerRead records what the hop ledger of a group told, up to the given time. A hop
// that is news is another instance's, which may have sent more orders past that group
// that no ledger has told of yet; not so one that was only busy. At saturation there is
// always such a group, and the look-ups of all creates would keep it so.
func (f *Fleet) LedgerRead(g GroupID, now time.Time, told []Landing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, at := range told {
		if !at.Busy && f.landings.news(at) {
			f.hopped(at.Above, at.At)
		}
	}
	for _, at := range told { // only now: one order has a row for each group that it went past
		f.landings.add(at)
	}
	f.landings.read[g] = now
	f.landings.prune(now, f.opts.RetryWindow)
}

// mayHold lists the groups in which an order of the key may lie though another one
// is its home: those to which it is known to have hopped, and those whose ledger
// has not been read lately.
func (f *Fleet) mayHold(key pay.Key, now time.Time) (groups []GroupID) {
	hash := hashKey(key)
	for _, g := range f.topo.Groups {
		at, hopped := f.landings.seen[landed{hash, g.ID}]
		hopped = hopped && now.Sub(at) < f.opts.RetryWindow
		if hopped || now.Sub(f.landings.read[g.ID]) > ledgerStale {
			groups = append(groups, g.ID)
		}
	}
	return groups
}

// Unrest reports whether orders may have hopped so lately that no ledger told of it
// yet: then ledgers are worth reading more often.
func (f *Fleet) Unrest(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.health.disturbed(now) {
			return true
		}
	}
	return false
}

// reach is how far down a ranking orders may have gone so lately that no ledger
// told of it yet: to the first group, inclusive, that was there all the time.
func (f *Fleet) reach(ranked []GroupID, now time.Time) []GroupID {
	i := slices.IndexFunc(ranked, func(g GroupID) bool {
		m := f.members[g]
		return m != nil && !m.health.disturbed(now)
	})
	if i < 0 {
		return ranked
	}
	return ranked[:i+1]
}
