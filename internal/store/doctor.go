package store

// What the doctor has to know of this room.

// SchemaVersion is the newest schema that this program knows.
func SchemaVersion() int { return schemaVersion }

// MaxConns is the most connections that one engine instance opens to a primary
// and to a replica whose pool for orders has the given size.
func MaxConns(pool int) (primary, replica int) {
	transactions, single := splitPool(pool)
	replica = transactions + single + 2*sparePool // scans and the monitor
	return replica + sparePool, replica
}
