package bill

import (
	"context"
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func writeBill(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bill")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDiff(t *testing.T) {
	t.Parallel()
	other := strings.NewReplacer("`PROCESSING", "`SUCCESS", "`0,`0,`5.00", "`R9,`R9,`5.00").Replace(allBill)
	more := strings.NewReplacer(paidRow+"\r\n", "", voidRow, voidRow+"\r\n"+strings.ReplaceAll(paidRow, "A001", "A009")).Replace(allBill)
	for _, c := range []struct {
		name, a, b     string
		same           int64
		added, removed []string // order numbers
		changed        [][]DiffField
	}{
		{"the same", allBill, allBill, 3, nil, nil, nil},
		{"another order of rows", allBill, wechatText(allHeader, voidRow, backRow, paidRow, allTotals, allFooter), 3, nil, nil, nil},
		{"another encoding", tradeBill, string(newCodec(true).text([]byte(tradeBill))), 3, nil, nil, nil},
		{"states and a revoke's numbers", allBill, other, 1, nil, nil, [][]DiffField{
			{{"state", "PROCESSING", "SUCCESS"}},
			{{"refund_no", "0", "R9"}, {"channel_refund_no", "0", "R9"}},
		}},
		{"a row added, a row removed", allBill, more, 2, []string{"A009"}, []string{"A001"}, nil},
		{"a row twice", allBill, strings.Replace(allBill, paidRow, paidRow+"\r\n"+paidRow, 1), 3, []string{"A001"}, nil, nil},
		{"a row once", strings.Replace(allBill, paidRow, paidRow+"\r\n"+paidRow, 1), allBill, 3, nil, []string{"A001"}, nil},
		{"fund rows", fundBill, strings.Replace(fundBill, "`109.94", "`109.93", 1), 2, nil, nil, [][]DiffField{{{"balance_fen", "10994", "10993"}}}},
	} {
		got, err := Diff(context.Background(), writeBill(t, c.a), writeBill(t, c.b), Options{})
		if err != nil {
			t.Fatal(err)
		}
		var changed [][]DiffField
		for _, ch := range got.Changed {
			changed = append(changed, ch.Fields)
		}
		if got.Same != c.same || !cmp.Equal(orders(got.Added), c.added) || !cmp.Equal(orders(got.Removed), c.removed) || !cmp.Equal(changed, c.changed) {
			t.Errorf("%s: %+v", c.name, got)
		}
		if got.Equal() != (c.added == nil && c.removed == nil && c.changed == nil) {
			t.Errorf("%s: Equal is %v", c.name, got.Equal())
		}
	}
}

func orders(rows []DiffRow) (nos []string) {
	for _, r := range rows {
		nos = append(nos, r.OrderNo)
	}
	return nos
}

func TestDiffRefuses(t *testing.T) {
	t.Parallel()
	if _, err := Diff(context.Background(), Stdin, writeBill(t, allBill), Options{}); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("standard input: %v", err)
	}
	many := writeBill(t, wechatText(allHeader)+strings.Repeat(paidRow+"\n", maxChanges+2))
	if _, err := Diff(context.Background(), writeBill(t, allBill), many, Options{}); !errors.Is(err, ErrNotComparable) {
		t.Errorf("bills of two worlds: %v", err)
	}
}

// TestConvertIsCSV: what people typed comes back through a plain CSV reader, and a
// formula does not stay one.
func TestConvertIsCSV(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"a,b": "a,b", `say "hi"`: `say "hi"`, "=1+1": "'=1+1", "@x": "'@x", "-5": "'-5", "+86": "'+86", "\tx": "'\tx", "5-": "5-", "": "",
	} {
		text := rows(t, []byte(strings.Replace(allBill, "`茶,`,`0.06000", "`"+subject+",`,`0.06000", 1)), Options{})
		records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(records) != 3 || records[0][11] != want {
			t.Errorf("subject %q is written %q, %v", subject, text, err)
		}
	}
	if columns := strings.Count(convertHeader, ","); columns != 11 {
		t.Errorf("the header has %d columns", columns+1)
	}
}
