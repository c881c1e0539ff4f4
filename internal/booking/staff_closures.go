package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// closuresView is what the list of closures shows.
type closuresView struct {
	desk
	// Venues are those that are closed now or will be.
	Venues []Venue
}

func (s *service) closuresPage(w http.ResponseWriter, r *http.Request) {
	var p closuresView
	var err error
	if p.desk, err = s.desk(r, staffClosuresPath); err == nil {
		p.Venues, err = s.store.Venues(r.Context(), p.Now)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Venues = slices.DeleteFunc(p.Venues, func(v Venue) bool { return len(v.Closures) == 0 })
	s.pages.Render(w, r, http.StatusOK, closuresPage(p))
}

// closeView is what the page shows on which a venue is closed: the form, and
// once it is filled in what would come of it.
type closeView struct {
	desk
	Venues []Venue
	At     Venue
	// What was chosen and typed; Place is a number, "0" is the whole venue.
	Place, FromDay, FromTime, ToDay, ToTime, Reason string
	// Move says that those affected get another time where there is one.
	Move bool
	// Mistakes are by the id of their field.
	Mistakes map[string]string
	// Preview says that what would come of it is shown; Affected is that.
	Preview  bool
	Closure  Closure
	Affected []Affected
}

// closeForm prepares the page from an address or a form.
func (s *service) closeForm(r *http.Request, form url.Values) (p closeView, err error) {
	if p.desk, err = s.desk(r, staffClosuresPath); err != nil {
		return p, err
	}
	if p.Venues, err = s.store.Venues(r.Context(), p.Now); err != nil || len(p.Venues) == 0 {
		return p, err
	}
	p.At = p.Venues[0]
	if name := form.Get("venue"); name != "" {
		i := slices.IndexFunc(p.Venues, func(v Venue) bool { return v.Name == name })
		if i < 0 {
			return p, ErrNotFound
		}
		p.At = p.Venues[i]
	}
	p.Mistakes = map[string]string{}
	p.Place, p.FromDay, p.ToDay = form.Get("place"), form.Get("fromDay"), form.Get("toDay")
	p.FromTime, p.ToTime = clockText(typed(form, "fromTime")), clockText(typed(form, "toTime"))
	p.Reason, p.Move = form.Get("reason"), form.Get("move") != "cancel"
	return p, nil
}

// order is what the form asks for; what is wrong with it is in Mistakes.
func (p *closeView) order(by string) ClosureOrder {
	moment := func(dayField, dayText, timeField, timeText string) time.Time {
		day, err := ParseDate(dayText)
		if err != nil {
			p.Mistakes[dayField] = p.T("booking.staff.dateWrong")
		}
		minutes, err := ParseTimeOfDay(timeText)
		if err != nil {
			p.Mistakes[timeField] = p.T("booking.staff.timeWrong")
		}
		// A time that clocks skip is the moment at which they do.
		at, ok := day.At(minutes, p.Location)
		for ; !ok && minutes < minutesPerDay; at, ok = day.At(minutes, p.Location) {
			minutes += cellMinutes
		}
		return at
	}
	o := ClosureOrder{Closure: Closure{Venue: p.At.Name, By: by}, Move: p.Move, Now: p.Now, Location: p.Location}
	place, err := strconv.Atoi(p.Place)
	if p.Place != "" && (err != nil || place != 0 && !p.At.hasPlace(place)) {
		p.Mistakes["place"] = p.T("booking.staff.rule.unknown-place")
	}
	o.Place = place
	o.Start = moment("fromDay", p.FromDay, "fromTime", p.FromTime)
	o.End = moment("toDay", p.ToDay, "toTime", p.ToTime)
	if len(p.Mistakes) == 0 && (!o.End.After(o.Start) || !o.End.After(p.Now)) {
		p.Mistakes["toDay"] = p.T("booking.staff.closeEmpty")
	}
	var problem string
	if o.Reason, problem = reasonOf(url.Values{"reason": {p.Reason}}); problem != "" {
		p.Mistakes["reason"] = p.T(problem, "Count", maxReason)
	}
	return o
}

// closeDefaults fills in what is most likely: the whole of today, or of the
// day that was asked for.
func (p *closeView) closeDefaults(date string) {
	if date == "" {
		date = p.today().String()
	}
	p.FromDay, p.ToDay, p.FromTime, p.ToTime = date, date, "00:00", "24:00"
}

func (s *service) closePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.closeForm(r, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.closeDefaults(r.URL.Query().Get("date"))
	s.pages.Render(w, r, http.StatusOK, closePage(p))
}

// closeFromPage shows what a closure would do and, when that has been seen and
// confirmed, does it.
func (s *service) closeFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	p, err := s.closeForm(r, r.PostForm)
	if err == nil && len(p.Venues) == 0 {
		err = ErrNotFound // there is nothing to close
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	caller, _ := identity.FromContext(r.Context())
	order := p.order(caller.ID)
	step := r.PostForm.Get("step")
	if len(p.Mistakes) > 0 || step == "edit" {
		if step == "edit" {
			clear(p.Mistakes)
		}
		s.pages.Render(w, r, statusOf(p.Mistakes), closePage(p))
		return
	}
	if step == "close" {
		id, err := s.closeOnce(r.Context(), p.At, order)
		if err == nil {
			http.Redirect(w, r, withDone(staffClosuresPath+id.String(), "closed"), http.StatusSeeOther)
			return
		}
		s.closeFailed(w, r, p, err)
		return
	}
	order.Try = true
	p.Closure, p.Affected, _, err = s.store.Close(r.Context(), order)
	if err != nil {
		s.closeFailed(w, r, p, err)
		return
	}
	p.Preview = true
	s.pages.Render(w, r, http.StatusOK, closePreviewPage(p))
}

// statusOf is the status of a form with mistakes, or without.
func statusOf(mistakes map[string]string) int {
	if len(mistakes) > 0 {
		return http.StatusUnprocessableEntity
	}
	return http.StatusOK
}

// closeOnce closes a venue. A form that is sent twice leads to one closure.
func (s *service) closeOnce(ctx context.Context, at Venue, o ClosureOrder) (uuid.UUID, error) {
	for _, c := range at.Closures {
		begun := !c.Start.After(o.Now) && !o.Start.After(o.Now)
		if c.Place == o.Place && c.End.Equal(o.End) && c.Reason == o.Reason && (begun || c.Start.Equal(o.Start)) {
			return c.ID, nil
		}
	}
	c, _, err := s.close(ctx, o)
	return c.ID, err
}

func (s *service) closeFailed(w http.ResponseWriter, r *http.Request, p closeView, err error) {
	text, known := notDone(p.View, err)
	switch {
	case known:
		p.Mistakes["toDay"] = text
	case errors.Is(err, ErrTooMany):
		p.Mistakes["toDay"] = p.T("booking.staff.closeTooMany", "Count", maxAffected)
	default:
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, closePage(p))
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p closeView) mistakes() []web.FieldError {
	return inOrder(p.Mistakes, "place", "fromDay", "fromTime", "toDay", "toTime", "reason")
}

// inOrder are the mistakes of a form in the order of its fields.
func inOrder(mistakes map[string]string, fields ...string) []web.FieldError {
	var errs []web.FieldError
	for _, field := range fields {
		if text := mistakes[field]; text != "" {
			errs = append(errs, web.FieldError{Field: field, Message: text})
		}
	}
	return errs
}

// closureView is what the page of a closure shows: whom to call.
type closureView struct {
	desk
	Closure
	At       Venue
	Affected []Affected
	// Open says that the closure can still be ended.
	Open bool
}

func (s *service) closureView(r *http.Request) (p closureView, err error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return p, ErrNotFound
	}
	if p.desk, err = s.desk(r, staffClosuresPath); err != nil {
		return p, err
	}
	if p.Closure, p.Affected, err = s.store.Closure(r.Context(), id); err != nil {
		return p, err
	}
	p.At, err = s.store.Venue(r.Context(), p.Venue, p.Now)
	if errors.Is(err, ErrNotFound) { // retired meanwhile
		names, err := s.store.VenueNames(r.Context())
		p.At = Venue{Name: p.Venue, DisplayName: names[p.Venue]}
		return p, err
	}
	p.Open = slices.ContainsFunc(p.At.Closures, func(c Closure) bool { return c.ID == id })
	return p, err
}

func (s *service) closurePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.closureView(r)
	if err == nil {
		// The list is made to be printed and ticked.
		err = s.look(r.Context(), Look{what: actionClosureView, object: p.ID.String(), people: affectedPeople(p.Affected), printed: true})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, closurePage(p))
}

func (s *service) reopenPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.closureView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !p.Open {
		http.Redirect(w, r, staffClosuresPath+p.ID.String(), http.StatusSeeOther)
		return
	}
	s.pages.Render(w, r, http.StatusOK, reopenPage(p))
}

func (s *service) reopenFromPage(w http.ResponseWriter, r *http.Request) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err == nil {
		err = s.store.Reopen(r.Context(), s.staffAct(r.Context(), id))
	} else {
		err = ErrNotFound
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffClosuresPath, "reopened"), http.StatusSeeOther)
}
