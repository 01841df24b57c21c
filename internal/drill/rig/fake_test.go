package rig

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paytool/internal/drill/fault"
)

// fakeWorld is groups of a primary and two replicas, in memory. Every change is an
// operation, of which one may be told to fail, and finds its step in the journal.
type fakeWorld struct {
	t *testing.T

	mu      sync.Mutex
	self    Identity
	pids    int
	states  map[Identity]ProcessState
	nodes   map[string]*fakeNode
	journal string   // checked before each operation that breaks something, if set
	ops     []string // in order
	failAt  int      // this operation fails; 0: none
	deaf    bool     // breaking works, and has no effect
	stuck   bool     // undoing works, and has no effect
}

type fakeNode struct {
	Node
	world    *fakeWorld
	group    int
	id       Identity
	uid      string
	vars     map[string]string
	threads  Threads
	primary  bool
	sessions map[fault.Name]bool
}

var errTold = errors.New("told to fail")

func newFake(t *testing.T, groups int) *fakeWorld {
	w := &fakeWorld{t: t, states: map[Identity]ProcessState{}, nodes: map[string]*fakeNode{}}
	w.self = w.spawn()
	for g := range groups {
		for i := range 3 {
			n := &fakeNode{
				Node: Node{Name: fmt.Sprintf("g%d/%d", g+1, i), Addr: fmt.Sprintf("g%d:%d", g+1, i), Sandbox: "/sandbox"}, world: w, group: g + 1,
				uid: fmt.Sprintf("uid-%d-%d", g+1, i), primary: i == 0, sessions: map[fault.Name]bool{},
				vars: map[string]string{"read_only": "0", "rpl_semi_sync_master_timeout": "2000"}, threads: Threads{IO: i > 0, SQL: i > 0}, id: w.spawn(),
			}
			w.nodes[n.Addr] = n
		}
	}
	return w
}

func (w *fakeWorld) spawn() Identity {
	w.pids++
	id := Identity{PID: w.pids, Started: uint64(w.pids) * 100}
	w.states[id] = Running
	return id
}

func (w *fakeWorld) group(n int) Group {
	node := func(i int) Node { return w.nodes[fmt.Sprintf("g%d:%d", n, i)].Node }
	return Group{Number: n, Known: true, Primary: node(0), Replicas: []Node{node(1), node(2)}}
}

// state is everything that faults change, to be compared.
func (w *fakeWorld) state() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for g := 1; ; g++ {
		for i := range 3 {
			n, ok := w.nodes[fmt.Sprintf("g%d:%d", g, i)]
			if !ok {
				return b.String()
			}
			fmt.Fprintf(&b, "%s %s %v %v %v\n", n.Addr, w.states[n.id], n.vars, n.threads, n.sessions)
		}
	}
}

// op records a change and says whether it fails.
func (w *fakeWorld) op(breaks bool, format string, args ...any) error {
	w.ops = append(w.ops, fmt.Sprintf(format, args...))
	if w.failAt == len(w.ops) {
		return errTold
	}
	if breaks && w.journal != "" {
		j, err := ReadJournal(w.journal)
		if err != nil || len(j.Steps) == 0 {
			w.t.Errorf("%s: the journal knows nothing of it (%v)", w.ops[len(w.ops)-1], err)
		}
	}
	return nil
}

func (w *fakeWorld) Self() Identity { return w.self }

func (w *fakeWorld) State(id Identity) ProcessState {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.states[id]; ok {
		return s
	}
	return Ended
}

func (w *fakeWorld) Signal(id Identity, sig os.Signal) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.states[id]; !ok || s == Ended {
		return os.ErrProcessDone
	}
	if err := w.op(sig == syscall.SIGSTOP || sig == syscall.SIGKILL, "%v %d", sig, id.PID); err != nil {
		return err
	}
	switch {
	case sig == syscall.SIGCONT && !w.stuck:
		w.states[id] = Running
	case w.deaf && id != w.self:
	case sig == syscall.SIGSTOP:
		w.states[id] = Stopped
	case sig == syscall.SIGKILL:
		w.states[id] = Ended
	}
	return nil
}

func (w *fakeWorld) Find(_ context.Context, n Node) (Identity, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.nodes[n.Addr].id
	if w.states[id] == Ended {
		return Identity{}, errors.New("it does not run")
	}
	return id, nil
}

func (w *fakeWorld) Start(_ context.Context, n Node) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	node := w.nodes[n.Addr]
	if w.states[node.id] != Ended {
		return nil
	}
	if err := w.op(false, "start %s", n.Addr); err != nil {
		return err
	}
	node.id = w.spawn()
	return nil
}

func (w *fakeWorld) Server(ctx context.Context, n Node) (Server, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	node := w.nodes[n.Addr]
	if s := w.states[node.id]; s != Running {
		return nil, fmt.Errorf("%s does not answer: its process is %s", n.Addr, s)
	}
	return node, nil
}

func (w *fakeWorld) Session(n Node, name fault.Name) (Session, error) {
	return &fakeSession{node: w.nodes[n.Addr], name: name}, nil
}

func (n *fakeNode) Close() error { return nil }

func (n *fakeNode) UID(context.Context) (string, error) { return n.uid, nil }

func (n *fakeNode) Variable(_ context.Context, name string) (string, error) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return n.vars[name], nil
}

func (n *fakeNode) SetVariable(_ context.Context, name, value string) error {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if err := n.world.op(value != "0" && value != "2000", "%s %s=%s", n.Addr, name, value); err != nil {
		return err
	}
	if !n.world.deaf && !n.world.stuck {
		n.vars[name] = value
	}
	return nil
}

func (n *fakeNode) Threads(context.Context) (Threads, error) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	return n.threads, nil
}

func (n *fakeNode) SetThread(_ context.Context, t Thread, run bool) error {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	if n.threads.runs(t) == run {
		return nil
	}
	if err := n.world.op(!run, "%s %s=%t", n.Addr, t, run); err != nil {
		return err
	}
	switch {
	case n.world.deaf, n.world.stuck:
	case t == IOThread:
		n.threads.IO = run
	case t == SQLThread:
		n.threads.SQL = run
	}
	return nil
}

func (n *fakeNode) Semisync(context.Context) (Semisync, error) {
	n.world.mu.Lock()
	defer n.world.mu.Unlock()
	s := Semisync{On: true, Timeout: "rpl_semi_sync_master_timeout"}
	for _, other := range n.world.nodes {
		if other.group == n.group && other.threads.IO && n.world.states[other.id] == Running {
			s.Replicas++
		}
	}
	return s, nil
}

func (n *fakeNode) RearmSemisync(context.Context) error { return nil }

type fakeSession struct {
	node *fakeNode
	name fault.Name
}

func (s *fakeSession) Begin(context.Context) error {
	s.node.world.mu.Lock()
	defer s.node.world.mu.Unlock()
	if err := s.node.world.op(true, "%s begins on %s", s.name, s.node.Addr); err != nil {
		return err
	}
	s.node.sessions[s.name] = !s.node.world.deaf
	return nil
}

func (s *fakeSession) Holds(context.Context) (bool, error) {
	s.node.world.mu.Lock()
	defer s.node.world.mu.Unlock()
	return s.node.sessions[s.name], nil
}

func (s *fakeSession) End() error {
	s.node.world.mu.Lock()
	defer s.node.world.mu.Unlock()
	delete(s.node.sessions, s.name)
	return nil
}

// fakeProxy strikes whatever a probe does.
type fakeProxy struct {
	world  *fakeWorld
	name   string
	mu     sync.Mutex
	faults fault.List
	struck map[fault.Name]int
}

func (p *fakeProxy) Set(l fault.List) error {
	p.world.mu.Lock()
	err := p.world.op(true, "%s %s", p.name, l)
	p.world.mu.Unlock()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(fault.List(nil), l...)
	return nil
}

func (p *fakeProxy) Clear() error {
	p.world.mu.Lock()
	p.world.ops = append(p.world.ops, p.name+" passes")
	p.world.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
	return nil
}

func (p *fakeProxy) Struck() map[fault.Name]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return map[fault.Name]int{fault.Latency: p.struck[fault.Latency], fault.Reset: p.struck[fault.Reset]}
}

func (p *fakeProxy) probe(context.Context) error {
	p.mu.Lock()
	faults := p.faults
	p.mu.Unlock()
	if p.world.deaf {
		return nil
	}
	for _, f := range faults {
		time.Sleep(f.Delay)
		p.mu.Lock()
		p.struck[f.Name]++
		p.mu.Unlock()
		if f.Name != fault.Latency {
			return errors.New("struck")
		}
	}
	return nil
}

func (w *fakeWorld) door(name string) *Door {
	p := &fakeProxy{world: w, name: name, struck: map[fault.Name]int{}}
	return &Door{Proxy: p, Probe: p.probe}
}
