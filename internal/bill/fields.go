package bill

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// fields is a row cut into its fields: the places in the line where they start.
// Nothing is copied, and a field that a separator has torn apart is whole again
// once a place is forgotten.
type fields struct {
	line      []byte
	starts    []int // of each field, and where the next one would
	separator int   // its length
	trim      bool  // blanks and TABs around fields do not count
}

func (f *fields) count() int { return len(f.starts) - 1 }

func (f *fields) at(i int) []byte {
	b := f.line[f.starts[i] : f.starts[i+1]-f.separator]
	if f.trim {
		return bytes.Trim(b, "\t ")
	}
	return b
}

// join makes one field of field i and the n behind it.
func (f *fields) join(i, n int) {
	if n > 0 {
		f.starts = append(f.starts[:i+1], f.starts[i+1+n:]...)
	}
}

// ticks splits a row of WeChat's on the two characters ,` so that commas and
// quotes within texts stay. The first byte is the first field's backtick. Eight
// bytes are looked at in one step: fields are short, and a call for each of them
// would cost more than the search.
func (f *fields) ticks(line []byte) {
	const ones, low, high = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	starts, i := append(f.starts[:0], 1), 1
	for ; i+8 <= len(line); i += 8 {
		x := binary.LittleEndian.Uint64(line[i:]) ^ '`'*ones
		// A byte of hits has its high bit set exactly where one of x is zero.
		for hits := ^((x&low + low) | x | low) & high; hits != 0; hits &= hits - 1 {
			if at := i + bits.TrailingZeros64(hits)/8; line[at-1] == ',' {
				starts = append(starts, at+1)
			}
		}
	}
	for ; i < len(line); i++ {
		if line[i] == '`' && line[i-1] == ',' {
			starts = append(starts, i+1)
		}
	}
	f.line, f.separator, f.starts = line, 2, append(starts, len(line)+2)
}

// commas splits on every comma; TABs and blanks around fields do not count.
func (f *fields) commas(line []byte) {
	starts := append(f.starts[:0], 0)
	for i := 0; ; {
		next := bytes.IndexByte(line[i:], ',')
		if next < 0 {
			break
		}
		i += next + 1
		starts = append(starts, i)
	}
	f.line, f.separator, f.trim, f.starts = line, 1, true, append(starts, len(line)+1)
}
