package bill

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"

	"golang.org/x/text/encoding/simplifiedchinese"
)

const (
	maxEntries   = 64
	maxCompanion = 1 << 20
)

// openZip makes the one detail file of a zip the source. Names decide nothing:
// Alipay's are GBK without the flag that would say so, and people rename files.
func (s *source) openZip(r, in io.Reader, limit int64) error {
	f, size, err := s.seekable(r, in, limit)
	if err != nil {
		return err
	}
	if s.digest != nil { // its parts are read here and there: the whole once more
		s.digest.Reset()
		if _, err := io.Copy(s.digest, io.NewSectionReader(f, 0, size)); err != nil {
			return fmt.Errorf("take the digest of the zip: %w", err)
		}
	}
	z, err := zip.NewReader(f, size)
	if err != nil {
		return truncated("zip", err)
	}
	if len(z.File) > maxEntries {
		return refused(RefusedBomb, "the zip has %d entries, a bill has at most %d", len(z.File), maxEntries)
	}
	detail, summary, unread, err := pick(z.File)
	if err != nil {
		return err
	}
	s.unread = unread
	if detail == nil {
		detail, summary = summary, nil
	}
	if summary != nil {
		if s.companion, err = readAll(summary); err != nil {
			return err
		}
	}
	entry, err := detail.Open()
	if err != nil {
		return truncated("zip", err)
	}
	s.closers = append(s.closers, entry.Close)
	packed := int64(min(detail.CompressedSize64, uint64(size))) //nolint:gosec // at most size
	s.Reader = &limited{r: entry, limit: limit, packed: func() int64 { return packed }}
	return nil
}

// pick finds the detail file and the summary beside it by their first bytes, and
// names the files that are neither.
func pick(files []*zip.File) (detail, summary *zip.File, unread []string, err error) {
	var first error
	for _, f := range files {
		if f.FileInfo().IsDir() {
			continue
		}
		if f.Name == "[Content_Types].xml" {
			return nil, nil, nil, refused(RefusedWorkbook, "is an Excel workbook; %s", hintMerchantCSV)
		}
		kind, err := recogniseEntry(f)
		switch {
		case err != nil:
			unread = append(unread, entryName(f))
			if first == nil {
				first = err
			}
		case kind.companion():
			summary = f
		case detail != nil:
			return nil, nil, nil, refused(RefusedParts, "the zip has several detail files (%s and %s); unpack it and give each as a file of its own",
				entryName(detail), entryName(f))
		default:
			detail = f
		}
	}
	if detail == nil && (summary == nil || first != nil) {
		if first == nil {
			first = refused(RefusedEmpty, "the zip holds no file; download it again")
		}
		return nil, nil, nil, first
	}
	return detail, summary, unread, nil
}

func recogniseEntry(f *zip.File) (layoutKind, error) {
	if f.Flags&1 != 0 {
		return 0, refused(RefusedPersonal, "the zip is encrypted, as a person's exports are; %s", hintMerchantCSV)
	}
	r, err := f.Open()
	if err != nil {
		return 0, truncated("zip", err)
	}
	defer r.Close() //nolint:errcheck // only its head was wanted
	head := make([]byte, headSize)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, truncated("zip", err)
	}
	found, err := recognise(head[:n])
	return found.kind, err
}

func readAll(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, truncated("zip", err)
	}
	defer r.Close() //nolint:errcheck // read to its end, where its checksum was checked
	b, err := io.ReadAll(io.LimitReader(r, maxCompanion+1))
	if err != nil {
		return nil, truncated("zip", err)
	}
	if len(b) > maxCompanion {
		return nil, refused(RefusedBomb, "the summary %s has more than %d bytes", entryName(f), maxCompanion)
	}
	return b, nil
}

// entryName is the name for people.
func entryName(f *zip.File) string {
	if !f.NonUTF8 {
		return fmt.Sprintf("%q", f.Name)
	}
	name, err := simplifiedchinese.GB18030.NewDecoder().String(f.Name)
	if err != nil {
		name = f.Name
	}
	return fmt.Sprintf("%q", name)
}
