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
	seed uint64
	*deployment
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
// replicas in turn so many times meanwhile, at moments that depend on the
// seed. It returns what the clients have seen.
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
		turn := 0
		for range sign {
			if err := f.restart(ctx, turn%len(f.replicas)); err != nil {
				f.fail(err)
				cancel()
				return
			}
			turn++
		}
	})
	for i := range clients {
		fighters.Go(func() {
			c := &fighter{
				fight: f, number: i,
				rng:  rand.New(rand.NewPCG(f.seed, uint64(i)+1)),
				api:  newAPI(nil, f.persons[i%len(f.persons)]),
				turn: i,
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
	turn   int // counts requests, which go to the replicas by turns
	mine   []acknowledged
}

// acknowledged is a booking that the service has acknowledged.
type acknowledged struct {
	booking int32
	id      string
	table   tableKey
}

// moves are what a client can do, and how often it does it.
var moves = []struct {
	weight int
	// own says that the move needs a booking of the client's own.
	own bool
	do  func(c *fighter, ctx context.Context, n int32) error
}{
	{30, true, (*fighter).cancel},
	{10, true, (*fighter).read},
	{10, false, (*fighter).look},
	{50, false, (*fighter).book},
}

// act does one operation, chosen at random, and records it.
func (c *fighter) act(ctx context.Context, n int32) error {
	total := 0
	for _, m := range moves {
		if !m.own || len(c.mine) > 0 {
			total += m.weight
		}
	}
	dice := c.rng.IntN(total)
	for _, m := range moves {
		if m.own && len(c.mine) == 0 {
			continue
		}
		if dice -= m.weight; dice < 0 {
			return m.do(c, ctx, n)
		}
	}
	panic("the dice shows more than all moves weigh")
}

func (c *fighter) book(ctx context.Context, n int32) error {
	key := c.tables[c.rng.IntN(len(c.tables))]
	span := 1 + c.rng.IntN(maxSpan)
	want := book{place: anyPlace}
	want.from, want.to = slotCells(c.rng.IntN(slotsPerDay-span+1), span)
	if c.rng.IntN(2) == 0 {
		want.place = c.rng.IntN(key.places)
	}
	in := input{table: key, booking: n, operation: want}
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
		made, out, err = c.api.book(ctx, in, want, idempotency)
		if err != nil || out.outcome != done || !again {
			return out, err
		}
		if err := c.rotate(ctx); err != nil {
			return out, err
		}
		repeated, _, err := c.api.book(ctx, in, want, idempotency)
		if err == nil && repeated.ID != made.ID {
			err = fmt.Errorf("Idempotency-Key %s gave booking %s, repeated %s", idempotency, made.ID, repeated.ID)
		}
		return out, err
	})
	if err != nil || out.outcome != done {
		return err
	}
	if want.place != anyPlace && out.place != want.place {
		return fmt.Errorf("asked for place %d, got %d", want.place+1, out.place+1)
	}
	c.mine = append(c.mine, acknowledged{booking: n, id: made.ID, table: key})
	return nil
}

func (c *fighter) cancel(ctx context.Context, _ int32) error {
	i := c.rng.IntN(len(c.mine))
	h := c.mine[i]
	in := input{table: h.table, booking: h.booking, operation: cancel{}}
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

func (c *fighter) read(ctx context.Context, _ int32) error {
	h := c.mine[c.rng.IntN(len(c.mine))]
	in := input{table: h.table, booking: h.booking, operation: read{}}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.read(ctx, h.id) })
	return err
}

func (c *fighter) look(ctx context.Context, _ int32) error {
	in := input{table: c.tables[c.rng.IntN(len(c.tables))], operation: look{}}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.availability(ctx, in.table) })
	return err
}

// rotate turns to the next replica that is up. Where none is, it waits.
func (c *fighter) rotate(ctx context.Context) error {
	for range c.replicas {
		c.turn++
		c.api.at = c.replicas[c.turn%len(c.replicas)]
		if c.api.at.Up() {
			return nil
		}
	}
	return c.api.at.AwaitUp(ctx)
}

// attempt sends a request, again and again if it may be repeated and the
// connection breaks, each time to the next replica, and records the operation
// with what came of it.
//
// The usual way with an operation that was never answered is to let it take
// effect at any later time. Here it is known better: connections break because
// the process is killed, and what a dead process has not done it will not do,
// nor will the database on its behalf once it knows that the process is dead.
// So such an operation ends, its outcome unknown, when the replica is up again.
func (c *fighter) attempt(ctx context.Context, in input, repeat bool, send func() (output, error)) (output, error) {
	op := porcupine.Operation{ClientId: c.number, Input: in, Call: c.now()}
	var out output
	for {
		if err := c.rotate(ctx); err != nil {
			return out, err
		}
		var err error
		if out, err = send(); err == nil {
			c.answered.Add(1)
			break
		}
		if !errors.Is(err, errNoAnswer) {
			return out, err
		}
		if !repeat && !errors.Is(err, errNotSent) {
			if err := c.api.at.AwaitUp(ctx); err != nil {
				return out, err
			}
			out.outcome = unknown
			c.unanswered.Add(1)
			break
		}
	}
	op.Return, op.Output = c.now(), out
	c.mu.Lock()
	c.seen = append(c.seen, op)
	c.mu.Unlock()
	return out, nil
}
