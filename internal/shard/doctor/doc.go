// Package doctor judges whether groups are set up so that a failure costs no
// order: from facts about every server it makes findings, each with what was found,
// what to do and why it matters.
//
// It asks nobody. The facts are handed in as the servers gave them, in MariaDB's
// spelling or MySQL's; reading them is the business of store/vitals. It mends
// nothing either: the statements in a finding are for a person to run.
//
// What could not be read is a finding of its own and never counts as good.
package doctor
