package daily

import (
	"cmp"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon/ledger"
)

// Standing is where a day stands now, which may be better than what its run found.
type Standing string

// The standings.
const (
	Missing   Standing = "missing"   // it was not reconciled
	Stale     Standing = "stale"     // it has to be run again: an earlier day has changed
	LateOpen  Standing = "overdue"   // a difference is open for too long
	StillOpen Standing = "open"      // differences wait for somebody
	Explained Standing = "explained" // it had differences, and all have ended
	Clean     Standing = "balanced"
)

// SurveyDay is a day of a survey.
type SurveyDay struct {
	ledger.Book
	Date        string   `json:"date"`
	Standing    Standing `json:"standing"`
	RunID       string   `json:"run_id"`
	Differences int64    `json:"differences"` // that the run found
	Open        int      `json:"open"`        // that wait for somebody now
	Overdue     int      `json:"overdue"`
	OpenFen     pay.Fen  `json:"open_fen"` // signed by cash effect
	Carried     int64    `json:"carried"`  // rows that the day left for the next
}

// SurveyBook is a book that days are expected of.
type SurveyBook struct {
	ledger.Book
	Since string // the first day; "": the first that was run
}

// Survey says where the days from first to last stand, book by book, the newest day
// first. A day before the book's first is left out. Open are the differences that
// wait, of any day; overdue those of them that wait for too long.
func Survey(books []SurveyBook, runs []ledger.RunRecord, open, overdue []ledger.Entry, first, last string) []SurveyDay {
	type key struct {
		ledger.Book
		date string
	}
	ran := map[key]*ledger.RunRecord{}
	began := map[ledger.Book]string{}
	for i := range runs {
		r := &runs[i]
		ran[key{r.Book, r.Date}] = r
		if began[r.Book] == "" || r.Date < began[r.Book] {
			began[r.Book] = r.Date
		}
	}
	late := map[key]int{}
	for i := range overdue {
		late[key{overdue[i].Book, overdue[i].Date}]++
	}
	waiting := map[key]*SurveyDay{}
	for i := range open {
		e := &open[i]
		k := key{e.Book, e.Date}
		if waiting[k] == nil {
			waiting[k] = &SurveyDay{}
		}
		waiting[k].Open++
		waiting[k].OpenFen += e.DifferenceFen
	}
	var days []SurveyDay
	for _, b := range books {
		since := cmp.Or(b.Since, began[b.Book], last)
		for _, date := range daysBack(max(first, since), last) {
			k := key{b.Book, date}
			day := SurveyDay{}
			if w := waiting[k]; w != nil {
				day = *w
			}
			day.Book, day.Date, day.Overdue = b.Book, date, late[k]
			if r := ran[k]; r != nil {
				day.RunID, day.Differences, day.Carried = r.RunID, countOf(r), r.Result.Carried.Closing
			}
			day.Standing = standing(ran[k], &day)
			days = append(days, day)
		}
	}
	return days
}

func standing(r *ledger.RunRecord, d *SurveyDay) Standing {
	switch {
	case r == nil:
		return Missing
	case d.Overdue > 0:
		return LateOpen
	case r.Stale:
		return Stale
	case d.Open > 0:
		return StillOpen
	case d.Differences > 0:
		return Explained
	default:
		return Clean
	}
}

func countOf(r *ledger.RunRecord) (n int64) {
	for _, c := range r.Result.Counts {
		n += c
	}
	return n
}

// daysBack lists the days from last to first.
func daysBack(first, last string) (days []string) {
	from, errFrom := time.ParseInLocation(time.DateOnly, first, pay.Beijing)
	to, errTo := time.ParseInLocation(time.DateOnly, last, pay.Beijing)
	if errFrom != nil || errTo != nil {
		return nil
	}
	for day := from; !day.After(to); day = day.AddDate(0, 0, 1) {
		days = append(days, day.Format(time.DateOnly))
	}
	slices.Reverse(days)
	return days
}

// Exit is the exit status that a survey calls for.
func (s Standing) Exit() int {
	switch s {
	case Missing, Stale:
		return ExitNotReady
	case LateOpen:
		return ExitOverdue
	case StillOpen:
		return ExitDifferences
	default:
		return 0
	}
}
