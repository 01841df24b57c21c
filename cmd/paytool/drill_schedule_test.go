package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// systemd itself reads the units. Where there is none the test is skipped.
func TestScheduleIsReadBySystemd(t *testing.T) {
	t.Parallel()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze here")
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o := drillScheduleOptions{weekly: "Tue 10:00", quarterly: defaultQuarterly, plans: "/etc/paytool/drills", binary: program, user: "root"}
	units, err := o.units("")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"verify", "--recursive-errors=no"}
	for _, u := range units {
		path := filepath.Join(dir, u.Name)
		if err := os.WriteFile(path, []byte(u.Text), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
		for line := range strings.Lines(u.Text) {
			calendar, ok := strings.CutPrefix(strings.TrimSpace(line), "OnCalendar=")
			if !ok {
				continue
			}
			if out, err := exec.CommandContext(t.Context(), analyze, "calendar", calendar).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", calendar, err, out)
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
