package booking

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// staffBookingView is what the staff's page of a booking shows.
type staffBookingView struct {
	desk
	deskRow
	// By is the name of who made it, if that was somebody else.
	By string
	// Weeks are the other bookings of its series.
	Weeks []Booking
	// CanChange, CanCancel and CanAnswer say what can be done with it now.
	CanChange, CanCancel, CanAnswer bool
	// Problem is why something was not done, if that was tried.
	Problem string
	// Reason is what was typed, ReasonProblem what is wrong with it.
	Reason, ReasonProblem string
}

// staffBooking prepares the staff's page of the booking that the path names.
func (s *service) staffBooking(r *http.Request) (p staffBookingView, err error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return p, ErrNotFound
	}
	if p.desk, err = s.desk(r, ""); err != nil {
		return p, err
	}
	ctx := r.Context()
	act := s.staffAct(ctx, id)
	b, err := s.store.Booking(ctx, act.Reach, id)
	if err != nil {
		return p, err
	}
	venues, err := s.store.Venues(ctx, p.Now)
	if err != nil {
		return p, err
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	p.deskRow = *rowsOf([]Booking{b}, venues, names, p.Now)[0]
	offered := slices.ContainsFunc(venues, func(v Venue) bool { return v.Name == b.Venue })
	p.CanAnswer = b.State == StateRequested && b.Start.After(p.Now)
	p.CanCancel = b.Live() && CheckCancel(*p.At, b, true, p.Now) == nil
	p.CanChange = p.CanCancel && b.State != StateHeld && offered && b.CheckedInAt.IsZero()
	if p.By, err = s.bookedBy(ctx, p.desk.View, b); err != nil {
		return p, err
	}
	if b.Series != uuid.Nil {
		weeks, err := s.store.InSeries(ctx, act.Reach, b.Series)
		if err != nil {
			return p, err
		}
		p.Weeks = slices.DeleteFunc(weeks, func(o Booking) bool { return o.ID == b.ID })
	}
	return p, nil
}

// showBooking shows a page about a person's booking, after that was audited.
func (s *service) showBooking(w http.ResponseWriter, r *http.Request, status int, b Booking, page templ.Component) {
	if err := s.store.See(r.Context(), s.staffAct(r.Context(), b.ID), b); err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, status, page)
}

func (s *service) staffBookingPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.staffBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.showBooking(w, r, http.StatusOK, p.Booking, staffBookingPage(p))
}

// actAtDesk does something with the booking that the path names and goes back
// to where the form was. If that cannot be done, the page of the booking says why.
func (s *service) actAtDesk(w http.ResponseWriter, r *http.Request, done string, act func(ctx context.Context, a Act) error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	if !s.staffForm(w, r) {
		return
	}
	if err = act(r.Context(), s.staffAct(r.Context(), id)); err == nil {
		goBack(w, r, staffBookingURL(id), done)
		return
	}
	problem, known := notDone(s.pages.View(r), err)
	if !known {
		s.fail(w, r, err)
		return
	}
	p, err := s.staffBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Problem = problem
	s.showBooking(w, r, http.StatusUnprocessableEntity, p.Booking, staffBookingPage(p))
}

func (s *service) checkInAtDesk(w http.ResponseWriter, r *http.Request) {
	s.actAtDesk(w, r, "arrived", func(ctx context.Context, a Act) error {
		_, _, err := s.store.CheckIn(ctx, a, "")
		return err
	})
}

func (s *service) approveFromPage(w http.ResponseWriter, r *http.Request) {
	s.actAtDesk(w, r, "approved", func(ctx context.Context, a Act) error {
		_, _, err := s.store.Approve(ctx, a)
		return err
	})
}

func (s *service) acceptAtDesk(w http.ResponseWriter, r *http.Request) {
	s.actAtDesk(w, r, "accepted", func(ctx context.Context, a Act) error {
		_, _, err := s.store.Accept(ctx, a)
		return err
	})
}

// askReason shows the page that asks for the reason to refuse or to cancel, if
// that can be done.
func (s *service) askReason(w http.ResponseWriter, r *http.Request, refusing bool) {
	p, err := s.staffBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if refusing && !p.CanAnswer || !refusing && !p.CanCancel {
		http.Redirect(w, r, staffBookingURL(p.ID), http.StatusSeeOther)
		return
	}
	s.showBooking(w, r, http.StatusOK, p.Booking, reasonPage(p, refusing))
}

func (s *service) refusePage(w http.ResponseWriter, r *http.Request) { s.askReason(w, r, true) }

func (s *service) staffCancelPage(w http.ResponseWriter, r *http.Request) { s.askReason(w, r, false) }

// actForReason is actAtDesk for what wants a reason. Without one the page asks again.
func (s *service) actForReason(w http.ResponseWriter, r *http.Request, refusing bool, done string, act func(ctx context.Context, a Act, reason string) error) {
	if !s.staffForm(w, r) {
		return
	}
	reason, problem := reasonOf(r.PostForm)
	if problem == "" {
		s.actAtDesk(w, r, done, func(ctx context.Context, a Act) error { return act(ctx, a, reason) })
		return
	}
	p, err := s.staffBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Reason, p.ReasonProblem = reason, p.T(problem, "Count", maxReason)
	s.showBooking(w, r, http.StatusUnprocessableEntity, p.Booking, reasonPage(p, refusing))
}

func (s *service) refuseFromPage(w http.ResponseWriter, r *http.Request) {
	s.actForReason(w, r, true, "refused", func(ctx context.Context, a Act, reason string) error {
		_, _, err := s.store.Refuse(ctx, a, reason)
		return err
	})
}

func (s *service) cancelAtDesk(w http.ResponseWriter, r *http.Request) {
	s.actForReason(w, r, false, "cancelled", func(ctx context.Context, a Act, reason string) error {
		b, err := s.cancel(ctx, a, reason)
		if err == nil && r.PostForm.Get("series") != "" && b.Series != uuid.Nil {
			a.ID = b.Series
			_, err = s.store.CancelSeries(ctx, a, reason)
		}
		return err
	})
}

// staffChangeView is what the page shows on which a booking gets another time.
type staffChangeView struct {
	staffBookingView
	Day
	// Slots is how many slots it is to span, Choices where that is free.
	Slots   int
	Choices []Choice
	// Start and Place are what was chosen.
	Start string
	Place int
}

// staffChange prepares the page for a day and a number of slots.
func (s *service) staffChange(r *http.Request, form url.Values) (p staffChangeView, err error) {
	if p.staffBookingView, err = s.staffBooking(r); err != nil || !p.CanChange {
		return p, err
	}
	date := p.Booking.Day
	if text := form.Get("date"); text != "" {
		if date, err = ParseDate(text); err != nil {
			return p, ErrNotFound
		}
	}
	slotLength := time.Duration(p.At.SlotMinutes) * time.Minute
	if p.Slots, err = formNumber(form, "slots", max(1, int(p.End.Sub(p.Booking.Start)/slotLength))); err != nil {
		return p, ErrNotFound
	}
	from, to := date.Bounds(p.Location)
	taken, err := s.store.Taken(r.Context(), []string{p.At.Name}, from, to)
	if err != nil {
		return p, err
	}
	// Its own place is free for it.
	others := slices.DeleteFunc(taken[p.At.Name], func(t Taken) bool {
		return t.Place == p.Booking.Place && t.Start.Equal(p.Booking.Start)
	})
	p.Day = dayFor(*p.At, date, Asker{Staff: true}, p.Now, p.Location, others)
	for _, offer := range p.Offers {
		for _, c := range p.Day.Choices(offer.Start) {
			if c.Slots == p.Slots {
				p.Choices = append(p.Choices, c)
			}
		}
	}
	p.Start, p.Place = form.Get("start"), 0
	return p, nil
}

func (s *service) staffChangePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.staffChange(r, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !p.CanChange {
		http.Redirect(w, r, staffBookingURL(p.ID), http.StatusSeeOther)
		return
	}
	s.showBooking(w, r, http.StatusOK, p.Booking, staffChangePage(p))
}

func (s *service) changeAtDesk(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	p, err := s.staffChange(r, r.PostForm)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	start, startErr := time.Parse(time.RFC3339, p.Start)
	place, err := formNumber(r.PostForm, "place", 0)
	if err != nil {
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	p.Place = place
	if !p.CanChange {
		http.Redirect(w, r, staffBookingURL(p.ID), http.StatusSeeOther)
		return
	}
	if startErr != nil {
		p.Problem = p.T("booking.staff.chooseTime")
		s.showBooking(w, r, http.StatusUnprocessableEntity, p.Booking, staffChangePage(p))
		return
	}
	end := start.Add(time.Duration(p.Slots*p.At.SlotMinutes) * time.Minute)
	// Hours with a break between them have no slots there.
	if i := slices.IndexFunc(p.Choices, func(c Choice) bool { return c.Start.Equal(start) }); i >= 0 {
		end = p.Choices[i].End
	}
	caller, _ := identity.FromContext(r.Context())
	party := Party{Person: p.Booking.Person, BookedBy: caller.ID, Staff: true}
	to := Request{Venue: p.At.Name, Slot: Slot{start, end}, Place: place, Note: p.Note}
	_, _, err = s.store.Change(r.Context(), s.staffAct(r.Context(), p.ID), party, to)
	if err == nil {
		http.Redirect(w, r, withDone(staffBookingURL(p.ID), "changed"), http.StatusSeeOther)
		return
	}
	problem, known := notDone(p.desk.View, err)
	if !known {
		s.fail(w, r, err)
		return
	}
	p.Problem = problem
	s.showBooking(w, r, http.StatusUnprocessableEntity, p.Booking, staffChangePage(p))
}

// requestsView is what the list of requests shows.
type requestsView struct {
	desk
	Rows []*deskRow
}

func (s *service) requestsPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.requestsView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, requestsPage(p))
}

func (s *service) requestsView(r *http.Request) (p requestsView, err error) {
	if p.desk, err = s.desk(r, staffRequestsPath); err != nil {
		return p, err
	}
	bookings, err := s.store.Requested(r.Context())
	if err != nil {
		return p, err
	}
	venues, err := s.store.Venues(r.Context(), p.Now)
	if err != nil {
		return p, err
	}
	names, err := s.store.VenueNames(r.Context())
	if err != nil {
		return p, err
	}
	p.Rows = rowsOf(bookings, venues, names, p.Now)
	return p, s.look(r.Context(), Look{what: actionRequestsView, people: peopleOf(bookings)})
}

// staffWaitingView is what the waiting list of a day shows.
type staffWaitingView struct {
	desk
	Date Date
	// Venues are those for which somebody waits.
	Venues []waitingVenue
}

// waitingVenue is a venue with those who wait for it, in the order of joining.
type waitingVenue struct {
	Venue
	Entries []Entry
}

func (s *service) staffWaitingPage(w http.ResponseWriter, r *http.Request) {
	date, err := s.dateOf(r)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	p := staffWaitingView{Date: date}
	if p.desk, err = s.desk(r, staffWaitingPath); err == nil {
		err = s.waitingOf(r.Context(), &p)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, staffWaitingPage(p))
}

func (s *service) waitingOf(ctx context.Context, p *staffWaitingView) error {
	from, to := p.Date.Bounds(p.Location)
	entries, err := s.store.WaitingAt(ctx, from, to)
	if err != nil {
		return err
	}
	venues, err := s.store.Venues(ctx, p.Now)
	if err != nil {
		return err
	}
	if err := s.look(ctx, Look{what: actionWaitingView, object: p.Date.String(), people: waitingPeople(entries)}); err != nil {
		return err
	}
	for _, v := range venues {
		at := waitingVenue{Venue: v, Entries: slices.DeleteFunc(slices.Clone(entries), func(e Entry) bool { return e.Venue != v.Name })}
		slices.SortStableFunc(at.Entries, func(a, b Entry) int { return a.Start.Compare(b.Start) })
		if len(at.Entries) > 0 {
			p.Venues = append(p.Venues, at)
		}
	}
	return nil
}
