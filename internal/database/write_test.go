package database_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

var marks = fstest.MapFS{
	"sqlite/00001_marks.sql":   {Data: []byte("-- +goose Up\nCREATE TABLE marks (n INTEGER NOT NULL PRIMARY KEY, step INTEGER NOT NULL);\n")},
	"postgres/00001_marks.sql": {Data: []byte("-- +goose Up\nCREATE TABLE marks (n BIGINT NOT NULL PRIMARY KEY, step BIGINT NOT NULL);\n")},
}

func mark(ctx context.Context, tx bun.Tx, n, step int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO marks (n, step) VALUES (?, ?)", n, step)
	return err
}

// TestWritesTogether has many write at once, so that their writes are
// committed together: some well, some with an error, a broken constraint, a
// panic, or a context that ends. What succeeded is there in full, and nothing
// of the others.
func TestWritesTogether(t *testing.T) {
	databasetest.Each(t, marks, func(t *testing.T, db *database.DB) {
		const writers, each = 24, 10
		errOwn := errors.New("changed my mind")
		kept := make([]bool, writers*each)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(7, uint64(w)))
				for i := range each {
					n := w*each + i
					kind := random.IntN(5)
					ctx, cancel := context.WithCancel(t.Context())
					err := writeKind(ctx, cancel, db, kind, 10*n, errOwn)
					cancel()
					kept[n] = err == nil
					switch {
					case kind == 0 && err != nil,
						kind == 1 && !errors.Is(err, errOwn),
						kind == 2 && !database.IsUnique(err),
						kind == 3 && (err == nil || err.Error() != "panicked: at 3"),
						kind == 4 && err != nil && !errors.Is(err, context.Canceled):
						t.Errorf("write %d of kind %d: %v", n, kind, err)
					}
				}
			})
		}
		wg.Wait()
		var rows []struct{ N, Step int }
		if err := db.Reader().NewRaw("SELECT n, step FROM marks").Scan(t.Context(), &rows); err != nil {
			t.Fatal(err)
		}
		found := make([]int, writers*each)
		for _, row := range rows {
			found[row.N/10]++
		}
		for n, count := range found {
			if want := map[bool]int{true: 2, false: 0}[kept[n]]; count != want {
				t.Errorf("write %d (succeeded: %t) left %d rows", n, kept[n], count)
			}
		}
	})
}

// writeKind writes two rows, unless something of that kind comes between.
func writeKind(ctx context.Context, cancel func(), db *database.DB, kind, n int, own error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panicked: %v", p)
		}
	}()
	return db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := mark(ctx, tx, n, 1); err != nil {
			return err
		}
		switch kind {
		case 1:
			return own
		case 2:
			return mark(ctx, tx, n, 2)
		case 3:
			panic("at 3")
		case 4:
			cancel()
		}
		return mark(ctx, tx, n+1, 2)
	})
}

// TestWriteGivenUp: who gives up while others write gets an answer, and
// nothing is written.
func TestWriteGivenUp(t *testing.T) {
	databasetest.Each(t, marks, func(t *testing.T, db *database.DB) {
		begun, goOn := make(chan struct{}), make(chan struct{})
		first := make(chan error)
		var once sync.Once
		go func() {
			first <- db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				once.Do(func() { close(begun) })
				<-goOn
				return mark(ctx, tx, 1, 1)
			})
		}()
		<-begun
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return mark(ctx, tx, 2, 1) })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("gave up with %v", err)
		}
		close(goOn)
		if err := <-first; err != nil {
			t.Error(err)
		}
		var rows []int
		if err := db.Reader().NewRaw("SELECT n FROM marks").Scan(t.Context(), &rows); err != nil || len(rows) != 1 || rows[0] != 1 {
			t.Errorf("rows %v, %v", rows, err)
		}
	})
}
