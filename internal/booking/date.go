package booking

import "github.com/linli-io/linli/internal/civil"

// Date is a day of the calendar.
type Date = civil.Date

var (
	// ParseDate reads a date written YYYY-MM-DD.
	ParseDate = civil.ParseDate
	// DateOf is the day on which a moment falls in a zone.
	DateOf = civil.DateOf
)
