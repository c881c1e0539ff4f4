package linearizability

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// desks are how many members of staff take in money at the same time.
const desks = 8

// lunch is what eaters, desks and the killer share while they are at it.
type lunch struct {
	*deployment
	seed          uint64
	epoch         time.Time
	day, dish     string
	manager, cook *caller
	desks         []*caller
	eaters        []*eater

	begun   atomic.Int32 // actions of eaters
	refused atomic.Int32 // orders that were refused for want of money, which numbers them
	paid    atomic.Int32 // payments at the desk, which numbers them
	// Requests that were repeated: those without an answer, and those that were
	// turned away by a process that lacked another.
	broken, turnedAway atomic.Int32

	mu    sync.Mutex
	moves []porcupine.Operation // of the stock
	errs  []error               // what must not happen at all
	left  map[string]int        // by phase, the orders that kills have left in it
}

func (l *lunch) now() int64 { return int64(time.Since(l.epoch)) }

func (l *lunch) desk(n int) *caller { return l.desks[n%desks] }

func (l *lunch) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

// ask sends a request again and again until it is answered, each time to the
// next process that is up and runs the service.
func (l *lunch) ask(ctx context.Context, c *caller, method, path, key string, body, answer any) (int, problem, error) {
	service, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	for {
		at, err := l.next(ctx, service, &c.turn)
		if err != nil {
			return 0, problem{}, err
		}
		c.sent = l.now()
		status, p, err := call(ctx, c.http, method, at.URL()+path, c.token, key, body, answer)
		if !errors.Is(err, errNoAnswer) || ctx.Err() != nil {
			return status, p, err
		}
		switch {
		case errors.Is(err, errTurnedAway):
			l.turnedAway.Add(1)
			if err := l.allUp(ctx); err != nil {
				return 0, problem{}, err
			}
		case !errors.Is(err, errNotSent):
			l.broken.Add(1)
		}
	}
}

// allUp returns when every process is up: which one another one lacks is not
// told.
func (l *lunch) allUp(ctx context.Context) error {
	for _, in := range l.replicas {
		if err := in.AwaitUp(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ok asks for what must be done.
func (l *lunch) ok(ctx context.Context, c *caller, method, path string, body, answer any) error {
	status, p, err := l.ask(ctx, c, method, path, "", body, answer)
	if err == nil && status >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: unexpected status %d, rule %q", method, path, status, p.Rule)
	}
	return err
}

func (l *lunch) must(t *testing.T, c *caller, method, path string, body, answer any) {
	t.Helper()
	if err := l.ok(t.Context(), c, method, path, body, answer); err != nil {
		t.Fatal(err)
	}
}

// stocked notes what happened to the stock, and pursed to a purse, since a
// moment.
func (l *lunch) stocked(client int, called int64, moves ...move[shelf]) {
	returned := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range moves {
		l.moves = append(l.moves, porcupine.Operation{ClientId: client, Input: m, Call: called, Return: returned})
	}
}

func (l *lunch) pursed(e *eater, client int, called int64, m move[purse]) {
	returned := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	e.moves = append(e.moves, porcupine.Operation{ClientId: client, Input: m, Call: called, Return: returned})
}

// runTimeout is far more than it takes.
const runTimeout = 3 * time.Minute

// run has all eaters do something so many times while desks are at their work
// and processes are killed and restarted in turn, or stand still for once. Where the tables can be seen
// meanwhile, a kill waits, by turns, until some order is in each of the phases;
// elsewhere it falls wherever it does. Kills fall due while the first actions
// begin, of which there are that many at least.
func (l *lunch) run(t *testing.T, times int, actions int32, kills int, phases []string, do func(ctx context.Context, e *eater) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), runTimeout)
	defer cancel()
	due := map[int32]bool{}
	rng := rand.New(rand.NewPCG(l.seed, uint64(times)+eaters))
	for len(due) < kills {
		due[l.begun.Load()+1+rng.Int32N(actions)] = true
	}
	sign := make(chan struct{}, kills)
	over, ended := context.WithCancel(ctx)
	defer ended()
	failed := func(err error) {
		if err != nil && ctx.Err() == nil {
			l.fail(err)
			cancel()
		}
	}

	var killer, desks, clients sync.WaitGroup
	killer.Go(func() {
		turn := 0
		for range sign {
			var err error
			if l.watched {
				err = l.awaitPhase(over, phases[turn%len(phases)])
			}
			switch {
			case err != nil && over.Err() == nil:
			case turn == standsStill:
				err = l.halt(over, turn%len(l.replicas))
			default:
				err = l.strike(ctx, turn%len(l.replicas))
			}
			if err != nil {
				failed(err)
				return
			}
			turn++
		}
	})
	for i, desk := range l.desks {
		desks.Go(func() {
			rng := rand.New(rand.NewPCG(l.seed, uint64(eaters+i)))
			for over.Err() == nil {
				// To the end, once begun: what was paid in must be known.
				failed(l.serve(ctx, desk, l.eaters[rng.IntN(eaters)], rng))
			}
		})
	}
	for _, e := range l.eaters {
		clients.Go(func() {
			for range times {
				if ctx.Err() != nil {
					return
				}
				if due[l.begun.Add(1)] {
					sign <- struct{}{}
				}
				if err := do(ctx, e); err != nil {
					failed(fmt.Errorf("%s: %w", e.name, err))
				}
			}
		})
	}
	clients.Wait()
	ended()
	close(sign)
	desks.Wait()
	killer.Wait()
	if err := ctx.Err(); errors.Is(err, context.DeadlineExceeded) {
		l.fail(fmt.Errorf("the eaters were not done after %s: %w", runTimeout, err))
	}
	for i, err := range l.errs {
		if i == 10 {
			t.Logf("and %d more", len(l.errs)-i)
			break
		}
		t.Error(err)
	}
	if len(l.errs) > 0 {
		t.FailNow()
	}
}

// standsStill is which of the strikes, counted from 0, hits a process with the
// purses without killing it.
const standsStill = 3

// halt has a process stand still until others have given up on it. What it was
// asked for it does when it goes on: after it was given up, and perhaps after
// what was asked since.
func (l *lunch) halt(ctx context.Context, replica int) error {
	before := l.turnedAway.Load()
	if err := l.replicas[replica].Pause(); err != nil {
		return err
	}
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for l.turnedAway.Load() == before && ctx.Err() == nil {
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	return l.replicas[replica].Resume()
}

// strike kills a replica, notes what it has left, and starts it again.
func (l *lunch) strike(ctx context.Context, replica int) error {
	if err := l.kill(ctx, replica); err != nil {
		return err
	}
	canteen, accounts, err := l.both()
	if err != nil {
		return err
	}
	defer canteen.Close()
	defer accounts.Close()
	found, err := phases(ctx, canteen, accounts)
	if err != nil {
		return err
	}
	l.mu.Lock()
	for phase, n := range found {
		l.left[phase] += n
	}
	l.mu.Unlock()
	return l.replicas[replica].Start(ctx)
}

// awaitPhase returns when some order is in a phase.
func (l *lunch) awaitPhase(ctx context.Context, phase string) error {
	canteen, accounts, err := l.both()
	if err != nil {
		return err
	}
	defer canteen.Close()
	defer accounts.Close()
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for {
		found, err := phases(ctx, canteen, accounts)
		if err != nil || found[phase] > 0 {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// both opens the databases of both services to look at them.
func (l *lunch) both() (canteen, accounts *sql.DB, err error) {
	if canteen, err = l.look("canteen"); err != nil {
		return nil, nil, err
	}
	if accounts, err = l.look("accounts"); err != nil {
		return nil, nil, errors.Join(err, canteen.Close())
	}
	return canteen, accounts, nil
}

// The phases between what the canteen writes and what the purse does: the state
// of an order, what is due of its money, and the state of its hold. To die in
// any of them must change nothing in the end.
const (
	unasked    = "Placing, Holding; no hold"
	unplaced   = "Placing, Holding; hold Held"
	unreleased = "Cancelled, Release; hold Held"
)

// phases counts the orders by phase of which something is due.
func phases(ctx context.Context, canteen, accounts *sql.DB) (map[string]int, error) {
	rows, err := canteen.QueryContext(ctx, "SELECT CAST(id AS TEXT), state, money FROM orders WHERE money IN ("+dueMoney+")")
	if err != nil {
		return nil, fmt.Errorf("looking at orders: %w", err)
	}
	defer rows.Close()
	found := map[string]int{}
	for rows.Next() {
		var id, state, money string
		if err := rows.Scan(&id, &state, &money); err != nil {
			return nil, err
		}
		hold := "no hold"
		var has string
		err := accounts.QueryRowContext(ctx, "SELECT state FROM holds WHERE service = 'canteen' AND id = $1", id).Scan(&has)
		if err == nil {
			hold = "hold " + has
		} else if !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("looking at holds: %w", err)
		}
		found[state+", "+money+"; "+hold]++
	}
	return found, rows.Err()
}

// dueMoney are the states of orders' money in which something is due.
const dueMoney = "'Holding', 'Capture', 'Release', 'Sale', 'Refund'"

// serve takes in some money at a desk, or looks into a purse.
func (l *lunch) serve(ctx context.Context, desk *caller, e *eater, rng *rand.Rand) error {
	if rng.IntN(2) == 0 {
		return l.topUp(ctx, desk, e, 100+rng.Int64N(200))
	}
	var p purse
	if err := l.ok(ctx, desk, http.MethodGet, "/accounts/api/v1/staff/purses/"+e.id, nil, &p); err != nil {
		return err
	}
	l.pursed(e, desk.number, desk.sent, inside{p})
	return nil
}

// topUp pays something into a purse at a desk.
func (l *lunch) topUp(ctx context.Context, desk *caller, e *eater, amount int64) error {
	called := l.now()
	key := fmt.Sprintf("top-up-%d-%d", l.seed, l.paid.Add(1))
	status, p, err := l.ask(ctx, desk, http.MethodPost, "/accounts/api/v1/staff/top-ups", key, map[string]any{"person": e.id, "amount": amount}, nil)
	if err != nil {
		return err
	}
	if status != http.StatusCreated {
		return fmt.Errorf("topping up %s: unexpected status %d, rule %q", e.name, status, p.Rule)
	}
	l.pursed(e, desk.number, called, topUp{amount})
	l.mu.Lock()
	e.paidIn += amount
	l.mu.Unlock()
	return nil
}

// churn is what eaters do while they do not know what they want.
func (l *lunch) churn(ctx context.Context, e *eater) error {
	switch {
	case e.rng.IntN(10) == 0:
		return l.seePurse(ctx, e)
	case e.order == "":
		return l.order(ctx, e)
	default:
		return l.cancel(ctx, e)
	}
}

// insist orders for who has not got a portion yet, until all are gone.
func (l *lunch) insist(ctx context.Context, e *eater) error {
	if e.order != "" {
		return l.seePurse(ctx, e)
	}
	return l.order(ctx, e)
}

// meal is an order as the API shows it.
type meal struct {
	ID, State, Person    string
	Total, Subsidy, Pays int64
}

func (l *lunch) order(ctx context.Context, e *eater) error {
	e.orders++
	called := l.now()
	var o meal
	key := fmt.Sprintf("order-%d-%d", l.seed, e.orders)
	status, p, err := l.ask(ctx, e.caller, http.MethodPost, "/canteen/api/v1/orders", key, map[string]any{
		"canteen": canteenName, "date": l.day, "meal": mealName, "way": "EatIn", "lines": []any{map[string]any{"dish": l.dish, "portions": 1}},
	}, &o)
	switch {
	case err != nil:
		return err
	case status == http.StatusCreated:
		if o.State != "Placed" || o.Person != e.id || o.Pays != e.pays || o.Subsidy != e.subsidy || o.Total != dishPrice {
			return fmt.Errorf("asked for one portion at %d fen, got %+v", e.pays, o)
		}
		e.order = o.ID
		l.stocked(e.number, called, take{})
		l.pursed(e, e.number, called, hold{e.pays})
	case p.Rule == "sold-out":
		l.stocked(e.number, e.sent, soldOut{}) // what was sent before it has left nothing
	case p.Rule == "insufficient":
		e.refused++
		number := int(l.refused.Add(1))
		l.stocked(e.number, called, lend{number}, unlend{number})
		l.pursed(e, e.number, called, tooLittle{e.pays})
	default:
		return fmt.Errorf("ordering: unexpected status %d, rule %q", status, p.Rule)
	}
	return nil
}

func (l *lunch) cancel(ctx context.Context, e *eater) error {
	called := l.now()
	var o meal
	if err := l.ok(ctx, e.caller, http.MethodDelete, "/canteen/api/v1/orders/"+e.order, nil, &o); err != nil {
		return err
	}
	if o.ID != e.order || o.State != "Cancelled" {
		return fmt.Errorf("cancelled order %s, got %+v", e.order, o)
	}
	e.cancelled, e.order = append(e.cancelled, e.order), ""
	l.stocked(e.number, called, giveBack{})
	// What the order held is given back when the purse can be reached.
	l.mu.Lock()
	defer l.mu.Unlock()
	e.moves = append(e.moves, porcupine.Operation{ClientId: e.number, Input: free{e.pays}, Call: called, Return: math.MaxInt64})
	return nil
}

func (l *lunch) seePurse(ctx context.Context, e *eater) error {
	var p purse
	if err := l.ok(ctx, e.caller, http.MethodGet, "/accounts/api/v1/purse", nil, &p); err != nil {
		return err
	}
	l.pursed(e, e.number, e.sent, inside{p})
	return nil
}
