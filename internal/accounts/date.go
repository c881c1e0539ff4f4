package accounts

import (
	"errors"

	"github.com/linli-io/linli/internal/civil"
)

// errNotOurTime is why a date or month was not read.
var errNotOurTime = errors.New("not a day of the calendar within the years 2000 to 2999")

// ParseDate reads a date within the years 2000 to 2999, written YYYY-MM-DD.
func ParseDate(text string) (civil.Date, error) {
	d, err := civil.ParseDate(text)
	if err == nil && (d.Year < 2000 || d.Year >= 3000) {
		err = errNotOurTime
	}
	return d, err
}

// parseMonth reads a month within those years.
func parseMonth(text string) (civil.Month, error) {
	m, err := civil.ParseMonth(text)
	if err != nil {
		err = errNotOurTime
	}
	return m, err
}
