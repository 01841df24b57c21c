package main

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"paytool/internal/drill/result"
)

// TestDrillOnEmbeddedGroups: a drill proves its orders without a database server, and says
// which faults need one.
func TestDrillOnEmbeddedGroups(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "shop")
	drill := func(args ...string) (status int, r result.Summary, said string) {
		var out, errOut bytes.Buffer
		status = run(t.Context(), append(short("--dir", dir, "-o", "json", "--groups", "2"), args...), strings.NewReader(""), &out, &errOut)
		if err := json.Unmarshal(out.Bytes(), &r); err != nil && out.Len() > 0 {
			t.Fatal(err)
		}
		return status, r, errOut.String()
	}
	status, r, said := drill("--fault", "lost_commit", "--rate", "30")
	if v := r.Verify; status != r.Exit || r.Exit != 0 && r.Exit != exitDeviated || !v.OK || v.Acked == 0 || v.Found != v.Acked || r.During.Hops == 0 || !r.Restore.OK {
		t.Errorf("exit %d: %+v\n%s", status, r, said)
	}
	if status, _, said := drill("--fault", "crash"); status != exitRefused || !strings.Contains(said, "crash needs servers") {
		t.Errorf("crash: exit %d, %q", status, said)
	}
	i := startInstance(t, "--dir", dir, "--listen", "127.0.0.1:0", "--drain", "0s")
	if status, _, said := drill("--fault", "hang"); status != exitRefused || !strings.Contains(said, "another process serves") {
		t.Errorf("served by another process: exit %d, %q", status, said)
	}
	i.end(t)
}
