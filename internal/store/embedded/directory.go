package embedded

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"paytool/internal/whole"
)

// directory is where a Set's groups lie, as an absolute path. Beside them are lock
// (whoever has it serves), password (made once) and endpoint.json (while somebody
// serves).
type directory string

const groupPrefix = "group-"

// endpoint is how the groups are reached: group N at Ports[N-1] of 127.0.0.1.
type endpoint struct {
	PID      int    `json:"pid"`
	Ports    []int  `json:"ports"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// errNotServing means that the process that has the lock has not started yet, or
// is about to end.
var errNotServing = errors.New("nobody serves the embedded groups at the moment; try again")

func openDirectory(dir string) (directory, error) {
	if dir == "" {
		return "", errors.New("open the embedded groups: no directory is named")
	}
	full, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(full, 0o700)
	}
	if err != nil {
		return "", fmt.Errorf("open the embedded groups in %s: %w", dir, err)
	}
	return directory(full), nil
}

func (d directory) lock() string     { return filepath.Join(string(d), "lock") }
func (d directory) endpoint() string { return filepath.Join(string(d), "endpoint.json") }

func (d directory) file(group int) string {
	return filepath.Join(string(d), groupPrefix+strconv.Itoa(group), "orders.db")
}

// tryLock returns nil when another process serves, or another Set of this one. The
// kernel lets go of the lock when the file is closed or its process ends.
func (d directory) tryLock() (*os.File, error) {
	f, err := os.OpenFile(d.lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the embedded groups: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, f.Close()
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", d.lock(), err), f.Close())
}

// groups counts the groups that are there or, if more are wanted, are to be made.
func (d directory) groups(want int) (int, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return 0, fmt.Errorf("count the embedded groups: %w", err)
	}
	have, highest := 0, 0
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimPrefix(e.Name(), groupPrefix)); err == nil && e.Name() == groupPrefix+strconv.Itoa(n) && n > 0 {
			have, highest = have+1, max(highest, n)
		}
	}
	switch {
	case have != highest:
		return 0, fmt.Errorf("count the embedded groups in %s: %d of the groups 1 to %d are missing; put them back", d, highest-have, highest)
	case want == 0 && have == 0:
		return defaultGroups, nil
	case want == 0 || want == have:
		return have, nil
	case want < have:
		return 0, fmt.Errorf("open %d embedded groups in %s: it has %d, and orders may lie in each; ask for %d", want, d, have, have)
	}
	return want, nil
}

// password is made once, so that a DSN that was written down stays good.
func (d directory) password() (string, error) {
	path := filepath.Join(string(d), "password")
	text, err := os.ReadFile(path)
	if err == nil && len(text) > 0 {
		return string(text), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the password of the embedded groups: %w", err)
	}
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("draw a password: %w", err)
	}
	password := hex.EncodeToString(b[:]) // needs no quoting in a DSN
	return password, whole.WriteBytes(path, []byte(password))
}

func (d directory) readEndpoint() (e endpoint, err error) {
	text, err := os.ReadFile(d.endpoint())
	if errors.Is(err, fs.ErrNotExist) {
		return e, errNotServing
	}
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return e, fmt.Errorf("read %s: %w", d.endpoint(), err)
	}
	return e, nil
}

func (d directory) writeEndpoint(e endpoint) error {
	text, err := json.Marshal(e) //nolint:gosec // the password is what other processes read it for; mode 0600
	if err != nil {
		return err
	}
	return whole.WriteBytes(d.endpoint(), append(text, '\n'))
}

func (d directory) removeEndpoint() error {
	if err := os.Remove(d.endpoint()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the endpoint of the embedded groups: %w", err)
	}
	return nil
}
