package booking

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// seriesOrderView is what the page shows on which a series is booked: every
// week, and what would come of it.
type seriesOrderView struct {
	orderView
	Weeks []Occurrence
	// Free is how many of the weeks can be booked.
	Free int
	// Last is the last day of the series.
	Last Date
}

// placeSeries shows what would come of a series that the form asks for, or
// books it when that was seen.
func (s *service) placeSeries(w http.ResponseWriter, r *http.Request) {
	o, err := s.readOrder(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !o.SignedIn {
		signInFor(w, r, o.orderURL(o.Venue, o.Start))
		return
	}
	venue, err := s.store.Venue(r.Context(), o.Venue, s.clock.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	until, err := ParseDate(o.Until)
	if err != nil || o.TooLong {
		s.showSeriesMistake(w, r, o, refuse(RuleUntil, maxOccurrences, "no date"))
		return
	}
	order := SeriesOrder{Order: s.order(o.request(venue), o.Party, o.Key), Until: until}
	confirmed := r.PostForm.Get("confirm")
	order.Try, order.AllOrNothing = confirmed == "", confirmed == confirmAll
	id, weeks, err := s.store.BookSeries(r.Context(), order)
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.showSeriesMistake(w, r, o, refusal)
		return
	}
	problem, status := "", http.StatusOK
	switch {
	case errors.Is(err, ErrKeyReused):
		o.Key = uuid.NewString()
		order.Key, order.Try = o.Key, true
		problem, status = v.T("booking.alreadySent"), http.StatusConflict
		if _, weeks, err = s.store.BookSeries(r.Context(), order); err != nil {
			s.fail(w, r, err)
			return
		}
	case err != nil:
		s.fail(w, r, err)
		return
	case id != uuid.Nil:
		s.metrics.made.Add(float64(made(weeks)))
		http.Redirect(w, r, seriesPath+id.String()+"?"+url.Values{
			"done": {doneBooked}, "from": {o.Start.Format(time.RFC3339)}, "until": {until.String()},
		}.Encode(), http.StatusSeeOther)
		return
	case !order.Try:
		problem, status = v.T("booking.weekly.none"), http.StatusConflict
	}
	view, err := s.orderView(r.Context(), v, o.Venue, o.Start, o.trail)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p := seriesOrderView{orderView: view, Weeks: weeks, Free: made(weeks), Last: until}
	p.Slots, p.Seat, p.Note, p.Until, p.Key, p.Problem = o.Slots, o.Seat, o.Note, o.Until, o.Key, problem
	if order.Try {
		p.Key = uuid.NewString() // the form before this one may still be sent
	}
	s.pages.Render(w, r, status, seriesOrderPage(v, p))
}

// What the button says with which a series is booked.
const (
	confirmFree = "free"
	confirmAll  = "all"
)

// made counts the weeks in which nothing was in the way.
func made(weeks []Occurrence) int {
	n := 0
	for _, w := range weeks {
		if w.Err == nil {
			n++
		}
	}
	return n
}

// showSeriesMistake shows the form again when it says no series.
func (s *service) showSeriesMistake(w http.ResponseWriter, r *http.Request, o orderInput, refusal *Refusal) {
	s.showOrder(w, r, o, refusal, false)
}

// whyNot says why a week of a series cannot be booked.
func whyNot(v web.View, err error) string {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusalText(v, refusal)
	}
	return v.T("booking.weekly.taken")
}

// seriesView is what the page of a series shows.
type seriesView struct {
	ID        uuid.UUID
	Bookings  []Booking
	VenueName string
	Household household
	// Missing are the weeks that were asked for and not booked, when the
	// series has just been booked.
	Missing []Slot
	// Ahead are the bookings that can still be cancelled.
	Ahead []Booking
	Now   time.Time
	// Done is what the reader has just done, if anything.
	Done string
}

func (s *service) seriesView(r *http.Request) (p seriesView, err error) {
	if p.ID, err = uuid.Parse(r.PathValue("id")); err != nil {
		return p, ErrNotFound
	}
	ctx, now := r.Context(), s.clock.Now()
	p.Household, p.Now = s.household(ctx), now
	if p.Bookings, err = s.store.InSeries(ctx, s.reach(ctx), p.ID); err != nil {
		return p, err
	}
	if len(p.Bookings) == 0 {
		return p, ErrNotFound
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	first := p.Bookings[0]
	p.VenueName = names[first.Venue]
	spec, err := s.store.VenueSpec(ctx, first.Venue)
	if err != nil {
		return p, err
	}
	venue, err := ParseVenue(spec)
	if err != nil {
		return p, err
	}
	for _, b := range p.Bookings {
		if b.Live() && CheckCancel(venue, b, false, now) == nil {
			p.Ahead = append(p.Ahead, b)
		}
	}
	query := r.URL.Query()
	p.Done = query.Get("done")
	p.Missing = missing(p.Bookings, query, s.location())
	return p, nil
}

// missing are the weeks of a series that was just booked which have no booking.
func missing(bookings []Booking, query url.Values, loc *time.Location) []Slot {
	from, err := time.Parse(time.RFC3339, query.Get("from"))
	if err != nil {
		return nil
	}
	until, err := ParseDate(query.Get("until"))
	if err != nil {
		return nil
	}
	length := bookings[0].End.Sub(bookings[0].Start)
	weeks, err := Occurrences(Slot{Start: from, End: from.Add(length)}, until, loc)
	if err != nil {
		return nil
	}
	booked := map[int64]bool{}
	for _, b := range bookings {
		booked[b.Start.Unix()] = true
	}
	var missing []Slot
	for _, week := range weeks {
		if !booked[week.Start.Unix()] {
			missing = append(missing, week)
		}
	}
	return missing
}

func (s *service) seriesPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.seriesView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, seriesPage(s.pages.View(r), p))
}

func (s *service) cancelSeriesPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.seriesView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if len(p.Ahead) == 0 {
		http.Redirect(w, r, seriesPath+p.ID.String(), http.StatusSeeOther)
		return
	}
	s.pages.Render(w, r, http.StatusOK, cancelSeriesPage(s.pages.View(r), p))
}

func (s *service) cancelSeriesFromPage(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	cancelled, err := s.store.CancelSeries(r.Context(), s.act(r.Context(), id), "")
	s.metrics.cancelled.Add(float64(len(cancelled)))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, seriesPath+id.String()+"?done="+doneCancelled, http.StatusSeeOther)
}
