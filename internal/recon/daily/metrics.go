package daily

import (
	"fmt"
	"strings"
	"time"

	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// MetricNames are the figures of MetricsText with their labels.
func MetricNames() map[string][]string {
	book := []string{"channel", "account"}
	return map[string][]string{
		"paytool_recon_exit_status": book, "paytool_recon_differences": book, "paytool_recon_ours_fen": book, "paytool_recon_theirs_fen": book,
		"paytool_recon_carried_rows": book, "paytool_recon_overdue": book, "paytool_recon_open": {"up_to_days"},
		"paytool_recon_last_run_timestamp_seconds": nil,
	}
}

// Found counts the differences of a result by class: the list itself may be cut.
func Found(res *recon.Result) (n int64) {
	for _, c := range res.Counts {
		n += c
	}
	return n
}

// MetricsText is what a run came to, in Prometheus' text form for the node exporter:
// the last day of each account, and what is open by age. Accounts are labels, numbers of
// orders never.
func MetricsText(days []Outcome, ages ledger.Buckets, now time.Time) string {
	last := map[ledger.Book]*Outcome{}
	var books []ledger.Book
	for i := range days {
		if last[days[i].Book] == nil {
			books = append(books, days[i].Book)
		}
		last[days[i].Book] = &days[i]
	}
	var b strings.Builder
	metric := func(name, help string, value func(*Outcome) (int64, bool)) {
		fmt.Fprintf(&b, "# HELP paytool_recon_%s %s\n# TYPE paytool_recon_%s gauge\n", name, help, name)
		for _, book := range books {
			if v, ok := value(last[book]); ok {
				fmt.Fprintf(&b, "paytool_recon_%s{channel=%q,account=%q} %d\n", name, book.Channel, book.Account, v)
			}
		}
	}
	metric("exit_status", "Exit status of the last day: 0 balanced, 2 differences, 3 not ready, 4 gate, 5 overdue, 1 failed.",
		func(d *Outcome) (int64, bool) { return int64(d.Status.Exit()), true })
	of := func(value func(*Outcome) int64) func(*Outcome) (int64, bool) {
		return func(d *Outcome) (int64, bool) {
			if d.Result == nil {
				return 0, false
			}
			return value(d), true
		}
	}
	metric("differences", "Differences that the last day was found with.", of(func(d *Outcome) int64 { return Found(d.Result) }))
	metric("ours_fen", "Our net total of the last day, in fen.", of(func(d *Outcome) int64 { return int64(d.Result.Ours.Amount) }))
	metric("theirs_fen", "The channel's net total of the last day, in fen.", of(func(d *Outcome) int64 { return int64(d.Result.Theirs.Amount) }))
	metric("carried_rows", "Rows that wait for the next day.", of(func(d *Outcome) int64 { return d.Result.Carried.Closing }))
	metric("overdue", "Differences that are open for too long.", of(func(d *Outcome) int64 { return int64(d.Overdue) }))
	b.WriteString("# HELP paytool_recon_open Open differences of all accounts by age in days.\n# TYPE paytool_recon_open gauge\n")
	for _, a := range []struct {
		age   string
		total ledger.AgeTotal
	}{{"1", ages.UpTo1}, {"3", ages.UpTo3}, {"7", ages.UpTo7}, {"older", ages.Beyond}} {
		fmt.Fprintf(&b, "paytool_recon_open{up_to_days=%q} %d\n", a.age, a.total.Rows)
	}
	fmt.Fprintf(&b, "# HELP paytool_recon_last_run_timestamp_seconds When recon run ended last.\n# TYPE paytool_recon_last_run_timestamp_seconds gauge\npaytool_recon_last_run_timestamp_seconds %d\n", now.Unix())
	return b.String()
}
