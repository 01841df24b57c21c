package site_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paytool/internal/config"
	"paytool/internal/drill/fault"
	"paytool/internal/drill/proxy"
	"paytool/internal/drill/rig"
	"paytool/internal/drill/rig/site"
	"paytool/internal/sandbox"
)

// The test binary is also the tool and the watchdog that tests kill.
const (
	roleVar  = "PAYTOOL_TEST_ROLE"
	roleTool = "tool"
	roleDog  = "watchdog"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(roleVar) {
	case roleTool:
		err = runTool(os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	case roleDog:
		err = runDog(os.Args[1])
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// runTool injects into groups 1 and 2 of a sandbox, tells each phase on stdout, and
// holds until it is killed or SIGUSR1 ends it.
func runTool(configFile, dir, id, faults string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGUSR1)
	defer stop()
	opts, err := toolOptions(ctx, configFile, dir, id, faults)
	if err != nil {
		return err
	}
	opts.Heard = func(e rig.Event) { fmt.Println(e.Phase) }
	r, err := rig.Open(opts)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = r.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	if errors.Is(err, rig.ErrStopped) {
		return nil
	}
	return err
}

func toolOptions(ctx context.Context, configFile, dir, id, faults string) (rig.Options, error) {
	w, groups, err := world(ctx, configFile, 1, 2)
	if err != nil {
		return rig.Options{}, err
	}
	list, err := fault.Parse(faults)
	return rig.Options{
		Dir: dir, ID: id, Who: "test", Config: configFile, Faults: list, Groups: groups, TTL: 30 * time.Second, World: w,
		Watchdog: func(journal string) *exec.Cmd { return role(roleDog, journal) },
	}, err
}

func runDog(journal string) error {
	j, err := rig.ReadJournal(journal)
	if err != nil {
		return err
	}
	w, _, err := world(context.Background(), j.Header.Config)
	if err != nil {
		return err
	}
	return rig.Watch(context.Background(), rig.Watching{
		Journal: journal, World: w, In: os.Stdin, Out: os.Stdout, Now: time.Now, Again: time.Second, Patience: time.Minute,
	})
}

// role is this binary in another role.
func role(name string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleVar+"="+name)
	return cmd
}

func world(ctx context.Context, configFile string, numbers ...int) (*site.Site, []rig.Group, error) {
	cfg, err := config.Load(configFile)
	if err != nil {
		return nil, nil, err
	}
	w, err := site.New(ctx, configFile, cfg)
	if err != nil {
		return nil, nil, err
	}
	var groups []rig.Group
	for _, n := range numbers {
		g, err := w.Group(n)
		if err != nil {
			return nil, nil, err
		}
		groups = append(groups, g)
	}
	return w, groups, nil
}

// withDoors puts a proxy before each group.
func withDoors(t *testing.T, groups []rig.Group, cfg *config.Config) []rig.Group {
	t.Helper()
	for i := range groups {
		p, err := proxy.Listen(context.Background(), groups[i].Primary.Addr, proxy.Options{Seed: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		groups[i].Door, err = site.Door(p, cfg.Groups[i].Primary.DSN, p.Addr())
		if err != nil {
			t.Fatal(err)
		}
	}
	return groups
}

// box is a sandbox with what tests look at.
type box struct {
	*sandbox.Status
	dir, drills string
	cfg         *config.Config
}

// wantSound fails where anything of a fault is left.
func (b *box) wantSound(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		what := b.unsound()
		if what == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left behind: %s", what)
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

func (b *box) unsound() string {
	st, err := sandbox.Inspect(context.Background(), b.dir)
	if err != nil {
		return err.Error()
	}
	var wrong []string
	for _, n := range st.Nodes {
		if n.PID == 0 || n.Identity().State() != sandbox.Running || n.SemiSync != sandbox.SemiSyncOn || n.LagMS == nil {
			wrong = append(wrong, fmt.Sprintf("%+v", n))
			continue
		}
		if text := settings(n); text != "" {
			wrong = append(wrong, text)
		}
	}
	return strings.Join(wrong, "; ")
}

func settings(n sandbox.Node) string {
	db, err := n.Admin()
	if err != nil {
		return err.Error()
	}
	defer db.Close() //nolint:errcheck // nothing more is asked of it
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	var timeout, readOnly int
	if err := db.QueryRowContext(ctx, "SELECT @@rpl_semi_sync_master_timeout, @@read_only").Scan(&timeout, &readOnly); err != nil {
		return err.Error()
	}
	wantReadOnly := 1
	if n.Role == sandbox.RolePrimary {
		wantReadOnly = 0
	}
	if timeout != 2000 || readOnly != wantReadOnly {
		return fmt.Sprintf("g%d %s: timeout %d, read_only %d", n.Group, n.Role, timeout, readOnly)
	}
	return ""
}

// canary commits on a primary, as the application, while semi-sync is on.
func (b *box) canary(ctx context.Context, group int) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	for _, n := range b.Nodes {
		if n.Group != group || n.Role != sandbox.RolePrimary {
			continue
		}
		db, err := n.Admin()
		if err != nil {
			return err
		}
		defer db.Close() //nolint:errcheck // nothing more is asked of it
		_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS pay.canary (n INT)")
		if err == nil {
			_, err = db.ExecContext(ctx, "INSERT INTO pay.canary VALUES (1)")
		}
		return err
	}
	return fmt.Errorf("no group %d", group)
}

// journals wants every journal clean, and says who made them so.
func (b *box) journals(t *testing.T) (by []string) {
	t.Helper()
	all, err := rig.Journals(b.drills)
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range all {
		switch {
		case len(j.Steps) == 0: // killed before it injected anything
			continue
		case j.Clean == nil:
			t.Errorf("journal of %s is dirty", j.Header.Drill)
			continue
		}
		by = append(by, j.Clean.By)
	}
	return by
}

// started runs a sandbox of two groups for the test.
func started(t *testing.T, st *sandbox.Status) *box {
	t.Helper()
	cfg, err := config.Load(st.Config)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(st.Config)
	return &box{Status: st, dir: dir, drills: filepath.Join(dir, "paytool-state", "drills"), cfg: cfg}
}
