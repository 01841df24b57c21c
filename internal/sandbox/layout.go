package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
)

// layout is a sandbox's directory, absolute and free of symbolic links, and
// knows where everything in it lies.
type layout string

func (l layout) in(name string) string { return filepath.Join(string(l), name) }
func (l layout) marker() string        { return l.in(".paytool-sandbox") }
func (l layout) lock() string          { return l.in(".lock") }
func (l layout) template() string      { return l.in(".template") }
func (l layout) config() string        { return l.in("paytool.yaml") }
func (l layout) configBackup() string  { return l.in("paytool.yaml.bak") }

// own matches the names that a sandbox gives to entries of its directory.
// Purging removes these and nothing else.
var own = regexp.MustCompile(`^(g[0-9]+|\.template(\.new)?|paytool\.yaml(\.bak|\.new)?|\.paytool-sandbox\.new|paytool-state)$`)

// node is where one mariadbd lives and what it is to its group.
type node struct {
	group       int
	index       int // 0 was made as the primary, 1 and up as replicas
	port        int
	primaryPort int
	dir         string
}

func (n node) isPrimary() bool  { return n.port == n.primaryPort }
func (n node) dataDir() string  { return filepath.Join(n.dir, "data") }
func (n node) cnf() string      { return n.dir + ".cnf" } // not in dir, where only the server's user writes
func (n node) errorLog() string { return filepath.Join(n.dir, "error.log") }
func (n node) socket() string   { return filepath.Join(n.dir, "mysql.sock") }
func (n node) pidFile() string  { return filepath.Join(n.dir, "mariadbd.pid") }
func (n node) serverID() int    { return n.group*(maxReplicas+1) + n.index }
func (n node) String() string   { return fmt.Sprintf("g%d/%s", n.group, n.folder()) }
func (n node) groupDir() string { return filepath.Dir(n.dir) }
func (n node) role() string {
	if n.isPrimary() {
		return RolePrimary
	}
	return RoleReplica
}

// folder is for good: it is not renamed with the node's role.
func (n node) folder() string {
	if n.index == 0 {
		return RolePrimary
	}
	return RoleReplica + strconv.Itoa(n.index)
}

// maxSocket is what sockaddr_un holds besides its closing zero byte.
const maxSocket = 107

// checkSockets refuses a directory so deep that a node's socket could not be
// bound, whatever group it may belong to one day.
func (l layout) checkSockets() error {
	longest := node{dir: l.in(fmt.Sprintf("g%d/%s%d", maxGroups, RoleReplica, maxReplicas))}
	if over := len(longest.socket()) - maxSocket; over > 0 {
		return fmt.Errorf("its path of %d bytes leaves no room for unix sockets: choose a directory whose path has at most %d", len(l), len(l)-over)
	}
	return nil
}

// resolve makes dir absolute and follows the symbolic links of the part that
// exists.
func resolve(dir string) (layout, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if errors.Is(err, os.ErrNotExist) && filepath.Dir(abs) != abs {
		parent, err := resolve(filepath.Dir(abs))
		return layout(parent.in(filepath.Base(abs))), err
	}
	return layout(real), err
}

// writeFile puts data, readable by the owner alone, at path as a whole or not
// at all.
func writeFile(path string, data []byte) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(next, path)
}
