package booking

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
)

//go:embed migrations/*/*.sql
var migrationFiles embed.FS

// Migrations are the migrations of the service's database, by engine.
func Migrations() (fs.FS, error) { return fs.Sub(migrationFiles, "migrations") }

// What the store answers beside Refusals.
var (
	// ErrTaken means that somebody else holds the place, or every place.
	ErrTaken = errors.New("taken")
	// ErrNotFound means that there is no such venue, or no such booking of
	// this person.
	ErrNotFound = errors.New("not found")
	// ErrKeyReused means that the person has used the idempotency key for
	// another request.
	ErrKeyReused = errors.New("the idempotency key was used for another request")
)

// Store keeps venues and bookings. What must not happen twice is kept from
// happening by constraints of the database, whoever else writes to it.
type Store struct{ db *database.DB }

// NewStore is a store in a database that has the Migrations.
func NewStore(db *database.DB) *Store { return &Store{db: db} }

type venueRow struct {
	bun.BaseModel `bun:"table:venues"`

	Name      string `bun:",pk"`
	Position  int
	Spec      string
	RetiredAt *int64
}

type bookingRow struct {
	bun.BaseModel `bun:"table:bookings"`

	ID          uuid.UUID `bun:",pk"`
	Venue       string
	Place       int
	Person      string
	StartAt     int64
	EndAt       int64
	Day         string
	Note        string
	CreatedAt   int64
	CancelledAt *int64
}

type cellRow struct {
	bun.BaseModel `bun:"table:cells"`

	Venue string
	Cell  int64
	Place int
}

type dailyRow struct {
	bun.BaseModel `bun:"table:daily"`

	Venue   string
	Person  string
	Day     string
	Ordinal int
	Booking uuid.UUID
}

type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency"`

	Person    string
	Key       string
	Request   string
	Booking   uuid.UUID
	CreatedAt int64
}

func (r venueRow) venue() (Venue, error) {
	var spec v1alpha1.Venue
	if err := json.Unmarshal([]byte(r.Spec), &spec); err != nil {
		return Venue{}, fmt.Errorf("venue %q in the database: %w", r.Name, err)
	}
	return ParseVenue(spec)
}

func (r bookingRow) booking() (Booking, error) {
	day, err := ParseDate(r.Day)
	if err != nil {
		return Booking{}, fmt.Errorf("booking %s in the database: day: %w", r.ID, err)
	}
	b := Booking{
		ID: r.ID, Venue: r.Venue, Place: r.Place, Person: r.Person, Day: day, Note: r.Note,
		Slot:      Slot{Start: time.Unix(r.StartAt, 0), End: time.Unix(r.EndAt, 0)},
		CreatedAt: time.Unix(r.CreatedAt, 0),
	}
	if r.CancelledAt != nil {
		b.CancelledAt = time.Unix(*r.CancelledAt, 0)
	}
	return b, nil
}

// SyncVenues brings the venues in line with the manifest. Managed by the
// community, venues are made once, by name, and never changed after. Managed
// by the manifest, they follow it: a venue that it no longer has is retired,
// which keeps its bookings and takes no new ones.
func (s *Store) SyncVenues(ctx context.Context, by v1alpha1.ManagedBy, venues []v1alpha1.Venue, now time.Time) error {
	names := make([]string, 0, len(venues))
	rows := make([]venueRow, 0, len(venues))
	for i, v := range venues {
		if _, err := ParseVenue(v); err != nil {
			return fmt.Errorf("services.booking.venues[%d]: %w", i, err)
		}
		spec, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("services.booking.venues[%d]: %w", i, err)
		}
		names = append(names, v.Name)
		rows = append(rows, venueRow{Name: v.Name, Position: i, Spec: string(spec)})
	}
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if len(rows) > 0 {
			insert := tx.NewInsert().Model(&rows)
			if by == v1alpha1.ManagedByManifest {
				insert.On("CONFLICT (name) DO UPDATE").Set("position = EXCLUDED.position, spec = EXCLUDED.spec, retired_at = NULL")
			} else {
				insert.On("CONFLICT (name) DO NOTHING")
			}
			if _, err := insert.Exec(ctx); err != nil {
				return err
			}
		}
		if by != v1alpha1.ManagedByManifest {
			return nil
		}
		retire := tx.NewUpdate().Model((*venueRow)(nil)).Set("retired_at = ?", now.Unix()).Where("retired_at IS NULL")
		if len(names) > 0 {
			retire.Where("name NOT IN (?)", bun.List(names))
		}
		_, err := retire.Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("bringing the venues in line with the manifest: %w", err)
	}
	return nil
}

// Venues are the venues that can be booked, in the manifest's order.
func (s *Store) Venues(ctx context.Context) ([]Venue, error) {
	var rows []venueRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("retired_at IS NULL").Order("position", "name").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the venues: %w", err)
	}
	venues := make([]Venue, 0, len(rows))
	for _, row := range rows {
		v, err := row.venue()
		if err != nil {
			return nil, err
		}
		venues = append(venues, v)
	}
	return venues, nil
}

// VenueNames are what people call the venues, retired ones too, by name.
func (s *Store) VenueNames(ctx context.Context) (map[string]string, error) {
	var rows []venueRow
	if err := s.db.Reader().NewSelect().Model(&rows).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading the venues: %w", err)
	}
	names := make(map[string]string, len(rows))
	for _, row := range rows {
		v, err := row.venue()
		if err != nil {
			return nil, err
		}
		names[row.Name] = v.DisplayName
	}
	return names, nil
}

// Venue is a venue that can be booked, or ErrNotFound.
func (s *Store) Venue(ctx context.Context, name string) (Venue, error) {
	var row venueRow
	err := s.db.Reader().NewSelect().Model(&row).Where("name = ? AND retired_at IS NULL", name).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Venue{}, ErrNotFound
	}
	if err != nil {
		return Venue{}, fmt.Errorf("reading venue %q: %w", name, err)
	}
	return row.venue()
}

// Taken are the places that live bookings hold which begin in a span of time,
// by venue. A booking begins and ends on one day; so a day's bookings are
// those that begin on it.
func (s *Store) Taken(ctx context.Context, venues []string, from, to time.Time) (map[string][]Taken, error) {
	taken := make(map[string][]Taken, len(venues))
	if len(venues) == 0 {
		return taken, nil
	}
	var rows []bookingRow
	err := s.db.Reader().NewSelect().Model(&rows).Column("venue", "place", "start_at", "end_at").
		Where("venue IN (?)", bun.List(venues)).
		Where("start_at >= ? AND start_at < ?", from.Unix(), to.Unix()).
		Where("cancelled_at IS NULL").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what is taken: %w", err)
	}
	for _, r := range rows {
		taken[r.Venue] = append(taken[r.Venue], Taken{Place: r.Place, Slot: Slot{Start: time.Unix(r.StartAt, 0), End: time.Unix(r.EndAt, 0)}})
	}
	return taken, nil
}

// Order is a request together with who asks, when and where.
type Order struct {
	Request
	Person string
	// Key is the idempotency key; empty means that every order is another one.
	Key string
	Now time.Time
	// Location is the community's zone.
	Location *time.Location
}

// digest tells orders under one key apart.
func (o Order) digest() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d %d %q", o.Venue, o.Start.Unix(), o.End.Unix(), o.Place, o.Note))
	return hex.EncodeToString(sum[:])
}

// bookAttempts is how often a booking is tried when others, at the same
// moment, win the place or the ordinal that was chosen for it. Each loss is
// somebody else's booking, so that many in a row do not happen.
const bookAttempts = 100

// errLost means that the place chosen for an order was taken meanwhile.
var errLost = errors.New("the chosen place was taken meanwhile")

// Book makes a booking. It returns a *Refusal if the order breaks a rule,
// ErrTaken if nothing is free, ErrKeyReused if the key stands for another
// order. An order that was done under its key is answered with the booking as
// it was made, and replayed is true.
func (s *Store) Book(ctx context.Context, o Order) (b Booking, replayed bool, err error) {
	// The venue is read beside the queue of writers, where time is scarce. One
	// that is changed or retired at this very moment may get one more booking
	// by its former rules, as if that had come just before.
	v, err := s.Venue(ctx, o.Venue)
	known := !errors.Is(err, ErrNotFound)
	if err != nil && known {
		return Booking{}, false, err
	}
	for range bookAttempts {
		err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			b, replayed, err = book(ctx, tx, o, v, known)
			return err
		})
		if !errors.Is(err, errLost) && !database.IsUnique(err) {
			break
		}
	}
	if err != nil {
		return Booking{}, false, err
	}
	return b, replayed, nil
}

func book(ctx context.Context, tx bun.Tx, o Order, v Venue, known bool) (b Booking, replayed bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return b, false, fmt.Errorf("making an id: %w", err)
	}
	if o.Key != "" {
		isNew, err := takeKey(ctx, tx, o, id)
		if err != nil {
			return b, false, err
		}
		if !isNew {
			b, err := bookedUnder(ctx, tx, o)
			return b, true, err
		}
	}
	if !known {
		return b, false, refuse(RuleUnknownVenue, 0, "there is no venue %q to book", o.Venue)
	}
	if refusal := Check(v, o.Request, o.Now, o.Location); refusal != nil {
		return b, false, refusal
	}
	row := bookingRow{
		ID: id, Venue: v.Name, Place: o.Place, Person: o.Person, Note: o.Note,
		StartAt: o.Start.Unix(), EndAt: o.End.Unix(), Day: DateOf(o.Start, o.Location).String(),
		CreatedAt: o.Now.Unix(),
	}
	if err := takeOrdinal(ctx, tx, v, row); err != nil {
		return b, false, err
	}
	if row.Place, err = takePlace(ctx, tx, v, o.Place, o.Slot); err != nil {
		return b, false, err
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return b, false, fmt.Errorf("keeping the booking: %w", err)
	}
	b, err = row.booking()
	return b, false, err
}

// takeKey keeps the order's idempotency key for a booking that is about to be
// made; false means that a booking was made under it before. Nothing is looked
// up for a key that is new, which almost all are: every statement is time that
// the one writer of SQLite does not have for others.
func takeKey(ctx context.Context, tx bun.Tx, o Order, booking uuid.UUID) (bool, error) {
	key := idempotencyRow{Person: o.Person, Key: o.Key, Request: o.digest(), Booking: booking, CreatedAt: o.Now.Unix()}
	result, err := tx.NewInsert().Model(&key).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return false, fmt.Errorf("keeping the idempotency key: %w", err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("keeping the idempotency key: %w", err)
	}
	return n == 1, nil
}

// bookedUnder is the booking that was made under the order's key, as it was
// then.
func bookedUnder(ctx context.Context, tx bun.Tx, o Order) (Booking, error) {
	var key idempotencyRow
	err := tx.NewSelect().Model(&key).Where("person = ? AND key = ?", o.Person, o.Key).Scan(ctx)
	if err != nil {
		return Booking{}, fmt.Errorf("looking for the idempotency key: %w", err)
	}
	if key.Request != o.digest() {
		return Booking{}, ErrKeyReused
	}
	b, err := bookingIn(ctx, tx, o.Person, key.Booking)
	b.CancelledAt = time.Time{}
	return b, err
}

// takeOrdinal counts the booking against the venue's daily limit.
func takeOrdinal(ctx context.Context, tx bun.Tx, v Venue, b bookingRow) error {
	var held []int
	err := tx.NewSelect().Model((*dailyRow)(nil)).Column("ordinal").
		Where("venue = ? AND person = ? AND day = ?", b.Venue, b.Person, b.Day).Scan(ctx, &held)
	if err != nil {
		return fmt.Errorf("counting the day's bookings: %w", err)
	}
	ordinal := lowestFree(v.DailyLimit, held)
	if len(held) >= v.DailyLimit || ordinal == 0 {
		return refuse(RuleDailyLimit, v.DailyLimit, "you hold %d bookings on that day already; the venue allows %d", len(held), v.DailyLimit)
	}
	row := dailyRow{Venue: b.Venue, Person: b.Person, Day: b.Day, Ordinal: ordinal, Booking: b.ID}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("counting the booking: %w", err)
	}
	return nil
}

// takePlace takes a place for a span: the one that is wanted, else the lowest
// that is free. Where there is no choice nothing is looked up before: the
// primary key of the cells says whether the place was free.
func takePlace(ctx context.Context, tx bun.Tx, v Venue, wanted int, s Slot) (int, error) {
	from, to := s.Cells()
	place, lost := wanted, ErrTaken
	switch {
	case wanted != 0:
	case v.Places == 1:
		place = 1
	default:
		var taken []int
		err := tx.NewSelect().Model((*cellRow)(nil)).Distinct().Column("place").
			Where("venue = ? AND cell >= ? AND cell < ?", v.Name, from, to).Scan(ctx, &taken)
		if err != nil {
			return 0, fmt.Errorf("looking for a free place: %w", err)
		}
		if place = lowestFree(v.Places, taken); place == 0 {
			return 0, ErrTaken
		}
		lost = errLost
	}
	cells := make([]cellRow, 0, to-from)
	for c := from; c < to; c++ {
		cells = append(cells, cellRow{Venue: v.Name, Cell: c, Place: place})
	}
	result, err := tx.NewInsert().Model(&cells).On("CONFLICT DO NOTHING").Exec(ctx)
	if err != nil {
		return 0, fmt.Errorf("taking place %d: %w", place, err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("taking place %d: %w", place, err)
	}
	if n != to-from {
		return 0, lost
	}
	return place, nil
}

// Booking is a person's booking, or ErrNotFound.
func (s *Store) Booking(ctx context.Context, person string, id uuid.UUID) (Booking, error) {
	return bookingIn(ctx, s.db.Reader(), person, id)
}

func bookingIn(ctx context.Context, db bun.IDB, person string, id uuid.UUID) (Booking, error) {
	var row bookingRow
	err := db.NewSelect().Model(&row).Where("id = ? AND person = ?", id, person).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Booking{}, ErrNotFound
	}
	if err != nil {
		return Booking{}, fmt.Errorf("reading booking %s: %w", id, err)
	}
	return row.booking()
}

// Which says which bookings of a person are listed.
type Which string

// The lists of a person's bookings.
const (
	// All is every booking, the latest start first.
	All Which = ""
	// Upcoming is what is live and has not ended, the earliest start first.
	Upcoming Which = "upcoming"
	// Past is what has ended or was cancelled, the latest start first.
	Past Which = "past"
)

// Cursor is a booking after which a list goes on; the zero Cursor is its beginning.
type Cursor struct {
	Start time.Time
	ID    uuid.UUID
}

// Bookings lists up to limit bookings of a person.
func (s *Store) Bookings(ctx context.Context, person string, which Which, after Cursor, limit int, now time.Time) ([]Booking, error) {
	var rows []bookingRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("person = ?", person).Limit(int64(limit))
	beyond, order := "<", "DESC"
	switch which {
	case Upcoming:
		q.Where("end_at > ? AND cancelled_at IS NULL", now.Unix())
		beyond, order = ">", "ASC"
	case Past:
		q.Where("(end_at <= ? OR cancelled_at IS NOT NULL)", now.Unix())
	}
	if after != (Cursor{}) {
		q.Where("(start_at, id) ? (?, ?)", bun.Safe(beyond), after.Start.Unix(), after.ID)
	}
	if err := q.Order("start_at "+order, "id "+order).Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing bookings: %w", err)
	}
	bookings := make([]Booking, 0, len(rows))
	for _, row := range rows {
		b, err := row.booking()
		if err != nil {
			return nil, err
		}
		bookings = append(bookings, b)
	}
	return bookings, nil
}

// Cancel cancels a person's booking and frees its place. Cancelling again is
// no error and leaves changed false. It returns ErrNotFound, or a *Refusal if
// it is too late.
func (s *Store) Cancel(ctx context.Context, person string, id uuid.UUID, now time.Time) (b Booking, changed bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		b, changed, err = cancel(ctx, tx, person, id, now)
		return err
	})
	if err != nil {
		return Booking{}, false, err
	}
	return b, changed, nil
}

func cancel(ctx context.Context, tx bun.Tx, person string, id uuid.UUID, now time.Time) (b Booking, changed bool, err error) {
	if b, err = bookingIn(ctx, tx, person, id); err != nil || !b.Live() {
		return b, false, err
	}
	if refusal := CheckCancel(b, now); refusal != nil {
		return b, false, refusal
	}
	b.CancelledAt = time.Unix(now.Unix(), 0)
	if _, err := tx.NewUpdate().Model((*bookingRow)(nil)).Set("cancelled_at = ?", now.Unix()).Where("id = ?", id).Exec(ctx); err != nil {
		return b, false, fmt.Errorf("cancelling booking %s: %w", id, err)
	}
	from, to := b.Cells()
	if _, err := tx.NewDelete().Model((*cellRow)(nil)).
		Where("venue = ? AND cell >= ? AND cell < ? AND place = ?", b.Venue, from, to, b.Place).Exec(ctx); err != nil {
		return b, false, fmt.Errorf("freeing the place of booking %s: %w", id, err)
	}
	if _, err := tx.NewDelete().Model((*dailyRow)(nil)).
		Where("venue = ? AND person = ? AND day = ? AND booking = ?", b.Venue, person, b.Day.String(), id).Exec(ctx); err != nil {
		return b, false, fmt.Errorf("uncounting booking %s: %w", id, err)
	}
	return b, true, nil
}

const (
	// keyRetention is how long a request is known by its idempotency key.
	keyRetention = 24 * time.Hour
	// lockRetention is how long cells and ordinals outlive their day. Nothing
	// can be booked in the past, so they have done their work by then.
	lockRetention = 48 * time.Hour
	// eraseBatch is how many bookings are erased in one transaction, so that
	// nobody waits long.
	eraseBatch = 500
)

// Erase removes what is past its retention: idempotency keys, cells and
// ordinals of past days, and bookings as Retention says. It returns how many
// bookings were erased.
func (s *Store) Erase(ctx context.Context, now time.Time) (int, error) {
	var venues []venueRow
	if err := s.db.Reader().NewSelect().Model(&venues).Scan(ctx); err != nil {
		return 0, fmt.Errorf("erasing: reading the venues: %w", err)
	}
	cutoff := now.Add(-lockRetention)
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewDelete().Model((*idempotencyRow)(nil)).Where("created_at <= ?", now.Add(-keyRetention).Unix()).Exec(ctx); err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*dailyRow)(nil)).Where("day < ?", DateOf(cutoff, time.UTC).String()).Exec(ctx); err != nil {
			return err
		}
		until, _ := Slot{Start: cutoff}.Cells()
		for _, v := range venues {
			if _, err := tx.NewDelete().Model((*cellRow)(nil)).Where("venue = ? AND cell < ?", v.Name, until).Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("erasing keys and cells: %w", err)
	}
	erased := 0
	for _, row := range venues {
		v, err := row.venue()
		if err != nil {
			return erased, err
		}
		n, err := s.eraseBookings(ctx, v.Name, now.Add(-Retention(v.Kind)))
		if erased += n; err != nil {
			return erased, fmt.Errorf("erasing bookings of venue %q: %w", v.Name, err)
		}
	}
	return erased, nil
}

// eraseBookings erases a venue's bookings that ended at or before a moment.
func (s *Store) eraseBookings(ctx context.Context, venue string, until time.Time) (int, error) {
	erased := 0
	for {
		var ids []uuid.UUID
		err := s.db.Reader().NewSelect().Model((*bookingRow)(nil)).Column("id").
			Where("venue = ? AND end_at <= ?", venue, until.Unix()).Limit(eraseBatch).Scan(ctx, &ids)
		if err != nil || len(ids) == 0 {
			return erased, err
		}
		err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewDelete().Model((*bookingRow)(nil)).Where("id IN (?)", bun.List(ids)).Exec(ctx)
			return err
		})
		if err != nil {
			return erased, err
		}
		erased += len(ids)
		if len(ids) < eraseBatch {
			return erased, nil
		}
	}
}
