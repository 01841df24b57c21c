package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
)

const markerVersion = 1

// marker is the file that makes a directory a sandbox and remembers what must
// stay the same from one Up to the next. It holds passwords: mode 0600.
type marker struct {
	Version int `json:"version"`
	// UID and GID run the servers.
	UID       uint32      `json:"uid"`
	GID       uint32      `json:"gid"`
	Passwords passwords   `json:"passwords"`
	Groups    []groupMark `json:"groups"`
	// Configured is the number of groups in the config that was last written.
	Configured int `json:"configured"`
}

type groupMark struct {
	Group int   `json:"group"`
	Ports []int `json:"ports"` // the first primary's first
	// Primary is the place in Ports of the node that is the primary now. Others than
	// the first were promoted: see SetPrimary.
	Primary int `json:"primary,omitempty"`
}

type passwords struct {
	App         string `json:"app"`
	Monitor     string `json:"monitor"`
	Admin       string `json:"admin"`
	Replication string `json:"replication"`
}

func newMarker() (*marker, error) {
	user, err := newAccount()
	if err != nil {
		return nil, err
	}
	m := &marker{Version: markerVersion, UID: user.uid, GID: user.gid}
	for _, p := range []*string{&m.Passwords.App, &m.Passwords.Monitor, &m.Passwords.Admin, &m.Passwords.Replication} {
		var b [16]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("draw a password: %w", err)
		}
		*p = hex.EncodeToString(b[:]) // needs no quoting in SQL, YAML or a DSN
	}
	return m, nil
}

func readMarker(l layout) (*marker, error) {
	data, err := os.ReadFile(l.marker())
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoSandbox
	}
	if err != nil {
		return nil, err
	}
	var m marker
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("read marker %s: %w", l.marker(), err)
	}
	if m.Version != markerVersion {
		return nil, fmt.Errorf("read marker %s: version %d, this paytool knows %d: use the paytool that made it", l.marker(), m.Version, markerVersion)
	}
	for i, g := range m.Groups {
		if g.Group != i+1 || len(g.Ports) < 1 || g.Primary < 0 || g.Primary >= len(g.Ports) {
			return nil, fmt.Errorf("read marker %s: entry %d is not group %d with its ports", l.marker(), i, i+1)
		}
	}
	return &m, nil
}

func (m *marker) write(l layout) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	return writeFile(l.marker(), append(data, '\n'))
}

// grow adds groups until there are at least want of them.
func (m *marker) grow(want, replicas int) error {
	missing := want - len(m.Groups)
	if missing <= 0 {
		return nil
	}
	start, err := rand.Int(rand.Reader, big.NewInt(lastPort-firstPort))
	if err != nil {
		return fmt.Errorf("choose ports: %w", err)
	}
	ports, err := choosePorts(missing*(replicas+1), firstPort+int(start.Int64()), m.usable)
	if err != nil {
		return err
	}
	for len(m.Groups) < want {
		m.Groups = append(m.Groups, groupMark{Group: len(m.Groups) + 1, Ports: ports[:replicas+1]})
		ports = ports[replicas+1:]
	}
	return nil
}

func (m *marker) usable(port int) bool {
	for _, g := range m.Groups {
		for _, p := range g.Ports {
			if p == port {
				return false
			}
		}
	}
	return portFree(port)
}

// byGroup lists the nodes of each group, its primary first.
func (m *marker) byGroup(l layout) [][]node {
	var groups [][]node
	for _, g := range m.Groups {
		var nodes []node
		for i, port := range g.Ports {
			n := node{group: g.Group, index: i, port: port, primaryPort: g.Ports[g.Primary]}
			n.dir = filepath.Join(l.in("g"+strconv.Itoa(g.Group)), n.folder())
			nodes = append(nodes, n)
		}
		nodes[0], nodes[g.Primary] = nodes[g.Primary], nodes[0]
		groups = append(groups, nodes)
	}
	return groups
}

func (m *marker) nodes(l layout) []node {
	var all []node
	for _, nodes := range m.byGroup(l) {
		all = append(all, nodes...)
	}
	return all
}
