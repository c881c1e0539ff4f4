package booking

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Party is who a booking is for and who asks.
type Party struct {
	// Person is for whom it is, BookedBy who asks.
	Person, BookedBy string
	Name, Phone      string
	BornOn           Date
	// Staff and Present are as Asker has them.
	Staff, Present bool
}

// asker is what the rules need to know of a party.
func (p Party) asker(ctx context.Context, tx bun.Tx, v Venue) (Asker, error) {
	a := Asker{BornOn: p.BornOn, Staff: p.Staff, Present: p.Present}
	if !v.MembersOnly || p.Staff {
		return a, nil
	}
	var err error
	a.Member, err = isMember(ctx, tx, v.Name, p.Person)
	return a, err
}

// Order is a request together with who asks, when and where.
type Order struct {
	Request
	Party
	// Key is the idempotency key; empty means that every order is another one.
	Key string
	Now time.Time
	// Location is the community's zone.
	Location *time.Location
}

// act is the order as what a member of staff does.
func (o Order) act() Act {
	return Act{Reach: Reach{Actor: o.BookedBy, Staff: true}, Now: o.Now, Location: o.Location}
}

// digest tells orders under one key apart.
func (o Order) digest() string {
	return digest("%q %d %d %d %q %q", o.Venue, o.Start.Unix(), o.End.Unix(), o.Place, o.Note, o.Person)
}

func digest(format string, args ...any) string {
	sum := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return hex.EncodeToString(sum[:])
}

// booking is what the order makes at a venue if nothing is in the way.
func (o Order) booking(id uuid.UUID, v Venue) Booking {
	now := time.Unix(o.Now.Unix(), 0)
	b := Booking{
		ID: id, Venue: v.Name, Person: o.Person, BookedBy: o.BookedBy, Name: o.Name, Phone: o.Phone,
		Slot: o.Slot, Note: o.Note, State: v.stateOf(o.Staff), CreatedAt: now, UpdatedAt: now,
	}
	// Who stands at the door may also book for next week.
	if o.Present && CheckCheckIn(b, false, o.Now) == nil {
		b.CheckedInAt = now
	}
	b.DueAt = v.dueAt(b, now)
	return b
}

// Book makes a booking. It returns a *Refusal if the order breaks a rule,
// ErrTaken if nothing is free, ErrKeyReused if the key stands for another
// order. An order that was done under its key is answered with the booking as
// it was made, and replayed is true.
func (s *Store) Book(ctx context.Context, o Order) (b Booking, replayed bool, err error) {
	// The venue is read beside the queue of writers, where time is scarce. One
	// that is changed or retired at this very moment may get one more booking
	// by its former rules, as if that had come just before. A closure is looked
	// for again where the place is taken.
	for range attempts {
		v, err := s.Venue(ctx, o.Venue, o.Now)
		known := !errors.Is(err, ErrNotFound)
		if err != nil && known {
			return Booking{}, false, err
		}
		err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
			if b, err = book(ctx, tx, o, v, known); err != nil || !o.Staff {
				return err
			}
			return o.act().note(ctx, tx, actionBook, b.Person, b.ID.String(), map[string]string{"venue": b.Venue})
		})
		if err == nil {
			return b, false, nil
		}
		// What cannot be done may have been done before. Almost no key was used
		// before, so that this is looked for last.
		if _, refused := errors.AsType[*Refusal](err); o.Key != "" && (refused || errors.Is(err, ErrTaken) || errors.Is(err, errKeyUsed)) {
			b, err := s.madeUnder(ctx, o)
			if err == nil && o.Staff {
				err = s.See(ctx, o.act(), b)
			}
			if !errors.Is(err, errKeyNew) {
				return b, err == nil, err
			}
		}
		if !lost(err) && !errors.Is(err, errKeyUsed) {
			return Booking{}, false, err
		}
	}
	return Booking{}, false, ErrTaken
}

var (
	// errKeyUsed means that something was done under the idempotency key before.
	errKeyUsed = errors.New("the idempotency key was used")
	// errKeyNew means that nothing was.
	errKeyNew = errors.New("the idempotency key was not used")
)

func book(ctx context.Context, tx bun.Tx, o Order, v Venue, known bool) (Booking, error) {
	if !known {
		return Booking{}, refuse(RuleUnknownVenue, 0, "there is no venue %q to book", o.Venue)
	}
	asker, err := o.asker(ctx, tx, v)
	if err != nil {
		return Booking{}, err
	}
	if refusal := Check(v, o.Request, asker, o.Now, o.Location); refusal != nil {
		return Booking{}, refusal
	}
	id, err := newID()
	if err != nil {
		return Booking{}, err
	}
	var key []step
	if o.Key != "" {
		key = []step{keeping(o.key(), id, o.Now)}
	}
	return hold(ctx, tx, v, o.booking(id, v), o.Place, atOnce, o.Location, key...)
}

// madeUnder is the booking that was made under the order's key, as it was
// answered then, or errKeyNew. Only the place is the one of now if any was asked
// for and it was moved since.
func (s *Store) madeUnder(ctx context.Context, o Order) (Booking, error) {
	id, err := resultUnder(ctx, s.db.Reader(), o.key())
	if err != nil {
		return Booking{}, err
	}
	b, err := s.Booking(ctx, Reach{Persons: []string{o.Person}}, id)
	if err != nil || b.Sequence == 0 {
		return b, err
	}
	v, err := knownVenueIn(ctx, s.db.Query, b.Venue, o.Now)
	if err != nil {
		return b, err
	}
	o.Now, o.Slot = b.CreatedAt, slotOf(o.Start.Unix(), o.End.Unix())
	made := o.booking(id, v)
	made.Day, made.Place, made.busyUntil = DateOf(made.Start, o.Location), b.Place, v.Busy(made.Slot).End
	if o.Place != 0 {
		made.Place = o.Place
	}
	return made, nil
}

// usedKey is an idempotency key of a person and the digest of what was asked
// for under it.
type usedKey struct{ person, key, digest string }

func (o Order) key() usedKey { return usedKey{o.BookedBy, o.Key, o.digest()} }

// keeping keeps an idempotency key for a result that is about to be made;
// errKeyUsed if it was used before. Nothing is looked up for a key that is new,
// which almost all are.
func keeping(k usedKey, result uuid.UUID, now time.Time) step {
	return step{
		Statement: database.Statement{
			For:  "keeping the idempotency key",
			Text: "INSERT INTO idempotency (person, key, request, result, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
			Args: []any{k.person, k.key, k.digest, result, now.Unix()},
		},
		rows:  1,
		short: func(context.Context, bun.Tx, int64) error { return errKeyUsed },
	}
}

// resultUnder is what was done under an idempotency key, or errKeyNew.
func resultUnder(ctx context.Context, db bun.IDB, k usedKey) (uuid.UUID, error) {
	var row idempotencyRow
	err := db.NewSelect().Model(&row).Where("person = ? AND key = ?", k.person, k.key).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return uuid.Nil, errKeyNew
	case err != nil:
		return uuid.Nil, fmt.Errorf("looking for the idempotency key: %w", err)
	case row.Request != k.digest:
		return uuid.Nil, ErrKeyReused
	}
	return row.Result, nil
}

// Act is what somebody does with a booking, when and where.
type Act struct {
	Reach
	ID       uuid.UUID
	Now      time.Time
	Location *time.Location

	// series says that it is done with a whole series.
	series bool
}

// change is what an act makes of a booking at its venue.
type change func(ctx context.Context, tx bun.Tx, v Venue, b Booking) (Booking, error)

// act has f change a booking in a transaction of its own, in which that is
// audited as what if the staff do it.
func (s *Store) act(ctx context.Context, a Act, what action, f change) (b Booking, changed bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var before Booking
		if before, b, changed, err = s.actIn(ctx, tx, a, f); err != nil || !a.Staff {
			return err
		}
		return a.noteBooking(ctx, tx, what, before, b)
	})
	if err != nil {
		return Booking{}, false, err
	}
	return b, changed, nil
}

// actIn loads a booking and its venue, has f change it, tells of that, and
// offers to those who wait what became free by it.
func (s *Store) actIn(ctx context.Context, tx bun.Tx, a Act, f change) (before, b Booking, changed bool, err error) {
	if before, err = bookingIn(ctx, tx, a.Reach, a.ID); err != nil {
		return before, before, false, err
	}
	v, err := knownVenueIn(ctx, in(tx), before.Venue, a.Now)
	if err != nil {
		return before, before, false, err
	}
	if b, err = f(ctx, tx, v, before); err != nil || b == before {
		return before, b, false, err
	}
	if kind, ok := newsOf(a, before, b); ok {
		if err := s.tell(ctx, tx, News{Kind: kind, Venue: v, Before: before, After: b, Now: a.Now}); err != nil {
			return before, b, false, err
		}
	}
	if before.Live() && b.Live() && b.Place == before.Place && b.Slot == before.Slot {
		return before, b, true, nil
	}
	freed := freed{Slot: Slot{before.Start, before.busyUntil}, person: before.Person}
	return before, b, true, s.promote(ctx, tx, v, &freed, a.Now, a.Location)
}

// Cancel cancels a booking, or declines an offer, and frees its place.
// Cancelling again is no error and leaves changed false. It returns
// ErrNotFound, or a *Refusal if it is too late.
func (s *Store) Cancel(ctx context.Context, a Act, reason string) (b Booking, changed bool, err error) {
	return s.act(ctx, a, actionCancel, cancelling(a, reason))
}

func cancelling(a Act, reason string) change {
	return func(ctx context.Context, tx bun.Tx, v Venue, b Booking) (Booking, error) {
		if !b.Live() {
			return b, nil
		}
		if refusal := CheckCancel(v, b, a.Staff, a.Now); refusal != nil {
			return b, refusal
		}
		return end(ctx, tx, b, StateCancelled, reason, a.Now)
	}
}

// Change moves a booking to another time or place of its venue. The booking
// stays as it was if that is refused or taken. A venue that needs approval
// needs it again, unless the staff change it. Who has checked in and changes
// the start checks in again.
func (s *Store) Change(ctx context.Context, a Act, p Party, to Request) (b Booking, changed bool, err error) {
	return s.act(ctx, a, actionChange, func(ctx context.Context, tx bun.Tx, v Venue, b Booking) (Booking, error) {
		if b.State != StateBooked && b.State != StateRequested {
			return b, refuse(RuleNotLive, 0, "the booking is %s", b.State)
		}
		if refusal := CheckCancel(v, b, a.Staff, a.Now); refusal != nil {
			return b, refusal
		}
		p.Person = b.Person
		asker, err := p.asker(ctx, tx, v)
		if err != nil {
			return b, err
		}
		if refusal := Check(v, to, asker, a.Now, a.Location); refusal != nil {
			return b, refusal
		}
		if to.Start.Equal(b.Start) && to.End.Equal(b.End) && (to.Place == 0 || to.Place == b.Place) {
			return b, nil
		}
		if err := free(ctx, tx, b, true); err != nil {
			return b, err
		}
		b.State, b.Reason = v.stateOf(a.Staff), ""
		return rehold(ctx, tx, v, b, to.Slot, to.Place, a.Now, a.Location)
	})
}

// rehold gives a booking that has lost its place another time or place. If
// nothing is free there it returns ErrTaken or a Refusal, and nothing was
// written.
func rehold(ctx context.Context, tx bun.Tx, v Venue, b Booking, to Slot, wanted int, now time.Time, loc *time.Location) (Booking, error) {
	if !to.Start.Equal(b.Start) {
		b.CheckedInAt = time.Time{}
	}
	b.Slot = to
	b.DueAt = v.dueAt(b, now)
	b.Sequence++
	b.UpdatedAt = time.Unix(now.Unix(), 0)
	return hold(ctx, tx, v, b, wanted, lookFirst, loc)
}

// Accept takes an offer from the waiting list. Accepting again is no error and
// leaves changed false.
func (s *Store) Accept(ctx context.Context, a Act) (b Booking, changed bool, err error) {
	return s.act(ctx, a, actionAccept, func(ctx context.Context, tx bun.Tx, v Venue, b Booking) (Booking, error) {
		if b.State == StateBooked || b.State == StateRequested {
			return b, nil
		}
		if refusal := CheckAccept(b, a.Now); refusal != nil {
			return b, refusal
		}
		b.State = v.stateOf(a.Staff)
		b.DueAt = v.dueAt(b, a.Now)
		if err := settleEntry(ctx, tx, b.ID, EntryAccepted); err != nil {
			return b, err
		}
		return touch(ctx, tx, b, a.Now)
	})
}

// Approve grants a request. Approving again is no error.
func (s *Store) Approve(ctx context.Context, a Act) (b Booking, changed bool, err error) {
	return s.act(ctx, a, actionApprove, func(ctx context.Context, tx bun.Tx, v Venue, b Booking) (Booking, error) {
		if b.State == StateBooked {
			return b, nil
		}
		if b.State != StateRequested || !b.Start.After(a.Now) {
			return b, refuse(RuleNotRequested, 0, "the booking is %s and waits for no decision", b.State)
		}
		b.State = StateBooked
		b.DueAt = v.dueAt(b, a.Now)
		return touch(ctx, tx, b, a.Now)
	})
}

// Refuse turns a request down. Refusing again is no error.
func (s *Store) Refuse(ctx context.Context, a Act, reason string) (b Booking, changed bool, err error) {
	return s.act(ctx, a, actionRefuse, func(ctx context.Context, tx bun.Tx, _ Venue, b Booking) (Booking, error) {
		if b.State == StateRefused {
			return b, nil
		}
		if b.State != StateRequested {
			return b, refuse(RuleNotRequested, 0, "the booking is %s and waits for no decision", b.State)
		}
		return end(ctx, tx, b, StateRefused, reason, a.Now)
	})
}

// CheckIn notes that the person has come. Residents prove it with the code on
// the venue's door; the staff see it. Checking in again is no error.
func (s *Store) CheckIn(ctx context.Context, a Act, code string) (b Booking, changed bool, err error) {
	if !a.Staff {
		b, err := s.Booking(ctx, a.Reach, a.ID)
		if err != nil {
			return Booking{}, false, err
		}
		if refusal := CheckCheckIn(b, false, a.Now); refusal != nil {
			return Booking{}, false, refusal
		}
		if err := s.CheckCode(ctx, b.Venue, a.Actor, code, a.Now); err != nil {
			return Booking{}, false, err
		}
	}
	return s.act(ctx, a, actionCheckIn, func(ctx context.Context, tx bun.Tx, _ Venue, b Booking) (Booking, error) {
		if refusal := CheckCheckIn(b, a.Staff, a.Now); refusal != nil {
			return b, refusal
		}
		if !b.CheckedInAt.IsZero() {
			return b, nil
		}
		b.CheckedInAt, b.DueAt = time.Unix(a.Now.Unix(), 0), time.Time{}
		return touch(ctx, tx, b, a.Now)
	})
}
