// Package drillreport writes the report of a drill: one page that a manager reads in a
// minute and an engineer to its end, and the same verdict for machines that read JUnit.
//
// The page is one HTML file that opens without a network: no script, no picture and no
// style from elsewhere. Every figure on it is one of the result's, and carries the path
// under which the result's JSON has it.
//
// Nothing is judged or measured here. Texts come from servers and are hostile: they go
// through the template's escaping and nowhere else.
package drillreport
