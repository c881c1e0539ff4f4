package booking

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/text/width"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Name is the service's name: its path prefix and its key in a Community.
const Name = "booking"

//go:embed messages/*.toml
var messageFiles embed.FS

// Service is the booking service, for the host to run.
func Service() (host.Service, error) {
	migrations, err := Migrations()
	if err != nil {
		return host.Service{}, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: Name, Migrations: migrations, Messages: messages, Actions: actions(), Retention: kept, Register: register}, nil
}

func register(_ context.Context, rt *host.Runtime) error {
	s := &service{
		store:   NewStore(rt.DB),
		config:  rt.Config.Current,
		people:  rt.People,
		pages:   rt.Pages,
		clock:   rt.Clock,
		log:     rt.Log,
		metrics: newMetrics(rt.Metrics),
	}
	s.store.OnNews(s.tell)
	rt.Config.OnChange(s.syncVenues)
	rt.Every("erase", eraseEvery, s.erase)
	rt.Every("advance", advanceEvery, s.advance)
	rt.Card(s.card)
	rt.Personal(host.Personal{Export: s.export, Erase: func(ctx context.Context, person string) error {
		return s.store.Forget(ctx, person, s.clock.Now(), s.location())
	}})
	if err := s.mountAPI(rt.Mux); err != nil {
		return err
	}
	s.mountPages(rt.Mux, rt.Identity)
	s.mountStaff(rt.Mux, rt.Identity)
	return nil
}

// service is what the API and the pages do their work with.
type service struct {
	store *Store
	// config is the community's configuration, which may be changed.
	config  func() host.Snapshot
	people  *identity.Directory
	pages   *web.Pages
	clock   clock.WithTicker
	log     *slog.Logger
	metrics metrics
}

// location is the community's time zone.
func (s *service) location() *time.Location { return s.config().Location }

// site is where residents reach the community, without a slash at the end.
func (s *service) site() string {
	now := s.config()
	return now.Release.Class.URL(now.Community.Name)
}

// reach is whom the caller may act for; the zero Reach, which reaches nobody,
// if nobody is signed in.
func (s *service) reach(ctx context.Context) Reach {
	var r Reach
	for i, p := range s.household(ctx) {
		if i == 0 {
			r.Actor = p.ID
		}
		r.Persons = append(r.Persons, p.ID)
	}
	return r
}

// act is what the caller does with something of their own or of those for
// whom they act.
func (s *service) act(ctx context.Context, id uuid.UUID) Act {
	return Act{Reach: s.reach(ctx), ID: id, Now: s.clock.Now(), Location: s.location()}
}

// staffAct is what a member of staff does with something of anybody's.
func (s *service) staffAct(ctx context.Context, id uuid.UUID) Act {
	a := s.act(ctx, id)
	a.Staff = true
	return a
}

// errNotYours means that the caller may not act for that person.
var errNotYours = errors.New("you may not act for this person")

// party is for whom the caller asks: the person with that ID, or the caller if
// it is empty. It returns errNotYours if the caller may not act for them.
func (s *service) party(ctx context.Context, person string) (Party, error) {
	home := s.household(ctx)
	for i, p := range home {
		if p.ID == person || person == "" && i == 0 {
			return partyOf(p, home[0].ID), nil
		}
	}
	return Party{}, errNotYours
}

// person is the person with an ID, or ErrNotFound.
func (s *service) person(ctx context.Context, id string) (identity.Person, error) {
	p, err := s.people.Person(ctx, id)
	if errors.Is(err, identity.ErrNobody) {
		err = ErrNotFound
	}
	return p, err
}

// bookedBy names who made a booking if somebody did for another; empty if they
// are not known any more.
func (s *service) bookedBy(ctx context.Context, v web.View, b Booking) (string, error) {
	if b.BookedBy == b.Person {
		return "", nil
	}
	by, err := s.person(ctx, b.BookedBy)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", err
	}
	return v.Name(by.Name, by.LatinName), nil
}

// partyOf is a person for whom somebody asks.
func partyOf(p identity.Person, by string) Party {
	born, err := ParseDate(p.BornOn)
	if err != nil {
		born = Date{} // not known
	}
	return Party{Person: p.ID, BookedBy: by, Name: p.Name, Phone: p.Phone, BornOn: born}
}

// guestNamespace sets identifiers of people without an account apart from all
// other name-based UUIDs.
var guestNamespace = uuid.MustParse("0f4c6a1e-3b5e-4d42-9f0a-6f0f7a8b2c11")

// guestPrefix is what the IDs of people without an account begin with.
const guestPrefix = "guest:"

func isGuest(person string) bool { return strings.HasPrefix(person, guestPrefix) }

// guest is somebody without an account for whom a member of staff asks. The
// same name and phone number are the same person, however they are written, so
// that limits hold.
func guest(name, phone, by string) Party {
	name = strings.Join(strings.Fields(width.Fold.String(name)), " ")
	phone = strings.Map(func(r rune) rune {
		if r != '+' && (r < '0' || r > '9') {
			return -1
		}
		return r
	}, width.Fold.String(phone))
	id := uuid.NewSHA1(guestNamespace, []byte(name+"/"+phone))
	return Party{Person: guestPrefix + id.String(), BookedBy: by, Name: name, Phone: phone, Staff: true}
}

// order is a request for a party, now.
func (s *service) order(r Request, p Party, key string) Order {
	return Order{Request: r, Party: p, Key: key, Now: s.clock.Now(), Location: s.location()}
}

// syncVenues takes over the venues of the manifest.
func (s *service) syncVenues(ctx context.Context, snapshot host.Snapshot) error {
	booking := snapshot.Community.Spec.Services.Booking
	if booking == nil {
		return nil // being switched off; venues stay as they are
	}
	return s.store.SyncVenues(ctx, booking.ManagedBy, booking.Venues, s.clock.Now())
}

// book makes a booking and counts how that went.
func (s *service) book(ctx context.Context, o Order) (Booking, error) {
	b, replayed, err := s.store.Book(ctx, o)
	s.count(err)
	if err == nil && !replayed {
		s.metrics.made.Inc()
	}
	return b, err
}

// bookSeries books a series and counts what it makes.
func (s *service) bookSeries(ctx context.Context, o SeriesOrder) (uuid.UUID, []Occurrence, error) {
	id, weeks, err := s.store.BookSeries(ctx, o)
	s.count(err)
	for _, week := range weeks {
		// What an order that is repeated had made before is older.
		if week.Booking.ID != uuid.Nil && week.Booking.CreatedAt.Unix() == o.Now.Unix() {
			s.metrics.made.Inc()
		}
	}
	return id, weeks, err
}

// cancelAhead cancels what is ahead of a series and counts it.
func (s *service) cancelAhead(ctx context.Context, a Act) ([]Booking, error) {
	cancelled, err := s.store.CancelSeries(ctx, a, "")
	s.metrics.cancelled.Add(float64(len(cancelled)))
	return cancelled, err
}

// change moves a booking and counts why not.
func (s *service) change(ctx context.Context, a Act, p Party, to Request) (Booking, error) {
	b, _, err := s.store.Change(ctx, a, p, to)
	s.count(err)
	return b, err
}

// close closes a venue and counts what that cancels.
func (s *service) close(ctx context.Context, o ClosureOrder) (Closure, []Affected, error) {
	c, affected, replayed, err := s.store.Close(ctx, o)
	if err == nil && !o.Try && !replayed {
		for _, a := range affected {
			if a.After.State == StateCancelled {
				s.metrics.cancelled.Inc()
			}
		}
	}
	return c, affected, err
}

// count counts what was not done, and why.
func (s *service) count(err error) {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.metrics.refused.WithLabelValues(string(refusal.Rule)).Inc()
	} else if errors.Is(err, ErrTaken) {
		s.metrics.conflicts.Inc()
	}
}

// cancel cancels a booking and counts it.
func (s *service) cancel(ctx context.Context, a Act, reason string) (Booking, error) {
	b, changed, err := s.store.Cancel(ctx, a, reason)
	if changed {
		s.metrics.cancelled.Inc()
	}
	return b, err
}

// day is a venue's day at a glance.
func (s *service) day(ctx context.Context, venue string, date Date) (Day, error) {
	v, err := s.store.Venue(ctx, venue, s.clock.Now())
	if err != nil {
		return Day{}, err
	}
	days, err := s.days(ctx, []Venue{v}, date)
	if err != nil {
		return Day{}, err
	}
	return days[0], nil
}

// days are a day at a glance of several venues, read in one query.
func (s *service) days(ctx context.Context, venues []Venue, date Date) ([]Day, error) {
	loc := s.location()
	names := make([]string, len(venues))
	for i, v := range venues {
		names[i] = v.Name
	}
	from, to := date.Bounds(loc)
	taken, err := s.store.Taken(ctx, names, from, to)
	if err != nil {
		return nil, err
	}
	days := make([]Day, len(venues))
	for i, v := range venues {
		days[i] = DayOf(v, date, s.clock.Now(), loc, taken[v.Name])
	}
	return days, nil
}

// inARow are some days in a row of a venue at a glance, read in one query.
func (s *service) inARow(ctx context.Context, v Venue, first Date, n int) ([]Day, error) {
	taken, err := s.takenInARow(ctx, v, first, n)
	if err != nil {
		return nil, err
	}
	days := make([]Day, n)
	for i := range days {
		days[i] = DayOf(v, first.AddDays(i), s.clock.Now(), s.location(), taken[i])
	}
	return days, nil
}

// takenInARow is what is taken of a venue on each of some days in a row, read
// in one query.
func (s *service) takenInARow(ctx context.Context, v Venue, first Date, n int) ([][]Taken, error) {
	loc := s.location()
	from, _ := first.Bounds(loc)
	_, to := first.AddDays(n - 1).Bounds(loc)
	all, err := s.store.Taken(ctx, []string{v.Name}, from, to)
	if err != nil {
		return nil, err
	}
	taken := make([][]Taken, n)
	for i := range taken {
		from, to := first.AddDays(i).Bounds(loc)
		busy := v.Busy(Slot{from, to})
		for _, t := range all[v.Name] {
			if t.Overlaps(busy) {
				taken[i] = append(taken[i], t)
			}
		}
	}
	return taken, nil
}

// eraseEvery is how often what is past its retention is looked for.
const eraseEvery = time.Hour

// erase removes what is past its retention, at the start and then every hour.
// A failure is logged and tried again the next hour.
func (s *service) erase(ctx context.Context) {
	n, err := s.store.Erase(ctx, s.clock.Now())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "bookings past their retention were not erased", "error", err.Error())
	}
	s.metrics.erased.Add(float64(n))
	if n > 0 {
		s.log.InfoContext(ctx, "bookings past their retention erased", "bookings", n)
	}
}

// advanceEvery is how often what happens by itself is looked for.
const advanceEvery = 10 * time.Second

// advance has happen what happens by itself: holds end, no-shows are released,
// who waits is offered what is free. A failure is logged and tried again.
func (s *service) advance(ctx context.Context) {
	done, err := s.store.Advance(ctx, s.clock.Now(), s.location())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "what is due was not done", "error", err.Error())
	}
	s.metrics.released.Add(float64(done.Released))
	s.metrics.expired.Add(float64(done.Expired))
}

type metrics struct {
	made, cancelled, conflicts, erased, released, expired prometheus.Counter

	refused *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("linli_bookings_%s_total", name), Help: help})
	}
	m := metrics{
		made:      counter("made", "Bookings made."),
		cancelled: counter("cancelled", "Bookings cancelled, by residents or the staff."),
		conflicts: counter("conflicts", "Bookings that were not made because somebody else held the place."),
		released:  counter("released", "Bookings released because nobody checked in."),
		expired:   counter("expired", "Offers and requests that nobody answered in time."),
		erased:    counter("erased", "Bookings erased at the end of their retention."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_bookings_refused_total",
			Help: "Bookings that were not made because of a rule of the venue.",
		}, []string{"rule"}),
	}
	r.MustRegister(m.made, m.cancelled, m.conflicts, m.released, m.expired, m.erased, m.refused)
	return m
}
