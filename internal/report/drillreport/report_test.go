package drillreport

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"paytool/internal/drill/fault"
	"paytool/internal/drill/result"
)

// pages is where the pages are left to be looked at.
var pages = flag.String("pages", "", "leave the pages of the samples in this folder")

var dataElement = regexp.MustCompile(`<data value="([^"]*)" data-path="([^"]*)">([^<]*)</data>`)

// Every figure on the page is the one that the JSON has under its path.
func TestFiguresAreTheJSONs(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		for _, lang := range []Lang{Chinese, English} {
			page := write(t, name, &r, lang)
			found := dataElement.FindAllStringSubmatch(page, -1)
			if len(found) < 20 {
				t.Errorf("%s: only %d figures", name, len(found))
			}
			for _, f := range found {
				value, path, shown := f[1], f[2], html.UnescapeString(f[3])
				want := lookup(t, tree, path)
				if value != want {
					t.Errorf("%s: %s is %s on the page and %s in the JSON", name, path, value, want)
				}
				if !near(shown, value) {
					t.Errorf("%s: %s is %s and shown as %q", name, path, value, shown)
				}
			}
		}
	}
}

func write(t *testing.T, name string, r *result.Result, lang Lang) string {
	t.Helper()
	var b bytes.Buffer
	if err := WritePage(&b, r, lang); err != nil {
		t.Fatal(err)
	}
	if *pages != "" {
		if err := os.WriteFile(filepath.Join(*pages, name+"-"+string(lang)+".html"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// lookup is what the JSON has under a path.
func lookup(t *testing.T, tree any, path string) string {
	t.Helper()
	for part := range strings.SplitSeq(path, ".") {
		switch node := tree.(type) {
		case map[string]any:
			next, ok := node[part]
			if !ok {
				t.Fatalf("the JSON has no %s", path)
			}
			tree = next
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(node) {
				t.Fatalf("the JSON has no %s", path)
			}
			tree = node[i]
		default:
			t.Fatalf("the JSON has no %s", path)
		}
	}
	if n, ok := tree.(float64); ok {
		return strconv.FormatFloat(n, 'f', -1, 64)
	}
	if tree == nil {
		return "null"
	}
	return fmt.Sprint(tree)
}

// near reports whether what is shown is the value, rounded for people.
func near(shown, value string) bool {
	if value == "null" {
		return shown == "–"
	}
	v, err := strconv.ParseFloat(value, 64)
	s, err2 := strconv.ParseFloat(strings.ReplaceAll(shown, ",", ""), 64)
	return err == nil && err2 == nil && s-v <= .5 && v-s <= .5
}

// The page is one file: nothing is loaded and nothing runs.
func TestPageStandsAlone(t *testing.T) {
	t.Parallel()
	for name, r := range samples() {
		for _, lang := range []Lang{Chinese, English} {
			page := write(t, name, &r, lang)
			for _, forbidden := range []string{"<script", "http:", "https:", "src=", "@import", "<link", "url(", "ZgotmplZ", "%!", "NaN", "Inf"} {
				if strings.Contains(page, forbidden) {
					t.Errorf("%s-%s: the page has %q", name, lang, forbidden)
				}
			}
			for _, wanted := range []string{lang.known("verdict.", string(r.Verdict)), r.ID} {
				if !strings.Contains(page, wanted) {
					t.Errorf("%s-%s: the page lacks %q", name, lang, wanted)
				}
			}
			for _, reason := range r.Reasons {
				if text := html.EscapeString(lang.reason(reason)); !strings.Contains(html.UnescapeString(page), html.UnescapeString(text)) {
					t.Errorf("%s-%s: the page lacks %q", name, lang, text)
				}
			}
		}
	}
}

func TestUnknownLanguage(t *testing.T) {
	t.Parallel()
	r := samples()["held"]
	if err := WritePage(&bytes.Buffer{}, &r, "fr"); err == nil {
		t.Error("written in fr")
	}
}

var namedKey = regexp.MustCompile(`(?:say\(?|Key:|Key =) ?"([A-Za-z0-9_.]+)"`)

// Every text that the code and the page name is there, in both languages; every text
// that is there is named.
func TestWords(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "page.html") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range namedKey.FindAllStringSubmatch(string(text), -1) {
			used[m[1]] = true
		}
	}
	for _, v := range []result.Verdict{result.Held, result.Refused, result.Deviated, result.Stopped, result.Inconclusive, result.Broken, result.RestoreFailed} {
		used["verdict."+string(v)], used["next."+string(v)], used["headline."+string(v)] = true, true, true
	}
	for _, c := range result.Codes() {
		used["reason."+string(c)] = true
	}
	for _, s := range fault.Specs() {
		used["fault."+string(s.Name)] = true
	}
	for _, r := range samples() {
		for _, c := range r.Checks {
			used["check."+string(c.Code)], used["unit."+c.Unit] = true, true
		}
		for _, d := range dataRows(&r) {
			used["data."+d.Name] = true
		}
	}
	for _, k := range []result.EventKind{result.PhaseBegan, result.Injected, result.Recovered, result.Ejected, result.Readmitted, result.SemisyncOff, result.SemisyncOn, result.Promoted, result.Canary, result.Remark} {
		used["event."+string(k)] = true
	}
	for _, p := range result.Phases() {
		used["phase."+string(p)] = true
	}
	for key := range used {
		if _, ok := words[key]; !ok {
			t.Errorf("no word %s", key)
		}
	}
	for key, w := range words {
		english := w.en == "" && (strings.HasPrefix(key, "reason.") || strings.HasPrefix(key, "fault.")) // said by their own rooms
		if w.zh == "" || w.en == "" && !english {
			t.Errorf("%s is not said in both languages", key)
		}
		if !used[key] {
			t.Errorf("nobody says %s", key)
		}
	}
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][3]int{ // failures, errors, skipped
		"held": {0, 0, 0}, "broken": {3, 0, 0}, "deviated": {1, 0, 0}, "refused": {0, 0, 1}, "inconclusive": {1, 1, 0},
	} {
		r := samples()[name]
		var b bytes.Buffer
		if err := WriteJUnit(&b, &r); err != nil {
			t.Fatal(err)
		}
		var suite junitSuite
		if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
			t.Fatal(err)
		}
		if got := [3]int{suite.Failures, suite.Errors, suite.Skipped}; got != want {
			t.Errorf("%s: %v failed, in error, skipped; want %v: %v", name, got, want, r.Reasons)
		}
		if suite.Tests != len(suite.Cases) || suite.Tests < 20 {
			t.Errorf("%s: %d tests, %d cases", name, suite.Tests, len(suite.Cases))
		}
	}
}
