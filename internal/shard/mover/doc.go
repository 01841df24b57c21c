// Package mover carries out what package move plans: it takes the steps of a run one
// after the other on real groups, keeps their journal, and goes on where another
// process died.
//
// It decides nothing that move.Run has not decided, and speaks no SQL: groups are
// handed in as Group, fulfilled by package store/tagmove. Clock and waiting are
// handed in too, so that every order of steps, crashes and lost answers is tested
// without a server.
//
// Who holds a run is a lease in the target's database. Every call that changes rows
// names its holder, and the group refuses it within the same transaction once another
// one holds the run: a process that was left behind can do no harm.
package mover
