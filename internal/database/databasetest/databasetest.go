// Package databasetest runs the tests of a store on every engine.
package databasetest

import (
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/linli-io/linli/internal/database"
)

// Each runs f once on SQLite and once on PostgreSQL, as subtests, each time
// with a new database to which the migrations have been applied.
// PostgreSQL is the server that Postgres starts.
func Each(t *testing.T, migrations fs.FS, f func(t *testing.T, db *database.DB)) {
	t.Helper()
	EachWith(t, migrations, nil, f)
}

// EachWith is Each with the tables of libraries, by name.
func EachWith(t *testing.T, migrations fs.FS, libraries map[string]func() (fs.FS, error), f func(t *testing.T, db *database.DB)) {
	t.Helper()
	o := database.Options{Migrations: migrations, Libraries: map[string]fs.FS{}}
	for name, open := range libraries {
		files, err := open()
		if err != nil {
			t.Fatal(err)
		}
		o.Libraries[name] = files
	}
	t.Run("sqlite", func(t *testing.T) {
		o := o
		o.Path = filepath.Join(t.TempDir(), "test.db")
		f(t, open(t, o))
	})
	t.Run("postgres", func(t *testing.T) {
		o := o
		o.DSN = Postgres(t)
		f(t, open(t, o))
	})
}

func open(t *testing.T, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("closing the database: %v", err)
		}
	})
	return db
}
