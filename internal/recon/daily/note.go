package daily

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"paytool/internal/bill"
	"paytool/internal/recon"
)

// billFile is a bill in a file. Where a fetch left its note beside it, the bill has to
// have the digest that the channel announced.
func billFile(path string, opts bill.Options) *recon.BillFile {
	opts.SHA1 = announced(path)
	return &recon.BillFile{Path: path, Opts: opts}
}

// announced is the SHA-1 in the note of a fetched bill of WeChat's, the only channel
// that announces one; "" where there is none.
func announced(path string) string {
	text, err := os.ReadFile(strings.TrimSuffix(path, filepath.Ext(path)) + ".json")
	if err != nil {
		return ""
	}
	var note struct{ Channel, File, SHA1 string }
	if json.Unmarshal(text, &note) != nil || note.Channel != bill.WeChat || note.File != filepath.Base(path) {
		return ""
	}
	return note.SHA1
}

// Recorded are the trade bills that a day was reconciled with, or why they cannot be
// read again.
func (a *Account) Recorded(result *recon.Result) (bills []recon.BillBook, missing string) {
	in := Inputs{Trade: []string{}}
	for _, f := range result.Files {
		if f.Role != recon.RoleTrade {
			continue
		}
		switch sum, err := digest(f.Name); {
		case err != nil:
			return nil, fmt.Sprintf("the bill %s cannot be read any more: %v", f.Name, err)
		case sum != f.SHA256:
			return nil, fmt.Sprintf("the bill %s has changed since", f.Name)
		}
		in.Trade = append(in.Trade, f.Name)
	}
	return a.books(result.Date, in).Trade, ""
}

func digest(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}
