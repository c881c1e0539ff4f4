package booking

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// How many days the page of a venue's day offers at a time, and that of its
// week shows.
const (
	stripDays = 8
	weekDays  = 7
)

// venueView is what the pages of a venue's day and week have in common.
type venueView struct {
	Venue Venue
	trail
	// Date is the day that is shown, or with which the week begins.
	Date Date
	// Changing is the booking that gets another time, or nil.
	Changing *Booking
	// Mine are the bookings at the venue of the reader and of those for whom
	// the reader acts.
	Mine      []Booking
	Household household
	Now       time.Time
}

// venueView prepares what a venue's pages have in common.
func (s *service) venueView(r *http.Request) (p venueView, err error) {
	ctx, now := r.Context(), s.clock.Now()
	p.Now = now
	if p.Venue, err = s.store.Venue(ctx, r.PathValue("venue"), now); err != nil {
		return p, err
	}
	if p.trail, err = trailOf(r.URL.Query()); err != nil {
		return p, err
	}
	if len(p.Venue.Attendants) == 0 {
		p.Place = 0
	} else if p.Place != 0 && !p.Venue.hasPlace(p.Place) {
		return p, ErrNotFound
	}
	p.Household = s.household(ctx)
	if len(p.Household) == 0 {
		p.For = ""
		return p, nil
	}
	if p.Change != uuid.Nil {
		b, err := s.store.Booking(ctx, s.reach(ctx), p.Change)
		if err != nil {
			return p, err
		}
		if b.Venue != p.Venue.Name || b.State != StateBooked && b.State != StateRequested {
			return p, ErrNotFound
		}
		p.Changing = &b
	}
	mine, err := s.store.Bookings(ctx, s.reach(ctx), Upcoming, Cursor{}, maxMine, now)
	p.Mine = slices.DeleteFunc(mine, func(b Booking) bool { return b.Venue != p.Venue.Name })
	return p, err
}

// maxMine is how many of a reader's next bookings are looked for among a
// venue's slots.
const maxMine = 100

// at is the reader's booking during a span, or nil.
func (p venueView) at(s Slot) *Booking {
	for i, b := range p.Mine {
		if b.Overlaps(s) {
			return &p.Mine[i]
		}
	}
	return nil
}

// dayOf puts together a day of the venue, or of the attendant who is wanted,
// as it is for the reader: what a booking holds that gets another time is free.
func (p venueView) dayOf(date Date, now time.Time, loc *time.Location, taken []Taken) Day {
	if c := p.Changing; c != nil {
		taken = slices.DeleteFunc(slices.Clone(taken), func(t Taken) bool { return t.Place == c.Place && t.Start.Equal(c.Start) })
	}
	return DayOf(p.Venue.only(p.Place), date, now, loc, taken)
}

// href is where a slot leads: to be booked or waited for, to the reader's own
// booking, or nowhere.
func (p venueView) href(o Offer, loc *time.Location) string {
	mine := p.at(o.Slot)
	switch {
	case o.State == SlotFree:
		return p.orderURL(p.Venue.Name, o.Start.In(loc))
	case mine != nil && p.Changing == nil:
		return bookingURL(mine.ID)
	case o.State == SlotFull && p.Changing == nil:
		return p.orderURL(p.Venue.Name, o.Start.In(loc))
	}
	return ""
}

// only is the venue as if there was but one of its attendants; 0 leaves it as
// it is.
func (v Venue) only(place int) Venue {
	if place == 0 {
		return v
	}
	v.Attendants = slices.DeleteFunc(slices.Clone(v.Attendants), func(a Attendant) bool { return a.Place != place })
	v.Closures = slices.DeleteFunc(slices.Clone(v.Closures), func(c Closure) bool { return c.Place != 0 && c.Place != place })
	return v
}

// presence is when an attendant is there on a day.
type presence struct {
	Attendant
	// Spans are in order and apart from each other; none if the attendant is away.
	Spans []Slot
}

// attendance is who is there on a day, and when.
func (d Day) attendance(v Venue) []presence {
	var all []presence
	for _, a := range v.Attendants {
		one := presence{Attendant: a}
		for _, slot := range d.Venue.Slots(d.Date, d.loc) {
			if d.Refusal != nil || v.only(a.Place).checkPlaces(0, slot, d.loc) != nil {
				continue
			}
			if n := len(one.Spans); n > 0 && one.Spans[n-1].End.Equal(slot.Start) {
				one.Spans[n-1].End = slot.End
			} else {
				one.Spans = append(one.Spans, slot)
			}
		}
		all = append(all, one)
	}
	return all
}

// dayView is what the page of a venue's day shows.
type dayView struct {
	venueView
	Day Day
	// Strip are the days around the one that is shown; Before and After are
	// where the strip goes on, or nil.
	Strip         []stripDay
	Before, After *Date
	// Next is the next day that is open, or nil.
	Next *Date
	// Attendance is who is there that day.
	Attendance []presence
	// Closures are those of that day which have not ended.
	Closures []Closure
}

type stripDay struct {
	Date  Date
	Today bool
	// Open is false on days when nothing can be booked.
	Open bool
}

func (s *service) dayPage(w http.ResponseWriter, r *http.Request) {
	if s.mustSignIn(w, r) {
		return
	}
	p, err := s.dayView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dayPage(s.pages.View(r), p))
}

// mustSignIn sends away who wants to change the time of a booking, and is not
// signed in any more.
func (s *service) mustSignIn(w http.ResponseWriter, r *http.Request) bool {
	_, signedIn := identity.FromContext(r.Context())
	if signedIn || !r.URL.Query().Has("change") {
		return false
	}
	signInFor(w, r, r.URL.RequestURI())
	return true
}

// chosenDay is the day that was asked for, else the first one that is open.
func (s *service) chosenDay(v Venue, text string) (Date, error) {
	if text != "" {
		date, err := ParseDate(text)
		if err != nil {
			return date, ErrNotFound
		}
		return date, nil
	}
	if d, ok := v.FirstOpen(s.today(), s.clock.Now(), s.location()); ok {
		return d, nil
	}
	return s.today(), nil
}

func (s *service) dayView(r *http.Request) (p dayView, err error) {
	if p.venueView, err = s.venueView(r); err != nil {
		return p, err
	}
	now, loc, today := s.clock.Now(), s.location(), s.today()
	if p.Date, err = s.chosenDay(p.Venue, r.URL.Query().Get("date")); err != nil {
		return p, err
	}
	taken, err := s.takenInARow(r.Context(), p.Venue, p.Date, 1)
	if err != nil {
		return p, err
	}
	p.Day = p.dayOf(p.Date, now, loc, taken[0])
	p.Attendance = p.Day.attendance(p.Venue)
	from, to := p.Date.Bounds(loc)
	for _, c := range p.Venue.only(p.Place).Closures {
		if c.Overlaps(Slot{from, to}) && p.Day.Refusal == nil {
			p.Closures = append(p.Closures, c)
		}
	}

	last := p.Venue.LastDay(now, loc)
	// Strips are counted from today, so that the strip stays put while one
	// goes from day to day.
	shown := min(max(p.Date.DaysSince(today), 0), last.DaysSince(today))
	first := today.AddDays(shown / stripDays * stripDays)
	for i := range stripDays {
		d := first.AddDays(i)
		if d.DaysSince(last) > 0 {
			break
		}
		p.Strip = append(p.Strip, stripDay{Date: d, Today: d == today, Open: p.Venue.checkDay(d, false, now, loc) == nil})
	}
	if first != today {
		d := first.AddDays(-1)
		p.Before = &d
	}
	if d := first.AddDays(stripDays); d.DaysSince(last) <= 0 {
		p.After = &d
	}
	next := today
	if p.Date.DaysSince(today) >= 0 {
		next = p.Date.AddDays(1)
	}
	if d, ok := p.Venue.FirstOpen(next, now, loc); ok {
		p.Next = &d
	}
	return p, nil
}

// weekView is what the page of a venue's week shows.
type weekView struct {
	venueView
	Days []Day
	// Before and After are where the weeks beside this one begin, or nil.
	Before, After *Date
}

func (s *service) weekPage(w http.ResponseWriter, r *http.Request) {
	if s.mustSignIn(w, r) {
		return
	}
	p, err := s.weekView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, weekPage(s.pages.View(r), p))
}

// weekView prepares the week with the day that was asked for. Weeks are
// counted from today, so that none is over in part.
func (s *service) weekView(r *http.Request) (p weekView, err error) {
	if p.venueView, err = s.venueView(r); err != nil {
		return p, err
	}
	now, loc, today := s.clock.Now(), s.location(), s.today()
	date, err := s.chosenDay(p.Venue, r.URL.Query().Get("date"))
	if err != nil {
		return p, err
	}
	last := p.Venue.LastDay(now, loc)
	shown := min(max(date.DaysSince(today), 0), last.DaysSince(today))
	p.Date = today.AddDays(shown / weekDays * weekDays)
	taken, err := s.takenInARow(r.Context(), p.Venue, p.Date, weekDays)
	if err != nil {
		return p, err
	}
	for i := range weekDays {
		p.Days = append(p.Days, p.dayOf(p.Date.AddDays(i), now, loc, taken[i]))
	}
	if p.Date != today {
		d := p.Date.AddDays(-weekDays)
		p.Before = &d
	}
	if d := p.Date.AddDays(weekDays); d.DaysSince(last) <= 0 {
		p.After = &d
	}
	return p, nil
}

// grid is the week as the table shows it. The first of all weeks begins today.
func (p weekView) grid(v web.View) web.Week {
	week := web.Week{ID: "week", Caption: p.Venue.DisplayName + " " + p.span(v)}
	rows := map[string]int{}
	for i, day := range p.Days {
		noon := day.Date.Noon(v.Location)
		week.Days = append(week.Days, web.WeekDay{
			Weekday: v.ShortWeekday(noon), Date: v.T("booking.dayOfMonth", "Day", day.Date.Day), Href: p.dayURL(p.Venue.Name, day.Date), Today: i == 0 && p.Before == nil,
		})
		for _, o := range day.Offers {
			rows[v.Time(o.Start)] = 0
		}
	}
	times := make([]string, 0, len(rows))
	for t := range rows {
		times = append(times, t)
	}
	slices.Sort(times)
	for i, t := range times {
		rows[t] = i
		week.Times = append(week.Times, web.WeekTime{Time: t, Cells: make([]web.WeekCell, len(p.Days))})
	}
	for i, day := range p.Days {
		for _, o := range day.Offers {
			week.Times[rows[v.Time(o.Start)]].Cells[i] = p.cell(v, o)
		}
	}
	// Times that are over on every day, or never were, say nothing.
	week.Times = slices.DeleteFunc(week.Times, func(t web.WeekTime) bool {
		return !slices.ContainsFunc(t.Cells, func(c web.WeekCell) bool { return c.State != web.WeekNone && c.State != web.WeekPast })
	})
	return week
}

// span is from when to when the week goes.
func (p weekView) span(v web.View) string {
	return v.ShortDay(p.Days[0].Date.Noon(v.Location)) + "–" + v.ShortDay(p.Days[len(p.Days)-1].Date.Noon(v.Location))
}

// weekStates are the states of a slot as the table of a week has them.
var weekStates = map[SlotState]web.WeekState{
	SlotFree: web.WeekFree, SlotFull: web.WeekFull, SlotPast: web.WeekPast, SlotClosed: web.WeekClosed,
}

func (p weekView) cell(v web.View, o Offer) web.WeekCell {
	c := web.WeekCell{State: weekStates[o.State], Href: p.href(o, v.Location)}
	mine := p.at(o.Slot)
	switch {
	case mine != nil && p.Changing != nil && mine.ID == p.Changing.ID:
		c.State, c.Label = web.WeekMine, v.T("booking.weekNow")
	case mine != nil:
		c.State, c.Href = web.WeekMine, bookingURL(mine.ID)
	case o.State == SlotFree && p.Venue.Capacity() > 1 && len(p.Venue.Attendants) == 0:
		c.Label = v.T("booking.weekLeft", "Count", o.Free)
	case o.State == SlotFull && p.Changing == nil:
		c.Label = v.T("booking.weekWait")
	}
	return c
}
