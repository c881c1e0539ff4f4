package linearizability

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/test/instance"
)

// deployment is a community's program as it runs: its replicas, and the way to
// the services' databases beside them.
type deployment struct {
	replicas []*instance.Instance
	// open opens the database of a service. SQLite's is opened only while
	// nothing runs.
	open func(t *testing.T, service string) *sql.DB
	// look opens the database of a service and leaves it as it is. SQLite's is
	// copied, while nothing runs, so that the program itself finds what a kill
	// has left.
	look func(service string) (*sql.DB, error)
	// watched says that databases can be looked at while the program runs.
	watched bool
	// settled returns when the database will do nothing more on behalf of the
	// replica, which was killed.
	settled func(ctx context.Context, replica int) error
	// sound fails the test if the database says that it is damaged.
	sound func(t *testing.T, db *sql.DB)
	// unconstrained takes away what keeps two bookings apart: the primary key
	// of the cells, in the database of booking.
	unconstrained []string
}

// deployments are what the fights are fought on, by a community.
var deployments = map[string]func(t *testing.T, c *v1alpha1.Community) *deployment{
	"SQLite, one process":        onSQLite,
	"PostgreSQL, three replicas": onPostgres,
}

func onSQLite(t *testing.T, c *v1alpha1.Community) *deployment {
	in, err := instance.New(binary, t.TempDir(), c, release())
	if err != nil {
		t.Fatal(err)
	}
	copies := t.TempDir()
	return &deployment{
		replicas: []*instance.Instance{in},
		open: func(t *testing.T, service string) *sql.DB {
			u := url.URL{Scheme: "file", Path: filepath.Join(in.DataDir(), service+".db"), OmitHost: true, RawQuery: "mode=rw"}
			return openDB(t, "sqlite", u.String())
		},
		look: func(service string) (*sql.DB, error) {
			dir, err := os.MkdirTemp(copies, service)
			if err != nil {
				return nil, err
			}
			for _, name := range []string{service + ".db", service + ".db-wal"} {
				content, err := os.ReadFile(filepath.Join(in.DataDir(), name))
				if errors.Is(err, fs.ErrNotExist) {
					continue // all of the log is in the database
				}
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, name), content, 0o600)
				}
				if err != nil {
					return nil, err
				}
			}
			return sql.Open("sqlite", "file:"+filepath.Join(dir, service+".db"))
		},
		settled: func(context.Context, int) error { return nil }, // the database died with the process
		sound: func(t *testing.T, db *sql.DB) {
			var verdict string
			if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
				t.Errorf("integrity check: %s, %v", verdict, err)
			}
		},
		unconstrained: []string{
			"DROP TABLE cells",
			"CREATE TABLE cells (venue TEXT NOT NULL, cell INTEGER NOT NULL, place INTEGER NOT NULL) STRICT",
		},
	}
}

func onPostgres(t *testing.T, c *v1alpha1.Community) *deployment {
	dsn := databasetest.Postgres(t)
	name := func(replica int) string { return fmt.Sprintf("replica-%d", replica) }
	var dsns []string
	for i := range 3 {
		dsns = append(dsns, dsn+" application_name="+name(i))
	}
	replicas, err := instance.NewReplicas(binary, t.TempDir(), c, release(), dsns...)
	if err != nil {
		t.Fatal(err)
	}
	watch := openDB(t, "pgx", dsn)
	return &deployment{
		replicas: replicas,
		open:     func(t *testing.T, service string) *sql.DB { return openDB(t, "pgx", dsn+" search_path="+service) },
		look:     func(service string) (*sql.DB, error) { return sql.Open("pgx", dsn+" search_path="+service) },
		watched:  true,
		// A commit that was on its way when the process died is still done.
		settled: func(ctx context.Context, replica int) error {
			again := time.NewTicker(5 * time.Millisecond)
			defer again.Stop()
			for {
				var left int
				err := watch.QueryRowContext(ctx, "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1", name(replica)).Scan(&left)
				if err != nil || left == 0 {
					return err
				}
				select {
				case <-again.C:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
		sound:         func(*testing.T, *sql.DB) {},
		unconstrained: []string{"ALTER TABLE cells DROP CONSTRAINT cells_pkey"},
	}
}

func openDB(t *testing.T, driver, source string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// eachDeployment runs f on every deployment of a community, running, as
// subtests.
func eachDeployment(t *testing.T, c *v1alpha1.Community, f func(t *testing.T, d *deployment)) {
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, c)
			t.Cleanup(func() {
				for _, in := range d.replicas {
					in.Kill() //nolint:errcheck // it has ended already if the test got that far
					if t.Failed() {
						keepLog(t, in)
					}
				}
			})
			d.start(t)
			f(t, d)
		})
	}
}

// start starts all replicas at the same moment.
func (d *deployment) start(t *testing.T) {
	t.Helper()
	d.all(t, func(in *instance.Instance) error { return in.Start(t.Context()) })
}

// stop stops all replicas.
func (d *deployment) stop(t *testing.T) {
	t.Helper()
	d.all(t, (*instance.Instance).Stop)
}

func (d *deployment) all(t *testing.T, f func(in *instance.Instance) error) {
	t.Helper()
	ended := make(chan error)
	for _, in := range d.replicas {
		go func() { ended <- f(in) }()
	}
	var errs []error
	for range d.replicas {
		errs = append(errs, <-ended)
	}
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// kill kills a replica; when it returns nothing is done on its behalf any more.
func (d *deployment) kill(ctx context.Context, replica int) error {
	if err := d.replicas[replica].Kill(); err != nil {
		return err
	}
	if err := d.settled(ctx, replica); err != nil {
		return fmt.Errorf("waiting for the end of what a killed replica was doing: %w", err)
	}
	return nil
}

// restart kills a replica and starts it again.
func (d *deployment) restart(ctx context.Context, replica int) error {
	if err := d.kill(ctx, replica); err != nil {
		return err
	}
	return d.replicas[replica].Start(ctx)
}

// next turns to the next replica that is up. Where none is, it waits.
func (d *deployment) next(ctx context.Context, turn *int) (*instance.Instance, error) {
	var at *instance.Instance
	for range d.replicas {
		*turn++
		at = d.replicas[*turn%len(d.replicas)]
		if at.Up() {
			return at, nil
		}
	}
	return at, at.AwaitUp(ctx)
}

// keepLog copies the program's log out of the directory that the test removes.
func keepLog(t *testing.T, in *instance.Instance) {
	t.Helper()
	log, err := os.ReadFile(in.LogPath())
	if err != nil {
		t.Log(err)
		return
	}
	file, err := os.CreateTemp("", "linearizability-*.log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(log); err != nil {
		t.Fatal(err)
	}
	t.Logf("the log of linli serve is %s", file.Name())
}
