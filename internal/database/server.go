package database

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
)

// Server is a community's database on a PostgreSQL server: a schema for each
// service, and a record of which there are and whose they are. Any number of
// processes of the community may use it at the same time.
type Server struct {
	file   string
	dsn    string
	db     *DB
	origin string
}

const (
	dsnFile      = "dsn"
	recordSchema = "linli"
)

// OpenServer opens the database whose connection string is in the file dsn of
// a directory, for the community with that UID; adopt is the UID of a former
// community whose data is to be taken over, or empty. It returns an error
// rather than start over existing data: the error names the database, the
// cause and the remedy, and never the password.
//
// User and password are read anew for each connection, so that they may be
// changed while the process runs. The connection must be one to the server or
// to a proxy that keeps sessions.
func OpenServer(ctx context.Context, dir, community, adopt string) (*Server, error) {
	s := &Server{file: filepath.Join(dir, dsnFile)}
	var err error
	if s.dsn, err = s.readDSN(); err != nil {
		return nil, err
	}
	if s.db, err = connect(s.options(Options{}, recordSchema)); err != nil {
		return nil, fmt.Errorf("database: %s: %w", s.file, err)
	}
	if err := s.claim(ctx, community, adopt); err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	return s, nil
}

func (s *Server) readDSN() (string, error) {
	data, err := os.ReadFile(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("database: %w; the Secret with the connection string must be mounted there", err)
	}
	if err != nil {
		return "", fmt.Errorf("database: %w", err)
	}
	dsn := strings.TrimSpace(string(data))
	if dsn == "" {
		return "", fmt.Errorf("database: %s is empty: write the connection string into it", s.file)
	}
	return dsn, nil
}

func (s *Server) options(o Options, schema string) Options {
	o.DSN, o.schema = s.dsn, schema
	o.login = func() (string, string, error) {
		dsn, err := s.readDSN()
		if err != nil {
			return "", "", err
		}
		c, err := parseDSN(dsn)
		if err != nil {
			return "", "", fmt.Errorf("database: %s: %w", s.file, err)
		}
		return c.User, c.Password, nil
	}
	return o
}

// claim makes the record, or checks whose the database is.
func (s *Server) claim(ctx context.Context, community, adopt string) error {
	err := s.db.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Looked up first: a role that may not make schemas can still use one.
		known, err := exists(ctx, tx, recordSchema, "record")
		if err != nil {
			return err
		}
		if !known {
			return s.makeRecord(ctx, tx, community)
		}
		rec, err := s.readRecord(ctx, tx)
		if err != nil {
			return err
		}
		changed, err := rec.claim(community, adopt)
		if err != nil {
			return fmt.Errorf("database %s %w, or use another database", s.db.path, err)
		}
		s.origin = rec.Origin
		if !changed {
			return nil
		}
		return writeRecord(ctx, tx, rec)
	})
	return s.explain(s.db.path, err)
}

func (s *Server) makeRecord(ctx context.Context, tx bun.Tx, community string) error {
	var schema string
	err := tx.QueryRowContext(ctx, "SELECT schemaname FROM pg_tables WHERE tablename = 'goose_db_version' LIMIT 1").Scan(&schema)
	if err == nil {
		return fmt.Errorf("database %s holds tables (schema %s) but no record of whose they are (table %s.record): "+
			"restore it from the backup that the tables are of, or use an empty database", s.db.path, schema, recordSchema)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for _, statement := range []string{
		"CREATE SCHEMA IF NOT EXISTS " + recordSchema,
		"CREATE TABLE record (one boolean PRIMARY KEY DEFAULT true CHECK (one), content text NOT NULL)",
		"INSERT INTO record (content) VALUES ('')",
	} {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	s.origin = community
	return writeRecord(ctx, tx, record{Community: community, Origin: community, Databases: []string{}})
}

func (s *Server) readRecord(ctx context.Context, tx bun.Tx) (rec record, err error) {
	var content string
	err = tx.QueryRowContext(ctx, "SELECT content FROM record").Scan(&content)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return record{}, err
	}
	if err == nil {
		err = json.Unmarshal([]byte(content), &rec)
	}
	if err != nil || rec.Community == "" || rec.Origin == "" {
		return record{}, fmt.Errorf("record of database %s is damaged (%v): restore the table %s.record from a backup",
			s.db.path, err, recordSchema)
	}
	return rec, nil
}

func writeRecord(ctx context.Context, tx bun.Tx, rec record) error {
	content, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE record SET content = ?", string(content))
	return err
}

// exists says whether there is such a table.
func exists(ctx context.Context, tx bun.Tx, schema, table string) (found bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT to_regclass(?) IS NOT NULL", pgx.Identifier{schema, table}.Sanitize()).Scan(&found)
	return found, err
}

// Origin is the UID of the first community that owned this data. What is
// derived from it stays the same when another community adopts the data.
func (s *Server) Origin() string { return s.origin }

// Open opens the schema of that name. It is made if it never was; one that was
// made before must still be there.
func (s *Server) Open(ctx context.Context, name string, o Options) (*DB, error) {
	made := false
	err := s.db.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		rec, err := s.readRecord(ctx, tx)
		if err != nil {
			return err
		}
		made = slices.Contains(rec.Databases, name)
		found, err := exists(ctx, tx, name, "goose_db_version")
		if err != nil || found {
			return err
		}
		if made {
			return fmt.Errorf("schema %s of database %s is missing or empty although it was made before: restore it from a backup; "+
				"nothing was started, so that no empty schema takes its place", name, s.db.path)
		}
		_, err = tx.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{name}.Sanitize())
		return err
	})
	if err != nil {
		return nil, s.explain(s.db.path, err)
	}
	db, err := connect(s.options(o, name))
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, o); err != nil {
		return nil, errors.Join(s.explain(db.path, err), db.Close())
	}
	if made {
		return db, nil
	}
	// Until the record names it, nobody has been promised anything that is in it.
	err = s.db.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		rec, err := s.readRecord(ctx, tx)
		if err != nil || slices.Contains(rec.Databases, name) {
			return err
		}
		rec.Databases = append(rec.Databases, name)
		return writeRecord(ctx, tx, rec)
	})
	if err != nil {
		return nil, errors.Join(s.explain(db.path, err), db.Close())
	}
	return db, nil
}

// Check finds out whether the server's storage still works, by a durable
// write. A server that cannot be reached is no fault of the storage: it may
// come back, and the connections with it.
func (s *Server) Check(ctx context.Context) error {
	err := s.db.alone(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE record SET content = content")
		return err
	})
	if err != nil && IsStorageFault(err) {
		return s.explain(s.db.path, err)
	}
	return nil
}

// Close closes the connections of the record. The databases are closed by
// those who opened them.
func (s *Server) Close() error { return s.db.Close() }

// explain adds database and remedy to an error of the server; others explain
// themselves.
func (s *Server) explain(path string, err error) error {
	code := ""
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		code = e.Code
	}
	remedy := ""
	_, unreachable := errors.AsType[*pgconn.ConnectError](err)
	switch {
	case code == "28P01", code == "28000":
		remedy = "correct user and password in " + s.file
	case code == "3D000":
		remedy = "create the database, or correct its name in " + s.file
	case code == "42501":
		remedy = "let the role make schemas: GRANT CREATE ON DATABASE … TO …, and let it own those that are there"
	case code == "53100", code == "58030", code == "XX001", code == "XX002":
		remedy = "mend the disk beneath the PostgreSQL server, and restore from a backup if the data is damaged"
	case unreachable:
		remedy = "check that the PostgreSQL server runs and can be reached from here, and that " + s.file + " is right"
	default:
		return err
	}
	return fmt.Errorf("database %s: %w; %s", path, err, remedy)
}
