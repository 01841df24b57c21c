// Package ledger keeps the differences that reconciliation finds to their end: who
// decided what about which, when and why. Nothing in it is ever deleted or changed.
//
// The words of this room:
//
//   - a book is an account of a channel; a day of a book is run once, and closed by
//     it: another run of the same day has to supersede it with a reason;
//   - an event is a link of a chain: each carries the hash of the one before it, so
//     that the last hash, the head, vouches for all. Reports print it;
//   - a view is a table that follows from the events alone (projector). It is there to be
//     asked quickly, and Verify makes it anew and compares;
//   - a proposal is one decision about one difference, or about many small ones. Most
//     need a second person: four eyes;
//   - an instruction is an approved proposal that the order engine has to carry out.
//
// A directory holds ledger.db (SQLite, one writer at a time) and head.json, the head
// as it was last known: a ledger.db that was cut, or exchanged for an older one, does
// not reach it. Whoever can write both files can write another history; an older head
// from a printed report convicts it.
//
// Reconciling, reading bills and writing reports happen elsewhere. This room moves no
// money and edits no order.
package ledger
