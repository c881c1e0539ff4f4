package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/linli-io/linli/test/instance"
)

const clients = 64

// fight is what clients and the killer share while they are at it.
type fight struct {
	seed    uint64
	server  *instance.Instance
	tables  []tableKey
	persons []instance.Person
	epoch   time.Time

	started    atomic.Int32 // operations begun, each numbered by it
	answered   atomic.Int32 // operations whose outcome is known
	unanswered atomic.Int32 // operations whose answer never came

	mu   sync.Mutex
	seen []porcupine.Operation
	errs []error // what must not happen at all
}

// run lets the clients loose for so many operations and kills and restarts the
// server so many times meanwhile, at moments that depend on the seed. It
// returns what the clients have seen.
func (f *fight) run(t *testing.T, operations int32, kills int) []porcupine.Operation {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()

	// A kill falls due when so many operations have begun; the client that
	// begins the one that is meant gives the sign and goes on. The other 63
	// are then anywhere in theirs.
	due := map[int32]bool{}
	rng := rand.New(rand.NewPCG(f.seed, 0))
	for len(due) < kills {
		due[operations/20+rng.Int32N(operations*9/10)] = true
	}
	sign := make(chan struct{}, kills)

	var killer, fighters sync.WaitGroup
	killer.Go(func() {
		for range sign {
			err := f.server.Kill()
			if err == nil {
				err = f.server.Start(ctx)
			}
			if err != nil {
				f.fail(err)
				cancel()
				return
			}
		}
	})
	for i := range clients {
		fighters.Go(func() {
			c := &fighter{
				fight: f, number: i,
				rng: rand.New(rand.NewPCG(f.seed, uint64(i)+1)),
				api: newAPI(f.server, f.persons[i%len(f.persons)]),
			}
			defer c.api.close()
			for ctx.Err() == nil {
				n := f.started.Add(1)
				if n > operations {
					return
				}
				if due[n] {
					sign <- struct{}{}
				}
				if err := c.act(ctx, n); err != nil && ctx.Err() == nil {
					f.fail(fmt.Errorf("client %d, operation %d: %w", i, n, err))
					cancel()
				}
			}
		})
	}
	fighters.Wait()
	close(sign)
	killer.Wait()
	for i, err := range f.errs {
		if i == 10 {
			t.Logf("and %d more", len(f.errs)-i)
			break
		}
		t.Error(err)
	}
	if len(f.errs) > 0 {
		t.FailNow()
	}
	return f.seen
}

func (f *fight) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

// now is the time of the history: monotonic nanoseconds.
func (f *fight) now() int64 { return int64(time.Since(f.epoch)) }

// fighter is one client. It cancels and reads only what it booked itself and
// knows to be booked, so nobody but itself can have cancelled that.
type fighter struct {
	*fight
	number int
	rng    *rand.Rand
	api    *api
	mine   []holding
}

// holding is a booking that the service has acknowledged.
type holding struct {
	booking int32
	id      string
	table   tableKey
}

// act does one operation, chosen at random, and records it.
func (c *fighter) act(ctx context.Context, n int32) error {
	dice := c.rng.IntN(100)
	switch {
	case len(c.mine) > 0 && dice < 30:
		return c.cancel(ctx)
	case len(c.mine) > 0 && dice < 40:
		return c.read(ctx)
	case dice < 50:
		return c.look(ctx)
	default:
		return c.book(ctx, n)
	}
}

func (c *fighter) book(ctx context.Context, n int32) error {
	key := c.tables[c.rng.IntN(len(c.tables))]
	span := 1 + c.rng.IntN(maxSpan)
	in := input{kind: book, table: key, booking: n, span: span, start: c.rng.IntN(slotsPerDay - span + 1), place: anyPlace}
	if c.rng.IntN(2) == 0 {
		in.place = c.rng.IntN(key.places)
	}
	// Without a key a broken request is not sent again: it might book twice.
	idempotency := ""
	if c.rng.IntN(3) > 0 {
		idempotency = fmt.Sprintf("fight-%d-%d", c.seed, n)
	}
	again := idempotency != "" && c.rng.IntN(8) == 0

	var made booking
	out, err := c.attempt(ctx, in, idempotency != "", func() (output, error) {
		var out output
		var err error
		made, out, err = c.api.book(ctx, in, idempotency)
		if err != nil || out.outcome != done || !again {
			return out, err
		}
		repeated, _, err := c.api.book(ctx, in, idempotency)
		if err == nil && repeated.ID != made.ID {
			err = fmt.Errorf("Idempotency-Key %s gave booking %s, repeated %s", idempotency, made.ID, repeated.ID)
		}
		return out, err
	})
	if err != nil || out.outcome != done {
		return err
	}
	if in.place != anyPlace && out.place != in.place {
		return fmt.Errorf("asked for place %d, got %d", in.place+1, out.place+1)
	}
	c.mine = append(c.mine, holding{booking: n, id: made.ID, table: key})
	return nil
}

func (c *fighter) cancel(ctx context.Context) error {
	i := c.rng.IntN(len(c.mine))
	h := c.mine[i]
	in := input{kind: cancel, table: h.table, booking: h.booking}
	out, err := c.attempt(ctx, in, c.rng.IntN(3) > 0, func() (output, error) { return c.api.cancel(ctx, h.id) })
	if err != nil {
		return err
	}
	// What was cancelled is kept now and then, to be cancelled and read again.
	// Not so without an answer: a second attempt would hide whether the first
	// one took effect.
	if out.outcome == unknown || c.rng.IntN(4) > 0 {
		c.mine = append(c.mine[:i], c.mine[i+1:]...)
	}
	return nil
}

func (c *fighter) read(ctx context.Context) error {
	h := c.mine[c.rng.IntN(len(c.mine))]
	in := input{kind: read, table: h.table, booking: h.booking}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.read(ctx, h.id) })
	return err
}

func (c *fighter) look(ctx context.Context) error {
	in := input{kind: look, table: c.tables[c.rng.IntN(len(c.tables))]}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.availability(ctx, in.table) })
	return err
}

// attempt sends a request, again and again if it may be repeated and the
// connection breaks, and records the operation with what came of it.
//
// The usual way with an operation that was never answered is to let it take
// effect at any later time. Here it is known better: connections break because
// the process is killed, and what a dead process has not done it will not do.
// So such an operation ends, its outcome unknown, when the next process is
// ready.
func (c *fighter) attempt(ctx context.Context, in input, repeat bool, send func() (output, error)) (output, error) {
	op := porcupine.Operation{ClientId: c.number, Input: in, Call: c.now()}
	out, err := send()
	for errors.Is(err, errNoAnswer) {
		if err := c.server.AwaitUp(ctx); err != nil {
			return out, err
		}
		if !repeat {
			break
		}
		out, err = send()
	}
	switch {
	case err == nil:
		c.answered.Add(1)
	case errors.Is(err, errNoAnswer):
		out.outcome = unknown
		c.unanswered.Add(1)
	default:
		return out, err
	}
	op.Return, op.Output = c.now(), out
	c.mu.Lock()
	c.seen = append(c.seen, op)
	c.mu.Unlock()
	return out, nil
}
