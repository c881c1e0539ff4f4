package booking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// EntryState is what has become of an entry of the waiting list.
type EntryState string

// The states of an entry.
const (
	EntryWaiting EntryState = "waiting"
	// EntryOffered has a hold that waits to be accepted.
	EntryOffered  EntryState = "offered"
	EntryAccepted EntryState = "accepted"
	// EntryLeft was given up, or its offer declined.
	EntryLeft EntryState = "left"
	// EntryExpired came to nothing until the start, or its offer was not accepted in time.
	EntryExpired EntryState = "expired"
)

// Entry is somebody who waits for a span at a venue.
type Entry struct {
	ID    uuid.UUID
	Venue string
	// Place is the place wanted; 0 is any.
	Place            int
	Person, BookedBy string
	Name, Phone      string
	Slot
	JoinedAt time.Time
	State    EntryState
	// Booking is the hold that was offered; nil before.
	Booking uuid.UUID

	// byStaff says that a member of staff put the person on the list, who may
	// book what the person could not.
	byStaff bool
}

// maxWaiting is for how much a person may wait at the same time.
const maxWaiting = 10

type waitingRow struct {
	bun.BaseModel `bun:"table:waiting"`

	ID       uuid.UUID `bun:",pk"`
	Venue    string
	Place    int
	Person   string
	BookedBy string
	Name     string
	Phone    string
	ByStaff  bool
	StartAt  int64
	EndAt    int64
	JoinedAt int64
	State    EntryState
	Booking  *uuid.UUID
}

func (r waitingRow) entry() Entry {
	e := Entry{
		ID: r.ID, Venue: r.Venue, Place: r.Place, Person: r.Person, BookedBy: r.BookedBy, Name: r.Name, Phone: r.Phone,
		Slot: slotOf(r.StartAt, r.EndAt), JoinedAt: time.Unix(r.JoinedAt, 0), State: r.State, byStaff: r.ByStaff,
	}
	if r.Booking != nil {
		e.Booking = *r.Booking
	}
	return e
}

// waitingPeople are who waits.
func waitingPeople(entries []Entry) []string {
	people := make([]string, len(entries))
	for i, e := range entries {
		people[i] = e.Person
	}
	return people
}

func entriesOf(rows []waitingRow) []Entry {
	entries := make([]Entry, len(rows))
	for i, row := range rows {
		entries[i] = row.entry()
	}
	return entries
}

// Join puts somebody on the waiting list of a span that is taken. Joining
// again is answered with the entry there is. It returns a *Refusal if the
// order breaks a rule or the span can still be booked.
func (s *Store) Join(ctx context.Context, o Order) (e Entry, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var made bool
		if e, made, err = join(ctx, tx, o); err != nil || !o.Staff {
			return err
		}
		what := actionWait
		if !made {
			what = actionView
		}
		return o.act().note(ctx, tx, what, e.Person, e.ID.String(), map[string]string{"venue": e.Venue})
	})
	return e, err
}

func join(ctx context.Context, tx bun.Tx, o Order) (e Entry, made bool, err error) {
	// First of all: who asks again because the answer was lost has an entry,
	// even if the venue was closed meanwhile.
	var mine []waitingRow
	if err := tx.NewSelect().Model(&mine).Where("person = ? AND state IN (?, ?)", o.Person, EntryWaiting, EntryOffered).Scan(ctx); err != nil {
		return Entry{}, false, fmt.Errorf("reading the waiting list: %w", err)
	}
	for _, row := range mine {
		if row.Venue == o.Venue && row.Place == o.Place && row.StartAt == o.Start.Unix() && row.EndAt == o.End.Unix() {
			return row.entry(), false, nil
		}
	}
	v, err := venueIn(ctx, in(tx), o.Venue, o.Now)
	if errors.Is(err, ErrNotFound) {
		return Entry{}, false, refuse(RuleUnknownVenue, 0, "there is no venue %q to book", o.Venue)
	}
	if err != nil {
		return Entry{}, false, err
	}
	asker, err := o.asker(ctx, tx, v)
	if err != nil {
		return Entry{}, false, err
	}
	if refusal := Check(v, o.Request, asker, o.Now, o.Location); refusal != nil {
		return Entry{}, false, refusal
	}
	if !o.Start.After(o.Now) {
		return Entry{}, false, refuse(RuleInThePast, 0, "the slot has begun already")
	}
	if len(mine) >= maxWaiting {
		return Entry{}, false, refuse(RuleWaitingLimit, maxWaiting, "one person waits for at most %d times", maxWaiting)
	}
	id, err := newID()
	if err != nil {
		return Entry{}, false, err
	}
	b := o.booking(id, v)
	b.busyUntil = v.Busy(b.Slot).End
	switch _, err := choosePlace(ctx, tx, v, &b, o.Place, lookFirst, o.Location); {
	case err == nil:
		return Entry{}, false, refuse(RuleStillFree, 0, "there is a free place at that time: book it")
	case !errors.Is(err, ErrTaken):
		return Entry{}, false, err
	}
	row := waitingRow{
		ID: id, Venue: o.Venue, Place: o.Place, Person: o.Person, BookedBy: o.BookedBy, Name: o.Name, Phone: o.Phone, ByStaff: o.Staff,
		StartAt: o.Start.Unix(), EndAt: o.End.Unix(), JoinedAt: o.Now.Unix(), State: EntryWaiting,
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return Entry{}, false, fmt.Errorf("joining the waiting list: %w", err)
	}
	return row.entry(), true, nil
}

// Leave takes an entry off the waiting list; an offer is declined with it.
// Leaving again is no error.
func (s *Store) Leave(ctx context.Context, a Act) (e Entry, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if e, err = entryIn(ctx, tx, a.Reach, a.ID); err != nil {
			return err
		}
		waited := e.State
		if err := s.leaveIn(ctx, tx, a, &e); err != nil || !a.Staff || e.State == waited {
			return err
		}
		return a.note(ctx, tx, actionLeave, e.Person, e.ID.String(), map[string]string{"venue": e.Venue})
	})
	return e, err
}

// leaveIn takes an entry off the waiting list, if it is still on it.
func (s *Store) leaveIn(ctx context.Context, tx bun.Tx, a Act, e *Entry) error {
	switch e.State {
	case EntryWaiting:
		_, err := tx.NewUpdate().Model((*waitingRow)(nil)).Set("state = ?", EntryLeft).Where("id = ?", e.ID).Exec(ctx)
		if err != nil {
			return fmt.Errorf("leaving the waiting list: %w", err)
		}
	case EntryOffered:
		decline := a
		decline.ID = e.Booking
		if _, _, _, err := s.actIn(ctx, tx, decline, cancelling(decline, "")); err != nil {
			return err
		}
	default:
		return nil
	}
	e.State = EntryLeft
	return nil
}

func entryIn(ctx context.Context, db bun.IDB, reach Reach, id uuid.UUID) (Entry, error) {
	var rows []waitingRow
	if err := db.NewSelect().Model(&rows).Where("id = ?", id).Scan(ctx); err != nil {
		return Entry{}, fmt.Errorf("reading the waiting list: %w", err)
	}
	if len(rows) == 0 || !reach.covers(rows[0].Person) {
		return Entry{}, ErrNotFound
	}
	return rows[0].entry(), nil
}

// Entry is an entry of the waiting list within reach, or ErrNotFound.
func (s *Store) Entry(ctx context.Context, reach Reach, id uuid.UUID) (Entry, error) {
	return entryIn(ctx, s.db.Reader(), reach, id)
}

// Waiting are the entries of the persons within reach that wait or are
// offered a place, the earliest start first.
func (s *Store) Waiting(ctx context.Context, reach Reach) ([]Entry, error) {
	var rows []waitingRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("person IN (?) AND state IN (?, ?)", bun.List(reach.Persons), EntryWaiting, EntryOffered).
		Order("start_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the waiting list: %w", err)
	}
	return entriesOf(rows), nil
}

// WaitingAt are all entries that wait or are offered a place which begins in a
// span of time, in the order of joining.
func (s *Store) WaitingAt(ctx context.Context, from, to time.Time) ([]Entry, error) {
	var rows []waitingRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("start_at >= ? AND start_at < ? AND state IN (?, ?)", from.Unix(), to.Unix(), EntryWaiting, EntryOffered).
		Order("venue", "joined_at", "id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the waiting list: %w", err)
	}
	return entriesOf(rows), nil
}

// freed is what a booking gave up: a span, and what it counted for in the
// limits of a person.
type freed struct {
	Slot
	person string
}

// promote offers what is free at a venue to those who wait for it, in the
// order of joining. Only those are looked at who may be helped by what was
// freed; all, if it is nil. It is part of the transaction that frees a place,
// so that nobody else can have it first.
func (s *Store) promote(ctx context.Context, tx bun.Tx, v Venue, by *freed, now time.Time, loc *time.Location) error {
	var rows []waitingRow
	q := tx.NewSelect().Model(&rows).Where("venue = ? AND state = ?", v.Name, EntryWaiting).Order("joined_at", "id")
	if by != nil {
		// With the person those who wait for the same: they may be first.
		q.Where("(start_at < ? AND end_at > ? OR (start_at, end_at) IN (SELECT start_at, end_at FROM waiting WHERE venue = ? AND state = ? AND person = ?))",
			by.End.Unix(), by.Start.Add(-v.Buffer).Unix(), v.Name, EntryWaiting, by.person)
	}
	if err := q.Scan(ctx); err != nil {
		return fmt.Errorf("reading the waiting list: %w", err)
	}
	for _, row := range rows {
		if err := s.offer(ctx, tx, v, row.entry(), now, loc); err != nil {
			return err
		}
	}
	return nil
}

// offer holds a place for somebody who waits, if there is one that they may have.
func (s *Store) offer(ctx context.Context, tx bun.Tx, v Venue, e Entry, now time.Time, loc *time.Location) error {
	o := Order{
		Request: Request{Venue: v.Name, Slot: e.Slot, Place: e.Place}, Now: now, Location: loc,
		Party: Party{Person: e.Person, BookedBy: e.BookedBy, Name: e.Name, Phone: e.Phone, Staff: e.byStaff},
	}
	asker, err := o.asker(ctx, tx, v)
	if err != nil {
		return err
	}
	// Age was checked when they joined; who was a member then may not be one now.
	if !e.Start.After(now) || v.checkTime(o.Request, asker, now, loc) != nil || v.checkMember(asker) != nil {
		return nil
	}
	id, err := newID()
	if err != nil {
		return err
	}
	b := o.booking(id, v)
	b.State = StateHeld
	b.DueAt = v.dueAt(b, now)
	b, err = hold(ctx, tx, v, b, e.Place, lookFirst, loc)
	if _, refused := errors.AsType[*Refusal](err); refused || errors.Is(err, ErrTaken) {
		return nil // not now
	}
	if err != nil {
		return err
	}
	_, err = tx.NewUpdate().Model((*waitingRow)(nil)).Set("state = ?, booking = ?", EntryOffered, id).Where("id = ?", e.ID).Exec(ctx)
	if err != nil {
		return fmt.Errorf("offering a place: %w", err)
	}
	return s.tell(ctx, tx, News{Kind: NewsOffer, Venue: v, Before: b, After: b, Now: now})
}

// settleEntry notes what has become of the entry to which a hold was offered.
func settleEntry(ctx context.Context, tx bun.Tx, hold uuid.UUID, state EntryState) error {
	if _, err := tx.NewUpdate().Model((*waitingRow)(nil)).Set("state = ?", state).Where("booking = ?", hold).Exec(ctx); err != nil {
		return fmt.Errorf("settling an offer: %w", err)
	}
	return nil
}

// waitAgain has the person to whom a hold was offered wait as before.
func waitAgain(ctx context.Context, tx bun.Tx, hold uuid.UUID) error {
	if _, err := tx.NewUpdate().Model((*waitingRow)(nil)).Set("state = ?, booking = NULL", EntryWaiting).Where("booking = ?", hold).Exec(ctx); err != nil {
		return fmt.Errorf("having somebody wait again: %w", err)
	}
	return nil
}
