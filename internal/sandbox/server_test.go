package sandbox

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindServer(t *testing.T) {
	t.Parallel()
	all := map[string]string{"mariadbd": "/usr/sbin/mariadbd", "mariadb-install-db": "/usr/bin/mariadb-install-db"}
	for _, missing := range []string{"", "mariadbd", "mariadb-install-db"} {
		_, err := findServer(func(name string) (string, error) {
			if name == missing {
				return "", exec.ErrNotFound
			}
			return all[name], nil
		})
		if (missing != "") != errors.Is(err, ErrNoMariaDB) {
			t.Errorf("without %q: %v", missing, err)
		}
	}
	const install = "`apt-get install -y --no-install-recommends mariadb-server`"
	if !strings.Contains(ErrNoMariaDB.Error(), install) {
		t.Errorf("%v does not say %s", ErrNoMariaDB, install)
	}
}

func TestLastLines(t *testing.T) {
	t.Parallel()
	l := tempLayout(t)
	path := l.in("error.log")
	if got := lastLines(path, 2); !strings.Contains(got, filepath.Base(path)) {
		t.Errorf("without a log: %q, want the reason", got)
	}
	for _, tt := range []struct{ text, want string }{{"", ""}, {"a\n", "a"}, {"a\nb\nc\n", "b\nc"}} {
		if err := writeFile(path, []byte(tt.text)); err != nil {
			t.Fatal(err)
		}
		if got := lastLines(path, 2); got != tt.want {
			t.Errorf("end of %q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
