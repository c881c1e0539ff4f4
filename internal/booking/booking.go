// Package booking lets residents of a community book rooms, seats and hours
// with an attendant.
//
// This file has the rules. They are pure functions: what time it is, in which
// zone the community lives and what is already booked are handed in.
package booking

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

// State is what has become of a booking.
type State string

// The states of a booking. The first three are live: they hold their place.
const (
	// StateRequested waits for the staff's approval, until the start at the latest.
	StateRequested State = "requested"
	// StateHeld was offered from the waiting list and waits to be accepted.
	StateHeld   State = "held"
	StateBooked State = "booked"

	StateCancelled State = "cancelled"
	// StateRefused was not approved by the staff.
	StateRefused State = "refused"
	// StateExpired was held or requested, and nobody answered in time.
	StateExpired State = "expired"
	// StateReleased was given to others because nobody checked in.
	StateReleased State = "released"
)

// Live reports whether a booking in this state holds its place.
func (s State) Live() bool { return s == StateRequested || s == StateHeld || s == StateBooked }

// Booking is a place at a venue, held for a person for a span of time.
type Booking struct {
	ID    uuid.UUID
	Venue string
	Place int
	// Person is for whom it is, BookedBy who made it.
	Person, BookedBy string
	// Name and Phone are the person's when it was made, for the desk.
	Name, Phone string
	Slot
	// Day is the day of Start in the community's zone.
	Day  Date
	Note string
	// State is what has become of it, Reason why, if somebody said so.
	State  State
	Reason string
	// Series is shared by bookings that repeat; nil for a single one.
	Series uuid.UUID
	// Sequence counts the changes of time, place and state (RFC 5545, 3.8.7.4).
	Sequence             int
	CreatedAt, UpdatedAt time.Time
	// EndedAt is when it stopped to be live; zero while it is.
	EndedAt time.Time
	// CheckedInAt is when the person came; zero if nobody has checked in.
	CheckedInAt time.Time
	// DueAt is when something happens by itself: a hold or a request ends, or
	// a no-show is released. Zero if nothing does.
	DueAt time.Time

	// busyUntil is End and the buffer that the venue had then.
	busyUntil time.Time
}

// Live reports whether the booking still holds its place.
func (b Booking) Live() bool { return b.State.Live() }

// Request is what a person asks to book.
type Request struct {
	Venue string
	Slot
	// Place is the place wanted; 0 is any.
	Place int
	Note  string
}

// MaxNote is how many characters a note may have.
const MaxNote = 500

// Asker is what the rules need to know of who a booking is for, and of who asks.
type Asker struct {
	// BornOn is when the person was born; the zero Date if nobody knows.
	BornOn Date
	// Member says that the person is on the venue's list of members.
	Member bool
	// Staff says that a member of staff asks for somebody else. How far ahead,
	// how late and for whom they book is theirs to judge.
	Staff bool
	// Present says that the person stands at the door or the desk, and so may
	// have the rest of a slot that has begun.
	Present bool
}

// Rule is the stable name of a rule by which a request is refused. Clients
// and messages depend on these names.
type Rule string

// The rules for a new booking, in the order in which they are checked.
const (
	RuleUnknownVenue        Rule = "unknown-venue"
	RuleUnknownPlace        Rule = "unknown-place"
	RuleInThePast           Rule = "in-the-past"
	RuleTooLate             Rule = "too-late"
	RuleOutsideWindow       Rule = "outside-window"
	RuleClosedDay           Rule = "closed-day"
	RuleOutsideOpeningHours Rule = "outside-opening-hours"
	RuleNotOnSlot           Rule = "not-on-slot"
	RuleTooLong             Rule = "too-long"
	RuleClosure             Rule = "closure"
	RuleAttendantAway       Rule = "attendant-away"
	RuleTooYoung            Rule = "too-young"
	RuleTooOld              Rule = "too-old"
	RuleAgeUnknown          Rule = "age-unknown"
	RuleMembersOnly         Rule = "members-only"
	RuleDailyLimit          Rule = "daily-limit"
	RuleWeeklyLimit         Rule = "weekly-limit"
)

// The rules for what can be done with a booking.
const (
	// RuleAlreadyBegun refuses to change or cancel what has begun.
	RuleAlreadyBegun Rule = "already-begun"
	// RuleCancelNotice refuses to change or cancel at the last minute.
	RuleCancelNotice Rule = "cancel-notice"
	// RuleNotLive refuses to change what is over or was given up.
	RuleNotLive Rule = "not-live"
	// RuleHoldEnded refuses to accept an offer whose time is over.
	RuleHoldEnded Rule = "hold-ended"
	// RuleNotRequested refuses to decide about what waits for no decision.
	RuleNotRequested Rule = "not-requested"
	// RuleTooEarly and RuleAlreadyOver refuse to check in.
	RuleTooEarly    Rule = "too-early"
	RuleAlreadyOver Rule = "already-over"
	// RuleReleased refuses to check in when the place went to others.
	RuleReleased Rule = "released"
	// RuleWrongCode refuses a code that is not the one on the venue's door.
	RuleWrongCode Rule = "wrong-code"
	// RuleTooManyCodes refuses every code after too many that were wrong.
	RuleTooManyCodes Rule = "too-many-codes"
)

// RuleUnknownPerson refuses to book for somebody whom nobody knows.
const RuleUnknownPerson Rule = "unknown-person"

// The rules of the waiting list and of series.
const (
	// RuleStillFree refuses to wait for what can be booked.
	RuleStillFree Rule = "still-free"
	// RuleWaitingLimit limits how much a person waits for at the same time.
	RuleWaitingLimit Rule = "waiting-limit"
	// RuleUntil refuses a series that ends before it begins or goes on too long.
	RuleUntil Rule = "until"
)

// Refusal says which rule a request breaks.
type Refusal struct {
	Rule Rule
	// Count is the number that the rule sets: places, days ahead, minutes,
	// years, slots or bookings; 0 when it sets none.
	Count int
	// Detail is what staff wrote about it, such as why a venue is closed.
	Detail string
	// Text says the same in English, for programs and logs.
	Text string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(rule Rule, count int, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Count: count, Text: fmt.Sprintf(format, args...)}
}

// Check says which rule a request breaks, or nil. It knows nothing of other
// bookings: places and limits are given out by the store, where constraints
// decide.
func Check(v Venue, r Request, a Asker, now time.Time, loc *time.Location) *Refusal {
	if refusal := v.checkTime(r, a, now, loc); refusal != nil {
		return refusal
	}
	return v.checkPerson(a, DateOf(r.Start, loc))
}

// checkTime says which rule a request breaks whoever it is for, or nil.
func (v Venue) checkTime(r Request, a Asker, now time.Time, loc *time.Location) *Refusal {
	if v.retired {
		return refuse(RuleUnknownVenue, 0, "venue %q cannot be booked any more", v.Name)
	}
	if r.Place != 0 && !v.hasPlace(r.Place) {
		return refuse(RuleUnknownPlace, v.Places, "place %d is not at this venue; places are 1 to %d", r.Place, v.Places)
	}
	if refusal := v.checkMoment(r.Slot, a, now); refusal != nil {
		return refusal
	}
	day := DateOf(r.Start, loc)
	if refusal := v.checkDay(day, a.Staff, now, loc); refusal != nil {
		return refusal
	}
	if refusal := v.checkSpan(r.Slot, v.Slots(day, loc)); refusal != nil {
		return refusal
	}
	return v.checkPlaces(r.Place, r.Slot, loc)
}

// checkMoment says why it is too late to book a span, or nil.
func (v Venue) checkMoment(s Slot, a Asker, now time.Time) *Refusal {
	switch {
	case a.Staff || a.Present && !v.NeedsApproval: // what has begun waits for nobody's approval
		if !s.End.After(now) {
			return refuse(RuleInThePast, 0, "the slot is over already")
		}
	case !s.Start.After(now):
		return refuse(RuleInThePast, 0, "the slot has begun already")
	case s.Start.Sub(now) < v.MinNotice:
		minutes := int(v.MinNotice / time.Minute)
		return refuse(RuleTooLate, minutes, "the venue is booked at least %d minutes ahead", minutes)
	}
	return nil
}

// checkDay says why nothing can be booked on a day, or nil.
func (v Venue) checkDay(day Date, staff bool, now time.Time, loc *time.Location) *Refusal {
	if last := v.LastDay(now, loc); !staff && day.DaysSince(last) > 0 {
		return refuse(RuleOutsideWindow, v.WindowDays, "%s is too far ahead; the last day that can be booked now is %s", day, last)
	}
	if v.ClosedDates[day] || len(v.Hours[day.Weekday()]) == 0 {
		return refuse(RuleClosedDay, 0, "the venue is closed on %s", day)
	}
	return nil
}

// checkPlaces says why a place, or any place if it is 0, is not there for a
// span, or nil.
func (v Venue) checkPlaces(place int, s Slot, loc *time.Location) *Refusal {
	open := v.PlacesAt(s, loc)
	if place == 0 && len(open) > 0 || slices.Contains(open, place) {
		return nil
	}
	for _, c := range v.Closures {
		if c.Overlaps(s) && (c.Place == 0 || place == 0 || c.Place == place) {
			refusal := refuse(RuleClosure, 0, "the venue is closed from %s to %s", c.Start.Format(time.RFC3339), c.End.Format(time.RFC3339))
			refusal.Detail = c.Reason
			return refusal
		}
	}
	return refuse(RuleAttendantAway, 0, "nobody attends at that time")
}

// checkPerson says why a venue is not for a person, or nil.
func (v Venue) checkPerson(a Asker, day Date) *Refusal {
	if a.Staff {
		return nil
	}
	if v.MinAge > 0 || v.MaxAge > 0 {
		age := day.YearsSince(a.BornOn)
		switch {
		case a.BornOn == Date{}:
			return refuse(RuleAgeUnknown, 0, "the venue is for some ages only, and this person's is not known; the staff can book")
		case age < v.MinAge:
			return refuse(RuleTooYoung, v.MinAge, "the venue is for people from %d years on", v.MinAge)
		case v.MaxAge > 0 && age > v.MaxAge:
			return refuse(RuleTooOld, v.MaxAge, "the venue is for people up to %d years", v.MaxAge)
		}
	}
	return v.checkMember(a)
}

func (v Venue) checkMember(a Asker) *Refusal {
	if v.MembersOnly && !a.Member && !a.Staff {
		return refuse(RuleMembersOnly, 0, "the venue is for its members; the staff keep the list")
	}
	return nil
}

// checkSpan says why a span of time is not one or more of a day's slots in a row.
func (v Venue) checkSpan(s Slot, slots []Slot) *Refusal {
	if !s.End.After(s.Start) {
		return refuse(RuleNotOnSlot, v.SlotMinutes, "end is not after start")
	}
	if !covered(s, slots) {
		return refuse(RuleOutsideOpeningHours, 0, "the venue is not open from %s to %s", s.Start.Format(time.RFC3339), s.End.Format(time.RFC3339))
	}
	first := slices.IndexFunc(slots, func(o Slot) bool { return o.Start.Equal(s.Start) })
	last := slices.IndexFunc(slots, func(o Slot) bool { return o.End.Equal(s.End) })
	if first < 0 || last < first {
		return refuse(RuleNotOnSlot, v.SlotMinutes, "start and end are not bounds of slots; slots last %d minutes", v.SlotMinutes)
	}
	if last-first+1 > v.MaxSlots {
		return refuse(RuleTooLong, v.MaxSlots, "%d slots are more than the %d that one booking may span", last-first+1, v.MaxSlots)
	}
	return nil
}

// covered reports whether slots, which are in order, leave no gap in s.
func covered(s Slot, slots []Slot) bool {
	at := s.Start
	for _, slot := range slots {
		if !slot.Start.After(at) && slot.End.After(at) {
			at = slot.End
		}
	}
	return !at.Before(s.End)
}

// CheckCancel says why a booking cannot be changed or cancelled any more, or
// nil. The staff may until its end; an offer may always be declined.
func CheckCancel(v Venue, b Booking, staff bool, now time.Time) *Refusal {
	switch {
	case b.State == StateHeld:
		return nil
	case staff:
		if !b.End.After(now) {
			return refuse(RuleAlreadyOver, 0, "the booking is over already")
		}
	case !b.Start.After(now):
		return refuse(RuleAlreadyBegun, 0, "the booking has begun already")
	case b.Start.Sub(now) < v.CancelNotice:
		minutes := int(v.CancelNotice / time.Minute)
		return refuse(RuleCancelNotice, minutes, "bookings are changed or cancelled at least %d minutes ahead; call the staff", minutes)
	}
	return nil
}

// checkInEarly is how long before the start residents may check in.
const checkInEarly = 15 * time.Minute

// holdTime is how long there is to accept an offer, if the start is not nearer.
const holdTime = 30 * time.Minute

// CheckCheckIn says why nobody can check in for a booking now, or nil. The
// staff may do it earlier.
func CheckCheckIn(b Booking, staff bool, now time.Time) *Refusal {
	switch {
	case b.State == StateReleased:
		return refuse(RuleReleased, 0, "nobody checked in in time, the place was given to others")
	case b.State != StateBooked:
		return refuse(RuleNotLive, 0, "the booking is %s", b.State)
	case !staff && b.Start.Sub(now) > checkInEarly:
		minutes := int(checkInEarly / time.Minute)
		return refuse(RuleTooEarly, minutes, "check in from %d minutes before the start on", minutes)
	case !b.End.After(now):
		return refuse(RuleAlreadyOver, 0, "the booking is over already")
	}
	return nil
}

// CheckAccept says why an offer cannot be accepted, or nil.
func CheckAccept(b Booking, now time.Time) *Refusal {
	if b.State != StateHeld || !b.DueAt.After(now) {
		return refuse(RuleHoldEnded, 0, "the time to accept is over")
	}
	return nil
}

// Overlaps reports whether two spans have a moment in common.
func (s Slot) Overlaps(o Slot) bool { return s.Start.Before(o.End) && o.Start.Before(s.End) }

// cellMinutes is the length of a cell. Every slot is a whole number of cells,
// however hours and slot lengths are changed later; so a row per cell, unique
// by venue and place, keeps any two bookings apart.
const cellMinutes = 5

// Cells are the numbers of the cells that a span touches, from and up to but
// without to: five-minute steps since the Unix epoch.
func (s Slot) Cells() (from, to int64) {
	const seconds = cellMinutes * 60
	return s.Start.Unix() / seconds, (s.End.Unix() + seconds - 1) / seconds
}

// firstFree is the first of some places that is not taken; 0 if all are.
func firstFree(places, taken []int) int {
	for _, place := range places {
		if !slices.Contains(taken, place) {
			return place
		}
	}
	return 0
}

// stateOf is what a new booking, or a changed one, is at first.
func (v Venue) stateOf(staff bool) State {
	if v.NeedsApproval && !staff {
		return StateRequested
	}
	return StateBooked
}

// dueAt is when something happens by itself to a booking as it is now. Who gets
// the rest of a slot that has begun has as long to come as others.
func (v Venue) dueAt(b Booking, now time.Time) time.Time {
	switch {
	case b.State == StateHeld:
		return earliest(now.Add(holdTime), b.Start)
	case b.State == StateRequested:
		return b.Start
	case b.State == StateBooked && v.NoShow > 0 && b.CheckedInAt.IsZero():
		return earliest(latest(b.Start, now).Add(v.NoShow), b.End)
	}
	return time.Time{}
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Retention is how long a booking is kept after its end; then it is erased.
// What an attendant was needed for, such as clinic hours, says the most about
// a person and is kept the shortest.
func Retention(kind v1alpha1.VenueKind) time.Duration {
	if kind == v1alpha1.VenueAttended {
		return 90 * 24 * time.Hour
	}
	return 365 * 24 * time.Hour
}
