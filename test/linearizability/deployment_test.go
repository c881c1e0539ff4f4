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

// deployment is a community's program as it runs: its processes, and the way to
// the services' databases beside them.
type deployment struct {
	replicas []*instance.Instance
	// open opens the database of a service. SQLite's is opened only while the
	// service is down.
	open func(t *testing.T, service string) *sql.DB
	// look opens the database of a service and leaves it as it is. SQLite's is
	// copied, so that the program itself finds what a kill has left.
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

// deployments are what the fights for places are fought on, by a community.
var deployments = map[string]func(t *testing.T, c *v1alpha1.Community) *deployment{
	"SQLite, one process": func(t *testing.T, c *v1alpha1.Community) *deployment {
		return onSQLite(t, c, v1alpha1.ServicesOn(&c.Spec))
	},
	"PostgreSQL, three replicas": func(t *testing.T, c *v1alpha1.Community) *deployment {
		all := v1alpha1.ServicesOn(&c.Spec)
		return onPostgres(t, c, all, all, all)
	},
}

// onSQLite has a process for each set of services, with data of its own.
func onSQLite(t *testing.T, c *v1alpha1.Community, services ...[]string) *deployment {
	var processes []instance.Process
	for _, s := range services {
		processes = append(processes, instance.Process{Services: s})
	}
	replicas, err := instance.NewProcesses(binary, t.TempDir(), c, release(), processes...)
	if err != nil {
		t.Fatal(err)
	}
	d := &deployment{replicas: replicas}
	copies := t.TempDir()
	d.open = func(t *testing.T, service string) *sql.DB {
		u := url.URL{Scheme: "file", Path: filepath.Join(d.serving(service)[0].DataDir(), service+".db"), OmitHost: true, RawQuery: "mode=rw"}
		return openDB(t, "sqlite", u.String())
	}
	d.look = func(service string) (*sql.DB, error) {
		dir, err := os.MkdirTemp(copies, service)
		if err != nil {
			return nil, err
		}
		in := d.serving(service)[0]
		if in.Up() {
			// A copy of what stands still is as good as one of what was killed.
			if err := in.Pause(); err != nil {
				return nil, err
			}
			defer in.Resume() //nolint:errcheck // whoever asks it next would notice
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
	}
	d.settled = func(context.Context, int) error { return nil } // the database died with the process
	d.sound = func(t *testing.T, db *sql.DB) {
		var verdict string
		if err := db.QueryRowContext(t.Context(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
			t.Errorf("integrity check: %s, %v", verdict, err)
		}
	}
	d.unconstrained = []string{
		"DROP TABLE cells",
		"CREATE TABLE cells (venue TEXT NOT NULL, cell INTEGER NOT NULL, place INTEGER NOT NULL) STRICT",
	}
	return d
}

// onPostgres has a process for each set of services, with the same database.
func onPostgres(t *testing.T, c *v1alpha1.Community, services ...[]string) *deployment {
	dsn := databasetest.Postgres(t)
	name := func(replica int) string { return fmt.Sprintf("replica-%d", replica) }
	var processes []instance.Process
	for i, s := range services {
		processes = append(processes, instance.Process{Services: s, DSN: dsn + " application_name=" + name(i)})
	}
	replicas, err := instance.NewProcesses(binary, t.TempDir(), c, release(), processes...)
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

// eachDeployment runs f on every one of some deployments of a community, running,
// as subtests.
func eachDeployment(t *testing.T, deployments map[string]func(t *testing.T, c *v1alpha1.Community) *deployment, c *v1alpha1.Community, f func(t *testing.T, d *deployment)) {
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
	d.startOnly(t, d.replicas)
}

func (d *deployment) startOnly(t *testing.T, replicas []*instance.Instance) {
	t.Helper()
	all(t, replicas, func(in *instance.Instance) error { return in.Start(t.Context()) })
}

// stop stops all replicas.
func (d *deployment) stop(t *testing.T) {
	t.Helper()
	all(t, d.replicas, (*instance.Instance).Stop)
}

func all(t *testing.T, replicas []*instance.Instance, f func(in *instance.Instance) error) {
	t.Helper()
	ended := make(chan error)
	for _, in := range replicas {
		go func() { ended <- f(in) }()
	}
	var errs []error
	for range replicas {
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

// serving are the processes that run a service.
func (d *deployment) serving(service string) (running []*instance.Instance) {
	for _, in := range d.replicas {
		if in.Serves(service) {
			running = append(running, in)
		}
	}
	return running
}

// next turns to the next process that is up and runs a service. Where none is,
// it waits.
func (d *deployment) next(ctx context.Context, service string, turn *int) (*instance.Instance, error) {
	running := d.serving(service)
	var at *instance.Instance
	for range running {
		*turn++
		at = running[*turn%len(running)]
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
