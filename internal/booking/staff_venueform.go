package booking

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/web"
)

// venueNumber is a number among the fields of a venue. Fields are named as in
// the manifest, whose bounds they share.
type venueNumber struct {
	field       string
	least, most int
	step        int
	optional    bool // empty is 0
	of          func(*v1alpha1.Venue) *int32
	onlySeats   bool
}

var venueNumbers = []venueNumber{
	{field: "seats", least: 1, most: 500, step: 1, onlySeats: true, of: func(v *v1alpha1.Venue) *int32 { return &v.Seats }},
	{field: "slotMinutes", least: 5, most: 480, step: cellMinutes, of: func(v *v1alpha1.Venue) *int32 { return &v.SlotMinutes }},
	{field: "maxSlotsPerBooking", least: 1, most: 48, step: 1, of: func(v *v1alpha1.Venue) *int32 { return &v.MaxSlotsPerBooking }},
	{field: "bookingWindowDays", least: 0, most: 366, step: 1, of: func(v *v1alpha1.Venue) *int32 { return &v.BookingWindowDays }},
	{field: "maxPerResidentPerDay", least: 1, most: 50, step: 1, of: func(v *v1alpha1.Venue) *int32 { return &v.MaxPerResidentPerDay }},
	{field: "maxPerResidentPerWeek", least: 1, most: 350, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.MaxPerResidentPerWeek }},
	{field: "noShowMinutes", least: 5, most: 240, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.NoShowMinutes }},
	{field: "minNoticeMinutes", least: 0, most: 43200, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.MinNoticeMinutes }},
	{field: "cancelNoticeMinutes", least: 0, most: 43200, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.CancelNoticeMinutes }},
	{field: "bufferMinutes", least: 0, most: 240, step: cellMinutes, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.BufferMinutes }},
	{field: "minAge", least: 0, most: 120, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.MinAge }},
	{field: "maxAge", least: 1, most: 120, step: 1, optional: true, of: func(v *v1alpha1.Venue) *int32 { return &v.MaxAge }},
}

// venueForm is the form of a venue: what was typed, by field, and what is
// wrong with it.
type venueForm struct {
	Values   map[string]string
	Mistakes map[string]string
}

// Bounds of texts, as the manifest has them.
const (
	maxDisplayName  = 60
	maxDescription  = 500
	maxClosedDates  = 366
	maxHours        = 14
	maxAttendants   = 10
	maxAttendHours  = 7
	venueNameLength = 63
)

var venueName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// formOf is the form as a venue fills it in.
func formOf(v v1alpha1.Venue) venueForm {
	f := venueForm{Values: map[string]string{
		"name": v.Name, "displayName": v.DisplayName, "description": v.Description, "kind": string(v.Kind),
		"approval": string(cmp.Or(v.Approval, v1alpha1.ApprovalAutomatic)), "access": string(cmp.Or(v.Access, v1alpha1.AccessEveryone)),
		"closedDates": strings.Join(v.ClosedDates, "\n"),
	}, Mistakes: map[string]string{}}
	for _, n := range venueNumbers {
		if value := *n.of(&v); value != 0 || !n.optional && !n.onlySeats {
			f.Values[n.field] = strconv.Itoa(int(value))
		}
	}
	f.putHours(v.Hours)
	return f
}

// read reads the form into a venue as it was before. What is wrong is in Mistakes.
func (f *venueForm) read(v web.View, form url.Values, before v1alpha1.Venue) v1alpha1.Venue {
	after := *before.DeepCopy()
	for _, field := range []string{"displayName", "kind", "approval", "access"} {
		f.Values[field] = strings.TrimSpace(form.Get(field))
	}
	for _, field := range []string{"description", "closedDates"} {
		f.Values[field] = strings.TrimSpace(strings.ReplaceAll(form.Get(field), "\r\n", "\n"))
	}
	after.DisplayName, after.Description = f.Values["displayName"], f.Values["description"]
	after.Kind, after.Approval, after.Access = v1alpha1.VenueKind(f.Values["kind"]), v1alpha1.Approval(f.Values["approval"]), v1alpha1.Access(f.Values["access"])
	if n := utf8.RuneCountInString(after.DisplayName); n == 0 || n > maxDisplayName {
		f.Mistakes["displayName"] = v.T("booking.staff.nameMissing", "Count", maxDisplayName)
	}
	if utf8.RuneCountInString(after.Description) > maxDescription {
		f.Mistakes["description"] = v.T("booking.staff.tooLong", "Count", maxDescription)
	}
	if after.Kind != v1alpha1.VenueAttended && len(after.Attendants) > 0 {
		f.Mistakes["kind"] = v.T("booking.staff.kindAttendants")
	}
	for _, n := range venueNumbers {
		*n.of(&after) = f.number(v, form, n, after.Kind)
	}
	if after.MaxAge > 0 && after.MaxAge < after.MinAge {
		f.Mistakes["maxAge"] = v.T("booking.staff.maxAgeLow")
	}
	after.Hours = f.hours(v, form, int(after.SlotMinutes), maxHours)
	if len(after.Hours) == 0 && f.Mistakes["hours-Monday"] == "" {
		f.Mistakes["hours-Monday"] = v.T("booking.staff.hoursMissing")
	}
	after.ClosedDates = f.closedDates(v)
	return after
}

// number reads one of the numbers.
func (f *venueForm) number(v web.View, form url.Values, n venueNumber, kind v1alpha1.VenueKind) int32 {
	text := typed(form, n.field)
	f.Values[n.field] = text
	if n.onlySeats && kind != v1alpha1.VenueSeats || text == "" && n.optional {
		return 0
	}
	value, err := strconv.Atoi(text)
	switch {
	case err == nil && value == 0 && n.optional:
	case err != nil || value < n.least || value > n.most:
		f.Mistakes[n.field] = v.T("booking.staff.numberWrong", "Least", n.least, "Most", n.most)
		return 0
	case value%n.step != 0:
		f.Mistakes[n.field] = v.T("booking.staff.numberStep", "Count", n.step)
		return 0
	}
	return int32(value)
}

func (f *venueForm) closedDates(v web.View) []string {
	var dates []string
	for _, text := range strings.FieldsFunc(f.Values["closedDates"], func(c rune) bool { return strings.ContainsRune(" \n\t,，、;；", c) }) {
		date, err := ParseDate(text)
		if err != nil {
			f.Mistakes["closedDates"] = v.T("booking.staff.closedDateWrong", "Text", text)
			continue
		}
		dates = append(dates, date.String())
	}
	slices.Sort(dates)
	if dates = slices.Compact(dates); len(dates) > maxClosedDates {
		f.Mistakes["closedDates"] = v.T("booking.staff.closedDatesMany", "Count", maxClosedDates)
	}
	return dates
}

// weekdays are the days of a week as the form has them, Monday first.
var weekdays = []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}

func hoursField(day v1alpha1.Weekday) string { return "hours-" + string(day) }

// putHours fills in the hours, a line for each day: 08:00-12:00, 14:00-18:00.
func (f *venueForm) putHours(hours []v1alpha1.OpeningHours) {
	for _, day := range weekdays {
		var spans []string
		for _, h := range hours {
			if slices.Contains(h.Days, day) {
				spans = append(spans, h.From+"-"+h.To)
			}
		}
		slices.Sort(spans)
		f.Values[hoursField(day)] = strings.Join(spans, ", ")
	}
}

var (
	spanJoint = regexp.MustCompile(`\s*(-|–|—|―|~|〜|至|到)+\s*`)
	spanGap   = regexp.MustCompile(`[\s,;、]+`)
	shortHour = regexp.MustCompile(`(^|-)(\d):`)
)

// clockText has two digits for the hours of times that were typed with one.
func clockText(text string) string { return shortHour.ReplaceAllString(text, "${1}0$2:") }

// hours reads a line of hours for each day; days of the same hours share an
// entry. Each span is a whole number of steps long, if that is above 0.
func (f *venueForm) hours(v web.View, form url.Values, step, most int) []v1alpha1.OpeningHours {
	var hours []v1alpha1.OpeningHours
	for _, day := range weekdays {
		field := hoursField(day)
		f.Values[field] = strings.TrimSpace(form.Get(field))
		line := spanGap.ReplaceAllString(spanJoint.ReplaceAllString(typed(form, field), "-"), " ")
		last := 0
		for _, span := range strings.Fields(line) {
			fromText, toText, _ := strings.Cut(clockText(span), "-")
			from, fromErr := ParseTimeOfDay(fromText)
			to, toErr := ParseTimeOfDay(toText)
			switch {
			case errors.Join(fromErr, toErr) != nil || from >= to:
				f.Mistakes[field] = v.T("booking.staff.hoursWrong", "Text", span)
			case from < last:
				f.Mistakes[field] = v.T("booking.staff.hoursOverlap", "Text", span)
			case step > 0 && (to-from)%step != 0:
				f.Mistakes[field] = v.T("booking.staff.hoursSlots", "Text", span, "Count", step)
			}
			if f.Mistakes[field] != "" {
				break
			}
			last = to
			i := slices.IndexFunc(hours, func(h v1alpha1.OpeningHours) bool { return h.From == fromText && h.To == toText })
			if i < 0 {
				hours = append(hours, v1alpha1.OpeningHours{From: fromText, To: toText})
				i = len(hours) - 1
			}
			hours[i].Days = append(hours[i].Days, day)
		}
	}
	if len(hours) > most {
		f.Mistakes[hoursField(weekdays[0])] = v.T("booking.staff.hoursMany", "Count", most)
	}
	return hours
}

// check has ParseVenue look at what the form says, and notes at its field what
// the form let through.
func (f *venueForm) check(v web.View, spec v1alpha1.Venue) {
	_, err := ParseVenue(spec)
	for _, wrong := range unjoined(err) {
		path, _, _ := strings.Cut(wrong.Error(), ":")
		field, index, _ := strings.Cut(path, "[")
		if field == "hours" {
			if i, err := strconv.Atoi(strings.TrimRight(index, "]")); err == nil && i < len(spec.Hours) && len(spec.Hours[i].Days) > 0 {
				field = hoursField(spec.Hours[i].Days[0])
			}
		}
		if f.Mistakes[field] == "" {
			f.Mistakes[field] = v.T("booking.staff.fieldWrong")
		}
	}
}

// unjoined are the errors that were joined into one.
func unjoined(err error) []error {
	for err != nil {
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			return joined.Unwrap()
		}
		next := errors.Unwrap(err)
		if next == nil {
			return []error{err}
		}
		err = next
	}
	return nil
}

// venueFields are the fields of the form in order.
var venueFields = func() []string {
	fields := []string{"displayName", "name", "description", "kind", "seats"}
	for _, day := range weekdays {
		fields = append(fields, hoursField(day))
	}
	for _, n := range venueNumbers[1:] {
		fields = append(fields, n.field)
	}
	return append(fields, "approval", "access", "closedDates", "attendants")
}()

// freshName is a name for the manifest that nobody typed: of a kind, and new.
func freshName(kind string, taken func(string) bool) string {
	for n := 1; ; n++ {
		if name := fmt.Sprintf("%s-%d", kind, n); !taken(name) {
			return name
		}
	}
}

// dayName is the name of a weekday, Monday to Sunday.
func dayName(v web.View, day v1alpha1.Weekday) string {
	monday := time.Date(2024, time.January, 1, 12, 0, 0, 0, v.Location)
	return v.ShortWeekday(monday.AddDate(0, 0, slices.Index(weekdays, day)))
}
