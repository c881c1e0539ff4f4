package canteen

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
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
	TakenOn   *string
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
	if r.TakenOn != nil {
		if o.TakenOn, err = civil.ParseDate(*r.TakenOn); err != nil {
			return o, fmt.Errorf("order %s in the database: %w", r.ID, err)
		}
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
	if o.TakenOn != (civil.Date{}) {
		day := o.TakenOn.String()
		r.TakenOn = &day
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

// keeping keeps an order that is new or was changed.
func (r orderRow) keeping() database.Statement {
	return database.Statement{
		For: "keeping the order",
		Text: "INSERT INTO orders (id, canteen, day, meal, eater, ordered_by, payer, name, phone, payment, lines, way, home, wish, tier, total, subsidy, " +
			"revision, next, state, money, tried_at, code, standing, created_at, updated_at, ended_at, paid_at, taken_on) " +
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET " +
			"eater = EXCLUDED.eater, ordered_by = EXCLUDED.ordered_by, payer = EXCLUDED.payer, name = EXCLUDED.name, phone = EXCLUDED.phone, " +
			"lines = EXCLUDED.lines, way = EXCLUDED.way, home = EXCLUDED.home, wish = EXCLUDED.wish, tier = EXCLUDED.tier, total = EXCLUDED.total, " +
			"subsidy = EXCLUDED.subsidy, revision = EXCLUDED.revision, next = EXCLUDED.next, state = EXCLUDED.state, money = EXCLUDED.money, " +
			"tried_at = EXCLUDED.tried_at, updated_at = EXCLUDED.updated_at, ended_at = EXCLUDED.ended_at, paid_at = EXCLUDED.paid_at, taken_on = EXCLUDED.taken_on",
		Args: []any{r.ID, r.Canteen, r.Day, r.Meal, r.Eater, r.OrderedBy, r.Payer, r.Name, r.Phone, string(r.Payment), r.Lines, string(r.Way), r.Home, r.Wish, r.Tier,
			r.Total, r.Subsidy, r.Revision, r.Next, string(r.State), string(r.Money), r.TriedAt, r.Code, r.Standing, r.CreatedAt, r.UpdatedAt, r.EndedAt, r.PaidAt, r.TakenOn},
	}
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
		Actor: by.Actor, Action: Name + ".orders-view", Each: Name + ".order-listed", Object: sitting.String(), Since: midnight,
	}
	if printed {
		l.Action, l.Each, l.Since = Name+".orders-print", Name+".order-printed", time.Time{}
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
		return audited(ctx, tx, by.Now, Name+".order-view", by.Actor, o)
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
	if _, err := database.Exec(ctx, tx, row.keeping()); err != nil {
		return fmt.Errorf("order %s: %w", o.ID, err)
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

// audited records what staff do with somebody's order. Guests are nobody's
// record.
func audited(ctx context.Context, tx bun.Tx, now time.Time, action, actor string, o Order) error {
	e := audit.Entry{Action: action, Actor: actor, Object: o.ID.String()}
	if !isGuest(o.Eater) {
		e.Person = o.Eater
	}
	return audit.Append(ctx, tx, now, e)
}
