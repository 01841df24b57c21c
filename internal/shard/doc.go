// Package shard decides which group takes a new order and which group owns an
// old one: the topology (groups, weights, the tag map with its history), the
// ranking of groups for a key, and the health of each group as one engine
// instance sees it (failure counter, probes, ejection, readmission, in-flight
// cap, panic mode).
//
// Everything here is a decision. Nothing does I/O, reads a clock or throws dice:
// times and random numbers are handed in, so the simulation and the production
// engine run this very code.
//
// Vocabulary: a key's home is the group ranked first for it; a group is ejected
// when new orders avoid it and readmitted when they come back; an order hops when
// it lands anywhere but at its home; a group is disturbed while orders hop past it
// that no ledger has told of yet.
package shard
