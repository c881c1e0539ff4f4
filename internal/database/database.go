// Package database opens and migrates the database of one service. A service
// keeps its data either in a SQLite file of its own or in a PostgreSQL schema
// of its own; its code is the same for both.
//
// Times are kept in integer columns (Unix seconds or milliseconds, UTC), never
// in a column type of one engine.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"runtime"
	"slices"
	"sync"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"modernc.org/sqlite"
)

// Engine is a kind of database.
type Engine string

// The engines.
const (
	SQLite   Engine = "sqlite"
	Postgres Engine = "postgres"
)

// Options say which database to open.
type Options struct {
	// Path is the file of a SQLite database, made if it does not exist.
	// Either Path or DSN is set.
	Path string
	// DSN is the connection string of a PostgreSQL database.
	DSN string
	// Migrations holds goose migrations as sqlite/*.sql and postgres/*.sql;
	// those that are missing in the database are applied.
	Migrations fs.FS
	// Libraries are migrations of libraries that keep tables in the database
	// of every service, by the library's name, laid out like Migrations. Each
	// has a version of its own, in the table goose_<name>.
	Libraries map[string]fs.FS
	// OnFault, if set, is told of every error of a statement for which
	// IsStorageFault holds. It must not block and must not use the database.
	OnFault func(error)
	// OnRepeat, if set, is told of every write transaction that is run again
	// because the engine asks for it. It must not block.
	OnRepeat func()
	// Log is told of applied migrations. Nil means nobody is.
	Log *slog.Logger

	// schema is what a Server adds: where tables are, instead of the user's
	// default; login, if set, is asked before each connection.
	schema string
	login  func() (user, password string, err error)
	// readOnly is for who looks at another's database.
	readOnly bool
}

// DB is the database of one service: many readers, and writes that are atomic
// and durable when Write returns without an error.
type DB struct {
	engine Engine
	reader *bun.DB
	writer *bun.DB
	writes queue

	statements statements
	// reads are what SQLite has parsed for Query: a *sql.Stmt by its text. They
	// are closed with the connections.
	reads sync.Map
	path  string
	// repeated is told of each transaction that is run again.
	repeated func()
}

// Write transactions that the engine itself asks to repeat (serialization
// failure, deadlock, busy) are tried this often in all. Each loss is another's
// commit, and who has lost queues, so that a few tries do.
const writeAttempts = 100

// Open opens the database, brings its schema up to date and returns it.
// The error names the file or server and what to do about it.
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := connect(o)
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, o); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// connect returns the database as it is, without looking at it yet.
func connect(o Options) (db *DB, err error) {
	if o.DSN != "" {
		db, err = openPostgres(o)
	} else {
		db, err = openSQLite(o)
	}
	if err != nil {
		return nil, err
	}
	db.writer = db.writer.WithQueryHook(catchUpHook{})
	db.repeated = func() {}
	if o.OnRepeat != nil {
		db.repeated = o.OnRepeat
	}
	if o.OnFault != nil {
		db.writer = db.writer.WithQueryHook(faultHook{o.OnFault})
		db.reader = db.reader.WithQueryHook(faultHook{o.OnFault})
		db.statements.onFault = o.OnFault
	}
	return db, nil
}

func openSQLite(o Options) (*DB, error) {
	mode := "rw"
	if o.readOnly {
		mode = "ro" // the last to close a writable one folds the log into the file
	}
	reader, err := sqlitePool(o.Path, url.Values{
		"mode":        {mode},
		"_query_only": {"on"},
	})
	if err != nil {
		return nil, err
	}
	readers := max(4, runtime.GOMAXPROCS(0))
	reader.SetMaxOpenConns(readers)
	reader.SetMaxIdleConns(readers)
	db := &DB{
		engine: SQLite,
		writes: newQueue(),

		statements: newStatements(SQLite),

		reader: bun.NewDB(reader, sqlitedialect.New()),
		path:   o.Path,
	}
	if o.readOnly {
		db.writer = db.reader
		return db, nil
	}
	// FULL: with the write-ahead log a transaction that was acknowledged is
	// then still there after a power cut, not only after a crash.
	writer, err := sqlitePool(o.Path, url.Values{
		"_txlock":       {"immediate"},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"},
	})
	if err != nil {
		return nil, err
	}
	// One connection: writers queue in Go, in order, instead of polling for
	// the file's lock.
	writer.SetMaxOpenConns(1)
	db.writer = bun.NewDB(writer, sqlitedialect.New())
	return db, nil
}

// sqlitePool are connections to a file, with some settings beside those that all
// have.
func sqlitePool(path string, q url.Values) (*sql.DB, error) {
	for name, value := range map[string]string{
		"_busy_timeout": "10000",
		"_foreign_keys": "on",
		"_defensive":    "1",
		"_dqs":          "0",
		"_error_rc":     "1",
	} {
		q.Set(name, value)
	}
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: q.Encode()}
	c, err := sqlite.NewConnector(u.String())
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	return sql.OpenDB(c), nil
}

// migrate brings the service's tables up to date, and then those of the
// libraries.
func (db *DB) migrate(ctx context.Context, o Options) error {
	if err := db.migrateWith(ctx, o.Migrations, goose.DefaultTablename, o.Log); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(o.Libraries)) {
		if err := db.migrateWith(ctx, o.Libraries[name], "goose_"+name, o.Log); err != nil {
			return fmt.Errorf("tables of %s: %w", name, err)
		}
	}
	if db.engine == Postgres {
		return db.makeQueue(ctx)
	}
	return nil
}

// migrateWith applies the migrations that the table of versions lacks.
func (db *DB) migrateWith(ctx context.Context, migrations fs.FS, versions string, log *slog.Logger) error {
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{
		goose.WithDisableGlobalRegistry(true), goose.WithTableName(versions),
	}
	if db.engine == Postgres {
		dialect = goose.DialectPostgres
		// Several processes may start at once with PostgreSQL: one migrates, the
		// others look every second whether it is done.
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 300))
		if err != nil {
			return fmt.Errorf("database %s: migration lock: %w", db.path, err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, string(db.engine))
	if err != nil {
		return fmt.Errorf("migrations for %s: %w", db.engine, err)
	}
	p, err := goose.NewProvider(dialect, db.writer.DB, files, options...)
	if err != nil {
		return fmt.Errorf("migrations for %s: %w", db.engine, err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("database %s: reading its schema version: %w", db.path, err)
	}
	if current > target {
		return fmt.Errorf("database %s has schema version %d, this program knows versions up to %d: "+
			"it was written by a newer release; run that release or a later one", db.path, current, target)
	}
	applied, err := p.Up(ctx)
	if err != nil {
		return fmt.Errorf("database %s: migrating from version %d to %d: %w", db.path, current, target, err)
	}
	if log == nil {
		return nil
	}
	for _, m := range applied {
		log.Info("migration applied", "database", db.path, "versions", versions, "version", m.Source.Version, "duration", m.Duration.String())
	}
	return nil
}

// Engine says what kind of database this is.
func (db *DB) Engine() Engine { return db.engine }

// Reader returns a handle for queries. It is never nil. Statements that write
// are refused by SQLite; use Write for them.
func (db *DB) Reader() *bun.DB { return db.reader }

// Close closes all connections.
func (db *DB) Close() error {
	// The writer last: SQLite folds the write-ahead log into the file when
	// the last connection, which must be able to write, is closed.
	return errors.Join(db.reader.Close(), db.writer.Close())
}

type faultHook struct{ report func(error) }

func (faultHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context { return ctx }

func (h faultHook) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if e.Err != nil && IsStorageFault(e.Err) {
		h.report(e.Err)
	}
}
