package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// engineHand is who closed a task that the engine brought to its end.
const engineHand = "engine"

func taskID(kind TaskKind, no pay.OrderNo) string { return string(kind) + "-" + no.String() }

// open opens a task with the order's own transaction. One that is open already
// stays; one that a person closed though its matter goes on is opened again. due is
// when the engine looks at it, zero for a task of a person alone.
func (c *change) open(o Order, kind TaskKind, detail string, due time.Time) error {
	now := c.e.env.Now()
	t := Task{ID: taskID(kind, o.No), Kind: kind, OrderNo: o.No, Merchant: o.Key.MerchantID, Amount: o.Amount, State: TaskOpen,
		Detail: detail, Created: now, Deadline: now.Add(c.e.opts.Timetable.PersonDeadline), Due: due, Shadow: o.Shadow, Version: 1}
	opened, err := c.PutTask(c.ctx, t)
	if err == nil && !opened {
		var have Task
		if have, err = c.LockTask(c.ctx, t.ID); err != nil || have.State == TaskOpen || kind == TaskMoneyBack {
			return err
		}
		t.Version = have.Version + 1
		opened, err = c.PutTask(c.ctx, t)
	}
	if err == nil && opened {
		c.opened = append(c.opened, t)
	}
	return err
}

// alarm is what money rules, rule 16 means: the task is a row already; here are the
// metric and the log line with its id.
func (e *Engine) alarm(tasks ...Task) {
	for _, t := range tasks {
		e.count("alarm_" + string(t.Kind))
		e.log.Error("alarm", "task", t.ID, "kind", t.Kind, logOrder, t.OrderNo, "detail", t.Detail)
		e.trace(t.OrderNo, "alarm", t.ID+": "+t.Detail)
	}
}

// leaseTask keeps a task from others for a while, and reads its order.
func (e *Engine) leaseTask(ctx context.Context, t Task) (Order, error) {
	m, err := e.ownerOf(t.OrderNo)
	if err != nil {
		return Order{}, err
	}
	var o Order
	err = e.onTag(ctx, m, t.OrderNo, pay.Key{}, func(ctx context.Context, tx Tx) error {
		now, err := tx.LockTask(ctx, t.ID)
		if err != nil {
			return err
		}
		if now.Version != t.Version || now.State != TaskOpen {
			return errMovedMeanwhile(t.OrderNo)
		}
		now.Tries++
		now.Due = e.env.Now().Add(max(e.opts.Timetable.Handover, retryAfter(now.Tries)))
		now.Version++
		if _, err := tx.PutTask(ctx, now); err != nil {
			return err
		}
		o, err = tx.LockOrder(ctx, t.OrderNo)
		return err
	})
	return o, err
}

// finishTask closes a task that the engine brought to its end.
func (e *Engine) finishTask(ctx context.Context, t Task, o Order, note string) error {
	_, err := e.closeTask(ctx, t.ID, o.No, engineHand, note)
	if err == nil {
		e.log.Info("task done", "task", t.ID, "note", note)
	}
	return err
}

// CloseTask closes a task in a person's name. A money-back task has no such end: it
// is listed until the money is back. An error is an *Error.
func (e *Engine) CloseTask(ctx context.Context, id, by, note string) (Task, error) {
	no, err := orderOfTask(id)
	if err != nil {
		return Task{}, err
	}
	if strings.HasPrefix(id, string(TaskMoneyBack)+"-") {
		return Task{}, &Error{Code: pay.CodeMoveRefused, Outcome: NotCommitted,
			Message: fmt.Sprintf("task %s ends when the money is back, not before", id), Hint: "see `paytool order trace " + no.String() + "` for what holds it up"}
	}
	for _, f := range []struct{ name, value string }{{"by", by}, {"note", note}} {
		if err := pay.CheckField(f.name, f.value, 1, maxDetail); err != nil {
			return Task{}, refuseInput(err)
		}
	}
	return e.closeTask(ctx, id, no, by, note)
}

func (e *Engine) closeTask(ctx context.Context, id string, no pay.OrderNo, by, note string) (Task, error) {
	return readAt(ctx, e, no, func(ctx context.Context, m *member) (t Task, err error) {
		err = e.onTag(ctx, m, no, pay.Key{}, func(ctx context.Context, tx Tx) error {
			var err error
			if t, err = tx.LockTask(ctx, id); err != nil || t.State == TaskDone {
				return err
			}
			t.State, t.Closed, t.ClosedBy, t.Note, t.Due = TaskDone, e.env.Now(), by, note, time.Time{}
			t.Version++
			_, err = tx.PutTask(ctx, t)
			return err
		})
		return t, noTask(id, err)
	})
}

// noTask words an error that means that a task is not there.
func noTask(id string, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	return &Error{Code: CodeNotFound, Outcome: NotCommitted, Message: "there is no task " + id, Hint: "see `paytool task list`", Err: err}
}

func orderOfTask(id string) (pay.OrderNo, error) {
	i := strings.LastIndexByte(id, '-')
	no, err := pay.ParseOrderNo(id[i+1:])
	if i < 0 || err != nil {
		return no, &Error{Code: CodeNotFound, Outcome: NotCommitted, Message: fmt.Sprintf("%q is no task: want kind-order", id), Hint: "see `paytool task list`"}
	}
	return no, nil
}

// Task reads one task. An error is an *Error.
func (e *Engine) Task(ctx context.Context, id string) (Task, error) {
	no, err := orderOfTask(id)
	if err != nil {
		return Task{}, err
	}
	return readAt(ctx, e, no, func(ctx context.Context, m *member) (Task, error) {
		t, err := m.FindTask(ctx, id, no.Tag())
		return t, noTask(id, err)
	})
}

// Tasks lists tasks of all groups by deadline, at most limit of each group, and
// names the groups that did not answer.
func (e *Engine) Tasks(ctx context.Context, state TaskState, shadow bool, limit int) (all []Task, missing []shard.GroupID) {
	ctx, cancel := e.env.WithTimeout(ctx, listTimeout)
	defer cancel()
	parts, missing, topo := askOwners(ctx, e, func(ctx context.Context, m *member) ([]Task, error) { return m.Tasks(ctx, state, shadow, limit) })
	for _, p := range parts {
		for _, t := range p.value {
			if p.owns(topo, t.OrderNo) {
				all = append(all, t)
			}
		}
	}
	slices.SortFunc(all, func(a, b Task) int {
		return cmp.Or(a.Deadline.Compare(b.Deadline), cmp.Compare(a.ID, b.ID))
	})
	return all, missing
}
