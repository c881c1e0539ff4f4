package canteen

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
)

type orderRow struct {
	bun.BaseModel `bun:"table:orders"`

	ID        uuid.UUID `bun:",pk"`
	Canteen   string
	Day       string
	Meal      string
	Eater     string
	OrderedBy string
	Payer     string
	Name      string
	Phone     string
	Payment   Payment
	Lines     string
	Way       v1alpha1.Way
	Home      string
	Wish      string
	Tier      string
	Total     int64
	Subsidy   int64
	Revision  int
	Next      *string
	State     State
	Money     Money
	TriedAt   int64
	Code      string
	Standing  *uuid.UUID
	CreatedAt int64
	UpdatedAt int64
	EndedAt   *int64
	PaidAt    *int64
}

func (r orderRow) order() (Order, error) {
	sitting, err := sittingOf(r.Canteen, r.Day, r.Meal)
	if err != nil {
		return Order{}, err
	}
	o := Order{
		ID: r.ID, Sitting: sitting, Eater: r.Eater, OrderedBy: r.OrderedBy, Payer: r.Payer, Name: r.Name, Phone: r.Phone,
		Payment: r.Payment, Revision: r.Revision, State: r.State, Money: r.Money, Code: r.Code,
		CreatedAt: time.Unix(r.CreatedAt, 0), UpdatedAt: time.Unix(r.UpdatedAt, 0), EndedAt: timeOf(r.EndedAt), PaidAt: timeOf(r.PaidAt),
	}
	if r.Standing != nil {
		o.Standing = *r.Standing
	}
	o.Content = Content{Way: r.Way, Wish: r.Wish, Quote: Quote{Tier: r.Tier, Total: r.Total, Subsidy: r.Subsidy}}
	if r.Next != nil {
		o.Next = &Content{}
		err = json.Unmarshal([]byte(*r.Next), o.Next)
	}
	if err := errors.Join(err, json.Unmarshal([]byte(r.Lines), &o.Lines), json.Unmarshal([]byte(r.Home), &o.Home)); err != nil {
		return o, fmt.Errorf("order %s in the database: %w", r.ID, err)
	}
	return o, nil
}

func orderRowOf(o Order) (orderRow, error) {
	r := orderRow{
		ID: o.ID, Canteen: o.Canteen, Day: o.Day.String(), Meal: o.Meal, Eater: o.Eater, OrderedBy: o.OrderedBy, Payer: o.Payer,
		Name: o.Name, Phone: o.Phone, Payment: o.Payment, Way: o.Way, Wish: o.Wish, Tier: o.Tier, Total: o.Total, Subsidy: o.Subsidy,
		Revision: o.Revision, State: o.State, Money: o.Money, TriedAt: o.UpdatedAt.Unix(), Code: o.Code,
		CreatedAt: o.CreatedAt.Unix(), UpdatedAt: o.UpdatedAt.Unix(), EndedAt: unix(o.EndedAt), PaidAt: unix(o.PaidAt),
	}
	if o.Standing != uuid.Nil {
		r.Standing = &o.Standing
	}
	var err error
	if r.Lines, err = asJSON(o.Lines); err != nil {
		return r, err
	}
	if r.Home, err = asJSON(o.Home); err != nil {
		return r, err
	}
	if o.Next != nil {
		next, err := asJSON(o.Next)
		if err != nil {
			return r, err
		}
		r.Next = &next
	}
	return r, nil
}

func ordersOf(rows []orderRow) ([]Order, error) {
	orders := make([]Order, len(rows))
	for i, row := range rows {
		var err error
		if orders[i], err = row.order(); err != nil {
			return nil, err
		}
	}
	return orders, nil
}

// Reach says whose orders somebody may see and change.
type Reach struct {
	// Actor is who acts.
	Actor string
	// Persons are those for whom the actor may order, the actor among them.
	Persons []string
	// Staff may act for everybody.
	Staff bool
}

func (r Reach) covers(o Order) bool { return r.Staff || slices.Contains(r.Persons, o.Eater) }

// Act is what somebody does with an order, when and where.
type Act struct {
	Reach
	ID       uuid.UUID
	Now      time.Time
	Location *time.Location
}

// Wanted is an order that somebody asks for.
type Wanted struct {
	Sitting
	Eater, OrderedBy, Payer string
	Name, Phone             string
	Payment                 Payment
	// Content has no prices yet.
	Content
	Standing uuid.UUID
	// Who and Tiers are what the price depends on.
	Who   Eater
	Tiers []v1alpha1.Tier
	// Staff orders for somebody at the counter.
	Staff bool
	// Key is the idempotency key; empty means that every order is another one.
	Key      string
	Now      time.Time
	Location *time.Location
}

// digest tells orders under one key apart.
func (w Wanted) digest() (string, error) {
	eater := w.Eater
	if isGuest(eater) {
		eater = w.Name // a guest has another ID each time
	}
	text, err := asJSON([]any{w.Sitting, eater, w.Payer, w.Payment, w.Lines, w.Way, w.Wish})
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:]), err
}

type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency"`

	Person    string
	Key       string
	Request   string
	Result    uuid.UUID
	CreatedAt int64
}

// Place takes the portions of an order and keeps it: placed, if nothing is to
// be held in a purse, or else asking the purse. It returns a *Refusal if the
// order breaks a rule, ErrKeyReused if the key stands for another one. What was
// done under its key is answered with the order as it is now, and replayed is
// true.
func (s *Store) Place(ctx context.Context, w Wanted) (o Order, replayed bool, err error) {
	digest, err := w.digest()
	if err != nil {
		return o, false, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var known idempotencyRow
		replayed = false
		if w.Key != "" {
			err := tx.NewSelect().Model(&known).Where("person = ? AND key = ?", w.OrderedBy, w.Key).Scan(ctx)
			if err == nil && known.Request != digest {
				return ErrKeyReused
			}
			if err == nil {
				replayed = true
				o, err = orderIn(ctx, tx, known.Result)
				return err
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if o, err = place(ctx, tx, w); err != nil || w.Key == "" {
			return err
		}
		known = idempotencyRow{Person: w.OrderedBy, Key: w.Key, Request: digest, Result: o.ID, CreatedAt: w.Now.Unix()}
		_, err = tx.NewInsert().Model(&known).Exec(ctx)
		return err
	})
	if database.IsUnique(err) {
		err = refuse(RuleOrdered, 0, "there is an order for this meal already; change that one")
	}
	return o, replayed, err
}

func place(ctx context.Context, tx bun.Tx, w Wanted) (o Order, err error) {
	c, err := canteenIn(ctx, tx, w.Canteen)
	if errors.Is(err, ErrNotFound) || err == nil && c.retired {
		return o, refuse(RuleUnknownSitting, 0, "there is no canteen %q", w.Canteen)
	}
	if err != nil {
		return o, err
	}
	m, err := menuIn(ctx, tx, w.Sitting)
	if err != nil {
		return o, err
	}
	if refusal := Check(c, m, w.Content, w.Staff, w.Now, w.Location); refusal != nil {
		return o, refusal
	}
	w.Lines = priced(m, w.Lines)
	w.Quote = Price(w.Tiers, w.Who, w.Day, w.Lines)
	if err := take(ctx, tx, w.Sitting, w.Lines); err != nil {
		return o, err
	}
	id, err := newID()
	if err != nil {
		return o, err
	}
	code, err := newCode()
	if err != nil {
		return o, err
	}
	now := time.Unix(w.Now.Unix(), 0)
	o = Order{
		ID: id, Sitting: w.Sitting, Eater: w.Eater, OrderedBy: w.OrderedBy, Payer: w.Payer, Name: w.Name, Phone: w.Phone,
		Payment: w.Payment, Content: w.Content, Revision: 1, State: StatePlaced, Code: code, Standing: w.Standing,
		CreatedAt: now, UpdatedAt: now,
	}
	if o.Payment == PayPurse {
		o.State, o.Money, o.Next = StatePlacing, MoneyHolding, &w.Content
	}
	row, err := orderRowOf(o)
	if err != nil {
		return o, err
	}
	_, err = tx.NewInsert().Model(&row).Exec(ctx)
	if err == nil && w.Staff {
		err = audited(ctx, tx, w.Now, "canteen-order", w.OrderedBy, o)
	}
	return o, err
}

// audited records what staff do with somebody's order. Guests are nobody's
// record.
func audited(ctx context.Context, tx bun.Tx, now time.Time, action, actor string, o Order) error {
	e := audit.Entry{Action: action, Actor: actor, Object: o.ID.String()}
	if !isGuest(o.Eater) {
		e.Person = o.Eater
	}
	return audit.Append(ctx, tx, now, e)
}

// newCode is what is said when a meal is picked up: four digits, read out
// easily. It proves nothing to a machine; the kitchen sees the name too.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(10_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%04d", n), nil
}

// take takes portions of dishes of a sitting, or gives back those of lines with
// less than none. It returns a *Refusal if there are not enough.
func take(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line) error {
	for _, l := range lines {
		result, err := tx.NewUpdate().Model((*itemRow)(nil)).Set("taken = taken + ?", l.Portions).
			Where("canteen = ? AND day = ? AND meal = ? AND dish = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal, idOf(l.Dish)).
			Where("taken + ? <= stock", l.Portions).Exec(ctx)
		if err != nil {
			return fmt.Errorf("taking portions: %w", err)
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		if n == 1 {
			continue
		}
		var left int64
		err = tx.NewSelect().Model((*itemRow)(nil)).ColumnExpr("stock - taken").
			Where("canteen = ? AND day = ? AND meal = ? AND dish = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal, idOf(l.Dish)).Scan(ctx, &left)
		if err != nil {
			return fmt.Errorf("looking how many portions are left: %w", err)
		}
		return &Refusal{Rule: RuleSoldOut, Dish: l.Dish, Limit: left, Text: fmt.Sprintf("only %d portions of a dish are left", left)}
	}
	return nil
}

// giveBack gives back the portions of lines.
func giveBack(ctx context.Context, tx bun.Tx, sitting Sitting, lines []Line) error {
	return take(ctx, tx, sitting, delta(lines, nil))
}

func orderIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Order, error) {
	var row orderRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Order{}, ErrNotFound
	}
	if err != nil {
		return Order{}, fmt.Errorf("reading order %s: %w", id, err)
	}
	return row.order()
}

// Order is an order within reach, or ErrNotFound.
func (s *Store) Order(ctx context.Context, reach Reach, id uuid.UUID) (Order, error) {
	o, err := orderIn(ctx, s.db.Reader(), id)
	if err == nil && !reach.covers(o) {
		return Order{}, ErrNotFound
	}
	return o, err
}

// Orders lists up to limit orders of the eaters within reach: those of meals
// from a day on, the earliest first, or of those before, the latest first.
func (s *Store) Orders(ctx context.Context, reach Reach, today civil.Date, past bool, limit int) ([]Order, error) {
	var rows []orderRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("eater IN (?)", bun.List(reach.Persons)).Where("state <> ?", StateRefused).Limit(int64(limit))
	if past {
		q.Where("day < ?", today.String()).Order("day DESC", "id DESC")
	} else {
		q.Where("day >= ?", today.String()).Order("day", "id")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing orders: %w", err)
	}
	return ordersOf(rows)
}

// OrdersOf are all orders of a sitting that are for the kitchen: placed, served
// and missed ones, by name.
func (s *Store) OrdersOf(ctx context.Context, sitting Sitting) ([]Order, error) {
	var rows []orderRow
	err := s.db.Reader().NewSelect().Model(&rows).
		Where("canteen = ? AND day = ? AND meal = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal).
		Where("state IN (?)", bun.List([]State{StatePlaced, StateServed, StateMissed})).Order("name", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the orders of a meal: %w", err)
	}
	return ordersOf(rows)
}

// Look is OrdersOf for staff, which is recorded before they are shown: for
// everybody in the list once a day for each who looks, and each time for a list
// that is made to be printed.
func (s *Store) Look(ctx context.Context, by By, sitting Sitting, printed bool, loc *time.Location) ([]Order, error) {
	orders, err := s.OrdersOf(ctx, sitting)
	if err != nil {
		return nil, err
	}
	midnight, _ := civil.DateOf(by.Now, loc).Bounds(loc)
	l := audit.Look{
		Actor: by.Actor, Action: "canteen-orders-view", Each: "canteen-order-listed", Object: sitting.String(), Since: midnight,
	}
	if printed {
		l.Action, l.Each, l.Since = "canteen-orders-print", "canteen-order-printed", time.Time{}
	}
	for _, o := range orders {
		if !isGuest(o.Eater) {
			l.People = append(l.People, o.Eater)
		}
	}
	return orders, audit.NoteLook(ctx, s.db, by.Now, l)
}

// See is an order for staff, which is recorded before it is shown.
func (s *Store) See(ctx context.Context, by By, id uuid.UUID) (Order, error) {
	o, err := orderIn(ctx, s.db.Reader(), id)
	if err != nil {
		return o, err
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		return audited(ctx, tx, by.Now, "canteen-order-view", by.Actor, o)
	})
	if err != nil {
		return Order{}, fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return o, nil
}

// Progress is how far a meal's orders have come.
type Progress struct{ Open, Served, Missed int }

// Progress counts the orders of the meals of some days, by sitting.
func (s *Store) Progress(ctx context.Context, first, last civil.Date) (map[Sitting]Progress, error) {
	var rows []struct {
		Canteen, Day, Meal string
		State              State
		Orders             int
	}
	err := s.db.Reader().NewSelect().Model((*orderRow)(nil)).ColumnExpr("canteen, day, meal, state, COUNT(*) AS orders").
		Where("day >= ? AND day <= ?", first.String(), last.String()).GroupExpr("1, 2, 3, 4").Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("counting orders: %w", err)
	}
	progress := map[Sitting]Progress{}
	for _, row := range rows {
		sitting, err := sittingOf(row.Canteen, row.Day, row.Meal)
		if err != nil {
			return nil, err
		}
		p := progress[sitting]
		switch row.State {
		case StatePlacing, StatePlaced:
			p.Open += row.Orders
		case StateServed:
			p.Served += row.Orders
		case StateMissed:
			p.Missed += row.Orders
		}
		progress[sitting] = p
	}
	return progress, nil
}

// keep writes what has become of an order.
func keep(ctx context.Context, tx bun.Tx, o Order) error {
	row, err := orderRowOf(o)
	if err != nil {
		return err
	}
	if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
		return fmt.Errorf("keeping order %s: %w", o.ID, err)
	}
	return nil
}

// act has f change an order within reach, in a transaction.
func (s *Store) act(ctx context.Context, a Act, f func(ctx context.Context, tx bun.Tx, o *Order) error) (o Order, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if o, err = orderIn(ctx, tx, a.ID); err != nil {
			return err
		}
		if !a.covers(o) {
			return ErrNotFound
		}
		o.UpdatedAt = time.Unix(a.Now.Unix(), 0)
		if err := f(ctx, tx, &o); err != nil {
			return err
		}
		return keep(ctx, tx, o)
	})
	return o, err
}

// errBusy refuses to change an order while the purse is asked about it.
func errBusy() error {
	return refuse(RuleBusy, 0, "the purse is still being asked about the order; try again in a moment")
}

// Change asks for another content of an order. The price is that of the eater's
// tier, at the prices of the menu as it is now. What costs more or less is held
// in the purse first; until then the order stays as it was.
func (s *Store) Change(ctx context.Context, a Act, want Content, who Eater, tiers []v1alpha1.Tier) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.Next != nil {
			return errBusy()
		}
		if o.State != StatePlaced || !slices.Contains([]Money{MoneyNone, MoneyHeld}, o.Money) || !o.PaidAt.IsZero() {
			return refuse(RuleEnded, 0, "the order is %s and cannot be changed", o.State)
		}
		c, err := canteenIn(ctx, tx, o.Canteen)
		if err != nil {
			return err
		}
		m, err := menuIn(ctx, tx, o.Sitting)
		if err != nil {
			return err
		}
		if refusal := Check(c, m, want, a.Staff, a.Now, a.Location); refusal != nil {
			return refusal
		}
		want.Lines = priced(m, want.Lines)
		want.Quote = Price(tiers, who, o.Day, want.Lines)
		change := delta(o.Lines, want.Lines)
		if err := take(ctx, tx, o.Sitting, rises(change)); err != nil {
			return err
		}
		o.Revision++
		if o.Payment == PayPurse && want.Pays() != o.Pays() {
			o.Next, o.Money = &want, MoneyHolding
		} else {
			if err := take(ctx, tx, o.Sitting, falls(change)); err != nil {
				return err
			}
			o.Content = want
		}
		if a.Staff {
			return audited(ctx, tx, a.Now, "canteen-order-change", a.Actor, *o)
		}
		return nil
	})
}

// Answered takes what the purse says to the content that it was asked about
// under a revision: it is held, or there is too little. To say it again is no
// error.
func (s *Store) Answered(ctx context.Context, id uuid.UUID, revision int, held bool, now time.Time) (Order, error) {
	return s.act(ctx, Act{Reach: Reach{Staff: true}, ID: id, Now: now}, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.Next == nil || o.Revision != revision {
			return nil
		}
		change := delta(o.Lines, o.Next.Lines)
		first := o.State == StatePlacing
		if first {
			change = delta(nil, o.Next.Lines)
		}
		switch {
		case held:
			if err := take(ctx, tx, o.Sitting, falls(change)); err != nil {
				return err
			}
			o.Content, o.State, o.Money = *o.Next, StatePlaced, MoneyHeld
		default:
			if err := giveBack(ctx, tx, o.Sitting, rises(change)); err != nil {
				return err
			}
			o.Money = MoneyHeld
			if first {
				o.State, o.Money, o.EndedAt = StateRefused, MoneyNone, o.UpdatedAt
			}
		}
		o.Next = nil
		return nil
	})
}

// Cancel cancels an order and gives its portions back. Residents can until the
// cut-off, staff as long as it was not served; what was paid is given back.
// Cancelling again is no error.
func (s *Store) Cancel(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.State == StateCancelled || o.State == StateRefused {
			return nil
		}
		if o.Next != nil {
			return errBusy()
		}
		if o.State != StatePlaced {
			return refuse(RuleEnded, 0, "the order is %s and cannot be cancelled", o.State)
		}
		if !a.Staff {
			if err := beforeCutOff(ctx, tx, *o, a); err != nil {
				return err
			}
		}
		if err := giveBack(ctx, tx, o.Sitting, o.Lines); err != nil {
			return err
		}
		o.State, o.EndedAt = StateCancelled, o.UpdatedAt
		switch o.Money {
		case MoneyHeld:
			o.Money = MoneyRelease
		case MoneyCapture, MoneyCaptured, MoneySale, MoneySold:
			// What is not taken yet is taken first, and then given back: the
			// ledger tells what has happened.
			o.Money = MoneyRefund
		}
		if !a.Staff {
			return nil
		}
		if err := audited(ctx, tx, a.Now, "canteen-order-cancel", a.Actor, *o); err != nil || a.Actor == o.Eater {
			return err
		}
		return s.tell(ctx, tx, News{Kind: NewsCancelled, Order: *o, Now: a.Now})
	})
}

func beforeCutOff(ctx context.Context, tx bun.Tx, o Order, a Act) error {
	c, err := canteenIn(ctx, tx, o.Canteen)
	if err != nil {
		return err
	}
	meal, ok := c.Meal(o.Meal)
	if !ok {
		return refuse(RuleUnknownSitting, 0, "the canteen has no such meal any more; ask the staff")
	}
	if cutOff := TimesOf(meal, o.Day, a.Location).CutOff; !a.Now.Before(cutOff) {
		return refuse(RuleCutOff, cutOff.Unix(), "orders could be changed until %s", cutOff.In(a.Location).Format(time.DateTime))
	}
	return nil
}

// Serve ticks an order off: it was handed out. Doing it again is no error.
func (s *Store) Serve(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		switch {
		case o.State == StateServed:
			return nil
		case o.Next != nil:
			return errBusy()
		case o.State != StatePlaced && o.State != StateMissed:
			return refuse(RuleEnded, 0, "the order is %s and cannot be handed out", o.State)
		}
		o.State, o.EndedAt = StateServed, o.UpdatedAt
		if o.Payment == PayCounter && o.Pays() == 0 && o.PaidAt.IsZero() {
			o.PaidAt, o.Money = o.UpdatedAt, MoneySale // the subsidy is to be entered all the same
		}
		return audited(ctx, tx, a.Now, "canteen-order-serve", a.Actor, *o)
	})
}

// Unserve takes back that an order was ticked off by mistake.
func (s *Store) Unserve(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		if o.State != StateServed {
			return nil
		}
		o.State, o.EndedAt = StatePlaced, time.Time{}
		return audited(ctx, tx, a.Now, "canteen-order-unserve", a.Actor, *o)
	})
}

// Pay notes that an order was paid at the counter. Doing it again is no error.
func (s *Store) Pay(ctx context.Context, a Act) (Order, error) {
	return s.act(ctx, a, func(ctx context.Context, tx bun.Tx, o *Order) error {
		switch {
		case !o.PaidAt.IsZero():
			return nil
		case o.Payment != PayCounter && o.Money != MoneyLost:
			return refuse(RuleEnded, 0, "the order is paid from a purse")
		case o.State != StatePlaced && o.State != StateServed:
			return refuse(RuleEnded, 0, "the order is %s and cannot be paid", o.State)
		}
		o.PaidAt, o.Money = o.UpdatedAt, MoneySale
		return audited(ctx, tx, a.Now, "canteen-order-pay", a.Actor, *o)
	})
}
