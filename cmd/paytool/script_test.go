package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"paytool/internal/pay"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"paytool": func() {
			os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
		},
	})
}

// TestScripts runs what a user could have typed, without any database.
func TestScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/script")
}

// TestDemo runs alone: on a machine that is busy with other tests even a healthy
// group is too slow.
func TestDemo(t *testing.T) { runScripts(t, "testdata/demo") }

func runScripts(t *testing.T, dir string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": wantStatus,
			"number": keep(regexp.MustCompile(`"order_no": "([0-9]+)"`)),
			"cursor": keep(regexp.MustCompile(`"next": "([^"]+)"`)),
			"today": func(ts *testscript.TestScript, _ bool, args []string) {
				ts.Setenv(args[0], time.Now().In(pay.Beijing).Format(time.DateOnly))
			},
		},
	})
}

// wantStatus is `status N command...`: the command must end with exit status N.
func wantStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N command [args...]")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// keep is `NAME VARIABLE FILE`: what the pattern finds first in the file goes into the
// variable.
func keep(pattern *regexp.Regexp) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		found := pattern.FindStringSubmatch(ts.ReadFile(args[1]))
		if found == nil {
			ts.Fatalf("no %s in %s", pattern, args[1])
		}
		ts.Setenv(args[0], found[1])
	}
}
