// Package promote decides which node of a group becomes its primary, what has to be
// true before, and in which order things are done.
//
// What happens here: judging what the nodes say of themselves (Decide), with every
// reason against at once; comparing GTID sets; and walking the steps, which are
// values, through whatever carries them out (Run). What does not: talking to a
// server, noticing that a primary has failed, and making engines follow: they find
// the node that the group's highest epoch names by themselves.
package promote
