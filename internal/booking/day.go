package booking

import (
	"slices"
	"time"
)

// Taken is a place that a live booking keeps from others, buffer included.
type Taken struct {
	Place int
	Slot
}

// SlotState says whether a slot can be booked.
type SlotState string

// The states of a slot.
const (
	SlotFree   SlotState = "free"
	SlotFull   SlotState = "full"
	SlotPast   SlotState = "past"
	SlotClosed SlotState = "closed"
)

// Offer is a slot of a day with what is left of it.
type Offer struct {
	Slot
	// Free is the number of places that nobody holds.
	Free  int
	State SlotState
}

// Day is a venue's day at a glance.
type Day struct {
	Venue Venue
	Date  Date
	// Refusal is why nothing can be booked on this day; nil on days that are open.
	Refusal *Refusal
	Offers  []Offer

	taken []Taken
	loc   *time.Location
}

// DayOf puts together a venue's day from what is taken on it, as residents may
// book it.
func DayOf(v Venue, date Date, now time.Time, loc *time.Location, taken []Taken) Day {
	return dayFor(v, date, Asker{}, now, loc, taken)
}

// dayFor is a venue's day as somebody may book it: the staff, and who is
// present, also have what runs already.
func dayFor(v Venue, date Date, a Asker, now time.Time, loc *time.Location, taken []Taken) Day {
	day := Day{Venue: v, Date: date, Refusal: v.checkDay(date, a.Staff, now, loc), taken: taken, loc: loc}
	for _, slot := range v.Slots(date, loc) {
		places := v.PlacesAt(slot, loc)
		there := len(places) > 0
		offer := Offer{Slot: slot, Free: len(day.freeOf(places, slot)), State: SlotFree}
		switch {
		case v.checkMoment(slot, a, now) != nil:
			offer.State = SlotPast
		case day.Refusal != nil, !there:
			offer.State = SlotClosed
		case offer.Free == 0:
			offer.State = SlotFull
		}
		day.Offers = append(day.Offers, offer)
	}
	return day
}

// FreePlaces are the places that are there and that nobody holds at any time
// of a span and of the buffer after it.
func (d Day) FreePlaces(s Slot) []int { return d.freeOf(d.Venue.PlacesAt(s, d.loc), s) }

// freeOf are those of some places, which it writes over, that nobody holds.
func (d Day) freeOf(places []int, s Slot) []int {
	busy := d.Venue.Busy(s)
	held := make([]bool, d.Venue.Places+1)
	for _, t := range d.taken {
		if t.Place <= d.Venue.Places && t.Overlaps(busy) {
			held[t.Place] = true
		}
	}
	return slices.DeleteFunc(places, func(place int) bool { return held[place] })
}

// Choice is a span that a booking may have from a start on.
type Choice struct {
	Slot
	// Slots is how many slots it spans.
	Slots int
	// Free are the places that are free throughout.
	Free []int
}

// Choices are the spans that can be booked from a start on, shortest first;
// none if the slot that begins there cannot be booked.
func (d Day) Choices(start time.Time) []Choice {
	i := slices.IndexFunc(d.Offers, func(o Offer) bool { return o.Start.Equal(start) })
	if i < 0 || d.Offers[i].State != SlotFree {
		return nil
	}
	var choices []Choice
	span := d.Offers[i].Slot
	for n, offer := range d.Offers[i:min(len(d.Offers), i+d.Venue.MaxSlots)] {
		if n > 0 && !offer.Start.Equal(span.End) {
			break
		}
		span.End = offer.End
		free := d.FreePlaces(span)
		if len(free) == 0 {
			break
		}
		choices = append(choices, Choice{Slot: span, Slots: n + 1, Free: free})
	}
	return choices
}

// FreeSlots are the slots of the day that can be booked.
func (d Day) FreeSlots() []Offer {
	return slices.DeleteFunc(slices.Clone(d.Offers), func(o Offer) bool { return o.State != SlotFree })
}

// Nearest are up to n slots that can be booked, the closest to a moment
// first chosen, in order of time.
func (d Day) Nearest(at time.Time, n int) []Offer {
	free := d.FreeSlots()
	slices.SortStableFunc(free, func(a, b Offer) int {
		return int(a.Start.Sub(at).Abs() - b.Start.Sub(at).Abs())
	})
	free = free[:min(n, len(free))]
	slices.SortFunc(free, func(a, b Offer) int { return a.Start.Compare(b.Start) })
	return free
}
