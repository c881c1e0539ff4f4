package database_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

func library(files map[string]string) fstest.MapFS {
	m := fstest.MapFS{}
	for name, content := range files {
		for _, engine := range []string{"sqlite", "postgres"} {
			m[engine+"/"+name] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + content + "\n")}
		}
	}
	return m
}

// A library's tables come and change on their own, in a database of any age.
func TestLibraries(t *testing.T) {
	notes := library(map[string]string{"00001_notes.sql": "CREATE TABLE notes (x TEXT NOT NULL);"})
	newer := maps.Clone(notes)
	maps.Copy(newer, library(map[string]string{"00002_more.sql": "CREATE TABLE more_notes (x TEXT NOT NULL);"}))
	file := t.TempDir() + "/test.db"
	for name, where := range map[string]database.Options{
		"sqlite": {Path: file}, "postgres": {DSN: databasetest.Postgres(t)},
	} {
		t.Run(name, func(t *testing.T) {
			open := func(libraries map[string]fstest.MapFS) (*database.DB, error) {
				o := where
				o.Migrations = migrations
				o.Libraries = map[string]fs.FS{}
				for name, files := range libraries {
					o.Libraries[name] = files
				}
				return database.Open(t.Context(), o)
			}
			for _, libraries := range []map[string]fstest.MapFS{
				nil, {"notes": notes}, {"notes": newer, "other": library(map[string]string{"00001_other.sql": "CREATE TABLE other (x TEXT NOT NULL);"})},
			} {
				db, err := open(libraries)
				if err != nil {
					t.Fatal(err)
				}
				must(t, db.Close())
			}
			if _, err := open(map[string]fstest.MapFS{"notes": notes}); err == nil || !strings.Contains(err.Error(), "newer release") ||
				!strings.Contains(err.Error(), "notes") {
				t.Errorf("a library of an older release: %v", err)
			}
			db, err := open(map[string]fstest.MapFS{"notes": newer})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			for _, table := range []string{"seats", "notes", "more_notes", "other"} {
				if _, err := db.Reader().ExecContext(t.Context(), "SELECT * FROM "+table); err != nil {
					t.Errorf("table %s: %v", table, err)
				}
			}
		})
	}
}

// Who looks at the databases of a community sees what its services write, and
// changes nothing.
func TestExistingDirectory(t *testing.T) {
	path := t.TempDir()
	d, db, err := openSeats(path, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	must(t, insert(db, seat{Name: "1", Holder: "a"}))
	look := func() {
		t.Helper()
		e, err := database.ReadDirectory(path)
		if err != nil {
			t.Fatal(err)
		}
		lookAt(t, e)
	}
	look()
	closeBoth(t, d, db)
	look()
	must(t, os.Remove(filepath.Join(path, "seats.db")))
	e, err := database.ReadDirectory(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open("seats"); err == nil || !strings.Contains(err.Error(), "seats.db") {
		t.Errorf("a database that is gone: %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, "seats.db")); err == nil {
		t.Error("it was made anew")
	}
	if _, err := database.ReadDirectory(t.TempDir()); err == nil || !strings.Contains(err.Error(), "linli.json") {
		t.Errorf("a directory of nobody: %v", err)
	}
}

func TestExistingServer(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	if _, err := database.ReadServer(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "no record") {
		t.Errorf("a database of nobody: %v", err)
	}
	_, db, err := openServer(t, dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	must(t, insert(db, seat{Name: "1", Holder: "a"}))
	e, err := database.ReadServer(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	lookAt(t, e)
}

// lookAt finds one seat, and that it cannot be changed.
func lookAt(t *testing.T, e *database.Existing) {
	t.Helper()
	defer e.Close()
	if !slices.Equal(e.Names, []string{"seats"}) {
		t.Errorf("databases: %v", e.Names)
	}
	db, err := e.Open("seats")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if n := count(t, db); n != 1 {
		t.Errorf("%d seats", n)
	}
	if err := insert(db, seat{Name: "2", Holder: "b"}); err == nil {
		t.Error("a seat was added")
	}
}
