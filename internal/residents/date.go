package residents

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Date is a civil date without a time zone, written YYYY-MM-DD; empty if it is
// not known. Dates compare as their texts do.
type Date string

const dateLayout = "2006-01-02"

// writtenDate is a date as people write it: 1954-5-21, 1954/05/21, 1954.5.21,
// 1954年5月21日 or 19540521.
var writtenDate = regexp.MustCompile(`^(\d{4})(?:[-/.年](\d{1,2})[-/.月](\d{1,2})日?|(\d{2})(\d{2}))$`)

// ParseDate reads a date as people write it. Days that no calendar has, such
// as 2026-02-30, are refused. An empty text is the date that is not known.
func ParseDate(text string) (Date, error) {
	if text == "" {
		return "", nil
	}
	m := writtenDate.FindStringSubmatch(strings.ReplaceAll(text, " ", ""))
	if m == nil {
		return "", fmt.Errorf("%q is not a date; write it as 1954-05-21", text)
	}
	year, month, day := number(m[1]), number(m[2]+m[4]), number(m[3]+m[5])
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if t.Year() != year || int(t.Month()) != month || t.Day() != day {
		return "", fmt.Errorf("%q is no day of the calendar; write it as 1954-05-21", text)
	}
	return Date(t.Format(dateLayout)), nil
}

// number is the value of a few digits.
func number(digits string) int {
	n, _ := strconv.Atoi(digits) // nothing else was let through
	return n
}

// DateOf is the day on which t falls in a zone.
func DateOf(t time.Time, loc *time.Location) Date { return Date(t.In(loc).Format(dateLayout)) }

// time is the date's midnight in UTC; the zero time if the date is not known.
func (d Date) time() time.Time {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return time.Time{}
	}
	return t
}

// Noon is a moment within the day in a zone, for showing it to people.
func (d Date) Noon(loc *time.Location) time.Time {
	t := d.time()
	return time.Date(t.Year(), t.Month(), t.Day(), 12, 0, 0, 0, loc)
}

// AddYears is the same day n years later; 1 March for 29 February where that
// day is missing.
func (d Date) AddYears(n int) Date { return Date(d.time().AddDate(n, 0, 0).Format(dateLayout)) }

// adultAge is the age, in years, from which nobody acts for a person because
// of being a parent (Civil Code, Art. 17).
const adultAge = 18

// ComesOfAge is the 18th birthday of somebody who was born on d; empty if d is
// not known.
func (d Date) ComesOfAge() Date {
	if d == "" {
		return ""
	}
	return d.AddYears(adultAge)
}
