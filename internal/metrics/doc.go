// Package metrics keeps the engine's figures for Prometheus.
//
// What happens here: names, labels and buckets, counting what is told, reading what
// changes by itself when somebody asks for the figures, and polling the few that lie
// in the groups. What does not: deciding what is worth an alarm; docs/ has the rules.
//
// A label is a group, a cause, a state, a route or a code: never an order number, a
// merchant or anything else that a caller can make up, or the figures would grow
// without end. Figures of money and of orders leave shadow orders out, or tell them
// apart by a label.
package metrics
