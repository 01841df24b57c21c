package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// MaxFileSize, in bytes, keeps a wrong path from filling the memory.
const MaxFileSize = 1 << 20

// The parser's time grows with the square of the nesting, and its stack with
// the nesting: both limits are far above what five levels of keys need.
const (
	maxLineLength = 16 << 10
	maxBrackets   = 20_000
)

// Decode reads the one YAML document of data into a struct, which into points to and
// which may hold defaults, and returns the line of every key. name stands for the file
// in errors; empty is what is said of a file without a document. All errors are
// KeyErrors, joined.
func Decode(name string, data []byte, empty string, into any) (Lines, error) {
	doc, err := readDocument(name, data, empty)
	if err != nil {
		return nil, err
	}
	s := &shape{file: name, lines: Lines{}}
	s.walk(doc, reflect.TypeOf(into).Elem(), "")
	if err := errors.Join(s.errs...); err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := dec.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		return nil, syntaxError(name, err)
	}
	return s.lines, nil
}

// readDocument parses the text into its one YAML document.
func readDocument(name string, data []byte, empty string) (ast.Node, error) {
	refuse := func(format string, args ...any) (ast.Node, error) {
		return nil, &KeyError{File: name, Line: 1, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(data) > MaxFileSize:
		return refuse("larger than %d bytes: is this the right file?", MaxFileSize)
	case !utf8.Valid(data):
		return refuse("not UTF-8 text: is this the right file?")
	case bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > maxBrackets:
		return refuse("more than %d brackets: is this the right file?", maxBrackets)
	}
	for line := range bytes.Lines(data) {
		if len(line) > maxLineLength {
			return refuse("a line of more than %d bytes: is this the right file?", maxLineLength)
		}
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	switch {
	case len(file.Docs) == 0 || len(file.Docs) == 1 && file.Docs[0].Body == nil:
		return refuse("empty: %s", empty)
	case len(file.Docs) > 1:
		return refuse("more than one YAML document: keep one and remove the --- between them")
	}
	return file.Docs[0].Body, nil
}

// Encode is the text that Decode reads back.
func Encode(v any) ([]byte, error) {
	text, err := yaml.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write YAML: %w", err)
	}
	return text, nil
}
