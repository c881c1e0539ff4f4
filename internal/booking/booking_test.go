package booking

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linli-io/linli/api/v1alpha1"
)

var everyDay = []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func moment(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func span(t testing.TB, start, end string) Slot {
	t.Helper()
	return Slot{Start: moment(t, start), End: moment(t, end)}
}

// studyRoom is open 08:00-12:00 and 13:00-18:00 on weekdays, on Saturdays in
// the morning, in slots of an hour, at most three at once, a week ahead.
func studyRoom() v1alpha1.Venue {
	return v1alpha1.Venue{
		Name: "study", DisplayName: "自习室", Kind: v1alpha1.VenueSeats, Seats: 3,
		Hours: []v1alpha1.OpeningHours{
			{Days: everyDay[:5], From: "08:00", To: "12:00"},
			{Days: everyDay[:5], From: "13:00", To: "18:00"},
			{Days: everyDay[5:6], From: "08:00", To: "12:00"},
		},
		SlotMinutes: 60, MaxSlotsPerBooking: 3, BookingWindowDays: 7, MaxPerResidentPerDay: 2,
		ClosedDates: []string{"2026-11-25"},
	}
}

func parsed(t testing.TB, in v1alpha1.Venue) Venue {
	t.Helper()
	v, err := ParseVenue(in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestCheck(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	now := moment(t, "2026-11-23T09:30:00+08:00") // a Monday
	for name, c := range map[string]struct {
		start, end string
		place      int
		want       Rule
	}{
		"the next slot":                {"2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00", 0, ""},
		"the same moment in UTC":       {"2026-11-23T02:00:00Z", "2026-11-23T03:00:00Z", 0, ""},
		"three slots in a row":         {"2026-11-23T13:00:00+08:00", "2026-11-23T16:00:00+08:00", 3, ""},
		"the last day of the window":   {"2026-11-30T08:00:00+08:00", "2026-11-30T09:00:00+08:00", 0, ""},
		"a place that is not there":    {"2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00", 4, RuleUnknownPlace},
		"a negative place":             {"2026-11-23T10:00:00+08:00", "2026-11-23T11:00:00+08:00", -1, RuleUnknownPlace},
		"a slot that has begun":        {"2026-11-23T09:00:00+08:00", "2026-11-23T10:00:00+08:00", 0, RuleInThePast},
		"yesterday":                    {"2026-11-22T10:00:00+08:00", "2026-11-22T11:00:00+08:00", 0, RuleInThePast},
		"the day after the window":     {"2026-12-01T08:00:00+08:00", "2026-12-01T09:00:00+08:00", 0, RuleOutsideWindow},
		"a closed date":                {"2026-11-25T10:00:00+08:00", "2026-11-25T11:00:00+08:00", 0, RuleClosedDay},
		"a weekday without hours":      {"2026-11-29T10:00:00+08:00", "2026-11-29T11:00:00+08:00", 0, RuleClosedDay},
		"before opening":               {"2026-11-24T07:00:00+08:00", "2026-11-24T08:00:00+08:00", 0, RuleOutsideOpeningHours},
		"over noon":                    {"2026-11-24T11:00:00+08:00", "2026-11-24T14:00:00+08:00", 0, RuleOutsideOpeningHours},
		"past closing":                 {"2026-11-24T17:00:00+08:00", "2026-11-24T19:00:00+08:00", 0, RuleOutsideOpeningHours},
		"over days":                    {"2026-11-23T17:00:00+08:00", "2026-11-24T09:00:00+08:00", 0, RuleOutsideOpeningHours},
		"half past":                    {"2026-11-24T08:30:00+08:00", "2026-11-24T09:30:00+08:00", 0, RuleNotOnSlot},
		"half a slot":                  {"2026-11-24T08:00:00+08:00", "2026-11-24T08:30:00+08:00", 0, RuleNotOnSlot},
		"a second late":                {"2026-11-24T08:00:01+08:00", "2026-11-24T09:00:00+08:00", 0, RuleNotOnSlot},
		"no time at all":               {"2026-11-24T08:00:00+08:00", "2026-11-24T08:00:00+08:00", 0, RuleNotOnSlot},
		"backwards":                    {"2026-11-24T10:00:00+08:00", "2026-11-24T09:00:00+08:00", 0, RuleNotOnSlot},
		"four slots":                   {"2026-11-24T13:00:00+08:00", "2026-11-24T17:00:00+08:00", 0, RuleTooLong},
		"another zone's day, not ours": {"2026-11-25T02:00:00-10:00", "2026-11-25T03:00:00-10:00", 0, RuleClosedDay},
	} {
		t.Run(name, func(t *testing.T) {
			got := Check(parsed(t, studyRoom()), Request{Slot: span(t, c.start, c.end), Place: c.place}, Asker{}, now, shanghai)
			switch {
			case got == nil && c.want != "":
				t.Fatalf("allowed, want refusal by %s", c.want)
			case got != nil && got.Rule != c.want:
				t.Fatalf("refused by %s (%s), want %q", got.Rule, got, c.want)
			}
		})
	}
}

func TestWindowFollowsTheCommunitysDay(t *testing.T) {
	in := studyRoom()
	in.BookingWindowDays = 0
	v := parsed(t, in)
	// Half past midnight on Tuesday in Shanghai, still Monday in UTC.
	now := moment(t, "2026-11-23T16:30:00Z")
	today := Request{Slot: span(t, "2026-11-24T08:00:00+08:00", "2026-11-24T09:00:00+08:00")}
	if refusal := Check(v, today, Asker{}, now, zone(t, "Asia/Shanghai")); refusal != nil {
		t.Errorf("today was refused: %s", refusal)
	}
	if refusal := Check(v, today, Asker{}, now.Add(-time.Hour), zone(t, "Asia/Shanghai")); refusal == nil || refusal.Rule != RuleOutsideWindow {
		t.Errorf("tomorrow: got %v, want %s", refusal, RuleOutsideWindow)
	}
}

func TestSlotsWhenClocksChange(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	night := func(from, to string, minutes int32) Venue {
		return parsed(t, v1alpha1.Venue{Name: "night", Kind: v1alpha1.VenueRoom, SlotMinutes: minutes,
			Hours: []v1alpha1.OpeningHours{{Days: everyDay, From: from, To: to}}})
	}
	for name, c := range map[string]struct {
		venue Venue
		date  Date
		loc   *time.Location
		want  string
	}{
		"an ordinary night":              {night("01:00", "04:00", 60), Date{Year: 2026, Month: 3, Day: 28}, berlin, "01:00 02:00 03:00"},
		"02:00 to 03:00 does not exist":  {night("01:00", "04:00", 60), Date{Year: 2026, Month: 3, Day: 29}, berlin, "01:00 03:00"},
		"a slot over the change is out":  {night("01:15", "03:30", 45), Date{Year: 2026, Month: 3, Day: 29}, berlin, "01:15"},
		"02:00 to 03:00 comes twice":     {night("01:00", "04:00", 60), Date{Year: 2026, Month: 10, Day: 25}, berlin, "01:00 02:00 03:00"},
		"half slots of the double hour":  {night("02:00", "03:30", 30), Date{Year: 2026, Month: 10, Day: 25}, berlin, "02:00 02:30 03:00"},
		"midnight does not exist":        {night("00:00", "02:00", 60), Date{Year: 2018, Month: 11, Day: 4}, zone(t, "America/Sao_Paulo"), "01:00"},
		"the day does not exist":         {night("08:00", "10:00", 60), Date{Year: 2011, Month: 12, Day: 30}, zone(t, "Pacific/Apia"), ""},
		"to the end of the day":          {night("22:00", "24:00", 60), Date{Year: 2026, Month: 3, Day: 29}, berlin, "22:00 23:00"},
		"half-hour changes of Lord Howe": {night("01:30", "03:00", 30), Date{Year: 2026, Month: 10, Day: 4}, zone(t, "Australia/Lord_Howe"), "01:30 02:30"},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, s := range c.venue.Slots(c.date, c.loc) {
				got = append(got, s.Start.Format("15:04"))
				if s.End.Sub(s.Start) != time.Duration(c.venue.SlotMinutes)*time.Minute {
					t.Errorf("slot at %s lasts %s", s.Start, s.End.Sub(s.Start))
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("slots begin at %v, want %s", got, c.want)
			}
		})
	}
}

func TestParseVenueNamesTheField(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*v1alpha1.Venue)
		want   string
	}{
		"no name":            {func(v *v1alpha1.Venue) { v.Name = "" }, "name: is missing"},
		"no seats":           {func(v *v1alpha1.Venue) { v.Seats = 0 }, "seats: is 0"},
		"unknown kind":       {func(v *v1alpha1.Venue) { v.Kind = "Pool" }, `kind: "Pool" is unknown`},
		"odd slots":          {func(v *v1alpha1.Venue) { v.SlotMinutes = 7 }, "slotMinutes: is 7"},
		"no slots":           {func(v *v1alpha1.Venue) { v.SlotMinutes = 0 }, "slotMinutes: is 0"},
		"no such date":       {func(v *v1alpha1.Venue) { v.ClosedDates = []string{"2026-02-30"} }, `closedDates[0]: "2026-02-30" is not a date`},
		"closes first":       {func(v *v1alpha1.Venue) { v.Hours[1].To = "12:00" }, "hours[1]: to: 12:00 is not after 13:00"},
		"not a time":         {func(v *v1alpha1.Venue) { v.Hours[1].From = "25:00" }, `hours[1]: from: "25:00" is not a time of day`},
		"a rest of a slot":   {func(v *v1alpha1.Venue) { v.SlotMinutes = 50 }, "hours[0]: 08:00-12:00 is not a whole number of slots"},
		"overlap":            {func(v *v1alpha1.Venue) { v.Hours[1].From = "11:00" }, "hours[1]: 11:00-18:00 overlaps other hours on Monday"},
		"not a weekday":      {func(v *v1alpha1.Venue) { v.Hours[0].Days = []v1alpha1.Weekday{"Someday"} }, `hours[0]: days: "Someday" is not a day`},
		"window in the past": {func(v *v1alpha1.Venue) { v.BookingWindowDays = -1 }, "bookingWindowDays: is -1"},
	} {
		t.Run(name, func(t *testing.T) {
			in := studyRoom()
			c.change(&in)
			_, err := ParseVenue(in)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

func TestDay(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	v := parsed(t, studyRoom())
	now := moment(t, "2026-11-23T09:30:00+08:00")
	taken := []Taken{
		{Place: 1, Slot: span(t, "2026-11-23T10:00:00+08:00", "2026-11-23T12:00:00+08:00")},
		{Place: 2, Slot: span(t, "2026-11-23T11:00:00+08:00", "2026-11-23T12:00:00+08:00")},
		{Place: 3, Slot: span(t, "2026-11-23T11:00:00+08:00", "2026-11-23T12:00:00+08:00")},
		{Place: 2, Slot: span(t, "2026-11-23T13:00:00+08:00", "2026-11-23T15:00:00+08:00")},
		{Place: 1, Slot: span(t, "2026-11-23T14:00:00+08:00", "2026-11-23T15:00:00+08:00")},
		{Place: 3, Slot: span(t, "2026-11-23T15:00:00+08:00", "2026-11-23T16:00:00+08:00")},
		// Left over from when there were more seats.
		{Place: 9, Slot: span(t, "2026-11-23T13:00:00+08:00", "2026-11-23T15:00:00+08:00")},
	}
	day := DayOf(v, Date{Year: 2026, Month: 11, Day: 23}, now, shanghai, taken)
	var got []string
	for _, o := range day.Offers {
		got = append(got, o.Start.Format("15")+string(o.State[:2])+string(rune('0'+o.Free)))
	}
	if want := "08pa3 09pa3 10fr2 11fu0 13fr2 14fr1 15fr2 16fr3 17fr3"; strings.Join(got, " ") != want {
		t.Errorf("offers %v, want %s", got, want)
	}
	// From 13:00 on, place 3 is free for two hours and no place for three.
	choices := day.Choices(moment(t, "2026-11-23T13:00:00+08:00"))
	if len(choices) != 2 || !slices.Equal(choices[0].Free, []int{1, 3}) || !slices.Equal(choices[1].Free, []int{3}) {
		t.Errorf("choices from 13:00: %+v", choices)
	}
	// Noon ends a span.
	if choices := day.Choices(moment(t, "2026-11-23T10:00:00+08:00")); len(choices) != 1 {
		t.Errorf("choices from 10:00: %+v", choices)
	}
	for _, start := range []string{"2026-11-23T08:00:00+08:00", "2026-11-23T11:00:00+08:00", "2026-11-23T10:30:00+08:00"} {
		if choices := day.Choices(moment(t, start)); choices != nil {
			t.Errorf("choices from %s: %+v", start, choices)
		}
	}
	var near []string
	for _, o := range day.Nearest(moment(t, "2026-11-23T11:00:00+08:00"), 3) {
		near = append(near, o.Start.Format("15"))
	}
	if want := "10 13 14"; strings.Join(near, " ") != want {
		t.Errorf("nearest to 11:00: %v, want %s", near, want)
	}

	closed := DayOf(v, Date{Year: 2026, Month: 11, Day: 25}, now, shanghai, nil)
	if closed.Refusal == nil || closed.Refusal.Rule != RuleClosedDay || len(closed.FreeSlots()) != 0 || closed.Offers[0].State != SlotClosed {
		t.Errorf("a closed date: %+v", closed)
	}
}

func TestFirstOpen(t *testing.T) {
	shanghai := zone(t, "Asia/Shanghai")
	v := parsed(t, studyRoom())
	for _, c := range []struct {
		now, from, want string
	}{
		{"2026-11-23T17:30:00+08:00", "2026-11-23", "2026-11-24"}, // the last slot has begun
		{"2026-11-23T16:59:00+08:00", "2026-11-23", "2026-11-23"},
		{"2026-11-23T09:00:00+08:00", "2026-11-25", "2026-11-26"}, // a closed date
		{"2026-11-23T09:00:00+08:00", "2026-11-29", "2026-11-30"}, // a Sunday
		{"2026-11-23T09:00:00+08:00", "2026-12-01", ""},           // beyond the window
	} {
		from, err := ParseDate(c.from)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := v.FirstOpen(from, moment(t, c.now), shanghai)
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("at %s from %s: %s, %v, want %q", c.now, c.from, got, ok, c.want)
		}
	}
}

// anyVenue draws venues that manifests may hold.
func anyVenue(t *rapid.T) Venue {
	minutes := rapid.SampledFrom([]int{5, 10, 15, 20, 30, 45, 60, 90, 120, 240}).Draw(t, "slotMinutes")
	in := v1alpha1.Venue{
		Name: "v", Kind: v1alpha1.VenueSeats, Seats: int32(rapid.IntRange(1, 5).Draw(t, "seats")),
		SlotMinutes:        int32(minutes),
		MaxSlotsPerBooking: int32(rapid.IntRange(1, 4).Draw(t, "maxSlots")),
		BookingWindowDays:  int32(rapid.IntRange(0, 20).Draw(t, "window")),
	}
	at := rapid.IntRange(0, 60).Draw(t, "from") * 5
	for at < minutesPerDay {
		to := at + minutes*rapid.IntRange(1, 8).Draw(t, "slots")
		if to > minutesPerDay {
			break
		}
		in.Hours = append(in.Hours, v1alpha1.OpeningHours{
			Days: rapid.SliceOfNDistinct(rapid.SampledFrom(everyDay), 1, 7, rapid.ID).Draw(t, "days"),
			From: hhmm(at), To: hhmm(to),
		})
		at = to + 5*rapid.IntRange(0, 30).Draw(t, "gap")
	}
	v, err := ParseVenue(in)
	if err != nil {
		t.Fatalf("a good venue was refused: %v", err)
	}
	return v
}

func hhmm(minutes int) string {
	if minutes == minutesPerDay {
		return "24:00"
	}
	return time.Date(0, 1, 1, 0, minutes, 0, 0, time.UTC).Format("15:04")
}

var zones = []string{"Asia/Shanghai", "Asia/Urumqi", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kolkata", "UTC"}

func anyZone(t *rapid.T) *time.Location {
	loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// anyDate draws days from the week around the two changes of clocks in most
// zones as often as others.
func anyDate(t *rapid.T) Date {
	if rapid.Bool().Draw(t, "near a change") {
		return rapid.SampledFrom([]Date{{Year: 2026, Month: 3, Day: 8}, {Year: 2026, Month: 3, Day: 29}, {Year: 2026, Month: 4, Day: 5}, {Year: 2026, Month: 10, Day: 4}, {Year: 2026, Month: 10, Day: 25}, {Year: 2026, Month: 11, Day: 1}, {Year: 2018, Month: 11, Day: 4}, {Year: 2018, Month: 2, Day: 18}}).
			Draw(t, "change").AddDays(rapid.IntRange(-1, 1).Draw(t, "by"))
	}
	return Date{Year: 2026, Month: 1, Day: 1}.AddDays(rapid.IntRange(0, 800).Draw(t, "day"))
}

func TestSlotsProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, loc, date := anyVenue(t), anyZone(t), anyDate(t)
		slots := v.Slots(date, loc)
		for i, s := range slots {
			if DateOf(s.Start, loc) != date {
				t.Fatalf("slot %v begins on another day than %s", s, date)
			}
			if got := s.End.Sub(s.Start); got != time.Duration(v.SlotMinutes)*time.Minute {
				t.Fatalf("slot %v lasts %s", s, got)
			}
			if i > 0 && s.Start.Before(slots[i-1].End) {
				t.Fatalf("slot %v overlaps %v", s, slots[i-1])
			}
			minute := s.Start.Hour()*60 + s.Start.Minute()
			in := slices.ContainsFunc(v.Hours[date.Weekday()], func(h Hours) bool {
				return h.From <= minute && minute+v.SlotMinutes <= h.To && (minute-h.From)%v.SlotMinutes == 0
			})
			if !in {
				t.Fatalf("slot %v is not within the hours", s)
			}
			from, to := s.Cells()
			if want := int64(v.SlotMinutes / cellMinutes); to-from != want {
				t.Fatalf("slot %v has %d cells, want %d", s, to-from, want)
			}
		}
	})
}

// TestCheckAllowsWhatTheDayOffers: what can be chosen on a day passes the
// rules, and a span that passes them is among the day's choices.
func TestCheckAllowsWhatTheDayOffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, loc, date := anyVenue(t), anyZone(t), anyDate(t)
		now := date.AddDays(-rapid.IntRange(-1, 21).Draw(t, "ahead")).Noon(loc).Add(time.Duration(rapid.IntRange(-720, 720).Draw(t, "minutes")) * time.Minute)
		day := DayOf(v, date, now, loc, nil)
		offered := map[[2]int64]bool{}
		for _, o := range day.Offers {
			for _, c := range day.Choices(o.Start) {
				offered[[2]int64{c.Start.Unix(), c.End.Unix()}] = true
				if refusal := Check(v, Request{Slot: c.Slot}, Asker{}, now, loc); refusal != nil {
					t.Fatalf("offered %v, refused: %s", c.Slot, refusal)
				}
			}
		}
		dayStart, _ := date.Bounds(loc)
		for range 20 {
			start := dayStart.Add(time.Duration(rapid.IntRange(0, 288).Draw(t, "start")) * cellMinutes * time.Minute)
			s := Slot{Start: start, End: start.Add(time.Duration(rapid.IntRange(-1, 60).Draw(t, "length")) * cellMinutes * time.Minute)}
			if DateOf(s.Start, loc) == date && Check(v, Request{Slot: s}, Asker{}, now, loc) == nil && !offered[[2]int64{s.Start.Unix(), s.End.Unix()}] {
				t.Fatalf("allowed %v, not offered", s)
			}
		}
	})
}

// TestFreeProperties compares the free places of a day with counting by the cell.
func TestFreeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, loc, date := anyVenue(t), anyZone(t), anyDate(t)
		slots := v.Slots(date, loc)
		var taken []Taken
		cells := map[[2]int64]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "bookings") {
			if len(slots) == 0 {
				break
			}
			s := rapid.SampledFrom(slots).Draw(t, "slot")
			// Some are from before the slots were changed.
			s.Start = s.Start.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "earlier")) * cellMinutes * time.Minute)
			b := Taken{Place: rapid.IntRange(1, 6).Draw(t, "place"), Slot: s}
			taken = append(taken, b)
			from, to := s.Cells()
			for c := from; c < to; c++ {
				cells[[2]int64{int64(b.Place), c}] = true
			}
		}
		for _, o := range DayOf(v, date, date.AddDays(-1).Noon(loc), loc, taken).Offers {
			want := 0
			from, to := o.Cells()
			for place := 1; place <= v.Places; place++ {
				free := true
				for c := from; c < to; c++ {
					free = free && !cells[[2]int64{int64(place), c}]
				}
				if free {
					want++
				}
			}
			if o.Free != want {
				t.Fatalf("slot %v: %d free, want %d", o.Slot, o.Free, want)
			}
		}
	})
}

func TestFirstFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.SliceOfDistinct(rapid.IntRange(1, 20), rapid.ID).Draw(t, "places")
		taken := rapid.SliceOf(rapid.IntRange(1, 25)).Draw(t, "taken")
		got := firstFree(places, taken)
		for _, place := range places {
			if !slices.Contains(taken, place) {
				if got != place {
					t.Fatalf("got %d, want %d", got, place)
				}
				return
			}
		}
		if got != 0 {
			t.Fatalf("got %d, want 0: all are taken", got)
		}
	})
}

func TestDateProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, n := anyDate(t), rapid.IntRange(-400, 400).Draw(t, "n")
		if got := d.AddDays(n).DaysSince(d); got != n {
			t.Fatalf("%s plus %d days is %d days later", d, n, got)
		}
		if back, err := ParseDate(d.String()); err != nil || back != d {
			t.Fatalf("%s was read back as %v, %v", d, back, err)
		}
	})
}

func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"2026-11-23", "2026-02-29", "0000-00-00", "2026-1-2", "", "２０２６-11-23", "9999-12-31"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := ParseDate(s)
		if err == nil && d.String() != s {
			t.Errorf("%q was read as %s", s, d)
		}
	})
}

func FuzzParseTimeOfDay(f *testing.F) {
	for _, s := range []string{"08:00", "24:00", "24:05", "23:55", "8:00", "08:03", "-1:00", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, err := ParseTimeOfDay(s)
		if err != nil {
			return
		}
		if m < 0 || m > minutesPerDay || m%cellMinutes != 0 || (hhmm(m) != s) {
			t.Errorf("%q was read as %d minutes", s, m)
		}
	})
}
