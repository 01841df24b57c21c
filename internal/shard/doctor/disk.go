package doctor

import "fmt"

// Shares of a disk, in percent, below which its free space is a finding.
const (
	errorFree = 5
	warnFree  = 15
)

func checkDisks(_ Group, n Node) (findings []Finding) {
	if n.Variables != nil && len(n.Disks) == 0 {
		return []Finding{{
			ID: "disk_not_checked", Severity: Note, Found: "free disk space was not checked: " + n.DisksUnknown,
			Do:  "watch the disk by other means; on MariaDB the plugin disks shows it to a monitor account that holds FILE (INSTALL SONAME 'disks')",
			Why: "a full disk stops the commits of the group",
		}}
	}
	for _, d := range n.Disks {
		if d.Total == 0 {
			continue
		}
		percent := float64(d.Free) / float64(d.Total) * 100
		if percent >= warnFree {
			continue
		}
		f := Finding{
			ID: "disk_full", Severity: Warning,
			Found: fmt.Sprintf("%.1f %% of the disk at %s is free (%s of %s), want at least %d %%", percent, d.Path, gigabytes(d.Free), gigabytes(d.Total), warnFree),
			Do:    "make room: old binlogs that every replica has read (PURGE BINARY LOGS BEFORE ...), logs, or a larger disk",
			Why:   "a full disk stops the commits of the group, and a primary that hangs on it is slow to notice",
		}
		if percent < errorFree {
			f.Severity = Error
		}
		findings = append(findings, f)
	}
	return findings
}

func gigabytes(n uint64) string { return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30)) }
