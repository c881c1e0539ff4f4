package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// orderView is what the page shows on which a slot is booked.
type orderView struct {
	// Day is that of the venue, or of the attendant who is wanted.
	Day
	trail
	Start     time.Time
	Household household
	// Allowed are those for whom the reader may book here, Barred those for
	// whom a rule forbids it.
	Allowed household
	Barred  []barred
	// Choices are how long it can be booked; none if it cannot be.
	Choices []Choice
	// CanWait says that everything is taken, and that there is a waiting list.
	CanWait bool
	// What is chosen and was typed. Until is the last day of a series.
	Slots, Seat int
	Note, Until string
	// Key makes the form, however often it is sent, one booking.
	Key string
	// Problem is why the slot cannot be booked or was not, empty if it can or
	// if it is just full;
	// Mistakes are what is wrong with a field, by its name.
	Problem  string
	Mistakes map[string]string
	// Nearest are other slots that can be booked.
	Nearest []Offer
}

// barred is a person for whom a venue is not, and the rule that says so.
type barred struct {
	identity.Person
	Refusal *Refusal
}

// nearestSlots is how many other slots are offered in place of a taken one.
const nearestSlots = 4

// orderView prepares the page for a slot from what is free now.
func (s *service) orderView(ctx context.Context, v web.View, venue string, start time.Time, t trail) (p orderView, err error) {
	day, err := s.day(ctx, venue, DateOf(start, s.location()))
	if err != nil {
		return p, err
	}
	if len(day.Venue.Attendants) == 0 {
		t.Place = 0
	} else if t.Place != 0 {
		if !day.Venue.hasPlace(t.Place) {
			return p, ErrNotFound
		}
		day = DayOf(day.Venue.only(t.Place), day.Date, s.clock.Now(), s.location(), day.taken)
	}
	p = orderView{
		Day: day, trail: t, Start: start, Household: s.household(ctx), Slots: 1, Key: uuid.NewString(),
		Choices: day.Choices(start), Mistakes: map[string]string{},
	}
	if err := s.whoMay(ctx, &p); err != nil {
		return p, err
	}
	// Say why not, as booking the slot would.
	slot := Slot{Start: start, End: start.Add(time.Duration(day.Venue.SlotMinutes) * time.Minute)}
	refusal := day.Venue.checkTime(Request{Venue: venue, Slot: slot}, Asker{}, s.clock.Now(), s.location())
	switch {
	case refusal != nil:
		p.Problem = refusalText(v, refusal)
	case len(p.Allowed) == 0:
		p.Problem = v.T("booking.notForYou")
		if len(p.Household) == 1 {
			p.Problem = refusalText(v, p.Barred[0].Refusal)
		}
		p.Choices = nil
	case len(p.Choices) == 0:
		p.CanWait = true
	}
	if len(p.Choices) == 0 && len(p.Allowed) > 0 {
		p.Nearest = day.Nearest(start, nearestSlots)
	}
	return p, nil
}

// whoMay finds out for whom the reader may book, and chooses the one asked for.
func (s *service) whoMay(ctx context.Context, p *orderView) error {
	known := false
	for i, person := range p.Household {
		known = known || person.ID == p.For || i == 0 && p.For == ""
		a := Asker{BornOn: partyOf(person, "").BornOn}
		if p.Venue.MembersOnly {
			var err error
			if a.Member, err = s.store.IsMember(ctx, p.Venue.Name, person.ID); err != nil {
				return err
			}
		}
		if refusal := p.Venue.checkPerson(a, p.Date); refusal != nil {
			p.Barred = append(p.Barred, barred{person, refusal})
		} else {
			p.Allowed = append(p.Allowed, person)
		}
	}
	if !known {
		return errNotYours
	}
	return nil
}

// forWhom is the ID of the person that is chosen: who was asked for, if the
// venue is for them.
func (p orderView) forWhom() string {
	for i, person := range p.Allowed {
		if person.ID == p.For || i == 0 && p.For == "" && person.ID == p.Household[0].ID {
			return person.ID
		}
	}
	if len(p.Allowed) > 0 {
		return p.Allowed[0].ID
	}
	return ""
}

// canRepeat reports whether there is a week later that can be booked already.
func (p orderView) canRepeat(last Date) bool { return last.DaysSince(p.Date) >= 7 }

func (s *service) orderPage(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	start, err := time.Parse(time.RFC3339, query.Get("start"))
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	t, err := trailOf(query)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	p, err := s.orderView(r.Context(), v, r.PathValue("venue"), start, t)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, orderPage(v, p, s.lastDay(p.Venue)))
}

func (s *service) lastDay(v Venue) Date { return v.LastDay(s.clock.Now(), s.location()) }

// orderInput is what the form of an order says.
type orderInput struct {
	trail
	Venue             string
	Start             time.Time
	Slots, Seat       int
	Note, Until, Key  string
	Party             Party
	SignedIn, TooLong bool
}

// readOrder reads the form of an order. It returns errNotYours if the caller
// may not act for that person, and errBadForm.
func (s *service) readOrder(w http.ResponseWriter, r *http.Request) (o orderInput, err error) {
	form, err := readForm(w, r)
	if err != nil {
		return o, err
	}
	o = orderInput{Venue: r.PathValue("venue"), Key: form.Get("key"), Until: form.Get("until")}
	o.For = form.Get("for")
	var errs [4]error
	o.Start, errs[0] = time.Parse(time.RFC3339, form.Get("start"))
	o.Slots, errs[1] = formNumber(form, "slots", 1)
	o.Place, errs[2] = formNumber(form, "place", 0)
	o.Seat, errs[3] = formNumber(form, "seat", 0)
	if errors.Join(errs[:]...) != nil || uuid.Validate(o.Key) != nil {
		return o, errBadForm
	}
	o.Note = strings.TrimSpace(strings.ReplaceAll(form.Get("note"), "\r\n", "\n"))
	o.TooLong = utf8.RuneCountInString(o.Note) > MaxNote
	if _, o.SignedIn = identity.FromContext(r.Context()); o.SignedIn {
		o.Party, err = s.party(r.Context(), o.For)
	}
	return o, err
}

// place is the place that is asked for: a seat, or the attendant who is wanted.
func (o orderInput) place() int { return max(o.Seat, o.Place) }

// request is what the form asks for at a venue.
func (o orderInput) request(v Venue) Request {
	end := o.Start.Add(time.Duration(o.Slots*v.SlotMinutes) * time.Minute)
	return Request{Venue: o.Venue, Slot: Slot{Start: o.Start, End: end}, Place: o.place(), Note: o.Note}
}

// placeOrder books what the form says and goes on to the page of the booking.
// A form that is sent again, by a double tap or the back button, carries the
// same key and leads to the same booking. Somebody who looks for another time
// sends the form too, so that what was typed is not lost.
func (s *service) placeOrder(w http.ResponseWriter, r *http.Request) {
	o, err := s.readOrder(w, r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if !o.SignedIn { // the session ended while the form was filled in
		signInFor(w, r, o.orderURL(o.Venue, o.Start))
		return
	}
	show := r.PostForm.Get("show") != ""
	if !show && !o.TooLong {
		var b Booking
		if b, err = s.bookForm(r.Context(), o); err == nil {
			http.Redirect(w, r, bookingURL(b.ID)+"?"+url.Values{"done": {doneBooked}}.Encode(), http.StatusSeeOther)
			return
		}
	}
	s.showOrder(w, r, o, err, show)
}

func (s *service) bookForm(ctx context.Context, o orderInput) (Booking, error) {
	v, err := s.store.Venue(ctx, o.Venue, s.clock.Now())
	if err != nil {
		return Booking{}, err
	}
	return s.book(ctx, s.order(o.request(v), o.Party, o.Key))
}

// showOrder shows the form again, as things are now, with what was typed and
// why nothing was booked. Show says that nothing was to be booked yet.
func (s *service) showOrder(w http.ResponseWriter, r *http.Request, o orderInput, err error, show bool) {
	v := s.pages.View(r)
	p, viewErr := s.orderView(r.Context(), v, o.Venue, o.Start, o.trail)
	if viewErr != nil {
		s.fail(w, r, viewErr)
		return
	}
	p.keep(o)
	status := http.StatusUnprocessableEntity
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case o.TooLong:
		p.Mistakes["note"] = v.T("booking.noteTooLong", "Count", MaxNote)
	case show:
		status = http.StatusOK
	case refused:
		p.refused(v, refusal)
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
	s.pages.Render(w, r, status, orderPage(v, p, s.lastDay(p.Venue)))
}

// keep fills in what was chosen and typed, as far as it can still be had.
func (p *orderView) keep(o orderInput) {
	p.Slots, p.Seat, p.Note, p.Until, p.Key = o.Slots, o.Seat, o.Note, o.Until, o.Key
	if len(p.Choices) > 0 {
		p.Slots = min(o.Slots, p.Choices[len(p.Choices)-1].Slots)
	}
}

// refused notes why an order was refused, beside the field that it is about.
func (p *orderView) refused(v web.View, refusal *Refusal) {
	field := ""
	switch refusal.Rule {
	case RuleTooYoung, RuleTooOld, RuleAgeUnknown, RuleMembersOnly, RuleDailyLimit, RuleWeeklyLimit:
		if len(p.Allowed) > 1 {
			field = "for"
		}
	case RuleTooLong, RuleNotOnSlot, RuleOutsideOpeningHours:
		if len(p.Choices) > 1 {
			field = "slots"
		}
	case RuleUnknownPlace:
		field = "seat"
	case RuleUntil:
		field = "until"
	}
	if field == "" || len(p.Choices) == 0 {
		p.Problem = refusalText(v, refusal)
		return
	}
	p.Mistakes[field] = refusalText(v, refusal)
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p orderView) mistakes() []web.FieldError {
	var mistakes []web.FieldError
	if p.Problem != "" {
		mistakes = append(mistakes, web.FieldError{Message: p.Problem})
	}
	for _, field := range []string{"for", "slots", "seat", "note", "until"} {
		if message := p.Mistakes[field]; message != "" {
			mistakes = append(mistakes, web.FieldError{Field: field, Message: message})
		}
	}
	return mistakes
}

// options are the people as choices, among them the reader.
func (h household) options(v web.View, reader string) []web.Option {
	options := make([]web.Option, len(h))
	for i, p := range h {
		options[i] = web.Option{Value: p.ID, Label: v.Name(p.Name, p.LatinName)}
		if p.ID == reader {
			options[i].Detail = v.T("booking.myself")
		}
	}
	return options
}
