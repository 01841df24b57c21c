// Package plan says what a drill is going to do, as a value that can be printed,
// checked and refused before anything is touched: on what, what is broken and when,
// what is expected to hold, and what ends the drill early. Plan files are read here;
// flags make the same value.
//
// Nothing is broken or measured here, no group is asked and no clock is read.
//
// Vocabulary: a target is a group that the drill breaks; the turn of a rotating plan
// is the number of its week or quarter; the hypothesis is what ought to hold while the
// fault is in place; a step is one injection; the window is when the drill may start.
package plan
