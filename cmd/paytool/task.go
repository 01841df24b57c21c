package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"paytool/internal/order"
	"paytool/internal/pay"
	"paytool/internal/report"
	"paytool/internal/shard"
)

func newTaskCmd(a *app) *cobra.Command {
	return group("task", "What waits for a person: money back, revokes, refunds, contradictions", newTaskListCmd(a), newTaskShowCmd(a), newTaskCloseCmd(a))
}

func newTaskListCmd(a *app) *cobra.Command {
	var all, shadow bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List open tasks, the most urgent first",
		Long: `List open tasks, the most urgent first. Groups that do not answer are named; then
the exit status is 1.`,
		Example: `  paytool task list
  paytool task list --all -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return usageError(fmt.Errorf("--limit %d: want 1 or more", limit))
			}
			return runTaskList(cmd.Context(), a, all, shadow, limit)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "those that are done as well")
	cmd.Flags().BoolVar(&shadow, "shadow", false, "those of shadow orders instead")
	cmd.Flags().IntVar(&limit, "limit", 200, "at most that many of each group")
	return cmd
}

func runTaskList(ctx context.Context, a *app, all, shadow bool, limit int) error {
	state := order.TaskOpen
	if all {
		state = ""
	}
	return a.withEngine(ctx, func(e *engine) error {
		e.Refresh(ctx)
		tasks, missing := e.Tasks(ctx, state, shadow, limit)
		shown := struct {
			Tasks   []order.Task    `json:"tasks"`
			Missing []shard.GroupID `json:"missing_groups"`
		}{append([]order.Task{}, tasks...), append([]shard.GroupID{}, missing...)}
		if err := a.show(shown, func(w io.Writer) error { return writeTasks(w, tasks) }); err != nil {
			return err
		}
		if len(missing) > 0 {
			_, _ = fmt.Fprintf(a.err, "warning: groups %v did not answer, their tasks are missing here\n", missing)
			return errNo
		}
		return nil
	})
}

func writeTasks(w io.Writer, tasks []order.Task) error {
	if len(tasks) == 0 {
		_, err := fmt.Fprintln(w, "nothing waits")
		return err
	}
	t := report.Table{Header: []string{"DEADLINE", "TASK", "MERCHANT", "YUAN", "STATE", "DETAIL"}, Right: map[string]bool{"YUAN": true}}
	for _, task := range tasks {
		deadline := task.Deadline.In(pay.Beijing).Format("2006-01-02 15:04:05")
		if task.State == order.TaskOpen && time.Now().After(task.Deadline) {
			deadline += " LATE"
		}
		t.Add(deadline, task.ID, task.Merchant, task.Amount.Yuan(), task.State, task.Detail)
	}
	return t.Write(w)
}

func newTaskShowCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show TASK",
		Short:   "Show one task",
		Example: `  paytool task show money_back-2016091212154323221992`,
		Args:    oneArg("a task, as `paytool task list` names it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.withEngine(ctx, func(e *engine) error {
				e.Refresh(ctx)
				t, err := e.Task(ctx, args[0])
				if err != nil {
					return err
				}
				return a.showTask(t)
			})
		},
	}
}

func newTaskCloseCmd(a *app) *cobra.Command {
	var by, note string
	cmd := &cobra.Command{
		Use:   "close TASK",
		Short: "Close a task that a person has dealt with",
		Long: `Close a task in your name, with a note of what was done. Money-back tasks end by
themselves when the money is back, and in no other way.`,
		Example: `  paytool task close revoke_unsettled-2016091212154323221992 --by li.lei --note "seen as closed on the channel's pages"`,
		Args:    oneArg("a task, as `paytool task list` names it"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if by == "" || note == "" {
				return usageError(errors.New("--by and --note are both needed; see `paytool task close --help`"))
			}
			ctx := cmd.Context()
			return a.withEngine(ctx, func(e *engine) error {
				if err := e.start(ctx); err != nil {
					return err
				}
				t, err := e.CloseTask(ctx, args[0], by, note)
				if err != nil {
					return err
				}
				return a.showTask(t)
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", "who closes it (required)")
	cmd.Flags().StringVar(&note, "note", "", "what was done (required)")
	return cmd
}

func (a *app) showTask(t order.Task) error {
	return a.show(t, func(w io.Writer) error {
		lines := [][2]string{
			{"task", t.ID}, {"state", string(t.State)}, {"order", t.OrderNo.String()}, {"merchant", t.Merchant},
			{"amount", t.Amount.Yuan() + " yuan"}, {"detail", t.Detail},
			{"opened", t.Created.In(pay.Beijing).Format(listTime)}, {"deadline", t.Deadline.In(pay.Beijing).Format(listTime)},
		}
		if t.State == order.TaskDone {
			lines = append(lines, [2]string{"closed by", t.ClosedBy}, [2]string{"note", t.Note})
		}
		return writeLines(w, lines)
	})
}

// writeLines writes names and values below each other.
func writeLines(w io.Writer, lines [][2]string) error {
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "%-15s %s\n", l[0], l[1]); err != nil {
			return err
		}
	}
	return nil
}
