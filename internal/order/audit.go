package order

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// DossierQuery asks for the orders whose numbers were given within [From, To), to
// the second; shadow ones instead of real ones where Shadow is set.
type DossierQuery struct {
	From, To time.Time
	Shadow   bool
}

// Dossier is all that a group has about one order number. Order is zero where there
// are records and no order.
type Dossier struct {
	No      pay.OrderNo
	Group   shard.GroupID
	Order   Order
	Moves   []Move // by version
	Refunds []Refund
	Revokes []Revoke
	Tasks   []Task
}

// Check names what an audit looks for.
type Check string

// The checks of an audit.
const (
	CheckOrderMissing  Check = "order_missing"  // records without their order
	CheckMoves         Check = "moves"          // moves that are missing, or do not follow one another by the table
	CheckState         Check = "state"          // the order is not where its last move led
	CheckPaidUnproven  Check = "paid_unproven"  // PAID, and no move or time of payment says so
	CheckOverdue       Check = "overdue"        // open, and nobody carries it on
	CheckRefundSum     Check = "refund_sum"     // refunded_fen is not the sum of the refunds that are done
	CheckOverRefunded  Check = "over_refunded"  // more goes back than was paid
	CheckRefundUnpaid  Check = "refund_unpaid"  // a refund of an order that was never paid
	CheckRevoke        Check = "revoke"         // revoke records and order do not fit
	CheckTask          Check = "task_overdue"   // a task is open past its deadline
	CheckAnswerWaiting Check = "answer_waiting" // a channel's answer lies in another group, and nobody applies it
	CheckLiveTwice     Check = "live_twice"     // two orders of one key may be paid
	CheckPaidTwice     Check = "paid_twice"     // two are, and no money-back task is at it
)

// advice is what to do about a finding.
var advice = map[Check]string{
	CheckOrderMissing:  "the order was deleted past the engine or not restored: look for it in a backup of the group",
	CheckMoves:         "somebody wrote past the engine, or moves were lost: compare with a backup of the group",
	CheckState:         "somebody wrote past the engine: ask the channel what became of the payment; it is right",
	CheckPaidUnproven:  "ask the channel whether it was paid before anything is delivered or refunded",
	CheckOverdue:       "see that an engine with this channel runs; it carries the order on",
	CheckRefundSum:     "the refunds are right: ask the channel about each, then have the sum corrected by an operator",
	CheckOverRefunded:  "ask the channel which of them were made; what is too much is claimed back from the buyer",
	CheckRefundUnpaid:  "ask the channel whether the order was paid: perhaps a supplement (补单) is missing",
	CheckRevoke:        "the bill says what became of the money; see `paytool order trace`",
	CheckTask:          "deal with it, then `paytool task close`",
	CheckAnswerWaiting: "see that an engine runs and that the order's group takes writes",
	CheckLiveTwice:     "`paytool order verify` settles twins; do not deliver twice",
	CheckPaidTwice:     "refund the later one, if the buyer paid twice",
}

// Finding is one thing in our own books that does not fit.
type Finding struct {
	Check   Check         `json:"check"`
	OrderNo pay.OrderNo   `json:"order_no"`
	Group   shard.GroupID `json:"group"`
	What    string        `json:"what"` // in words, with both values
	Advice  string        `json:"advice"`
}

// AuditReport is what an audit looked at.
type AuditReport struct {
	Orders   int64         `json:"orders"`
	Records  int64         `json:"records"` // moves, refunds, revokes and tasks
	Findings map[Check]int `json:"findings"`
	Sources  []Source      `json:"sources"`
}

// slack is how long something may be late, or two orders of a key side by side,
// before it is a finding: engines need moments, and a restart minutes.
const slack = 10 * time.Minute

// Audit holds our own books against themselves: the orders whose numbers were given
// in a span of time against their moves, refunds, revokes and tasks, in one snapshot
// of each group, and the orders of each key against one another over all groups.
// yield is called by one goroutine at a time. It changes nothing, and fails, naming
// the group, where one cannot be read.
//
// Cost: every order of the span is read once; memory of some 20 bytes for each that
// is paid or open.
func (e *Engine) Audit(ctx context.Context, q DossierQuery, yield func(Finding) error) (AuditReport, error) {
	a := &audit{e: e, q: q, now: e.env.Now(), yield: yield, seen: map[uint64]struct{}{}, report: AuditReport{Findings: map[Check]int{}}}
	sources, err := readEach(ctx, e, "read the orders", a.dossier, func(ctx context.Context, m *member, yield func(Dossier) error) (Source, error) {
		return m.Dossiers(ctx, q, yield)
	})
	a.report.Sources = sources
	if err != nil {
		return a.report, err
	}
	for _, step := range []func(context.Context) error{a.keys, a.answers} {
		if err := step(ctx); err != nil {
			return a.report, err
		}
	}
	return a.report, nil
}

// audit is one audit under way. One goroutine at a time uses it.
type audit struct {
	e      *Engine
	q      DossierQuery
	now    time.Time
	yield  func(Finding) error
	report AuditReport

	// seen are fingerprints of the keys of orders that live, suspects the keys whose
	// fingerprint came twice: few, and each is looked up. A key whose fingerprint is
	// like another's costs a look-up, never a finding.
	seen     map[uint64]struct{}
	suspects []pay.Key
}

func (a *audit) found(all ...Finding) error {
	for _, f := range all {
		f.Advice = advice[f.Check]
		a.report.Findings[f.Check]++
		if err := a.yield(f); err != nil {
			return err
		}
	}
	return nil
}

func (a *audit) dossier(d Dossier) error {
	a.report.Records += int64(len(d.Moves) + len(d.Refunds) + len(d.Revokes) + len(d.Tasks))
	if !d.Order.No.IsZero() {
		a.report.Orders++
		if !d.Order.State.Final() {
			a.remember(d.Order.Key)
		}
	}
	return a.found(judgeDossier(d, a.now)...)
}

func (a *audit) remember(key pay.Key) {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key.MerchantID + "\x00" + key.MerchantOrderNo)) // a hash takes everything
	sum := h.Sum64()
	if _, twice := a.seen[sum]; twice {
		a.suspects = append(a.suspects, key)
	}
	a.seen[sum] = struct{}{}
}

// keys looks up what the suspects' keys have in all groups.
func (a *audit) keys(ctx context.Context) error {
	done := map[pay.Key]bool{}
	for _, key := range a.suspects {
		if done[key] {
			continue
		}
		done[key] = true
		rows, missing := askEach(ctx, a.e, func(ctx context.Context, m *member) ([]Order, error) { return m.KeyRows(ctx, key) })
		if len(missing) > 0 {
			return fmt.Errorf("look up key %s: groups %v do not answer; try again when they are back", key, missing)
		}
		live, silent := a.e.owned(ctx, slices.Concat(rows...))
		if len(silent) > 0 {
			return fmt.Errorf("look up key %s: groups %v do not answer; try again when they are back", key, silent)
		}
		live = slices.DeleteFunc(live, func(o Order) bool { return o.State.Final() })
		if err := a.key(ctx, live); err != nil {
			return err
		}
	}
	return nil
}

// key judges the living orders of a key, each pair of them.
func (a *audit) key(ctx context.Context, live []Order) error {
	for i, first := range live {
		for _, second := range live[i+1:] {
			f := judgePair(first, second, a.now)
			if f.Check == CheckPaidTwice {
				open, err := a.moneyBackOpen(ctx, f.OrderNo)
				if err != nil {
					return err
				}
				if open {
					continue
				}
			}
			if f.Check == "" {
				continue
			}
			if err := a.found(f); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *audit) moneyBackOpen(ctx context.Context, no pay.OrderNo) (bool, error) {
	t, err := a.e.Task(ctx, taskID(TaskMoneyBack, no))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return t.State == TaskOpen, err
}

// maxWaiting bounds the answers that are looked at in one group.
const maxWaiting = 10_000

// answers lists what groups keep for others and nobody has applied.
func (a *audit) answers(ctx context.Context) error {
	for _, m := range a.e.members {
		entries, err := m.Journal(ctx, pay.OrderNo{}, maxWaiting)
		if err != nil {
			return fmt.Errorf("read the answers that group %d keeps: %w", m.ID(), err)
		}
		for _, entry := range entries {
			given := entry.OrderNo.Second()
			if entry.Answer == nil || given.Before(a.q.From) || !given.Before(a.q.To) || a.now.Sub(entry.Created) < slack {
				continue
			}
			if err := a.found(Finding{Check: CheckAnswerWaiting, OrderNo: entry.OrderNo, Group: m.ID(),
				What: fmt.Sprintf("group %d keeps the answer %s of %s, and the order has not been told", m.ID(), entry.Answer.Verdict, clock(entry.Created))}); err != nil {
				return err
			}
		}
	}
	return nil
}
