package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"paytool/internal/drill/fault"
)

func query(text string) []byte { return append([]byte{comQuery}, text...) }

func TestKind(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sequence byte
		content  []byte
		want     kind
	}{
		"commit":             {0, query("COMMIT"), commit},
		"lower case":         {0, query("commit"), commit},
		"space around":       {0, query(" \t\r\nCommit\n ;\n"), commit},
		"longer word":        {0, query("COMMITTED"), statement},
		"commit in a text":   {0, query("SELECT 'COMMIT'"), statement},
		"other statement":    {0, query("START TRANSACTION"), statement},
		"nothing":            {0, query(""), statement},
		"beyond the peek":    {0, query("COMMIT" + strings.Repeat(" ", peekSize)), statement},
		"ping":               {0, []byte{0x0e}, statement},
		"prepare commit":     {0, append([]byte{0x16}, "COMMIT"...), statement},
		"quit":               {0, []byte{comQuit}, notice},
		"close a statement":  {0, []byte{comStmtClose, 1, 0, 0, 0}, notice},
		"long data":          {0, []byte{comStmtLongData, 1, 0, 0, 0, 0, 0, 'x'}, notice},
		"handshake":          {1, query("COMMIT"), part},
		"rest of a long one": {3, query("COMMIT"), part},
		"empty":              {0, nil, part},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := peek(bufio.NewReader(bytes.NewReader(packetBytes(tt.sequence, tt.content))))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.kind(); got != tt.want {
				t.Errorf("kind %d, want %d", got, tt.want)
			}
		})
	}
}

// However a stream of packets is cut into reads, each is found.
func TestPeekFindsEachPacket(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var stream []byte
		var want []kind
		for range rapid.IntRange(0, 8).Draw(t, "packets") {
			text := rapid.SampledFrom([]string{"COMMIT", "INSERT", strings.Repeat("x", 3*bufferSize)}).Draw(t, "text")
			k := statement
			if text == "COMMIT" {
				k = commit
			}
			stream, want = append(stream, packetBytes(0, query(text))...), append(want, k)
		}
		source := io.Reader(bytes.NewReader(stream))
		if rapid.Bool().Draw(t, "byte by byte") {
			source = iotest.OneByteReader(source)
		}
		r := bufio.NewReaderSize(source, bufferSize)
		for i, k := range want {
			p, err := peek(r)
			if err != nil {
				t.Fatal(err)
			}
			if got := p.kind(); got != k {
				t.Fatalf("packet %d is of kind %d, want %d", i, got, k)
			}
			if _, err := io.CopyN(io.Discard, r, int64(p.size)); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := peek(r); !errors.Is(err, io.EOF) {
			t.Fatalf("after the last packet: %v, want %v", err, io.EOF)
		}
	})
}

func TestKindMeetsFault(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		fault string
		want  []kind
	}{
		"any":          {"request_lost", []kind{statement, commit}},
		"commit alone": {"reply_lost:on=commit", []kind{commit}},
		"lost_commit":  {"lost_commit", []kind{commit}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults, err := fault.Parse(tt.fault)
			if err != nil {
				t.Fatal(err)
			}
			var got []kind
			for _, k := range []kind{part, notice, statement, commit} {
				if k.meets(faults[0]) {
					got = append(got, k)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("kinds (-want +got):\n%s", diff)
			}
		})
	}
}
