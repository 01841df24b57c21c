package ledger

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// Reason is a code for why something was done to a difference.
type Reason struct {
	Code      string
	Words     string
	NeedsText bool // the code alone says too little
	ByRun     bool // only a run gives it, a person cannot
}

// The reasons that runs give.
const (
	reasonLateCounterpart = "late_counterpart"
	reasonSuperseded      = "superseded"
	reasonFoundAgain      = "found_again"
	reasonCounterpartGone = "counterpart_gone"
	reasonOther           = "other"
)

// Reasons lists every reason, in the order of a menu.
func Reasons() []Reason {
	return []Reason{
		{Code: reasonLateCounterpart, Words: "the other side has it on another day"},
		{Code: "rounding", Words: "rounding, within the tolerance"},
		{Code: "channel_error", Words: "the channel is wrong and has said so"},
		{Code: "our_error", Words: "our books are wrong and were put right"},
		{Code: "customer_settled", Words: "settled with the customer"},
		{Code: "bank_return", Words: "the bank sent the money back"},
		{Code: "duplicate_entry", Words: "entered twice"},
		{Code: reasonOther, Words: "something else, which the text says", NeedsText: true},
		{Code: reasonSuperseded, Words: "the run that replaced its run does not find it", ByRun: true},
		{Code: reasonFoundAgain, Words: "a run finds it again", ByRun: true},
		{Code: reasonCounterpartGone, Words: "its late counterpart is gone", ByRun: true},
	}
}

// Limits of what a person types, in characters.
const (
	maxActor = 64
	maxText  = 1000
)

// maxPutOff bounds how far one person can carry a difference out of sight.
const maxPutOff = 31 * 24 * time.Hour

// Fits says in words why an action does not suit a difference; nil: it does.
func Fits(a Action, e *Entry) error {
	why := ""
	switch {
	case a == Reopen:
		if !e.State.Ended() {
			why = "it is open"
		}
	case e.State.Ended():
		why = fmt.Sprintf("it has ended (%s); reopen it first", e.State)
	default:
		why = unfit(a, e)
	}
	if why == "" {
		return nil
	}
	return &UnfitError{Action: a, ID: e.ID, Why: why}
}

// unfit is about a difference that has not ended.
func unfit(a Action, e *Entry) string {
	if e.Executed != "" && a != Carry && a != Resolve {
		return fmt.Sprintf("a %s was carried out for it already: resolve it, and say what the books have now", e.Executed)
	}
	switch a {
	case Carry, Resolve:
		return ""
	case WriteOff:
		if e.DifferenceFen == 0 {
			return "there is no amount to write off; resolve it"
		}
	case Reissue:
		if e.Class != recon.StateMismatch || e.Kind != pay.EntryPay {
			return "only an order that the channel has as paid and our books do not can be marked as paid (state_mismatch of a payment)"
		}
	case ConsoleRefund:
		if e.Class != recon.MissingInOurs || e.Kind != pay.EntryRefund {
			return "only a refund that the channel has and our books do not can be recorded (missing_in_ours of a refund)"
		}
	default:
		return fmt.Sprintf("there is no such action; there are %s", join(Actions()))
	}
	return ""
}

func join(actions []Action) string {
	var words []string
	for _, a := range actions {
		words = append(words, string(a))
	}
	return strings.Join(words, ", ")
}

// atOnce: the action needs no second person.
func (a Action) atOnce() bool { return a == Carry || a == Reopen }

// byEngine: once approved the action is an instruction for the order engine.
func (a Action) byEngine() bool { return a == Reissue || a == ConsoleRefund }

// outcome is where a difference stands once the action is done.
func (a Action) outcome() State {
	switch a {
	case Carry:
		return StateCarried
	case WriteOff:
		return StateWrittenOff
	case Reissue:
		return StateReissued
	case Resolve, ConsoleRefund:
		return StateResolved
	case Reopen:
		return StateOpen
	}
	return StateOpen
}

// check refuses a proposal for what it says, whatever its differences are. Now is in
// Beijing time.
func (p NewProposal) check(now time.Time) error {
	if err := checkActor(p.Actor); err != nil {
		return err
	}
	if err := checkReason(p.Reason, p.Text); err != nil {
		return err
	}
	switch {
	case len(p.Differences) == 0:
		return errors.New("say which differences it is about")
	case p.Action.byEngine() && len(p.Differences) > 1:
		return fmt.Errorf("propose %s for one difference at a time: each has a result of its own", p.Action)
	case p.Action == Carry:
		return checkUntil(p.Until, now)
	case p.Until != "":
		return fmt.Errorf("a day to wait until belongs to %s, not to %s", Carry, p.Action)
	}
	return nil
}

func checkUntil(until string, now time.Time) error {
	day, err := time.ParseInLocation(time.DateOnly, until, pay.Beijing)
	switch {
	case err != nil:
		return fmt.Errorf("carry until a day like 2026-11-20, not %q", until)
	case !day.After(now), day.Sub(now) > maxPutOff:
		return fmt.Errorf("carry until a day after today and within %d days, not %s", maxPutOff/(24*time.Hour), until)
	}
	return nil
}

func checkActor(actor string) error {
	if err := pay.CheckField("actor", actor, 1, maxActor); err != nil {
		return err
	}
	if strings.IndexFunc(actor, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
		return fmt.Errorf("the name %q holds a character that cannot be seen", actor)
	}
	return nil
}

func checkText(text string) error { return pay.CheckField("text", text, 0, maxText) }

func checkReason(code, text string) error {
	var codes []string
	for _, r := range Reasons() {
		switch {
		case r.ByRun:
			continue
		case r.Code != code:
			codes = append(codes, r.Code)
			continue
		case r.NeedsText && text == "":
			return fmt.Errorf("the reason %s needs a text that says what it is", code)
		}
		return checkText(text)
	}
	return fmt.Errorf("the reason %q is none of %s", code, strings.Join(codes, ", "))
}

// samePerson: names that differ only by case or white space are one person's.
func samePerson(a, b string) bool { return fold(a) == fold(b) }

func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, name)
}
