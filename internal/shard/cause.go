package shard

// Cause names why a group does not take an order.
type Cause string

// The causes of an ejection (rule 12), and those of a group that was never in.
const (
	Crash            Cause = "crash"             // connection refused or reset
	Hang             Cause = "hang"              // no answer within the limit
	ReadOnly         Cause = "read_only"         // the server refuses writes
	SemisyncStalled  Cause = "semisync_stalled"  // commits wait for a replica
	SemisyncDegraded Cause = "semisync_degraded" // commits no longer wait for a replica
	StalePrimary     Cause = "stale_primary"     // another server than the one that may write
	DiskFull         Cause = "disk_full"
	Unknown          Cause = "unknown"
	Starting         Cause = "starting" // not probed yet, or no lease in the group
)

// Unsafe reports whether an order written to such a group could be lost though
// it was acknowledged. Unsafe groups are not tried in panic mode either: no
// money wrong comes before the payment gets done.
func (c Cause) Unsafe() bool {
	switch c {
	case SemisyncDegraded, StalePrimary, Starting:
		return true
	case Crash, Hang, ReadOnly, SemisyncStalled, DiskFull, Unknown:
		return false
	}
	return false
}

// Silent reports whether a group with this cause will not answer reads either,
// so that asking it costs the whole time limit.
func (c Cause) Silent() bool { return c == Crash || c == Hang || c == Starting }
