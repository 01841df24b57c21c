package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const twoNodes = `# ours
groups:
  - group: 1
    primary:
      dsn: app:a@tcp(h1:3306)/pay # rack 1
      admin_dsn: root:b@tcp(h1:3306)/
    replicas:
      - dsn: app:c@tcp(h2:3306)/pay
        admin_dsn: root:d@tcp(h2:3306)/
`

func written(t *testing.T, text string) *Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "paytool.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPutFirst(t *testing.T) {
	t.Parallel()
	c := written(t, twoNodes)
	if err := c.PutFirst(1, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(c.Path())
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer("app:a@tcp(h1:3306)/pay # rack 1", "app:c@tcp(h2:3306)/pay", "app:c@tcp(h2:3306)/pay", "app:a@tcp(h1:3306)/pay # rack 1",
		"root:b@tcp(h1:3306)/", "root:d@tcp(h2:3306)/", "root:d@tcp(h2:3306)/", "root:b@tcp(h1:3306)/").Replace(twoNodes)
	if string(text) != want {
		t.Errorf("the file reads\n%s\nwant\n%s", text, want)
	}
	info, err := os.Stat(c.Path())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestPutFirstLeavesAlone: what is not surely right is left as it is.
func TestPutFirstLeavesAlone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"flow style": "groups:\n  - {group: 1, primary: {dsn: 'app:a@tcp(h1:3306)/pay'}, replicas: [{dsn: 'app:c@tcp(h2:3306)/pay'}]}\n",
		"an account that one has and the other lacks": strings.Replace(twoNodes, "        admin_dsn: root:d@tcp(h2:3306)/\n", "", 1),
	} {
		c := written(t, text)
		if err := c.PutFirst(1, 0); !errors.Is(err, ErrByHand) {
			t.Errorf("%s: %v, want ErrByHand", name, err)
		}
		if got, err := os.ReadFile(c.Path()); err != nil || string(got) != text {
			t.Errorf("%s: the file was changed: %s, %v", name, got, err)
		}
	}
	c := written(t, twoNodes)
	edited := strings.Replace(twoNodes, "h2", "h3", 1)
	if err := os.WriteFile(c.Path(), []byte(edited), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.PutFirst(1, 0); !errors.Is(err, ErrByHand) {
		t.Errorf("a file that was edited meanwhile: %v, want ErrByHand", err)
	}
}
