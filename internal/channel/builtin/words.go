package builtin

import (
	"strings"
	"time"
)

// Words are the beginnings of payment codes and what they do. A code is a word,
// or a word and a time after "=", and anything after "-": "late=5s-17".
var Words = []struct{ Word, Meaning string }{
	{"success", "paid at once, like any other code"},
	{"refuse", "refused for good, the buyer has no money; with a time: after the password"},
	{"late", "the buyer types a password, then it is paid (after 2s)"},
	{"never", "the buyer types for ever; the channel closes it (after 45s)"},
	{"lost", "paid, and the answer is lost on the way"},
	{"drop", "the request never arrives, no answer comes"},
	{"error", "PAYERROR: revoke it"},
	{"final", "paid at once, and no revoke is taken any more"},
	{"amount", "paid over one fen more than was asked for"},
}

// RefundWords are the same for the beginnings of refund numbers.
var RefundWords = []struct{ Word, Meaning string }{
	{"late", "accepted, done after 2s"},
	{"lost", "done, and the answer is lost on the way"},
	{"drop", "the first request never arrives"},
	{"refuse", "failed; the same number may be tried again"},
	{"wait", "the account has not enough funds for 2s"},
	{"abnormal", "the channel wants a person"},
}

// readWord splits a code into its word and its time, dflt where it names none.
func readWord(code string) (word string, after time.Duration, timed bool) {
	head, _, _ := strings.Cut(code, "-")
	word, number, timed := strings.Cut(head, "=")
	if !timed {
		return word, 0, false
	}
	after, err := time.ParseDuration(number)
	return word, after, err == nil && after >= 0
}

func orAfter(after time.Duration, timed bool, dflt time.Duration) time.Duration {
	if timed {
		return after
	}
	return dflt
}
