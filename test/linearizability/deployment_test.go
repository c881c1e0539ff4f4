package linearizability

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/test/instance"
)

// deployment is a community's program as it runs: its replicas, and the way to
// the booking service's database beside them.
type deployment struct {
	replicas []*instance.Instance
	// open opens the database. SQLite's is opened only while nothing runs.
	open func(t *testing.T) *sql.DB
	// settled returns when the database will do nothing more on behalf of the
	// replica, which was killed.
	settled func(ctx context.Context, replica int) error
	// sound fails the test if the database says that it is damaged.
	sound func(t *testing.T, db *sql.DB)
	// unconstrained takes away what keeps two bookings apart: the primary key
	// of the cells.
	unconstrained []string
}

// deployments are what the fights are fought on.
var deployments = map[string]func(t *testing.T) *deployment{
	"SQLite, one process":        onSQLite,
	"PostgreSQL, three replicas": onPostgres,
}

func onSQLite(t *testing.T) *deployment {
	in, err := instance.New(binary, t.TempDir(), community(), release())
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{
		replicas: []*instance.Instance{in},
		open: func(t *testing.T) *sql.DB {
			u := url.URL{Scheme: "file", Path: filepath.Join(in.DataDir(), "booking.db"), OmitHost: true, RawQuery: "mode=rw"}
			return openDB(t, "sqlite", u.String())
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

func onPostgres(t *testing.T) *deployment {
	dsn := databasetest.Postgres(t)
	name := func(replica int) string { return fmt.Sprintf("replica-%d", replica) }
	var dsns []string
	for i := range 3 {
		dsns = append(dsns, dsn+" application_name="+name(i))
	}
	replicas, err := instance.NewReplicas(binary, t.TempDir(), community(), release(), dsns...)
	if err != nil {
		t.Fatal(err)
	}
	watch := openDB(t, "pgx", dsn)
	return &deployment{
		replicas: replicas,
		open:     func(t *testing.T) *sql.DB { return openDB(t, "pgx", dsn+" search_path=booking") },
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

// eachDeployment runs f on every deployment, running, as subtests.
func eachDeployment(t *testing.T, f func(t *testing.T, d *deployment)) {
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			d := deploy(t)
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

// restart kills a replica and starts it again.
func (d *deployment) restart(ctx context.Context, replica int) error {
	if err := d.replicas[replica].Kill(); err != nil {
		return err
	}
	if err := d.settled(ctx, replica); err != nil {
		return fmt.Errorf("waiting for the end of what a killed replica was doing: %w", err)
	}
	return d.replicas[replica].Start(ctx)
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
