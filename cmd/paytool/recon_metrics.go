package main

import (
	"context"
	"io"
	"os"
	"time"

	"paytool/internal/config"
	"paytool/internal/recon/daily"
	"paytool/internal/recon/ledger"
	"paytool/internal/whole"
)

// writeMetrics writes what a run came to, in Prometheus' text form, for the node
// exporter's textfile collector. Account names are labels, numbers of orders never.
func (o *reconRunOptions) writeMetrics(ctx context.Context, r *reconApp, l *ledger.Ledger, cfg *config.Config, days []daily.Outcome) error {
	path := o.metrics
	if path == "" {
		path = cfg.Recon.MetricsFile
	}
	if path == "" {
		return nil
	}
	var ages ledger.Buckets
	if l != nil {
		found, err := l.Ages(ctx, nil, 1)
		if err != nil {
			return err
		}
		if len(found) > 0 {
			ages = found[len(found)-1].Buckets
		}
	}
	return whole.Write(path, func(w io.Writer) error {
		if f, ok := w.(*os.File); ok { // the exporter is another user
			if err := f.Chmod(0o644); err != nil {
				return err
			}
		}
		_, err := io.WriteString(w, daily.MetricsText(days, ages, time.Now()))
		return err
	})
}
