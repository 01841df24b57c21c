package strictyaml

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// shape compares a document with the Go types it will be decoded into. The
// decoder alone stops at the first mistake, repeats values in its words, and
// takes 1.5 for the integer 1.
type shape struct {
	file  string
	lines Lines
	errs  []error
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
var plainKey = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

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
