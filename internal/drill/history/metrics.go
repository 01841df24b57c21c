package history

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"paytool/internal/drill/result"
	"paytool/internal/shard"
)

// WriteMetrics writes what Prometheus is to know of the drills, in its text form, for
// the node exporter's textfile collector. entries are those of List.
func WriteMetrics(w io.Writer, entries []Entry) error {
	var b strings.Builder
	gauge := func(name, help string) {
		fmt.Fprintf(&b, "# HELP paytool_drill_%s %s\n# TYPE paytool_drill_%s gauge\n", name, help, name)
	}
	value := func(name, labels string, v float64) {
		fmt.Fprintf(&b, "paytool_drill_%s%s %s\n", name, labels, strconv.FormatFloat(v, 'f', -1, 64))
	}

	gauge("kept", "Results that are kept.")
	value("kept", "", float64(len(entries)))
	if len(entries) > 0 {
		last := entries[0]
		for _, m := range []struct {
			name, help string
			v          float64
		}{
			{"last_start_timestamp_seconds", "When the last drill began.", float64(last.Started.Unix())},
			{"last_end_timestamp_seconds", "When the last drill ended.", float64(last.Ended.Unix())},
			{"last_exit_status", "Exit status of the last drill: 0 held, 3 refused, 4 deviated, 5 stopped, 6 broken, 7 restore failed, 8 inconclusive.", float64(last.Exit)},
			{"last_longest_gap_seconds", "Longest time without an acknowledged order in the last drill.", last.LongestGapMs / 1000},
			{"last_p99_seconds", "p99 of creates during the fault of the last drill.", last.During.P99Ms / 1000},
		} {
			gauge(m.name, m.help)
			value(m.name, "", m.v)
		}
	}
	if i := slices.IndexFunc(entries, func(e Entry) bool { return e.MTTRMs != nil }); i >= 0 {
		gauge("mttr_seconds", "Time until old orders could be updated again, of the last promotion drill.")
		value("mttr_seconds", "", *entries[i].MTTRMs/1000)
	}
	good, ever := lastGood(entries)
	if ever != nil {
		gauge("last_good_timestamp_seconds", "When the last drill that held ended.")
		value("last_good_timestamp_seconds", "", float64(ever.Ended.Unix()))
		gauge("group_last_good_timestamp_seconds", "When the last drill of the group that held ended.")
		for _, g := range slices.Sorted(maps.Keys(good)) {
			value("group_last_good_timestamp_seconds", fmt.Sprintf("{group=\"%d\"}", g), float64(good[g].Ended.Unix()))
		}
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write the metrics of drills: %w", err)
	}
	return nil
}

// lastGood is the newest drill that held, of each group and of all.
func lastGood(entries []Entry) (byGroup map[shard.GroupID]*Entry, ever *Entry) {
	byGroup = map[shard.GroupID]*Entry{}
	for i := range entries {
		e := &entries[i]
		if e.Verdict != result.Held {
			continue
		}
		if ever == nil {
			ever = e
		}
		for _, g := range e.Groups {
			if byGroup[g] == nil {
				byGroup[g] = e
			}
		}
	}
	return byGroup, ever
}
