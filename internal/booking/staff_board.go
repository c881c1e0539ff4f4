package booking

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/width"
)

// deskRow is a booking as the staff see it.
type deskRow struct {
	Booking
	// At is the venue, with a display name only if it was retired.
	At *Venue
	// CanCheckIn says that the person may come now.
	CanCheckIn bool
}

// boardVenue is a venue's day on the board.
type boardVenue struct {
	Venue
	// Refusal is why nothing can be booked on this day; nil on days that are open.
	Refusal *Refusal
	// Live are the bookings that hold their place, Ended those that were given up.
	Live, Ended []*deskRow
	// Free are the slots that the staff can still give away.
	Free []Offer
	// Closed are the closures of the day.
	Closed []Closure
	// Waiting is how many wait for a place on this day.
	Waiting int
}

// boardView is what the day's board shows.
type boardView struct {
	desk
	Date Date
	// Query is a name or phone number that was looked for, Found whose
	// bookings of the day match it.
	Query string
	Found []*deskRow
	// Attention is what cannot wait: unanswered requests, offers that run out,
	// bookings about to be released.
	Attention []*deskRow
	Venues    []boardVenue
}

// soon is how long before something happens by itself the staff are told.
const soon = 30 * time.Minute

func (s *service) boardPage(w http.ResponseWriter, r *http.Request) {
	date, err := s.dateOf(r)
	if err != nil {
		s.fail(w, r, ErrNotFound)
		return
	}
	p := boardView{Date: date, Query: typed(r.URL.Query(), "q")}
	if p.desk, err = s.desk(r, staffPath); err == nil {
		err = s.board(r.Context(), &p)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, boardPage(p))
}

// board reads a day's board.
func (s *service) board(ctx context.Context, p *boardView) error {
	venues, err := s.store.Venues(ctx, p.Now)
	if err != nil {
		return err
	}
	bookings, err := s.store.BoardAtDesk(ctx, p.Date)
	if err != nil {
		return err
	}
	requests, err := s.store.Requested(ctx)
	if err != nil {
		return err
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return err
	}
	from, to := p.Date.Bounds(p.Location)
	waiting, err := s.store.WaitingAt(ctx, from, to)
	if err != nil {
		return err
	}
	people := slices.Concat(peopleOf(bookings), peopleOf(requests))
	if err := s.look(ctx, Look{what: actionDayView, object: p.Date.String(), people: people}); err != nil {
		return err
	}
	rows := rowsOf(bookings, venues, names, p.Now)
	p.Attention = attention(rows, rowsOf(requests, venues, names, p.Now), p.Now)
	p.Found = foundIn(rows, p.Query)
	taken, live, ended := map[string][]Taken{}, map[string][]*deskRow{}, map[string][]*deskRow{}
	for _, row := range rows {
		if row.Live() {
			live[row.Venue] = append(live[row.Venue], row)
			taken[row.Venue] = append(taken[row.Venue], Taken{Place: row.Place, Slot: Slot{row.Start, row.busyUntil}})
		} else {
			ended[row.Venue] = append(ended[row.Venue], row)
		}
	}
	for _, v := range venues {
		day := dayFor(v, p.Date, Asker{Staff: true}, p.Now, p.Location, taken[v.Name])
		at := boardVenue{Venue: v, Refusal: day.Refusal, Free: day.FreeSlots(), Live: live[v.Name], Ended: ended[v.Name]}
		for _, c := range v.Closures {
			if c.Overlaps(Slot{from, to}) {
				at.Closed = append(at.Closed, c)
			}
		}
		for _, e := range waiting {
			if e.Venue == v.Name && e.State == EntryWaiting {
				at.Waiting++
			}
		}
		p.Venues = append(p.Venues, at)
		delete(live, v.Name)
	}
	for _, name := range slices.Sorted(maps.Keys(live)) { // of venues that were retired
		p.Venues = append(p.Venues, boardVenue{Venue: Venue{Name: name, DisplayName: names[name]}, Live: live[name], Ended: ended[name]})
	}
	return nil
}

// deskEarly is how long before the start the desk is offered to check somebody
// in: on the board of another day that would be a slip of the finger.
const deskEarly = 12 * time.Hour

// rowsOf are bookings with their venues.
func rowsOf(bookings []Booking, venues []Venue, names map[string]string, now time.Time) []*deskRow {
	at := make(map[string]*Venue, len(venues))
	for i := range venues {
		at[venues[i].Name] = &venues[i]
	}
	rows := make([]*deskRow, len(bookings))
	for i, b := range bookings {
		if at[b.Venue] == nil {
			at[b.Venue] = &Venue{Name: b.Venue, DisplayName: names[b.Venue]}
		}
		rows[i] = &deskRow{Booking: b, At: at[b.Venue]}
		rows[i].CanCheckIn = b.CheckedInAt.IsZero() && b.Start.Sub(now) < deskEarly && CheckCheckIn(b, true, now) == nil
	}
	return rows
}

// attention is what cannot wait, the most urgent first: of a day's bookings
// and of all requests.
func attention(day, requests []*deskRow, now time.Time) []*deskRow {
	rows := slices.Clone(requests)
	for _, row := range day {
		late := row.State == StateBooked && row.Start.Before(now) && row.CheckedInAt.IsZero()
		if (row.State == StateHeld || late) && row.DueAt.After(now) && row.DueAt.Sub(now) <= soon {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b *deskRow) int { return cmp.Compare(a.DueAt.Unix(), b.DueAt.Unix()) })
	return rows
}

// foundIn are the live bookings of people whose name or phone number has query in it.
func foundIn(rows []*deskRow, query string) []*deskRow {
	if query == "" {
		return nil
	}
	digits := strings.NewReplacer(" ", "", "-", "").Replace(query)
	var found []*deskRow
	for _, row := range rows {
		name := strings.ToLower(width.Fold.String(row.Name))
		if row.Live() && (strings.Contains(name, strings.ToLower(query)) || strings.Contains(row.Phone, digits)) {
			found = append(found, row)
		}
	}
	return found
}

// staffOrderURL is where the staff book the slot that begins at start.
func staffOrderURL(venue string, start time.Time) string {
	return staffOrderPath + "?" + url.Values{"venue": {venue}, "start": {start.Format(time.RFC3339)}}.Encode()
}
