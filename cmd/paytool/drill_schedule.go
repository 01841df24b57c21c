package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
	"time"

	"paytool/internal/whole"

	"github.com/spf13/cobra"
)

type drillScheduleOptions struct {
	weekly, quarterly string
	plans             string
	binary            string
	user              string
	out               string
}

// defaultQuarterly is used where --quarterly has no value: another day than the weekly
// drill's, since only one runs at a time.
const defaultQuarterly = "Thu 10:00"

func newDrillScheduleCmd(a *app) *cobra.Command {
	var o drillScheduleOptions
	cmd := &cobra.Command{
		Use:   "schedule",
		Short: "Print systemd units that run the drills",
		Long: `Print systemd units, a service and a timer each, that run the plans weekly.yaml and
quarterly.yaml. Times are Beijing time and office hours: somebody should be there.
A drill that was missed is not caught up, and whatever ends the service, a fault that
is still in place is taken back. A unit that failed is a drill that did not hold.

The quarterly drill runs in the first week of January, April, July and October.`,
		Example: `  paytool drill schedule --weekly "Tue 10:00" --quarterly
  paytool drill schedule --weekly Tue 10:00 --quarterly="Thu 14:00" --out /etc/systemd/system
  systemctl daemon-reload && systemctl enable --now paytool-drill-weekly.timer`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && o.weekly != "" && !strings.Contains(o.weekly, " ") { // --weekly Tue 10:00, without quotes
				o.weekly += " " + args[0]
				return nil
			}
			return noArgs(cmd, args)
		},
		RunE: func(*cobra.Command, []string) error { return runDrillSchedule(a, o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.weekly, "weekly", "", "day and time of the weekly drill, such as \"Tue 10:00\"")
	flags.StringVar(&o.quarterly, "quarterly", "", "day and time of the quarterly drill (\""+defaultQuarterly+"\" if it has no value)")
	flags.Lookup("quarterly").NoOptDefVal = defaultQuarterly
	flags.StringVar(&o.plans, "plans", "/etc/paytool/drills", "folder of weekly.yaml and quarterly.yaml")
	flags.StringVar(&o.binary, "binary", "/usr/local/bin/paytool", "this program on that machine")
	flags.StringVar(&o.user, "user", "paytool", "user that runs the drills")
	flags.StringVar(&o.out, "out", "", "write the units into this folder instead of printing them")
	return cmd
}

// drillUnit is a file for systemd.
type drillUnit struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func runDrillSchedule(a *app, o drillScheduleOptions) error {
	units, err := o.units(a.configPath)
	if err != nil {
		return usageError(err)
	}
	if o.out != "" {
		for _, u := range units {
			path := filepath.Join(o.out, u.Name)
			if err := whole.Write(path, func(w io.Writer) error { _, err := io.WriteString(w, u.Text); return err }); err != nil {
				return err
			}
			if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // systemd's own files are readable by all; it holds no secret
				return err
			}
		}
	}
	return a.show(map[string]any{"units": units}, func(w io.Writer) error {
		p := printer{w: w}
		for i, u := range units {
			switch {
			case o.out != "":
				p.printf("%s\n", filepath.Join(o.out, u.Name))
			case i > 0:
				p.printf("\n# %s\n%s", u.Name, u.Text)
			default:
				p.printf("# %s\n%s", u.Name, u.Text)
			}
		}
		return p.err
	})
}

// unitWord is what may stand in a unit without quotes or escapes.
var unitWord = regexp.MustCompile(`^[A-Za-z0-9._/-]+$`)

// units are the files of the drills that were asked for.
func (o *drillScheduleOptions) units(configPath string) ([]drillUnit, error) {
	if o.weekly == "" && o.quarterly == "" {
		return nil, errors.New("nothing to schedule: give --weekly \"Tue 10:00\", --quarterly, or both")
	}
	if o.weekly != "" && o.weekly == o.quarterly {
		return nil, fmt.Errorf("--quarterly %q is the weekly drill's time, and only one runs at a time: choose another", o.quarterly)
	}
	if configPath == "" {
		configPath = "/etc/paytool/paytool.yaml"
	}
	for _, f := range []struct{ flag, value string }{{"--plans", o.plans}, {"--binary", o.binary}, {"--config", configPath}} {
		if !filepath.IsAbs(f.value) || !unitWord.MatchString(f.value) {
			return nil, fmt.Errorf("%s %q: want an absolute path of letters, digits, dots, dashes and underscores", f.flag, f.value)
		}
	}
	if !unitWord.MatchString(o.user) {
		return nil, fmt.Errorf("--user %q: want letters, digits, dots, dashes or underscores", o.user)
	}
	var units []drillUnit
	for _, d := range []struct{ name, at, days string }{
		{"weekly", o.weekly, "*-*-*"}, {"quarterly", o.quarterly, "*-01,04,07,10-01..07"},
	} {
		if d.at == "" {
			continue
		}
		day, clock, err := officeHours(d.at)
		if err != nil {
			return nil, fmt.Errorf("--%s %q: %w", d.name, d.at, err)
		}
		facts := unitFacts{
			Name: d.name, Calendar: fmt.Sprintf("%s %s %s:00 Asia/Shanghai", day, d.days, clock),
			Binary: o.binary, User: o.user, Config: configPath, Plan: filepath.Join(o.plans, d.name+".yaml"),
		}
		units = append(units, facts.file("service", serviceUnit), facts.file("timer", timerUnit))
	}
	return units, nil
}

// officeHours reads a weekday and a time of day at which people are there.
func officeHours(at string) (day, clock string, err error) {
	day, clock, _ = strings.Cut(at, " ")
	t, err := time.Parse("Mon 15:04", "Mon "+clock)
	switch {
	case err != nil || !strings.Contains(" Mon Tue Wed Thu Fri Sat Sun ", " "+day+" "):
		return "", "", errors.New("want a day and a time, such as \"Tue 10:00\"")
	case day == "Sat" || day == "Sun" || t.Hour() < 9 || t.Hour() >= 17:
		return "", "", errors.New("a drill wants people around: Mon to Fri, 09:00 to 17:00")
	}
	return day, t.Format("15:04"), nil
}

// unitFacts fill the units.
type unitFacts struct {
	Name, Calendar, Binary, User, Config, Plan string
}

func (f unitFacts) file(kind string, text *template.Template) drillUnit {
	var b strings.Builder
	if err := text.Execute(&b, f); err != nil {
		panic("drill schedule: " + err.Error()) // the template is wrong
	}
	return drillUnit{Name: "paytool-drill-" + f.Name + "." + kind, Text: b.String()}
}

var serviceUnit = template.Must(template.New("service").Parse(`[Unit]
Description=paytool: {{.Name}} failure drill
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
User={{.User}}
Environment=PAYTOOL_CONFIG={{.Config}}
ExecStart={{.Binary}} drill run --plan {{.Plan}} --yes
# Whatever ended the drill: what is still broken is taken back.
ExecStopPost={{.Binary}} drill recover --if-dirty
# The drill is asked to end and takes its fault back; its watchdog ends with it.
KillMode=mixed
TimeoutStopSec=3min
RuntimeMaxSec=2h
`))

var timerUnit = template.Must(template.New("timer").Parse(`[Unit]
Description=paytool: {{.Name}} failure drill, in office hours

[Timer]
OnCalendar={{.Calendar}}
# A drill that was missed is not caught up when the machine starts.
Persistent=false

[Install]
WantedBy=timers.target
`))
