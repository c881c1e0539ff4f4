package booking

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
	// Hours are the hours of opening by weekday, in order and apart from each other.
	Hours [7][]Hours
	// SlotMinutes is the length of a slot.
	SlotMinutes int
	// MaxSlots is how many slots in a row one booking may span.
	MaxSlots int
	// WindowDays is how many days ahead may be booked; 0 is today only.
	WindowDays int
	// DailyLimit is how many live bookings a person may hold on one day.
	DailyLimit int
	// ClosedDates are days without opening.
	ClosedDates map[Date]bool
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
		if v.Places = int(in.Seats); v.Places < 1 {
			wrong("seats", "is %d; a venue of kind Seats needs at least one", in.Seats)
		}
	case v1alpha1.VenueRoom, v1alpha1.VenueAttended:
	default:
		wrong("kind", "%q is unknown; use Room, Seats or Attended", in.Kind)
	}
	if v.SlotMinutes < cellMinutes || v.SlotMinutes%cellMinutes != 0 {
		wrong("slotMinutes", "is %d; use a multiple of %d", v.SlotMinutes, cellMinutes)
	}
	if v.WindowDays < 0 {
		wrong("bookingWindowDays", "is %d; use 0 or more", v.WindowDays)
	}
	if v.DailyLimit < 0 {
		wrong("maxPerResidentPerDay", "is %d; use 1 or more", v.DailyLimit)
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
		if err := v.addHours(h); err != nil {
			wrong(fmt.Sprintf("hours[%d]", i), "%v", err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return Venue{}, fmt.Errorf("venue %q: %w", in.Name, err)
	}
	return v, nil
}

// defaultDailyLimit is the schema's default of maxPerResidentPerDay, for
// manifests that did not pass through the API server.
const defaultDailyLimit = 2

func (v *Venue) addHours(in v1alpha1.OpeningHours) error {
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
	if v.SlotMinutes > 0 && (to-from)%v.SlotMinutes != 0 {
		return fmt.Errorf("%s-%s is not a whole number of slots of %d minutes", in.From, in.To, v.SlotMinutes)
	}
	for _, day := range in.Days {
		weekday, err := parseWeekday(day)
		if err != nil {
			return fmt.Errorf("days: %w", err)
		}
		for _, other := range v.Hours[weekday] {
			if from < other.To && other.From < to {
				return fmt.Errorf("%s-%s overlaps other hours on %s", in.From, in.To, day)
			}
		}
		v.Hours[weekday] = append(v.Hours[weekday], Hours{From: from, To: to})
		slices.SortFunc(v.Hours[weekday], func(a, b Hours) int { return a.From - b.From })
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

// Slot is a span of time, To not within it.
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
		if v.checkDay(d, now, loc) != nil {
			continue
		}
		if slots := v.Slots(d, loc); len(slots) > 0 && slots[len(slots)-1].Start.After(now) {
			return d, true
		}
	}
	return Date{}, false
}
