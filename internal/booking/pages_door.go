package booking

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// doorView is what people see who scan the code on a venue's door.
type doorView struct {
	Venue     Venue
	Household household
	// Code is the code on the door, as it was scanned or typed; Scanned says
	// that it need not be typed.
	Code    string
	Scanned bool
	// Today are the bookings of the reader's household here, today.
	Today []doorBooking
	// Rest are the slots of which the rest can be booked on the spot.
	Rest []Slot
	// Allowed are those for whom they can be, For is who is chosen.
	Allowed household
	For     string
	// Start is which slot is chosen.
	Start time.Time
	// Next is the next slot that can be booked today, if nothing is free now.
	Next *Offer
	Key  string
	Now  time.Time
	// Problem is why what was tried was not done, CodeProblem what is wrong
	// with the code.
	Problem, CodeProblem string
}

// doorBooking is a booking, and why one cannot check in for it now, or nil.
type doorBooking struct {
	Booking
	Refusal *Refusal
}

func (s *service) doorPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.doorView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Code = doorCode(r.URL.Query())
	p.Scanned = p.Code != ""
	s.pages.Render(w, r, http.StatusOK, doorPage(s.pages.View(r), p))
}

// doorCode is the code that an address or a form has, without the spaces that
// people type.
func doorCode(values url.Values) string {
	return strings.Join(strings.Fields(values.Get("code")), "")
}

func (s *service) doorView(r *http.Request) (p doorView, err error) {
	ctx, now, loc, today := r.Context(), s.clock.Now(), s.location(), s.today()
	day, err := s.day(ctx, r.PathValue("venue"), today)
	if err != nil {
		return p, err
	}
	p = doorView{Venue: day.Venue, Household: s.household(ctx), Key: uuid.NewString(), Now: now}
	mine, err := s.store.Bookings(ctx, s.reach(ctx), Upcoming, Cursor{}, maxMine, now)
	if err != nil {
		return p, err
	}
	for _, b := range mine {
		if b.Venue == p.Venue.Name && b.Day == today && b.State != StateHeld {
			p.Today = append(p.Today, doorBooking{b, CheckCheckIn(b, false, now)})
		}
	}
	// Whom the staff must allow to come is not let in by a code.
	if p.Venue.NeedsApproval || day.Refusal != nil || p.here() {
		return p, nil
	}
	order := orderView{Day: day, Household: p.Household}
	if err := s.whoMay(ctx, &order); err != nil {
		return p, err
	}
	p.Allowed, p.For = order.Allowed, order.forWhom()
	if len(p.Allowed) == 0 {
		return p, nil
	}
	for _, slot := range p.Venue.Slots(today, loc) {
		if slot.End.After(now) && slot.Start.Sub(now) <= checkInEarly && len(day.FreePlaces(slot)) > 0 {
			p.Rest = append(p.Rest, slot)
		}
	}
	if len(p.Rest) > 0 {
		p.Start = p.Rest[0].Start
	} else if free := day.FreeSlots(); len(free) > 0 {
		p.Next = &free[0]
	}
	return p, nil
}

// checkInFromPage checks in for a booking, or, where the form names none, books
// the rest of a slot for somebody who stands at the door.
func (s *service) checkInFromPage(w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	code := doorCode(form)
	var b Booking
	if form.Has("booking") {
		b, err = s.checkInFor(r, form.Get("booking"), code)
	} else {
		b, err = s.walkIn(r, form, code)
	}
	if err == nil {
		http.Redirect(w, r, bookingURL(b.ID)+"?"+url.Values{"done": {doneCheckedIn}}.Encode(), http.StatusSeeOther)
		return
	}
	s.count(err)
	refusal, refused := errors.AsType[*Refusal](err)
	if !refused && !errors.Is(err, ErrTaken) && !errors.Is(err, ErrKeyReused) {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	p, err := s.doorView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.keep(form, code)
	status := http.StatusUnprocessableEntity
	switch {
	case !refused:
		p.Problem, status = v.T("booking.door.taken"), http.StatusConflict
	case refusal.Rule == RuleWrongCode:
		p.CodeProblem, p.Scanned = refusalText(v, refusal), false
	case refusal.Rule == RuleTooManyCodes:
		p.CodeProblem, p.Scanned, status = refusalText(v, refusal), false, http.StatusTooManyRequests
	default:
		p.Problem = refusalText(v, refusal)
	}
	s.pages.Render(w, r, status, doorPage(v, p))
}

// keep fills in what was chosen and typed, as far as it can still be had.
func (p *doorView) keep(form url.Values, code string) {
	p.Code, p.Scanned = code, form.Get("scanned") != ""
	if slices.ContainsFunc(p.Allowed, func(person identity.Person) bool { return person.ID == form.Get("for") }) {
		p.For = form.Get("for")
	}
	for _, slot := range p.Rest {
		if slot.Start.Format(time.RFC3339) == form.Get("start") {
			p.Start = slot.Start
		}
	}
}

func (s *service) checkInFor(r *http.Request, booking, code string) (Booking, error) {
	id, err := uuid.Parse(booking)
	if err != nil {
		return Booking{}, errBadForm
	}
	act := s.act(r.Context(), id)
	b, err := s.store.Booking(r.Context(), act.Reach, id)
	if err != nil {
		return b, err
	}
	if b.Venue != r.PathValue("venue") {
		return b, ErrNotFound
	}
	b, _, err = s.store.CheckIn(r.Context(), act, code)
	return b, err
}

// walkIn books the slot that the form names and checks in at once.
func (s *service) walkIn(r *http.Request, form url.Values, code string) (Booking, error) {
	start, err := time.Parse(time.RFC3339, form.Get("start"))
	key := form.Get("key")
	if err != nil || uuid.Validate(key) != nil {
		return Booking{}, errBadForm
	}
	party, err := s.party(r.Context(), form.Get("for"))
	if err != nil {
		return Booking{}, err
	}
	v, err := s.store.Venue(r.Context(), r.PathValue("venue"), s.clock.Now())
	if err != nil {
		return Booking{}, err
	}
	now := s.clock.Now()
	if v.NeedsApproval || start.Sub(now) > checkInEarly {
		return Booking{}, errBadForm // our page does not offer it
	}
	if err := s.store.CheckCode(r.Context(), v.Name, party.BookedBy, code, now); err != nil {
		return Booking{}, err
	}
	party.Present = true
	end := start.Add(time.Duration(v.SlotMinutes) * time.Minute)
	return s.book(r.Context(), s.order(Request{Venue: v.Name, Slot: Slot{Start: start, End: end}}, party, key))
}

// here reports whether there is a booking for about now.
func (p doorView) here() bool {
	return slices.ContainsFunc(p.Today, func(b doorBooking) bool { return b.Refusal == nil })
}

// canCheckIn reports whether there is something to check in for.
func (p doorView) canCheckIn() bool { return slices.ContainsFunc(p.Today, doorBooking.canCheckIn) }

func (b doorBooking) canCheckIn() bool { return b.Refusal == nil && b.CheckedInAt.IsZero() }

// whyNot says why one cannot check in for a booking now.
func (p doorView) whyNot(v web.View, b doorBooking) string {
	switch {
	case b.State == StateRequested:
		return v.T("booking.door.requested")
	case b.Refusal.Rule == RuleTooEarly:
		return v.T("booking.door.early", "Time", v.Time(b.Start.Add(-checkInEarly)))
	}
	return refusalText(v, b.Refusal)
}

// mistakes are what the page's forms say is wrong.
func (p doorView) mistakes() []web.FieldError {
	var mistakes []web.FieldError
	if p.Problem != "" {
		mistakes = append(mistakes, web.FieldError{Message: p.Problem})
	}
	if p.CodeProblem != "" {
		mistakes = append(mistakes, web.FieldError{Field: "code", Message: p.CodeProblem})
	}
	return mistakes
}

// spans are the choices of the field "start".
func (p doorView) spans(v web.View) []web.Option {
	options := make([]web.Option, len(p.Rest))
	for i, slot := range p.Rest {
		options[i] = web.Option{Value: slot.Start.In(v.Location).Format(time.RFC3339), Label: p.spanText(v, slot)}
	}
	return options
}

// spanText says which span would be booked on the spot.
func (p doorView) spanText(v web.View, slot Slot) string {
	if slot.Start.After(p.Now) {
		return times(v, slot)
	}
	return v.T("booking.door.now", "Time", v.Time(slot.End))
}
