// Package join lets a group that was prepared take new orders: a small share first,
// and more of them as long as nothing speaks against it. What does takes all of the
// share back.
//
// It asks servers nothing by itself and reads no clock: groups, looks and waiting are
// handed in. It keeps no journal, since the group's own row says where it stands: its
// state and its weight. No old order moves, so that there is nothing to undo but the
// weight.
package join
