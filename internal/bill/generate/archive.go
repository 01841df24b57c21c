package generate

import (
	"archive/zip"
	"bufio"
	"compress/flate"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"
)

// archive is a zip of a detail file and its summary. A nil archive takes
// everything and writes nothing.
type archive struct {
	m    *maker
	zip  *zip.Writer
	file *transform.Writer // the entry that is being written
	buf  []byte
	out  *bufio.Writer
}

func newArchive(m *maker, w io.Writer) *archive {
	if w == nil {
		return nil
	}
	out := bufio.NewWriterSize(w, 1<<18)
	z := zip.NewWriter(out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestSpeed) })
	return &archive{m: m, out: out, zip: z}
}

// begin starts the entry of a list. Its time is the bill's, so that the bytes are
// the same whenever they are made.
func (a *archive) begin(name, title, header string) error {
	if a == nil {
		return nil
	}
	full, err := simplifiedchinese.GB18030.NewEncoder().String(a.m.opts.Merchant + "0156_" + a.m.day.Format("20060102") + "_" + name)
	if err != nil {
		return fmt.Errorf("name the bill: %w", err)
	}
	entry, err := a.zip.CreateHeader(&zip.FileHeader{Name: full, NonUTF8: true, Method: zip.Deflate, Modified: a.m.day.Add(30 * time.Hour)})
	if err != nil {
		return writeError(err)
	}
	a.file = transform.NewWriter(entry, simplifiedchinese.GB18030.NewEncoder())
	const layout = "2006年01月02日 15:04:05"
	return a.write([]byte("#支付宝" + title + "查询\r\n#账号：[" + a.m.opts.Merchant + "0156]\r\n#起始日期：[" + a.m.day.Format(layout) + "]   终止日期：[" +
		a.m.day.AddDate(0, 0, 1).Format(layout) + "]\r\n#" + strings.Repeat("-", 41) + title + "列表" + strings.Repeat("-", 40) + "\r\n" + header))
}

// end ends the list with its totals and adds the summary.
func (a *archive) end(title, totals, summaryName, summaryTitle, summary string) error {
	if a == nil {
		return nil
	}
	if err := a.finish(title, totals); err != nil {
		return err
	}
	if err := a.begin(summaryName, summaryTitle, summary); err != nil {
		return err
	}
	if err := a.finish(summaryTitle, ""); err != nil {
		return err
	}
	if err := a.zip.Close(); err != nil {
		return writeError(err)
	}
	if err := a.out.Flush(); err != nil {
		return writeError(err)
	}
	return nil
}

func (a *archive) finish(title, totals string) error {
	made := a.m.day.Add(30 * time.Hour).Format("2006年01月02日 15:04:05")
	text := "#" + strings.Repeat("-", 41) + title + "列表结束" + strings.Repeat("-", 36) + "\r\n" + totals + "#导出时间：[" + made + "]\r\n"
	if err := a.write([]byte(text)); err != nil {
		return err
	}
	if err := a.file.Close(); err != nil {
		return writeError(err)
	}
	return nil
}

func (a *archive) write(b []byte) error {
	a.buf = b[:0]
	if _, err := a.file.Write(b); err != nil {
		return writeError(err)
	}
	return nil
}

func writeError(err error) error { return fmt.Errorf("write bill: %w", err) }
