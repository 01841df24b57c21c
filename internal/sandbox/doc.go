// Package sandbox runs real MariaDB groups on this machine: per group one
// primary and its semi-synchronous replicas, each a mariadbd of its own on
// loopback. Integration tests, drills and first steps run on it.
//
// Up brings the groups of a directory to health, Inspect says how they are and
// Down stops them. What a sandbox is lies in its directory: a marker file with
// ports and passwords, the engine's configuration and a folder per node. Which
// processes belong to it is read from /proc, so Linux only, and never from a
// pid file that may have gone stale.
//
// Not here: tables (package store creates them), faults (package drill), and
// anything that touches a server which Up did not create.
package sandbox
