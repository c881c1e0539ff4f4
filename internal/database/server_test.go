package database_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// dsnDir returns a directory with a connection string, as it is mounted.
func dsnDir(t *testing.T, dsn string) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "dsn"), []byte(dsn+"\n"), 0o600))
	return dir
}

// openServer opens the server's database and "seats" in it, until the test ends.
func openServer(t *testing.T, dir, community, adopt string) (*database.Server, *database.DB, error) {
	t.Helper()
	s, err := database.OpenServer(t.Context(), dir, community, adopt)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { s.Close() })
	db, err := s.Open(t.Context(), "seats", database.Options{Migrations: migrations})
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { db.Close() })
	return s, db, nil
}

func sqlExec(t *testing.T, dsn string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// Replicas that start at the same moment over an empty database share it.
func TestReplicasStartTogether(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			s, db, err := openServer(t, dir, ours, "")
			if err != nil {
				t.Error(err)
				return
			}
			if err := insert(db, seat{Name: fmt.Sprint(i), Holder: "x"}); err != nil {
				t.Error(err)
			}
			if s.Origin() != ours {
				t.Errorf("origin %s", s.Origin())
			}
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	_, db, err := openServer(t, dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 4 {
		t.Errorf("%d seats, want 4", n)
	}
}

// A release that migrates starts while the former one still writes.
func TestMigrationWhileOthersWrite(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	s, db, err := openServer(t, dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	written, stop := make(chan struct{}), make(chan struct{})
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ; i++ {
				if err := insert(db, seat{Name: fmt.Sprint(w, " ", i), Holder: "x"}); err != nil {
					t.Error(err)
				}
				select {
				case written <- struct{}{}:
				case <-stop:
					return
				}
			}
		})
	}
	newer := fstest.MapFS{"postgres/00002_row.sql": {Data: []byte(
		"-- +goose Up\nALTER TABLE seats ADD COLUMN row TEXT NOT NULL DEFAULT '';\nUPDATE seats SET row = 'first';\n")}}
	maps.Copy(newer, migrations)
	migrated := make(chan error)
	for range 2 {
		go func() {
			next, err := s.Open(t.Context(), "seats", database.Options{Migrations: newer})
			if err == nil {
				err = next.Close()
			}
			migrated <- err
		}()
	}
	for starting := 2; starting > 0; {
		select {
		case err := <-migrated:
			starting--
			if err != nil {
				t.Error(err)
			}
		case <-written:
		}
	}
	for range 20 {
		<-written
	}
	close(stop)
	writers.Wait()
}

// Services have a schema each, and see nothing of the others.
func TestServicesAreApart(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	s, seats, err := openServer(t, dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	must(t, insert(seats, seat{Name: "1", Holder: "x"}))
	other, err := s.Open(t.Context(), "other-seats", database.Options{Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if n := count(t, other); n != 0 {
		t.Errorf("the other service has %d seats", n)
	}
}

// Another community's data is left alone, unless it is adopted; what is
// derived from the first owner stays.
func TestServerBelongsToACommunity(t *testing.T) {
	dir := dsnDir(t, databasetest.Postgres(t))
	_, db, err := openServer(t, dir, ours, "")
	if err != nil {
		t.Fatal(err)
	}
	must(t, insert(db, seat{Name: "1", Holder: "x"}))
	for _, adopt := range []string{"", theirs, "33333333-3333-3333-3333-333333333333"} {
		_, _, err := openServer(t, dir, theirs, adopt)
		if err == nil || !strings.Contains(err.Error(), ours) || !strings.Contains(err.Error(), "spec.adopt") {
			t.Errorf("adopt %q: another community's database was opened: %v", adopt, err)
		}
	}
	s, db, err := openServer(t, dir, theirs, ours)
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, db); n != 1 || s.Origin() != ours {
		t.Errorf("adopted: %d seats, origin %s; want 1, %s", n, s.Origin(), ours)
	}
	if _, _, err := openServer(t, dir, theirs, ""); err != nil {
		t.Errorf("opened again: %v", err)
	}
	if _, _, err := openServer(t, dir, ours, ""); err == nil {
		t.Error("the former community still opens the database")
	}
}

// Nothing starts over lost or unknown data.
func TestServerRefuses(t *testing.T) {
	for name, c := range map[string]struct{ damage, want string }{
		"a missing schema": {"DROP SCHEMA seats CASCADE", "missing"},
		"an empty schema":  {"DROP TABLE seats.seats, seats.goose_db_version", "empty"},
		"a missing record": {"DROP SCHEMA linli CASCADE", "no record"},
		"an empty record":  {"DELETE FROM linli.record", "damaged"},
		"a damaged record": {"UPDATE linli.record SET content = '{'", "damaged"},
	} {
		t.Run(name, func(t *testing.T) {
			dsn := databasetest.Postgres(t)
			dir := dsnDir(t, dsn)
			if _, _, err := openServer(t, dir, ours, ""); err != nil {
				t.Fatal(err)
			}
			sqlExec(t, dsn, c.damage)
			_, _, err := openServer(t, dir, ours, "")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

// A server that cannot be used is reported with cause and remedy, and never
// with the password.
func TestServerErrorsKeepThePassword(t *testing.T) {
	const password = "se:cr@et-4711"
	good := databasetest.StartPostgres(t).Database() // roles are the server's
	c, err := pgx.ParseConfig(good)
	if err != nil {
		t.Fatal(err)
	}
	sqlExec(t, good, "CREATE ROLE "+databasetest.Guarded+" LOGIN PASSWORD 'right'", "GRANT CREATE ON DATABASE "+c.Database+" TO "+databasetest.Guarded)
	dsn := func(user, password, host, name string) string {
		return fmt.Sprintf("host=%s user=%s password=%s dbname=%s", host, user, password, name)
	}
	for name, c := range map[string]struct{ dsn, want string }{
		"wrong password": {dsn(databasetest.Guarded, password, c.Host, c.Database), "correct user and password"},
		"no database":    {dsn("linli", password, c.Host, "nowhere"), "create the database"},
		"no server":      {dsn("linli", password, t.TempDir(), "linli"), "check that the PostgreSQL server runs"},
		"no string":      {"postgres://linli:" + password + "%zz@[host/linli", "no PostgreSQL connection string"},
		"nothing":        {"", "is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := openServer(t, dsnDir(t, c.dsn), ours, "")
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("opened: %v", err)
			}
			for _, part := range []string{password, "se:cr", "et-4711", "cr@et"} {
				if strings.Contains(err.Error(), part) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
		})
	}

	t.Run("no file", func(t *testing.T) {
		if _, _, err := openServer(t, t.TempDir(), ours, ""); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "Secret") {
			t.Errorf("opened: %v", err)
		}
	})
	t.Run("a password that changes", func(t *testing.T) {
		dir := dsnDir(t, dsn(databasetest.Guarded, "right", c.Host, c.Database))
		s, _, err := openServer(t, dir, ours, "")
		if err != nil {
			t.Fatal(err)
		}
		sqlExec(t, good, "ALTER ROLE "+databasetest.Guarded+" PASSWORD 'new'")
		must(t, os.WriteFile(filepath.Join(dir, "dsn"), []byte(dsn(databasetest.Guarded, "new", c.Host, c.Database)), 0o600))
		db, err := s.Open(t.Context(), "more", database.Options{Migrations: migrations})
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
	})
}
