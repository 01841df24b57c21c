package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
)

// export is our entries as `paytool order export` writes them.
type export struct {
	*csv.Reader
	kind, number int
}

func newExport(out []byte) (export, error) {
	e := export{Reader: csv.NewReader(bytes.NewReader(out))}
	header, err := e.Read()
	if err != nil {
		return e, fmt.Errorf("read the export: %w", err)
	}
	e.kind, e.number = slices.Index(header, "kind"), slices.Index(header, "order_no")
	if e.kind < 0 || e.number < 0 {
		return e, fmt.Errorf("the export has columns %v", header)
	}
	return e, nil
}

// payRows counts the payments of an export by their order.
func payRows(out []byte) (map[string]int, error) {
	r, err := newExport(out)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return seen, nil
		}
		if err != nil {
			return nil, err
		}
		if row[r.kind] == "pay" {
			seen[row[r.number]]++
		}
	}
}
