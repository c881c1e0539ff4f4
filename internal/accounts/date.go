package accounts

import (
	"fmt"
	"time"
)

// Date is a civil date in the community's zone, written YYYY-MM-DD. Dates
// compare as their texts do.
type Date string

// Month is a month of the calendar, written YYYY-MM.
type Month string

const (
	dateLayout  = "2006-01-02"
	monthLayout = "2006-01"
)

// ParseDate reads a date within the years 2000 to 2999.
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(dateLayout, text)
	if err != nil || t.Year() < 2000 || t.Year() > 2999 {
		return "", fmt.Errorf("%q is not a date; write it as YYYY-MM-DD", text)
	}
	return Date(text), nil
}

// ParseMonth reads a month within the years 2000 to 2999.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse(monthLayout, text)
	if err != nil || t.Year() < 2000 || t.Year() > 2999 {
		return "", fmt.Errorf("%q is not a month; write it as YYYY-MM", text)
	}
	return Month(text), nil
}

// DateOf is the day on which t falls in a zone.
func DateOf(t time.Time, loc *time.Location) Date { return Date(t.In(loc).Format(dateLayout)) }

// utc is the date's midnight in UTC; of a Date that ParseDate or DateOf made.
func (d Date) utc() time.Time {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Noon is a moment within the day in a zone, for showing it to people.
func (d Date) Noon(loc *time.Location) time.Time {
	t := d.utc()
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, loc)
}

// AddDays is the date n days later, or earlier if n is negative.
func (d Date) AddDays(n int) Date { return Date(d.utc().AddDate(0, 0, n).Format(dateLayout)) }

// Year is the date's.
func (d Date) Year() int { return d.utc().Year() }

// Month is the date's.
func (d Date) Month() Month { return Month(d.utc().Format(monthLayout)) }

// First is the month's first day.
func (m Month) First() Date { return Date(m + "-01") }

// Add is the month n months later, or earlier if n is negative.
func (m Month) Add(n int) Month { return Month(m.First().utc().AddDate(0, n, 0).Format(monthLayout)) }

// Last is the month's last day.
func (m Month) Last() Date { return m.Add(1).First().AddDays(-1) }
