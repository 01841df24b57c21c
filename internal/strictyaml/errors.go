package strictyaml

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml"
)

// KeyError is one thing wrong with a file, and where. It never holds a value that
// could be a password.
type KeyError struct {
	File   string // as it was named
	Line   int    // from 1; of the nearest key that exists where Key is missing
	Key    string // such as groups[1].primary.dsn; empty for the file as a whole
	Reason string
}

// Error is in the form of a compiler's, which editors know how to open.
func (e *KeyError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return fmt.Sprintf("%s:%d: %s: %s", e.File, e.Line, e.Key, e.Reason)
}

var (
	quoted   = regexp.MustCompile(`".*"|'.{2,}'`)
	position = regexp.MustCompile(`^\[(\d+):\d+\] `)
)

// syntaxError is what the YAML reader said, without the source and without the
// piece of it that the message itself may quote.
func syntaxError(name string, err error) *KeyError {
	line := 1
	var located yaml.Error
	if errors.As(err, &located) && located.GetToken() != nil {
		line = located.GetToken().Position.Line
	}
	reason := position.ReplaceAllString(yaml.FormatError(err, false, false), "")
	reason = quoted.ReplaceAllString(strings.ReplaceAll(reason, "\n", " "), "(text withheld)")
	return &KeyError{File: name, Line: line, Reason: "not valid YAML: " + reason}
}

// Lines are the lines of the key paths that a file holds.
type Lines map[string]int

// Of is the line of a key path, or of its nearest parent in the file.
func (l Lines) Of(path string) int {
	for path != "" {
		if line, ok := l[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 1
}
