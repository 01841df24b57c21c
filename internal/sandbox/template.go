package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// bootstrapSQL makes the accounts and the database of every node. All of it
// runs before there is a binlog, so that no node has events of its own that
// another lacks. root keeps an empty password and only localhost: without name
// resolution that is the socket, and TCP finds no account.
//
// The application's account has rights on its own schema alone. With ALL on
// *.* it would hold READ_ONLY ADMIN and write through read_only=1.
const bootstrapSQL = `FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User='' OR (User='root' AND Host<>'localhost');
DELETE FROM mysql.proxies_priv WHERE Host<>'localhost';
FLUSH PRIVILEGES;
CREATE DATABASE pay CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE USER paytool_app@'127.0.0.1' IDENTIFIED BY '{app}';
GRANT ALL PRIVILEGES ON pay.* TO paytool_app@'127.0.0.1';
CREATE USER paytool_monitor@'127.0.0.1' IDENTIFIED BY '{monitor}';
GRANT BINLOG MONITOR, SLAVE MONITOR ON *.* TO paytool_monitor@'127.0.0.1';
GRANT SELECT ON pay.* TO paytool_monitor@'127.0.0.1';
CREATE USER paytool_admin@'127.0.0.1' IDENTIFIED BY '{admin}';
GRANT ALL PRIVILEGES ON *.* TO paytool_admin@'127.0.0.1' WITH GRANT OPTION;
CREATE USER paytool_repl@'127.0.0.1' IDENTIFIED BY '{replication}';
GRANT REPLICATION SLAVE ON *.* TO paytool_repl@'127.0.0.1';
`

func (p passwords) fill(text string) string {
	return strings.NewReplacer("{app}", p.App, "{monitor}", p.Monitor, "{admin}", p.Admin, "{replication}", p.Replication).Replace(text)
}

func (p passwords) mask(text string) string {
	return strings.NewReplacer(p.App, "***", p.Monitor, "***", p.Admin, "***", p.Replication, "***").Replace(text)
}

// ensureTemplate makes the data directory from which all nodes are copied,
// which is much faster than installing each. It gets its name when it is
// complete.
func (b *box) ensureTemplate(ctx context.Context) error {
	dir := b.layout.template()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	next := dir + ".new"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	if err := b.user.mkdir(next); err != nil {
		return err
	}
	cnf := filepath.Join(next, "my.cnf")
	if err := b.writeCnf(cnf, storageCnf); err != nil {
		return err
	}
	b.log.Info("install system tables", "dir", dir)
	if err := b.install(ctx, next); err != nil {
		return err
	}
	return os.Rename(next, dir)
}

// install runs with relative paths: mariadb-install-db splits longer ones at
// blanks.
func (b *box) install(ctx context.Context, dir string) error {
	cmd := b.user.command(ctx, dir, b.server.installDB, "--defaults-file=./my.cnf", "--datadir=./data", "--tmpdir=.",
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create system tables with %s: %w:\n%s", b.server.installDB, err, out)
	}
	cmd = b.user.command(ctx, dir, b.server.mariadbd, "--defaults-file=./my.cnf", "--datadir=./data", "--tmpdir=.", "--bootstrap")
	cmd.Stdin = strings.NewReader(b.marker.Passwords.fill(bootstrapSQL))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("create accounts with %s --bootstrap: %w:\n%s", b.server.mariadbd, err, b.marker.Passwords.mask(string(out)))
	}
	return nil
}

// ensureData makes a node's folder and, when it has none yet, its data.
func (b *box) ensureData(ctx context.Context, n node) error {
	if err := openFolder(n.groupDir()); err != nil {
		return err
	}
	if err := b.user.mkdir(n.dir); err != nil {
		return err
	}
	if err := b.writeCnf(n.cnf(), renderCnf(n)); err != nil {
		return err
	}
	if _, err := os.Stat(n.dataDir()); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	next := n.dataDir() + ".new"
	if err := os.RemoveAll(next); err != nil {
		return err
	}
	// cp keeps modes and, run as the account, needs no chown; where the file
	// system can share blocks it does.
	cmd := b.user.command(ctx, n.dir, "cp", "-R", "-p", filepath.Join(b.layout.template(), "data"), next)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("copy the template: %w: %s", err, out)
	}
	return os.Rename(next, n.dataDir())
}

func (b *box) writeCnf(path, text string) error {
	if err := writeFile(path, []byte(text)); err != nil {
		return err
	}
	return os.Lchown(path, int(b.user.uid), int(b.user.gid))
}
