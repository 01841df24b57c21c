package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"paytool/internal/order"
)

func TestTasks(t *testing.T) {
	b := newBed(t)
	ctx := b.ctx()
	put := func(k order.Task) (bool, error) {
		t.Helper()
		return b.put(func(tx order.Tx) (bool, error) { return tx.PutTask(ctx, k) })
	}
	elsewhere := taggedNumber(t, 1, 2) // a try in another group
	back := order.Task{ID: "money_back:1", Kind: order.TaskMoneyBack, OrderNo: elsewhere, Merchant: "m1", Amount: 1250, State: order.TaskOpen,
		Detail: "was paid twice", Created: t0.Add(time.Second), Deadline: t0.Add(time.Hour), Due: t0, Version: 1}
	person := back
	person.ID, person.Kind, person.Created, person.Due = "refund_abnormal:1", order.TaskRefund, t0, time.Time{}
	shadow := back
	shadow.ID, shadow.Shadow, shadow.Due = "money_back:2", true, t0.Add(time.Hour)
	for _, k := range []order.Task{back, person, shadow} {
		if done, err := put(k); !done || err != nil {
			t.Fatalf("new task: %v, %v", done, err)
		}
	}
	if n := b.count("tasks WHERE tag=1"); n != 3 {
		t.Errorf("%d tasks lie under the tag that was locked, want all 3", n)
	}
	again := back
	again.Detail = "opened twice"
	if done, err := put(again); done || err != nil {
		t.Errorf("a task that is open already: %v, %v", done, err)
	}
	if due, err := b.group.DueTasks(ctx, t0, 10); err != nil || len(due) != 1 || due[0].ID != back.ID {
		t.Errorf("due tasks: %+v, %v", due, err)
	}
	list := func(state order.TaskState, shadow bool, limit int, want ...order.Task) {
		t.Helper()
		got, err := b.group.Tasks(ctx, state, shadow, limit)
		if d := cmp.Diff(want, got, compareNumbers); err != nil || d != "" {
			t.Errorf("tasks in state %q (-want +got): %v\n%s", state, err, d)
		}
	}
	list(order.TaskOpen, false, 10, person, back)
	list("", false, 1, person)
	list("", true, 10, shadow)

	back.State, back.Closed, back.ClosedBy, back.Note, back.Due, back.Tries, back.Version = order.TaskDone, t0.Add(time.Minute), "engine", "given back", time.Time{}, 1, 2
	if done, err := put(back); !done || err != nil {
		t.Errorf("over version 1: %v, %v", done, err)
	}
	if done, err := put(back); done || err != nil {
		t.Errorf("over version 1, which is gone: %v, %v", done, err)
	}
	list(order.TaskDone, false, 10, back)
	if got, err := b.group.FindTask(ctx, back.ID, 1); err != nil || cmp.Diff(back, got, compareNumbers) != "" {
		t.Errorf("found %+v, %v", got, err)
	}
	if _, err := b.group.FindTask(ctx, "none", 1); !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such task: %v", err)
	}
	err := write(ctx, b.group, func(tx order.Tx) error {
		if got, err := tx.LockTask(ctx, back.ID); err != nil || got.Version != 2 {
			t.Errorf("locked %+v, %v", got, err)
		}
		_, err := tx.LockTask(ctx, "none")
		return err
	})
	if !errors.Is(err, order.ErrNotFound) {
		t.Errorf("no such task: %v", err)
	}
}
