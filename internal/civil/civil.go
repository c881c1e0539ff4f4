// Package civil has days of the calendar, as people and manifests mean them:
// without a time of day and without a zone.
package civil

import (
	"fmt"
	"time"
)

// Date is a day of the calendar without a time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// dateLayout is how dates are written, in manifests, addresses and the database.
const dateLayout = "2006-01-02"

// ParseDate reads a date written YYYY-MM-DD. Days that no calendar has, such
// as 2026-02-30, are refused.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(dateLayout, s)
	if err != nil {
		return Date{}, fmt.Errorf("%q is not a date; write it as YYYY-MM-DD", s)
	}
	return dateOfCivil(t), nil
}

// DateOf is the day on which t falls in a zone.
func DateOf(t time.Time, loc *time.Location) Date { return dateOfCivil(t.In(loc)) }

func dateOfCivil(t time.Time) Date {
	year, month, day := t.Date()
	return Date{Year: year, Month: month, Day: day}
}

// String writes the date as YYYY-MM-DD.
func (d Date) String() string { return d.utc().Format(dateLayout) }

// AddDays is the date n days later, or earlier when n is negative.
func (d Date) AddDays(n int) Date { return dateOfCivil(d.utc().AddDate(0, 0, n)) }

// DaysSince counts the days from o to d; it is negative when d is earlier.
func (d Date) DaysSince(o Date) int { return int(d.utc().Sub(o.utc()) / (24 * time.Hour)) }

// YearsSince counts the whole years from o, a birthday, to d: an age. Who was
// born on 29 February is a year older on 1 March where that day is missing.
func (d Date) YearsSince(o Date) int {
	years := d.Year - o.Year
	if d.Month < o.Month || d.Month == o.Month && d.Day < o.Day {
		years--
	}
	return years
}

// Week names the week of the date, Monday to Sunday, as ISO 8601 does: 2026-W48.
func (d Date) Week() string {
	year, week := d.utc().ISOWeek()
	return fmt.Sprintf("%04d-W%02d", year, week)
}

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.utc().Weekday() }

// Noon is a moment within the day in a zone, for showing the date to people.
func (d Date) Noon(loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, 12, 0, 0, 0, loc)
}

// Bounds is a span of time that has the whole day in a zone within it.
func (d Date) Bounds(loc *time.Location) (from, to time.Time) {
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc), time.Date(d.Year, d.Month, d.Day+1, 0, 0, 0, 0, loc)
}

// At is the moment at which clocks in a zone first show a time of this day,
// given in minutes after midnight. It is false when they never show it,
// because they are put forward over it.
//
// time.Date promises nothing about such moments, hence both offsets that can
// be in force are tried, the earlier moment first.
func (d Date) At(minutes int, loc *time.Location) (time.Time, bool) {
	wall := time.Date(d.Year, d.Month, d.Day, 0, minutes, 0, 0, time.UTC)
	for _, near := range []time.Time{wall.Add(-24 * time.Hour), wall.Add(24 * time.Hour)} {
		_, offset := near.In(loc).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second).In(loc)
		if _, got := t.Zone(); got == offset {
			return t, true
		}
	}
	return time.Time{}, false
}

func (d Date) utc() time.Time { return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC) }
