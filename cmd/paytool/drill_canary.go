package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"time"

	"paytool/internal/config"
	"paytool/internal/order"
	"paytool/internal/pay"
)

// canaryTimeout is for one try, an engine's start included.
const canaryTimeout = 5 * time.Second

// canary has a group acknowledge a shadow order, by an engine that knows no other
// group: it takes orders there only while semi-sync is on, if it has to be.
func (s *drillSite) canary(log *slog.Logger) func(ctx context.Context, group int) error {
	return func(ctx context.Context, group int) (err error) {
		ctx, cancel := context.WithTimeout(ctx, canaryTimeout)
		defer cancel()
		cfg := *s.cfg
		cfg.Groups = []config.Group{s.cfg.Groups[s.index(group)]}
		cfg.Engine.Name += "-canary"
		opened, err := openGroups(&cfg, log)
		if err != nil {
			return err
		}
		e, err := newEngine(&cfg, opened, log, func(*order.Options) {})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, e.close()) }()
		if err := e.start(ctx); err != nil {
			return err
		}
		o, err := e.Create(ctx, order.Request{
			Key:    pay.Key{MerchantID: pay.ShadowMerchant, MerchantOrderNo: fmt.Sprintf("canary-%016x", mathrand.Uint64())},
			Amount: 1, Subject: "drill canary", Shadow: true,
		})
		if err != nil {
			return err
		}
		if int(o.Group) != group {
			return fmt.Errorf("order %s lies in group %d, not %d", o.No, o.Group, group)
		}
		return nil
	}
}
