package sandbox

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// claim makes sure that dir is a sandbox or can become one, and locks it until
// release is called.
func claim(dir string) (l layout, release func(), err error) {
	l, err = resolve(dir)
	if err != nil {
		return l, nil, err
	}
	if err := errors.Join(l.checkSockets(), checkOurs(l)); err != nil {
		return l, nil, err
	}
	user, err := newAccount()
	if err != nil {
		return l, nil, err
	}
	if err := user.checkPath(string(l)); err != nil {
		return l, nil, err
	}
	if _, err := os.Stat(string(l)); errors.Is(err, os.ErrNotExist) {
		if err := openFolder(string(l)); err != nil {
			return l, nil, err
		}
	}
	release, err = lock(l)
	return l, release, err
}

// checkOurs refuses a directory that holds something but carries no marker.
func checkOurs(l layout) error {
	entries, err := os.ReadDir(string(l))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(l.marker()); err == nil {
		return nil
	}
	for _, e := range entries {
		if l.in(e.Name()) != l.lock() {
			return fmt.Errorf("it holds %s and is no sandbox: choose an empty or a new directory", e.Name())
		}
	}
	return nil
}

// lock holds the directory against other Ups and Downs. The kernel drops it
// with the process.
func lock(l layout) (release func(), err error) {
	f, err := os.OpenFile(l.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock %s: %w", l.lock(), err)
	}
	return func() { _ = f.Close() }, nil
}

// openFolder makes dir and lets everybody pass, whatever the umask says: the
// servers' user has to. What is private below it has modes of its own.
func openFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // see above
		return err
	}
	return os.Chmod(dir, 0o755) //nolint:gosec // see above
}
