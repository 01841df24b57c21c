package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"
)

// DefaultGroups and DefaultReplicas are what Up creates when Options leave the
// numbers at zero.
const (
	DefaultGroups   = 3
	DefaultReplicas = 2
)

// maxGroups and maxReplicas keep server ids, ports and memory (about 31 MB a
// node) within what one machine can carry.
const (
	maxGroups   = 99
	maxReplicas = 9
)

var (
	// ErrNoMariaDB says that this machine lacks the server's programs; its
	// text holds the command that installs them.
	ErrNoMariaDB = errors.New("mariadbd or mariadb-install-db not found in PATH or /usr/sbin: install them with `apt-get install -y --no-install-recommends mariadb-server`")

	// ErrNoSandbox says that a directory carries no marker of Up.
	ErrNoSandbox = errors.New("no sandbox here: create one with `paytool sandbox up`")

	// ErrBusy says that another Up or Down works on the same directory.
	ErrBusy = errors.New("another `paytool sandbox` command works on it: wait for that one to end")
)

// Options say what Up should bring about. The zero value of a field means its
// default; Dir has none.
type Options struct {
	// Dir is the sandbox's directory. It is created when missing; an existing
	// one must be empty or a sandbox.
	Dir string
	// Groups is the least number of groups. Groups that exist beyond it stay.
	// Zero means what exists already, or DefaultGroups in a new sandbox.
	Groups int
	// Replicas is the number of replicas in groups that are added. Zero means
	// DefaultReplicas.
	Replicas int
	// Log gets progress. Nil means silence.
	Log *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Dir == "" {
		return o, errors.New("start a sandbox: no directory given")
	}
	if o.Groups < 0 || o.Groups > maxGroups {
		return o, fmt.Errorf("start a sandbox of %d groups: choose 1 to %d", o.Groups, maxGroups)
	}
	if o.Replicas < 0 || o.Replicas > maxReplicas {
		return o, fmt.Errorf("start a sandbox of %d replicas a group: choose 1 to %d", o.Replicas, maxReplicas)
	}
	if o.Replicas == 0 {
		o.Replicas = DefaultReplicas
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Up creates what is missing in the sandbox, restarts dead nodes on their old
// ports, thaws stopped ones, undoes read_only and stopped replication, and
// returns once every group replicates with semi-sync on. On a healthy sandbox
// it changes nothing. Nodes outlive the caller; an Up that fails or is
// cancelled leaves those that run for the next Up or for Down.
//
// The error is ErrNoMariaDB or ErrBusy where that is the reason; a node that
// does not start is reported with the end of its error log.
func Up(ctx context.Context, o Options) (*Status, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	server, err := findServer(lookPath)
	if err != nil {
		return nil, err
	}
	l, release, err := claim(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start sandbox in %s: %w", o.Dir, err)
	}
	defer release()

	s, err := plan(l, o)
	if err != nil {
		return nil, fmt.Errorf("start sandbox in %s: %w", l, err)
	}
	s.server, s.log = server, o.Log
	if err := s.up(ctx); err != nil {
		return nil, fmt.Errorf("start sandbox in %s: %w", l, err)
	}
	return Inspect(ctx, string(l))
}

// box is an Up at work.
type box struct {
	layout layout
	marker *marker
	user   account
	server server
	log    *slog.Logger
}

// plan reads the marker or makes a new one, and reserves passwords and ports
// of the groups that are to be added before anything is created.
func plan(l layout, o Options) (*box, error) {
	m, err := readMarker(l)
	if errors.Is(err, ErrNoSandbox) {
		m, err = newMarker()
	}
	if err != nil {
		return nil, err
	}
	user := account{uid: m.UID, gid: m.GID}
	if err := user.check(l); err != nil {
		return nil, err
	}
	if o.Groups == 0 && len(m.Groups) == 0 {
		o.Groups = DefaultGroups
	}
	if err := m.grow(o.Groups, o.Replicas); err != nil {
		return nil, err
	}
	return &box{layout: l, marker: m, user: user}, m.write(l)
}

func (b *box) up(ctx context.Context) error {
	if err := b.ensureTemplate(ctx); err != nil {
		return err
	}
	if err := b.startNodes(ctx, b.marker.nodes(b.layout)); err != nil {
		return err
	}
	groups, gctx := errgroup.WithContext(ctx)
	for _, nodes := range b.marker.byGroup(b.layout) {
		groups.Go(func() error { return b.replicate(gctx, nodes) })
	}
	if err := groups.Wait(); err != nil {
		return err
	}
	return b.ensureConfig()
}

func (b *box) startNodes(ctx context.Context, nodes []node) error {
	running, err := processesUnder(b.layout, b.user)
	if err != nil {
		return err
	}
	starts, sctx := errgroup.WithContext(ctx)
	starts.SetLimit(16) // beyond that nodes only wait for each other's disk
	for _, n := range nodes {
		p, alive := running[n.dataDir()]
		starts.Go(func() error {
			if alive {
				return b.keep(sctx, n, p)
			}
			return b.start(sctx, n)
		})
	}
	return starts.Wait()
}

// ensureConfig writes the configuration when it is missing or lacks groups.
// Otherwise it stays as it is, a user's edits included.
func (b *box) ensureConfig() error {
	path := b.layout.config()
	_, err := os.Stat(path)
	missing := errors.Is(err, os.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if !missing && b.marker.Configured >= len(b.marker.Groups) {
		return nil
	}
	if !missing {
		if err := os.Rename(path, b.layout.configBackup()); err != nil {
			return err
		}
		b.log.Info("config rewritten for added groups", "config", path, "old", b.layout.configBackup())
	}
	text, err := renderConfig(b.marker)
	if err != nil {
		return err
	}
	if err := writeFile(path, text); err != nil {
		return err
	}
	b.marker.Configured = len(b.marker.Groups)
	return b.marker.write(b.layout)
}
