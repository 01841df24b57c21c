// Package embedded serves groups that need no database server: each one is a
// SQLite file, DIR/group-N/orders.db, that this process serves on loopback over the
// MySQL protocol. Package store works on it as on a primary without replicas, with
// the same driver, the same SQL and the same error numbers, and a TCP proxy in
// front of it makes real network faults.
//
// What happens here is translation (statements, column types, error numbers), one
// writer at a time, and the question which process serves a directory. What an
// order is, which tables there are, what a fault means for a group: not here.
//
// A file has one connection that writes, behind a lock that is granted in the
// order of asking. The first statement after BEGIN takes it, be it a read, so a
// transaction never fails for a conflict halfway; one that waits for a second is
// answered as by MariaDB, with 1205. Reads outside a transaction run beside the
// writer and see what is committed.
//
// What differs from MariaDB: texts compare with the blanks at their end, DDL does
// not end a transaction, the first statement of a transaction waits even if it
// only reads, and a table takes no types but those of columnTypes, INTEGER and
// TEXT.
package embedded
