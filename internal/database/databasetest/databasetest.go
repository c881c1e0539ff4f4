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
	t.Run("sqlite", func(t *testing.T) {
		f(t, open(t, database.Options{Path: filepath.Join(t.TempDir(), "test.db"), Migrations: migrations}))
	})
	t.Run("postgres", func(t *testing.T) {
		f(t, open(t, database.Options{DSN: Postgres(t), Migrations: migrations}))
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
