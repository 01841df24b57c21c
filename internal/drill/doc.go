// Package drill is the room where failures are drilled. So far it holds what a
// drill needs to judge data: an open-loop load, the ledger that the load writes
// ahead of every order, and the judge who holds the ledger against the rows of
// every node of every group. Faults, stop conditions and restore join them here.
//
// It reaches the engine through small interfaces of its own, and it opens no
// database: whoever reads the nodes hands their rows to a Judge, which does no
// I/O.
//
// Vocabulary: an intent is an order that the load is about to send, written and
// synced before it is sent; an answer is what the client saw of it. An order is
// acknowledged (acked) when the client was given its number. A row lives unless
// it is VOID, and is payable until it has ended.
package drill
