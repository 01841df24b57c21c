// Package vitals asks every server of every group for what package doctor judges:
// variables, status, replication, grants, clock, disks, and the rows that engines
// wrote. It speaks SQL, as a part of store does, and judges nothing.
//
// It only reads. What a server does not answer in time, or refuses, becomes part
// of the facts; one node never holds up or hides another. Passwords and the hashes
// that servers print of them do not leave this room.
package vitals
