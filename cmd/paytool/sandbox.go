package main

import (
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"paytool/internal/report"
	"paytool/internal/sandbox"
)

const defaultSandbox = "paytool-sandbox"

func newSandboxCmd(a *app) *cobra.Command {
	var opts sandbox.Options
	var purge bool
	up := &cobra.Command{
		Use:   "up",
		Short: "Start local MariaDB groups: one primary and two semi-sync replicas each",
		Long: `Start local MariaDB groups, one primary and two semi-sync replicas each, on
loopback ports and below one directory, and write the config for them. Run again
it starts what is dead on the same ports and adds groups if more are asked for.

root@localhost has no password and logs in over each node's socket only:
  mariadb -uroot -S SOCKET`,
		Example: `  paytool sandbox up --groups 4
  paytool sandbox up -o json | jq -r '.nodes[] | select(.role=="primary") | .pid'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			level := slog.LevelWarn
			if a.verbose {
				level = slog.LevelDebug
			}
			opts.Log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
			status, err := sandbox.Up(cmd.Context(), opts)
			if err != nil {
				return err
			}
			return a.showSandbox(status)
		},
	}
	up.Flags().IntVar(&opts.Groups, "groups", 0, "groups to have at least (default: those that exist, or 3)")
	down := &cobra.Command{
		Use:   "down",
		Short: "Stop every node and keep the data",
		Example: `  paytool sandbox down
  paytool sandbox down --purge   # and remove the data`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return sandbox.Down(cmd.Context(), opts.Dir, purge)
		},
	}
	down.Flags().BoolVar(&purge, "purge", false, "remove the data as well")
	status := &cobra.Command{
		Use:     "status",
		Short:   "Show every node",
		Example: `  paytool sandbox status -o json`,
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			status, err := sandbox.Inspect(cmd.Context(), opts.Dir)
			if err != nil {
				return err
			}
			return a.showSandbox(status)
		},
	}
	cmd := group("sandbox", "Run real MariaDB groups on this machine", up, down, status)
	cmd.PersistentFlags().StringVar(&opts.Dir, "dir", defaultSandbox, "the sandbox's directory")
	return cmd
}

func (a *app) showSandbox(s *sandbox.Status) error {
	return a.show(s, func(w io.Writer) error {
		t := report.Table{
			Header: []string{"GROUP", "ROLE", "PID", "PORT", "SEMISYNC", "LAG MS", "SOCKET"},
			Right:  map[string]bool{"GROUP": true, "PID": true, "PORT": true, "LAG MS": true},
		}
		for _, n := range s.Nodes {
			pid, lag := "dead", "-"
			if n.PID != 0 {
				pid = fmt.Sprint(n.PID)
			}
			if n.LagMS != nil {
				lag = fmt.Sprint(*n.LagMS)
			}
			t.Add(n.Group, n.Role, pid, n.Port, n.SemiSync, lag, n.Socket)
		}
		if err := t.Write(w); err != nil {
			return err
		}
		_, err := fmt.Fprintf(w, "\nconfig: %s\n", s.Config)
		return err
	})
}
