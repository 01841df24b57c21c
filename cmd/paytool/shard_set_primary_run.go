package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/sandbox"
	"paytool/internal/shard/promote"
	"paytool/internal/store"
)

// setPrimary changes the primary of a group, and then the config and the sandbox that
// the group may belong to.
func setPrimary(ctx context.Context, cfg *config.Config, g config.Group, wish promote.Wish, log *slog.Logger) (r setPrimaryResult, err error) {
	p, err := store.OpenPromoter(wish.Group, promoteNodes(g))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Claim(ctx); err != nil {
		return r, err
	}
	start := time.Now()
	plan, err := promote.Run(ctx, p, wish, func(s promote.Step) {
		log.Info("step", "what", s.Kind, "node", s.Node)
		if s.Kind != promote.Detach && s.Kind != promote.Record {
			return
		}
		// Before there is a way back no more: were this process killed now, whoever
		// starts the old primary again would start it as the primary.
		if _, err := tellSandbox(cfg, s.Node); err != nil {
			log.Warn("the sandbox is told at the end", "err", err)
		}
	})
	if err != nil {
		return r, err
	}
	r = setPrimaryResult{Plan: plan, Done: !plan.Already, MS: time.Since(start).Milliseconds()}
	raiseEpochs(ctx, cfg, plan, log)
	r.Next, err = afterSetPrimary(cfg, g, plan)
	return r, err
}

// raiseEpochs tells the other groups of the new epoch. One that is out is told by a
// later change: nothing depends on it.
func raiseEpochs(ctx context.Context, cfg *config.Config, plan promote.Plan, log *slog.Logger) {
	others := *cfg
	others.Groups = slices.DeleteFunc(slices.Clone(cfg.Groups), func(g config.Group) bool { return g.Group == int(plan.Group) })
	groups, err := openGroups(&others, log)
	if err != nil {
		log.Warn("the other groups do not know the new epoch", "epoch", plan.Epoch, "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Engine.ProbeTimeout*4)
	defer cancel()
	order.System{}.Gather(ctx, len(groups), func(ctx context.Context, i int) {
		g := groups[i]
		_, err := g.Follow(ctx)
		if err == nil {
			_, err = g.Info(ctx) // refuses a server that is not the primary
		}
		if err == nil {
			err = g.RaiseEpoch(ctx, plan.Epoch)
		}
		if err = errors.Join(err, g.Close()); err != nil {
			log.Warn("a group does not know the new epoch", "group", g.ID(), "epoch", plan.Epoch, "err", err)
		}
	})
}

// afterSetPrimary puts the new primary first in the config, lets a sandbox know, and
// says what is left to do. What fails here does not undo the change.
func afterSetPrimary(cfg *config.Config, g config.Group, plan promote.Plan) (next string, err error) {
	next = "the config names it first"
	if i := slices.IndexFunc(g.Replicas, func(n config.Node) bool { at, _ := addressIn(string(n.DSN)); return at == plan.Primary }); i >= 0 {
		next = "it is first in " + cfg.Path() + " now; engines on other machines find it with their old file"
		if err := cfg.PutFirst(g.Group, i); errors.Is(err, config.ErrByHand) {
			next = fmt.Sprintf("engines find it by themselves; in %s let the primary of group %d and its replica %s change places by hand", cfg.Path(), g.Group, plan.Primary)
		} else if err != nil {
			return "", fmt.Errorf("the new primary is in force, the config was not changed: %w", err)
		}
	}
	told, err := tellSandbox(cfg, plan.Primary)
	switch {
	case err != nil:
		return "", fmt.Errorf("the new primary is in force, but the sandbox does not know: %w", err)
	case told:
		return next + "; `paytool sandbox up` brings the old primary back as a replica", nil
	}
	return next + "; bring the old primary back read-only and as a replica of it (on MariaDB with init_rpl_role=SLAVE in its option file, then CHANGE MASTER TO ..., MASTER_DEMOTE_TO_SLAVE=1)", nil
}

// tellSandbox lets the sandbox that the config lies in know its group's new primary,
// and reports whether there is one.
func tellSandbox(cfg *config.Config, primary string) (told bool, err error) {
	_, service, err := net.SplitHostPort(primary)
	if err != nil {
		return false, fmt.Errorf("address of the new primary: %w", err)
	}
	port, err := strconv.Atoi(service)
	if err != nil {
		return false, fmt.Errorf("port of the new primary: %w", err)
	}
	err = sandbox.SetPrimary(filepath.Dir(cfg.Path()), port)
	if errors.Is(err, sandbox.ErrNoSandbox) {
		return false, nil
	}
	return err == nil, err
}
