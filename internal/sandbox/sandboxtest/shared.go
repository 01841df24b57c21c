package sandboxtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"paytool/internal/sandbox"
)

// Shared is one sandbox for all tests of a package, which starts with the first test
// that asks for it. Tests on it do not run in parallel, and each leaves it healthy.
type Shared struct {
	Name             string // of the package, for the folder
	Groups, Replicas int

	once sync.Once
	dir  string
	err  error
}

// Main runs a package's tests and takes the sandbox away; it is for TestMain.
func (s *Shared) Main(m *testing.M) {
	code := m.Run()
	if s.dir != "" {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if err := sandbox.Down(ctx, s.dir, true); err != nil {
			fmt.Fprintln(os.Stderr, "clean up:", err)
			code = max(code, 1)
		}
		cancel()
		_ = os.RemoveAll(s.dir)
	}
	os.Exit(code)
}

// Node is one server's data source names.
type Node struct {
	DSN        string `yaml:"dsn"`
	MonitorDSN string `yaml:"monitor_dsn"`
}

// Group is one group of the sandbox as its configuration names it.
type Group struct {
	Primary  Node   `yaml:"primary"`
	Replicas []Node `yaml:"replicas"`
}

// Start lists the sandbox's groups. It lets the test go on only where MariaDB is
// installed, as Need does.
func (s *Shared) Start(t testing.TB) []Group {
	t.Helper()
	Need(t)
	s.once.Do(func() { s.err = s.start() })
	if s.err != nil {
		t.Fatal(s.err)
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "paytool.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []Group `yaml:"groups"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Groups
}

// Dir is where the sandbox lies, once a test has started it.
func (s *Shared) Dir() string { return s.dir }

func (s *Shared) start() (err error) {
	if s.dir, err = os.MkdirTemp("/tmp", "pt-"+s.Name+"-"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil { //nolint:gosec // the user mysql has to pass
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	_, err = sandbox.Up(ctx, sandbox.Options{Dir: s.dir, Groups: s.Groups, Replicas: s.Replicas})
	return err
}
