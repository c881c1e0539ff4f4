package booking

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Venue is something that residents book by the slot, checked and ready for
// the rules. Times of day are meant in the community's zone.
type Venue struct {
	Name        string
	DisplayName string
	Description string
	Kind        v1alpha1.VenueKind
	// Places is how many bookings can be held at the same time; places are
	// numbered from 1.
	Places int
	// Hours are the hours of opening.
	Hours WeekHours
	// SlotMinutes is the length of a slot.
	SlotMinutes int
	// MaxSlots is how many slots in a row one booking may span.
	MaxSlots int
	// WindowDays is how many days ahead may be booked; 0 is today only.
	WindowDays int
	// DailyLimit is how many live bookings a person may hold on one day.
	DailyLimit int
	// WeeklyLimit is how many live bookings a person may hold in one week; 0
	// is any number. Bookings from before there was a limit do not count.
	WeeklyLimit int
	// NeedsApproval says that the staff decide about each booking.
	NeedsApproval bool
	// NoShow is how long after its start a booking is released if nobody has
	// checked in; 0 is never.
	NoShow time.Duration
	// MinNotice is how long before the start a booking is made at the latest,
	// CancelNotice how long before it is changed or cancelled at the latest.
	MinNotice, CancelNotice time.Duration
	// Buffer is how long a place stays empty after each booking.
	Buffer time.Duration
	// Attendants are who serves, each at a place of the same number; empty if
	// nobody is named.
	Attendants []Attendant
	// MinAge and MaxAge are in years; a MaxAge of 0 is none.
	MinAge, MaxAge int
	// MembersOnly says that only members may book.
	MembersOnly bool
	// ClosedDates are days without opening.
	ClosedDates map[Date]bool
	// Closures are spans, now or later, that the staff have closed.
	Closures []Closure

	// retired says that there is nothing to book any more.
	retired bool
}

// Attendant serves residents at a venue, one at a time.
type Attendant struct {
	Name, DisplayName string
	// Place is the number of the attendant's place. It stays the attendant's
	// when others come and go.
	Place int
	// Hours are when the attendant is there, as a venue's; nil is always.
	Hours *WeekHours
}

// WeekHours are hours by weekday, in order and apart from each other.
type WeekHours [7][]Hours

// Closure is a span during which a venue is closed, or one place of it.
type Closure struct {
	ID    uuid.UUID
	Venue string
	// Place is the place that is closed; 0 is all.
	Place int
	Slot
	// Reason is what residents read.
	Reason string
	// By is who closed it.
	By string
}

// hasPlace reports whether a place of that number is at the venue.
func (v Venue) hasPlace(place int) bool {
	if len(v.Attendants) == 0 {
		return place >= 1 && place <= v.Places
	}
	return slices.ContainsFunc(v.Attendants, func(a Attendant) bool { return a.Place == place })
}

// Capacity is how many bookings can be held at the same time.
func (v Venue) Capacity() int {
	if len(v.Attendants) > 0 {
		return len(v.Attendants)
	}
	return v.Places
}

// PlacesAt are the places that are there for a span, in order: not closed, and
// attended all the time where there are attendants.
func (v Venue) PlacesAt(s Slot, loc *time.Location) []int {
	places := make([]int, 0, v.Capacity())
	if len(v.Attendants) == 0 {
		for place := 1; place <= v.Places; place++ {
			places = append(places, place)
		}
	}
	for _, a := range v.Attendants {
		if a.Hours == nil || a.Hours.cover(s, loc) {
			places = append(places, a.Place)
		}
	}
	slices.Sort(places)
	return slices.DeleteFunc(places, func(place int) bool {
		return slices.ContainsFunc(v.Closures, func(c Closure) bool { return (c.Place == 0 || c.Place == place) && c.Overlaps(s) })
	})
}

// cover reports whether a span on one day lies within the hours without a gap.
func (w *WeekHours) cover(s Slot, loc *time.Location) bool {
	day := DateOf(s.Start, loc)
	var open []Slot
	for _, h := range w[day.Weekday()] {
		from, ok := day.At(h.From, loc)
		to, also := day.At(h.To, loc)
		if ok && also {
			open = append(open, Slot{Start: from, End: to})
		}
	}
	return covered(s, open)
}

// Busy is the span during which a booking keeps its place from others: the
// booking itself and the buffer after it.
func (v Venue) Busy(s Slot) Slot { return Slot{Start: s.Start, End: s.End.Add(v.Buffer)} }

// AttendantAt is who serves at a place; false if nobody is named.
func (v Venue) AttendantAt(place int) (Attendant, bool) {
	for _, a := range v.Attendants {
		if a.Place == place {
			return a, true
		}
	}
	return Attendant{}, false
}

// Only is the venue with one of its attendants alone; false if it has none of
// that name.
func (v Venue) Only(attendant string) (Venue, bool) {
	for _, a := range v.Attendants {
		if a.Name == attendant {
			return v.only(a.Place), true
		}
	}
	return Venue{}, false
}

// Hours are opening hours in minutes after midnight; To is not within them.
type Hours struct{ From, To int }

// ParseVenue checks a venue of a manifest. Its errors name every wrong field
// by its path beneath the venue.
func ParseVenue(in v1alpha1.Venue) (Venue, error) {
	v := Venue{
		Name:        in.Name,
		DisplayName: in.DisplayName,
		Description: in.Description,
		Kind:        in.Kind,
		Places:      1,
		SlotMinutes: int(in.SlotMinutes),
		MaxSlots:    max(1, int(in.MaxSlotsPerBooking)),
		WindowDays:  int(in.BookingWindowDays),
		DailyLimit:  int(in.MaxPerResidentPerDay),
		WeeklyLimit: int(in.MaxPerResidentPerWeek),

		NeedsApproval: in.Approval == v1alpha1.ApprovalStaff,
		NoShow:        minutes(in.NoShowMinutes),
		MinNotice:     minutes(in.MinNoticeMinutes),
		CancelNotice:  minutes(in.CancelNoticeMinutes),
		Buffer:        minutes(in.BufferMinutes),
		MinAge:        int(in.MinAge),
		MaxAge:        int(in.MaxAge),
		MembersOnly:   in.Access == v1alpha1.AccessMembers,

		ClosedDates: make(map[Date]bool, len(in.ClosedDates)),
	}
	if v.DailyLimit == 0 {
		v.DailyLimit = defaultDailyLimit
	}
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", field, fmt.Sprintf(format, args...)))
	}
	if v.Name == "" {
		wrong("name", "is missing")
	}
	switch v.Kind {
	case v1alpha1.VenueSeats:
		if v.Places = int(in.Seats); v.Places < 1 || v.Places > maxSeats {
			wrong("seats", "is %d; a venue of kind Seats needs 1 to %d", in.Seats, maxSeats)
		}
	case v1alpha1.VenueRoom, v1alpha1.VenueAttended:
	default:
		wrong("kind", "%q is unknown; use Room, Seats or Attended", in.Kind)
	}
	if v.SlotMinutes < cellMinutes || v.SlotMinutes%cellMinutes != 0 {
		wrong("slotMinutes", "is %d; use a multiple of %d", v.SlotMinutes, cellMinutes)
	}
	if v.WindowDays < 0 || v.WindowDays > maxWindowDays {
		wrong("bookingWindowDays", "is %d; use 0 to %d", v.WindowDays, maxWindowDays)
	}
	if v.DailyLimit < 0 {
		wrong("maxPerResidentPerDay", "is %d; use 1 or more", v.DailyLimit)
	}
	for _, n := range []struct {
		field string
		value int32
	}{
		{"maxPerResidentPerWeek", in.MaxPerResidentPerWeek}, {"noShowMinutes", in.NoShowMinutes},
		{"minNoticeMinutes", in.MinNoticeMinutes}, {"cancelNoticeMinutes", in.CancelNoticeMinutes},
		{"bufferMinutes", in.BufferMinutes}, {"minAge", in.MinAge}, {"maxAge", in.MaxAge},
	} {
		if n.value < 0 {
			wrong(n.field, "is %d; use 0 or more", n.value)
		}
	}
	if in.BufferMinutes%cellMinutes != 0 || v.Buffer > maxBuffer {
		wrong("bufferMinutes", "is %d; use a multiple of %d up to %d", in.BufferMinutes, cellMinutes, maxBuffer/time.Minute)
	}
	if in.MaxAge > 0 && in.MaxAge < in.MinAge {
		wrong("maxAge", "is %d, which is below minAge", in.MaxAge)
	}
	if len(in.Attendants) > 0 && v.Kind != v1alpha1.VenueAttended {
		wrong("attendants", "only a venue of kind Attended has them")
	}
	for i, date := range in.ClosedDates {
		d, err := ParseDate(date)
		if err != nil {
			wrong(fmt.Sprintf("closedDates[%d]", i), "%v", err)
			continue
		}
		v.ClosedDates[d] = true
	}
	for i, h := range in.Hours {
		if err := v.Hours.add(h, v.SlotMinutes); err != nil {
			wrong(fmt.Sprintf("hours[%d]", i), "%v", err)
		}
	}
	for i, in := range in.Attendants {
		a := Attendant{Name: in.Name, DisplayName: in.DisplayName, Place: i + 1}
		if a.Name == "" || slices.ContainsFunc(v.Attendants, func(o Attendant) bool { return o.Name == a.Name }) {
			wrong(fmt.Sprintf("attendants[%d].name", i), "%q is empty or used twice", a.Name)
		}
		if len(in.Hours) > 0 {
			a.Hours = &WeekHours{}
		}
		for j, h := range in.Hours {
			if err := a.Hours.add(h, cellMinutes); err != nil {
				wrong(fmt.Sprintf("attendants[%d].hours[%d]", i, j), "%v", err)
			}
		}
		v.Attendants = append(v.Attendants, a)
		v.Places = i + 1
	}
	if err := errors.Join(errs...); err != nil {
		return Venue{}, fmt.Errorf("venue %q: %w", in.Name, err)
	}
	return v, nil
}

// The most that a venue may have, as in the schema. A day is put together by
// the place, and the first open day is looked for by the day.
const (
	maxSeats      = 500
	maxWindowDays = 366
	maxBuffer     = 4 * time.Hour
)

// defaultDailyLimit is the schema's default of maxPerResidentPerDay, for
// manifests that did not pass through the API server.
const defaultDailyLimit = 2

// minutes is a number of minutes as a duration.
func minutes(n int32) time.Duration { return time.Duration(n) * time.Minute }

// add adds hours that are a whole number of steps long.
func (w *WeekHours) add(in v1alpha1.OpeningHours, stepMinutes int) error {
	from, err := ParseTimeOfDay(in.From)
	if err != nil {
		return fmt.Errorf("from: %w", err)
	}
	to, err := ParseTimeOfDay(in.To)
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if from >= to {
		return fmt.Errorf("to: %s is not after %s", in.To, in.From)
	}
	if stepMinutes > 0 && (to-from)%stepMinutes != 0 {
		return fmt.Errorf("%s-%s is not a whole number of slots of %d minutes", in.From, in.To, stepMinutes)
	}
	for _, day := range in.Days {
		weekday, err := parseWeekday(day)
		if err != nil {
			return fmt.Errorf("days: %w", err)
		}
		for _, other := range w[weekday] {
			if from < other.To && other.From < to {
				return fmt.Errorf("%s-%s overlaps other hours on %s", in.From, in.To, day)
			}
		}
		w[weekday] = append(w[weekday], Hours{From: from, To: to})
		slices.SortFunc(w[weekday], func(a, b Hours) int { return a.From - b.From })
	}
	return nil
}

// ParseTimeOfDay reads a time written HH:MM as minutes after midnight; 24:00
// is the end of the day. Minutes are multiples of five.
func ParseTimeOfDay(s string) (int, error) {
	if s == "24:00" {
		return minutesPerDay, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") || t.Minute()%cellMinutes != 0 {
		return 0, fmt.Errorf("%q is not a time of day; write it as HH:MM, in steps of %d minutes", s, cellMinutes)
	}
	return t.Hour()*60 + t.Minute(), nil
}

const minutesPerDay = 24 * 60

func parseWeekday(in v1alpha1.Weekday) (time.Weekday, error) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(d.String(), string(in)) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not a day of the week", in)
}

// Slot is a span of time, End not within it.
type Slot struct{ Start, End time.Time }

// Slots are the slots that a venue's hours make on a day, in order, whether
// the venue is closed on that date or not. They follow the clock on the wall:
// a slot that begins at a time which clocks skip that day, or during which
// they are changed, is left out, and an hour that comes twice is offered once.
func (v Venue) Slots(d Date, loc *time.Location) []Slot {
	var slots []Slot
	length := time.Duration(v.SlotMinutes) * time.Minute
	for _, hours := range v.Hours[d.Weekday()] {
		for m := hours.From; m+v.SlotMinutes <= hours.To; m += v.SlotMinutes {
			start, ok := d.At(m, loc)
			if !ok {
				continue
			}
			end := start.Add(length)
			_, before := start.Zone()
			if _, after := end.Add(-time.Second).Zone(); before != after {
				continue
			}
			slots = append(slots, Slot{Start: start, End: end})
		}
	}
	return slots
}

// LastDay is the last day that may be booked now.
func (v Venue) LastDay(now time.Time, loc *time.Location) Date {
	return DateOf(now, loc).AddDays(v.WindowDays)
}

// FirstOpen is the first day from one on that can be booked and has a slot
// which has not begun; false if there is none.
func (v Venue) FirstOpen(from Date, now time.Time, loc *time.Location) (Date, bool) {
	last := v.LastDay(now, loc)
	for d := from; d.DaysSince(last) <= 0; d = d.AddDays(1) {
		if v.checkDay(d, false, now, loc) != nil {
			continue
		}
		if slots := v.Slots(d, loc); len(slots) > 0 && slots[len(slots)-1].Start.After(now) {
			return d, true
		}
	}
	return Date{}, false
}
