package move

import "time"

// Taken is one time that a step was taken, or a person's word.
type Taken struct {
	Step Step // Stop for a word
	// Mark is Done or Again, Intent of a step whose end is not known, or the word.
	Mark  Mark
	Who   string
	Began time.Time
	// Ended is when the last entry about it was written; Began where there is no other.
	Ended time.Time
	Note  string
}

// Took is how long the step took, 0 where its end is not known.
func (t Taken) Took() time.Duration { return t.Ended.Sub(t.Began) }

// Timeline reads a journal as what was done when, the oldest first. A step that was
// taken once more after a crash is there once more.
func Timeline(journal []Entry) (list []Taken) {
	for _, e := range journal {
		if last := len(list) - 1; (e.Mark == Done || e.Mark == Again) && last >= 0 {
			// Words may stand between an intent and its end.
			for last >= 0 && (list[last].Step != e.Step || list[last].Mark != Intent) {
				last--
			}
			if last >= 0 {
				list[last].Mark, list[last].Ended, list[last].Note = e.Mark, e.At, e.Note
				continue
			}
		}
		list = append(list, Taken{Step: e.Step, Mark: e.Mark, Who: e.Who, Began: e.At, Ended: e.At, Note: e.Note})
	}
	return list
}

// Held is how long updates of the moving tags waited the last time that they did: from
// the intent to fence until the switch was done, or the fence was lifted. It is 0 where
// no fence was ever up, or where one still is.
func Held(journal []Entry) (held time.Duration) {
	var since time.Time
	for _, e := range journal {
		switch {
		case e.Mark == Intent && (e.Step == Fence || e.Step == FenceBack):
			since, held = e.At, 0
		case e.Mark == Done && (e.Step == Switch || e.Step == SwitchBack || e.Step == Unfence) && !since.IsZero():
			held, since = e.At.Sub(since), time.Time{}
		}
	}
	return held
}
