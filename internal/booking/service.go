package booking

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
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
	return host.Service{Name: Name, Migrations: migrations, Messages: messages, Register: register}, nil
}

func register(_ context.Context, rt *host.Runtime) error {
	s := &service{
		store:    NewStore(rt.DB),
		location: func() *time.Location { return rt.Config.Current().Location },
		pages:    rt.Pages,
		clock:    rt.Clock,
		log:      rt.Log,
		metrics:  newMetrics(rt.Metrics),
	}
	rt.Config.OnChange(s.syncVenues)
	rt.Go("erase", s.erase)
	rt.Card(s.card)
	if err := s.mountAPI(rt.Mux); err != nil {
		return err
	}
	s.mountPages(rt.Mux, rt.Identity)
	return nil
}

// service is what the API and the pages do their work with.
type service struct {
	store *Store
	// location is the community's time zone, which may be changed.
	location func() *time.Location
	pages    *web.Pages
	clock    clock.WithTicker
	log      *slog.Logger
	metrics  metrics
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
func (s *service) book(ctx context.Context, person string, r Request, key string) (Booking, error) {
	b, replayed, err := s.store.Book(ctx, Order{
		Request: r, Person: person, Key: key, Now: s.clock.Now(), Location: s.location(),
	})
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		s.metrics.refused.WithLabelValues(string(refusal.Rule)).Inc()
	} else if errors.Is(err, ErrTaken) {
		s.metrics.conflicts.Inc()
	} else if err == nil && !replayed {
		s.metrics.made.Inc()
	}
	return b, err
}

// cancel cancels a booking and counts it.
func (s *service) cancel(ctx context.Context, person string, id uuid.UUID) (Booking, error) {
	b, changed, err := s.store.Cancel(ctx, person, id, s.clock.Now())
	if changed {
		s.metrics.cancelled.Inc()
	}
	return b, err
}

// day is a venue's day at a glance.
func (s *service) day(ctx context.Context, venue string, date Date) (Day, error) {
	v, err := s.store.Venue(ctx, venue)
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

// eraseEvery is how often what is past its retention is looked for.
const eraseEvery = time.Hour

// erase removes what is past its retention, at the start and then every hour.
// A failure is logged and tried again the next hour.
func (s *service) erase(ctx context.Context) error {
	ticker := s.clock.NewTicker(eraseEvery)
	defer ticker.Stop()
	for {
		n, err := s.store.Erase(ctx, s.clock.Now())
		if err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "bookings past their retention were not erased", "error", err.Error())
		}
		s.metrics.erased.Add(float64(n))
		if n > 0 {
			s.log.InfoContext(ctx, "bookings past their retention erased", "bookings", n)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

type metrics struct {
	made, cancelled, conflicts, erased prometheus.Counter
	refused                            *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: fmt.Sprintf("linli_bookings_%s_total", name), Help: help})
	}
	m := metrics{
		made:      counter("made", "Bookings made."),
		cancelled: counter("cancelled", "Bookings cancelled by who made them."),
		conflicts: counter("conflicts", "Bookings that were not made because somebody else held the place."),
		erased:    counter("erased", "Bookings erased at the end of their retention."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_bookings_refused_total",
			Help: "Bookings that were not made because of a rule of the venue.",
		}, []string{"rule"}),
	}
	r.MustRegister(m.made, m.cancelled, m.conflicts, m.erased, m.refused)
	return m
}
