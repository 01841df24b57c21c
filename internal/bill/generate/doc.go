// Package generate makes the bills of a day that never was: a trade bill, the
// fund bill that goes with it, the entries that our own books would have, and, if
// asked for, planted differences with the truth about them.
//
// A bill made here is like a real one byte for byte: it passes every check of
// package bill, and a parser that was written for real bills takes it. The same
// options make the same bytes. Memory does not grow with the number of rows but
// for the planted differences.
//
// Nothing here knows how differences are found: the truth says what was planted.
package generate
