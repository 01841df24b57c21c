package config

import (
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"
)

const mask = "***"

// DSN is a data source name in the form of go-sql-driver/mysql. However it is
// printed, logged or marshalled its password reads ***; string(d) is the real
// text, for the driver alone.
type DSN string

// String is the DSN with its password masked; *** alone where the DSN does
// not parse, since any part of it may then be the password.
func (d DSN) String() string {
	if d == "" {
		return ""
	}
	cfg, err := d.parse()
	if err != nil {
		return mask
	}
	if cfg.Passwd != "" {
		cfg.Passwd = mask
	}
	return cfg.FormatDSN()
}

// MarshalText is String for encoders.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// errDSN replaces the driver's words, which repeat parts of the DSN.
var errDSN = errors.New("does not parse (value withheld): write user:password@tcp(host:port)/database")

// parse reads the DSN as the driver does. A database name with one of the
// DSN's own delimiters is refused: there the password held a slash or an at
// sign and what was read as address and database are pieces of it.
func (d DSN) parse() (*mysql.Config, error) {
	cfg, err := mysql.ParseDSN(string(d))
	if err != nil || strings.ContainsAny(cfg.DBName, "@:()") {
		return nil, errDSN
	}
	return cfg, nil
}

// hasPassword reports whether the DSN carries a password, or may carry one
// that cannot be told apart.
func (d DSN) hasPassword() bool {
	if d == "" {
		return false
	}
	cfg, err := d.parse()
	return err != nil || cfg.Passwd != ""
}
