// Package pay is the domain at the bottom of paytool: money in fen, order
// numbers with their group tag, the idempotency key, the states of an order and
// every move between them, the choice between twins of one key, and the entry
// that reconciliation reads.
//
// Nothing here does I/O, reads a clock or throws dice, and nothing here imports
// another room of the project: whatever every other room must agree on is a
// value in this one.
package pay
