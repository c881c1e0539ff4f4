package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"

	"github.com/uptrace/bun"
)

// maxBatch is how many writes are committed together at most.
const maxBatch = 32

// queue holds the writes of this process that wait for their turn.
type queue struct {
	turn chan struct{} // holds a value while somebody writes

	mu      sync.Mutex
	waiting []*write
}

func newQueue() queue { return queue{turn: make(chan struct{}, 1)} }

// write is one call of Write.
type write struct {
	ctx  context.Context
	f    func(ctx context.Context, tx bun.Tx) error
	done chan struct{} // closed when err and panicked are set
	err  error
	// panicked is what f panicked with.
	panicked any
}

// Write runs f in a transaction and commits it; when Write returns nil the
// change is durable. If f returns an error or panics, nothing is changed.
// Transactions are serializable on both engines: what f reads cannot change
// under it before the commit. Writers of one database queue, those of other
// processes too, and so never spoil each other's work. f may still be run
// several times if the engine asks for a repetition, so it must not have
// effects outside of the transaction.
//
// Writes that wait at the same time are committed together: making them
// durable is most of the work, and costs the same for many as for one. Each is
// undone by itself if it fails.
func (db *DB) Write(ctx context.Context, f func(ctx context.Context, tx bun.Tx) error) error {
	w := &write{ctx: ctx, f: f, done: make(chan struct{})}
	db.writes.add(w)
	for {
		select {
		case <-w.done:
			return w.result()
		case <-ctx.Done():
			if db.writes.remove(w) {
				return ctx.Err()
			}
			<-w.done // somebody is at it
			return w.result()
		case db.writes.turn <- struct{}{}:
		}
		batch := db.writes.take()
		db.runAll(batch)
		for _, w := range batch {
			close(w.done)
		}
		<-db.writes.turn
	}
}

func (w *write) result() error {
	if w.panicked != nil {
		panic(w.panicked)
	}
	return w.err
}

func (q *queue) add(w *write) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, w)
}

// remove takes a write out of the queue; false if its turn has come.
func (q *queue) remove(w *write) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, w)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// take takes those whose turn it is, in order.
func (q *queue) take() []*write {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), maxBatch)
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// runAll does all writes of a batch.
func (db *DB) runAll(batch []*write) {
	if len(batch) > 1 && db.runTogether(batch) {
		return
	}
	for _, w := range batch {
		w.err = db.runAlone(w)
	}
}

// runAlone does a write in a transaction of its own.
func (db *DB) runAlone(w *write) error {
	for attempt := 1; ; attempt++ {
		err := db.transact(w.ctx, w.run)
		if err == nil || !isRepeatable(err) || attempt == writeAttempts || w.ctx.Err() != nil {
			return err
		}
		db.repeated()
	}
}

// run runs f and keeps what it panics with for who called Write: another one
// of them may be running this.
func (w *write) run(ctx context.Context, tx bun.Tx) (err error) {
	defer func() {
		if w.panicked = recover(); w.panicked != nil {
			err = fmt.Errorf("panic: %v", w.panicked)
		}
	}()
	return w.f(ctx, tx)
}

// runTogether does writes in one transaction, each within a savepoint. It
// returns false if nothing was done and they have to be done one by one.
func (db *DB) runTogether(batch []*write) bool {
	committing := false
	// One who gives up must not undo the others: SQLite ends the whole
	// transaction when a statement is interrupted.
	err := db.transact(context.Background(), func(ctx context.Context, tx bun.Tx) error {
		for _, w := range batch {
			if w.err = w.ctx.Err(); w.err != nil {
				continue
			}
			if err := w.within(tx); err != nil {
				return err
			}
		}
		committing = true
		return nil
	})
	switch {
	case err == nil:
		return true
	case !committing || isRepeatable(err):
		return false
	}
	// Whether it was committed is not known: doing it again could do it twice.
	for _, w := range batch {
		if w.err == nil {
			w.err = err
		}
	}
	return true
}

// within does a write within a savepoint. What the write itself fails with is
// kept in it; an error is returned if the transaction cannot go on.
func (w *write) within(tx bun.Tx) error {
	ctx := context.WithoutCancel(w.ctx)
	if _, err := tx.ExecContext(ctx, "SAVEPOINT one"); err != nil {
		return err
	}
	w.err = w.run(ctx, tx)
	if isRepeatable(w.err) || IsStorageFault(w.err) {
		return w.err
	}
	if w.err != nil {
		if _, err := tx.ExecContext(ctx, "ROLLBACK TO SAVEPOINT one"); err != nil {
			return err
		}
	}
	_, err := tx.ExecContext(ctx, "RELEASE SAVEPOINT one")
	return err
}

// transact runs f in a transaction when it is the turn of this process.
func (db *DB) transact(ctx context.Context, f func(ctx context.Context, tx bun.Tx) error) error {
	isolation := sql.LevelDefault // SQLite has one only, and it is serializable
	if db.engine == Postgres {
		isolation, f = sql.LevelSerializable, inTurn(f)
	}
	return db.writer.RunInTx(ctx, &sql.TxOptions{Isolation: isolation}, f)
}
