package promote

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// GTIDSet is the transactions that a server has, by source: MariaDB's domain, or
// MySQL's server uuid (with its tag).
type GTIDSet map[string][]span

// span is transactions from..to of one source, both included.
type span struct{ from, to uint64 }

// ParseGTID reads a position of either server: "1-10-57,2-20-3" of MariaDB, where
// each domain counts from 1, or "uuid:1-5:7,uuid:tag:1-3" of MySQL. Blanks and line
// ends are ignored.
func ParseGTID(text string) (GTIDSet, error) {
	set := GTIDSet{}
	for _, part := range strings.Split(strings.Join(strings.Fields(text), ""), ",") {
		if part == "" {
			continue
		}
		if err := set.add(part); err != nil {
			return nil, fmt.Errorf("read the GTID position %q: %w", text, err)
		}
	}
	for source, spans := range set {
		set[source] = merge(spans)
	}
	return set, nil
}

func (s GTIDSet) add(part string) error {
	source, rest, mysql := strings.Cut(part, ":")
	if !mysql {
		words := strings.Split(part, "-")
		if len(words) != 3 {
			return fmt.Errorf("%q is not domain-server-sequence", part)
		}
		to, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			return fmt.Errorf("%q: %w", part, err)
		}
		s[words[0]] = append(s[words[0]], span{1, to})
		return nil
	}
	for word := range strings.SplitSeq(rest, ":") {
		first, last, isRange := strings.Cut(word, "-")
		from, err := strconv.ParseUint(first, 10, 64)
		if err != nil && !isRange { // a tag: what follows belongs to it
			source = strings.SplitN(source, ":", 2)[0] + ":" + word
			continue
		}
		to := from
		if err == nil && isRange {
			to, err = strconv.ParseUint(last, 10, 64)
		}
		if err != nil || to < from {
			return fmt.Errorf("%q is not a range of transactions", word)
		}
		s[source] = append(s[source], span{from, to})
	}
	return nil
}

// merge sorts spans and joins those that touch.
func merge(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	merged := spans[:0]
	for _, s := range spans {
		if last := len(merged) - 1; last >= 0 && s.from <= merged[last].to+1 {
			merged[last].to = max(merged[last].to, s.to)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

// Has reports whether every transaction of other is in s.
func (s GTIDSet) Has(other GTIDSet) bool {
	for source, spans := range other {
		for _, want := range spans {
			if !slices.ContainsFunc(s[source], func(have span) bool { return have.from <= want.from && want.to <= have.to }) {
				return false
			}
		}
	}
	return true
}
