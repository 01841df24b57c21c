package shard

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/zeebo/xxh3"

	"paytool/internal/pay"
)

// Rank orders the groups that take new orders of the key's merchant, the home first:
// a weighted rendezvous hash. Each group draws an exponentially distributed lot
// with its weight as the rate; the smallest lot wins, so a group is home of a
// share of the keys that is exactly its share of the weights, and a change of one
// weight moves no key between two other groups. The lots depend on the key and
// the group alone: a client's retry meets its first attempt, at any instance.
//
// Cost: one 64-bit hash and one logarithm a group, about 50 ns each.
func (t Topology) Rank(key pay.Key) []GroupID {
	buf := make([]byte, 0, 128)
	buf = append(buf, key.MerchantID...)
	buf = append(buf, 0)
	buf = append(buf, key.MerchantOrderNo...)
	n := len(buf)
	return t.rankBy(key.MerchantID, func(g GroupID) uint64 {
		return xxh3.Hash(binary.BigEndian.AppendUint64(buf[:n], uint64(g))) //nolint:gosec // group numbers are positive
	})
}

// RankRandom orders the groups for a merchant by chance, weighted, as the published
// design does. It has no memory of the key, so it gives no idempotency across groups.
func (t Topology) RankRandom(merchant string, draw func() uint64) []GroupID {
	return t.rankBy(merchant, func(GroupID) uint64 { return draw() })
}

func (t Topology) rankBy(merchant string, hash func(GroupID) uint64) []GroupID {
	type lot struct {
		at    float64
		group GroupID
	}
	lots := make([]lot, 0, len(t.Groups))
	for _, g := range t.Groups {
		if share := g.ShareFor(merchant); share > 0 {
			// 53 bits make u uniform in (0, 1]; -ln(u)/share is exponential with rate share.
			u := float64(hash(g.ID)>>11+1) / (1 << 53)
			lots = append(lots, lot{at: -math.Log(u) / float64(share), group: g.ID})
		}
	}
	slices.SortFunc(lots, func(a, b lot) int {
		if a.at < b.at || (a.at == b.at && a.group < b.group) {
			return -1
		}
		return 1
	})
	ranked := make([]GroupID, len(lots))
	for i, l := range lots {
		ranked[i] = l.group
	}
	return ranked
}
