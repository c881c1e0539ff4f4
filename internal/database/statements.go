package database

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// Statement is a statement with bound parameters.
type Statement struct {
	// For is what it is there for, as errors say it: "keeping the booking".
	For string
	// Text has a ? for each parameter, and none elsewhere. There must be few
	// texts; what differs from call to call is a parameter.
	Text string
	Args []any
}

// Exec runs statements in a transaction of Write, whose context it needs, and
// returns how many rows each affected. They are parsed once and kept: where one
// writer does all the work, parsing would be half of it.
//
// PostgreSQL is sent all of them before it answers the first: the way there and
// back, during which it does nothing, takes as long as a statement. So after an
// error, or if a number is not what the statements behind it rely on, those may
// have been done or not, and the write must fail.
func Exec(ctx context.Context, tx bun.Tx, statements ...Statement) ([]int64, error) {
	t := transactionOf(ctx)
	rows, err := t.exec(ctx, statements)
	if t.onFault != nil && IsStorageFault(err) {
		t.onFault(err)
	}
	return rows, err
}

// Query reads rows into dest, a pointer to a slice, outside of any transaction.
// It is for what is read all the time: the engine parses and plans the query
// once for each connection, which takes longer than to read a row or two.
// Parameters are bound and written ?, with none elsewhere. There must be few
// texts, and they name their columns: a newer release may add some meanwhile.
func (db *DB) Query(ctx context.Context, dest any, text string, args ...any) error {
	rows, err := db.query(ctx, text, args)
	if err == nil {
		err = db.reader.ScanRows(ctx, rows, dest)
	}
	if db.statements.onFault != nil && IsStorageFault(err) {
		db.statements.onFault(err)
	}
	return err
}

func (db *DB) query(ctx context.Context, text string, args []any) (*sql.Rows, error) {
	if db.engine == Postgres {
		return db.reader.DB.QueryContext(ctx, number(text), append([]any{pgx.QueryExecModeCacheStatement}, args...)...)
	}
	known, ok := db.reads.Load(text)
	if !ok {
		parsed, err := db.reader.DB.PrepareContext(ctx, text)
		if err != nil {
			return nil, err
		}
		if known, ok = db.reads.LoadOrStore(text, parsed); ok {
			_ = parsed.Close() // somebody else was first
		}
	}
	return known.(*sql.Stmt).QueryContext(ctx, args...)
}

// statements are what the writer of a database has parsed, by text. Only whose
// turn it is uses them.
type statements struct {
	engine Engine
	// parsed are those of SQLite. PostgreSQL's are kept by the driver, for each
	// connection.
	parsed  map[string]*sql.Stmt
	onFault func(error)
}

func newStatements(engine Engine) statements {
	return statements{engine: engine, parsed: map[string]*sql.Stmt{}}
}

// parse parses what has been asked for since the last transaction. A statement
// that cannot be parsed is left to say so where it is used.
func (s *statements) parse(ctx context.Context, db *sql.DB) {
	for text, parsed := range s.parsed {
		if parsed != nil {
			continue
		}
		if parsed, err := db.PrepareContext(ctx, text); err == nil {
			s.parsed[text] = parsed
		}
	}
}

// numbered are the texts of statements as PostgreSQL wants them.
var numbered sync.Map

// number writes the parameters of a statement as $1, $2, ….
func number(text string) string {
	if known, ok := numbered.Load(text); ok {
		return known.(string)
	}
	var b strings.Builder
	for i, part := range strings.Split(text, "?") {
		if i > 0 {
			fmt.Fprintf(&b, "$%d", i)
		}
		b.WriteString(part)
	}
	numbered.Store(text, b.String())
	return b.String()
}

// transaction is one of the writer. Nobody waits for its savepoints to be set
// and released: these statements go with the next that somebody waits for.
type transaction struct {
	*statements
	tx   *sql.Tx
	conn *sql.Conn

	waiting []Statement
	// broken is why a savepoint could not be set or released, after which
	// nothing can be undone by itself.
	broken error
}

// transactionKey is where Write keeps the transaction for what runs in it.
type transactionKey struct{}

func transactionOf(ctx context.Context) *transaction {
	t, _ := ctx.Value(transactionKey{}).(*transaction)
	return t
}

var (
	savepoint = Statement{For: "setting a savepoint", Text: "SAVEPOINT one"}
	rollback  = Statement{For: "going back to the savepoint", Text: "ROLLBACK TO SAVEPOINT one"}
	release   = Statement{For: "releasing the savepoint", Text: "RELEASE SAVEPOINT one"}
)

// begin sets a savepoint.
func (t *transaction) begin() { t.waiting = append(t.waiting, savepoint) }

// untouched reports whether nothing was sent since the savepoint, and forgets it.
func (t *transaction) untouched() bool {
	last := len(t.waiting) - 1
	if last < 0 || t.waiting[last].Text != savepoint.Text {
		return false
	}
	t.waiting = t.waiting[:last]
	return true
}

// keep keeps what was done since the savepoint.
func (t *transaction) keep() {
	if !t.untouched() {
		t.waiting = append(t.waiting, release)
	}
}

// undo undoes what was done since the savepoint.
func (t *transaction) undo(ctx context.Context) error {
	if t.untouched() {
		return nil
	}
	_, err := t.exec(ctx, []Statement{rollback})
	t.waiting = append(t.waiting, release)
	return err
}

// catchUp runs what waits.
func (t *transaction) catchUp(ctx context.Context) error {
	if len(t.waiting) > 0 {
		_, _ = t.exec(ctx, nil)
	}
	return t.broken
}

// exec runs what waits and then statements.
func (t *transaction) exec(ctx context.Context, statements []Statement) ([]int64, error) {
	if t.broken != nil {
		return nil, t.broken
	}
	before := len(t.waiting)
	all := append(t.waiting, statements...)
	t.waiting = nil
	send := t.oneByOne
	if t.engine == Postgres {
		send = t.pipeline
	}
	rows, err := send(ctx, all)
	if len(rows) < before {
		t.broken = err
	}
	if err != nil {
		return nil, err
	}
	return rows[before:], nil
}

// oneByOne runs statements one after the other, up to the first that fails.
func (t *transaction) oneByOne(ctx context.Context, statements []Statement) ([]int64, error) {
	rows := make([]int64, 0, len(statements))
	for _, s := range statements {
		result, err := t.one(ctx, s)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", s.For, err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return rows, fmt.Errorf("%s: %w", s.For, err)
		}
		rows = append(rows, n)
	}
	return rows, nil
}

func (t *transaction) one(ctx context.Context, s Statement) (sql.Result, error) {
	if parsed := t.parsed[s.Text]; parsed != nil {
		return t.tx.StmtContext(ctx, parsed).ExecContext(ctx, s.Args...)
	}
	t.parsed[s.Text] = nil // it is parsed before the next transaction: this one has the connection
	return t.tx.ExecContext(ctx, s.Text, s.Args...)
}

// pipeline sends PostgreSQL all statements at once. It does them up to the
// first that fails.
func (t *transaction) pipeline(ctx context.Context, statements []Statement) (rows []int64, err error) {
	err = t.conn.Raw(func(driver any) (err error) {
		conn := driver.(*stdlib.Conn).Conn()
		batch := &pgx.Batch{}
		for _, s := range statements {
			text := number(s.Text)
			// Parsed the first time only.
			if _, err := conn.Prepare(ctx, text, text); err != nil {
				return fmt.Errorf("%s: %w", s.For, err)
			}
			batch.Queue(text, s.Args...)
		}
		results := conn.SendBatch(ctx, batch)
		defer func() {
			if closed := results.Close(); err == nil {
				err = closed
			}
		}()
		for _, s := range statements {
			result, err := results.Exec()
			if err != nil {
				return fmt.Errorf("%s: %w", s.For, err)
			}
			rows = append(rows, result.RowsAffected())
		}
		return nil
	})
	return rows, err
}

// catchUpHook runs what waits before a statement that does not come by Exec.
type catchUpHook struct{}

func (catchUpHook) BeforeQuery(ctx context.Context, _ *bun.QueryEvent) context.Context {
	if t := transactionOf(ctx); t != nil {
		_ = t.catchUp(ctx) // who runs the writes looks whether the transaction is broken
	}
	return ctx
}

func (catchUpHook) AfterQuery(context.Context, *bun.QueryEvent) {}
