package booking

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/notify"
)

// Personal is all that the service keeps about a person.
type Personal struct {
	Bookings []Booking
	Waiting  []Entry
	// Venues are those to whose members the person belongs.
	Venues []string
	// Feed is the address of the person's calendar, if there is one.
	Feed *Feed
}

// Personal returns all that the service keeps about a person (PIPL Art. 45).
func (s *Store) Personal(ctx context.Context, person string) (p Personal, err error) {
	var bookings []bookingRow
	var waiting []waitingRow
	db := s.db.Reader()
	for _, q := range []*bun.SelectQuery{
		db.NewSelect().Model(&bookings).Where("person = ?", person).Order("start_at", "id"),
		db.NewSelect().Model(&waiting).Where("person = ?", person).Order("start_at", "id"),
	} {
		if err := q.Scan(ctx); err != nil {
			return p, fmt.Errorf("reading what is kept about a person: %w", err)
		}
	}
	if err := db.NewSelect().Model((*memberRow)(nil)).Column("venue").Where("person = ?", person).Order("venue").Scan(ctx, &p.Venues); err != nil {
		return p, fmt.Errorf("reading what is kept about a person: %w", err)
	}
	for _, row := range bookings {
		b, err := row.booking()
		if err != nil {
			return p, err
		}
		p.Bookings = append(p.Bookings, b)
	}
	for _, row := range waiting {
		p.Waiting = append(p.Waiting, row.entry())
	}
	feed, err := s.FeedOf(ctx, person)
	switch {
	case err == nil:
		p.Feed = &feed
	case !errors.Is(err, ErrNotFound):
		return p, err
	}
	return p, nil
}

// Forget cancels what is ahead of a person and takes the person out of what
// was (PIPL Art. 47): the bookings stay, as nobody's, until they are past
// their retention, so that numbers of use stay true. Forgetting again is no
// error.
func (s *Store) Forget(ctx context.Context, person string, now time.Time, loc *time.Location) error {
	err := s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var live []uuid.UUID
		err := tx.NewSelect().Model((*bookingRow)(nil)).Column("id").
			Where("person = ? AND ended_at IS NULL AND end_at > ?", person, now.Unix()).Order("start_at", "id").Scan(ctx, &live)
		if err != nil {
			return err
		}
		// Nothing that becomes free may be offered to who is leaving.
		if _, err := tx.NewDelete().Model((*waitingRow)(nil)).Where("person = ? AND state = ?", person, EntryWaiting).Exec(ctx); err != nil {
			return err
		}
		for _, id := range live {
			a := Act{Reach: Reach{Actor: person, Staff: true}, ID: id, Now: now, Location: loc}
			_, _, _, err := s.actIn(ctx, tx, a, cancelling(a, ""))
			if _, refused := errors.AsType[*Refusal](err); err != nil && !refused {
				return err
			}
		}
		if err := forgetIn(ctx, tx, person); err != nil {
			return err
		}
		a := Act{Reach: Reach{Actor: person}, Now: now}
		return a.note(ctx, tx, actionForget, person, "", nil)
	})
	if err != nil {
		return fmt.Errorf("forgetting a person: %w", err)
	}
	return nil
}

// forgetIn removes a person from all tables.
func forgetIn(ctx context.Context, tx bun.Tx, person string) error {
	_, err := tx.NewUpdate().Model((*bookingRow)(nil)).
		Set("person = '', booked_by = '', name = '', phone = '', note = '', reason = ''").Where("person = ?", person).Exec(ctx)
	if err != nil {
		return err
	}
	// What the person has booked for others is theirs.
	if _, err := tx.NewUpdate().Model((*bookingRow)(nil)).Set("booked_by = person").Where("booked_by = ?", person).Exec(ctx); err != nil {
		return err
	}
	for _, table := range []any{
		(*waitingRow)(nil), (*quotaRow)(nil), (*memberRow)(nil), (*feedRow)(nil), (*idempotencyRow)(nil), (*wrongCodesRow)(nil),
	} {
		if _, err := tx.NewDelete().Model(table).Where("person = ?", person).Exec(ctx); err != nil {
			return err
		}
	}
	return notify.Forget(ctx, tx, person)
}

// apiPersonal is all that the service keeps about a person, as the person
// downloads it.
type apiPersonal struct {
	Bookings     []APIBooking `json:"bookings"`
	WaitingList  []APIEntry   `json:"waitingList"`
	MemberOf     []string     `json:"memberOf"`
	CalendarFrom *time.Time   `json:"calendarSince,omitempty"`
}

func (s *service) export(ctx context.Context, person string) (any, error) {
	kept, err := s.store.Personal(ctx, person)
	if err != nil {
		return nil, err
	}
	attendants, err := s.store.Attendants(ctx)
	if err != nil {
		return nil, err
	}
	out := apiPersonal{MemberOf: kept.Venues}
	for _, b := range kept.Bookings {
		out.Bookings = append(out.Bookings, apiBookingOf(b, attendants, s.location()))
	}
	for _, e := range kept.Waiting {
		out.WaitingList = append(out.WaitingList, apiEntryOf(e, attendants, s.location()))
	}
	if kept.Feed != nil {
		since := kept.Feed.CreatedAt.In(s.location())
		out.CalendarFrom = &since
	}
	return out, nil
}
