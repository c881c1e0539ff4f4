package database_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
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
// if transactions are serializable.
func TestWritesAreSerializable(t *testing.T) {
	databasetest.Each(t, migrations, func(t *testing.T, db *database.DB) {
		full := errors.New("full")
		var wg sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			wg.Go(func() {
				errs[i] = db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
					n, err := tx.NewSelect().Model((*seat)(nil)).Count(ctx)
					if err != nil {
						return err
					}
					if n > 0 {
						return full
					}
					_, err = tx.NewInsert().Model(&seat{Name: fmt.Sprint(i), Holder: "x"}).Exec(ctx)
					return err
				})
			})
		}
		wg.Wait()
		refused := 0
		for _, err := range errs {
			if errors.Is(err, full) {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if n := count(t, db); n != 1 || refused != len(errs)-1 {
			t.Errorf("%d seats taken and %d refused, want 1 and %d", n, refused, len(errs)-1)
		}
	})
}

// Many writers of several processes, each of whom meets the others, all get
// their turn.
func TestWritersOfReplicasMeet(t *testing.T) {
	dsn := databasetest.Postgres(t)
	replicas := make([]*database.DB, 3)
	for i := range replicas {
		replicas[i] = openPostgres(t, database.Options{DSN: dsn, Migrations: migrations})
	}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			if err := addSeat(t.Context(), replicas[i%len(replicas)], func(context.Context, bun.Tx) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := count(t, replicas[0]); n != 60 {
		t.Errorf("%d seats after 60 writes", n)
	}
}

// A writer that is turned away queues the next time.
func TestWhoLostQueuesOnPostgres(t *testing.T) {
	repeats := 0
	dsn := databasetest.Postgres(t)
	db := openPostgres(t, database.Options{DSN: dsn, Migrations: migrations, OnRepeat: func() { repeats++ }})
	other := openPostgres(t, database.Options{DSN: dsn, Migrations: migrations})
	var queued []bool
	err := addSeat(t.Context(), db, func(ctx context.Context, tx bun.Tx) error {
		var holds bool
		err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_locks WHERE relation = 'linli_writers'::regclass
			AND mode = 'ExclusiveLock' AND granted AND pid = pg_backend_pid())`).Scan(&holds)
		queued = append(queued, holds)
		if err != nil || len(queued) > 1 {
			return err
		}
		// Somebody else is faster.
		return addSeat(ctx, other, func(context.Context, bun.Tx) error { return nil })
	})
	if n := count(t, db); err != nil || n != 2 || repeats != 1 {
		t.Errorf("%v, %d seats, %d repeats; want 2 seats and 1 repeat", err, n, repeats)
	}
	if !slices.Equal(queued, []bool{false, true}) {
		t.Errorf("queued at each attempt: %v", queued)
	}
}

// addSeat adds a seat with a name of its own, after counting those there are.
func addSeat(ctx context.Context, db *database.DB, meanwhile func(ctx context.Context, tx bun.Tx) error) error {
	return db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		n, err := tx.NewSelect().Model((*seat)(nil)).Count(ctx)
		if err != nil {
			return err
		}
		if err := meanwhile(ctx, tx); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(&seat{Name: rand.Text(), Holder: fmt.Sprint("after ", n)}).Exec(ctx)
		return err
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

func openPostgres(t *testing.T, o database.Options) *database.DB {
	t.Helper()
	db, err := database.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
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
