package eventlog

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEventsComeBackInOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/log"
	if got, err := Read(dir, "1"); err != nil || len(got) != 0 {
		t.Fatalf("a folder that is not there: %v, %v", got, err)
	}
	a, b := open(t, dir, "a"), open(t, dir, "b")
	var both sync.WaitGroup
	for _, l := range []*Log{a, b} {
		both.Go(func() {
			for i := range 200 {
				l.Add(Event{At: time.Unix(int64(i), 0), OrderNo: fmt.Sprint(i % 2), What: "try", Detail: "付款 \"x\"\n"})
			}
		})
	}
	both.Wait()
	got, err := Read(dir, "1")
	if err != nil || len(got) != 200 {
		t.Fatalf("%d events, %v, want 200", len(got), err)
	}
	last := map[string]time.Time{}
	for _, e := range got {
		if e.OrderNo != "1" || e.Detail != "付款 \"x\"\n" || e.At.Before(last[e.By]) {
			t.Fatalf("event %+v after %v", e, last[e.By])
		}
		last[e.By] = e.At
	}
}

func TestFilesRotateAndTheOldestGo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, "a")
	long := strings.Repeat("x", 1<<19)
	const perFile = maxFileBytes/(1<<19) + 1
	for i := range (keepFiles + 2) * perFile {
		l.Add(Event{OrderNo: fmt.Sprint(i), Detail: long})
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != keepFiles+1 {
		t.Fatalf("%d files, %v, want %d", len(files), err, keepFiles+1)
	}
	newest := fmt.Sprint((keepFiles+2)*perFile - 1)
	if got, err := Read(dir, "0", newest); err != nil || len(got) != 1 || got[0].OrderNo != newest {
		t.Fatalf("%d events, %v, want the newest alone", len(got), err)
	}
}

func TestTornLineIsPassedOver(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := open(t, dir, "a")
	l.Add(Event{OrderNo: "1"})
	if _, err := l.file.WriteString("{\"order_no\":\"1\"\n{\"order_no\":\"1\"}\n"); err != nil {
		t.Fatal(err)
	}
	if got, err := Read(dir, "1"); err != nil || len(got) != 2 {
		t.Fatalf("%d events, %v, want 2", len(got), err)
	}
}

func open(t *testing.T, dir, by string) *Log {
	t.Helper()
	l, err := Open(dir, by)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}
