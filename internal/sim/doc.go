// Package sim runs the order engine against simulated groups under virtual time
// and checks the invariants that no fault may break (hop design, rule 4).
//
// One seed is one run: groups with faults, engine instances with views and clocks
// of their own, clients that retry, pay, cancel and refund, an operator who changes
// weights and fences tags, and one payment channel. The engine is the production
// code, order.New, unchanged; a group here is a model of MariaDB with
// semi-synchronous replication, and the channel a model of one that takes the money
// and whose answers get lost. Both models know the ground truth that nobody outside
// can see: what is committed, and where the money is. A run takes its chance from
// the seed alone, so a failing seed replays event by event.
//
// Nothing here is used in production, waits on a real clock or calls a database.
// What is broken on purpose (sabotage.go) is broken in wrappers of this package;
// the engine has no switches for it.
//
// Vocabulary: a process is a line of execution that blocks only on virtual time
// or on a group; a life is one run of one engine process, ended by a clean exit
// or by kill -9; the truth is what the groups have committed; the books are what
// the channel has taken and given back.
package sim
