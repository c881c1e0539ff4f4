package canteen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
)

// placeEvery is how often it is looked whether standing orders have something to
// place.
const placeEvery = 30 * time.Second

// placeAhead is for how many days ahead meals may be placed: a cut-off is up to
// a week before the meal, and a meal is placed up to a day before the cut-off.
const placeAhead = 9

// StandingTurn is a day of a standing order for which it is time to do
// something.
type StandingTurn struct {
	Standing
	Day  civil.Date
	Turn Turn
}

// StandingTurns are the days of all standing orders for which something is to be
// done now, those of the oldest standing orders first.
func (s *Store) StandingTurns(ctx context.Context, now time.Time, loc *time.Location) ([]StandingTurn, error) {
	db, first := s.db.Reader(), civil.DateOf(now, loc)
	last := first.AddDays(placeAhead)
	live, err := standingsIn(ctx, db, func(q *bun.SelectQuery) {
		q.Where("ended_at IS NULL AND paused_at IS NULL").Where("first_day <= ?", last.String()).
			Where("last_day = '' OR last_day >= ?", first.String()).Order("id")
	})
	if err != nil || len(live) == 0 {
		return nil, err
	}
	var rows []standingDayRow
	if err := db.NewSelect().Model(&rows).Where("day >= ? AND day <= ?", first.String(), last.String()).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading what was done for standing orders: %w", err)
	}
	type key struct {
		standing uuid.UUID
		day      string
	}
	done := map[key]bool{}
	for _, row := range rows {
		done[key{row.Standing, row.Day}] = true
	}
	canteens, err := s.Canteens(ctx)
	if err != nil {
		return nil, err
	}
	menus, err := s.Menus(ctx, "", first, last, false)
	if err != nil {
		return nil, err
	}
	var turns []StandingTurn
	for _, o := range live {
		i := slices.IndexFunc(canteens, func(c Canteen) bool { return c.Name == o.Canteen })
		if i < 0 {
			continue
		}
		for day := first; day.DaysSince(last) <= 0; day = day.AddDays(1) {
			if done[key{o.ID, day.String()}] {
				continue
			}
			turn := TurnOf(o, canteens[i], menuOf(menus, o.Sitting(day)), now, loc)
			if turn == TurnPlace || turn == TurnMissed {
				turns = append(turns, StandingTurn{o, day, turn})
			}
		}
	}
	return turns, nil
}

// menuOf is the menu of a sitting among others; one that is not published if
// there is none.
func menuOf(menus []Menu, sitting Sitting) Menu {
	i := slices.IndexFunc(menus, func(m Menu) bool { return m.Sitting == sitting })
	if i < 0 {
		return Menu{Sitting: sitting}
	}
	return menus[i]
}

// TakeTurn does for a day of a standing order what is to be done now, and writes
// that it was: in one transaction, so that it is done once whoever else tries
// to, and whatever is stopped in between. The sitting of w is the day's; w says
// who eats and what prices depend on, the standing order and the menu the rest.
// seen is the standing order for which w was made ready: if it was changed
// since, nothing is done. The outcome is empty if there was nothing to do.
func (s *Store) TakeTurn(ctx context.Context, seen Standing, w Wanted) (o Order, outcome Outcome, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		o, outcome = Order{}, ""
		standing, err := standingIn(ctx, tx, seen.ID)
		if errors.Is(err, ErrNotFound) || err == nil && standing.Version != seen.Version {
			return nil
		}
		if err == nil {
			o, outcome, err = s.takeTurn(ctx, tx, standing, w)
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("placing a meal of standing order %s for %s: %w", seen.ID, w.Day, err)
	}
	return o, outcome, err
}

func (s *Store) takeTurn(ctx context.Context, tx bun.Tx, standing Standing, w Wanted) (o Order, outcome Outcome, err error) {
	done, err := standingDaysIn(ctx, tx, standing.ID, w.Day)
	if _, already := done[w.Day]; err != nil || already {
		return o, "", err
	}
	c, err := canteenIn(ctx, tx, standing.Canteen)
	if err != nil {
		return o, "", err
	}
	m, err := menuIn(ctx, tx, standing.Sitting(w.Day))
	if err != nil {
		return o, "", err
	}
	switch turn := TurnOf(standing, c, m, w.Now, w.Location); {
	case turn == TurnMissed && m.PublishedAt.IsZero():
		outcome = OutcomeNoMenu
	case turn == TurnMissed:
		outcome = OutcomeTooLate
	case turn == TurnPlace:
		if o, outcome, err = placeFor(ctx, tx, standing, c, m, w); err != nil {
			return o, "", err
		}
	default:
		return o, "", nil
	}
	row := standingDayRow{Standing: standing.ID, Day: w.Day.String(), Outcome: outcome, At: w.Now.Unix()}
	if o.ID != uuid.Nil {
		row.OrderID = &o.ID
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return o, "", fmt.Errorf("noting what was done: %w", err)
	}
	if outcome == OutcomeOrdered || outcome == OutcomeExisting {
		return o, outcome, nil
	}
	return o, outcome, s.tell(ctx, tx, News{Kind: NewsStandingNot, Order: standing.order(w.Day), Why: outcome, Now: w.Now})
}

// placeFor places a day's order of a standing order, or says why it cannot be.
func placeFor(ctx context.Context, tx bun.Tx, standing Standing, c Canteen, m Menu, w Wanted) (o Order, outcome Outcome, err error) {
	var existing []orderRow
	err = tx.NewSelect().Model(&existing).Where("day = ? AND meal = ? AND eater = ?", w.Day.String(), standing.Meal, standing.Eater).
		Where("state IN (?)", bun.List([]State{StatePlacing, StatePlaced, StateServed})).Scan(ctx)
	if err != nil {
		return o, "", fmt.Errorf("looking for an order of the meal: %w", err)
	}
	if len(existing) > 0 {
		o, err = existing[0].order()
		return o, OutcomeExisting, err
	}
	lines, lack := Choose(m, standing.Dishes)
	if lack != "" {
		return o, outcomeOfLack[lack], nil
	}
	w.Sitting, w.Standing, w.Payment, w.Payer = m.Sitting, standing.ID, standing.Payment, standing.Payer
	w.Content = Content{Lines: lines, Way: standing.Way, Wish: standing.Wish, Home: w.Home}
	// What breaks a rule is found before anything is written, so that it can be
	// noted.
	if refusal := Check(c, m, w.Content, false, w.Now, w.Location); refusal != nil {
		return o, outcomeOfRule(refusal.Rule), nil
	}
	o, err = place(ctx, tx, w, offering{c, m}, "")
	return o, OutcomeOrdered, err
}

// placeStanding does what is to be done for standing orders.
func (s *service) placeStanding(ctx context.Context) {
	turns, err := s.store.StandingTurns(ctx, s.clock.Now(), s.location())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "standing orders were not looked through", "error", err.Error())
	}
	for _, turn := range turns {
		if ctx.Err() != nil {
			return
		}
		if err := s.takeTurn(ctx, turn); err != nil {
			// The next look finds it again.
			s.log.WarnContext(ctx, "a standing order is gone on with later", "standing", turn.ID.String(), "day", turn.Day.String(), "error", err.Error())
		}
	}
}

// takeTurn does for a day of a standing order what is to be done, if who asked
// for it may still order for the eater.
func (s *service) takeTurn(ctx context.Context, turn StandingTurn) error {
	w := Wanted{
		Sitting: turn.Sitting(turn.Day), Eater: turn.Eater, OrderedBy: turn.OrderedBy,
		Tiers: s.spec().Tiers, Now: s.clock.Now(), Location: s.location(),
	}
	if turn.Turn == TurnPlace {
		p, err := s.mayStillOrder(ctx, turn.Standing)
		if errors.Is(err, errNotYours) {
			a := Act{Reach: Reach{Staff: true}, ID: turn.ID, Now: w.Now, Location: w.Location}
			_, err = s.store.EndStanding(ctx, a, EndedNotAllowed)
			return err
		}
		if err != nil {
			return err
		}
		w.Name, w.Phone = p.Name, p.Phone
		if w.Who, err = s.eater(ctx, p); err != nil {
			return err
		}
		w.Way = turn.Way
		if err := s.complete(ctx, p.ID, &w.Content); err != nil {
			return err
		}
	}
	o, outcome, err := s.store.TakeTurn(ctx, turn.Standing, w)
	if err != nil {
		return err
	}
	if outcome == OutcomeOrdered {
		s.metrics.placed.Inc()
		s.quietly(ctx, o)
	}
	return nil
}

// mayStillOrder is the eater of a standing order, or errNotYours if who asked for
// it may not order for them any more.
func (s *service) mayStillOrder(ctx context.Context, o Standing) (identity.Person, error) {
	known, err := s.people.Lookup(ctx, o.OrderedBy)
	if errors.Is(err, identity.ErrNobody) {
		return identity.Person{}, errNotYours
	}
	if err != nil {
		return identity.Person{}, err
	}
	for _, p := range append([]identity.Person{known.Person}, known.For(identity.Order)...) {
		if p.ID == o.Eater {
			return p, nil
		}
	}
	return identity.Person{}, errNotYours
}

// tellStanding tells of a meal that a standing order could not order, or that it
// was ended.
func (s *service) tellStanding(ctx context.Context, tx bun.Tx, n News) error {
	o, loc := n.Order, s.location()
	m := notify.Message{
		At: n.Now, Person: o.Eater, By: o.OrderedBy, Kind: string(n.Kind), About: o.Standing.String() + "/" + o.Day.String(), Link: standingURL(o.Standing),
		Text: map[string]string{}, NotAfter: latest(o.Day.AddDays(1).Noon(loc), n.Now.Add(newsFor)),
	}
	meal, err := mealName(ctx, tx, o.Sitting)
	if err != nil {
		return err
	}
	for lang, v := range s.words() {
		args := []any{"Day", v.Date(o.Day.Noon(loc)), "Meal", meal}
		if n.Kind == NewsStandingEnded {
			m.Text[string(lang)] = v.T("canteen.standing.news.ended", "Meal", meal)
			continue
		}
		m.Text[string(lang)] = v.T("canteen.standing.news."+string(n.Why), args...)
	}
	if n.Kind == NewsStandingEnded {
		m.By, m.Link = "", standingsPath
	}
	if err := notify.Send(ctx, tx, m); err != nil {
		return err
	}
	if n.Kind != NewsStandingEnded || o.OrderedBy == o.Eater || o.OrderedBy == "" {
		return nil
	}
	// Who may not act for the eater any more is told apart.
	m.Person, m.Link = o.OrderedBy, standingsPath
	return notify.Send(ctx, tx, m)
}
