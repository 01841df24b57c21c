package fault

// What several faults need, and how they are taken back.
const (
	needsProcess  = "a sandbox, whose processes may be stopped and killed"
	needsServer   = "admin_dsn of the group's servers"
	needsReplicas = "admin_dsn of the group's servers, semi-sync on, and replicas"
	needsProxy    = "a proxy in front of the group, which the drill opens; without TLS and compression"

	undoProxy   = "the proxy passes everything again; it ends with the drill's process"
	undoSession = "the drill's sessions end; they end with its process in any case"
)

var (
	hops   = []Sometimes{OrderHopped}
	settle = []Sometimes{OrderHopped, UnknownSettled}
)

// specs is every fault that is known, by name. Faults under which the group still
// takes orders (lag, latency, slow_cpu) expect no hop.
var specs = []Spec{
	{
		Name: Crash, Scopes: []Scope{Process}, Class: Unknown, Sometimes: hops,
		Meaning: "the primary is killed: connections are refused at once, what was under way may have been written",
		Needs:   needsProcess, Undo: "the primary is started again with the same arguments",
	},
	{
		Name: DiskFull, Scopes: []Scope{Disk}, Class: Unknown, Sometimes: hops,
		Meaning: "the primary's disk is full: writes hang, then the server ends",
		Needs:   "a data directory on a loop mount of its own, which takes root and cannot be had here", Undo: "the ballast is removed",
	},
	{
		Name: Flood, Scopes: []Scope{Server}, Class: Failed, HealsAlone: true, // whoever has a pool goes on
		Meaning: "all connections of the primary are taken, new ones get error 1040; open ones work on",
		Needs:   needsServer, Undo: undoSession,
	},
	{
		Name: Hang, Scopes: []Scope{Process, Network}, Class: Unknown, Sometimes: hops,
		Meaning: "nothing is answered, connections open and stay silent; what was held goes on afterwards",
		Needs:   needsProcess + "; elsewhere a proxy in front of the group", Undo: "SIGCONT to the very same process; or the proxy lets go",
		Params: []Param{chanceOf("connection (through a proxy)")},
	},
	{
		Name: Lag, Scopes: []Scope{Server}, Class: Stale,
		Meaning: "replicas receive and no longer apply: the primary works, reads elsewhere are stale",
		Needs:   needsReplicas, Undo: "START REPLICA SQL_THREAD where it ran",
	},
	{
		Name: Latency, Scopes: []Scope{Network}, Class: Slow, HealsAlone: true,
		Meaning: "each request reaches the server late, those that open a connection too; answers are not delayed",
		Needs:   needsProxy, Undo: undoProxy,
		Params: []Param{
			{
				Name: "d", Default: "100ms", Meaning: "how late; ms=200 is d=200ms",
				set: setDelay, get: func(f Fault) string { return f.Delay.String() },
			},
			{
				Name: "jitter", Default: "0s", Meaning: "up to how much earlier or later than d, evenly spread",
				set: setJitter, get: func(f Fault) string { return f.Jitter.String() },
			},
			chanceOf("request"),
		},
	},
	{
		Name: Lock, Scopes: []Scope{Server}, Class: Unknown, HealsAlone: true, Sometimes: hops,
		Meaning: "FLUSH TABLES WITH READ LOCK: writes on the primary wait, reads work",
		Needs:   needsServer, Undo: undoSession,
	},
	{
		Name: LostCommit, Scopes: []Scope{Network}, Class: Unknown, HealsAlone: true, Sometimes: settle,
		Meaning: "COMMIT is executed, its answer is lost and the connection ends",
		Needs:   needsProxy, Undo: undoProxy,
		Params: []Param{chanceOf("COMMIT")},
	},
	{
		Name: Partition, Scopes: []Scope{Network}, Class: Unknown, HealsAlone: true, Sometimes: hops,
		Meaning: "whoever goes through the proxy is cut off, others are not: silence, and nothing held arrives later",
		Needs:   needsProxy, Undo: undoProxy,
	},
	{
		Name: ReadOnly, Scopes: []Scope{Server}, Class: Failed, Sometimes: hops,
		Meaning: "SET GLOBAL read_only=1: writes on the primary get error 1290",
		Needs:   needsServer, Undo: "SET GLOBAL read_only to what it was",
	},
	{
		// No chance: a closed port turns everybody away.
		Name: Refuse, Scopes: []Scope{Network}, Class: Failed, HealsAlone: true, Sometimes: hops,
		Meaning: "new connections are refused, those that are open end",
		Needs:   needsProxy, Undo: undoProxy,
	},
	{
		Name: ReplyLost, Scopes: []Scope{Network}, Class: Unknown, HealsAlone: true, Sometimes: hops,
		Meaning: "the server executes the statement, and its answer never comes",
		Needs:   needsProxy, Undo: undoProxy,
		Params: []Param{on, chanceOf("statement")},
	},
	{
		Name: RequestLost, Scopes: []Scope{Network}, Class: Unknown, HealsAlone: true, Sometimes: hops,
		Meaning: "the statement never reaches the server, and no answer comes",
		Needs:   needsProxy, Undo: undoProxy,
		Params: []Param{on, chanceOf("statement")},
	},
	{
		Name: Reset, Scopes: []Scope{Network}, Class: Unknown, HealsAlone: true, Sometimes: hops,
		Meaning: "connections are reset, those that are open at once and new ones as they come",
		Needs:   needsProxy, Undo: undoProxy,
		Params: []Param{chanceOf("connection")},
	},
	{
		Name: SemisyncDegrade, Scopes: []Scope{Server}, Class: Degraded, Sometimes: hops,
		Meaning: "no replica acknowledges, and the primary goes on alone after 100 ms: acknowledged orders have one copy",
		Needs:   needsReplicas, Undo: "START REPLICA IO_THREAD where it ran, the timeout as it was, semi-sync on",
	},
	{
		Name: SemisyncStall, Scopes: []Scope{Server}, Class: Unknown, Sometimes: settle,
		Meaning: "no replica acknowledges, and the primary waits: writes hang, and appear afterwards",
		Needs:   needsReplicas, Undo: "START REPLICA IO_THREAD where it ran, the timeout as it was, semi-sync on",
	},
	{
		Name: SlowCPU, Scopes: []Scope{Process}, Class: Slow,
		Meaning: "the primary gets a part of its time only: it is stopped and let go ten times a second",
		Needs:   needsProcess, Undo: "SIGCONT to the very same process",
		Params: []Param{
			{
				Name: "p", Default: "0.8", Meaning: "the share of the time in which it stands still",
				set: setChance, get: func(f Fault) string { return formatChance(f.P) },
			},
		},
	},
}

var on = Param{
	Name: "on", Default: string(Any), Meaning: "any statement, or commit alone",
	set: setStatement, get: func(f Fault) string { return string(f.On) },
}

func chanceOf(what string) Param {
	return Param{
		Name: "p", Default: "1", Meaning: "the chance that a " + what + " is struck",
		set: setChance, get: func(f Fault) string { return formatChance(f.P) },
	}
}
