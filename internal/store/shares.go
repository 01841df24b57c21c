package store

import (
	"fmt"
	"strings"

	"paytool/internal/shard"
)

// addShare adds a share to a group's last ones, before which the group had a share that
// may not be on record yet. The oldest are left out.
func addShare(text string, before int, next shard.Share) string {
	shares := readShares(text)
	if len(shares) == 0 {
		shares = append(shares, shard.Share{Share: before})
	}
	shares = append(shares, next)
	return writeShares(shares[max(0, len(shares)-shard.MostShares):])
}

// writeShares is "100@0 0@1795354872004": each share, and since when in Unix ms.
func writeShares(shares []shard.Share) string {
	words := make([]string, len(shares))
	for i, s := range shares {
		words[i] = fmt.Sprintf("%d@%d", s.Share, toMS(s.Since))
	}
	return strings.Join(words, " ")
}

// readShares reads what writeShares wrote. What somebody else wrote is not known.
func readShares(text string) (shares []shard.Share) {
	for word := range strings.FieldsSeq(text) {
		var s shard.Share
		var since int64
		if _, err := fmt.Sscanf(word, "%d@%d", &s.Share, &since); err != nil {
			return nil
		}
		s.Since = fromMS(since)
		shares = append(shares, s)
	}
	return shares
}
