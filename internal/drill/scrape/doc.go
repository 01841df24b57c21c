// Package scrape watches engines that are being served, by the figures at their
// /metrics: which groups they have ejected, and what became of the orders that anybody
// has sent them since the look before.
//
// What happens here: reading Prometheus' text, telling what is new from what was counted
// before, and making one view of several instances. What does not: asking over HTTP,
// which is handed in, and judging; counters say how many, never which, so nothing here
// can prove that an order is where it should be.
package scrape
