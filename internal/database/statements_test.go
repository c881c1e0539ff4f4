package database_test

import (
	"context"
	"database/sql"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

func marking(purpose string, n, step int) database.Statement {
	return database.Statement{For: purpose, Text: "INSERT INTO marks (n, step) VALUES (?, ?)", Args: []any{n, step}}
}

var errOwn = errors.New("changed my mind")

// kinds of writes of rows from n on; each says what it must return and how
// many rows it then leaves.
var kinds = []struct {
	name  string
	write func(ctx context.Context, tx bun.Tx, n int) error
	as    func(error) bool
	rows  int
}{
	{"all well", func(ctx context.Context, tx bun.Tx, n int) error {
		rows, err := database.Exec(ctx, tx, marking("first", n, 1), marking("second", n+1, 1),
			database.Statement{For: "nobody", Text: "UPDATE marks SET step = 2 WHERE n = ? AND step = ?", Args: []any{n, 9}},
			database.Statement{For: "both", Text: "UPDATE marks SET step = 2 WHERE n IN (?, ?)", Args: []any{n, n + 1}})
		if want := []int64{1, 1, 0, 2}; err == nil && !slices.Equal(rows, want) {
			return errors.New("wrong numbers of rows")
		}
		return err
	}, succeeded, 2},
	{"the second fails", func(ctx context.Context, tx bun.Tx, n int) error {
		_, err := database.Exec(ctx, tx, marking("first", n, 1), marking("second", n, 2), marking("third", n+1, 1))
		return err
	}, func(err error) bool { return database.IsUnique(err) && strings.HasPrefix(err.Error(), "second: ") }, 0},
	{"fails at the very first", func(ctx context.Context, tx bun.Tx, n int) error {
		_, err := database.Exec(ctx, tx, marking("first", 0, 1))
		return err
	}, func(err error) bool { return database.IsUnique(err) && strings.HasPrefix(err.Error(), "first: ") }, 0},
	{"an error after statements", func(ctx context.Context, tx bun.Tx, n int) error {
		_, err := database.Exec(ctx, tx, marking("first", n, 1), marking("second", n+1, 1))
		return errors.Join(err, errOwn)
	}, changedMind, 0},
	{"an error before any statement", func(context.Context, bun.Tx, int) error { return errOwn }, changedMind, 0},
	{"nothing to do", func(context.Context, bun.Tx, int) error { return nil }, succeeded, 0},
	{"one by itself, then together", func(ctx context.Context, tx bun.Tx, n int) error {
		if err := mark(ctx, tx, n, 1); err != nil {
			return err
		}
		_, err := database.Exec(ctx, tx, marking("first", n+1, 1), marking("second", n+2, 1))
		return err
	}, succeeded, 3},
	{"one by itself, then an error", func(ctx context.Context, tx bun.Tx, n int) error {
		return errors.Join(mark(ctx, tx, n, 1), errOwn)
	}, changedMind, 0},
	{"together, then one by itself that fails", func(ctx context.Context, tx bun.Tx, n int) error {
		if _, err := database.Exec(ctx, tx, marking("first", n, 1), marking("second", n+1, 1)); err != nil {
			return err
		}
		return mark(ctx, tx, n, 2)
	}, database.IsUnique, 0},
}

func probe(tx bun.Tx) error {
	_, err := tx.ExecContext(context.Background(), "SELECT 1")
	return err
}

func succeeded(err error) bool   { return err == nil }
func changedMind(err error) bool { return errors.Is(err, errOwn) }

// TestStatementsTogether has many write at once, each in several statements
// that are sent at once, or one by one, or fail at any of them. Every write is
// told what became of itself and of no other.
func TestStatementsTogether(t *testing.T) {
	databasetest.Each(t, marks, func(t *testing.T, db *database.DB) {
		const writers, each = 24, 15
		if err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return mark(ctx, tx, 0, 0) }); err != nil {
			t.Fatal(err)
		}
		var chosen [writers * each]int
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(11, uint64(w)))
				for i := range each {
					n := w*each + i
					chosen[n] = random.IntN(len(kinds))
					kind := kinds[chosen[n]]
					err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return kind.write(ctx, tx, 10*(n+1)) })
					if !kind.as(err) {
						t.Errorf("write %d, %s: %v", n, kind.name, err)
					}
				}
			})
		}
		wg.Wait()
		var rows []struct{ N, Step int }
		if err := db.Query(t.Context(), &rows, "SELECT n, step FROM marks WHERE n >= ?", 10); err != nil {
			t.Fatal(err)
		}
		var found [writers * each]int
		for _, row := range rows {
			found[row.N/10-1]++
		}
		for n, count := range found {
			if kind := kinds[chosen[n]]; count != kind.rows {
				t.Errorf("write %d, %s: left %d rows, want %d", n, kind.name, count, kind.rows)
			}
		}
	})
}

// TestErrorPassedOver: a write that passes over the error of a statement is
// its own doing; those that are committed with it are not harmed.
func TestErrorPassedOver(t *testing.T) {
	databasetest.Each(t, marks, func(t *testing.T, db *database.DB) {
		const writers, each = 16, 10
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					n := 10 * (w*each + i)
					err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
						_, err := database.Exec(ctx, tx, marking("first", n, 1))
						if w == 0 {
							_ = mark(ctx, tx, n, 2)
						}
						return err
					})
					if w > 0 && err != nil {
						t.Errorf("write %d: %v", n, err)
					}
					var rows []struct{ N int }
					if err := db.Query(t.Context(), &rows, "SELECT n FROM marks WHERE n = ?", n); err != nil {
						t.Error(err)
					}
					if kept := len(rows) == 1; kept != (err == nil) {
						t.Errorf("write %d: %v, kept: %t", n, err, kept)
					}
				}
			})
		}
		wg.Wait()
	})
}

// TestNothingAfterTheEnd: what is sent past the end of a transaction, which
// ends with its context, is not done outside of it.
func TestNothingAfterTheEnd(t *testing.T) {
	databasetest.Each(t, marks, func(t *testing.T, db *database.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			if _, err := database.Exec(ctx, tx, marking("first", 1, 1)); err != nil {
				return err
			}
			cancel()
			for !errors.Is(probe(tx), sql.ErrTxDone) { // until it has ended
			}
			_, _ = database.Exec(context.WithoutCancel(ctx), tx, marking("late", 2, 1))
			return nil
		})
		if err == nil {
			t.Error("committed")
		}
		var rows []struct{ N int }
		if err := db.Query(t.Context(), &rows, "SELECT n FROM marks"); err != nil || len(rows) > 0 {
			t.Errorf("rows %v, %v", rows, err)
		}
	})
}
