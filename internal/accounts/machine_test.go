package accounts

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

// TestAnySequence has people, the desk and a service do anything in any order
// while time goes by, and looks after each step whether the ledger is what
// was acknowledged.
func TestAnySequence(t *testing.T) {
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		set(t, "rapid.steps", "40")
		set(t, "rapid.checks", "40")
		if db.Engine() == database.Postgres {
			set(t, "rapid.checks", "12")
		}
		rapid.Check(t, func(t *rapid.T) {
			m := &machine{ctx: t.Context(), s: NewStore(db), a: by("sun"), balance: map[string]int64{}, holds: map[string]*modelHold{}, taken: map[string]*modelTaken{}}
			m.begin(t)
			t.Repeat(map[string]func(*rapid.T){
				"": m.check,

				"top up": m.topUp, "pay out": m.payOut, "reverse": m.reverse, "hold": m.hold, "hold more": m.hold,
				"capture": m.capture, "release": m.release, "sell": m.sell, "refund": m.refund, "time": m.time,
			})
		})
	})
}

// set sets a flag of rapid's during a test.
func set(t testing.TB, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := flag.Set(name, before); err != nil {
			t.Error(err)
		}
	})
}

type modelHold struct {
	person          string
	amount          int64
	known           int64
	expires         time.Time
	held, ever      bool
	refused, closed bool
}

type modelTaken struct {
	person                    string
	amount, subsidy           int64
	refunded, refundedSubsidy int64
}

// machine is a store, and what must be in it by what it has acknowledged.
type machine struct {
	ctx context.Context
	s   *Store
	a   Act

	balance map[string]int64
	holds   map[string]*modelHold
	taken   map[string]*modelTaken
	// drawer is what is in the drawer; revenue has the subsidy in it.
	drawer, revenue, subsidy int64
	// atDesk are transactions at the desk.
	atDesk []Transaction
	keys   int
}

var (
	somebody  = rapid.SampledFrom([]string{"li", "wang"})
	something = rapid.SampledFrom([]string{"a", "b", "c", "d"})
	some      = rapid.Int64Range(-1, 3_000)
)

func (m *machine) begin(t *rapid.T) {
	err := m.s.db.Write(m.ctx, func(ctx context.Context, tx bun.Tx) error {
		for _, table := range []string{"refunds", "taken", "holds", "receipts", "postings"} {
			if _, err := tx.ExecContext(ctx, "DELETE FROM "+table); err != nil {
				return err
			}
		}
		for _, text := range []string{
			"DELETE FROM transactions WHERE reverses IS NOT NULL", "DELETE FROM transactions", "DELETE FROM purses", "DELETE FROM accounts WHERE name NOT IN ('cash', 'wechat')",
			"UPDATE accounts SET balance = 0, held = 0",
		} {
			if _, err := tx.ExecContext(ctx, text); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// key is a new idempotency key.
func (m *machine) key() string {
	m.keys++
	return fmt.Sprint("k", m.keys)
}

// granted reports whether something was done; what was refused must have been
// refused by one of rules.
func granted(t *rapid.T, err error, rules ...Rule) bool {
	if err == nil {
		return true
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		if errors.Is(err, ErrNotFound) {
			return false
		}
		t.Fatal(err)
	}
	for _, rule := range rules {
		if refusal.Rule == rule {
			return false
		}
	}
	t.Fatalf("refused by %s, which was not to be: %v", refusal.Rule, err)
	return false
}

// held is what is held of somebody, available what is left.
func (m *machine) held(person string) (sum int64) {
	for _, h := range m.holds {
		if h.person == person && h.held {
			sum += h.amount
		}
	}
	return sum
}

func (m *machine) available(person string) int64 { return m.balance[person] - m.held(person) }

func (m *machine) topUp(t *rapid.T) {
	person, amount, key := somebody.Draw(t, "person"), rapid.Int64Range(90, 4_000).Draw(t, "amount"), m.key()
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		made, err := m.s.TopUp(m.ctx, m.a, person, amount, key)
		if !granted(t, err, RuleAmount, RulePurseFull) {
			return
		}
		if len(m.atDesk) == 0 || m.atDesk[len(m.atDesk)-1].ID != made.ID {
			m.atDesk = append(m.atDesk, made)
			m.balance[person] += amount
			m.drawer += amount
		}
	}
}

func (m *machine) payOut(t *rapid.T) {
	person, amount := somebody.Draw(t, "person"), some.Draw(t, "amount")
	made, err := m.s.PayOut(m.ctx, m.a, person, amount, m.key())
	done := granted(t, err, RuleAmount, RuleInsufficient)
	if done != (amount >= 1 && amount <= m.available(person)) {
		t.Fatalf("paying out %d of %d: %v", amount, m.available(person), err)
	}
	if done {
		m.balance[person] -= amount
		m.drawer -= amount
		m.atDesk = append(m.atDesk, made)
	}
}

func (m *machine) reverse(t *rapid.T) {
	if len(m.atDesk) == 0 {
		return
	}
	which := rapid.SampledFrom(m.atDesk).Draw(t, "transaction")
	made, err := m.s.Reverse(m.ctx, m.a, which.ID, "wrong", m.key())
	if !granted(t, err, RuleReversed, RuleInsufficient, RuleNotToday) {
		return
	}
	persons, err := m.s.PersonsOf(m.ctx, []uuid.UUID{made.Purse})
	if err != nil {
		t.Fatal(err)
	}
	if made.OnPurse() != -which.OnPurse() {
		t.Fatalf("reversed %d by %d", which.OnPurse(), made.OnPurse())
	}
	m.balance[persons[made.Purse]] += made.OnPurse()
	m.drawer += made.Cash()
}

func (m *machine) hold(t *rapid.T) {
	id, person, amount := something.Draw(t, "id"), somebody.Draw(t, "person"), rapid.Int64Range(0, 3_000).Draw(t, "amount")
	h := m.holds[id]
	if h == nil {
		h = &modelHold{person: person}
		m.holds[id] = h
	} else {
		person = h.person
	}
	o := order(id, max(1, h.known+rapid.Int64Range(-1, 1).Draw(t, "revision")), person, amount)
	o.ExpiresAt = m.a.Now.Add(time.Duration(rapid.IntRange(1, 90).Draw(t, "minutes")) * time.Minute)
	available := m.available(person)
	if h.held {
		available += h.amount
	}
	got, err := m.s.Hold(m.ctx, m.a, o)
	switch {
	case h.closed:
		wantRule(t, err, RuleNotHeld)
	case o.Revision < h.known:
		wantRule(t, err, RuleSuperseded)
	case o.Revision == h.known && h.refused:
		wantRule(t, err, RuleInsufficient)
	case o.Revision == h.known:
		if err != nil || got.Amount != h.amount {
			t.Fatalf("held again: %+v, %v, want %d", got, err, h.amount)
		}
	case amount > available:
		wantRule(t, err, RuleInsufficient)
		h.known, h.refused = o.Revision, true
	default:
		if err != nil {
			t.Fatalf("holding %d of %d: %v", amount, available, err)
		}
		h.known, h.refused, h.held, h.ever, h.amount, h.expires = o.Revision, false, true, true, amount, o.ExpiresAt
	}
}

func wantRule(t *rapid.T, err error, rule Rule) {
	if refusal, ok := errors.AsType[*Refusal](err); !ok || refusal.Rule != rule {
		t.Fatalf("%v, want a refusal by %s", err, rule)
	}
}

func (m *machine) capture(t *rapid.T) {
	id, amount, subsidy := something.Draw(t, "id"), some.Draw(t, "amount"), rapid.Int64Range(0, 900).Draw(t, "subsidy")
	h := m.holds[id]
	may := h != nil && h.held && amount >= 0 && amount <= h.amount
	for range rapid.IntRange(1, 2).Draw(t, "times") {
		_, err := m.s.Capture(m.ctx, m.a, "canteen", id, amount, subsidy)
		done := granted(t, err, RuleNotHeld, RuleTooMuch, RuleInvalid)
		if may && !done {
			t.Fatalf("capturing %d of %d: %v", amount, h.amount, err)
		}
		if done && may && h.held {
			h.held, h.closed = false, true
			m.balance[h.person] -= amount
			m.revenue += amount + subsidy
			m.subsidy += subsidy
			m.taken[nameOfHold(id)] = &modelTaken{person: h.person, amount: amount, subsidy: subsidy}
		}
	}
}

func (m *machine) release(t *rapid.T) {
	id := something.Draw(t, "id")
	_, err := m.s.Release(m.ctx, m.a, "canteen", id)
	if _, captured := m.taken[nameOfHold(id)]; granted(t, err, RuleNotHeld) == captured {
		t.Fatalf("releasing: %v", err)
	}
	if m.holds[id] == nil {
		m.holds[id] = &modelHold{person: "li"}
	}
	m.holds[id].held, m.holds[id].closed = false, true
}

func (m *machine) sell(t *rapid.T) {
	id, amount, subsidy := something.Draw(t, "id"), rapid.Int64Range(0, 2_000).Draw(t, "amount"), rapid.Int64Range(0, 900).Draw(t, "subsidy")
	person := somebody.Draw(t, "person")
	before := m.taken[nameOfSale(id)]
	_, err := m.s.Sell(m.ctx, m.a, SaleOrder{Service: "canteen", ID: id, Amount: amount, Subsidy: subsidy, Person: person})
	if granted(t, err, RuleReused) && before == nil {
		m.taken[nameOfSale(id)] = &modelTaken{person: person, amount: amount, subsidy: subsidy}
		m.drawer += amount
		m.revenue += amount + subsidy
		m.subsidy += subsidy
	}
}

func (m *machine) refund(t *rapid.T) {
	of := rapid.SampledFrom([]string{"holds/", "sales/"}).Draw(t, "kind") + something.Draw(t, "id")
	o := RefundOrder{
		Service: "canteen", ID: m.key(), Of: of, Amount: some.Draw(t, "amount"), Subsidy: rapid.Int64Range(0, 500).Draw(t, "subsidy"),
		To: rapid.SampledFrom([]string{ToPurse, ToCash}).Draw(t, "to"),
	}
	was := m.taken[of]
	_, err := m.s.Refund(m.ctx, m.a, o)
	done := granted(t, err, RuleTooMuch, RuleInvalid)
	if done != (was != nil && o.Amount >= 0 && o.Amount <= was.amount-was.refunded && o.Subsidy <= was.subsidy-was.refundedSubsidy) {
		t.Fatalf("refunding %+v of %+v: %v", o, was, err)
	}
	if !done {
		return
	}
	was.refunded += o.Amount
	was.refundedSubsidy += o.Subsidy
	m.revenue -= o.Amount + o.Subsidy
	m.subsidy -= o.Subsidy
	if o.To == ToPurse {
		m.balance[was.person] += o.Amount
	} else {
		m.drawer -= o.Amount
	}
}

func (m *machine) time(t *rapid.T) {
	m.a.Now = m.a.Now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
	if _, err := m.s.Expire(m.ctx, m.a.Now); err != nil {
		t.Fatal(err)
	}
	for _, h := range m.holds {
		if h.held && !h.expires.After(m.a.Now) {
			h.held, h.closed = false, true
		}
	}
}

// check finds what is not as it was acknowledged.
func (m *machine) check(t *rapid.T) {
	faults, err := m.s.Recount(m.ctx)
	if err != nil || len(faults) > 0 {
		t.Fatalf("recounted: %q, %v", faults, err)
	}
	var purses int64
	for _, person := range []string{"li", "wang"} {
		p, err := m.s.Purse(m.ctx, person)
		if err != nil || p.Balance != m.balance[person] || p.Held != m.held(person) {
			t.Fatalf("the purse of %s: %+v, %v; want %d and %d held", person, p, err, m.balance[person], m.held(person))
		}
		purses += p.Balance
	}
	l, err := m.s.Ledger(m.ctx, m.a, civil.MonthOf(civil.DateOf(m.a.Now, shanghai)))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, account := range l.Accounts {
		got[account.Name] = account.After
	}
	for name, want := range map[string]int64{AllPurses: purses, AccountCash: -m.drawer, "revenue/canteen": m.revenue, "subsidy/canteen": -m.subsidy} {
		if got[name] != want {
			t.Fatalf("%s has %d fen, want %d", name, got[name], want)
		}
	}
}
