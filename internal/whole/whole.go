// Package whole puts files in their place as a whole or not at all: they are written
// beside it, synced and renamed, and the folder is synced so that the new name outlives
// a power cut.
//
// Not here: files that are appended to, and folders in which the name of what lies
// beside is part of a protocol.
package whole

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// leftBehind is the age at which a part of a file is no longer being written: its
// writer was killed.
const leftBehind = 24 * time.Hour

// Write has a file written and puts it at path, readable by its owner alone. What was
// there before stays until then, and where anything fails. An error names the path.
func Write(path string, write func(w io.Writer) error) error {
	return WriteMode(path, 0o600, write)
}

// WriteBytes is Write of what is in memory.
func WriteBytes(path string, data []byte) error {
	return Write(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteMode is Write of a file with these permissions.
func WriteMode(path string, mode fs.FileMode, write func(w io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	dir, pattern := filepath.Dir(path), "."+filepath.Base(path)+".*.part"
	sweep(dir, pattern)
	f, err := os.CreateTemp(dir, pattern)
	if err != nil {
		return err
	}
	if err := errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDir(dir)
}

// sweep removes what writers of the same file left behind when they were killed. What
// cannot be removed does no harm.
func sweep(dir, pattern string) {
	parts, _ := filepath.Glob(filepath.Join(dir, pattern)) // a name with brackets matches nothing, or its own parts
	for _, p := range parts {
		if info, err := os.Lstat(p); err == nil && time.Since(info.ModTime()) > leftBehind {
			_ = os.Remove(p)
		}
	}
}

// SyncDir makes the names in a folder as durable as the files.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync the folder %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
