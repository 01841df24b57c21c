package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// The parser's time grows with the square of the nesting, and its stack with
// the nesting: both limits are far above what five levels of keys need.
const (
	maxLineLength = 16 << 10
	maxBrackets   = 20_000
)

// readDocument parses the text into its one YAML document.
func readDocument(name string, data []byte) (ast.Node, error) {
	refuse := func(format string, args ...any) (ast.Node, error) {
		return nil, &KeyError{File: name, Line: 1, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(data) > maxFileSize:
		return refuse("larger than %d bytes: is this the right file?", maxFileSize)
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
		return refuse("empty: it needs at least one group, or run `paytool sandbox up`, which writes a configuration")
	case len(file.Docs) > 1:
		return refuse("more than one YAML document: keep one and remove the --- between them")
	}
	return file.Docs[0].Body, nil
}

// shape compares a document with the Go types it will be decoded into. The
// decoder alone stops at the first mistake, repeats values in its words, and
// takes 1.5 for the integer 1.
type shape struct {
	file  string
	lines map[string]int
	errs  []error
}

// checkShape returns the line of every key path, or all that is unknown or of
// the wrong kind.
func checkShape(name string, doc ast.Node) (map[string]int, error) {
	s := &shape{file: name, lines: map[string]int{}}
	s.walk(doc, reflect.TypeFor[Config](), "")
	return s.lines, errors.Join(s.errs...)
}

func (s *shape) refuse(node ast.Node, path, format string, args ...any) {
	s.errs = append(s.errs, &KeyError{
		File: s.file, Line: node.GetToken().Position.Line, Key: path, Reason: fmt.Sprintf(format, args...),
	})
}

func (s *shape) walk(node ast.Node, typ reflect.Type, path string) {
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch node.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		s.refuse(node, path, "anchors, aliases and tags are not read here: write the value out")
		return
	}
	switch typ.Kind() {
	case reflect.Struct:
		s.walkKeys(node, typ, path)
	case reflect.Slice:
		s.walkList(node, typ, path)
	default:
		if want := scalarWanted(node, typ); want != "" {
			s.refuse(node, path, "want %s", want)
		}
	}
}

func (s *shape) walkList(node ast.Node, typ reflect.Type, path string) {
	switch n := node.(type) {
	case *ast.NullNode: // a key with nothing below it
	case *ast.SequenceNode:
		for i, item := range n.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			s.lines[at] = item.GetToken().Position.Line
			s.walk(item, typ.Elem(), at)
		}
	default:
		s.refuse(node, path, "want a list, each item beginning with a dash")
	}
}

func (s *shape) walkKeys(node ast.Node, typ reflect.Type, path string) {
	var pairs []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.NullNode: // a key with nothing below it: the defaults
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	default:
		s.refuse(node, path, "want keys: %s", strings.Join(keysOf(typ), ", "))
	}
	for _, pair := range pairs {
		s.walkPair(pair, typ, path)
	}
}

// plainKey tells a key that may be repeated in an error from one that may be a
// misplaced password.
var plainKey = regexp.MustCompile(`^[a-z_]{1,32}$`)

func (s *shape) walkPair(pair *ast.MappingValueNode, typ reflect.Type, parent string) {
	token := pair.Key.GetToken()
	name := token.Value
	if _, ok := pair.Key.(*ast.StringNode); !ok || !plainKey.MatchString(name) {
		name = "(key withheld)"
	}
	path := strings.TrimPrefix(parent+"."+name, ".")
	field, ok := fieldOf(typ, name)
	if !ok {
		s.refuse(pair.Key, path, "unknown key; known here: %s", strings.Join(keysOf(typ), ", "))
		return
	}
	s.lines[path] = token.Position.Line
	s.walk(pair.Value, field.Type, path)
}

func keyOf(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return key
}

func keysOf(typ reflect.Type) []string {
	var keys []string
	for f := range typ.Fields() {
		if key := keyOf(f); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(typ reflect.Type, key string) (reflect.StructField, bool) {
	for f := range typ.Fields() {
		if keyOf(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// scalarWanted says what a key of this type wants, or nothing where the node
// is that.
func scalarWanted(node ast.Node, typ reflect.Type) string {
	value := node.GetToken().Value
	switch {
	case typ == reflect.TypeFor[time.Duration]():
		_, isText := node.(*ast.StringNode)
		if _, err := time.ParseDuration(value); !isText || err != nil {
			return "a duration with its unit, such as 250ms"
		}
	case typ.Kind() == reflect.Bool:
		if _, ok := node.(*ast.BoolNode); !ok {
			return "true or false"
		}
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		_, isInt := node.(*ast.IntegerNode)
		n, err := strconv.ParseInt(value, 10, 64)
		// 010 would be read as 8, and 1_000 or 0x10 are more often slips than meant.
		if !isInt || err != nil || strconv.FormatInt(n, 10) != value {
			return "a whole number in plain digits"
		}
	default:
		if _, ok := node.(*ast.StringNode); !ok {
			return "text: put it in quotes"
		}
	}
	return ""
}
