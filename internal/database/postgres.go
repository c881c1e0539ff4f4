package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

const (
	// connectTimeout is how long one attempt to reach a server may take, unless
	// the connection string says otherwise.
	connectTimeout = 10 * time.Second
	// Few write at a time, since more would only turn each other away; further
	// writers queue in the process and leave the connections to those who read.
	postgresWriters = 2
	postgresReaders = 4
)

// sessionSettings hold for every connection unless the connection string says
// otherwise.
var sessionSettings = map[string]string{
	"application_name": "linli",
	// What was acknowledged is on the disk, whatever the server's default is.
	"synchronous_commit": "on",
	// A process that vanished with its machine must not hold up the writers of
	// the others until the network gives its connection up.
	"idle_in_transaction_session_timeout": "30s",
}

func openPostgres(o Options) (*DB, error) {
	c, err := parseDSN(o.DSN)
	if err != nil {
		return nil, err
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	settings := maps.Clone(sessionSettings)
	maps.Copy(settings, c.RuntimeParams)
	if o.schema != "" {
		settings["search_path"] = pgx.Identifier{o.schema}.Sanitize()
	}
	if o.readOnly {
		settings["default_transaction_read_only"] = "on"
	}
	c.RuntimeParams = settings
	// bun puts the values into the statements itself, so that no two are the
	// same: to prepare each would be a second trip to the server for nothing.
	c.DefaultQueryExecMode = pgx.QueryExecModeExec
	login := stdlib.OptionBeforeConnect(func(_ context.Context, c *pgx.ConnConfig) (err error) {
		if o.login != nil {
			c.User, c.Password, err = o.login()
		}
		return err
	})
	open := func(connections int) *bun.DB {
		pool := stdlib.OpenDB(*c, login)
		pool.SetMaxOpenConns(connections)
		pool.SetMaxIdleConns(connections)
		pool.SetConnMaxIdleTime(5 * time.Minute)
		return bun.NewDB(pool, pgdialect.New())
	}
	path := fmt.Sprintf("%s at %s:%d", c.Database, c.Host, c.Port)
	if o.schema != "" {
		path = o.schema + " in " + path
	}
	return &DB{engine: Postgres, writes: newQueue(), statements: newStatements(Postgres), writer: open(postgresWriters), reader: open(postgresReaders), path: path}, nil
}

// parseDSN reads a connection string. The parser's own words are kept back:
// they may hold parts of the password.
func parseDSN(dsn string) (*pgx.ConnConfig, error) {
	c, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("it is no PostgreSQL connection string: write " +
			"postgres://user:password@host:5432/database?sslmode=verify-full, with %XX for special characters of the password")
	}
	return c, nil
}

// startLock is the advisory lock of those who make or claim something in a
// database. PostgreSQL's own IF NOT EXISTS does not keep two of them apart.
const startLock = 5_501_100_000

// alone runs f in a transaction while no other process does so in the database.
func (db *DB) alone(ctx context.Context, f func(ctx context.Context, tx bun.Tx) error) error {
	return db.writer.RunInTx(ctx, &sql.TxOptions{}, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", startLock); err != nil {
			return err
		}
		return f(ctx, tx)
	})
}

// makeQueue makes the table that writers who have lost queue for.
func (db *DB) makeQueue(ctx context.Context) error {
	err := db.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS linli_writers ()")
		return err
	})
	if err != nil {
		return fmt.Errorf("database %s: making the queue of writers: %w", db.path, err)
	}
	return nil
}

// inTurn runs f when it is its turn among those writers of all processes that
// have lost before.
//
// Serializable transactions that meet are turned away at their commit, and
// where many meet, the larger ones lose again and again to the smaller ones.
// To queue after the first loss gave as many bookings as to queue at once, with
// 64 clients at one venue, a quarter more than not to queue, and leaves those
// alone who do not meet. LOCK TABLE and nothing else will do: a transaction's
// view of the data begins with its first statement, even with
// SELECT pg_advisory_lock(), but not with LOCK TABLE. Who waits for it sees what
// those before have done.
func inTurn(f func(ctx context.Context, tx bun.Tx) error) func(context.Context, bun.Tx) error {
	return func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.ExecContext(ctx, "LOCK TABLE linli_writers IN EXCLUSIVE MODE"); err != nil {
			return fmt.Errorf("waiting for the writers before: %w", err)
		}
		return f(ctx, tx)
	}
}
