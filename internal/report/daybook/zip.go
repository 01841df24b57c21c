package daybook

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
)

// contentTypes is the part that says what the other parts are. Readers that look at
// the beginning of a file alone expect it there.
const contentTypes = "[Content_Types].xml"

// packer packs a workbook. The library hands over the sheets in an order of chance
// and would hold the whole package in memory; this one packs them to a temporary
// file and lays them out by name, so that the same day makes the same bytes.
// Call remove when done.
type packer struct {
	file  *os.File
	zip   *zip.Writer
	types bytes.Buffer
}

func newPacker() (*packer, error) {
	f, err := os.CreateTemp("", "daybook-")
	if err != nil {
		return nil, fmt.Errorf("create a temporary file for the workbook: %w", err)
	}
	return &packer{file: f, zip: zip.NewWriter(f)}, nil
}

// Create implements excelize.ZipWriter.
func (p *packer) Create(name string) (io.Writer, error) {
	if name == contentTypes {
		return &p.types, nil
	}
	return p.zip.Create(name)
}

// AddFS implements excelize.ZipWriter.
func (p *packer) AddFS(fsys fs.FS) error { return p.zip.AddFS(fsys) }

// Close implements excelize.ZipWriter.
func (p *packer) Close() error { return p.zip.Close() }

// copyTo lays the package out, the packed parts as they are.
func (p *packer) copyTo(w io.Writer) error {
	size, err := p.file.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("read the packed workbook: %w", err)
	}
	in, err := zip.NewReader(p.file, size)
	if err != nil {
		return fmt.Errorf("read the packed workbook: %w", err)
	}
	slices.SortFunc(in.File, func(a, b *zip.File) int { return strings.Compare(a.Name, b.Name) })
	out := zip.NewWriter(w)
	types, err := out.Create(contentTypes)
	if err == nil {
		_, err = types.Write(sortDefaults(p.types.Bytes()))
	}
	for i := 0; i < len(in.File) && err == nil; i++ {
		err = out.Copy(in.File[i])
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write the workbook: %w", err)
	}
	return nil
}

func (p *packer) remove() error {
	return errors.Join(p.file.Close(), os.Remove(p.file.Name()))
}

var defaultType = regexp.MustCompile(`<Default [^>]*></Default>`)

// sortDefaults puts the types of file endings, which the library takes from a map,
// into an order.
func sortDefaults(types []byte) []byte {
	all := defaultType.FindAllString(string(types), -1)
	slices.Sort(all)
	return defaultType.ReplaceAllFunc(types, func([]byte) []byte {
		first := all[0]
		all = all[1:]
		return []byte(first)
	})
}
