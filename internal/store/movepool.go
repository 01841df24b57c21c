package store

import "database/sql"

// What moves rows between groups has to know of this room.

// Bulk is the pool for many rows of the primary at once, apart from the one for
// orders. Its connections have the rules of every session here, and none is made to a
// server that is not the group's primary, once Info has told which one that is. The
// group closes it.
func (g *Group) Bulk() *sql.DB { return g.primary().scan }

// PrimaryName is the primary for people: "g1/primary 127.0.0.1:3306".
func (g *Group) PrimaryName() string { return g.primary().name }
