package canteen

import (
	"context"
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

type standingRow struct {
	bun.BaseModel `bun:"table:standing_orders"`

	ID        uuid.UUID `bun:",pk"`
	Canteen   string
	Meal      string
	Eater     string
	OrderedBy string
	Payer     string
	Payment   Payment
	Weekdays  string
	FirstDay  string
	LastDay   string
	Dishes    string
	Way       v1alpha1.Way
	Wish      string
	Since     int64
	CreatedAt int64
	PausedAt  *int64
	EndedAt   *int64
	Ending    Ending
	Version   int
}

type skipRow struct {
	bun.BaseModel `bun:"table:standing_skips"`

	Standing uuid.UUID `bun:",pk"`
	Day      string    `bun:",pk"`
}

type standingDayRow struct {
	bun.BaseModel `bun:"table:standing_days"`

	Standing uuid.UUID `bun:",pk"`
	Day      string    `bun:",pk"`
	Outcome  Outcome
	OrderID  *uuid.UUID
	At       int64
}

func (r standingRow) standing() (Standing, error) {
	o := Standing{
		ID: r.ID, Eater: r.Eater, OrderedBy: r.OrderedBy, Since: time.Unix(r.Since, 0), CreatedAt: time.Unix(r.CreatedAt, 0),
		PausedAt: timeOf(r.PausedAt), EndedAt: timeOf(r.EndedAt), Ending: r.Ending, Version: r.Version,
		StandingTerms: StandingTerms{Canteen: r.Canteen, Meal: r.Meal, Way: r.Way, Wish: r.Wish, Payment: r.Payment, Payer: r.Payer},
	}
	var err error
	if r.LastDay != "" {
		o.Until, err = civil.ParseDate(r.LastDay)
	}
	first, err2 := civil.ParseDate(r.FirstDay)
	o.From = first
	if err := errors.Join(err, err2, json.Unmarshal([]byte(r.Weekdays), &o.Weekdays), json.Unmarshal([]byte(r.Dishes), &o.Dishes)); err != nil {
		return o, fmt.Errorf("standing order %s in the database: %w", r.ID, err)
	}
	return o, nil
}

func standingRowOf(o Standing) (standingRow, error) {
	r := standingRow{
		ID: o.ID, Canteen: o.Canteen, Meal: o.Meal, Eater: o.Eater, OrderedBy: o.OrderedBy, Payer: o.Payer, Payment: o.Payment,
		FirstDay: o.From.String(), Way: o.Way, Wish: o.Wish, Since: o.Since.Unix(), CreatedAt: o.CreatedAt.Unix(),
		PausedAt: unix(o.PausedAt), EndedAt: unix(o.EndedAt), Ending: o.Ending, Version: o.Version,
	}
	if o.Until != (civil.Date{}) {
		r.LastDay = o.Until.String()
	}
	var err error
	if r.Weekdays, err = asJSON(o.Weekdays); err != nil {
		return r, err
	}
	r.Dishes, err = asJSON(o.Dishes)
	return r, err
}

// standingsIn are the standing orders that a query selects, with the days to
// skip.
func standingsIn(ctx context.Context, db bun.IDB, where func(q *bun.SelectQuery)) ([]Standing, error) {
	var rows []standingRow
	q := db.NewSelect().Model(&rows)
	where(q)
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading standing orders: %w", err)
	}
	standings := make([]Standing, len(rows))
	at, ids := map[uuid.UUID]int{}, make([]uuid.UUID, len(rows))
	for i, row := range rows {
		var err error
		if standings[i], err = row.standing(); err != nil {
			return nil, err
		}
		at[row.ID], ids[i] = i, row.ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	var skips []skipRow
	if err := db.NewSelect().Model(&skips).Where("standing IN (?)", bun.List(ids)).Order("standing", "day").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the days to skip: %w", err)
	}
	for _, skip := range skips {
		day, err := civil.ParseDate(skip.Day)
		if err != nil {
			return nil, fmt.Errorf("a day to skip in the database: %w", err)
		}
		i := at[skip.Standing]
		standings[i].Skips = append(standings[i].Skips, day)
	}
	return standings, nil
}

func standingIn(ctx context.Context, db bun.IDB, id uuid.UUID) (Standing, error) {
	found, err := standingsIn(ctx, db, func(q *bun.SelectQuery) { q.Where("id = ?", id) })
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return Standing{}, err
	}
	return found[0], nil
}

func (r Reach) coversStanding(o Standing) bool { return r.Staff || slices.Contains(r.Persons, o.Eater) }

// Standing is a standing order within reach, or ErrNotFound.
func (s *Store) Standing(ctx context.Context, reach Reach, id uuid.UUID) (Standing, error) {
	o, err := standingIn(ctx, s.db.Reader(), id)
	if err == nil && !reach.coversStanding(o) {
		return Standing{}, ErrNotFound
	}
	return o, err
}

// maxStandingListed is how many standing orders are listed at most.
const maxStandingListed = 100

// Standings lists the standing orders of the eaters within reach, the newest
// first.
func (s *Store) Standings(ctx context.Context, reach Reach) ([]Standing, error) {
	return standingsIn(ctx, s.db.Reader(), func(q *bun.SelectQuery) {
		q.Where("eater IN (?)", bun.List(reach.Persons)).Order("id DESC").Limit(maxStandingListed)
	})
}

// SeeStandings lists somebody's standing orders for staff, which is recorded
// before they are shown.
func (s *Store) SeeStandings(ctx context.Context, by By, person string) ([]Standing, error) {
	found, err := s.Standings(ctx, Reach{Persons: []string{person}})
	if err != nil {
		return nil, err
	}
	return found, s.noteStandingSeen(ctx, by, person, person)
}

// SeeStanding is somebody's standing order for staff, which is recorded before
// it is shown.
func (s *Store) SeeStanding(ctx context.Context, by By, id uuid.UUID) (Standing, error) {
	o, err := standingIn(ctx, s.db.Reader(), id)
	if err != nil {
		return o, err
	}
	return o, s.noteStandingSeen(ctx, by, o.Eater, id.String())
}

// noteStandingSeen records that staff look at somebody's standing orders.
func (s *Store) noteStandingSeen(ctx context.Context, by By, person, object string) error {
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".standing-view", Actor: by.Actor, Person: person, Object: object})
	})
	if err != nil {
		return fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return nil
}

// StandingDays are the days from one on for which something was done for a
// standing order, by day.
func (s *Store) StandingDays(ctx context.Context, id uuid.UUID, first civil.Date) (map[civil.Date]StandingDay, error) {
	return standingDaysIn(ctx, s.db.Reader(), id, first)
}

func standingDaysIn(ctx context.Context, db bun.IDB, id uuid.UUID, first civil.Date) (map[civil.Date]StandingDay, error) {
	var rows []standingDayRow
	if err := db.NewSelect().Model(&rows).Where("standing = ? AND day >= ?", id, first.String()).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading what was done for a standing order: %w", err)
	}
	days := map[civil.Date]StandingDay{}
	for _, row := range rows {
		day, err := civil.ParseDate(row.Day)
		if err != nil {
			return nil, fmt.Errorf("a day in the database: %w", err)
		}
		d := StandingDay{Day: day, Outcome: row.Outcome, At: time.Unix(row.At, 0)}
		if row.OrderID != nil {
			d.Order = *row.OrderID
		}
		days[day] = d
	}
	return days, nil
}

// StandingWanted is a standing order that somebody asks for. Its terms must have
// passed CheckStanding.
type StandingWanted struct {
	StandingTerms
	Eater, OrderedBy string
	// Actor is who of the staff asks for it at the counter, for the eater; empty
	// if nobody does.
	Actor string
	// Key is the idempotency key; empty means that every one is another one.
	Key string
	Now time.Time
}

// digest tells standing orders under one key apart.
func (w StandingWanted) digest() (string, error) {
	return digestOf("standing", w.Eater, w.StandingTerms)
}

// AddStanding keeps a standing order. It returns a *Refusal if the eater has too
// many, ErrKeyReused if the key stands for something else. What was done under
// its key is answered as it is now.
func (s *Store) AddStanding(ctx context.Context, w StandingWanted) (o Standing, err error) {
	digest, err := w.digest()
	if err != nil {
		return o, err
	}
	who := w.OrderedBy
	if w.Actor != "" {
		who = w.Actor
	}
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		known, found, err := underKey(ctx, tx, who, w.Key, digest)
		if err != nil {
			return err
		}
		if found {
			o, err = standingIn(ctx, tx, known)
			return err
		}
		if o, err = addStanding(ctx, tx, w); err != nil || w.Key == "" {
			return err
		}
		_, err = database.Exec(ctx, tx, keepingKey(who, w.Key, digest, o.ID, w.Now))
		return err
	})
	return o, err
}

func addStanding(ctx context.Context, tx bun.Tx, w StandingWanted) (o Standing, err error) {
	n, err := tx.NewSelect().Model((*standingRow)(nil)).Where("eater = ? AND ended_at IS NULL", w.Eater).
		Where("last_day = '' OR last_day >= ?", w.From.String()).Count(ctx)
	if err != nil {
		return o, fmt.Errorf("counting standing orders: %w", err)
	}
	if n >= maxStanding {
		return o, refuse(RuleStandingMany, maxStanding, "at most %d standing orders; end one first", maxStanding)
	}
	id, err := newID()
	if err != nil {
		return o, err
	}
	now := time.Unix(w.Now.Unix(), 0)
	o = Standing{ID: id, StandingTerms: w.StandingTerms, Eater: w.Eater, OrderedBy: w.OrderedBy, Since: now, CreatedAt: now, Version: 1}
	row, err := standingRowOf(o)
	if err != nil {
		return o, err
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return o, fmt.Errorf("keeping a standing order: %w", err)
	}
	if w.Actor == "" {
		return o, nil
	}
	return o, auditedStanding(ctx, tx, w.Now, Name+".standing", w.Actor, o)
}

func auditedStanding(ctx context.Context, tx bun.Tx, now time.Time, action, actor string, o Standing) error {
	return audit.Append(ctx, tx, now, audit.Entry{Action: action, Actor: actor, Person: o.Eater, Object: o.ID.String()})
}

// actStanding has f change a standing order within reach, in a transaction.
func (s *Store) actStanding(ctx context.Context, a Act, f func(ctx context.Context, tx bun.Tx, o *Standing) error) (o Standing, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if o, err = standingIn(ctx, tx, a.ID); err != nil {
			return err
		}
		if !a.coversStanding(o) {
			return ErrNotFound
		}
		if err := f(ctx, tx, &o); err != nil {
			return err
		}
		row, err := standingRowOf(o)
		if err != nil {
			return err
		}
		if _, err := tx.NewUpdate().Model(&row).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("keeping standing order %s: %w", o.ID, err)
		}
		o, err = standingIn(ctx, tx, a.ID)
		return err
	})
	return o, err
}

// PauseStanding has a standing order rest until it is resumed. What is ordered
// already stays ordered. Doing it again is no error.
func (s *Store) PauseStanding(ctx context.Context, a Act) (Standing, error) {
	return s.actStanding(ctx, a, func(_ context.Context, _ bun.Tx, o *Standing) error {
		if o.State(civil.DateOf(a.Now, a.Location)) == StandingEnded {
			return errStandingEnded()
		}
		if o.PausedAt.IsZero() {
			o.PausedAt = a.Now
		}
		return nil
	})
}

// ResumeStanding has a standing order go on, for meals whose cut-off is still
// ahead. Doing it again is no error.
func (s *Store) ResumeStanding(ctx context.Context, a Act) (Standing, error) {
	return s.actStanding(ctx, a, func(_ context.Context, _ bun.Tx, o *Standing) error {
		if o.State(civil.DateOf(a.Now, a.Location)) == StandingEnded {
			return errStandingEnded()
		}
		if !o.PausedAt.IsZero() {
			o.PausedAt, o.Since = time.Time{}, a.Now
		}
		return nil
	})
}

// EndStanding ends a standing order for ever. What is ordered already stays
// ordered. Doing it again is no error.
func (s *Store) EndStanding(ctx context.Context, a Act, why Ending) (Standing, error) {
	return s.actStanding(ctx, a, func(ctx context.Context, tx bun.Tx, o *Standing) error {
		if !o.EndedAt.IsZero() {
			return nil
		}
		o.EndedAt, o.Ending = a.Now, why
		switch why {
		case EndedByStaff:
			return auditedStanding(ctx, tx, a.Now, Name+".standing-end", a.Actor, *o)
		case EndedNotAllowed:
			return s.tell(ctx, tx, News{Kind: NewsStandingEnded, Order: o.order(civil.DateOf(a.Now, a.Location)), Now: a.Now})
		}
		return nil
	})
}

// order is what of an order is known before it is made, to tell of.
func (o Standing) order(day civil.Date) Order {
	return Order{Sitting: o.Sitting(day), Eater: o.Eater, OrderedBy: o.OrderedBy, Standing: o.ID}
}

func errStandingEnded() error {
	return refuse(RuleEnded, 0, "the standing order has ended; make a new one")
}

// Skipping is what came of skipping days.
type Skipping struct {
	// Cancelled are the orders that were cancelled by it.
	Cancelled []Order
	// TooLate are days whose cut-off had passed: they stay as they are.
	TooLate []civil.Date
}

// SkipDays has nothing be ordered on some days. What the standing order has
// ordered for them already is cancelled, as its eater could; days whose cut-off
// has passed stay as they are. Skipping a day again is no error.
func (s *Store) SkipDays(ctx context.Context, a Act, days []civil.Date) (o Standing, done Skipping, err error) {
	o, err = s.actStanding(ctx, a, func(ctx context.Context, tx bun.Tx, o *Standing) (err error) {
		done, err = s.skip(ctx, tx, a, *o, days)
		if err == nil && a.Staff {
			err = auditedStanding(ctx, tx, a.Now, Name+".standing-skip", a.Actor, *o)
		}
		return err
	})
	return o, done, err
}

// SetSkips is SkipDays that also has all other days from today on ordered that
// were skipped, as far as their cut-off is ahead.
func (s *Store) SetSkips(ctx context.Context, a Act, days []civil.Date) (o Standing, done Skipping, err error) {
	o, err = s.actStanding(ctx, a, func(ctx context.Context, tx bun.Tx, o *Standing) (err error) {
		if done, err = s.skip(ctx, tx, a, *o, days); err != nil {
			return err
		}
		for _, day := range o.Skips {
			if slices.Contains(days, day) || day.DaysSince(civil.DateOf(a.Now, a.Location)) < 0 {
				continue
			}
			err := wantAgain(ctx, tx, a, *o, day)
			if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Rule == RuleCutOff {
				continue
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return o, done, err
}

func (s *Store) skip(ctx context.Context, tx bun.Tx, a Act, o Standing, days []civil.Date) (done Skipping, err error) {
	if o.State(civil.DateOf(a.Now, a.Location)) == StandingEnded {
		return done, errStandingEnded()
	}
	c, err := canteenIn(ctx, tx, o.Canteen)
	if err != nil {
		return done, err
	}
	meal, ok := c.Meal(o.Meal)
	if !ok {
		return done, refuse(RuleUnknownSitting, 0, "the canteen has no such meal any more; end the standing order")
	}
	made, err := standingDaysIn(ctx, tx, o.ID, civil.DateOf(a.Now, a.Location))
	if err != nil {
		return done, err
	}
	for _, day := range days {
		if !o.Covers(day) || o.Skipped(day) {
			continue
		}
		if !a.Now.Before(TimesOf(meal, day, a.Location).CutOff) {
			done.TooLate = append(done.TooLate, day)
			continue
		}
		if _, err := tx.NewInsert().Model(&skipRow{Standing: o.ID, Day: day.String()}).On("CONFLICT DO NOTHING").Exec(ctx); err != nil {
			return done, fmt.Errorf("keeping a day to skip: %w", err)
		}
		cancelled, err := s.cancelSkipped(ctx, tx, a, made[day])
		if err != nil {
			return done, err
		}
		done.Cancelled = append(done.Cancelled, cancelled...)
	}
	return done, nil
}

// cancelSkipped cancels the order that was made for a day, if there is one.
func (s *Store) cancelSkipped(ctx context.Context, tx bun.Tx, a Act, made StandingDay) ([]Order, error) {
	if made.Outcome != OutcomeOrdered || made.Order == uuid.Nil {
		return nil, nil
	}
	order, err := orderIn(ctx, tx, made.Order)
	if errors.Is(err, ErrNotFound) || err == nil && !order.State.Live() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	order.UpdatedAt = time.Unix(a.Now.Unix(), 0)
	if err := s.cancel(ctx, tx, a, &order); err != nil {
		return nil, err
	}
	return []Order{order}, keep(ctx, tx, order)
}

// WantAgain takes back that a day is skipped, and has it ordered again if what
// came of it was no meal: the order was cancelled or refused, or could not be
// made. It is possible until the cut-off.
func (s *Store) WantAgain(ctx context.Context, a Act, days []civil.Date) (Standing, error) {
	return s.actStanding(ctx, a, func(ctx context.Context, tx bun.Tx, o *Standing) error {
		if o.State(civil.DateOf(a.Now, a.Location)) == StandingEnded {
			return errStandingEnded()
		}
		if a.Staff {
			if err := auditedStanding(ctx, tx, a.Now, Name+".standing-skip", a.Actor, *o); err != nil {
				return err
			}
		}
		for _, day := range days {
			if err := wantAgain(ctx, tx, a, *o, day); err != nil {
				return err
			}
		}
		return nil
	})
}

func wantAgain(ctx context.Context, tx bun.Tx, a Act, o Standing, day civil.Date) error {
	if err := beforeCutOff(ctx, tx, o.order(day), a); err != nil {
		return err
	}
	if _, err := tx.NewDelete().Model((*skipRow)(nil)).Where("standing = ? AND day = ?", o.ID, day.String()).Exec(ctx); err != nil {
		return fmt.Errorf("taking back a day to skip: %w", err)
	}
	made, err := standingDaysIn(ctx, tx, o.ID, day)
	if err != nil {
		return err
	}
	if order := made[day].Order; order != uuid.Nil {
		order, err := orderIn(ctx, tx, order)
		if err == nil && (order.State.Live() || order.State == StateServed) {
			return nil // there is a meal
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	if _, err := tx.NewDelete().Model((*standingDayRow)(nil)).Where("standing = ? AND day = ?", o.ID, day.String()).Exec(ctx); err != nil {
		return fmt.Errorf("having a day ordered again: %w", err)
	}
	return nil
}
