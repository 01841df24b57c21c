package daybook

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"paytool/internal/bill"
	"paytool/internal/pay"
	"paytool/internal/recon"
	"paytool/internal/recon/ledger"
)

// TestWords: every text is there in both languages, and takes the same arguments.
func TestWords(t *testing.T) {
	t.Parallel()
	verb := regexp.MustCompile(`%[a-z]`)
	for _, table := range []map[string]word{words, classWords} {
		for key, w := range table {
			if w.zh == "" || w.en == "" {
				t.Errorf("%s lacks a language: %+v", key, w)
			}
			if strings.Join(verb.FindAllString(w.zh, -1), " ") != strings.Join(verb.FindAllString(w.en, -1), " ") {
				t.Errorf("%s takes other arguments in Chinese: %+v", key, w)
			}
			if strings.ContainsFunc(w.en, func(r rune) bool { return unicode.Is(unicode.Han, r) }) && !strings.HasPrefix(key, "definition") {
				t.Errorf("%s has Chinese in its English", key)
			}
		}
	}
}

// TestKeys: every key that the code or the page names has its words. A key that is
// put together is looked for by TestCodes.
func TestKeys(t *testing.T) {
	t.Parallel()
	named := regexp.MustCompile(`(?:[sS]ay\(|say |\{)"([a-z][a-zA-Z0-9.]*)"(?:\)|}|, [^"]| )`)
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasPrefix(file, "words") || !strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, ".html") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range named.FindAllStringSubmatch(string(text), -1) {
			found++
			if _, ok := words[m[1]]; !ok && !strings.HasSuffix(m[1], ".") {
				t.Errorf("%s says %q, which has no words", file, m[1])
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d keys were found: is the expression still right?", found)
	}
}

// TestCodes: every code of another room has its words.
func TestCodes(t *testing.T) {
	t.Parallel()
	has := func(key string) {
		for _, lang := range []Lang{Chinese, English} {
			if lang.known("", key) == key {
				t.Errorf("there are no words for %s", key)
			}
		}
	}
	for _, c := range recon.Classes() {
		has("class." + string(c))
		has("meaning." + string(c))
		for _, k := range []pay.EntryKind{pay.EntryPay, pay.EntryRefund, pay.EntryRevoke, bill.In, bill.Out} {
			has("kind." + string(k))
			trades := k == pay.EntryPay || k == pay.EntryRefund || k == pay.EntryRevoke
			if (trades != ofFund(c) || c == recon.RefundReturned && k == pay.EntryRefund) && Chinese.adviceFor(c, k) == "" {
				t.Errorf("there is no advice for %s of %s", c, k)
			}
		}
	}
	for _, a := range ledger.Actions() {
		has("action." + string(a))
	}
	for _, r := range ledger.Reasons() {
		has("reason." + r.Code)
	}
	for _, state := range []string{"open", "carried", "resolved", "reissued", "written_off"} {
		has("state." + state)
	}
	for _, stage := range []ledger.Stage{"proposed", "approved", "done", "rejected", "failed"} {
		has("stage." + string(stage))
	}
	for _, fate := range []Fate{Matched, Differing, Carried, Rejected} {
		has("fate." + string(fate))
	}
}

// TestDetails: what a run says of its differences has Chinese words.
func TestDetails(t *testing.T) {
	t.Parallel()
	for _, d := range full(t).Result.Differences {
		said := Chinese.detail(&d)
		if !strings.ContainsFunc(said, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			t.Errorf("%s: %q stays English", d.Class, said)
		}
		if strings.Contains(said, "$") {
			t.Errorf("%s: %q: an argument is missing", d.Class, said)
		}
		if English.detail(&d) != d.Detail {
			t.Errorf("%s: the English detail is changed", d.Class)
		}
	}
}
