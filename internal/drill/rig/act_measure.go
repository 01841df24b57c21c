package rig

import (
	"context"
	"fmt"
)

// allOf asks one after the other.
func allOf(asks ...func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, ask := range asks {
			if err := ask(ctx); err != nil {
				return err
			}
		}
		return nil
	}
}

func allStopped(w World, stops []move) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, m := range stops {
			err := m.step.ask(ctx, w, func(db Server) error {
				threads, err := db.Threads(ctx)
				if err == nil && threads.runs(Thread(m.step.Name)) {
					err = fmt.Errorf("%s of %s still runs", m.step.Name, m.step.Node.Name)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}

func stillAcknowledge(n int) error {
	return fmt.Errorf("%d replicas still acknowledge, those of the config are stopped", n)
}
