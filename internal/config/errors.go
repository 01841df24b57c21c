package config

import "paytool/internal/strictyaml"

// KeyError is one thing wrong with a configuration, and where. It never holds a
// value that could be a password.
type KeyError = strictyaml.KeyError

// noGroups is what is said of a file without a word in it.
const noGroups = "it needs at least one group, or run `paytool sandbox up`, which writes a configuration"
