package plan

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// Group is a group that there is, as the config tells it.
type Group struct {
	ID   shard.GroupID
	Zone string // "" if nobody says
}

// Choose is the groups that a drill on that day breaks, sorted. It refuses groups that
// there are not, and all that there are: somebody has to take the payments.
func (t Targets) Choose(groups []Group, day time.Time) ([]shard.GroupID, error) {
	groups = slices.Clone(groups)
	slices.SortFunc(groups, func(a, b Group) int { return int(a.ID - b.ID) })
	chosen := t.GroupIDs()
	switch {
	case t.Zone != "":
		for _, g := range groups {
			if g.Zone == t.Zone {
				chosen = append(chosen, g.ID)
			}
		}
		if len(chosen) == 0 {
			return nil, fmt.Errorf("no group is in zone %q; see `zone` in the config", t.Zone)
		}
	case t.Rotate > 0:
		chosen = t.turn(groups, day)
	}
	for _, id := range chosen {
		if !slices.ContainsFunc(groups, func(g Group) bool { return g.ID == id }) {
			return nil, fmt.Errorf("there is no group %d", id)
		}
	}
	if len(chosen) >= len(groups) {
		return nil, fmt.Errorf("%d of %d groups would be broken, and never all are: somebody has to take the payments", len(chosen), len(groups))
	}
	slices.Sort(chosen)
	return chosen, nil
}

// turn is the groups whose turn it is. Turns follow the calendar, so that nobody has
// to remember the last one, and a drill that was missed is not caught up.
func (t Targets) turn(groups []Group, day time.Time) []shard.GroupID {
	var chosen []shard.GroupID
	n := len(groups)
	for i := range min(t.Rotate, n) {
		chosen = append(chosen, groups[(t.number(day)*t.Rotate+i)%n].ID)
	}
	return chosen
}

// number counts weeks, from Monday, or quarters.
func (t Targets) number(day time.Time) int {
	day = day.In(pay.Beijing)
	if t.Every == EveryQuarter {
		return day.Year()*4 + int(day.Month()-1)/3
	}
	year, month, date := day.Date()
	days := time.Date(year, month, date, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60)
	return int((days + 3) / 7) // 1970-01-01 was a Thursday
}

// Open reports whether a drill may start at that moment; the error says when it may.
func (w Window) Open(now time.Time) error {
	now = now.In(pay.Beijing)
	if len(w.Days) > 0 && !slices.ContainsFunc(w.Days, func(d string) bool {
		day, ok := weekday(d)
		return ok && day == now.Weekday()
	}) {
		return fmt.Errorf("today is %s, the plan allows %s", now.Format("Mon"), strings.Join(w.Days, ", "))
	}
	if w.From == "" {
		return nil
	}
	from, fromErr := clockTime(w.From)
	to, toErr := clockTime(w.To)
	at := time.Duration(now.Hour())*time.Hour + time.Duration(now.Minute())*time.Minute
	if fromErr != nil || toErr != nil || at < from || at >= to {
		return fmt.Errorf("it is %s in Beijing, the plan allows %s to %s", now.Format("15:04"), w.From, w.To)
	}
	return nil
}

func weekday(name string) (time.Weekday, bool) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if d.String()[:3] == name {
			return d, true
		}
	}
	return 0, false
}

// clockTime is a time of day, from midnight.
func clockTime(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, err
}
