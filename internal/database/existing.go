package database

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/uptrace/bun"
)

// Existing are the databases of a community as they are, to be looked at
// beside the services that use them: nothing is made, claimed or written.
type Existing struct {
	// Names are the databases that were made, in order.
	Names []string

	open  func(name string) (*DB, error)
	close func() error
}

// ReadDirectory looks at the data directory of a community, which may be in
// use. The error names the file and the remedy.
func ReadDirectory(path string) (*Existing, error) {
	file := filepath.Join(path, recordFile)
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, storageError(file, err)
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil || rec.Community == "" {
		return nil, fmt.Errorf("record %s is damaged (%v): restore it from a backup", file, err)
	}
	return &Existing{
		Names: slices.Sorted(slices.Values(rec.Databases)),
		open: func(name string) (*DB, error) {
			o := Options{Path: filepath.Join(path, name+".db"), readOnly: true}
			if err := checkHeader(o.Path); err != nil {
				return nil, err
			}
			return connect(o)
		},
		close: func() error { return nil },
	}, nil
}

// ReadServer looks at the database of a community on a PostgreSQL server; dir
// is where the file dsn with the connection string is. The error names the
// database and the remedy.
func ReadServer(ctx context.Context, dir string) (*Existing, error) {
	s := &Server{file: filepath.Join(dir, dsnFile)}
	var err error
	if s.dsn, err = s.readDSN(); err != nil {
		return nil, err
	}
	if s.db, err = connect(s.options(Options{readOnly: true}, recordSchema)); err != nil {
		return nil, fmt.Errorf("database: %s: %w", s.file, err)
	}
	var rec record
	err = s.db.reader.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		known, err := exists(ctx, tx, recordSchema, "record")
		if err == nil && !known {
			err = fmt.Errorf("database %s has no record (table %s.record): it is no community's, or must be restored from a backup",
				s.db.path, recordSchema)
		}
		if err != nil {
			return err
		}
		rec, err = s.readRecord(ctx, tx)
		return err
	})
	if err != nil {
		return nil, errors.Join(s.explain(s.db.path, err), s.db.Close())
	}
	return &Existing{
		Names: slices.Sorted(slices.Values(rec.Databases)),
		open:  func(name string) (*DB, error) { return connect(s.options(Options{readOnly: true}, name)) },
		close: s.Close,
	}, nil
}

// Open opens the database of that name. Writes to it are refused by the engine.
func (e *Existing) Open(name string) (*DB, error) { return e.open(name) }

// Close closes what ReadServer opened. The databases are closed by those who
// opened them.
func (e *Existing) Close() error { return e.close() }
