package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
)

// SetPrimary records that the node on that port is its group's primary from now on.
// It changes no server: whoever promoted the node has. From then on Up and
// StartNode bring the group's other nodes back as its replicas. The error is
// ErrNoSandbox or ErrBusy where that is the reason.
func SetPrimary(dir string, port int) error {
	l, m, release, err := hold(dir)
	if err != nil {
		return fmt.Errorf("record the primary on port %d of the sandbox in %s: %w", port, dir, err)
	}
	defer release()
	for i := range m.Groups {
		if at := slices.Index(m.Groups[i].Ports, port); at >= 0 {
			m.Groups[i].Primary = at
			return m.write(l)
		}
	}
	return fmt.Errorf("record the primary on port %d of the sandbox in %s: no node of it has that port; see `paytool sandbox status`", port, dir)
}

// Rejoin brings a group's replicas back: it starts the dead ones, makes all of them
// follow the group's primary, the one of before included, and returns once they
// apply and acknowledge. On a healthy group it changes nothing.
func Rejoin(ctx context.Context, dir string, group int) error {
	if err := rejoin(ctx, dir, group); err != nil {
		return fmt.Errorf("bring back the replicas of group %d of the sandbox in %s: %w", group, dir, err)
	}
	return nil
}

func rejoin(ctx context.Context, dir string, group int) error {
	server, err := findServer(lookPath)
	if err != nil {
		return err
	}
	l, m, release, err := hold(dir)
	if err != nil {
		return err
	}
	defer release()
	if group < 1 || group > len(m.Groups) {
		return fmt.Errorf("it has no group %d; see `paytool sandbox status`", group)
	}
	b := &box{layout: l, marker: m, user: account{uid: m.UID, gid: m.GID}, server: server, log: slog.New(slog.DiscardHandler)}
	if err := b.user.check(l); err != nil {
		return err
	}
	nodes := m.byGroup(l)[group-1]
	if err := b.startNodes(ctx, nodes); err != nil {
		return err
	}
	return b.replicate(ctx, nodes)
}

// hold opens a sandbox that exists and keeps other processes from changing it.
func hold(dir string) (l layout, m *marker, release func(), err error) {
	if l, _, err = open(dir); err != nil {
		return l, nil, nil, err
	}
	if release, err = lock(l); err != nil {
		return l, nil, nil, err
	}
	if m, err = readMarker(l); err != nil { // again: it may have changed meanwhile
		release()
		return l, nil, nil, err
	}
	return l, m, release, nil
}

// demote makes a node that was the primary follow the one that is now. Other
// replicas follow by themselves once they run.
func (b *box) demote(ctx context.Context, n node) error {
	db, err := openRoot(n.socket())
	if err != nil {
		return err
	}
	st, err := replicaStatus(ctx, db)
	if err = errors.Join(err, db.Close()); err != nil || st != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return b.join(ctx, n)
}
