// Package result turns what a drill has seen into what it came to: the verdict with
// its reasons, the exit status, and every figure that a report shows.
//
// Everything here is worked out from what is handed in: the plan, the orders of the
// load, the events, the judge's verdict on the data and the word of the rig on the way
// back. Nothing is asked, kept or drawn, and no clock is read.
package result
