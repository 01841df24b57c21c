package bill

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSHA256: the digest is of the file as it lies there, and the SHA-1 is taken all
// the same where one was announced.
func TestSHA256(t *testing.T) {
	t.Parallel()
	for name, file := range map[string][]byte{
		"plain": []byte(allBill), "gzip": gzipped(t, allBill), "zip": zipped(t, "业务明细.csv", tradeBill, "业务明细(汇总).csv", tradeSummary),
	} {
		plain := inspect(t, file, Options{})
		if plain.SHA256 != "" || plain.SHA1 == "" {
			t.Errorf("%s, not asked for: SHA-256 %q, SHA-1 %q", name, plain.SHA256, plain.SHA1)
		}
		sum := sha256.Sum256(file)
		for _, announced := range []string{"", strings.ToUpper(plain.SHA1)} {
			r := inspect(t, file, Options{SHA256: true, SHA1: announced})
			if r.SHA256 != hex.EncodeToString(sum[:]) || !r.OK() || r.SHA1 != strings.ToLower(announced) {
				t.Errorf("%s, announced %q: SHA-256 %q, SHA-1 %q, findings %v", name, announced, r.SHA256, r.SHA1, r.Findings)
			}
		}
		if r := inspect(t, file, Options{SHA256: true, SHA1: strings.Repeat("0", 40)}); r.OK() {
			t.Errorf("%s: a wrong SHA-1 was accepted", name)
		}
	}
}

// TestNoSubject: nothing else changes without subjects.
func TestNoSubject(t *testing.T) {
	t.Parallel()
	for _, file := range []string{allBill, tradeBill} {
		with, without := rows(t, []byte(file), Options{}), rows(t, []byte(file), Options{NoSubject: true})
		if with == without {
			t.Error("the subjects are still there")
		}
		if diff := cmp.Diff(cutSubjects(with), cutSubjects(without)); diff != "" {
			t.Errorf("rows differ (-with +without):\n%s", diff)
		}
	}
}

// cutSubjects drops the last column of what rows returns.
func cutSubjects(rows string) string {
	var all []string
	for line := range strings.SplitSeq(rows, "\n") {
		cells := strings.SplitN(line, ",", 12)
		all = append(all, strings.Join(cells[:min(len(cells), 11)], ","))
	}
	return strings.Join(all, "\n")
}
