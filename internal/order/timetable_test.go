package order

import (
	"testing"
	"time"

	"paytool/internal/pay"
)

// TestTimetable is rule 3 as a table: which answer ends a payment, and when what is
// not definite is given up.
func TestTimetable(t *testing.T) {
	t.Parallel()
	table := Timetable{}.withDefaults()
	sent := time.Date(2026, 3, 1, 10, 0, 0, 0, pay.Beijing)
	o := Order{State: pay.Paying, Amount: 1250, Account: "acc1", SendBy: sent}
	fits := Answer{Verdict: Success, Amount: 1250, Account: "acc1"}
	answer := func(v Verdict) Answer { return Answer{Verdict: v, Code: "X"} }
	const deadline = 2 * time.Minute // of "not found", since the payment was sent
	for _, c := range []struct {
		name  string
		a     Answer
		since time.Duration
		want  step // without its words
	}{
		{"success", fits, time.Second, step{to: pay.Paid, by: pay.BySuccess}},
		{"success, late", fits, time.Hour, step{to: pay.Paid, by: pay.BySuccess}},
		{"success, no account named", Answer{Verdict: Success, Amount: 1250}, 0, step{to: pay.Paid, by: pay.BySuccess}},
		{"success over another amount", Answer{Verdict: Success, Amount: 1251, Account: "acc1"}, 0, step{wait: time.Minute, task: TaskContradiction}},
		{"success over nothing", Answer{Verdict: Success, Account: "acc1"}, 0, step{wait: time.Minute, task: TaskContradiction}},
		{"success for another account", Answer{Verdict: Success, Amount: 1250, Account: "acc2"}, 0, step{wait: time.Minute, task: TaskContradiction}},
		{"failed", answer(Failed), 0, step{to: pay.Closed, by: pay.ByFailure}},
		{"closed by the channel", answer(ClosedByChannel), 0, step{to: pay.Closed, by: pay.ByChannel}},
		{"revoked by the channel", answer(RevokedByChannel), 0, step{to: pay.Revoked, by: pay.ByChannel}},
		{"pay error", answer(PayError), 0, step{to: pay.Revoking, by: pay.ByTimetable}},
		{"pending", answer(Pending), 0, step{wait: time.Second}},
		{"pending after 6 s", answer(Pending), 6 * time.Second, step{wait: 2 * time.Second}},
		{"pending after 16 s", answer(Pending), 16 * time.Second, step{wait: 5 * time.Second}},
		{"pending, a second is left", answer(Pending), 29 * time.Second, step{wait: time.Second}},
		{"pending, time is over", answer(Pending), 30 * time.Second, step{to: pay.Revoking, by: pay.ByTimetable}},
		{"unclear", answer(Unclear), 0, step{wait: time.Second}},
		{"unclear, time is over", answer(Unclear), 30 * time.Second, step{to: pay.Revoking, by: pay.ByTimetable}},
		{"a verdict that nobody knows", answer("surprise"), 0, step{wait: time.Second}},
		{"not found", answer(NotFoundThere), 0, step{wait: time.Second}},
		{"not found, the buyer's time is over", answer(NotFoundThere), 31 * time.Second, step{wait: 5 * time.Second}},
		{"not found, just before it counts", answer(NotFoundThere), deadline - time.Millisecond, step{wait: time.Millisecond}},
		{"not found, two minutes after the send deadline", answer(NotFoundThere), deadline, step{to: pay.Revoking, by: pay.ByTimetable, task: TaskNotFound}},
		{"not sent", answer(NotSent), 0, step{wait: time.Second}},
		{"not sent, two minutes after the send deadline", answer(NotSent), deadline, step{to: pay.Revoking, by: pay.ByTimetable}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := table.onAnswer(o, c.a, sent.Add(c.since))
			if got.detail == "" {
				t.Error("it gives no reason")
			}
			got.detail = ""
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if got.to == pay.None {
				return
			}
			if _, err := pay.CheckMove(pay.Paying, got.to, got.by); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDefiniteAnswersAreFour(t *testing.T) {
	t.Parallel()
	for v, want := range map[Verdict]bool{
		Success: true, Failed: true, ClosedByChannel: true, RevokedByChannel: true,
		Pending: false, PayError: false, Unclear: false, NotFoundThere: false, NotSent: false, "surprise": false, "": false,
	} {
		if got := (Answer{Verdict: v}).Definite(); got != want {
			t.Errorf("%q is definite: %t", v, got)
		}
	}
}
