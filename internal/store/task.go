package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"paytool/internal/order"
	"paytool/internal/pay"
)

const (
	taskColumns = `id, kind, order_no, merchant_id, amount_fen, state, detail,
  created_ms, deadline_ms, due_ms, tries, closed_ms, closed_by, note, shadow, version`
	selectTaskSQL = `SELECT ` + taskColumns + ` FROM tasks WHERE id=?`
	insertTaskSQL = `INSERT INTO tasks (` + taskColumns + `, tag) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	updateTaskSQL = `UPDATE tasks SET state=?, detail=?, deadline_ms=?, due_ms=?, tries=?, closed_ms=?, closed_by=?, note=?, version=?
WHERE id=? AND version=?`
)

func scanTask(row scanner) (t order.Task, err error) {
	var created, deadline, due, closed int64
	var no string
	err = row.Scan(&t.ID, &t.Kind, &no, &t.Merchant, &t.Amount, &t.State, &t.Detail,
		&created, &deadline, &due, &t.Tries, &closed, &t.ClosedBy, &t.Note, &t.Shadow, &t.Version)
	t.Created, t.Deadline, t.Due, t.Closed = fromMS(created), fromMS(deadline), fromMS(due), fromMS(closed)
	return t, errors.Join(err, t.OrderNo.UnmarshalText([]byte(no)))
}

// LockTask reads a task and locks its row until the transaction ends.
func (t *tx) LockTask(ctx context.Context, id string) (order.Task, error) {
	task, err := scanTask(t.conn.QueryRowContext(ctx, selectTaskSQL+forUpdate, id))
	if errors.Is(err, sql.ErrNoRows) {
		return order.Task{}, taskNotFound(id, t.node.name)
	}
	return task, t.fail(fmt.Sprintf("lock task %s", id), err)
}

func taskNotFound(id, node string) error {
	return fmt.Errorf("task %s on %s: %w", id, node, order.ErrNotFound)
}

// PutTask writes a new task, or a compare-and-set on its version. A task moves with
// the tag under whose lock it was opened: its order may be a try that never lay in
// this group.
func (t *tx) PutTask(ctx context.Context, k order.Task) (bool, error) {
	doing := fmt.Sprintf("write task %s", k.ID)
	t.touch(k.OrderNo)
	if k.Version == 1 {
		_, err := t.exec(ctx, doing, insertTaskSQL, k.ID, k.Kind, k.OrderNo.String(), k.Merchant, k.Amount, k.State, k.Detail,
			toMS(k.Created), toMS(k.Deadline), toMS(k.Due), k.Tries, toMS(k.Closed), k.ClosedBy, k.Note, k.Shadow, k.Version, t.tag)
		if errors.Is(err, order.ErrDuplicateNo) {
			return false, nil // it is open, or was dealt with
		}
		return err == nil, err
	}
	n, err := t.exec(ctx, doing, updateTaskSQL, k.State, k.Detail, toMS(k.Deadline), toMS(k.Due), k.Tries, toMS(k.Closed), k.ClosedBy, k.Note,
		k.Version, k.ID, k.Version-1)
	return err == nil && n == 1, err
}

// DueTasks lists open tasks of the engine's whose time has come, on the primary,
// the longest due first.
func (g *Group) DueTasks(ctx context.Context, now time.Time, limit int) ([]order.Task, error) {
	due, err := readAll(ctx, g.primary().db, scanTask, `SELECT `+taskColumns+` FROM tasks
WHERE due_ms>0 AND due_ms<=? AND state=? AND `+ofOwnTags+` ORDER BY due_ms, id LIMIT ?`, toMS(now), order.TaskOpen, limit)
	return due, g.primary().fail("list due tasks", err, beforeCommit)
}

// Tasks lists tasks, the oldest first.
func (g *Group) Tasks(ctx context.Context, state order.TaskState, shadow bool, limit int) ([]order.Task, error) {
	where, args := "shadow=? AND "+ofOwnTags, []any{shadow}
	if state != "" {
		where, args = where+" AND state=?", append(args, state)
	}
	return askInTurn(ctx, g.nodes(), "list tasks", func(ctx context.Context, n *node) ([]order.Task, error) {
		return readAll(ctx, n.db, scanTask, `SELECT `+taskColumns+` FROM tasks WHERE `+where+` ORDER BY created_ms, id LIMIT ?`, append(args, limit)...)
	})
}

// FindTask reads a task on the primary. Of a tag that lives in another group by now it
// answers order.ErrNotOwned.
func (g *Group) FindTask(ctx context.Context, id string, tag pay.Tag) (order.Task, error) {
	n, doing := g.primary(), fmt.Sprintf("read task %s", id)
	if err := n.has(ctx, tag); err != nil {
		return order.Task{}, n.fail(doing, err, beforeCommit)
	}
	task, err := scanTask(n.db.QueryRowContext(ctx, selectTaskSQL, id))
	if errors.Is(err, sql.ErrNoRows) {
		return order.Task{}, taskNotFound(id, n.name)
	}
	return task, n.fail(doing, err, beforeCommit)
}
