package plan

import (
	"path/filepath"
	"testing"
)

// The plans that we hand out are read by this very reader.
func TestReadyPlans(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../docs/drills/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, file := range files {
		p, err := Read(file)
		if err != nil {
			t.Error(err)
			continue
		}
		chosen, err := p.Targets.Choose(groups("", "", "", "", ""), day("2026-11-24 10:00"))
		if err != nil || len(chosen) != p.Targets.Rotate {
			t.Errorf("%s: chose %v, %v", file, chosen, err)
		}
		if err := p.Window.Open(day("2026-11-24 10:00")); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := p.Window.Open(day("2026-11-24 03:00")); err == nil {
			t.Errorf("%s runs at three in the morning", file)
		}
	}
}
