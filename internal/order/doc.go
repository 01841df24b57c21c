// Package order is the order engine: it creates orders in whichever group takes
// them, reads them back, settles what is in doubt and sweeps a group that has
// healed.
//
// It declares what it needs of the outside: Group and Tx are one MySQL group
// (store fulfils them, and so does the simulation), Env is time and concurrency.
// The engine holds no SQL and starts no goroutine except through Env, so the same
// code runs against real databases and under virtual time.
//
// Vocabulary: a try is one create transaction in one group; its outcome is
// Committed, NotCommitted or Unknown. A doubt is a try whose outcome stayed
// Unknown while the order was then written elsewhere, by the winner. A hop is a
// landing off the home group. Twins are two live rows of one key and attempt.
package order
