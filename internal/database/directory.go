package database

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/uptrace/bun"
)

// Directory is a community's data directory: a SQLite file for each service,
// and a record of which there are and whose they are. The record is how an
// empty directory is told from one that lost its data.
type Directory struct {
	path string
	lock *os.File
	rec  record
	open []*DB
}

// record is the content of the record file.
type record struct {
	// Community is the UID of the Community whose data this is.
	Community string `json:"community"`
	// Origin is the UID of the Community that the directory was made for. It
	// stays when another Community adopts the data.
	Origin string `json:"origin"`
	// Databases are the names of those that were made.
	Databases []string `json:"databases"`
}

const (
	recordFile = "linli.json"
	lockFile   = "linli.lock"
	// What must be free on the disk for a check to pass, in bytes.
	probeSize = 1 << 20
)

// OpenDirectory opens the data directory of the community with that UID. adopt
// is the UID of a former community whose data is to be taken over, or empty.
// It returns an error rather than start over existing data: the error names
// the file, the cause and the remedy.
func OpenDirectory(path, community, adopt string) (*Directory, error) {
	d := &Directory{path: path}
	if err := d.probe(); err != nil {
		return nil, err
	}
	if err := d.acquire(); err != nil {
		return nil, err
	}
	if err := d.claim(community, adopt); err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	return d, nil
}

// acquire makes sure that no other process uses the directory: SQLite in
// write-ahead mode is for one machine, and a second Pod elsewhere would not
// see this one's locks.
func (d *Directory) acquire() error {
	path := filepath.Join(d.path, lockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return storageError(path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return storageError(path, err)
		}
		return fmt.Errorf("data directory %s is in use by another process: one that is being replaced ends within a minute, "+
			"any other must be stopped", d.path)
	}
	d.lock = f
	return nil
}

func (d *Directory) claim(community, adopt string) error {
	path := filepath.Join(d.path, recordFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		found, err := filepath.Glob(filepath.Join(d.path, "*.db"))
		if err != nil {
			return err
		}
		if len(found) > 0 {
			return fmt.Errorf("data directory %s holds databases (%s) but its record %s is missing, so it is not known whose they are: "+
				"restore the record from the backup that the databases are of", d.path, filepath.Base(found[0]), recordFile)
		}
		d.rec = record{Community: community, Origin: community, Databases: []string{}}
		return d.writeRecord()
	}
	if err != nil {
		return storageError(path, err)
	}
	if err := json.Unmarshal(data, &d.rec); err != nil || d.rec.Community == "" || d.rec.Origin == "" {
		return fmt.Errorf("record %s is damaged (%v): restore it from a backup", path, err)
	}
	changed, err := d.rec.claim(community, adopt)
	if err != nil {
		return fmt.Errorf("data directory %s %w, or use another claim", d.path, err)
	}
	if !changed {
		return nil
	}
	return d.writeRecord()
}

// claim makes the data that of the community with that UID, unless it is
// another's that it may not adopt. changed means that the record is to be kept.
func (r *record) claim(community, adopt string) (changed bool, err error) {
	if r.Community == community {
		return false, nil
	}
	if adopt == "" || r.Community != adopt {
		return false, fmt.Errorf("belongs to the community with UID %s, this one has UID %s: "+
			"set spec.adopt to %[1]s to take the data over", r.Community, community)
	}
	r.Community = community
	return true, nil
}

// Origin is the UID of the first community that owned this data. What is
// derived from it stays the same when another community adopts the data.
func (d *Directory) Origin() string { return d.rec.Origin }

// Open opens the database of that name in the directory. It is made if it
// never was; one that was made before must still be there and be sound.
func (d *Directory) Open(ctx context.Context, name string, o Options) (*DB, error) {
	o.Path = filepath.Join(d.path, name+".db")
	made := slices.Contains(d.rec.Databases, name)
	size, err := fileSize(o.Path)
	if err != nil {
		return nil, storageError(o.Path, err)
	}
	logSize, err := fileSize(o.Path + "-wal")
	if err != nil {
		return nil, storageError(o.Path+"-wal", err)
	}
	switch {
	case size < 0 && (made || logSize > 0):
		return nil, fmt.Errorf("database %s is missing although it was made before: restore it from a backup; "+
			"nothing was started, so that no empty database takes its place", o.Path)
	case size == 0 && (made || logSize > 0):
		return nil, fmt.Errorf("database %s is empty (0 bytes) although it was made before: restore it from a backup; "+
			"nothing was started, so that no empty database takes its place", o.Path)
	}
	db, err := connect(o)
	if err != nil {
		return nil, err
	}
	if err := d.prepare(ctx, db, o, size > 0); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	// Until the record names it, nobody has been promised anything that is in it.
	if !made {
		d.rec.Databases = append(d.rec.Databases, name)
		if err := d.writeRecord(); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	d.open = append(d.open, db)
	return db, nil
}

// prepare checks a database that exists before it changes anything in it.
func (d *Directory) prepare(ctx context.Context, db *DB, o Options, exists bool) error {
	if exists {
		if err := checkHeader(db.path); err != nil {
			return err
		}
		if err := db.quickCheck(ctx); err != nil {
			return err
		}
	}
	if err := db.migrate(ctx, o); err != nil {
		if IsStorageFault(err) {
			return storageError(db.path, err)
		}
		return err
	}
	return db.writeCheck(ctx)
}

// Check finds out whether the storage still works: the directory can be
// written to, the files are there, and every open database is sound and takes
// a durable write. The error names the file, the cause and the remedy.
func (d *Directory) Check(ctx context.Context) error {
	if err := d.probe(); err != nil {
		return err
	}
	for _, db := range d.open {
		if err := checkHeader(db.path); err != nil {
			return err
		}
		if err := db.quickCheck(ctx); err != nil {
			return err
		}
		if err := db.writeCheck(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close lets another process use the directory. The databases are closed by
// those who opened them.
func (d *Directory) Close() error { return d.lock.Close() }

// probe writes and removes a file of probeSize.
func (d *Directory) probe() error {
	f, err := os.CreateTemp(d.path, ".probe-*")
	if err != nil {
		return storageError(d.path, err)
	}
	_, err = f.Write(make([]byte, probeSize))
	if err == nil {
		err = f.Sync()
	}
	// The first error says what is wrong; the file must go in any case.
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return storageError(d.path, err)
	}
	return nil
}

// writeRecord replaces the record in one step, durably.
func (d *Directory) writeRecord() error {
	data, err := json.MarshalIndent(d.rec, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, recordFile)
	if err := writeDurably(path, append(data, '\n')); err != nil {
		return storageError(path, err)
	}
	return nil
}

func writeDurably(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// writeCheck makes a durable write that changes nothing: setting the version
// to what it is dirties the first page.
func (db *DB) writeCheck(ctx context.Context) error {
	err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var version int64
		if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
		return err
	})
	if err != nil {
		return storageError(db.path, err)
	}
	return nil
}

// quickCheck asks SQLite whether the file is sound. It reads the whole file
// but not the order of the indexes: about a second per gigabyte from a warm disk.
func (db *DB) quickCheck(ctx context.Context) error {
	var result string
	if err := db.reader.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return storageError(db.path, err)
	}
	if result != "ok" {
		return fmt.Errorf("database %s is damaged (%s): restore it from a backup; the damaged file is left as it is",
			db.path, strings.Join(strings.Fields(result), " "))
	}
	return nil
}

var sqliteMagic = []byte("SQLite format 3\x00")

func checkHeader(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return storageError(path, err)
	}
	defer f.Close()
	head := make([]byte, len(sqliteMagic))
	n, err := f.Read(head)
	if err != nil && n == 0 {
		return storageError(path, err)
	}
	if !bytes.Equal(head[:n], sqliteMagic) {
		return fmt.Errorf("database %s is not a SQLite database: something overwrote it; restore it from a backup, "+
			"the file is left as it is", path)
	}
	return nil
}

// fileSize returns -1 for a file that does not exist.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// storageError adds file and remedy to an error of the storage.
func storageError(path string, err error) error {
	return fmt.Errorf("storage of %s fails: %w; %s", path, err, remedy(err))
}
