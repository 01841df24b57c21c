package store

import (
	"fmt"
	"strings"
	"time"

	"paytool/internal/shard"
)

// addShare adds a share from a time on to a group's last ones, before which the group had
// a share that may not be on record yet. The oldest are left out.
func addShare(text string, before, next shard.Share, at time.Time) string {
	shares := readShares(text)
	if len(shares) == 0 {
		shares = append(shares, before)
	}
	next.Since = at
	shares = append(shares, next)
	return writeShares(shares[max(0, len(shares)-shard.MostShares):])
}

// pilotMark stands behind a share of named merchants alone. Programs that do not know it
// read the rest of the word.
const pilotMark = "p"

// writeShares is "0@0 100@1795354872004p": each share, and since when in Unix ms.
func writeShares(shares []shard.Share) string {
	words := make([]string, len(shares))
	for i, s := range shares {
		words[i] = fmt.Sprintf("%d@%d", s.Share, toMS(s.Since))
		if s.Pilots {
			words[i] += pilotMark
		}
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
		s.Since, s.Pilots = fromMS(since), strings.HasSuffix(word, pilotMark)
		shares = append(shares, s)
	}
	return shares
}
