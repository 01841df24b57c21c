// Package chunk copies the rows of a tag from one group to another, compares them,
// and counts what a plan wants to know, chunk by chunk.
//
// A chunk is a span of order numbers with everything that belongs to these orders, in
// every table that moves (store.MovingTables): an order and its refunds travel
// together, read at one moment. The spans of a tag cover all numbers that could be,
// so a row that only the target has is found as well. A chunk that is done again
// changes nothing where the rows are the same already.
//
// A digest of a chunk is, for each table, the number of rows, the sum of the money
// and the sum of 64 bits of each row's SHA-1: sums, as XOR would cancel a row that is
// there twice. Servers compute it themselves; rows of embedded groups come here and
// are hashed by the same definition.
//
// What does not happen here: deciding when a tag moves, fencing, switching. The
// claim of the side that is written to is looked at in each transaction: one that owns
// the tag refuses, as its rows are newer, and so does one that has admitted another
// holder of the move.
package chunk
