package database

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
	"time"

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
// under it before the commit. f may be run several times, if the engine asks
// for a repetition, so it must not have effects outside of the transaction.
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
	if len(batch) > 1 {
		if db.runTogether(batch, false) {
			return
		}
		db.repeated()
		if db.engine == Postgres && db.runTogether(batch, true) {
			return
		}
	}
	for _, w := range batch {
		w.err = db.runAlone(w)
	}
}

// runAlone does a write in a transaction of its own.
func (db *DB) runAlone(w *write) error {
	for attempt := 1; ; attempt++ {
		err := db.transact(w.ctx, attempt > 1, w.run)
		if err == nil || !isRepeatable(err) || attempt == writeAttempts || w.ctx.Err() != nil {
			return err
		}
		db.repeated()
		giveWay(w.ctx, attempt)
	}
}

// patientAttempts is how often a write is run again at once.
const patientAttempts = 5

// giveWay waits before a write is run yet again, the longer the more often it
// was. On a machine with too much to do PostgreSQL may have taken the processor
// from whoever stands in the way at the very end of a commit; to run again and
// again meanwhile would use up all attempts and keep it from ending.
func giveWay(ctx context.Context, attempt int) {
	if attempt < patientAttempts {
		return
	}
	pause := time.NewTimer(min(time.Duration(attempt-patientAttempts+1)*time.Millisecond, 20*time.Millisecond))
	defer pause.Stop()
	select {
	case <-ctx.Done():
	case <-pause.C:
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
// returns false if nothing was done.
func (db *DB) runTogether(batch []*write, again bool) bool {
	committing := false
	// One who gives up must not undo the others: SQLite ends the whole
	// transaction when a statement is interrupted.
	err := db.transact(context.Background(), again, func(ctx context.Context, tx bun.Tx) error {
		for _, w := range batch {
			if w.err = w.ctx.Err(); w.err != nil {
				continue
			}
			if err := w.within(ctx, tx); err != nil {
				return err
			}
		}
		if err := transactionOf(ctx).catchUp(ctx); err != nil {
			return err
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
func (w *write) within(ctx context.Context, tx bun.Tx) error {
	t := transactionOf(ctx)
	ctx = context.WithValue(context.WithoutCancel(w.ctx), transactionKey{}, t)
	t.begin()
	w.err = w.run(ctx, tx)
	switch {
	case t.broken != nil:
		return t.broken
	case isRepeatable(w.err) || IsStorageFault(w.err):
		return w.err
	case w.err != nil:
		return t.undo(ctx)
	}
	t.keep()
	return nil
}

// transact runs f in a transaction. On PostgreSQL, who was turned away before
// waits for those of all processes who were, too.
func (db *DB) transact(ctx context.Context, again bool, f func(ctx context.Context, tx bun.Tx) error) error {
	isolation := sql.LevelDefault // SQLite has one only, and it is serializable
	if db.engine == Postgres {
		isolation = sql.LevelSerializable
		if again {
			f = inTurn(f)
		}
	}
	db.statements.parse(ctx, db.writer.DB)
	conn, err := db.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // what became of the transaction is told by its end
	t := &transaction{statements: &db.statements, conn: conn.Conn}
	return conn.RunInTx(context.WithValue(ctx, transactionKey{}, t), &sql.TxOptions{Isolation: isolation}, func(ctx context.Context, tx bun.Tx) error {
		t.tx = tx.Tx
		return f(ctx, tx)
	})
}
