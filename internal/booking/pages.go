package booking

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	homePath     = "/" + Name + "/"
	venuesPath   = homePath + "venues/"
	bookingsPath = homePath + "bookings/"
	seriesPath   = homePath + "series/"
	waitingPath  = homePath + "waiting/"
	doorPath     = homePath + "at/"
	calendarPath = homePath + "calendar"
)

// mountPages mounts the residents' pages. Everybody may look around; who books
// signs in.
func (s *service) mountPages(mux *host.Router, people *identity.Identity) {
	personal := func(pattern string, h func(http.ResponseWriter, *http.Request)) {
		mux.Handle(pattern, people.RequirePerson(http.HandlerFunc(h)))
	}
	mux.HandleFunc("GET "+homePath+"{$}", s.venuesPage)
	mux.HandleFunc("GET "+venuesPath+"{venue}", s.dayPage)
	mux.HandleFunc("GET "+venuesPath+"{venue}/week", s.weekPage)

	personal("GET "+venuesPath+"{venue}/book", s.orderPage)
	mux.HandleFunc("POST "+venuesPath+"{venue}/book", s.placeOrder)
	mux.HandleFunc("POST "+venuesPath+"{venue}/weekly", s.placeSeries)
	mux.HandleFunc("POST "+venuesPath+"{venue}/wait", s.joinWaiting)

	personal("GET "+bookingsPath+"{$}", s.bookingsPage)
	personal("GET "+bookingsPath+"{id}", s.bookingPage)
	personal("GET "+bookingsPath+"{id}/change", s.changePage)
	personal("POST "+bookingsPath+"{id}/change", s.changeFromPage)
	personal("GET "+bookingsPath+"{id}/cancel", s.cancelPage)
	personal("POST "+bookingsPath+"{id}/cancel", s.cancelFromPage)
	personal("POST "+bookingsPath+"{id}/accept", s.acceptFromPage)
	personal("POST "+bookingsPath+"{id}/decline", s.declineFromPage)
	personal("GET "+bookingsPath+"{id}/calendar.ics", s.calendarFile)

	personal("GET "+seriesPath+"{id}", s.seriesPage)
	personal("GET "+seriesPath+"{id}/cancel", s.cancelSeriesPage)
	personal("POST "+seriesPath+"{id}/cancel", s.cancelSeriesFromPage)

	personal("GET "+waitingPath+"{id}", s.waitingPage)
	personal("POST "+waitingPath+"{id}/leave", s.leaveFromPage)

	personal("GET "+doorPath+"{venue}", s.doorPage)
	personal("POST "+doorPath+"{venue}", s.checkInFromPage)

	personal("GET "+calendarPath, s.calendarPage)
	personal("POST "+calendarPath, s.newFeedFromPage)
	personal("POST "+calendarPath+"/revoke", s.revokeFeedFromPage)
	mux.HandleFunc("GET "+calendarPath+"/{file}", s.calendarFeed)
}

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errNotYours):
		s.pages.Error(w, r, http.StatusForbidden)
		return
	case errors.Is(err, errBadForm):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

// maxFormBytes is far more than a form with the longest note needs.
const maxFormBytes = 16 << 10

// readForm reads the form of a request, or returns errBadForm.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		return nil, errBadForm
	}
	return r.PostForm, nil
}

// formNumber reads a small number of a form, or what it is when left out.
func formNumber(form url.Values, name string, missing int) (int, error) {
	text := form.Get(name)
	if text == "" {
		return missing, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, errBadForm)
	}
	return int(n), nil
}

// signInFor sends somebody who is not signed in to do so, or whom the community
// does not know to ask to join, and then to back.
func signInFor(w http.ResponseWriter, r *http.Request, back string) {
	path := identity.SignInPath
	if proof, ok := identity.ProofFromContext(r.Context()); ok {
		path = proof.Introduction()
	}
	http.Redirect(w, r, path+"?return="+url.QueryEscape(back), http.StatusSeeOther)
}

func (s *service) today() Date { return DateOf(s.clock.Now(), s.location()) }

// trail is what a reader takes along from page to page while choosing a time.
type trail struct {
	// For is the person for whom it is; empty for the reader.
	For string
	// Place is the attendant whom they want; 0 is any.
	Place int
	// Change is the booking that gets another time; nil for a new one.
	Change uuid.UUID
}

// trailOf reads a trail from an address.
func trailOf(query url.Values) (t trail, err error) {
	t.For = query.Get("for")
	if t.Place, err = formNumber(query, "place", 0); err != nil {
		return t, ErrNotFound
	}
	if text := query.Get("change"); text != "" {
		if t.Change, err = uuid.Parse(text); err != nil {
			return t, ErrNotFound
		}
	}
	return t, nil
}

// query is the trail as a part of an address.
func (t trail) query() url.Values {
	q := url.Values{}
	if t.For != "" {
		q.Set("for", t.For)
	}
	if t.Place != 0 {
		q.Set("place", strconv.Itoa(t.Place))
	}
	if t.Change != uuid.Nil {
		q.Set("change", t.Change.String())
	}
	return q
}

// at is the trail with another attendant.
func (t trail) at(place int) trail {
	t.Place = place
	return t
}

// dayURL is the page of a venue's day.
func (t trail) dayURL(venue string, date Date) string {
	q := t.query()
	q.Set("date", date.String())
	return venuesPath + venue + "?" + q.Encode()
}

// weekURL is the page of a venue's week that begins on a day.
func (t trail) weekURL(venue string, date Date) string {
	q := t.query()
	q.Set("date", date.String())
	return venuesPath + venue + "/week?" + q.Encode()
}

// orderURL is the page on which the slot that begins at start is booked, or a
// booking moved to it.
func (t trail) orderURL(venue string, start time.Time) string {
	q := t.query()
	q.Set("start", start.Format(time.RFC3339))
	if t.Change != uuid.Nil {
		q.Del("change")
		return bookingURL(t.Change) + "/change?" + q.Encode()
	}
	return venuesPath + venue + "/book?" + q.Encode()
}

// dayURL is the page of a venue's day.
func dayURL(venue string, date Date) string { return trail{}.dayURL(venue, date) }

// orderURL is the page on which the slot that begins at start is booked.
func orderURL(venue string, start time.Time) string { return trail{}.orderURL(venue, start) }

func bookingURL(id uuid.UUID) string { return bookingsPath + id.String() }

// household is the reader and after that those for whom the reader may act;
// empty if nobody is signed in.
type household []identity.Person

func (s *service) household(ctx context.Context) household {
	caller, ok := identity.FromContext(ctx)
	if !ok {
		return nil
	}
	return append(household{caller}, identity.HouseholdFromContext(ctx, identity.Book)...)
}

// whose says for whom something is; nothing where that is plain, because the
// reader acts for nobody else.
func (h household) whose(v web.View, person, name string) string {
	if len(h) < 2 {
		return ""
	}
	return h.called(v, person, name)
}

// forWhom is whose in a sentence, such as "for Wang Guihua".
func (h household) forWhom(v web.View, person, name string) string {
	switch {
	case len(h) < 2:
		return ""
	case person == h[0].ID:
		return v.T("booking.forMyself")
	}
	return v.T("booking.forPerson", "Name", h.called(v, person, name))
}

// called is what the reader calls a person.
func (h household) called(v web.View, person, name string) string {
	for i, p := range h {
		switch {
		case p.ID == person && i == 0:
			return v.T("booking.myself")
		case p.ID == person:
			return v.Name(p.Name, p.LatinName)
		}
	}
	return name
}

// ownView is what the overview and the lists show of the reader's own.
type ownView struct {
	Household household
	// Names are what the venues are called.
	Names map[string]string
	// Offers are from the waiting list and wait to be accepted.
	Offers []Booking
	// Waiting are the entries of the waiting list that were offered nothing yet.
	Waiting []Entry
	// Now is the moment from which the time left is counted.
	Now time.Time
}

// own prepares what a reader's pages have in common.
func (s *service) own(ctx context.Context) (p ownView, err error) {
	p.Now, p.Household = s.clock.Now(), s.household(ctx)
	if len(p.Household) == 0 {
		return p, nil
	}
	if p.Names, err = s.store.VenueNames(ctx); err != nil {
		return p, err
	}
	reach := s.reach(ctx)
	entries, err := s.store.Waiting(ctx, reach)
	if err != nil {
		return p, err
	}
	for _, e := range entries {
		if e.State == EntryWaiting {
			if e.Start.After(p.Now) {
				p.Waiting = append(p.Waiting, e)
			}
			continue
		}
		b, err := s.store.Booking(ctx, reach, e.Booking)
		if err != nil {
			return p, err
		}
		if CheckAccept(b, p.Now) == nil {
			p.Offers = append(p.Offers, b)
		}
	}
	return p, nil
}

// venuesView is what the list of venues shows.
type venuesView struct {
	ownView
	Venues []venueToday
	// Next is the reader's next booking, if there is one.
	Next *Booking
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

func (s *service) overview(ctx context.Context) (p venuesView, err error) {
	if p.ownView, err = s.own(ctx); err != nil {
		return p, err
	}
	venues, err := s.store.Venues(ctx, p.Now)
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
		if next, ok := day.Venue.FirstOpen(today.AddDays(1), p.Now, s.location()); ok && len(day.FreeSlots()) == 0 {
			venue.Opens = &next
		}
		p.Venues = append(p.Venues, venue)
	}
	if len(p.Household) == 0 {
		return p, nil
	}
	p.FrontDesk = atFrontDesk(ctx)
	next, err := s.store.Bookings(ctx, s.reach(ctx), Upcoming, Cursor{}, bookingsPerPage, p.Now)
	for _, b := range next {
		if b.State != StateHeld { // an offer is no booking yet
			p.Next = &b
			break
		}
	}
	return p, err
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
