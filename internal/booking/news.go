package booking

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// NewsKind is what has happened to somebody's booking. Names are stable.
type NewsKind string

// What people are told of: what others, or time, did to their bookings.
const (
	NewsOffer     NewsKind = "booking-offer"
	NewsApproved  NewsKind = "booking-approved"
	NewsRefused   NewsKind = "booking-refused"
	NewsMoved     NewsKind = "booking-moved"
	NewsCancelled NewsKind = "booking-cancelled"
	NewsReleased  NewsKind = "booking-released"
	// NewsSeriesCancelled is one for all bookings of a series.
	NewsSeriesCancelled NewsKind = "booking-series-cancelled"
)

// News is something that has happened to a booking.
type News struct {
	Kind NewsKind
	// Venue is the booking's, Before the booking as it was; for an offer it is
	// the offer.
	Venue         Venue
	Before, After Booking
	Now           time.Time
}

// OnNews has tell called for all news, in the transaction in which it happens.
// An error of it undoes what has happened. It is to be set before the store is
// used.
func (s *Store) OnNews(tell func(ctx context.Context, tx bun.Tx, n News) error) { s.tell = tell }

// newsOf is what an act with a booking means to the person; false if it is no
// news to them, because they did it themselves or it was said before, or if the
// booking is nobody's any more.
func newsOf(a Act, before, after Booking) (NewsKind, bool) {
	if !a.Staff || a.Actor == after.Person || after.Person == "" {
		return "", false
	}
	switch {
	case after.State == StateReleased:
		return NewsReleased, true
	case after.State == StateRefused:
		return NewsRefused, true
	case after.State == StateCancelled && a.series:
		return NewsSeriesCancelled, true
	case after.State == StateCancelled:
		return NewsCancelled, true
	case !after.Live():
		return "", false
	case after.Slot != before.Slot || after.Place != before.Place:
		return NewsMoved, true
	case before.State == StateRequested && after.State == StateBooked:
		return NewsApproved, true
	}
	return "", false
}

// closureNews is what a closure means to the person; false if it is no news,
// because they were only offered the place and wait again, or if the booking is
// nobody's any more.
func closureNews(a Affected) (NewsKind, bool) {
	switch {
	case a.Before.State == StateHeld, a.After.Person == "":
		return "", false
	case a.After.State == StateCancelled:
		return NewsCancelled, true
	}
	return NewsMoved, true
}

// urgentWithin is how near something is of which people are told at night too.
const urgentWithin = 12 * time.Hour

// message is the news for the person for whom the booking is, and for who
// booked. words are those of a language, by its tag.
//
// Text messages are shown on locked screens, and phones lie about: what an
// attendant is needed for, such as clinic hours, is not named in them.
func (n News) message(words map[web.Language]web.View) notify.Message {
	b := n.After
	m := notify.Message{
		At: n.Now, Person: b.Person, By: b.BookedBy, Kind: string(n.Kind), About: b.ID.String(), Link: bookingURL(b.ID),
		Text: map[string]string{}, NotAfter: latest(latest(n.Before.End, b.End), n.Now.Add(time.Hour)),
	}
	switch n.Kind {
	case NewsOffer:
		m.NotAfter = b.DueAt
	case NewsSeriesCancelled:
		m.About, m.Link = b.Series.String(), seriesURL(b.Series)
	case NewsRefused, NewsMoved, NewsCancelled:
		m.Urgent = n.Before.Start.Sub(n.Now) < urgentWithin
	}
	if isGuest(b.Person) {
		m.Name, m.Phone = b.Name, b.Phone
	}
	for lang, v := range words {
		m.Text[string(lang)] = n.text(v)
	}
	if n.Venue.Kind == v1alpha1.VenueAttended {
		m.Short = map[string]string{}
		for lang, v := range words {
			m.Short[string(lang)] = v.T("booking.news.private")
		}
	}
	return m
}

// text is the news in words.
func (n News) text(v web.View) string {
	args := []any{"Venue", n.Venue.DisplayName, "When", when(v, n.After.Slot)}
	var text string
	switch n.Kind {
	case NewsOffer:
		text = v.T("booking.news.offer", append(args, "Until", v.Time(n.After.DueAt))...)
	case NewsApproved:
		text = v.T("booking.news.approved", args...)
	case NewsRefused:
		text = v.T("booking.news.refused", args...)
	case NewsMoved:
		text = v.T("booking.news.moved", append(args, "Before", when(v, n.Before.Slot))...)
		if n.After.Slot == n.Before.Slot {
			text = v.T("booking.news.otherPlace", append(args, "Place", placeText(v, n.Venue, n.After.Place))...)
		}
	case NewsReleased:
		text = v.T("booking.news.released", args...)
	case NewsSeriesCancelled:
		text = v.T("booking.news.seriesCancelled", args...)
	default:
		text = v.T("booking.news.cancelled", args...)
	}
	if n.After.Reason != "" {
		text += v.T("booking.news.reason", "Reason", n.After.Reason)
	}
	return text
}

// seriesURL is the page of a series.
func seriesURL(id uuid.UUID) string { return seriesPath + id.String() }

// tell hands news over to be told.
func (s *service) tell(ctx context.Context, tx bun.Tx, n News) error {
	return notify.Send(ctx, tx, n.message(s.words()))
}

// words are what texts are written with that no request is answered with.
func (s *service) words() map[web.Language]web.View {
	words := map[web.Language]web.View{}
	for _, lang := range web.Languages {
		words[lang] = s.pages.Words(lang)
	}
	return words
}
