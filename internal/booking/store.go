package booking

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

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
type Store struct {
	db *database.DB
	// tell is told of news, in the transaction in which it happens.
	tell func(ctx context.Context, tx bun.Tx, n News) error
}

// NewStore is a store in a database that has the Migrations.
func NewStore(db *database.DB) *Store {
	return &Store{db: db, tell: func(context.Context, bun.Tx, News) error { return nil }}
}

type venueRow struct {
	bun.BaseModel `bun:"table:venues"`

	Name      string `bun:",pk"`
	Position  int
	Spec      string
	Places    string
	DoorCode  string
	RetiredAt *int64
}

type bookingRow struct {
	bun.BaseModel `bun:"table:bookings"`

	ID          uuid.UUID `bun:",pk"`
	Venue       string
	Place       int
	Person      string
	BookedBy    string
	Name        string
	Phone       string
	StartAt     int64
	EndAt       int64
	BusyUntil   int64
	Day         string
	Note        string
	State       State
	Reason      string
	Series      *uuid.UUID
	Sequence    int
	CreatedAt   int64
	UpdatedAt   int64
	EndedAt     *int64
	CheckedInAt *int64
	DueAt       *int64
}

type cellRow struct {
	bun.BaseModel `bun:"table:cells"`

	Venue string
	Cell  int64
	Place int
}

type quotaRow struct {
	bun.BaseModel `bun:"table:quotas"`

	Venue   string
	Person  string
	Period  string
	Ordinal int
	Booking uuid.UUID
}

type idempotencyRow struct {
	bun.BaseModel `bun:"table:idempotency"`

	Person    string
	Key       string
	Request   string
	Result    uuid.UUID
	CreatedAt int64
}

type closureRow struct {
	bun.BaseModel `bun:"table:closures"`

	ID        uuid.UUID `bun:",pk"`
	Venue     string
	Place     int
	StartAt   int64
	EndAt     int64
	Reason    string
	MadeBy    string
	CreatedAt int64
	EndedAt   *int64
}

func (r closureRow) closure() Closure {
	return Closure{ID: r.ID, Venue: r.Venue, Place: r.Place, Slot: slotOf(r.StartAt, r.EndAt), Reason: r.Reason, By: r.MadeBy}
}

func slotOf(start, end int64) Slot { return Slot{Start: time.Unix(start, 0), End: time.Unix(end, 0)} }

// unix is a moment as it is kept; nil is never.
func unix(t time.Time) *int64 {
	if t.IsZero() {
		return nil
	}
	seconds := t.Unix()
	return &seconds
}

func timeOf(seconds *int64) time.Time {
	if seconds == nil {
		return time.Time{}
	}
	return time.Unix(*seconds, 0)
}

func (r bookingRow) booking() (Booking, error) {
	day, err := ParseDate(r.Day)
	if err != nil {
		return Booking{}, fmt.Errorf("booking %s in the database: day: %w", r.ID, err)
	}
	b := Booking{
		ID: r.ID, Venue: r.Venue, Place: r.Place, Person: r.Person, BookedBy: r.BookedBy, Name: r.Name, Phone: r.Phone,
		Slot: slotOf(r.StartAt, r.EndAt), Day: day, Note: r.Note, State: r.State, Reason: r.Reason, Sequence: r.Sequence,
		CreatedAt: time.Unix(r.CreatedAt, 0), UpdatedAt: time.Unix(r.UpdatedAt, 0),
		EndedAt: timeOf(r.EndedAt), CheckedInAt: timeOf(r.CheckedInAt), DueAt: timeOf(r.DueAt),
		busyUntil: time.Unix(r.BusyUntil, 0),
	}
	if r.Series != nil {
		b.Series = *r.Series
	}
	return b, nil
}

func bookingsOf(rows []bookingRow) ([]Booking, error) {
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

// rowOf is a booking as it is kept.
func rowOf(b Booking) bookingRow {
	row := bookingRow{
		ID: b.ID, Venue: b.Venue, Place: b.Place, Person: b.Person, BookedBy: b.BookedBy, Name: b.Name, Phone: b.Phone,
		StartAt: b.Start.Unix(), EndAt: b.End.Unix(), BusyUntil: b.busyUntil.Unix(), Day: b.Day.String(), Note: b.Note,
		State: b.State, Reason: b.Reason, Sequence: b.Sequence,
		CreatedAt: b.CreatedAt.Unix(), UpdatedAt: b.UpdatedAt.Unix(),
		EndedAt: unix(b.EndedAt), CheckedInAt: unix(b.CheckedInAt), DueAt: unix(b.DueAt),
	}
	if b.Series != uuid.Nil {
		row.Series = &b.Series
	}
	return row
}

// maxBusy is more than any booking, which begins and ends on one day, keeps
// its place.
const maxBusy = 25*time.Hour + maxBuffer

// Taken are the places that live bookings keep at some time of a span, by
// venue. What begins soon after the span is among them, since the buffer of
// what ends with the span must be free too.
func (s *Store) Taken(ctx context.Context, venues []string, from, to time.Time) (map[string][]Taken, error) {
	taken := make(map[string][]Taken, len(venues))
	if len(venues) == 0 {
		return taken, nil
	}
	// A week of a large room has thousands of bookings, but few different spans:
	// a row for each of these is read in half the time.
	var spans []struct {
		Venue              string
		StartAt, BusyUntil int64
		Places             string
	}
	err := s.db.Reader().NewSelect().Model((*bookingRow)(nil)).Column("venue", "start_at", "busy_until").
		ColumnExpr("STRING_AGG(CAST(place AS TEXT), ',') AS places").
		Where("venue IN (?)", bun.List(venues)).
		Where("start_at >= ? AND start_at < ? AND busy_until > ?", from.Add(-maxBusy).Unix(), to.Add(maxBuffer).Unix(), from.Unix()).
		Where("ended_at IS NULL").GroupExpr("venue, start_at, busy_until").Scan(ctx, &spans)
	if err != nil {
		return nil, fmt.Errorf("reading what is taken: %w", err)
	}
	for _, span := range spans {
		for text := range strings.SplitSeq(span.Places, ",") {
			place, err := strconv.Atoi(text)
			if err != nil {
				return nil, fmt.Errorf("reading what is taken: %w", err)
			}
			taken[span.Venue] = append(taken[span.Venue], Taken{Place: place, Slot: slotOf(span.StartAt, span.BusyUntil)})
		}
	}
	return taken, nil
}

// Reach says whose bookings somebody may see and change.
type Reach struct {
	// Actor is who acts.
	Actor string
	// Persons are those for whom the actor may act, the actor among them.
	Persons []string
	// Staff may act for everybody.
	Staff bool
}

func (r Reach) covers(person string) bool { return r.Staff || slices.Contains(r.Persons, person) }

// Booking is a booking within reach, or ErrNotFound.
func (s *Store) Booking(ctx context.Context, reach Reach, id uuid.UUID) (Booking, error) {
	return bookingIn(ctx, s.db.Reader(), reach, id)
}

func bookingIn(ctx context.Context, db bun.IDB, reach Reach, id uuid.UUID) (Booking, error) {
	var row bookingRow
	err := db.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !reach.covers(row.Person) {
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
	// Past is what has ended or was given up, the latest start first.
	Past Which = "past"
)

// Cursor is a booking after which a list goes on; the zero Cursor is its beginning.
type Cursor struct {
	Start time.Time
	ID    uuid.UUID
}

// Bookings lists up to limit bookings of the persons within reach; what the
// staff may reach is on the Board.
func (s *Store) Bookings(ctx context.Context, reach Reach, which Which, after Cursor, limit int, now time.Time) ([]Booking, error) {
	var rows []bookingRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("person IN (?)", bun.List(reach.Persons)).Limit(int64(limit))
	beyond, order := "<", "DESC"
	switch which {
	case Upcoming:
		q.Where("end_at > ? AND ended_at IS NULL", now.Unix())
		beyond, order = ">", "ASC"
	case Past:
		q.Where("(end_at <= ? OR ended_at IS NOT NULL)", now.Unix())
	}
	if after != (Cursor{}) {
		q.Where("(start_at, id) ? (?, ?)", bun.Safe(beyond), after.Start.Unix(), after.ID)
	}
	if err := q.Order("start_at "+order, "id "+order).Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing bookings: %w", err)
	}
	return bookingsOf(rows)
}

// InSeries are the bookings of a series within reach, in order of time.
func (s *Store) InSeries(ctx context.Context, reach Reach, series uuid.UUID) ([]Booking, error) {
	var rows []bookingRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("series = ?", series)
	if !reach.Staff {
		q.Where("person IN (?)", bun.List(reach.Persons))
	}
	if err := q.Order("start_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing a series: %w", err)
	}
	return bookingsOf(rows)
}

// Board are all bookings of a day, in order of time; those that were given up too.
func (s *Store) Board(ctx context.Context, day Date) ([]Booking, error) { return s.board(ctx, day) }

// BoardAtDesk is the Board without who made the bookings, when, and of what
// series they are. A day has hundreds, and every column takes its time.
func (s *Store) BoardAtDesk(ctx context.Context, day Date) ([]Booking, error) {
	return s.board(ctx, day, "booked_by", "series", "sequence", "created_at", "updated_at")
}

func (s *Store) board(ctx context.Context, day Date, without ...string) ([]Booking, error) {
	var rows []bookingRow
	text := day.String()
	err := s.db.Reader().NewSelect().Model(&rows).ExcludeColumn(append(without, "day")...).Where("day = ?", text).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing the day: %w", err)
	}
	for i := range rows {
		rows[i].Day = text
	}
	// Engines carry all columns along when they sort.
	slices.SortFunc(rows, func(a, b bookingRow) int {
		if a.StartAt != b.StartAt {
			return cmp.Compare(a.StartAt, b.StartAt)
		}
		return cmp.Or(cmp.Compare(a.Venue, b.Venue), cmp.Compare(a.Place, b.Place), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return bookingsOf(rows)
}

// Requested are the bookings that wait for approval, the first to begin first.
func (s *Store) Requested(ctx context.Context) ([]Booking, error) {
	var rows []bookingRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("state = ?", StateRequested).Order("start_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing what waits for approval: %w", err)
	}
	return bookingsOf(rows)
}

// CountRequested is how many bookings wait for approval.
func (s *Store) CountRequested(ctx context.Context) (int, error) {
	var n []int
	if err := s.db.Query(ctx, &n, "SELECT COUNT(*) FROM bookings WHERE state = 'requested'"); err != nil {
		return 0, fmt.Errorf("counting what waits for approval: %w", err)
	}
	return n[0], nil
}
