package booking

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// deskOrderView is what the page shows on which the staff book for somebody:
// first a venue's day to choose a slot from, then the form for the slot.
type deskOrderView struct {
	desk
	Venues []Venue
	Day
	// Start is the slot that was chosen; zero while none is.
	Start time.Time
	// Choices are how long it can be booked; none if it cannot be.
	Choices []Choice
	// Query is a name or phone number that was looked for, Found are the
	// people who may be meant.
	Query string
	Found []identity.Person
	// What is chosen and was typed; Who is a person's ID, or empty for
	// somebody without an account.
	Who, GuestName, GuestPhone, Note, Until string
	Slots, Place                            int
	// Key makes the form, however often it is sent, one booking.
	Key string
	// Mistakes are by the id of their field; the empty id is the form as a whole.
	Mistakes map[string]string
	// Weeks are those of a series that cannot be booked, Good how many can.
	Weeks []Occurrence
	Good  int
}

// walkIn says that the slot runs already, so that the person is there.
func (p deskOrderView) walkIn() bool { return !p.Start.IsZero() && !p.Start.After(p.Now) }

// deskFindLimit is how many people a search of the staff shows.
const deskFindLimit = 8

// deskOrder prepares the page from an address or a form.
func (s *service) deskOrder(r *http.Request, form url.Values) (p deskOrderView, err error) {
	if p.desk, err = s.desk(r, staffOrderPath); err != nil {
		return p, err
	}
	ctx := r.Context()
	if p.Venues, err = s.store.Venues(ctx, p.Now); err != nil || len(p.Venues) == 0 {
		return p, err
	}
	at := p.Venues[0]
	if name := form.Get("venue"); name != "" {
		i := slices.IndexFunc(p.Venues, func(v Venue) bool { return v.Name == name })
		if i < 0 {
			return p, ErrNotFound
		}
		at = p.Venues[i]
	}
	date := p.today()
	if text := form.Get("date"); text != "" {
		if date, err = ParseDate(text); err != nil {
			return p, ErrNotFound
		}
	}
	if text := form.Get("start"); text != "" {
		if p.Start, err = time.Parse(time.RFC3339, text); err != nil {
			return p, ErrNotFound
		}
		date = DateOf(p.Start, p.Location)
	}
	from, to := date.Bounds(p.Location)
	taken, err := s.store.Taken(ctx, []string{at.Name}, from, to)
	if err != nil {
		return p, err
	}
	p.Day = dayFor(at, date, Asker{Staff: true}, p.Now, p.Location, taken[at.Name])
	p.Key, p.Slots, p.Mistakes = uuid.NewString(), 1, map[string]string{}
	if p.Start.IsZero() {
		return p, nil
	}
	p.Choices = p.Day.Choices(p.Start)
	if p.Query = typed(form, "q"); p.Query == "" {
		return p, nil
	}
	if p.Found, err = s.people.Find(r.Context(), p.Query, deskFindLimit); err != nil {
		return p, err
	}
	switch {
	case len(p.Found) > 0:
		p.Who = p.Found[0].ID
	case strings.ContainsAny(p.Query, "0123456789"):
		p.GuestPhone = p.Query
	default:
		p.GuestName = p.Query
	}
	return p, nil
}

func (s *service) deskOrderPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.deskOrder(r, r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, deskOrderPage(p))
}

// maxGuestName is how many characters the name of somebody without an account may have.
const maxGuestName = 30

// fill fills in what was chosen and typed, and notes what is wrong with it.
func (p *deskOrderView) fill(form url.Values) error {
	var err, placeErr error
	p.Slots, err = formNumber(form, "slots", 1)
	p.Place, placeErr = formNumber(form, "place", 0)
	p.Key = form.Get("key")
	if err := errors.Join(err, placeErr, uuid.Validate(p.Key)); err != nil {
		return err
	}
	p.Who, p.GuestName, p.GuestPhone = form.Get("who"), typed(form, "name"), typed(form, "phone")
	p.Until = form.Get("until")
	p.Note = strings.TrimSpace(strings.ReplaceAll(form.Get("note"), "\r\n", "\n"))
	if p.Who == "" {
		if n := utf8.RuneCountInString(p.GuestName); n == 0 || n > maxGuestName {
			p.Mistakes["name"] = p.T("booking.staff.nameMissing", "Count", maxGuestName)
		}
		if _, ok := phoneOf(p.GuestPhone); !ok {
			p.Mistakes["phone"] = p.T("booking.staff.phoneWrong")
		}
	}
	if utf8.RuneCountInString(p.Note) > MaxNote {
		p.Mistakes["note"] = p.T("booking.noteTooLong", "Count", MaxNote)
	}
	if p.Until != "" {
		until, err := ParseDate(p.Until)
		switch {
		case err != nil:
			p.Mistakes["until"] = p.T("booking.staff.dateWrong")
		case until.DaysSince(p.Date) < 0 || until.DaysSince(p.Date)/7 >= maxOccurrences:
			p.Mistakes["until"] = p.T("booking.staff.rule.until", "Count", maxOccurrences)
		}
	}
	return nil
}

// phoneOf is a phone number as it is kept: its digits, after a + if it has
// one. Spaces, hyphens and brackets are for people only.
func phoneOf(text string) (number string, ok bool) {
	number = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(text)
	digits := strings.TrimPrefix(number, "+")
	other := strings.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' })
	return number, !other && len(digits) >= 5 && len(digits) <= 15
}

// partyAtDesk is for whom the form asks.
func (s *service) partyAtDesk(ctx context.Context, p deskOrderView, by string) (Party, error) {
	var party Party
	if p.Who == "" {
		number, _ := phoneOf(p.GuestPhone)
		party = guest(p.GuestName, number, by)
	} else {
		person, err := s.person(ctx, p.Who)
		if err != nil {
			return party, err
		}
		party = partyOf(person, by)
	}
	party.Staff, party.Present = true, p.walkIn()
	return party, nil
}

// orderAtDesk books what the form says and goes on to the page of the booking.
func (s *service) orderAtDesk(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	p, err := s.deskOrder(r, r.PostForm)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if p.Start.IsZero() || p.fill(r.PostForm) != nil {
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	status := http.StatusUnprocessableEntity
	if len(p.Mistakes) == 0 {
		var id uuid.UUID
		id, err = s.bookAtDesk(r.Context(), &p, r.PostForm.Get("skip") != "")
		if id != uuid.Nil {
			http.Redirect(w, r, withDone(staffBookingURL(id), "booked"), http.StatusSeeOther)
			return
		}
		text, known := notDone(p.View, err)
		switch {
		case err == nil: // weeks that cannot be booked are in sight
		case known:
			p.Mistakes[""] = text
		case errors.Is(err, ErrKeyReused):
			p.Mistakes[""], p.Key = p.T("booking.staff.alreadySent"), uuid.NewString()
		default:
			s.fail(w, r, err)
			return
		}
		if errors.Is(err, ErrTaken) || errors.Is(err, ErrKeyReused) {
			status = http.StatusConflict
		}
	}
	s.pages.Render(w, r, status, deskOrderPage(p))
}

// bookAtDesk books what the form says, and returns the booking or the first
// of the series. It returns no booking and no error if weeks of a series
// cannot be booked and are not to be skipped.
func (s *service) bookAtDesk(ctx context.Context, p *deskOrderView, skip bool) (uuid.UUID, error) {
	caller, _ := identity.FromContext(ctx)
	party, err := s.partyAtDesk(ctx, *p, caller.ID)
	if err != nil {
		return uuid.Nil, err
	}
	end := p.Start.Add(time.Duration(p.Slots*p.Venue.SlotMinutes) * time.Minute)
	o := s.order(Request{Venue: p.Venue.Name, Slot: Slot{Start: p.Start, End: end}, Place: p.Place, Note: p.Note}, party, p.Key)
	if p.Until == "" {
		b, err := s.book(ctx, o)
		return b.ID, err
	}
	until, err := ParseDate(p.Until)
	if err != nil {
		return uuid.Nil, err
	}
	series, weeks, err := s.store.BookSeries(ctx, SeriesOrder{Order: o, Until: until, AllOrNothing: !skip})
	if err != nil {
		return uuid.Nil, err
	}
	for _, week := range weeks {
		switch {
		case week.Err != nil:
			p.Weeks = append(p.Weeks, week)
		case series != uuid.Nil:
			return week.Booking.ID, nil
		default:
			p.Good++
		}
	}
	p.Key = uuid.NewString() // the form goes on as another one
	return uuid.Nil, nil
}

// mistakes are what the form says is wrong, in the order of its fields.
func (p deskOrderView) mistakes() []web.FieldError {
	return inOrder(p.Mistakes, "", "name", "phone", "note", "until")
}

// people are those who were found, to choose from.
func (p deskOrderView) people() []web.Option {
	options := make([]web.Option, len(p.Found))
	for i, person := range p.Found {
		options[i] = web.Option{Value: person.ID, Label: p.Name(person.Name, person.LatinName), Detail: person.Phone}
	}
	return options
}
