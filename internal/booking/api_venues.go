package booking

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/api/v1alpha1"
)

// venueOperations are about what can be booked, and when.
func (s *service) venueOperations(api *host.API) {
	huma.Register(api, api.Public(huma.Operation{
		OperationID: "list-venues", Method: http.MethodGet, Path: "/venues",
		Tags:    []string{tagVenues},
		Summary: "What can be booked",
	}), s.listVenues)
	huma.Register(api, api.Public(huma.Operation{
		OperationID: "get-availability", Method: http.MethodGet, Path: "/venues/{venue}/availability",
		Tags:    []string{tagVenues},
		Summary: "A venue's day at a glance",
	}, host.ByID()...), s.getAvailability)
	huma.Register(api, api.Public(huma.Operation{
		OperationID: "get-days", Method: http.MethodGet, Path: "/venues/{venue}/days",
		Tags:    []string{tagVenues},
		Summary: "Some of a venue's days in a row at a glance",
	}, host.ByID()...), s.getDays)
}

type apiVenue struct {
	Name                 string `json:"name"`
	DisplayName          string `json:"displayName"`
	Description          string `json:"description,omitempty"`
	Kind                 string `json:"kind" enum:"Room,Seats,Attended"`
	Capacity             int    `json:"capacity" doc:"How many bookings can be held at the same time."`
	SlotMinutes          int    `json:"slotMinutes"`
	MaxSlotsPerBooking   int    `json:"maxSlotsPerBooking"`
	MaxPerResidentPerDay int    `json:"maxPerResidentPerDay"`

	MaxPerResidentPerWeek int            `json:"maxPerResidentPerWeek,omitempty" doc:"Monday to Sunday; absent if only the limit of a day holds."`
	Approval              string         `json:"approval" enum:"Automatic,Staff" doc:"Staff: bookings wait for the staff's approval, and hold their place meanwhile."`
	Access                string         `json:"access" enum:"Everyone,Members" doc:"Members: only those on the staff's list may book."`
	MinAge                int            `json:"minAge,omitempty" doc:"In years, on the day of the booking."`
	MaxAge                int            `json:"maxAge,omitempty" doc:"In years, on the day of the booking; absent if there is no such limit."`
	NoShowMinutes         int            `json:"noShowMinutes,omitempty" doc:"How long after its start a booking is released if nobody has checked in; absent if nobody needs to."`
	MinNoticeMinutes      int            `json:"minNoticeMinutes,omitempty" doc:"How long before its start a booking is made at the latest."`
	CancelNoticeMinutes   int            `json:"cancelNoticeMinutes,omitempty" doc:"How long before its start a booking is changed or cancelled at the latest."`
	BufferMinutes         int            `json:"bufferMinutes,omitempty" doc:"How long a place stays empty after each booking."`
	LastDay               string         `json:"lastDay" format:"date" doc:"The last day that can be booked now."`
	Hours                 []apiHours     `json:"hours"`
	Attendants            []apiAttendant `json:"attendants,omitempty" doc:"Who serves, each at a place; absent if nobody is named."`
	Closures              []apiClosure   `json:"closures,omitempty" doc:"When it is closed beside its hours, now or later, and why."`
}

type apiAttendant struct {
	Name        string     `json:"name"`
	DisplayName string     `json:"displayName"`
	Place       int        `json:"place" doc:"The number of the attendant's place, which stays the attendant's."`
	Hours       []apiHours `json:"hours,omitempty" doc:"When the attendant is there; absent if whenever the venue is open."`
}

type apiHours struct {
	Day  string `json:"day" enum:"Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday"`
	From string `json:"from" example:"08:00"`
	To   string `json:"to" example:"24:00" doc:"The time of closing; 24:00 is the end of the day."`
}

func apiVenueOf(v Venue, now time.Time, loc *time.Location) apiVenue {
	a := apiVenue{
		Name: v.Name, DisplayName: v.DisplayName, Description: v.Description, Kind: string(v.Kind),
		Capacity: v.Capacity(), SlotMinutes: v.SlotMinutes, MaxSlotsPerBooking: v.MaxSlots,
		MaxPerResidentPerDay: v.DailyLimit, MaxPerResidentPerWeek: v.WeeklyLimit,
		Approval: string(v1alpha1.ApprovalAutomatic), Access: string(v1alpha1.AccessEveryone), MinAge: v.MinAge, MaxAge: v.MaxAge,
		NoShowMinutes: int(v.NoShow / time.Minute), MinNoticeMinutes: int(v.MinNotice / time.Minute),
		CancelNoticeMinutes: int(v.CancelNotice / time.Minute), BufferMinutes: int(v.Buffer / time.Minute),
		LastDay: v.LastDay(now, loc).String(), Hours: apiHoursOf(v.Hours),
	}
	if v.NeedsApproval {
		a.Approval = string(v1alpha1.ApprovalStaff)
	}
	if v.MembersOnly {
		a.Access = string(v1alpha1.AccessMembers)
	}
	for _, at := range v.Attendants {
		attendant := apiAttendant{Name: at.Name, DisplayName: at.DisplayName, Place: at.Place}
		if at.Hours != nil {
			attendant.Hours = apiHoursOf(*at.Hours)
		}
		a.Attendants = append(a.Attendants, attendant)
	}
	for _, c := range v.Closures {
		a.Closures = append(a.Closures, apiClosureOf(c, v.Attendants, loc))
	}
	return a
}

// apiHoursOf lists hours from Monday on.
func apiHoursOf(w WeekHours) []apiHours {
	hours := []apiHours{}
	for i := range 7 {
		weekday := time.Weekday((i + 1) % 7)
		for _, h := range w[weekday] {
			hours = append(hours, apiHours{Day: weekday.String(), From: timeOfDay(h.From), To: timeOfDay(h.To)})
		}
	}
	return hours
}

// timeOfDay writes minutes after midnight as HH:MM.
func timeOfDay(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60, minutes%60) }

type listVenuesOutput struct {
	Body struct {
		TimeZone string     `json:"timeZone" example:"Asia/Shanghai" doc:"The community's time zone, in which days and hours are meant."`
		Venues   []apiVenue `json:"venues"`
	}
}

func (s *service) listVenues(ctx context.Context, _ *struct{}) (*listVenuesOutput, error) {
	venues, err := s.store.Venues(ctx, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listVenuesOutput{}
	loc := s.location()
	out.Body.TimeZone = loc.String()
	out.Body.Venues = make([]apiVenue, 0, len(venues))
	for _, v := range venues {
		out.Body.Venues = append(out.Body.Venues, apiVenueOf(v, s.clock.Now(), loc))
	}
	return out, nil
}

// AvailabilityInput is what of a venue is wanted at a glance.
type AvailabilityInput struct {
	Venue     string `path:"venue" maxLength:"63" example:"study-room" doc:"The venue's name, as in the list of venues."`
	Date      string `query:"date" maxLength:"10" example:"2026-11-23" doc:"The day, or the first of the days, in the community's time zone; today if left out."`
	Attendant string `query:"attendant" maxLength:"63" doc:"The name of an attendant: slots are told as they are with this one alone."`
}

type apiSlot struct {
	Start      time.Time `json:"start"`
	End        time.Time `json:"end"`
	State      string    `json:"state" enum:"free,full,past,closed"`
	Free       int       `json:"free" doc:"How many places nobody holds."`
	Capacity   int       `json:"capacity"`
	Attendants []string  `json:"attendants,omitempty" doc:"The names of the attendants who are there and free."`
}

type availabilityOutput struct {
	Body struct {
		Venue    string    `json:"venue"`
		Date     string    `json:"date" format:"date"`
		TimeZone string    `json:"timeZone"`
		Capacity int       `json:"capacity"`
		Rule     string    `json:"rule,omitempty" doc:"The rule by which nothing can be booked on this day, such as closed-day or outside-window."`
		Slots    []apiSlot `json:"slots"`
	}
}

func (s *service) getAvailability(ctx context.Context, in *AvailabilityInput) (*availabilityOutput, error) {
	days, err := s.glance(ctx, in, 1)
	if err != nil {
		return nil, err
	}
	day := apiDayOf(days[0], s.location())
	out := &availabilityOutput{}
	out.Body.Venue, out.Body.TimeZone, out.Body.Capacity = days[0].Venue.Name, s.location().String(), days[0].Venue.Capacity()
	out.Body.Date, out.Body.Rule, out.Body.Slots = day.Date, day.Rule, day.Slots
	return out, nil
}

type daysInput struct {
	AvailabilityInput
	Days int `query:"days" minimum:"1" maximum:"14" default:"7" doc:"How many days."`
}

type apiDay struct {
	Date  string    `json:"date" format:"date"`
	Rule  string    `json:"rule,omitempty" doc:"The rule by which nothing can be booked on this day."`
	Slots []apiSlot `json:"slots"`
}

type daysOutput struct {
	Body struct {
		Venue    string   `json:"venue"`
		TimeZone string   `json:"timeZone"`
		Capacity int      `json:"capacity"`
		Days     []apiDay `json:"days"`
	}
}

func (s *service) getDays(ctx context.Context, in *daysInput) (*daysOutput, error) {
	days, err := s.glance(ctx, &in.AvailabilityInput, in.Days)
	if err != nil {
		return nil, err
	}
	out := &daysOutput{}
	out.Body.Venue, out.Body.TimeZone, out.Body.Capacity = days[0].Venue.Name, s.location().String(), days[0].Venue.Capacity()
	for _, day := range days {
		out.Body.Days = append(out.Body.Days, apiDayOf(day, s.location()))
	}
	return out, nil
}

// glance are some days of a venue at a glance; its errors are problems.
func (s *service) glance(ctx context.Context, in *AvailabilityInput, days int) ([]Day, error) {
	first, err := s.parseDay("query.date", in.Date)
	if err != nil {
		return nil, err
	}
	v, err := s.store.Venue(ctx, in.Venue, s.clock.Now())
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	if in.Attendant != "" {
		var ok bool
		if v, ok = v.Only(in.Attendant); !ok {
			return nil, s.problem(ctx, noAttendant(in.Attendant))
		}
	}
	glance, err := s.inARow(ctx, v, first, days)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return glance, nil
}

func apiDayOf(day Day, loc *time.Location) apiDay {
	out := apiDay{Date: day.Date.String(), Slots: make([]apiSlot, 0, len(day.Offers))}
	if day.Refusal != nil {
		out.Rule = string(day.Refusal.Rule)
	}
	for _, o := range day.Offers {
		slot := apiSlot{Start: o.Start.In(loc), End: o.End.In(loc), State: string(o.State), Free: o.Free, Capacity: day.Venue.Capacity()}
		if len(day.Venue.Attendants) > 0 && o.State == SlotFree {
			for _, place := range day.FreePlaces(o.Slot) {
				if a, ok := day.Venue.AttendantAt(place); ok {
					slot.Attendants = append(slot.Attendants, a.Name)
				}
			}
		}
		out.Slots = append(out.Slots, slot)
	}
	return out
}
