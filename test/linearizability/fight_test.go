package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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
	calendar
	tables  []tableKey
	persons []instance.Person
	staff   instance.Person
	// code is on the door.
	code  string
	epoch time.Time

	started    atomic.Int32 // operations begun, each numbered by it
	answered   atomic.Int32 // operations whose outcome is known
	unanswered atomic.Int32 // operations whose answer never came

	mu   sync.Mutex
	seen []porcupine.Operation
	errs []error // what must not happen at all
	// awaited is what is waited for: clients share persons, and who joins again
	// for a person gets the entry there is, which must be one client's alone.
	awaited map[wish]bool
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
				api:  newAPI(f.calendar, nil, f.persons[i%len(f.persons)], f.staff),
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
				if err := c.act(ctx, n); err != nil && !errors.Is(err, errOver) && ctx.Err() == nil {
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

// fighter is one client. It does things only with bookings that it made itself,
// in its own name or the staff's; but promotion and closures are upon all.
type fighter struct {
	*fight
	number int
	rng    *rand.Rand
	api    *api
	turn   int // counts requests, which go to the replicas by turns
	mine   []acknowledged
	waits  *waits
	closed *closed
}

// acknowledged is a booking that the service has acknowledged.
type acknowledged struct {
	booking  int32
	id       string
	table    tableKey
	place    int
	from, to int
	staff    bool // only the staff may touch it
	checked  bool // somebody has checked in
	// series is the id of the series that it is of, and ofSeries its number.
	series   string
	ofSeries int32
}

// wish is what somebody waits for.
type wish struct {
	person   string
	venue    string
	place    int
	from, to int
}

// waits is what a client waits for.
type waits struct {
	wish
	booking int32
	id      string
	table   tableKey
	hold    string // the booking that was offered, when it is known
}

// closed is a closure that a client made.
type closed struct {
	number int32
	id     string
	table  tableKey
}

// maxEntries is for how much a person may wait at the same time.
const maxEntries = 10

// moves are what a client can do, and how often it does it.
var moves = []struct {
	weight int
	can    func(c *fighter) bool
	do     func(c *fighter, ctx context.Context, n int32) error
}{
	{34, always, (*fighter).book},
	{5, always, (*fighter).series},
	{3, always, (*fighter).board},
	{5, always, (*fighter).look},
	{20, (*fighter).owns, (*fighter).cancel},
	{2, (*fighter).owns, (*fighter).cancelSeries},
	{4, (*fighter).owns, (*fighter).read},
	{14, (*fighter).owns, (*fighter).change},
	{12, (*fighter).owns, (*fighter).decide},
	{6, (*fighter).owns, (*fighter).checkIn},
	{12, (*fighter).mayWait, (*fighter).join},
	{8, (*fighter).isWaiting, (*fighter).peek},
	{8, (*fighter).isOffered, (*fighter).accept},
	{3, (*fighter).isWaiting, (*fighter).leave},
	{8, (*fighter).mayClose, (*fighter).closeVenue},
	{16, (*fighter).hasClosed, (*fighter).reopen},
}

func always(*fighter) bool { return true }

func (c *fighter) owns() bool      { return len(c.mine) > 0 }
func (c *fighter) mayWait() bool   { return c.waits == nil && c.number < maxEntries*len(c.persons) }
func (c *fighter) isWaiting() bool { return c.waits != nil }
func (c *fighter) isOffered() bool { return c.waits != nil && c.waits.hold != "" }
func (c *fighter) mayClose() bool  { return c.closed == nil && c.number%4 == 0 }
func (c *fighter) hasClosed() bool { return c.closed != nil }

// act does one operation, chosen at random, and records it.
func (c *fighter) act(ctx context.Context, n int32) error {
	total := 0
	for _, m := range moves {
		if m.can(c) {
			total += m.weight
		}
	}
	dice := c.rng.IntN(total)
	for _, m := range moves {
		if !m.can(c) {
			continue
		}
		if dice -= m.weight; dice < 0 {
			return m.do(c, ctx, n)
		}
	}
	panic("the dice shows more than all moves weigh")
}

// anyTable is a table for which rules allow what is meant.
func (c *fighter) anyTable(allow func(tableKey) bool) tableKey {
	for {
		if key := c.tables[c.rng.IntN(len(c.tables))]; allow(key) {
			return key
		}
	}
}

// anySpan is a span on one of the days.
func (c *fighter) anySpan() (from, to int) {
	span := 1 + c.rng.IntN(maxSpan)
	return slotCells(c.anyDay(), c.rng.IntN(slotsPerDay-span+1), span)
}

func (c *fighter) anyDay() int { return fightDays[c.rng.IntN(len(fightDays))] }

// anyWish is any place, or one that is wanted.
func (c *fighter) anyWish(key tableKey) int {
	if c.rng.IntN(2) == 0 {
		return anyPlace
	}
	return c.rng.IntN(key.places)
}

// one is a booking of the client's own for which rules allow what is meant;
// false if it has none.
func (c *fighter) one(allow func(acknowledged) bool) (int, bool) {
	var fit []int
	for i, h := range c.mine {
		if allow(h) {
			fit = append(fit, i)
		}
	}
	if len(fit) == 0 {
		return 0, false
	}
	return fit[c.rng.IntN(len(fit))], true
}

func (c *fighter) drop(i int) { c.mine = append(c.mine[:i], c.mine[i+1:]...) }

func (c *fighter) dropSeries(id string) {
	c.mine = slices.DeleteFunc(c.mine, func(h acknowledged) bool { return h.series == id })
}

func (c *fighter) book(ctx context.Context, n int32) error {
	key := c.tables[c.rng.IntN(len(c.tables))]
	want := book{place: c.anyWish(key), staff: c.rng.IntN(4) == 0}
	want.from, want.to = c.anySpan()
	if key.running {
		want.from, want.to = c.running(time.Now())
		want.present = true
	}
	// Where bookings are moved nobody could tell afterwards what place was given.
	if key.moving && want.place == anyPlace {
		want.place = c.rng.IntN(key.places)
	}
	in := input{table: key, booking: n, operation: want}
	// Without a key a broken request is not sent again: it might book twice.
	idempotency := ""
	if c.rng.IntN(3) > 0 {
		idempotency = c.key(n)
	}
	again := idempotency != "" && c.rng.IntN(8) == 0

	var made booking
	out, err := c.attempt(ctx, in, idempotency != "", func() (output, error) {
		var out output
		var err error
		made, out, err = c.api.book(ctx, in, want, idempotency, c.code)
		if err != nil || out.outcome != done || !again {
			return out, err
		}
		if err := c.rotate(ctx); err != nil {
			return out, err
		}
		repeated, _, err := c.api.book(ctx, in, want, idempotency, c.code)
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
	// What runs already can be cancelled by the staff only.
	c.mine = append(c.mine, acknowledged{
		booking: n, id: made.ID, table: key, place: out.place, from: want.from, to: want.to, staff: want.staff || key.running,
	})
	return nil
}

func (c *fighter) key(n int32) string { return fmt.Sprintf("fight-%d-%d", c.seed, n) }

// series books in two weeks. Nobody closes where it does so: a closure would
// hide what places it was given.
func (c *fighter) series(ctx context.Context, n int32) error {
	key := c.anyTable(func(k tableKey) bool { return !k.closing && !k.running })
	want := series{place: c.anyWish(key), all: c.rng.IntN(2) == 0}
	span := 1 + c.rng.IntN(maxSpan)
	want.from, want.to = slotCells(fightDays[0], c.rng.IntN(slotsPerDay-span+1), span)
	in := input{table: key, booking: n, operation: want}
	var id string
	var made [seriesWeeks]booking
	out, err := c.attempt(ctx, in, true, func() (output, error) {
		var out output
		var err error
		id, made, out, err = c.api.series(ctx, in, want, c.key(n))
		return out, err
	})
	if err != nil || out.outcome != done {
		return err
	}
	for i, b := range made {
		if b.ID != "" {
			c.mine = append(c.mine, acknowledged{
				booking: n + int32(i)*weekNumbers, id: b.ID, table: key, place: b.Place - 1,
				from: want.from + i*weekCells, to: want.to + i*weekCells, series: id, ofSeries: n,
			})
		}
	}
	return nil
}

func (c *fighter) cancel(ctx context.Context, n int32) error {
	i := c.rng.IntN(len(c.mine))
	h := c.mine[i]
	do := cancel{}
	if h.staff {
		do.reason = noteOf(n)
	}
	in := input{table: h.table, booking: h.booking, operation: do}
	out, err := c.attempt(ctx, in, c.rng.IntN(3) > 0, func() (output, error) { return c.api.cancel(ctx, h, do) })
	if err != nil {
		return err
	}
	// What was cancelled is kept now and then, to be cancelled and read again.
	// Not so without an answer: a second attempt would hide whether the first
	// one took effect.
	switch {
	case out.outcome == unknown && h.series != "":
		c.dropSeries(h.series) // to cancel the series would be a second attempt
	case out.outcome == unknown || c.rng.IntN(4) > 0:
		c.drop(i)
	}
	return nil
}

// cancelSeries cancels both weeks of a series, one after the other for all
// that others can see.
func (c *fighter) cancelSeries(ctx context.Context, n int32) error {
	i, ok := c.one(func(h acknowledged) bool { return h.series != "" })
	if !ok {
		return c.book(ctx, n)
	}
	h := c.mine[i]
	var both []input
	for w := range int32(seriesWeeks) {
		both = append(both, input{table: h.table, booking: h.ofSeries + w*weekNumbers, operation: cancel{}})
	}
	_, err := c.attemptAll(ctx, both, true, func() (output, error) { return c.api.remove(ctx, "/series/"+h.series) })
	c.dropSeries(h.series)
	return err
}

func (c *fighter) read(ctx context.Context, _ int32) error {
	h := c.mine[c.rng.IntN(len(c.mine))]
	in := input{table: h.table, booking: h.booking, operation: read{}}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.read(ctx, h) })
	return err
}

// change moves a booking. Not where the staff move bookings: nobody could tell
// afterwards whether a change without an answer took effect; nor weeks of a
// series, which are told apart by their day.
func (c *fighter) change(ctx context.Context, n int32) error {
	i, ok := c.one(func(h acknowledged) bool { return !h.table.moving && !h.table.running && h.series == "" })
	if !ok {
		return c.book(ctx, n)
	}
	h := c.mine[i]
	want := change{place: c.anyWish(h.table), staff: h.staff || c.rng.IntN(4) == 0}
	for want.from, want.to = c.anySpan(); want.from == h.from && want.to == h.to; {
		want.from, want.to = c.anySpan()
	}
	in := input{table: h.table, booking: h.booking, operation: want}
	out, err := c.attempt(ctx, in, false, func() (output, error) { return c.api.change(ctx, h, want) })
	if err != nil {
		return err
	}
	switch out.outcome {
	case done:
		c.mine[i].checked = h.checked && want.from == h.from
		c.mine[i].place, c.mine[i].from, c.mine[i].to = out.place, want.from, want.to
	case unknown:
		c.drop(i)
	}
	return nil
}

// decide has the staff approve a request, or refuse it.
func (c *fighter) decide(ctx context.Context, n int32) error {
	i, ok := c.one(func(h acknowledged) bool { return h.table.approval })
	if !ok {
		return c.book(ctx, n)
	}
	h := c.mine[i]
	in := input{table: h.table, booking: h.booking, operation: approve{}}
	verb, body := "approve", any(nil)
	if c.rng.IntN(3) == 0 {
		in.operation = refuse{}
		verb, body = "refuse", map[string]any{"reason": noteOf(n)}
	}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.act(ctx, h.id, verb, body, "not-requested") })
	return err
}

func (c *fighter) checkIn(ctx context.Context, n int32) error {
	i, ok := c.one(func(h acknowledged) bool { return !h.checked && !h.table.running })
	if !ok {
		return c.book(ctx, n)
	}
	h := c.mine[i]
	in := input{table: h.table, booking: h.booking, operation: checkIn{}}
	out, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.act(ctx, h.id, "check-in", nil, "not-live") })
	if err != nil {
		return err
	}
	switch out.outcome {
	case done:
		c.mine[i].checked = true
	case unknown:
		c.drop(i)
	}
	return nil
}

// look asks for availability. Not where the staff close: the service reads
// closures and bookings one after the other there, and only shows them.
func (c *fighter) look(ctx context.Context, _ int32) error {
	day := c.anyDay()
	in := input{table: c.anyTable(func(k tableKey) bool { return !k.closing && !k.running }), operation: look{day: day}}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.availability(ctx, in.table, day) })
	return err
}

func (c *fighter) board(ctx context.Context, _ int32) error {
	in := input{table: c.tables[c.rng.IntN(len(c.tables))]}
	day := c.anyDay()
	if in.table.running {
		from, _ := c.running(time.Now())
		day = from / dayCells
	}
	in.operation = board{day: day}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.board(ctx, in.table, day) })
	return err
}

func (c *fighter) join(ctx context.Context, n int32) error {
	key := c.anyTable(func(k tableKey) bool { return !k.running })
	want := join{place: c.anyWish(key)}
	want.from, want.to = c.anySpan()
	wanted := wish{c.api.person.Account, key.venue, want.place, want.from, want.to}
	if !c.await(wanted) {
		return c.book(ctx, n)
	}
	in := input{table: key, booking: n, operation: want}
	out, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.join(ctx, key, want) })
	if err != nil || out.outcome != done {
		c.forget(wanted)
		return err
	}
	c.waits = &waits{wish: wanted, booking: n, id: out.id, table: key}
	return nil
}

// await says that a client waits for something; false if another one does.
func (c *fighter) await(w wish) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.awaited[w] {
		return false
	}
	c.awaited[w] = true
	return true
}

func (c *fighter) forget(w wish) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.awaited, w)
}

// peek looks whether a place is offered. What is offered is not accepted where
// the staff close: one hold may end there and the next one begin unseen.
func (c *fighter) peek(ctx context.Context, _ int32) error {
	w := c.waits
	in := input{table: w.table, booking: w.booking, operation: peek{}}
	_, err := c.attempt(ctx, in, true, func() (output, error) {
		hold, out, err := c.api.peek(ctx, w.id)
		if err == nil && !w.table.closing {
			w.hold = hold
		}
		return out, err
	})
	return err
}

func (c *fighter) accept(ctx context.Context, _ int32) error {
	w := c.waits
	in := input{table: w.table, booking: w.booking, operation: accept{}}
	var got booking
	out, err := c.attempt(ctx, in, true, func() (output, error) {
		var out output
		var err error
		got, out, err = c.api.accept(ctx, w.hold)
		return out, err
	})
	if err != nil || out.outcome != done {
		return err
	}
	c.mine = append(c.mine, acknowledged{booking: w.booking, id: w.hold, table: w.table, place: got.Place - 1, from: w.from, to: w.to})
	c.forget(w.wish)
	c.waits = nil
	return nil
}

func (c *fighter) leave(ctx context.Context, _ int32) error {
	w := c.waits
	in := input{table: w.table, booking: w.booking, operation: leave{}}
	if _, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.leave(ctx, w.id) }); err != nil {
		return err
	}
	c.forget(w.wish)
	c.waits = nil
	return nil
}

// closeVenue closes any span, or what the client waits for: so that somebody
// is there to be offered the place when it is reopened.
func (c *fighter) closeVenue(ctx context.Context, n int32) error {
	key := c.anyTable(func(k tableKey) bool { return k.closing })
	want := closeVenue{place: c.anyWish(key)}
	want.from, want.to = c.anySpan()
	if c.waits != nil && c.waits.table.closing {
		key = c.waits.table
		want = closeVenue{c.waits.place, c.waits.from, c.waits.to}
	}
	in := input{table: key, booking: n, operation: want}
	var id string
	out, err := c.attempt(ctx, in, false, func() (output, error) {
		var out output
		var err error
		id, out, err = c.api.closeVenue(ctx, in, want)
		return out, err
	})
	if err == nil && out.outcome == done {
		c.closed = &closed{number: n, id: id, table: key}
	}
	return err
}

func (c *fighter) reopen(ctx context.Context, _ int32) error {
	in := input{table: c.closed.table, booking: c.closed.number, operation: reopen{}}
	_, err := c.attempt(ctx, in, true, func() (output, error) { return c.api.remove(ctx, staffPath+"/closures/"+c.closed.id) })
	if err == nil {
		c.closed = nil
	}
	return err
}

// rotate turns to the next replica that is up. Where none is, it waits.
func (c *fighter) rotate(ctx context.Context) (err error) {
	c.api.at, err = c.next(ctx, "booking", &c.turn)
	return err
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
//
// Nor is it known what came of a request that broke, was repeated and refused
// then: it may have had its effect, which others undid.
func (c *fighter) attempt(ctx context.Context, in input, repeat bool, send func() (output, error)) (output, error) {
	return c.attemptAll(ctx, []input{in}, repeat, send)
}

// attemptAll is attempt for a request that does several things.
func (c *fighter) attemptAll(ctx context.Context, all []input, repeat bool, send func() (output, error)) (output, error) {
	called := c.now()
	var out output
	for broken := false; ; {
		if err := c.rotate(ctx); err != nil {
			return out, err
		}
		var err error
		if out, err = send(); err == nil {
			if broken && out.outcome == refused {
				out = output{outcome: unknown}
			}
			break
		}
		if !errors.Is(err, errNoAnswer) {
			return out, err
		}
		if errors.Is(err, errNotSent) {
			continue
		}
		broken = true
		if !repeat {
			if err := c.api.at.AwaitUp(ctx); err != nil {
				return out, err
			}
			out = output{outcome: unknown}
			break
		}
	}
	if out.outcome == unknown {
		c.unanswered.Add(1)
	} else {
		c.answered.Add(1)
	}
	returned := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, in := range all {
		c.seen = append(c.seen, porcupine.Operation{ClientId: c.number, Input: in, Output: out, Call: called, Return: returned})
	}
	return out, nil
}
