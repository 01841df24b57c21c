// Package join lets a group that was prepared take new orders: those of named merchants
// alone if that is wanted, then a small share of all, and more of them as long as nothing
// speaks against it. What does takes all of the share back.
//
// It asks servers nothing by itself and reads no clock: groups, looks and waiting are
// handed in. It keeps no journal, since the group's own rows say where it stands: its
// state, its weight and its pilots. No old order moves, so that there is nothing to undo
// but the weight.
package join
