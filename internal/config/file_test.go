package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paytool/internal/strictyaml"
)

func write(t *testing.T, path, text string, mode fs.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func TestLoadWarnsOfReadablePasswords(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := strings.ReplaceAll(one, ":"+password, "")
	for _, tc := range []struct {
		name, text string
		mode       fs.FileMode
		want       string
	}{
		{"private", one, 0o600, ""},
		{"group", one, 0o640, ": mode 0640 lets others read the passwords in it: run chmod 600 on it"},
		{"others", one, 0o604, ": mode 0604 lets others read the passwords in it: run chmod 600 on it"},
		{"no password", open, 0o644, ""},
	} {
		path := write(t, filepath.Join(dir, tc.name+".yaml"), tc.text, tc.mode)
		c, err := Load(path)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		want := tc.want
		if want != "" {
			want = path + want
		}
		if got := strings.Join(c.Warnings(), "\n"); got != want {
			t.Errorf("%s: warnings %q, want %q", tc.name, got, want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of no file = %v, want fs.ErrNotExist", err)
	}
	if _, err := Load(dir); err == nil || err.Error() != "read config "+dir+": it is a directory: name the file in it" {
		t.Errorf("Load of a directory = %v", err)
	}
	large := write(t, filepath.Join(dir, "large.yaml"), strings.Repeat("#\n", strictyaml.MaxFileSize), 0o600)
	if _, err := Load(large); err == nil || err.Error() != large+":1: larger than 1048576 bytes: is this the right file?" {
		t.Errorf("Load of a large file = %v", err)
	}
	wrong := write(t, filepath.Join(dir, "wrong.yaml"), "engine: {pool: 0}\n"+group, 0o600)
	if _, err := Load(wrong); err == nil || err.Error() != wrong+":1: engine.pool: want at least 1 connection, not 0" {
		t.Errorf("Load of a wrong file = %v", err)
	}
}

// Not parallel: the working directory belongs to the process.
func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	find := func(flag, env, want string) {
		t.Helper()
		if got, err := Find(flag, env); err != nil || got != want {
			t.Errorf("Find(%q, %q) = %q, %v; want %q", flag, env, got, err, want)
		}
	}
	_, err := Find("", "")
	want := "no configuration found: looked for ./paytool.yaml and ./paytool-sandbox/paytool.yaml; " +
		"name one with --config or PAYTOOL_CONFIG, start local groups with `paytool sandbox up`, or use embedded ones with --dir DIR"
	if !errors.Is(err, ErrNotFound) || err.Error() != want {
		t.Errorf("Find in an empty directory = %v, want %s", err, want)
	}
	write(t, "paytool-sandbox/paytool.yaml", one, 0o600)
	find("", "", "paytool-sandbox/paytool.yaml")
	write(t, "paytool.yaml", one, 0o600)
	find("", "", "paytool.yaml")
	find("", "env.yaml", "env.yaml")
	find("flag.yaml", "env.yaml", "flag.yaml")
}
