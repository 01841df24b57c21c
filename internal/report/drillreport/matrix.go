package drillreport

import (
	"slices"

	"paytool/internal/drill/result"
	"paytool/internal/shard"
)

// matrix is the hop matrix: which group orders went past, and where they landed.
type matrix struct {
	To   []shard.GroupID
	Rows []matrixRow
}

type matrixRow struct {
	From  shard.GroupID // 0: went past nobody
	Sick  bool
	Cells []matrixCell
}

type matrixCell struct {
	Orders int
	Index  int // in the JSON's flows, -1 if it has none
	Heat   int // 0 to 4, against the most hops of a cell
}

func newMatrix(r *result.Result) matrix {
	var m matrix
	most := 0
	for _, f := range r.Curve.Flows {
		if !slices.Contains(m.To, f.To) {
			m.To = append(m.To, f.To)
		}
		if f.From != 0 {
			most = max(most, f.Orders)
		}
	}
	slices.Sort(m.To)
	for i, f := range r.Curve.Flows { // sorted by From
		if n := len(m.Rows); n == 0 || m.Rows[n-1].From != f.From {
			row := matrixRow{From: f.From, Sick: slices.Contains(r.Groups, f.From)}
			for range m.To {
				row.Cells = append(row.Cells, matrixCell{Index: -1})
			}
			m.Rows = append(m.Rows, row)
		}
		cell := matrixCell{Orders: f.Orders, Index: i}
		if f.From != 0 {
			cell.Heat = (4*f.Orders + most - 1) / most
		}
		m.Rows[len(m.Rows)-1].Cells[slices.Index(m.To, f.To)] = cell
	}
	return m
}
