// Package bill reads the bill files of WeChat Pay, Alipay and UnionPay, checks
// them against what they say about themselves, and turns every line into one
// Row: pay, refund or revoke of a trade bill, in or out of a fund bill.
//
// The words of this room:
//
//   - a trade bill lists payments and refunds, a fund bill every movement of the
//     account, a summary only totals;
//   - a row is a detail line that could be read, a rejected row one that could
//     not be: it is named with its line and reason and never dropped in silence;
//   - the footer is what a bill says about itself, a finding is where the bill
//     and its rows, or the bill and what was asked for, disagree;
//   - a refused file is one that no row is taken from at all.
//
// What a file is, its bytes tell, never its name. Columns are found by the names
// in the header, because layouts of several generations are in use. Fields are
// split by the formats' own rules: WeChat puts a backtick before every field and
// quotes nothing, so that encoding/csv, which knows quotes, misreads it.
//
// The commands are one call each: Inspect, Convert, Diff, generate.Files.
// Reconciliation uses Open, Reader.Next and, at the end, Reader.Report. Fetching
// lies in bill/fetch; matching with our own books is not done here.
//
// # How to add a format
//
// UnionPay's is the one to copy (unionpay.go, unionpay_summary.go):
//
//  1. types.go: a Type; recognise.go: a layoutKind and the case that knows the
//     file by its first line.
//  2. A file of its own for the reader: its columns by name (a layout, as in
//     wechat_trade.go) or by width (a table, as in unionpay.go), and a type with the
//     methods of format: line turns a line into a Row or says why not, prove
//     compares the footer with the rows, compare a summary from the same zip.
//  3. reader.go: its constructor in Reader.begin. It sets channel, type and columns
//     of the report.
//  4. What else is handed over in its place (exports, error pages) goes into the
//     tables of strangers.go.
//  5. Tests: a bill of three rows in made_test.go, its rows in a table, what it
//     rejects in another, a fuzz target in fuzz_test.go, and a real file in
//     TestSamples.
package bill
