package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// What the page of a booking says was just done.
const (
	doneBooked    = "booked"
	doneCancelled = "cancelled"
	doneChanged   = "changed"
	doneAccepted  = "accepted"
	doneDeclined  = "declined"
	doneCheckedIn = "checked-in"
)

// bookingsView is what the page of one's own bookings shows.
type bookingsView struct {
	ownView
	Upcoming, Past []Booking
	// For is the person whose bookings alone are shown; empty is everybody's.
	For string
	// NextUpcoming and NextPast lead to the rest of the lists; empty if there is none.
	NextUpcoming, NextPast string
	// Continued says that this page goes on with a list.
	Continued bool
}

// bookingsPerPage is how many bookings of a list a page shows.
const bookingsPerPage = 20

func (s *service) bookingsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.bookingsView(r.Context(), r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, bookingsPage(s.pages.View(r), p))
}

func (s *service) bookingsView(ctx context.Context, query url.Values) (p bookingsView, err error) {
	if p.ownView, err = s.own(ctx); err != nil {
		return p, err
	}
	reach := s.reach(ctx)
	if p.For = query.Get("for"); p.For != "" {
		if !reach.covers(p.For) {
			return p, errNotYours
		}
		reach.Persons = []string{p.For}
		p.Offers = slices.DeleteFunc(p.Offers, func(b Booking) bool { return b.Person != p.For })
		p.Waiting = slices.DeleteFunc(p.Waiting, func(e Entry) bool { return e.Person != p.For })
	}
	after, err := ParseCursor(query.Get("after"))
	if err != nil {
		return p, ErrNotFound
	}
	only := Which(query.Get("when"))
	p.Continued = after != (Cursor{})
	for _, list := range []struct {
		which Which
		into  *[]Booking
		next  *string
	}{{Upcoming, &p.Upcoming, &p.NextUpcoming}, {Past, &p.Past, &p.NextPast}} {
		if p.Continued && only != list.which {
			continue
		}
		bookings, err := s.store.Bookings(ctx, reach, list.which, after, bookingsPerPage+1, p.Now)
		if err != nil {
			return p, err
		}
		var next string
		if *list.into, next = page(bookings, bookingsPerPage); next != "" {
			q := trail{For: p.For}.query()
			q.Set("when", string(list.which))
			q.Set("after", next)
			*list.next = bookingsPath + "?" + q.Encode()
		}
	}
	// Offers stand at the top of the page.
	p.Upcoming = slices.DeleteFunc(p.Upcoming, func(b Booking) bool { return b.State == StateHeld })
	return p, nil
}

// tabs are the lists by person.
func (p bookingsView) tabs(v web.View) []web.Tab {
	tabs := []web.Tab{{Label: v.T("booking.everybody"), Href: bookingsPath, Current: p.For == ""}}
	for _, person := range p.Household {
		tabs = append(tabs, web.Tab{
			Label: p.Household.called(v, person.ID, person.Name), Href: bookingsPath + "?" + trail{For: person.ID}.query().Encode(),
			Current: p.For == person.ID,
		})
	}
	return tabs
}

// bookingView is what the page of a booking shows.
type bookingView struct {
	Booking
	// VenueName is what people call the venue.
	VenueName string
	// Offered is the venue, or nil if it takes no bookings any more.
	Offered   *Venue
	Household household
	// By is who made the booking, if that was somebody else and is known.
	By string
	// CanCancel says that it is not too late to cancel, CanChange that it is
	// not too late for another time. WhyNot is why neither is possible.
	CanCancel, CanChange bool
	WhyNot               *Refusal
	// CanCheckIn says that one can check in at the door about now.
	CanCheckIn bool
	// Over says that the booking has ended.
	Over bool
	// Now is the moment from which the time left is counted.
	Now time.Time
	// Done is what the reader has just done, if anything.
	Done string
	// Problem is why what was tried was not done, if something was.
	Problem string
}

// ownBooking prepares the page of a booking of the caller, or of somebody for
// whom the caller acts.
func (s *service) ownBooking(r *http.Request) (p bookingView, err error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return p, ErrNotFound
	}
	ctx, now := r.Context(), s.clock.Now()
	p = bookingView{Now: now, Household: s.household(ctx)}
	if p.Booking, err = s.store.Booking(ctx, s.reach(ctx), id); err != nil {
		return p, err
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	p.VenueName, p.Over = names[p.Venue], !p.End.After(now)
	v, err := s.store.Venue(ctx, p.Venue, now)
	if err == nil {
		p.Offered = &v
	} else if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	if p.Live() && p.State != StateHeld {
		p.WhyNot = CheckCancel(v, p.Booking, false, now)
		p.CanCancel = p.WhyNot == nil
		p.CanChange = p.CanCancel && p.Offered != nil
	}
	p.CanCheckIn = p.CheckedInAt.IsZero() && CheckCheckIn(p.Booking, false, now) == nil
	if p.BookedBy != p.Household[0].ID {
		if p.By, err = s.bookedBy(r.Context(), s.pages.View(r), p.Booking); err != nil {
			return p, err
		}
	}
	p.Done = p.done(r.URL.Query().Get("done"))
	return p, nil
}

// done is what was just done, if that is still so: the page may be opened
// again much later.
func (p bookingView) done(what string) string {
	good := false
	switch what {
	case doneBooked, doneAccepted, doneChanged:
		good = p.Live()
	case doneCancelled, doneDeclined:
		good = p.State == StateCancelled
	case doneCheckedIn:
		good = !p.CheckedInAt.IsZero()
	}
	if !good {
		return ""
	}
	return what
}

func (s *service) bookingPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.ownBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, bookingPage(s.pages.View(r), p))
}

func (s *service) cancelPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.ownBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !p.CanCancel {
		http.Redirect(w, r, bookingURL(p.ID), http.StatusSeeOther)
		return
	}
	s.pages.Render(w, r, http.StatusOK, cancelPage(s.pages.View(r), p))
}

// acted answers what was done with the booking of a request: by its page, or,
// if a rule forbade it, by the same page with the reason.
func (s *service) acted(w http.ResponseWriter, r *http.Request, done string, act func(a Act) error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	err = act(s.act(r.Context(), id))
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.count(err)
		p, err := s.ownBooking(r)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		v := s.pages.View(r)
		p.Problem = refusalText(v, refusal)
		s.pages.Render(w, r, http.StatusUnprocessableEntity, bookingPage(v, p))
		return
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, bookingURL(id)+"?"+url.Values{"done": {done}}.Encode(), http.StatusSeeOther)
}

func (s *service) cancelFromPage(w http.ResponseWriter, r *http.Request) {
	s.acted(w, r, doneCancelled, func(a Act) error {
		_, err := s.cancel(r.Context(), a, "")
		return err
	})
}

func (s *service) acceptFromPage(w http.ResponseWriter, r *http.Request) {
	s.acted(w, r, doneAccepted, func(a Act) error {
		_, changed, err := s.store.Accept(r.Context(), a)
		if changed {
			s.metrics.made.Inc()
		}
		return err
	})
}

// declineFromPage gives an offer up. What is a booking by now is cancelled on
// its own page, after a question.
func (s *service) declineFromPage(w http.ResponseWriter, r *http.Request) {
	s.acted(w, r, doneDeclined, func(a Act) error {
		b, err := s.store.Booking(r.Context(), a.Reach, a.ID)
		if err != nil {
			return err
		}
		if b.State == StateBooked || b.State == StateRequested {
			return refuse(RuleHoldEnded, 0, "the offer was accepted already")
		}
		_, err = s.cancel(r.Context(), a, "")
		return err
	})
}

// changeView is what the page shows on which a booking gets another time.
type changeView struct {
	// Old is the booking as it is.
	Old bookingView
	// New is the day to which it is moved, without the booking itself.
	New   Day
	trail trail
	Start time.Time
	// Choices are how long it can be; none if it cannot be then.
	Choices []Choice
	// Slots and Seat are what is chosen.
	Slots, Seat int
	Problem     string
}

// changeView prepares the page on which the booking of a request is moved to
// begin at start. The booking must be one that can be moved.
func (s *service) changeView(r *http.Request, old bookingView, start time.Time, t trail) (p changeView, err error) {
	now, loc := s.clock.Now(), s.location()
	t.Change = old.ID
	if len(old.Offered.Attendants) == 0 || !old.Offered.hasPlace(t.Place) {
		t.Place = 0
	}
	venue := venueView{Venue: *old.Offered, trail: t, Changing: &old.Booking}
	date := DateOf(start, loc)
	taken, err := s.takenInARow(r.Context(), venue.Venue, date, 1)
	if err != nil {
		return p, err
	}
	p = changeView{Old: old, New: venue.dayOf(date, now, loc, taken[0]), trail: t, Start: start}
	p.Choices = p.New.Choices(start)
	length := old.End.Sub(old.Start)
	for _, c := range p.Choices {
		if c.End.Sub(c.Start) <= length {
			p.Slots = c.Slots // as long as before, or as long as can be
		}
		if slices.Contains(c.Free, old.Place) && t.Place == 0 && len(old.Offered.Attendants) == 0 {
			p.Seat = old.Place
		}
	}
	if len(p.Choices) > 0 {
		return p, nil
	}
	v := s.pages.View(r)
	slot := Slot{Start: start, End: start.Add(time.Duration(old.Offered.SlotMinutes) * time.Minute)}
	p.Problem = v.T("booking.fullNow")
	if refusal := p.New.Venue.checkTime(Request{Venue: old.Venue, Slot: slot}, Asker{}, now, loc); refusal != nil {
		p.Problem = refusalText(v, refusal)
	}
	return p, nil
}

// changePage leads to the day on which another time is chosen, or, when one
// was chosen, asks whether to change.
func (s *service) changePage(w http.ResponseWriter, r *http.Request) {
	old, err := s.ownBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !old.CanChange {
		http.Redirect(w, r, bookingURL(old.ID), http.StatusSeeOther)
		return
	}
	query := r.URL.Query()
	if !query.Has("start") {
		http.Redirect(w, r, trail{Change: old.ID}.dayURL(old.Venue, old.Day), http.StatusSeeOther)
		return
	}
	t, trailErr := trailOf(query)
	start, err := time.Parse(time.RFC3339, query.Get("start"))
	if err != nil || trailErr != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	p, err := s.changeView(r, old, start, t)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, changePage(s.pages.View(r), p))
}

func (s *service) changeFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	start, err := time.Parse(time.RFC3339, form.Get("start"))
	slots, slotsErr := formNumber(form, "slots", 1)
	place, placeErr := formNumber(form, "place", 0)
	seat, seatErr := formNumber(form, "seat", 0)
	if errors.Join(err, slotsErr, placeErr, seatErr) != nil {
		s.fail(w, r, errBadForm)
		return
	}
	old, err := s.ownBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if old.Offered == nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	party, err := s.party(r.Context(), old.Person)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	end := start.Add(time.Duration(slots*old.Offered.SlotMinutes) * time.Minute)
	to := Request{Venue: old.Venue, Slot: Slot{Start: start, End: end}, Place: max(place, seat), Note: old.Note}
	_, _, err = s.store.Change(r.Context(), s.act(r.Context(), old.ID), party, to)
	s.count(err)
	refusal, refused := errors.AsType[*Refusal](err)
	if err == nil {
		http.Redirect(w, r, bookingURL(old.ID)+"?"+url.Values{"done": {doneChanged}}.Encode(), http.StatusSeeOther)
		return
	}
	if !refused && !errors.Is(err, ErrTaken) {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	p, viewErr := s.changeView(r, old, start, trail{Place: place})
	if viewErr != nil {
		s.fail(w, r, viewErr)
		return
	}
	p.Seat = seat
	status := http.StatusConflict
	switch {
	case refused:
		p.Problem, status = refusalText(v, refusal), http.StatusUnprocessableEntity
	case len(p.Choices) > 0:
		p.Slots = min(slots, p.Choices[len(p.Choices)-1].Slots)
		p.Problem = v.T("booking.partlyTaken")
	default:
		p.Problem = v.T("booking.taken")
	}
	s.pages.Render(w, r, status, changePage(v, p))
}
