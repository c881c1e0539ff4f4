package booking

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// calendarView is what the page shows on which people subscribe to their
// bookings.
type calendarView struct {
	// Feed is the subscription there is, or nil.
	Feed *Feed
	// Address is that of a feed which was just made; it is not known later.
	Address   string
	Household household
}

func (s *service) calendarView(ctx context.Context) (calendarView, error) {
	p := calendarView{Household: s.household(ctx)}
	feed, err := s.store.FeedOf(ctx, p.Household[0].ID)
	if err == nil {
		p.Feed = &feed
	} else if !errors.Is(err, ErrNotFound) {
		return p, err
	}
	return p, nil
}

func (s *service) calendarPage(w http.ResponseWriter, r *http.Request) {
	p, err := s.calendarView(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, calendarPage(s.pages.View(r), p))
}

// newFeedFromPage makes an address and shows it, this once: it is kept nowhere,
// and so cannot be shown by another page to which one would be sent on.
func (s *service) newFeedFromPage(w http.ResponseWriter, r *http.Request) {
	v := s.pages.View(r)
	caller, _ := identity.FromContext(r.Context())
	secret, err := s.store.NewFeed(r.Context(), Feed{Person: caller.ID, Language: string(v.Lang), CreatedAt: s.clock.Now()})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p, err := s.calendarView(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	p.Address = s.site() + calendarPath + "/" + secret + icsSuffix
	s.pages.Render(w, r, http.StatusOK, calendarPage(v, p))
}

func (s *service) revokeFeedFromPage(w http.ResponseWriter, r *http.Request) {
	caller, _ := identity.FromContext(r.Context())
	if err := s.store.RevokeFeed(r.Context(), caller.ID); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, calendarPath, http.StatusSeeOther)
}

// icsSuffix ends the address of a feed, so that programs know what it is.
const icsSuffix = ".ics"

// calendarPast is how long what has passed stays in a feed.
const calendarPast = 30 * 24 * time.Hour

// calendarFeed is what calendar programs fetch. They have no session: who knows
// the address may read it.
func (s *service) calendarFeed(w http.ResponseWriter, r *http.Request) {
	secret, ok := strings.CutSuffix(r.PathValue("file"), icsSuffix)
	if !ok {
		s.fail(w, r, ErrNotFound)
		return
	}
	feed, err := s.store.FeedAt(r.Context(), secret)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	known, err := s.people.Lookup(r.Context(), feed.Person)
	if err != nil {
		if errors.Is(err, identity.ErrNobody) {
			err = ErrNotFound // moved away
		}
		s.fail(w, r, err)
		return
	}
	persons := append(household{known.Person}, known.For(identity.Book)...)
	var bookings []Booking
	for _, p := range persons {
		more, err := s.store.ForCalendar(r.Context(), p.ID, s.clock.Now().Add(-calendarPast))
		if err != nil {
			s.fail(w, r, err)
			return
		}
		bookings = append(bookings, more...)
	}
	s.serveCalendar(w, r, s.pages.ViewIn(r, web.Language(feed.Language)), persons, bookings)
}

// calendarFile is one booking as a file, for calendars without subscriptions.
func (s *service) calendarFile(w http.ResponseWriter, r *http.Request) {
	p, err := s.ownBooking(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="linli-`+p.Day.String()+icsSuffix+`"`)
	s.serveCalendar(w, r, s.pages.View(r), p.Household, []Booking{p.Booking})
}

// serveCalendar writes bookings as a calendar, unless the program has it as it
// is already.
func (s *service) serveCalendar(w http.ResponseWriter, r *http.Request, v web.View, persons household, bookings []Booking) {
	c, err := s.calendarOf(r.Context(), v, persons, bookings)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	text := c.ICalendar()
	sum := sha256.Sum256([]byte(text))
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Cache-Control", "private, no-cache")
	w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// calendarOf is a calendar of bookings. Calendars are synced to many places and
// shown on locked screens: what an attendant is needed for, such as clinic
// hours, is not named in them.
func (s *service) calendarOf(ctx context.Context, v web.View, persons household, bookings []Booking) (Calendar, error) {
	now := s.config()
	community := v.Community.Spec.DisplayName
	c := Calendar{
		Host: now.Release.Class.Host(now.Community.Name), Name: v.T("booking.calendar.name", "Community", community),
		Language: string(v.Lang), Location: v.Location,
	}
	venues := map[string]v1alpha1.Venue{}
	for _, b := range bookings {
		venue, ok := venues[b.Venue]
		if !ok {
			var err error
			if venue, err = s.store.VenueSpec(ctx, b.Venue); err != nil {
				return c, err
			}
			venues[b.Venue] = venue
		}
		e := Event{
			ID: b.ID, Slot: b.Slot, Title: v.T("booking.calendar.private"), Description: s.site() + bookingURL(b.ID),
			Cancelled: !b.Live(), Tentative: b.State == StateRequested || b.State == StateHeld,
			Sequence: b.Sequence, CreatedAt: b.CreatedAt, UpdatedAt: b.UpdatedAt,
		}
		if venue.Kind != v1alpha1.VenueAttended {
			e.Title, e.Location = venue.DisplayName, community
		}
		if b.Person != persons[0].ID {
			e.Title = v.T("booking.calendar.for", "Title", e.Title, "Name", persons.called(v, b.Person, b.Name))
		}
		c.Events = append(c.Events, e)
	}
	return c, nil
}
