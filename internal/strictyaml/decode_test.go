package strictyaml

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	Name  string        `yaml:"name"`
	Count int           `yaml:"count"`
	Wait  time.Duration `yaml:"wait"`
	Parts []part        `yaml:"parts,omitempty"`
}

type part struct {
	On bool `yaml:"on"`
	P2 *int `yaml:"p2,omitempty"`
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got := sample{Count: 7, Wait: time.Second} // defaults
	lines, err := Decode("f", []byte("name: x\nwait: 250ms\nparts:\n  - on: true\n    p2: 3\n"), "", &got)
	if err != nil {
		t.Fatal(err)
	}
	want := sample{Name: "x", Count: 7, Wait: 250 * time.Millisecond, Parts: []part{{On: true, P2: new(3)}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for path, line := range map[string]int{"wait": 2, "parts[0].p2": 5, "parts[0].missing": 4, "parts[9]": 3, "nothing": 1, "": 1} {
		if got := lines.Of(path); got != line {
			t.Errorf("%s is in line %d, want %d", path, got, line)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "f:1: empty: write something"},
		{"all at once", "nam: x\ncount: 1.5\nwait: 5\nparts: {}\n", "f:1: nam: unknown key; known here: name, count, wait, parts\n" +
			"f:2: count: want a whole number in plain digits\nf:3: wait: want a duration with its unit, such as 250ms\n" +
			"f:4: parts: want a list, each item beginning with a dash"},
		{"a secret as key", "\"S3cret!\": 1\n", "f:1: (key withheld): unknown key; known here: name, count, wait, parts"},
		{"no YAML", "name: [\n", "f:1: not valid YAML: sequence end token ']' not found"},
	} {
		var into sample
		_, err := Decode("f", []byte(tc.text), "write something", &into)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\n%v\nwant\n%s", tc.name, err, tc.want)
		}
		if _, ok := errors.AsType[*KeyError](err); !ok {
			t.Errorf("%s: %T holds no KeyError", tc.name, err)
		}
	}
}

func TestEncodeReadsBack(t *testing.T) {
	t.Parallel()
	want := sample{Name: "a: [b", Count: -1, Wait: 90 * time.Second, Parts: []part{{P2: new(0)}}}
	text, err := Encode(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "wait: 1m30s") {
		t.Errorf("a duration is written as %s", text)
	}
	var got sample
	if _, err := Decode("f", text, "", &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
