//go:build race

package ledger

import "flag"

// The race detector makes SQLite fifteen times slower: a tenth of the model's runs find
// races as well.
func init() {
	if err := flag.Set("rapid.checks", "10"); err != nil {
		panic(err)
	}
}
