package database_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

const seats = `-- +goose Up
CREATE TABLE seats (name TEXT NOT NULL PRIMARY KEY, holder TEXT NOT NULL);
-- +goose Down
DROP TABLE seats;
`

var migrations = fstest.MapFS{
	"sqlite/00001_seats.sql":   {Data: []byte(seats)},
	"postgres/00001_seats.sql": {Data: []byte(seats)},
}

type seat struct {
	bun.BaseModel `bun:"table:seats"`
	Name, Holder  string
}

func insert(db *database.DB, s seat) error {
	return db.Write(context.Background(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(&s).Exec(ctx)
		return err
	})
}

func count(t *testing.T, db *database.DB) int64 {
	t.Helper()
	n, err := db.Reader().NewSelect().Model((*seat)(nil)).Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUniqueness(t *testing.T) {
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		if err := insert(db, seat{Name: "1", Holder: "a"}); err != nil {
			t.Fatal(err)
		}
		err := insert(db, seat{Name: "1", Holder: "b"})
		if !database.IsUnique(err) || database.IsStorageFault(err) {
			t.Errorf("second holder of one seat: %v, IsUnique %v, IsStorageFault %v",
				err, database.IsUnique(err), database.IsStorageFault(err))
		}
		if database.IsUnique(errors.New("other")) || database.IsUnique(nil) {
			t.Error("IsUnique holds for something else")
		}
	})
}

func TestFailedWriteChangesNothing(t *testing.T) {
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		refuse := errors.New("refused by a rule")
		err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewInsert().Model(&seat{Name: "1", Holder: "a"}).Exec(ctx); err != nil {
				return err
			}
			return refuse
		})
		if !errors.Is(err, refuse) {
			t.Errorf("Write returned %v, want the error of the function", err)
		}
		if n := count(t, db); n != 0 {
			t.Errorf("%d rows after a failed write, want none", n)
		}
	})
}

// The rule "one seat only" is checked by reading before writing. It holds only
// if transactions are serializable, and both writers get an answer only if the
// one that the engine turns away is repeated.
func TestWritesAreSerializable(t *testing.T) {
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		full := errors.New("full")
		var bothHaveRead sync.WaitGroup
		bothHaveRead.Add(2)
		write := func(name string) error {
			first := true
			return db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				n, err := tx.NewSelect().Model((*seat)(nil)).Count(ctx)
				if err != nil {
					return err
				}
				// SQLite lets in one writer after the other; PostgreSQL lets
				// both read before either has written.
				if first && db.Engine() == database.Postgres {
					bothHaveRead.Done()
					bothHaveRead.Wait()
				}
				first = false
				if n > 0 {
					return full
				}
				_, err = tx.NewInsert().Model(&seat{Name: name, Holder: "x"}).Exec(ctx)
				return err
			})
		}
		var wg sync.WaitGroup
		errs := make([]error, 2)
		for i := range errs {
			wg.Go(func() { errs[i] = write(string(rune('a' + i))) })
		}
		wg.Wait()
		if errs[0] == nil {
			errs[0], errs[1] = errs[1], errs[0]
		}
		if !errors.Is(errs[0], full) || errs[1] != nil {
			t.Errorf("the writers got %v and %v, want one refusal and one success", errs[0], errs[1])
		}
		if n := count(t, db); n != 1 {
			t.Errorf("%d seats taken, want 1", n)
		}
	})
}

func TestReaderDoesNotWrite(t *testing.T) {
	db := openSQLite(t, t.TempDir()+"/a b#c?.db")
	if _, err := db.Reader().NewInsert().Model(&seat{Name: "1", Holder: "a"}).Exec(t.Context()); err == nil {
		t.Error("a write through Reader succeeded")
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := t.TempDir() + "/test.db"
	newer := fstest.MapFS{"sqlite/00002_more.sql": {Data: []byte("-- +goose Up\nCREATE TABLE more (x INTEGER);\n")}}
	for name, f := range migrations {
		newer[name] = f
	}
	db, err := database.Open(t.Context(), database.Options{Path: path, Migrations: newer})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = database.Open(t.Context(), database.Options{Path: path, Migrations: migrations})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "newer release") {
		t.Errorf("opening a database of a newer release: %v", err)
	}
}

// What Write acknowledged must be on the disk: synchronous is FULL (2) and the
// journal is the write-ahead log.
func TestDurabilitySettings(t *testing.T) {
	db := openSQLite(t, t.TempDir()+"/test.db")
	err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		var sync, mode string
		if err := tx.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&sync); err != nil {
			return err
		}
		if err := tx.QueryRowContext(ctx, "PRAGMA journal_mode").Scan(&mode); err != nil {
			return err
		}
		if sync != "2" || mode != "wal" {
			t.Errorf("synchronous %s, journal_mode %s; want 2, wal", sync, mode)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openSQLite(t *testing.T, path string) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), database.Options{Path: path, Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
