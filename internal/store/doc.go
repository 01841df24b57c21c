// Package store is the one room that speaks SQL. It fulfils order.Group and
// order.Tx with one MySQL or MariaDB group (a primary and its replicas) and keeps
// everything that lies in it: the schema and its migrations, orders and their moves,
// refunds, revokes, tasks, the journal, the hop ledger, doubts, base data, instance
// leases, group state.
//
// It decides nothing. Which group takes an order, what follows from an unknown
// outcome and who is voided are questions of order and shard; what store adds is
// the truth about an error: each one is a business error, or a fault that says
// NotCommitted or Unknown and names what it tells about the group's health.
//
// One SQL text serves MariaDB 10.11, MySQL 8 and SQLite behind the MySQL protocol.
// What SQLite must not see stands in comments that MySQL and MariaDB execute; what
// only one of these two knows stands in a comment that only that one executes.
// Times are Unix milliseconds in BIGINT columns, money is fen in BIGINT columns;
// no statement asks the server for its clock.
//
// A fence works by locks, not by conditions. Every write transaction first reads
// its tag's row in share mode (LockTag, or InsertOwned on its way) and so holds it until
// it ends; SetClaim updates the row and thereby waits for all of them. Under READ
// COMMITTED a mere condition in the write itself (WHERE EXISTS ...) would read the row,
// go on, and let the fence commit in between.
package store
