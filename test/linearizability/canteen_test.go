package linearizability

import (
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// An order and its money are written by two services, in transactions of their
// own and in processes of their own, which are killed in turn: the one that asks,
// and the one that is asked. TestTheLastPortions has it happen while 200 eaters
// are after 50 portions, and again at the cut-off, when what is held is taken. No
// clock can be put forward in a process; so the meal is days away, and the
// cut-off comes when the manifest is changed to end the orders long before the
// meal.
//
// What the eaters and the desk saw must be explained by some order in which
// everything happened one after the other, for the stock and for each purse.
// Every request is repeated until it is answered, so every outcome is known. An
// order that was refused for want of money had a portion while the purse was
// asked: it is two operations on the stock, one after the other at some time
// before its answer. An order is cancelled when that is answered, though what it
// held is given back only when the purse can be reached.
func TestTheLastPortions(t *testing.T) {
	eachDeployment(t, kitchens, kitchenCommunity(0), func(t *testing.T, d *deployment) {
		l := newLunch(t, d)
		began := time.Now()
		const times = 3
		l.run(t, times, times*eaters*9/10, 6, []string{unasked, unplaced, unreleased}, l.churn)
		l.together(t, func(e *eater) error { return l.topUp(t.Context(), l.desk(e.number), e, dishPrice) })
		l.run(t, 1, (eaters-portions)*9/10, 2, []string{unasked, unplaced}, l.insist)
		t.Logf("%d actions in %s, %d requests without an answer and %d turned away; what kills have left: %v",
			l.begun.Load(), time.Since(began).Round(time.Millisecond), l.broken.Load(), l.turnedAway.Load(), l.left)
		l.settle(t, "Held")
		if l.broken.Load() == 0 {
			t.Error("no request was left without an answer: the kills hit nothing")
		}
		canteen, accounts := d.open(t, "canteen"), d.open(t, "accounts")
		l.checkOrders(t, canteen, "Held")
		l.checkPurses(t, accounts, true)
		l.checkHistory(t, canteen)
		for _, db := range []*sql.DB{canteen, accounts} {
			d.sound(t, db)
			if err := db.Close(); err != nil { // a running service has SQLite's file for itself
				t.Fatal(err)
			}
		}

		l.cutOff(t)
		canteen, accounts = d.open(t, "canteen"), d.open(t, "accounts")
		l.checkOrders(t, canteen, "Captured")
		l.checkPurses(t, accounts, false)
		l.checkLedger(t, accounts)
	})
}

// checkHistory looks for an order that explains what was seen of the stock, and
// of each purse.
func (l *lunch) checkHistory(t *testing.T, canteen *sql.DB) {
	t.Helper()
	began := time.Now()
	var left int
	if err := canteen.QueryRowContext(t.Context(), "SELECT stock - taken FROM items").Scan(&left); err != nil {
		t.Fatal(err)
	}
	l.stocked(0, l.now(), leftover{left})
	history, guessed := narrowed(l.moves, portions)
	if !guessed {
		t.Log("no order of what happened to the stock was guessed")
		history = l.moves
	}
	check(t, "stock", modelOf(shelf{left: portions}), history)
	moves := len(l.moves)
	for _, e := range l.eaters {
		check(t, "purse of "+e.name, modelOf(purse{}), e.moves)
		moves += len(e.moves)
	}
	t.Logf("the check of %d operations took %s, %d of them on the stock", moves, time.Since(began).Round(time.Millisecond), len(l.moves))
}

// guessTimeout is for a history of which no order was guessed, which is one that
// should not be.
const guessTimeout = 20 * time.Second

func check(t *testing.T, what string, model porcupine.Model, history []porcupine.Operation) {
	t.Helper()
	if result, info := porcupine.CheckOperationsVerbose(model, history, guessTimeout); result != porcupine.Ok {
		t.Errorf("the history of the %s is not linearizable: %s; see %s", what, result, visualize(t, model, info))
	}
}

// cutOff lets the cut-off come while the service is down, kills processes while
// what is held is taken, and returns when nothing is due any more and all are
// down.
func (l *lunch) cutOff(t *testing.T) {
	t.Helper()
	if err := l.replicas[0].Configure(kitchenCommunity(longBefore)); err != nil {
		t.Fatal(err)
	}
	l.left = map[string]int{}
	canteens := l.serving("canteen")
	l.startOnly(t, l.serving("accounts"))
	l.startOnly(t, canteens[:1])
	// The one that asks is struck first: who lost the one that it asks waits for
	// a while, and has help then.
	for i, over := 0, time.Now().Add(time.Minute); i < 2; i++ {
		await(t, over, "nothing is taken any more", func() bool { return l.taken(t).Orders >= (i+1)*portions/10 })
		if err := l.strike(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	l.startOnly(t, canteens[1:])
	t.Logf("what kills at the cut-off have left: %v", l.left)
	l.settle(t, "Captured")
}

// startAsked starts who is asked before who asks, which begins at once and, where
// nobody is there, tries again later only.
func (l *lunch) startAsked(t *testing.T) {
	t.Helper()
	l.startOnly(t, l.serving("accounts"))
	l.startOnly(t, l.serving("canteen"))
}

// settle returns when live orders have come so far with their money, nothing is
// due any more and all processes are down.
func (l *lunch) settle(t *testing.T, money string) {
	t.Helper()
	began := time.Now()
	for over := began.Add(time.Minute); ; l.startAsked(t) {
		l.awaitSettled(t, over, money)
		l.stop(t)
		db := l.open(t, "canteen")
		n, err := count(t.Context(), db, "SELECT count(*) FROM orders WHERE money IN ("+dueMoney+")")
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			t.Logf("all was settled after %s", time.Since(began).Round(time.Millisecond))
			return
		}
		if time.Now().After(over) {
			t.Fatalf("%d payments are still due", n)
		}
	}
}

// awaitSettled waits until purses hold what is ordered, or all of it was taken
// and is subsidised, as the API shows it to the staff.
func (l *lunch) awaitSettled(t *testing.T, over time.Time, money string) {
	t.Helper()
	want := subsidised{Orders: portions, Total: portions * dishPrice}
	for _, e := range l.eaters {
		var held int64
		if e.order != "" && money == "Held" {
			held = e.pays
		} else if e.order != "" {
			want.Subsidy += e.subsidy
		}
		await(t, over, fmt.Sprintf("the purse of %s does not come to hold %d fen", e.name, held), func() bool {
			var p purse
			l.must(t, l.manager, http.MethodGet, "/accounts/api/v1/staff/purses/"+e.id, nil, &p)
			return p.Held == held
		})
	}
	if money == "Captured" {
		await(t, over, "the subsidies do not add up", func() bool { return l.taken(t) == want })
	}
}

func await(t *testing.T, over time.Time, what string, done func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !done() {
		if time.Now().After(over) {
			t.Fatal(what)
		}
		<-again.C
	}
}

// subsidised are orders whose money was taken, with what the subsidies pay.
type subsidised struct {
	Orders         int
	Total, Subsidy int64
}

// taken are all orders whose money was taken, as the staff see them.
func (l *lunch) taken(t *testing.T) (all subsidised) {
	t.Helper()
	var report struct{ Subsidies []subsidised }
	l.must(t, l.manager, http.MethodGet, "/canteen/api/v1/staff/subsidies?from=2000-01&to=2999-12", nil, &report)
	for _, row := range report.Subsidies {
		all = subsidised{all.Orders + row.Orders, all.Total + row.Total, all.Subsidy + row.Subsidy}
	}
	return all
}

// checkOrders compares what was acknowledged with the orders that there are,
// of which those that are live have come so far with their money.
func (l *lunch) checkOrders(t *testing.T, db *sql.DB, money string) {
	t.Helper()
	type order struct {
		eater, state, money string
		total, subsidy      int64
	}
	orders, states := map[string]order{}, map[string]int{}
	each(t, db, "SELECT CAST(id AS TEXT), eater, state, money, total, subsidy FROM orders", func(rows *sql.Rows) error {
		var id string
		var o order
		err := rows.Scan(&id, &o.eater, &o.state, &o.money, &o.total, &o.subsidy)
		orders[id] = o
		states[o.state+" "+o.money]++
		return err
	})
	acknowledged := map[string]int{}
	expect := func(e *eater, id, state, money string) {
		acknowledged[state+" "+money]++
		want := order{eater: e.id, state: state, money: money, total: dishPrice, subsidy: e.subsidy}
		if got := orders[id]; got != want {
			t.Errorf("order %s of %s is %+v, was acknowledged as %+v", id, e.name, got, want)
		}
	}
	for _, e := range l.eaters {
		if e.order != "" {
			expect(e, e.order, "Placed", money)
		}
		for _, id := range e.cancelled {
			expect(e, id, "Cancelled", "Released")
		}
		if e.refused > 0 {
			acknowledged["Refused "] += e.refused
		}
	}
	if !maps.Equal(states, acknowledged) {
		t.Errorf("there are orders %v, acknowledged were %v", states, acknowledged)
	}
	if n := states["Placed "+money]; n != portions {
		t.Errorf("%d portions are sold, want %d", n, portions)
	}
	if n, err := count(t.Context(), db, "SELECT stock - taken FROM items"); err != nil || n != 0 {
		t.Errorf("%d portions are left, %v; want none", n, err)
	}
	t.Logf("orders: %v", states)
}

// checkPurses checks every purse and every hold: what was paid in is there, but
// for what was ordered, which is held or was taken, once; and that balances are
// the sums of their postings.
func (l *lunch) checkPurses(t *testing.T, db *sql.DB, held bool) {
	t.Helper()
	purses := map[string]purse{}
	each(t, db, "SELECT person, balance, held FROM purses JOIN accounts ON name = 'purse/' || CAST(id AS TEXT)", func(rows *sql.Rows) error {
		var person string
		var p purse
		err := rows.Scan(&person, &p.Balance, &p.Held)
		purses[person] = p
		return err
	})
	holds := map[string]keptMoney{}
	each(t, db, "SELECT id, person, state, amount, captured, subsidy FROM holds", func(rows *sql.Rows) error {
		var id string
		var k keptMoney
		err := rows.Scan(&id, &k.person, &k.state, &k.amount, &k.captured, &k.subsidy)
		holds[id] = k
		return err
	})
	refused := 0
	for _, e := range l.eaters {
		want := purse{Balance: e.paidIn}
		expect := func(id string, want keptMoney) {
			if got := holds[id]; got != want {
				t.Errorf("the hold of order %s of %s is %+v, want %+v", id, e.name, got, want)
			}
			delete(holds, id)
		}
		for _, id := range e.cancelled {
			expect(id, keptMoney{person: e.id, state: "Released", amount: e.pays})
		}
		switch {
		case e.order == "":
		case held:
			want.Held = e.pays
			expect(e.order, keptMoney{person: e.id, state: "Held", amount: e.pays})
		default:
			want.Balance -= e.pays
			expect(e.order, keptMoney{person: e.id, state: "Captured", amount: e.pays, captured: e.pays, subsidy: e.subsidy})
		}
		if got := purses[e.id]; got != want {
			t.Errorf("the purse of %s has %+v, want %+v", e.name, got, want)
		}
		refused += e.refused
	}
	for id, h := range holds {
		if refused--; h.state != "Refused" || h.amount != 0 {
			t.Errorf("nobody was told of hold %s: %+v", id, h)
		}
	}
	if refused != 0 {
		t.Errorf("%d more orders were refused for want of money than the purse knows", refused)
	}
	for what, query := range map[string]string{
		"the sum of the ledger":                    "SELECT COALESCE(SUM(amount), 0) FROM postings",
		"balances that are not their postings":     "SELECT count(*) FROM accounts a WHERE balance <> (SELECT COALESCE(SUM(amount), 0) FROM postings p WHERE p.account = a.name)",
		"transactions that do not add up":          "SELECT count(*) FROM (SELECT 1 FROM postings GROUP BY transaction_id HAVING SUM(amount) <> 0) AS faulty",
		"purses that do not hold their holds' sum": "SELECT count(*) FROM accounts a WHERE held <> (SELECT COALESCE(SUM(h.amount), 0) FROM holds h WHERE h.state = 'Held' AND 'purse/' || CAST(h.purse AS TEXT) = a.name)",
	} {
		if n, err := count(t.Context(), db, query); err != nil || n != 0 {
			t.Errorf("%s: %d, %v; want 0", what, n, err)
		}
	}
}

// keptMoney is a hold as the database keeps it.
type keptMoney struct {
	person, state             string
	amount, captured, subsidy int64
}

// checkLedger compares the accounts with what eaters paid in and ate.
func (l *lunch) checkLedger(t *testing.T, db *sql.DB) {
	t.Helper()
	want := map[string]int{"cash": 0, "wechat": 0, "revenue/canteen": portions * dishPrice, "subsidy/canteen": 0}
	for _, e := range l.eaters {
		want["cash"] -= int(e.paidIn)
		if e.order != "" {
			want["subsidy/canteen"] -= int(e.subsidy)
		}
	}
	for account, sum := range want {
		n, err := count(t.Context(), db, "SELECT balance FROM accounts WHERE name = '"+account+"'")
		if err != nil || n != sum {
			t.Errorf("account %s has %d, %v; want %d", account, n, err, sum)
		}
	}
	if n, err := count(t.Context(), db, "SELECT count(*) FROM transactions WHERE kind <> 'TopUp'"); err != nil || n != portions {
		t.Errorf("%d times something was taken, %v; want %d", n, err, portions)
	}
}
