package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"

	"paytool/internal/config"
	"paytool/internal/report"
)

// version is set when a release is built (-ldflags "-X main.version=...").
var version = "devel"

// run is the whole program: it parses the arguments, does the work on the given
// streams and returns the exit status.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) int {
	a := &app{in: in, out: out, err: newStatusLine(errOut)}
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	return a.exit(ctx, err)
}

// app is what every command shares: the streams and the global flags.
type app struct {
	in         io.Reader
	out        io.Writer
	err        *statusLine
	configPath string
	dir        string // of embedded groups, instead of a config
	output     string
	verbose    bool
}

// What -o takes. Only commands that are annotated with csvOutput print CSV.
const (
	outputTable = "table"
	outputJSON  = "json"
	outputCSV   = "csv"
	csvOutput   = "csv"
)

const rootLong = `paytool keeps payments going: an order engine over several database groups in
which a new order avoids a failing group, so that nobody notices the failure.

Exit status: 0 done, 1 failed or the "no" of a check, 2 wrong usage,
130 interrupted.`

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "paytool",
		Short:         "Keep payments going over several database groups",
		Long:          rootLong,
		Version:       buildVersion(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Annotations[csvOutput] != "" && a.output == outputCSV {
				return nil
			}
			if a.output != outputTable && a.output != outputJSON {
				return usageError(fmt.Errorf("-o %s: choose table or json (lists also csv)", a.output))
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError(err) })
	flags := root.PersistentFlags()
	flags.StringVar(&a.configPath, "config", "", "config file (default: $PAYTOOL_CONFIG, ./paytool.yaml, ./paytool-sandbox/paytool.yaml)")
	flags.StringVar(&a.dir, "dir", "", "use embedded groups in this folder instead of a config; it is made if it is not there")
	flags.StringVarP(&a.output, "output", "o", outputTable, "what to print on stdout: table or json, lists also csv")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log more on stderr")
	root.AddCommand(
		newDemoCmd(a), newServeCmd(a), newLimitCmd(a), newOrderCmd(a), newTaskCmd(a), newShardCmd(a), newLoadCmd(a), newDrillCmd(a), newSimCmd(a), newSandboxCmd(a), newConfigCmd(a), newBillCmd(a), newReconCmd(a), newChannelCmd(a),
	)
	return root
}

func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "devel" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return "devel (" + s.Value[:12] + ")"
			}
		}
	}
	return version
}

// group is a command that only holds others.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use: use, Short: short, Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(children...)
	return cmd
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError(fmt.Errorf("unknown argument %q; see `%s --help`", args[0], cmd.CommandPath()))
	}
	return nil
}

// oneArg wants one argument and says what it is.
func oneArg(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError(fmt.Errorf("%s wants one argument: %s", cmd.CommandPath(), what))
		}
		return nil
	}
}

// loadConfig finds and reads the config; its warnings go to stderr.
func (a *app) loadConfig() (*config.Config, error) {
	path, err := config.Find(a.configPath, os.Getenv("PAYTOOL_CONFIG"))
	if err != nil {
		return nil, err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	for _, w := range cfg.Warnings() {
		_, _ = fmt.Fprintln(a.err, "warning:", w)
	}
	return cfg, nil
}

// logger writes to stderr as the config says, more with --verbose.
func (a *app) logger(log config.Log) *slog.Logger {
	opts := &slog.HandlerOptions{Level: log.SlogLevel()}
	if a.verbose {
		opts.Level = slog.LevelDebug
	}
	if log.Format == "json" {
		return slog.New(slog.NewJSONHandler(a.err, opts))
	}
	return slog.New(slog.NewTextHandler(a.err, opts))
}

// show prints a result: as JSON, or with the given function.
func (a *app) show(v any, table func(w io.Writer) error) error {
	if a.output == outputJSON {
		return report.JSON(a.out, v)
	}
	return table(a.out)
}
