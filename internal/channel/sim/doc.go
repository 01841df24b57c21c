// Package sim is the channels for people without an account, and for tests: it
// answers the bill endpoints of WeChat Pay (v3 and v2) and Alipay as the real ones
// do, from days that are generated or from files that were recorded.
//
// Requests must be signed as the channels want it, answers are signed with keys of
// the simulator's own, and errors have the channels' codes and bodies. Faults can
// be switched on, each for a number of requests.
//
// It shares no code with bill/fetch: what one of the two gets wrong, the other
// notices. It does not take payments: the order engine has channel/builtin.
package sim
