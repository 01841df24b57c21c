package site

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"paytool/internal/config"
	"paytool/internal/drill/fault"
	"paytool/internal/drill/rig"
	"paytool/internal/sandbox"
)

// Site is the rig.World of a config. It is safe for concurrent use.
type Site struct {
	groups  []config.Group
	sandbox string // directory of the sandbox that the config is of, "" if of none
	ports   []int  // of the sandbox's nodes
	nodes   map[string]config.Node
}

// New reads nothing but what tells a sandbox. file is the config's path.
func New(ctx context.Context, file string, cfg *config.Config) (*Site, error) {
	s := &Site{groups: cfg.Groups, nodes: map[string]config.Node{}}
	for _, g := range cfg.Groups {
		for i, n := range append([]config.Node{g.Primary}, g.Replicas...) {
			c, err := parse(n.DSN)
			if err != nil {
				return nil, fmt.Errorf("group %d, node %d: %w", g.Group, i, err)
			}
			s.nodes[c.Addr] = n
		}
	}
	if file == "" {
		return s, nil
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	st, err := sandbox.Inspect(ctx, dir)
	if errors.Is(err, sandbox.ErrNoSandbox) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	s.sandbox = dir
	for _, n := range st.Nodes {
		s.ports = append(s.ports, n.Port)
	}
	return s, nil
}

// Group describes a group of the config by its number. Its servers can be broken
// where all of them have an admin_dsn.
func (s *Site) Group(number int) (rig.Group, error) {
	i := slices.IndexFunc(s.groups, func(g config.Group) bool { return g.Group == number })
	if i < 0 {
		return rig.Group{}, fmt.Errorf("the config has no group %d; see `paytool config show`", number)
	}
	c := s.groups[i]
	g := rig.Group{Number: number, Known: c.Primary.AdminDSN != "", Primary: s.node(c, "primary", c.Primary)}
	for i, r := range c.Replicas {
		g.Replicas = append(g.Replicas, s.node(c, "replica"+strconv.Itoa(i+1), r))
		g.Known = g.Known && r.AdminDSN != ""
	}
	return g, nil
}

func (s *Site) node(g config.Group, role string, n config.Node) rig.Node {
	c, err := parse(n.DSN)
	if err != nil {
		return rig.Node{} // New has refused it
	}
	node := rig.Node{Name: fmt.Sprintf("g%d/%s %s", g.Group, role, c.Addr), Addr: c.Addr}
	if host, port, ok := split(c.Addr); ok && host == "127.0.0.1" && slices.Contains(s.ports, port) {
		node.Sandbox = s.sandbox
	}
	return node
}

func split(addr string) (host string, port int, ok bool) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(text)
	return host, port, err == nil
}

// Self is this process.
func (s *Site) Self() rig.Identity {
	id, err := sandbox.Identify(os.Getpid())
	if err != nil {
		return rig.Identity{PID: os.Getpid()} // it matches no process, so that nobody is signalled by mistake
	}
	return rig.Identity(id)
}

// State reads a process's state.
func (s *Site) State(id rig.Identity) rig.ProcessState {
	return rig.ProcessState(sandbox.Identity(id).State())
}

// Signal reaches that very process, or nobody.
func (s *Site) Signal(id rig.Identity, sig os.Signal) error {
	if err := sandbox.Identity(id).Signal(sig); err != nil {
		return fmt.Errorf("signal process %d: %w", id.PID, err)
	}
	return nil
}

// Find names the process of a sandbox's node.
func (s *Site) Find(ctx context.Context, n rig.Node) (rig.Identity, error) {
	st, err := sandbox.Inspect(ctx, n.Sandbox)
	if err != nil {
		return rig.Identity{}, err
	}
	_, port, _ := split(n.Addr)
	for _, seen := range st.Nodes {
		if seen.Port == port && seen.PID != 0 {
			return rig.Identity(seen.Identity()), nil
		}
	}
	return rig.Identity{}, fmt.Errorf("%s does not run; `paytool sandbox up` starts it", n.Name)
}

// Start starts a sandbox's node. Where another command works on the sandbox it waits.
func (s *Site) Start(ctx context.Context, n rig.Node) error {
	if n.Sandbox == "" {
		return fmt.Errorf("%s is no node of a sandbox: start it by hand", n.Name)
	}
	_, port, _ := split(n.Addr)
	return await(ctx, func() (bool, error) {
		err := sandbox.StartNode(ctx, n.Sandbox, port)
		if errors.Is(err, sandbox.ErrBusy) && ctx.Err() == nil {
			return false, nil
		}
		return true, err
	})
}

// Session prepares a fault of sessions.
func (s *Site) Session(n rig.Node, name fault.Name) (rig.Session, error) {
	at, ok := s.nodes[n.Addr]
	if !ok {
		return nil, fmt.Errorf("the config has no server %s any more", n.Addr)
	}
	switch name {
	case fault.Lock:
		return &lock{node: n, at: at}, nil
	case fault.Flood:
		return &flood{node: n, at: at}, nil
	default:
		return nil, fmt.Errorf("%s is no fault of sessions", name)
	}
}
