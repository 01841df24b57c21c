// Package daybook writes the report of one reconciled day, a daybook: as a workbook
// that is worked in and filed, as a page that is read on any screen and printed, and
// as CSV. What a person decided in the workbook is read back here.
//
// The words of this room:
//
//   - a leaf is one sheet of the workbook while it is written, row after row, and
//     then it is closed; nothing of it is kept in memory;
//   - a table is a list under a header that rolls over to a further leaf where one
//     is full;
//   - a seal is the check that a row's decision still stands beside the difference
//     that it was made for.
//
// Texts come from bills and are hostile: they go out cleaned, and never as a formula
// (text.go). Money goes out by its digits (number.go).
//
// Nothing is decided or reconciled here, and nobody's clock is read: every figure is
// handed in, and the formulas of the workbook only find it again. Which decision is
// allowed is for the ledger to say.
package daybook
