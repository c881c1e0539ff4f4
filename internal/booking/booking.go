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

// Booking is a place at a venue, held by a person for a span of time.
type Booking struct {
	ID     uuid.UUID
	Venue  string
	Place  int
	Person string
	Slot
	// Day is the day of Start in the community's zone.
	Day  Date
	Note string
	// CreatedAt is when the booking was made.
	CreatedAt time.Time
	// CancelledAt is when it was cancelled; zero while it is live.
	CancelledAt time.Time
}

// Live reports whether the booking still holds its place.
func (b Booking) Live() bool { return b.CancelledAt.IsZero() }

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

// Rule is the stable name of a rule by which a request is refused. Clients
// and messages depend on these names.
type Rule string

// The rules, in the order in which they are checked.
const (
	RuleUnknownVenue        Rule = "unknown-venue"
	RuleUnknownPlace        Rule = "unknown-place"
	RuleInThePast           Rule = "in-the-past"
	RuleOutsideWindow       Rule = "outside-window"
	RuleClosedDay           Rule = "closed-day"
	RuleOutsideOpeningHours Rule = "outside-opening-hours"
	RuleNotOnSlot           Rule = "not-on-slot"
	RuleTooLong             Rule = "too-long"
	RuleDailyLimit          Rule = "daily-limit"
	// RuleAlreadyBegun refuses to cancel what has begun.
	RuleAlreadyBegun Rule = "already-begun"
)

// Refusal says which rule a request breaks.
type Refusal struct {
	Rule Rule
	// Count is the number that the rule sets: places, days ahead, slots or
	// bookings a day; 0 when it sets none.
	Count int
	// Text says the same in English, for programs and logs.
	Text string
}

func (r *Refusal) Error() string { return r.Text }

func refuse(rule Rule, count int, format string, args ...any) *Refusal {
	return &Refusal{Rule: rule, Count: count, Text: fmt.Sprintf(format, args...)}
}

// Check says which rule a request breaks, or nil. It knows nothing of other
// bookings: places and the daily limit are given out by the store, where
// constraints decide.
func Check(v Venue, r Request, now time.Time, loc *time.Location) *Refusal {
	if r.Place < 0 || r.Place > v.Places {
		return refuse(RuleUnknownPlace, v.Places, "place %d is not at this venue; places are 1 to %d", r.Place, v.Places)
	}
	if !r.Start.After(now) {
		return refuse(RuleInThePast, 0, "the slot has begun already")
	}
	day := DateOf(r.Start, loc)
	if refusal := v.checkDay(day, now, loc); refusal != nil {
		return refusal
	}
	return v.checkSpan(r.Slot, v.Slots(day, loc))
}

// checkDay says why nothing can be booked on a day, or nil.
func (v Venue) checkDay(day Date, now time.Time, loc *time.Location) *Refusal {
	if last := v.LastDay(now, loc); day.DaysSince(last) > 0 {
		return refuse(RuleOutsideWindow, v.WindowDays, "%s is too far ahead; the last day that can be booked now is %s", day, last)
	}
	if v.ClosedDates[day] || len(v.Hours[day.Weekday()]) == 0 {
		return refuse(RuleClosedDay, 0, "the venue is closed on %s", day)
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

// CheckCancel says why a booking cannot be cancelled any more, or nil.
func CheckCancel(b Booking, now time.Time) *Refusal {
	if !b.Start.After(now) {
		return refuse(RuleAlreadyBegun, 0, "the booking has begun already")
	}
	return nil
}

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

// lowestFree is the lowest number from 1 to n that is not taken; 0 if all are.
func lowestFree(n int, taken []int) int {
	held := make([]bool, n+1)
	for _, t := range taken {
		if t >= 1 && t <= n {
			held[t] = true
		}
	}
	for i := 1; i <= n; i++ {
		if !held[i] {
			return i
		}
	}
	return 0
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
