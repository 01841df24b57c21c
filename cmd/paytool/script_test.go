package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"paytool/internal/pay"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"paytool": main})
}

// TestScripts runs what a user could have typed, without any database.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	runScripts(t, files...)
}

// TestScriptsAlone runs the scripts with engines at work, one after the other and
// beside no other test: on a busy machine even a healthy group is too slow.
func TestScriptsAlone(t *testing.T) {
	files, err := filepath.Glob("testdata/alone/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) { runScripts(t, f) })
	}
}

func runScripts(t *testing.T, files ...string) {
	t.Helper()
	testscript.Run(t, testscript.Params{
		Files: files,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status":     wantStatus,
			"number":     keep(regexp.MustCompile(`"order_no": "([0-9]+)"`)),
			"difference": keep(regexp.MustCompile(`"id": "(D-[^"]+)"`)),
			"proposal":   keep(regexp.MustCompile(`"id": "(P-[^"]+)"`)),
			"cursor":     keep(regexp.MustCompile(`"next": "([^"]+)"`)),
			"day":        setDay,
		},
	})
}

// setDay is `day NAME [DAYS]`: the day in Beijing, so many days from today.
func setDay(ts *testscript.TestScript, _ bool, args []string) {
	days := 0
	if len(args) > 1 {
		var err error
		days, err = strconv.Atoi(args[1])
		ts.Check(err)
	}
	ts.Setenv(args[0], time.Now().In(pay.Beijing).AddDate(0, 0, days).Format(time.DateOnly))
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
