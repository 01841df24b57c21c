package order

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"paytool/internal/pay"
	"paytool/internal/shard"
)

// EntryQuery asks for our entries dated within [From, To). Channel and Account
// narrow it, "" takes all; an order that was never sent may name neither, and is
// never left out.
type EntryQuery struct {
	From, To time.Time
	Channel  string
	Account  string
}

// Source is where a group was read: on one node, at one moment.
type Source struct {
	Group  shard.GroupID `json:"group"`
	Node   string        `json:"node"` // for people: "g1/replica1 127.0.0.1:3307"
	Claims []shard.Claim `json:"-"`    // what the group said of its tags at that moment
}

// Entries yields our entries of all groups, which are read concurrently; yield is
// called by one goroutine at a time. Entries have no order. The sources say which
// node served each group, sorted by group.
//
// It fails, naming the group, when one cannot be read, and with ErrTagsMoving when a tag
// moved from one group to another meanwhile: a book with a hole would look like missing
// money. What was yielded until then is worth nothing.
func (e *Engine) Entries(ctx context.Context, q EntryQuery, yield func(pay.Entry) error) ([]Source, error) {
	return readEach(ctx, e, "read the entries", yield, func(ctx context.Context, m *member, yield func(pay.Entry) error) (Source, error) {
		return m.Entries(ctx, q, yield)
	})
}

// readEach reads all groups at once, each in one snapshot, and hands what they yield
// on one by one. The first failure ends the others.
func readEach[T any](ctx context.Context, e *Engine, doing string, yield func(T) error,
	read func(ctx context.Context, m *member, yield func(T) error) (Source, error),
) ([]Source, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	inTurn := func(v T) error {
		mu.Lock()
		defer mu.Unlock()
		if err := context.Cause(ctx); err != nil { // another group has failed
			return err
		}
		return yield(v)
	}
	sources := make([]Source, len(e.members))
	e.env.Gather(ctx, len(e.members), func(ctx context.Context, i int) {
		var err error
		if sources[i], err = read(ctx, e.members[i], inTurn); err != nil {
			cancel(fmt.Errorf("%s of group %d: %w", doing, e.members[i].ID(), err)) // only the first one counts
		}
	})
	if err := context.Cause(ctx); err != nil {
		return sources, err
	}
	if err := oneOwner(sources); err != nil {
		return sources, fmt.Errorf("%s: %w", doing, err)
	}
	return sources, nil
}

// ErrTagsMoving: a tag was moved from one group to another while both were read. What
// was read is worth nothing; reading again is all it takes.
var ErrTagsMoving = errors.New("tags were moved from group to group meanwhile; try again")

// oneOwner wants each tag to be owned by exactly one of the groups as they were
// read. They are not read at the same moment: of a tag that moved in between, both
// groups say that it is theirs, or neither.
func oneOwner(sources []Source) error {
	owners := map[pay.Tag][]shard.GroupID{}
	for _, s := range sources {
		for _, c := range s.Claims {
			if _, named := owners[c.Tag]; !named {
				owners[c.Tag] = nil
			}
			if c.State == shard.TagOwned {
				owners[c.Tag] = append(owners[c.Tag], s.Group)
			}
		}
	}
	var wrong []pay.Tag
	for tag, groups := range owners {
		if len(groups) != 1 {
			wrong = append(wrong, tag)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	tag := slices.MinFunc(wrong, func(a, b pay.Tag) int { return cmp.Compare(a, b) })
	return fmt.Errorf("tag %d is owned by groups %v: %w", tag, owners[tag], ErrTagsMoving)
}
