package bill

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"

	"pgregory.net/rapid"
)

// TestLinesCutLikeSplit: whatever the pieces in which a stream arrives, its lines
// are those of strings.Split, and its digest is that of the whole.
func TestLinesCutLikeSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab`,\r\n"))).Draw(t, "text")
		want := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if text == "" {
			want = nil
		}
		src := io.Reader(strings.NewReader(text))
		if rapid.Bool().Draw(t, "in single bytes") {
			src = iotest.OneByteReader(src)
		}
		p := startPump(src, true)
		defer p.close()
		l := newLines(p)
		for i, w := range want {
			got, err := l.next()
			if err != nil || string(got) != strings.TrimSuffix(w, "\r") || l.no != i+1 {
				t.Fatalf("line %d is %q (number %d), %v: want %q", i+1, got, l.no, err, w)
			}
		}
		if got, err := l.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last line: %q, %v: want the end", got, err)
		}
		sum := sha1.Sum([]byte(text))
		if got := p.sha1(); got != hex.EncodeToString(sum[:]) {
			t.Fatalf("the digest is %s", got)
		}
	})
}

func TestReaderAfterClose(t *testing.T) {
	t.Parallel()
	r, err := NewReader("made", strings.NewReader(allBill+strings.Repeat("x\n", 2*readSize)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	var row Row
	for err = r.Next(&row); err == nil || errors.As(err, new(*RowError)); err = r.Next(&row) {
	}
	if !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed reader ends with %v", err)
	}
}

func TestLongLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	l := newLines(strings.NewReader(long + "\nshort\n"))
	if got, err := l.next(); err != nil || len(got) != maxLine {
		t.Fatalf("%d bytes, %v: want a line of %d", len(got), err, maxLine)
	}
	if got, err := l.next(); err != nil || string(got) != "short" {
		t.Fatalf("%q, %v: want the line after it", got, err)
	}
	l = newLines(strings.NewReader(long + long + "\n"))
	if _, err := l.next(); !errors.Is(err, errLongLine) {
		t.Fatalf("error %v: want errLongLine", err)
	}
}

// TestSplitTicks compares the fast splitter with the plain one.
func TestSplitTicks(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringOf(rapid.SampledFrom([]rune("`,\"ab茶{}:0x60"))), 1, 40).Draw(t, "fields")
		line := "`" + strings.Join(texts, ",`")
		want := strings.Split(line[1:], ",`")
		var got fields
		got.ticks([]byte(line))
		if got.count() != len(want) {
			t.Fatalf("%q has %d fields: want %q", line, got.count(), want)
		}
		for i := range want {
			if string(got.at(i)) != want[i] {
				t.Fatalf("field %d of %q is %q: want %q", i, line, got.at(i), want[i])
			}
		}
	})
}

func TestCodecDecodes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("（）：，￥\t"), unicode.Han, unicode.Latin, unicode.Digit)).Draw(t, "text")
		c := newCodec(true)
		first := c.text([]byte(gbk("先")))
		if got := c.text([]byte(gbk(text))); string(got) != text || string(first) != "先" {
			t.Fatalf("%q comes back as %q, the cell before as %q", text, got, first)
		}
	})
	broken := newCodec(false).text([]byte("茶\xe8\x8c"))
	if !bytes.Equal(broken, []byte("茶\uFFFD")) {
		t.Errorf("a cut character becomes %q", broken)
	}
}
