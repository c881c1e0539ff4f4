package database_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

const (
	ours   = "11111111-1111-1111-1111-111111111111"
	theirs = "22222222-2222-2222-2222-222222222222"
)

// openSeats opens the directory and the database "seats" in it.
func openSeats(path, community, adopt string) (*database.Directory, *database.DB, error) {
	d, err := database.OpenDirectory(path, community, adopt)
	if err != nil {
		return nil, nil, err
	}
	db, err := d.Open(context.Background(), "seats", database.Options{Migrations: migrations})
	if err != nil {
		d.Close()
		return nil, nil, err
	}
	return d, db, nil
}

func closeBoth(t *testing.T, d *database.Directory, db *database.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// filled returns a directory with a database of many pages.
func filled(t *testing.T) string {
	t.Helper()
	path := t.TempDir()
	d, db, err := openSeats(path, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	err = db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 2000)
			INSERT INTO seats SELECT printf('%06d', i), hex(randomblob(200)) FROM n`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeBoth(t, d, db)
	return path
}

func TestDirectoryKeepsData(t *testing.T) {
	path := filled(t)
	d, db, err := openSeats(path, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 2000 {
		t.Errorf("%d rows, want 2000", n)
	}
	if err := d.Check(t.Context()); err != nil {
		t.Errorf("sound storage: %v", err)
	}
	if d.Origin() != ours {
		t.Errorf("origin %s", d.Origin())
	}
	closeBoth(t, d, db)
}

// Every fault is refused with the file and the remedy, and leaves the files
// as they are.
func TestDirectoryRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir, db string)
		want   []string
	}{
		"a missing database": {func(t *testing.T, _, db string) {
			must(t, os.Remove(db))
		}, []string{"seats.db", "missing", "backup"}},
		"an empty database": {func(t *testing.T, _, db string) {
			must(t, os.Truncate(db, 0))
		}, []string{"seats.db", "0 bytes", "backup"}},
		"something else in its place": {func(t *testing.T, _, db string) {
			must(t, os.WriteFile(db, []byte(strings.Repeat("not a database ", 1000)), 0o600))
		}, []string{"seats.db", "not a SQLite database", "backup"}},
		"a damaged page": {func(t *testing.T, _, db string) {
			overwrite(t, db, 8*4096, 4096)
		}, []string{"seats.db", "damaged", "backup"}},
		"a cut-off database": {func(t *testing.T, _, db string) {
			must(t, os.Truncate(db, 20*4096))
		}, []string{"seats.db", "damaged", "backup"}},
		"a missing record": {func(t *testing.T, dir, _ string) {
			must(t, os.Remove(filepath.Join(dir, "linli.json")))
		}, []string{"linli.json", "missing", "backup"}},
		"a damaged record": {func(t *testing.T, dir, _ string) {
			must(t, os.WriteFile(filepath.Join(dir, "linli.json"), []byte("{"), 0o600))
		}, []string{"linli.json", "damaged", "backup"}},
		"a write-ahead log without its database": {func(t *testing.T, dir, db string) {
			must(t, os.WriteFile(filepath.Join(dir, "linli.json"),
				[]byte(`{"community":"`+ours+`","origin":"`+ours+`","databases":[]}`), 0o600))
			must(t, os.Rename(db, db+"-wal"))
		}, []string{"seats.db", "missing", "backup"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			c.damage(t, dir, filepath.Join(dir, "seats.db"))
			before := contents(t, dir)
			_, db, err := openSeats(dir, ours, "")
			if err == nil {
				t.Fatalf("opened, with %d rows", count(t, db))
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
			after := contents(t, dir)
			for file, content := range before {
				if after[file] != content {
					t.Errorf("%s was changed", file)
				}
			}
		})
	}
}

func TestDirectoryOfAnotherCommunity(t *testing.T) {
	dir := filled(t)
	for _, adopt := range []string{"", "33333333-3333-3333-3333-333333333333"} {
		_, _, err := openSeats(dir, theirs, adopt)
		if err == nil || !strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), "spec.adopt") {
			t.Errorf("adopting %q: %v", adopt, err)
		}
	}
	// The one that names it takes it over, for good, and keeps what is
	// derived from its origin.
	for _, adopt := range []string{ours, ""} {
		d, db, err := openSeats(dir, theirs, adopt)
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 2000 {
			t.Errorf("%d rows after adoption, want 2000", n)
		}
		if d.Origin() != ours {
			t.Errorf("the origin changed to %s", d.Origin())
		}
		closeBoth(t, d, db)
	}
	if _, _, err := openSeats(dir, ours, ""); err == nil {
		t.Error("the former owner still gets in")
	}
}

func TestDirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	d, db, err := openSeats(dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openSeats(dir, ours, ""); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a second one opened the directory: %v", err)
	}
	closeBoth(t, d, db)
}

// A crash while a database is made leaves an empty file that the record does
// not name. Nothing was promised yet, so making it goes on.
func TestDirectoryFinishesWhatACrashLeft(t *testing.T) {
	dir := t.TempDir()
	d, err := database.OpenDirectory(dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	must(t, d.Close())
	must(t, os.WriteFile(filepath.Join(dir, "seats.db"), nil, 0o600))
	d, db, err := openSeats(dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	closeBoth(t, d, db)
}

func TestCheckFindsWhatHappenedSince(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, db string){
		"removed":     func(t *testing.T, db string) { must(t, os.Remove(db)) },
		"overwritten": func(t *testing.T, db string) { overwrite(t, db, 0, 4096) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filled(t)
			d, db, err := openSeats(dir, ours, "")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { db.Close(); d.Close() }()
			damage(t, filepath.Join(dir, "seats.db"))
			if err := d.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "seats.db") {
				t.Errorf("Check says %v", err)
			}
		})
	}
}

func overwrite(t *testing.T, path string, at, length int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte(strings.Repeat("#", int(length))), at)
	must(t, err)
	must(t, f.Close())
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		files[e.Name()] = string(data)
	}
	return files
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
