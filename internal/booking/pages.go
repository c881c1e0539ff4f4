package booking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	homePath     = "/" + Name + "/"
	venuesPath   = homePath + "venues/"
	bookingsPath = homePath + "bookings/"
)

// mountPages mounts the pages. Everybody may look around; who books signs in.
func (s *service) mountPages(mux *http.ServeMux, people *identity.Identity) {
	personal := func(pattern string, h func(http.ResponseWriter, *http.Request)) {
		mux.Handle(pattern, people.RequirePerson(http.HandlerFunc(h)))
	}
	mux.HandleFunc("GET "+homePath+"{$}", s.venuesPage)
	mux.HandleFunc("GET "+venuesPath+"{venue}", s.dayPage)
	personal("GET "+venuesPath+"{venue}/book", s.orderPage)
	mux.HandleFunc("POST "+venuesPath+"{venue}/book", s.placeOrder)
	personal("GET "+bookingsPath+"{$}", s.bookingsPage)
	personal("GET "+bookingsPath+"{id}", s.bookingPage)
	personal("GET "+bookingsPath+"{id}/cancel", s.cancelPage)
	personal("POST "+bookingsPath+"{id}/cancel", s.cancelFromPage)
}

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrNotFound) {
		s.pages.Error(w, r, http.StatusNotFound)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

func (s *service) today() Date { return DateOf(s.clock.Now(), s.location()) }

// dayURL is the page of a venue's day.
func dayURL(venue string, date Date) string {
	return venuesPath + venue + "?" + url.Values{"date": {date.String()}}.Encode()
}

// orderURL is the page on which the slot that begins at start is booked.
func orderURL(venue string, start time.Time) string {
	return venuesPath + venue + "/book?" + url.Values{"start": {start.Format(time.RFC3339)}}.Encode()
}

func bookingURL(id uuid.UUID) string { return bookingsPath + id.String() }

// What the page of a booking says was just done.
const (
	doneBooked    = "booked"
	doneCancelled = "cancelled"
)

// venuesView is what the list of venues shows.
type venuesView struct {
	Venues []venueToday
	// Next is the reader's next booking, if there is one.
	Next     *Booking
	NextName string
	// FrontDesk says that the reader may see the staff's pages.
	FrontDesk bool
}

// venueToday is a venue's day today and, if nothing is free any more, the day
// on which it opens next, or nil.
type venueToday struct {
	Day
	Opens *Date
}

func (s *service) venuesPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.overview(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, venuesPage(s.pages.View(r), p))
}

func (s *service) overview(ctx context.Context) (venuesView, error) {
	var p venuesView
	venues, err := s.store.Venues(ctx, s.clock.Now())
	if err != nil {
		return p, err
	}
	today := s.today()
	days, err := s.days(ctx, venues, today)
	if err != nil {
		return p, err
	}
	for _, day := range days {
		venue := venueToday{Day: day}
		if next, ok := day.Venue.FirstOpen(today.AddDays(1), s.clock.Now(), s.location()); ok && len(day.FreeSlots()) == 0 {
			venue.Opens = &next
		}
		p.Venues = append(p.Venues, venue)
	}
	reach := s.reach(ctx)
	if reach.Actor == "" {
		return p, nil
	}
	p.FrontDesk = atFrontDesk(ctx)
	next, err := s.store.Bookings(ctx, reach, Upcoming, Cursor{}, 1, s.clock.Now())
	if err != nil || len(next) == 0 {
		return p, err
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	p.Next, p.NextName = &next[0], names[next[0].Venue]
	return p, nil
}

// card is the service's card on the portal.
func (s *service) card(ctx context.Context, v web.View) templ.Component {
	p, err := s.overview(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "card failed", "error", err.Error())
		}
		return cardFailed(v)
	}
	return card(v, p)
}

// stripDays is how many days the page of a venue offers at a time.
const stripDays = 8

// dayView is what the page of a venue's day shows.
type dayView struct {
	Day
	// Strip are the days around the one that is shown; Before and After are
	// where the strip goes on, or nil.
	Strip         []stripDay
	Before, After *Date
	// Next is the next day that is open, or nil.
	Next *Date
}

type stripDay struct {
	Date  Date
	Today bool
	// Open is false on days when nothing can be booked.
	Open bool
}

func (s *service) dayPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.store.Venue(r.Context(), r.PathValue("venue"), s.clock.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	date, err := s.chosenDay(v, r.URL.Query().Get("date"))
	if err != nil {
		s.pages.Error(w, r, http.StatusNotFound)
		return
	}
	days, err := s.days(r.Context(), []Venue{v}, date)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dayPage(s.pages.View(r), s.dayView(days[0])))
}

// chosenDay is the day that was asked for, else the first one that is open.
func (s *service) chosenDay(v Venue, text string) (Date, error) {
	if text != "" {
		return ParseDate(text)
	}
	if d, ok := v.FirstOpen(s.today(), s.clock.Now(), s.location()); ok {
		return d, nil
	}
	return s.today(), nil
}

func (s *service) dayView(day Day) dayView {
	p := dayView{Day: day}
	now, loc, today := s.clock.Now(), s.location(), s.today()
	last := day.Venue.LastDay(now, loc)
	// Strips are counted from today, so that the strip stays put while one
	// goes from day to day.
	shown := min(max(day.Date.DaysSince(today), 0), last.DaysSince(today))
	first := today.AddDays(shown / stripDays * stripDays)
	for i := range stripDays {
		d := first.AddDays(i)
		if d.DaysSince(last) > 0 {
			break
		}
		p.Strip = append(p.Strip, stripDay{Date: d, Today: d == today, Open: day.Venue.checkDay(d, false, now, loc) == nil})
	}
	if first != today {
		d := first.AddDays(-1)
		p.Before = &d
	}
	if d := first.AddDays(stripDays); d.DaysSince(last) <= 0 {
		p.After = &d
	}
	from := today
	if day.Date.DaysSince(today) >= 0 {
		from = day.Date.AddDays(1)
	}
	if d, ok := day.Venue.FirstOpen(from, now, loc); ok {
		p.Next = &d
	}
	return p
}

// orderView is what the page shows on which a slot is booked.
type orderView struct {
	Day
	Start time.Time
	// Choices are how long it can be booked; none if it cannot be.
	Choices []Choice
	// What is chosen and was typed.
	Slots, Place int
	Note         string
	// Key makes the form, however often it is sent, one booking.
	Key string
	// Problem is why the slot cannot be booked or was not, empty if it can;
	// NoteProblem what is wrong with the note.
	Problem, NoteProblem string
	// Nearest are other slots that can be booked.
	Nearest []Offer
}

// nearestSlots is how many other slots are offered in place of a taken one.
const nearestSlots = 4

// orderView prepares the page for a slot from what is free now.
func (s *service) orderView(ctx context.Context, v web.View, venue string, start time.Time) (orderView, error) {
	day, err := s.day(ctx, venue, DateOf(start, s.location()))
	if err != nil {
		return orderView{}, err
	}
	p := orderView{Day: day, Start: start, Choices: day.Choices(start), Slots: 1, Key: uuid.NewString()}
	if len(p.Choices) > 0 {
		return p, nil
	}
	// Say why, as booking the slot would.
	slot := Slot{Start: start, End: start.Add(time.Duration(day.Venue.SlotMinutes) * time.Minute)}
	if refusal := Check(day.Venue, Request{Venue: venue, Slot: slot}, Asker{}, s.clock.Now(), s.location()); refusal != nil {
		p.Problem = refusalText(v, refusal)
	} else {
		p.Problem = v.T("booking.taken")
	}
	p.Nearest = day.Nearest(start, nearestSlots)
	return p, nil
}

func refusalText(v web.View, r *Refusal) string {
	return v.T("booking.rule."+string(r.Rule), "Count", r.Count)
}

func (s *service) orderPage(w http.ResponseWriter, r *http.Request) {
	start, err := time.Parse(time.RFC3339, r.URL.Query().Get("start"))
	if err != nil {
		s.pages.Error(w, r, http.StatusNotFound)
		return
	}
	v := s.pages.View(r)
	p, err := s.orderView(r.Context(), v, r.PathValue("venue"), start)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, orderPage(v, p))
}

// maxFormBytes is far more than a form with the longest note needs.
const maxFormBytes = 16 << 10

// placeOrder books what the form says and goes on to the page of the booking.
// A form that is sent again, by a double tap or the back button, carries the
// same key and leads to the same booking.
func (s *service) placeOrder(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	venue := r.PathValue("venue")
	start, err := time.Parse(time.RFC3339, r.PostForm.Get("start"))
	slots, slotsErr := formNumber(r.PostForm, "slots", 1)
	place, placeErr := formNumber(r.PostForm, "place", 0)
	key := r.PostForm.Get("key")
	if err != nil || slotsErr != nil || placeErr != nil || uuid.Validate(key) != nil {
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	person, ok := identity.FromContext(r.Context())
	if !ok { // the session ended while the form was filled in
		http.Redirect(w, r, identity.SignInPath+"?return="+url.QueryEscape(orderURL(venue, start)), http.StatusSeeOther)
		return
	}
	note := strings.TrimSpace(strings.ReplaceAll(r.PostForm.Get("note"), "\r\n", "\n"))
	if utf8.RuneCountInString(note) <= MaxNote {
		var b Booking
		if b, err = s.bookSlots(r.Context(), partyOf(person, person.ID), venue, start, slots, place, note, key); err == nil {
			http.Redirect(w, r, bookingURL(b.ID)+"?done="+doneBooked, http.StatusSeeOther)
			return
		}
	}
	// Not booked: the same page again, as things are now, with what was typed.
	v := s.pages.View(r)
	p, viewErr := s.orderView(r.Context(), v, venue, start)
	if viewErr != nil {
		s.fail(w, r, viewErr)
		return
	}
	p.keep(slots, place, note, key)
	status := http.StatusUnprocessableEntity
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case err == nil:
		p.NoteProblem = v.T("booking.noteTooLong", "Count", MaxNote)
	case refused:
		p.Problem = refusalText(v, refusal)
	case errors.Is(err, ErrTaken) && len(p.Choices) > 0:
		p.Problem, status = v.T("booking.partlyTaken"), http.StatusConflict
	case errors.Is(err, ErrTaken):
		p.Problem, status = v.T("booking.taken"), http.StatusConflict
	case errors.Is(err, ErrKeyReused):
		// The form was changed after it had been accepted: what it made is
		// among the person's bookings, and this is a new form.
		p.Problem, status, p.Key = v.T("booking.alreadySent"), http.StatusConflict, uuid.NewString()
	default:
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, status, orderPage(v, p))
}

// bookSlots books some slots in a row from start on.
func (s *service) bookSlots(ctx context.Context, party Party, venue string, start time.Time, slots, place int, note, key string) (Booking, error) {
	v, err := s.store.Venue(ctx, venue, s.clock.Now())
	if err != nil {
		return Booking{}, err
	}
	end := start.Add(time.Duration(slots*v.SlotMinutes) * time.Minute)
	return s.book(ctx, s.order(Request{Venue: venue, Slot: Slot{Start: start, End: end}, Place: place, Note: note}, party, key))
}

// keep fills in what was chosen and typed, as far as it can still be had.
func (p *orderView) keep(slots, place int, note, key string) {
	p.Slots, p.Place, p.Note, p.Key = slots, place, note, key
	if len(p.Choices) > 0 {
		p.Slots = min(slots, p.Choices[len(p.Choices)-1].Slots)
	}
}

// formNumber reads a small number of a form, or what it is when left out.
func formNumber(form url.Values, name string, missing int) (int, error) {
	text := form.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return int(n), nil
}

// bookingsView is what the page of one's own bookings shows.
type bookingsView struct {
	Upcoming, Past []Booking
	// Names are what the venues are called.
	Names map[string]string
	// NextUpcoming and NextPast lead to the rest of the lists; empty if there is none.
	NextUpcoming, NextPast string
	// Continued says that this page goes on with a list.
	Continued bool
}

// bookingsPerPage is how many bookings of a list a page shows.
const bookingsPerPage = 20

func (s *service) bookingsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.bookingsView(r.Context(), s.reach(r.Context()), r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, bookingsPage(s.pages.View(r), p))
}

func (s *service) bookingsView(ctx context.Context, reach Reach, query url.Values) (p bookingsView, err error) {
	if p.Names, err = s.store.VenueNames(ctx); err != nil {
		return p, err
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
		bookings, err := s.store.Bookings(ctx, reach, list.which, after, bookingsPerPage+1, s.clock.Now())
		if err != nil {
			return p, err
		}
		var next string
		if *list.into, next = page(bookings, bookingsPerPage); next != "" {
			*list.next = bookingsPath + "?" + url.Values{"when": {string(list.which)}, "after": {next}}.Encode()
		}
	}
	return p, nil
}

// bookingView is what the page of a booking shows.
type bookingView struct {
	Booking
	// VenueName is what people call the venue.
	VenueName string
	// Offered is the venue, or nil if it takes no bookings any more.
	Offered *Venue
	// CanCancel says that it is not too late to cancel.
	CanCancel bool
	// Over says that the booking has ended.
	Over bool
	// Done is what the reader has just done, if anything.
	Done string
	// Problem is why it was not cancelled, if that was tried.
	Problem string
}

// ownBooking prepares the page of a booking of the caller.
func (s *service) ownBooking(r *http.Request) (bookingView, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return bookingView{}, ErrNotFound
	}
	b, err := s.store.Booking(r.Context(), s.reach(r.Context()), id)
	if err != nil {
		return bookingView{}, err
	}
	names, err := s.store.VenueNames(r.Context())
	if err != nil {
		return bookingView{}, err
	}
	now := s.clock.Now()
	p := bookingView{
		Booking: b, VenueName: names[b.Venue],
		Over: !b.End.After(now),
	}
	v, err := s.store.Venue(r.Context(), b.Venue, now)
	if err == nil {
		p.Offered = &v
	} else if !errors.Is(err, ErrNotFound) {
		return bookingView{}, err
	}
	p.CanCancel = b.Live() && CheckCancel(v, b, false, now) == nil
	done := r.URL.Query().Get("done")
	if done == doneBooked && b.Live() || done == doneCancelled && !b.Live() {
		p.Done = done
	}
	return p, nil
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

func (s *service) cancelFromPage(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	_, err = s.cancel(r.Context(), s.act(r.Context(), id), "")
	if refusal, ok := errors.AsType[*Refusal](err); ok {
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
	http.Redirect(w, r, bookingURL(id)+"?done="+doneCancelled, http.StatusSeeOther)
}
