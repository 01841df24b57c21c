// Package tagmove is what a group's database does for a move of tags: it fulfils
// mover.Group (runs and their journals, leases, claims, the record of changed orders)
// over package store, and mover.Carrier over package store/chunk.
//
// Every change is one transaction that first locks the row which says who may make
// it: the run's row for its journal and checkpoints, the tags' rows for claims, the
// recording and the copied rows. So a process that was left behind is refused by the
// database, whatever it believes, and who takes over waits for what is under way.
//
// What does not happen here: deciding what to do next, asking again, clocks. Times are
// handed in.
package tagmove
