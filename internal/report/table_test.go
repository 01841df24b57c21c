package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	table := Table{Header: []string{"GROUP", "NAME", "FEN"}, Right: map[string]bool{"GROUP": true, "FEN": true}}
	table.Add(1, "全家便利店", 1250)
	table.Add(12, "a", -5)
	var out bytes.Buffer
	if err := table.Write(&out); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"GROUP  NAME         FEN",
		"    1  全家便利店  1250",
		"   12  a             -5",
		"",
	}, "\n")
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestTableWithoutRowsKeepsItsHeader(t *testing.T) {
	table := Table{Header: []string{"GROUP"}}
	var out bytes.Buffer
	if err := table.Write(&out); err != nil || !strings.HasPrefix(out.String(), "GROUP") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestJSONKeepsAmpersands(t *testing.T) {
	var out bytes.Buffer
	if err := JSON(&out, map[string]string{"hint": "a & b < c"}); err != nil || out.String() != "{\n  \"hint\": \"a & b < c\"\n}\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestWriteErrorsAreReturned(t *testing.T) {
	table := Table{Header: []string{"GROUP"}}
	table.Add(1)
	if err := table.Write(fullDisk{}); err == nil {
		t.Error("a table on a full disk is no error")
	}
	if err := JSON(fullDisk{}, 1); err == nil {
		t.Error("JSON on a full disk is no error")
	}
}
