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
	"charm.land/lipgloss/v2"

	"paytool/internal/order"
	"paytool/internal/shard"
)

// view shows a demo while it runs: drawn in place on a terminal, as plain lines
// anywhere else.
type view interface {
	say(e demoEvent)
	draw(s snapshot)
	close()
}

// drawEvery is the pause between two pictures; plain says every is longer.
const (
	drawEvery  = 250 * time.Millisecond
	plainEvery = 5 * time.Second
)

func newView(out *statusLine, plain bool) view {
	if !out.visible || plain || os.Getenv("TERM") == "dumb" {
		return &plainView{out: out, last: time.Now()}
	}
	return startLive(out.out)
}

// watch draws until the demo ends.
func (d *demo) watch(ctx context.Context) {
	for (order.System{}).Sleep(ctx, drawEvery) == nil {
		s := d.rec.snapshot()
		s.till, s.status = d.till.Result(), d.engine.Fleet().Snapshot()
		d.view.draw(s)
	}
}

// plainView writes a line for each event, and one of figures every few seconds.
type plainView struct {
	out  io.Writer
	last time.Time
}

func (v *plainView) say(e demoEvent) {
	_, _ = fmt.Fprintf(v.out, "%5.1fs  %s\n", float64(e.AtMs)/1000, e.Text) // stderr is the last resort
}

func (v *plainView) draw(s snapshot) {
	if time.Since(v.last) < plainEvery {
		return
	}
	v.last = time.Now()
	_, _ = fmt.Fprintf(v.out, "%5.1fs  %d orders acknowledged, %d failed, %d unknown; %d paid, %d refunds, %d revoked\n",
		s.since.Seconds(), s.total.Acked, s.total.Failed, s.total.Unknown, s.till.Paid, s.till.Refunds, s.till.Revoked)
}

func (v *plainView) close() {}

// liveView draws in place.
type liveView struct {
	program *tea.Program
	ended   sync.WaitGroup
	once    sync.Once
}

func startLive(out io.Writer) *liveView {
	// Signals stay with main, so that Ctrl-C ends the demo and not only its picture.
	v := &liveView{program: tea.NewProgram(screen{}, tea.WithOutput(out), tea.WithInput(nil), tea.WithoutSignalHandler())}
	v.ended.Go(func() { _, _ = v.program.Run() }) // without a picture the demo goes on all the same
	return v
}

func (v *liveView) say(demoEvent) {} // the picture has the events

func (v *liveView) draw(s snapshot) { v.program.Send(s) }

func (v *liveView) close() {
	v.once.Do(func() {
		v.program.Quit()
		v.ended.Wait()
	})
}

// screen is the model of the picture: the last snapshot.
type screen struct{ s snapshot }

func (screen) Init() tea.Cmd { return nil }

func (m screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if s, ok := msg.(snapshot); ok {
		m.s = s
	}
	return m, nil
}

func (m screen) View() tea.View {
	if m.s.status == nil {
		return tea.NewView("")
	}
	return tea.NewView(picture(m.s))
}

var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	good  = lipgloss.NewStyle().Foreground(lipgloss.Color("2"))
	bad   = lipgloss.NewStyle().Foreground(lipgloss.Color("1")).Bold(true)
)

// picture draws a snapshot.
func picture(s snapshot) string {
	var b strings.Builder
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(&b, format+"\n", args...) }
	line("%s  %s", bold.Render("paytool demo"), faint.Render(fmt.Sprintf("%4.1fs of %.0fs", min(s.since, demoFor).Seconds(), demoFor.Seconds())))
	line("")
	line("orders/s  %s %d", sparkline(s.acks, 50), rateNow(s.acks))
	failed := good.Render("0 failed")
	if s.total.Failed > 0 {
		failed = bad.Render(fmt.Sprintf("%d failed", s.total.Failed))
	}
	line("orders    %d acknowledged, %s, %d unknown", s.total.Acked, failed, s.total.Unknown)
	line("payments  %d paid, %s yuan; %d refunds; %d revoked; %d refused", s.till.Paid, s.till.PaidFen.Yuan(), s.till.Refunds, s.till.Revoked, s.till.Refused)
	line("")
	for _, st := range s.status {
		line("%s", groupLine(st, s.groups))
	}
	line("")
	const lines = 6
	for i := max(0, len(s.events)-lines); i < len(s.events); i++ {
		line("%s  %s", faint.Render(fmt.Sprintf("%5.1fs", float64(s.events[i].AtMs)/1000)), s.events[i].Text)
	}
	return b.String()
}

func groupLine(st shard.Status, groups map[shard.GroupID]int) string {
	state := good.Render("● takes orders        ")
	switch {
	case st.Group.State == shard.GroupMoved:
		state = faint.Render("  has left            ")
	case st.Group.State == shard.GroupDraining:
		state = faint.Render("○ leaves              ")
	case st.Ejection != nil:
		state = bad.Render(fmt.Sprintf("○ %-20s", st.Ejection.Cause))
	}
	most := 1
	for _, n := range groups {
		most = max(most, n)
	}
	n := groups[st.Group.ID]
	return fmt.Sprintf("group %d  %s %5d  %s", st.Group.ID, state, n, strings.Repeat("█", n*30/most))
}

// rateNow is the acknowledged orders of the last whole second.
func rateNow(acks []int) int {
	n := 0
	for i := max(0, len(acks)-3); i < len(acks)-1; i++ {
		n += acks[i]
	}
	return n
}

// sparkline draws the last whole slots.
func sparkline(acks []int, width int) string {
	const bars = "▁▂▃▄▅▆▇█"
	levels := []rune(bars)
	acks = acks[:max(0, len(acks)-1)] // the last one is still counting
	acks = acks[max(0, len(acks)-width):]
	most := 1
	for _, n := range acks {
		most = max(most, n)
	}
	var b strings.Builder
	for _, n := range acks {
		b.WriteRune(levels[min(n*len(levels)/most, len(levels)-1)])
	}
	return b.String()
}
