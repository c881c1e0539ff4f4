package civil

import (
	"fmt"
	"time"
)

// Month is a month of the calendar, written YYYY-MM.
type Month string

const monthLayout = "2006-01"

// ParseMonth reads a month within the years 2000 to 2999: others are mistakes
// of who types them.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse(monthLayout, text)
	if err != nil || t.Year() < 2000 || t.Year() >= 3000 {
		return "", fmt.Errorf("%q is not a month of the years 2000 to 2999; write it as YYYY-MM", text)
	}
	return Month(text), nil
}

// MonthOf is the month of a date.
func MonthOf(d Date) Month { return Month(d.utc().Format(monthLayout)) }

// First is the first day of a month that ParseMonth or MonthOf made.
func (m Month) First() Date {
	t, err := time.Parse(monthLayout, string(m))
	if err != nil {
		return Date{}
	}
	return dateOfCivil(t)
}

// Add is the month n months later, or earlier if n is negative.
func (m Month) Add(n int) Month {
	d := m.First()
	return MonthOf(dateOfCivil(time.Date(d.Year, d.Month+time.Month(n), 1, 0, 0, 0, 0, time.UTC)))
}

// Last is the month's last day.
func (m Month) Last() Date { return m.Add(1).First().AddDays(-1) }
