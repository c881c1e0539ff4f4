package booking

import (
	"fmt"
	"sort"
	"strings"
	"time"
	"unicode"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"
)

// Calendar is a list of events for people's own calendars, as a feed that
// their programs fetch again and again, or as a file.
type Calendar struct {
	// Host is the community's host name, such as zhanqian.example.cn. It makes
	// the events' identifiers unique in the world and must stay the same.
	Host string
	// Name is what calendar programs call the calendar.
	Name string
	// Language is the tag of the language in which the texts are, such as zh-CN.
	Language string
	// Location is the community's zone, in which the times are written.
	Location *time.Location
	Events   []Event
}

// Event is what a calendar shows of a booking.
type Event struct {
	// ID names the event in all versions of the calendar.
	ID uuid.UUID
	Slot
	Title       string
	Location    string
	Description string
	// Cancelled events stay in the calendar, so that programs which have them
	// learn of it.
	Cancelled bool
	// Tentative events wait for somebody's answer.
	Tentative bool
	// Sequence counts the changes of time, place and state; programs take the
	// version with the highest.
	Sequence             int
	CreatedAt, UpdatedAt time.Time
}

// calendarRefresh asks programs to fetch a feed again after an hour.
const calendarRefresh = "PT1H"

const (
	calendarLocalTime = "20060102T150405"
	calendarUTC       = calendarLocalTime + "Z"
)

// ICalendar writes the calendar after RFC 5545, with the properties of RFC
// 7986 for feeds. It is the same whenever nothing has changed.
//
// The zone is written out with the changes of offset that the events need,
// since programs do not all know every zone, or know outdated rules.
func (c Calendar) ICalendar() string {
	out := &ics.Calendar{}
	out.SetVersion("2.0")
	out.SetProductId("-//linli.io//Linli booking//EN")
	out.SetMethod(ics.MethodPublish)
	out.SetName(calendarText(c.Name))
	out.SetRefreshInterval(calendarRefresh)
	out.SetXPublishedTTL(calendarRefresh)
	// A calendar must have at least one component, even without events.
	if c.Location != time.UTC || len(c.Events) == 0 {
		out.AddVTimezone(c.timezone())
	}
	for _, e := range c.Events {
		out.AddVEvent(c.event(e))
	}
	return out.Serialize(ics.WithNewLineWindows)
}

func (c Calendar) event(e Event) *ics.VEvent {
	out := ics.NewEvent(e.ID.String() + "@" + c.Host)
	out.SetDtStampTime(e.UpdatedAt)
	out.SetCreatedTime(e.CreatedAt)
	out.SetModifiedAt(e.UpdatedAt)
	out.SetSequence(e.Sequence)
	c.setTimes(out, e.Slot)
	for _, text := range []struct {
		property ics.ComponentProperty
		value    string
	}{
		{ics.ComponentPropertySummary, e.Title},
		{ics.ComponentPropertyLocation, e.Location},
		{ics.ComponentPropertyDescription, e.Description},
	} {
		if text.value != "" {
			out.SetProperty(text.property, calendarText(text.value), &ics.KeyValues{Key: string(ics.ParameterLanguage), Value: []string{c.Language}})
		}
	}
	// What is cancelled leaves the person free.
	status, transparency := ics.ObjectStatusConfirmed, ics.TransparencyOpaque
	switch {
	case e.Cancelled:
		status, transparency = ics.ObjectStatusCancelled, ics.TransparencyTransparent
	case e.Tentative:
		status = ics.ObjectStatusTentative
	}
	out.SetStatus(status)
	out.SetTimeTransparency(transparency)
	out.SetClass(ics.ClassificationPrivate)
	return out
}

// setTimes writes start and end as clocks in the zone show them. Times that
// clocks show twice are written in UTC: programs differ in which they take.
func (c Calendar) setTimes(out *ics.VEvent, s Slot) {
	if c.Location == time.UTC || shownTwice(s.Start.In(c.Location)) || shownTwice(s.End.In(c.Location)) {
		out.SetStartAt(s.Start)
		out.SetEndAt(s.End)
		return
	}
	zone := ics.WithTZID(c.Location.String())
	out.SetProperty(ics.ComponentPropertyDtStart, s.Start.In(c.Location).Format(calendarLocalTime), zone)
	out.SetProperty(ics.ComponentPropertyDtEnd, s.End.In(c.Location).Format(calendarLocalTime), zone)
}

// shownTwice reports whether clocks in t's zone show its time of day twice,
// because they are put back around it.
func shownTwice(t time.Time) bool {
	for _, near := range []time.Time{t.Add(-24 * time.Hour), t.Add(24 * time.Hour)} {
		other := t.Add(offset(t) - offset(near))
		if !other.Equal(t) && offset(other) == offset(near) {
			return true
		}
	}
	return false
}

// timezone writes the offsets that are in force from a year before the first
// event until the last one has ended. The year is for programs that cannot
// work out summer time without a standard time beside it.
func (c Calendar) timezone() *ics.VTimezone {
	var first, last time.Time
	for _, e := range c.Events {
		if first.IsZero() || e.Start.Before(first) {
			first = e.Start
		}
		if e.End.After(last) {
			last = e.End
		}
	}
	if len(c.Events) == 0 {
		first = time.Unix(0, 0)
		last = first
	}
	from := DateOf(first, c.Location).AddDays(-366).Noon(c.Location)
	changes := offsetChanges(from, last)

	out := ics.NewTimezone(c.Location.String())
	add := func(onset time.Time, before time.Duration, daylight bool) {
		observance := &ics.ComponentBase{}
		if daylight {
			d := &ics.Daylight{}
			out.Components = append(out.Components, d)
			observance = &d.ComponentBase
		} else {
			observance = &out.AddStandard().ComponentBase
		}
		name, _ := onset.Zone()
		// The onset is what clocks would show if they were not changed.
		observance.AddProperty(ics.ComponentPropertyDtStart, onset.UTC().Add(before).Format(calendarLocalTime))
		observance.AddProperty(ics.ComponentProperty(ics.PropertyTzoffsetfrom), calendarOffset(before))
		observance.AddProperty(ics.ComponentProperty(ics.PropertyTzoffsetto), calendarOffset(offset(onset)))
		observance.AddProperty(ics.ComponentProperty(ics.PropertyTzname), name)
	}
	add(from, offset(from), from.IsDST() && len(changes) > 0)
	for _, onset := range changes {
		add(onset, offset(onset.Add(-time.Second)), onset.IsDST())
	}
	return out
}

// offsetChanges are the moments after from and up to last at which the offset
// of from's zone changes, in order.
//
// They are searched for, because Time.ZoneBounds also gives the turn of the
// year, and in leap years a day before it, as bounds.
func offsetChanges(from, last time.Time) []time.Time {
	const day = 24 * time.Hour
	var changes []time.Time
	for at := from; !at.After(last); at = at.Add(day) {
		if offset(at) == offset(at.Add(day)) {
			continue
		}
		seconds := sort.Search(int(day/time.Second), func(s int) bool { return offset(at.Add(time.Duration(s)*time.Second)) != offset(at) })
		if change := at.Add(time.Duration(seconds) * time.Second); !change.After(last) {
			changes = append(changes, change)
		}
	}
	return changes
}

// offset is how far clocks in t's zone are ahead of UTC.
func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// calendarOffset writes an offset as +0800, or as -001536 where there are seconds.
func calendarOffset(d time.Duration) string {
	sign := '+'
	if d < 0 {
		sign, d = '-', -d
	}
	out := fmt.Sprintf("%c%02d%02d", sign, int(d.Hours()), int(d.Minutes())%60)
	if seconds := int(d.Seconds()) % 60; seconds != 0 {
		out += fmt.Sprintf("%02d", seconds)
	}
	return out
}

// calendarText is a text without what RFC 5545 does not allow in one: all
// separators of lines become newlines, other control characters are left out.
func calendarText(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, string(unicode.ReplacementChar)), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r', r == '\u0085', r == '\u2028', r == '\u2029':
			return '\n'
		case r != '\n' && r != '\t' && unicode.IsControl(r):
			return -1
		}
		return r
	}, s)
}
