package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating system's user that runs the servers: ourselves, or
// mysql where we are root, since mariadbd refuses to run as root.
type account struct {
	uid, gid uint32
}

func newAccount() (account, error) {
	if os.Getuid() != 0 {
		return account{uint32(os.Getuid()), uint32(os.Getgid())}, nil //nolint:gosec // the kernel's ids have 32 bits
	}
	u, err := user.Lookup("mysql")
	if err != nil {
		return account{}, fmt.Errorf("root needs the user mysql, which mariadb-server brings, to run the servers: %w", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return account{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
}

// check says whether a sandbox whose servers run as the account is ours to
// start, and reachable for them. Root does not start other users' sandboxes: it
// would leave them files that they cannot open.
func (a account) check(l layout) error {
	ours, err := newAccount()
	if err != nil {
		return err
	}
	if ours != a {
		return fmt.Errorf("its servers run as user id %d, ours would as %d: call paytool as the user who created it, or choose another directory", a.uid, ours.uid)
	}
	return a.checkPath(string(l))
}

// checkPath refuses a directory that the account cannot reach and names the
// folder that bars the way. Folders that do not exist yet bar nothing. Who may
// enter folders above the sandbox is their owner's business: it changes none.
func (a account) checkPath(dir string) error {
	if parent := filepath.Dir(dir); parent != dir {
		if err := a.checkPath(parent); err != nil {
			return err
		}
	}
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return fmt.Errorf("%s is not a directory", dir)
	}
	if !a.maySearch(st.Mode, st.Uid, st.Gid) {
		return fmt.Errorf("folder %s cannot be entered by user id %d, which runs the servers: choose a directory elsewhere, or allow it with `chmod o+x`", dir, a.uid)
	}
	return nil
}

// maySearch is the kernel's rule: the first class that fits decides alone.
func (a account) maySearch(mode, uid, gid uint32) bool {
	switch {
	case a.uid == 0:
		return true
	case a.uid == uid:
		return mode&0o100 != 0
	case a.gid == gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// command runs a program as the account, in dir, in a session of its own (a
// Ctrl-C in the terminal is ours to handle) and without our environment, whose
// MYSQL_* and TMPDIR would reach the server.
func (a account) command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return cmd
}

// mkdir makes dir, which only the account (and root) can enter: whoever
// reaches a node's socket is root in its database.
func (a account) mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.Lchown(dir, int(a.uid), int(a.gid))
}
