package ledger

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Words are what the event says, in one short line for people. Texts that persons
// typed are quoted; a body that cannot be read is shown as it is.
func (e *Event) Words() string {
	switch e.Type {
	case eventRun:
		return words(e, func(b runBody) string {
			s := fmt.Sprintf("run %s of %s of %s: %d differences", b.RunID, b.Date, b.Book, b.Findings)
			if b.Supersedes != "" {
				s += fmt.Sprintf(", in place of run %s: %q", b.Supersedes, b.Reason)
			}
			return s
		})
	case eventOpened:
		return words(e, func(b openedBody) string { return fmt.Sprintf("found by the run at event %d", b.Run) })
	case eventResolved, eventReopened:
		return words(e, func(b changedBody) string {
			s := meaning(b.Reason)
			if b.Other != "" {
				s += ": " + string(b.Other)
			}
			return s
		})
	case eventProposed:
		return words(e, func(b proposedBody) string {
			s := fmt.Sprintf("%s: %s", b.Proposal, b.Action)
			if b.Until != "" {
				s += " until " + b.Until
			}
			if b.Count > 1 {
				s += fmt.Sprintf(", %d differences, %s yuan together", b.Count, b.Sum.Yuan())
			}
			return s + ", " + meaning(b.Reason) + quoted(b.Text)
		})
	case eventApproved, eventRejected:
		return words(e, func(b decidedBody) string { return string(b.Proposal) + quoted(b.Text) })
	case eventFinished:
		return words(e, func(b finishedBody) string {
			if b.OK {
				return fmt.Sprintf("%s: done%s", b.Proposal, quoted(b.Result))
			}
			return fmt.Sprintf("%s: not done%s", b.Proposal, quoted(b.Result))
		})
	}
	return string(e.Body)
}

func words[B any](e *Event, f func(B) string) string {
	var body B
	if json.Unmarshal(e.Body, &body) != nil {
		return strings.ToValidUTF8(string(e.Body), "?")
	}
	return f(body)
}

// meaning is a reason in words.
func meaning(code string) string {
	for _, r := range Reasons() {
		if r.Code == code {
			return r.Words
		}
	}
	return code
}

func quoted(text string) string {
	if text == "" {
		return ""
	}
	return fmt.Sprintf(": %q", text)
}
