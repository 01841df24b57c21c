package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"paytool/internal/drill/result"
	"paytool/internal/drill/watch"
	"paytool/internal/shard"
)

// drillView shows a drill while it runs: drawn in place on a terminal, as plain lines
// anywhere else.
type drillView interface {
	say(line string)
	draw(p drillPicture)
	close()
}

// newDrillView takes stop for when a person wants the drill to end.
func newDrillView(out *statusLine, plain bool, stop func()) drillView {
	if !out.visible || plain || os.Getenv("TERM") == "dumb" {
		return &plainDrill{out: out, last: time.Now()}
	}
	v := &liveDrill{}
	v.program = tea.NewProgram(drillScreen{stop: stop}, tea.WithOutput(out.out), tea.WithContext(context.Background()), tea.WithoutSignalHandler())
	v.ended.Go(func() { _, _ = v.program.Run() }) // without a picture the drill goes on all the same
	return v
}

// drillPicture is what the live view draws.
type drillPicture struct {
	id, fault string
	phase     result.Phase
	since     time.Duration // of the load
	left      time.Duration // of the load
	ttl       time.Duration // until the watchdog takes the fault back; 0: nothing is injected
	live      watch.Live
	groups    []shard.Status
	targets   map[shard.GroupID]bool
	semisync  map[shard.GroupID]bool // groups whose commits do not wait
	lines     []string
}

func (d *drillRun) picture() drillPicture {
	now := time.Now()
	p := drillPicture{id: d.id, fault: d.plan.FaultText(), since: now.Sub(d.loading), live: d.eyes.Live(now), groups: d.fleet(), targets: map[shard.GroupID]bool{}, semisync: d.semisyncOff()}
	p.left = max(0, d.plan.LoadFor()-p.since)
	for _, g := range d.targets {
		p.targets[g] = true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	p.phase = d.phase
	if !d.faulted.IsZero() && (d.phase == result.PhaseFault || d.phase == result.PhaseRestore) {
		p.ttl = max(0, d.plan.TTL-now.Sub(d.faulted))
	}
	const lines = 7
	for i := max(0, len(d.events)-lines); i < len(d.events); i++ {
		p.lines = append(p.lines, d.eventLine(d.events[i]))
	}
	return p
}

// plainDrill writes a line for each event, and one of figures every few seconds.
type plainDrill struct {
	out  io.Writer
	last time.Time
}

func (v *plainDrill) say(line string) { _, _ = fmt.Fprintln(v.out, line) } // stderr is the last resort

func (v *plainDrill) draw(p drillPicture) {
	if time.Since(v.last) < plainEvery {
		return
	}
	v.last = time.Now()
	l := p.live
	_, _ = fmt.Fprintf(v.out, "%6.1fs  %s: %.0f orders/s, p99 %.0f ms; %d acked, %d failed, %d unknown, %d dropped, %d hops\n",
		p.since.Seconds(), p.phase, l.Rate, float64(l.P99.Microseconds())/1000, l.Acked, l.Failed, l.Unknown, l.Dropped, l.Hops)
}

func (v *plainDrill) close() {}

// liveDrill draws in place.
type liveDrill struct {
	program *tea.Program
	ended   sync.WaitGroup
	once    sync.Once
}

func (v *liveDrill) say(string) {} // the picture has the events

func (v *liveDrill) draw(p drillPicture) { v.program.Send(p) }

func (v *liveDrill) close() {
	v.once.Do(func() {
		v.program.Quit()
		v.ended.Wait()
	})
}

// drillScreen is the model of the picture.
type drillScreen struct {
	p    drillPicture
	stop func()
	said bool
}

func (drillScreen) Init() tea.Cmd { return nil }

func (m drillScreen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case drillPicture:
		m.p = msg
	case tea.KeyPressMsg:
		if k := msg.String(); k == "s" || k == "ctrl+c" {
			m.said = true
			m.stop()
		}
	}
	return m, nil
}

func (m drillScreen) View() tea.View {
	if m.p.id == "" {
		return tea.NewView("")
	}
	return tea.NewView(m.p.text(m.said))
}

// text draws the picture.
func (p drillPicture) text(stopping bool) string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	ttl := ""
	if p.ttl > 0 {
		ttl = bad.Render(fmt.Sprintf("  TTL %.0fs", p.ttl.Seconds()))
	}
	line("%s  %s  %s%s", bold.Render("drill "+p.id), p.fault, bold.Render(string(p.phase)), ttl)
	help := "s stops and restores"
	if stopping {
		help = bad.Render("stopping: the fault is taken back")
	}
	line("%s", faint.Render(fmt.Sprintf("%.1fs of the load, %.0fs left   ", p.since.Seconds(), p.left.Seconds()))+help)
	line("")
	l := p.live
	lost := good.Render("0 failed")
	if l.Failed > 0 {
		lost = bad.Render(fmt.Sprintf("%d failed", l.Failed))
	}
	line("orders/s  %.0f   p99 %.0f ms", l.Rate, float64(l.P99.Microseconds())/1000)
	line("orders    %d acknowledged, %s, %d unknown, %d rejected, %d dropped; %d hops", l.Acked, lost, l.Unknown, l.Rejected, l.Dropped, l.Hops)
	line("")
	line("%s", faint.Render("group  state                  semi-sync  orders/s   in  out"))
	for _, st := range p.groups {
		line("%s", p.groupLine(st))
	}
	line("")
	for _, text := range p.lines {
		line("%s", text)
	}
	return b.String()
}

func (p drillPicture) groupLine(st shard.Status) string {
	g := st.Group.ID
	state := good.Render("● takes orders       ")
	if st.Ejection != nil {
		state = bad.Render(fmt.Sprintf("○ %-19s", st.Ejection.Cause))
	}
	mark := " "
	if p.targets[g] {
		mark = "*"
	}
	sync := good.Render("on ")
	if p.semisync[g] {
		sync = bad.Render("off")
	}
	var now watch.Group
	for _, x := range p.live.Groups {
		if x.ID == g {
			now = x
		}
	}
	return fmt.Sprintf("%s %-4d %s  %s      %8.0f %4d %4d", mark, g, state, sync, now.Rate, now.In, now.Out)
}
