// Package curve puts "smooth" into figures: how deep the rate of acknowledged orders
// fell, how many came late, how long nobody got an order, when all was well again.
//
// Everything here is arithmetic over the orders of a load. Nothing is measured, no
// clock is read, and whether a figure is good enough is for package result to say.
//
// Vocabulary: an order is due when the open loop wanted to send it and done when its
// answer was there; its wait is what lies between. Goodput is acknowledged orders by
// the time they were done. A bin is a slice of time, one boundary of which is the
// injection. The band is what the baseline leads one to expect of a bin: its median
// less three times its median absolute deviation, which counts as at least 2 % of the
// median. The control group is the orders that the groups which were left alone took at
// once.
package curve
