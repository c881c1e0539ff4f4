package accounts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/uptrace/bun"
)

// deskCaller is who does once what a member of staff asks for at the desk.
func deskCaller(actor string) string { return "staff/" + actor }

// audited notes what was done at the desk with somebody's money.
func (a Act) audited(ctx context.Context, tx bun.Tx, action, person string, t Transaction) error {
	return a.note(ctx, tx, action, person, t.ID.String(), map[string]string{
		"amount": strconv.FormatInt(t.OnPurse(), 10), "receipt": t.Receipt.String(),
	})
}

// TopUp notes what somebody has paid in at the desk. It is done once for a key
// of the actor; it returns a *Refusal if it breaks a limit.
func (s *Store) TopUp(ctx context.Context, a Act, person string, amount int64, key string) (t Transaction, err error) {
	return s.atDesk(ctx, a, once{deskCaller(a.Actor), key, digest("top-up %q %d", person, amount)}, func(ctx context.Context, tx bun.Tx, o once) (Transaction, error) {
		purse, err := open(ctx, tx, person, a.Now)
		if err != nil {
			return Transaction{}, err
		}
		if refusal := checkTopUp(amount, purse.Balance); refusal != nil {
			return Transaction{}, refusal
		}
		t := Transaction{Kind: KindTopUp, Purse: purse.ID}
		if err := s.postAtDesk(ctx, tx, a, &t, o, into(purse.ID, AccountCash, amount)); err != nil {
			return t, err
		}
		if err := s.toppedUp(ctx, tx, a, purse, t); err != nil {
			return t, err
		}
		return t, a.audited(ctx, tx, "top-up", person, t)
	})
}

// PayOut notes what was given out to somebody at the desk, of what the purse
// does not hold for anything.
func (s *Store) PayOut(ctx context.Context, a Act, person string, amount int64, key string) (t Transaction, err error) {
	return s.atDesk(ctx, a, once{deskCaller(a.Actor), key, digest("payout %q %d", person, amount)}, func(ctx context.Context, tx bun.Tx, o once) (Transaction, error) {
		purse, err := purseOf(ctx, tx, person)
		if err != nil {
			return Transaction{}, err
		}
		if amount < 1 || amount > MaxAmount {
			return Transaction{}, refuse(RuleAmount, "pay out at least 1 fen")
		}
		if amount > purse.Available() {
			return Transaction{}, insufficient(purse.Available())
		}
		t := Transaction{Kind: KindPayout, Purse: purse.ID}
		if err := s.postAtDesk(ctx, tx, a, &t, o, into(purse.ID, AccountCash, -amount)); err != nil {
			return t, err
		}
		return t, a.audited(ctx, tx, "payout", person, t)
	})
}

// Reverse takes back a mistake of the actor's own at the desk, of today.
func (s *Store) Reverse(ctx context.Context, a Act, id uuid.UUID, reason, key string) (t Transaction, err error) {
	reason = strings.TrimSpace(reason)
	return s.atDesk(ctx, a, once{deskCaller(a.Actor), key, digest("reversal %s %q", id, reason)}, func(ctx context.Context, tx bun.Tx, o once) (Transaction, error) {
		mistake, err := transactionIn(ctx, tx, id)
		if err != nil {
			return Transaction{}, err
		}
		if refusal := checkReversal(mistake, a, reason); refusal != nil {
			return Transaction{}, refusal
		}
		purse, err := purseIn(ctx, tx, mistake.Purse)
		if err != nil {
			return Transaction{}, err
		}
		if mistake.OnPurse() > purse.Available() {
			return Transaction{}, insufficient(purse.Available())
		}
		t := Transaction{Kind: KindReversal, Purse: purse.ID, Reverses: mistake.ID, Reason: reason}
		if err := s.postAtDesk(ctx, tx, a, &t, o, reversed(mistake.Postings)); err != nil {
			return t, err
		}
		return t, a.audited(ctx, tx, "reversal", purse.Person, t)
	})
}

// atDesk does something once.
func (s *Store) atDesk(ctx context.Context, a Act, o once, do func(ctx context.Context, tx bun.Tx, o once) (Transaction, error)) (t Transaction, err error) {
	if o.key == "" {
		return t, refuse(RuleInvalid, "name an idempotency key")
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		before, ok, err := doneBefore(ctx, tx, o)
		if err != nil || ok {
			t = before
			return err
		}
		t, err = do(ctx, tx, o)
		return err
	})
	return t, err
}

// postAtDesk writes a transaction with the next receipt.
func (s *Store) postAtDesk(ctx context.Context, tx bun.Tx, a Act, t *Transaction, o once, postings []Posting) (err error) {
	if t.Receipt, err = number(ctx, tx, a); err != nil {
		return err
	}
	return post(ctx, tx, a, t, o, postings)
}

// Look is a purse, for staff. That they looked is audited.
func (s *Store) Look(ctx context.Context, a Act, person string) (p Purse, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if p, err = purseOf(ctx, tx, person); err != nil {
			return err
		}
		return a.note(ctx, tx, "purse-view", person, "", nil)
	})
	return p, err
}

// Note audits an act that changes nothing.
func (s *Store) Note(ctx context.Context, a Act, action, object string) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return a.note(ctx, tx, action, "", object, nil) })
}

// Receipt is what happened at the desk, and to whose purse, for staff to print
// again; ErrNotFound of what did not happen there. It is audited.
func (s *Store) Receipt(ctx context.Context, a Act, id uuid.UUID) (t Transaction, p Purse, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if t, err = transactionIn(ctx, tx, id); err != nil {
			return err
		}
		if t.Receipt.Number == 0 {
			return ErrNotFound
		}
		if p, err = purseIn(ctx, tx, t.Purse); err != nil {
			return err
		}
		return a.note(ctx, tx, "receipt-view", p.Person, t.ID.String(), nil)
	})
	return t, p, err
}

// Drawer is what happened to the drawer on a day.
type Drawer struct {
	Day civil.Date
	// Transactions are those that put something in or took something out, the
	// earliest first.
	Transactions []Transaction
	// Kinds and Actors add them up, by kind and by who made them.
	Kinds  []DrawerSum
	Actors []DrawerSum
	// Cash is what must have been added to the drawer, in fen.
	Cash int64
}

// DrawerSum is a part of a Drawer.
type DrawerSum struct {
	// Name is a Kind, or who made the transactions.
	Name    string
	In, Out int64
	Count   int
}

// drawerOf adds up what happened to the drawer on a day.
func drawerOf(day civil.Date, transactions []Transaction) Drawer {
	d := Drawer{Day: day, Transactions: transactions}
	kinds, actors := map[string]*DrawerSum{}, map[string]*DrawerSum{}
	add := func(sums map[string]*DrawerSum, name string, cash int64) {
		if sums[name] == nil {
			sums[name] = &DrawerSum{Name: name}
		}
		sums[name].Count++
		sums[name].In += max(cash, 0)
		sums[name].Out += max(-cash, 0)
	}
	for _, t := range transactions {
		cash := t.Cash()
		d.Cash += cash
		add(kinds, string(t.Kind), cash)
		add(actors, t.Actor, cash)
	}
	for _, k := range Kinds {
		if sum := kinds[string(k)]; sum != nil {
			d.Kinds = append(d.Kinds, *sum)
		}
	}
	for _, sum := range actors {
		d.Actors = append(d.Actors, *sum)
	}
	slices.SortFunc(d.Actors, func(a, b DrawerSum) int { return strings.Compare(a.Name, b.Name) })
	return d
}

// Drawer is what happened to the drawer on a day. That it was looked at is
// audited.
func (s *Store) Drawer(ctx context.Context, a Act, day civil.Date) (Drawer, error) {
	all, err := transactionsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("t.id IN (SELECT transaction_id FROM postings WHERE account = ? AND day = ?)", AccountCash, day.String()).Order("t.at", "t.id")
	})
	if err != nil {
		return Drawer{}, err
	}
	return drawerOf(day, all), s.Note(ctx, a, "day-view", day.String())
}

// PersonsOf are whose purses these are, by ID; nobody's are left out.
func (s *Store) PersonsOf(ctx context.Context, purses []uuid.UUID) (map[uuid.UUID]string, error) {
	persons := map[uuid.UUID]string{}
	for len(purses) > 0 {
		some := purses[:min(len(purses), maxTogether)]
		purses = purses[len(some):]
		var rows []purseRow
		if err := s.db.Reader().NewSelect().Model(&rows).Where("id IN (?)", bun.List(some)).Where("person IS NOT NULL").Scan(ctx); err != nil {
			return nil, fmt.Errorf("reading whose purses they are: %w", err)
		}
		for _, row := range rows {
			persons[row.ID] = *row.Person
		}
	}
	return persons, nil
}

// Statement is what happened to a purse in a month.
type Statement struct {
	Month civil.Month
	// Before and After are the balances at its beginning and end, in fen.
	Before, After int64
	Lines         []StatementLine
}

// StatementLine is a transaction, and what it made of the purse.
type StatementLine struct {
	Transaction
	Amount, Balance int64
}

// Statement is what happened to a purse in a month, the latest first.
func (s *Store) Statement(ctx context.Context, purse uuid.UUID, month civil.Month) (Statement, error) {
	st := Statement{Month: month}
	account := PurseAccount(purse)
	first, last := month.First().String(), month.Last().String()
	err := s.db.Reader().NewRaw("SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM postings WHERE account = ? AND day < ?", account, first).Scan(ctx, &st.Before)
	if err != nil {
		return st, fmt.Errorf("adding up a purse: %w", err)
	}
	all, err := transactionsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("t.id IN (SELECT transaction_id FROM postings WHERE account = ? AND day >= ? AND day <= ?)", account, first, last).Order("t.at", "t.id")
	})
	if err != nil {
		return st, err
	}
	st.After = st.Before
	for _, t := range all {
		amount := t.On(account)
		st.After += amount
		st.Lines = append(st.Lines, StatementLine{Transaction: t, Amount: amount, Balance: st.After})
	}
	slices.Reverse(st.Lines)
	return st, nil
}

// FirstMonth is the month in which somebody's purse was opened, in a zone; empty
// of who has none.
func (s *Store) FirstMonth(ctx context.Context, person string, loc *time.Location) (civil.Month, error) {
	var row purseRow
	err := s.db.Reader().NewSelect().Model(&row).Where("person = ?", person).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading a purse: %w", err)
	}
	return civil.MonthOf(civil.DateOf(time.Unix(row.OpenedAt, 0), loc)), nil
}
