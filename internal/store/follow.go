package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"paytool/internal/shard"
)

// vote is what one node says of who its group's primary is.
type vote struct {
	node    *node
	uid     string // of the node itself
	group   shard.GroupID
	epoch   int64
	primary string // uid that the group's row names
}

const voteSQL = `SELECT group_id, epoch, primary_uid, ` + uidColumn + ` FROM group_info WHERE id=1`

// Follow asks the nodes who the group's primary is, and from now on writes to the
// one that the highest epoch names, if that is another one than before. It reports
// whether it is. A primary that is none of the config's nodes is not followed: the
// config has to name it first. Nodes that do not answer have no vote, and one that
// hangs holds it up until the context ends.
//
// After a failover the old primary comes back with rows that still name itself, at
// a lower epoch: it is not followed as long as one node with the newer row answers,
// nor by a process that has seen the newer row.
func (g *Group) Follow(ctx context.Context) (moved bool, err error) {
	g.switching.Lock()
	defer g.switching.Unlock()
	old := g.crew.Load()
	known := g.epoch.Load()
	asked := old.replicas // of a primary that does not answer we have the word already
	if known == 0 {
		asked = old.nodes()
	}
	if len(old.replicas) == 0 {
		return false, nil // nobody else could be the primary
	}
	elected, err := elect(g.id, votes(ctx, asked))
	if err != nil || elected == nil || elected.node == old.primary || elected.epoch <= known {
		return false, err
	}
	if err := g.hand(old, elected); err != nil {
		return false, err
	}
	g.log.Warn("another primary", "node", elected.node.name, "before", old.primary.name, "epoch", elected.epoch)
	return true, old.prober.close()
}

// hand makes the elected node the primary. Calls under way end on the old one.
func (g *Group) hand(old *crew, elected *vote) error {
	prober, err := g.openProber(elected.node)
	if err != nil {
		return err
	}
	next := &crew{primary: elected.node, prober: prober}
	next.replicas = slices.DeleteFunc(old.nodes(), func(n *node) bool { return n == elected.node })
	elected.node.uid.Store(&elected.uid)
	old.primary.uid.Store(nil) // as a replica it is only read
	g.crew.Store(next)
	g.beat.Store(nil)
	g.sawEpoch(elected.epoch)
	return nil
}

// sawEpoch remembers the highest epoch at which the primary was known.
func (g *Group) sawEpoch(epoch int64) {
	for {
		known := g.epoch.Load()
		if epoch <= known || g.epoch.CompareAndSwap(known, epoch) {
			return
		}
	}
}

// votes asks all of the nodes at once.
func votes(ctx context.Context, nodes []*node) []vote {
	votes := make([]vote, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			v := vote{node: n}
			// Without an answer, or without the tables, there is no vote.
			if err := n.scan.QueryRowContext(ctx, voteSQL).Scan(&v.group, &v.epoch, &v.primary, &v.uid); err == nil {
				votes[i] = v
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(votes, func(v vote) bool { return v.node == nil })
}

var errTwoPrimaries = errors.New("two primaries at one epoch")

// elect finds the node that the highest epoch names; nil where that did not answer.
// Two names at one epoch are an error: whoever wrote them did not know of each
// other, and a person has to decide.
func elect(group shard.GroupID, votes []vote) (*vote, error) {
	var highest *vote
	for i := range votes {
		if v := &votes[i]; v.group == group && (highest == nil || v.epoch > highest.epoch) {
			highest = v
		}
	}
	if highest == nil {
		return nil, nil
	}
	for _, v := range votes {
		if v.group == group && v.epoch == highest.epoch && v.primary != highest.primary {
			return nil, fmt.Errorf("%w: group %d at epoch %d: %s names server uid %q, %s names %q; stop the wrong one, then `paytool shard set-primary` the other",
				errTwoPrimaries, group, v.epoch, highest.node.name, highest.primary, v.node.name, v.primary)
		}
	}
	for i := range votes {
		if v := &votes[i]; v.group == group && v.uid == highest.primary {
			return &vote{node: v.node, uid: v.uid, epoch: highest.epoch}, nil
		}
	}
	return nil, nil
}
