// Package strictyaml reads YAML that people write by hand into Go structs: everything
// that is wrong is said at once, each with its line, and nothing is guessed. Unknown
// keys, anchors, aliases and tags are refused, a number is a number and a duration has
// its unit.
//
// What happens here: syntax, keys, kinds of values. What does not: deciding whether a
// value makes sense; whoever knows that says so with the same KeyError.
//
// Keys are the yaml tags of structs. Fields may be structs, slices, pointers, text,
// bools, whole numbers and durations.
package strictyaml
