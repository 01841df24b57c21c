package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"paytool/internal/strictyaml"
)

// ErrNotFound says that no configuration was named and none lies in the usual
// places.
var ErrNotFound = errors.New("no configuration found")

// usualPlaces are tried in this order where no file is named.
var usualPlaces = []string{"paytool.yaml", "paytool-sandbox/paytool.yaml"}

// Find chooses the configuration file: flag (--config), else env (the value of
// PAYTOOL_CONFIG), else the first of the usual places that exists, seen from
// the working directory. A named file is not looked at: Load says what is
// wrong with it. With nothing found the error is an ErrNotFound.
func Find(flag, env string) (string, error) {
	if flag != "" {
		return flag, nil
	}
	if env != "" {
		return env, nil
	}
	for _, path := range usualPlaces {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("look for config %s: %w", path, err)
		}
	}
	return "", fmt.Errorf("%w: looked for ./%s and ./%s; name one with --config or PAYTOOL_CONFIG, start local groups with `paytool sandbox up`, or use embedded ones with --dir DIR",
		ErrNotFound, usualPlaces[0], usualPlaces[1])
}

// Load reads, completes and validates the file at path. See Parse.
func Load(path string) (*Config, error) { return load(path, false) }

func load(path string, withoutGroups bool) (*Config, error) {
	data, mode, err := readFile(path)
	if err != nil {
		return nil, err
	}
	c, err := parseText(path, data, withoutGroups)
	if err != nil {
		return nil, err
	}
	if mode.Perm()&0o044 != 0 && c.hasPasswords() {
		c.warnings = append(c.warnings, fmt.Sprintf(
			"%s: mode %04o lets others read the passwords in it: run chmod 600 on it", path, mode.Perm()))
	}
	return c, nil
}

func readFile(path string) ([]byte, fs.FileMode, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read config: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read: nothing can be lost
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("read config: %w", err)
	}
	if info.IsDir() {
		return nil, 0, fmt.Errorf("read config %s: it is a directory: name the file in it", path)
	}
	// One byte more than is allowed shows a file that is too large; Parse says so.
	data, err := io.ReadAll(io.LimitReader(f, strictyaml.MaxFileSize+1))
	if err != nil {
		return nil, 0, fmt.Errorf("read config: %w", err)
	}
	return data, info.Mode(), nil
}

func (c *Config) hasPasswords() bool {
	for _, g := range c.Groups {
		for _, n := range append([]Node{g.Primary}, g.Replicas...) {
			if n.DSN.hasPassword() || n.MonitorDSN.hasPassword() || n.AdminDSN.hasPassword() {
				return true
			}
		}
	}
	return false
}
