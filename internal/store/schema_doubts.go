package store

// schemaDoubts lets two doubts about one try lie in one group: where a second try stayed
// unknown too, each of the groups that may hold the order has the doubt about the first,
// beside a winner of its own, and a tag can take one of them to the other. New groups
// have this key from the start; an embedded group that is older keeps its own, for SQLite
// changes none.
var schemaDoubts = migration{
	version:   4,
	minReader: 1,
	statements: []string{
		`/*! ALTER TABLE doubts DROP PRIMARY KEY, ADD PRIMARY KEY (order_no, winner) */`,
	},
}
