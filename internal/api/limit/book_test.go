package limit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paytool/internal/api/limit"
)

// keeper is a group in memory.
type keeper struct {
	name string
	mu   sync.Mutex
	down bool
	rows limit.Rules
	all  []limit.Rule
}

func (k *keeper) RuleHistory(_ context.Context, s limit.Subject) (versions []limit.Rule, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return nil, errDown
	}
	for _, r := range k.all {
		if r.Subject == s {
			versions = append(versions, r)
		}
	}
	return versions, nil
}

func (k *keeper) Name() string { return k.name }

var errDown = errors.New("connection refused")

func (k *keeper) LoadRules(context.Context) ([]limit.Rule, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.down {
		return nil, errDown
	}
	return k.rows.List(), nil
}

func (k *keeper) PutRule(_ context.Context, r limit.Rule) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.down:
		return errDown
	case k.rows[r.Subject].Version >= r.Version:
		return limit.ErrOldRule
	}
	k.rows[r.Subject] = r
	k.all = append(k.all, r)
	return nil
}

func (k *keeper) set(down bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.down = down
}

func newBook(n int) (*limit.Book, []*keeper) {
	b := &limit.Book{Timeout: time.Second}
	keepers := make([]*keeper, n)
	for i := range keepers {
		keepers[i] = &keeper{name: fmt.Sprintf("group %d", i+1), rows: limit.Rules{}}
		b.Keepers = append(b.Keepers, keepers[i])
	}
	return b, keepers
}

func TestBook(t *testing.T) {
	t.Parallel()
	b, keepers := newBook(3)
	ctx := t.Context()
	set, missing, err := b.Set(ctx, rule(merchant("m1"), 0, 10, 20))
	if err != nil || len(missing) != 0 || set.Version != 1 {
		t.Fatalf("set %+v, missing %v, %v", set, missing, err)
	}

	// A change while a group is down holds wherever a group answers, and that group
	// hears of it from the next reader.
	keepers[2].set(true)
	set, missing, err = b.Set(ctx, rule(merchant("m1"), 0, 1, 2))
	if err != nil || len(missing) != 1 || !strings.Contains(missing[0].Error(), "group 3") || set.Version != 2 {
		t.Fatalf("set %+v, missing %v, %v", set, missing, err)
	}
	keepers[2].set(false)
	keepers[0].set(true)
	keepers[1].set(true)
	if rules, _, _ := b.Read(ctx); rules[merchant("m1")].Version != 1 {
		t.Errorf("group 3 knows %+v: this test proves nothing", rules)
	}
	keepers[0].set(false)
	if rules, missing, err := b.Read(ctx); err != nil || len(missing) != 1 || rules[merchant("m1")] != set {
		t.Errorf("read %+v, missing %v, %v", rules, missing, err)
	}
	keepers[0].set(true)
	if rules, _, err := b.Read(ctx); err != nil || rules[merchant("m1")] != set {
		t.Errorf("group 3 was not told: %+v, %v", rules, err)
	}

	keepers[0].set(false)
	if versions, _, err := b.History(ctx, merchant("m1")); err != nil || len(versions) != 2 || versions[0] != set || versions[1].Version != 1 {
		t.Errorf("history %+v, %v", versions, err)
	}
	keepers[0].set(true)
	keepers[2].set(true)
	if _, missing, err := b.Read(ctx); !errors.Is(err, errDown) || len(missing) != 3 {
		t.Errorf("all groups are down, and a reading says %v, missing %v", err, missing)
	}
	if _, _, err := b.Set(ctx, rule(merchant("m1"), 0, 1, 1)); !errors.Is(err, errDown) {
		t.Errorf("all groups are down, and a change says %v", err)
	}
	if _, _, err := b.Set(ctx, limit.Rule{}); err == nil {
		t.Error("an empty rule was set")
	}
}

// overtaker changes the rule between the reading and the writing of another.
type overtaker struct {
	limit.Keeper
	with limit.Rule
}

func (o overtaker) PutRule(ctx context.Context, r limit.Rule) error {
	if err := o.Keeper.PutRule(ctx, o.with); err != nil {
		return err
	}
	return o.Keeper.PutRule(ctx, r)
}

func TestBookTwoAtOnce(t *testing.T) {
	t.Parallel()
	b, keepers := newBook(2)
	b.Keepers[0] = overtaker{keepers[0], rule(merchant("m1"), 1, 7, 7)}
	if _, _, err := b.Set(t.Context(), rule(merchant("m1"), 0, 10, 20)); !errors.Is(err, limit.ErrOldRule) {
		t.Errorf("the second of two changes got %v", err)
	}
}

// TestFollow holds the book to its word: a change is in force within a second, and
// what was known stays in force while no group answers.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, keepers := newBook(1)
		throttle := limit.NewThrottle()
		ctx, cancel := context.WithCancel(t.Context())
		var changed []limit.Rule
		failed := 0
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Follow(ctx, throttle, 500*time.Millisecond, func(r limit.Rule) { changed = append(changed, r) }, func(error) { failed++ })
		}()
		synctest.Wait()
		if _, _, err := b.Set(ctx, rule(merchant("m1"), 0, 1, 2)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got := allowed(throttle, time.Now(), 10, merchant("m1")); got != 2 {
			t.Errorf("%d came through a second after the change, want 2", got)
		}
		keepers[0].set(true)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got := allowed(throttle, time.Now(), 10, merchant("m1")); got != 2 {
			t.Errorf("%d came through while nothing could be read, want 2", got)
		}
		cancel()
		<-done
		if len(changed) != 1 || failed != 1 {
			t.Errorf("%d changes and %d failures were told, want one of each", len(changed), failed)
		}
	})
}
