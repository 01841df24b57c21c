// Package move works out how groups come and go: which tag goes to which group, all
// that speaks against it, and the order of the steps with what resumes and what
// reverses each.
//
// Everything here is a value. Nothing asks a server, copies a row or reads a clock:
// facts are handed in, store/chunk copies and compares, and whoever runs a move
// keeps its journal. So a dry run is the same code as a run, and the steps are tested
// with a crash at every point.
//
// Vocabulary: a leaving group's heir is the group that takes over its tags; a leg is
// the way of one tag, from its source to its target; a run is the legs of one leaving
// group, which are taken together, step by step. A shrink has a run for each leaving
// group, an expansion has none, since no old order moves.
package move
