package booking

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// joinWaiting puts the person whom the form names on the waiting list.
func (s *service) joinWaiting(w http.ResponseWriter, r *http.Request) {
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
	e, err := s.store.Join(r.Context(), s.order(o.request(venue), o.Party, ""))
	s.count(err)
	if err != nil {
		s.showOrder(w, r, o, err, false)
		return
	}
	http.Redirect(w, r, waitingPath+e.ID.String(), http.StatusSeeOther)
}

// waitingView is what the page of an entry of the waiting list shows.
type waitingView struct {
	Entry
	Offered   Venue
	VenueName string
	Household household
	// Before is how many others come first.
	Before int
}

func (s *service) ownEntry(r *http.Request) (Entry, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return Entry{}, ErrNotFound
	}
	return s.store.Entry(r.Context(), s.reach(r.Context()), id)
}

func (s *service) waitingPage(w http.ResponseWriter, r *http.Request) {
	e, err := s.ownEntry(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if e.Booking != uuid.Nil { // a place was offered: its page says the rest
		http.Redirect(w, r, bookingURL(e.Booking), http.StatusSeeOther)
		return
	}
	p, err := s.waitingView(r.Context(), e)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, waitingPage(s.pages.View(r), p))
}

func (s *service) waitingView(ctx context.Context, e Entry) (p waitingView, err error) {
	p = waitingView{Entry: e, Household: s.household(ctx)}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	p.VenueName = names[e.Venue]
	if p.Offered, err = s.store.Venue(ctx, e.Venue, s.clock.Now()); err != nil && !errors.Is(err, ErrNotFound) {
		return p, err
	}
	from, to := DateOf(e.Start, s.location()).Bounds(s.location())
	all, err := s.store.WaitingAt(ctx, from, to)
	if err != nil {
		return p, err
	}
	p.Before = before(all, e)
	return p, nil
}

// before counts those who get a place before an entry does, in the order of
// joining: who waits for the same time, and the same place or any.
func before(all []Entry, e Entry) int {
	n := 0
	for _, other := range all {
		switch {
		case other.ID == e.ID:
			return n
		case other.Venue == e.Venue && other.State == EntryWaiting && other.Overlaps(e.Slot) && (other.Place == 0 || e.Place == 0 || other.Place == e.Place):
			n++
		}
	}
	return n
}

func (s *service) leaveFromPage(w http.ResponseWriter, r *http.Request) {
	e, err := s.ownEntry(r)
	if err == nil {
		_, err = s.store.Leave(r.Context(), s.act(r.Context(), e.ID))
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, waitingPath+e.ID.String(), http.StatusSeeOther)
}

// minutesLeft is how many minutes there are until a moment, begun ones in full.
func minutesLeft(now, until time.Time) int {
	return int((until.Sub(now) + time.Minute - 1) / time.Minute)
}
