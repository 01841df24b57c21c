package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"paytool/internal/pay"
	"paytool/internal/recon"
)

// carryFile is the file of --carry-out and --carry, for who keeps no ledger.
type carryFile struct {
	Date    string          `json:"date"`
	Carried []recon.Carried `json:"carried"`
}

func writeCarried(w io.Writer, date string, rows []recon.Carried) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(carryFile{Date: date, Carried: append([]recon.Carried{}, rows...)})
}

// readCarried refuses the file of the day itself or of a later one: its rows would
// meet themselves.
func readCarried(path, date string) ([]recon.Carried, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the carried rows: %w", err)
	}
	var f carryFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("read the carried rows of %s: %w; want a file of --carry-out", path, err)
	}
	if _, err := time.ParseInLocation(time.DateOnly, f.Date, pay.Beijing); err != nil || f.Date >= date {
		return nil, usageError(fmt.Errorf("--carry %s: is of %q, want a day before %s", path, f.Date, date))
	}
	return f.Carried, nil
}
