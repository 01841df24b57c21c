// Package limit decides which requests are taken on and which are turned away at
// once, so that too many of them slow nobody down.
//
// What happens here: the Adaptive limit of creates under way, the Gate that holds
// requests to it, the Throttle that holds merchants, terminals and channels to their
// rules, and the Book in which all groups keep those rules. What does not: HTTP, SQL,
// and knowing what a request asks for.
//
// Vocabulary: a class is what kind of work a request is; a rejection is an answer
// without any work done; a rule says how many creates a second a subject may make.
package limit
