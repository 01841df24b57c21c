// Package recon holds our books against a channel's: which rows agree, which
// differ and why, which the day's end has cut off from their counterpart, and a
// bridge from our total to the channel's that leaves nothing unexplained.
//
// The words of this room:
//
//   - the trade flow compares our entries with the trade bill, the fund flow the
//     trade bill with the fund bill: what should have moved with what did;
//   - a row is expected if the other side must have it; some of ours may or may
//     not be there (a revoke whose outcome only the bill tells);
//   - a difference has a class, and is signed by cash effect: payments add, refunds
//     and revokes take away. Above 0 the channel holds more of our money than our
//     books say (长款), below 0 less (短款);
//   - what is settled of an amount, and the fee, are the channel's own sums: they are
//     held against the rate and against the fund bill, never against our entries;
//   - a carried row is one within the day-cut window before midnight that the other
//     side may show tomorrow; it is expected until its deadline.
//
// Every input is streamed once, both sides at the same time. At most 32 bytes of a row are
// kept (package sift), and orders whose rows agree by fingerprint are counted and
// forgotten. The rows of all other orders are read again, whole, and judged by their
// texts (judge.go, judge_rest.go, judge_fund.go): so a fingerprint never decides
// that something is wrong, and the result depends neither on its seed nor on the
// order of the rows.
//
// Files are opened by the books that are handed in. There is no clock, and nothing
// is kept from one run to the next but what the caller carries over. Fetching bills
// lies in bill/fetch.
package recon
