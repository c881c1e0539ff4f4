package accounts

import (
	"errors"
	"time"

	"github.com/linli-io/linli/internal/civil"
)

// Month is a month of the calendar, written YYYY-MM.
type Month string

const monthLayout = "2006-01"

// errNotOurTime is why a date or month was not read.
var errNotOurTime = errors.New("not a day of the calendar within the years 2000 to 2999")

func ours(year int) bool { return year >= 2000 && year < 3000 }

// ParseDate reads a date within the years 2000 to 2999, written YYYY-MM-DD.
func ParseDate(text string) (civil.Date, error) {
	d, err := civil.ParseDate(text)
	if err == nil && !ours(d.Year) {
		err = errNotOurTime
	}
	return d, err
}

// ParseMonth reads a month within the years 2000 to 2999.
func ParseMonth(text string) (Month, error) {
	t, err := time.Parse(monthLayout, text)
	if err != nil || !ours(t.Year()) {
		return "", errNotOurTime
	}
	return Month(text), nil
}

// MonthOf is the month of a date.
func MonthOf(d civil.Date) Month {
	return Month(time.Date(d.Year, d.Month, 1, 0, 0, 0, 0, time.UTC).Format(monthLayout))
}

// First is the first day of a month that ParseMonth or MonthOf made.
func (m Month) First() civil.Date {
	t, err := time.Parse(monthLayout, string(m))
	if err != nil {
		return civil.Date{}
	}
	return civil.Date{Year: t.Year(), Month: t.Month(), Day: 1}
}

// Add is the month n months later, or earlier if n is negative.
func (m Month) Add(n int) Month {
	d := m.First()
	return MonthOf(civil.DateOf(time.Date(d.Year, d.Month+time.Month(n), 1, 0, 0, 0, 0, time.UTC), time.UTC))
}

// Last is the month's last day.
func (m Month) Last() civil.Date { return m.Add(1).First().AddDays(-1) }
