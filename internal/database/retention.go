package database

import "time"

// Retention says how long rows of a table are kept. Every table has one, or
// several for rows of different kinds, so that nothing about people stays
// because nobody thought of it.
type Retention struct {
	Table string
	// Rows says which of the table's rows are meant, where it differs; empty
	// for all.
	Rows string
	Kept Kept
	// For is how long rows that are KeptFor some time are kept after they have
	// done their work; then a background job erases them.
	For time.Duration
}

// Kept is how it is decided how long rows are kept.
type Kept string

// The ways in which it is decided how long rows are kept.
const (
	// KeptFor is for the time in For.
	KeptFor Kept = "For"
	// KeptWithPerson is as long as the record of the person whom they are
	// about, unless that person or the staff take them back before.
	KeptWithPerson Kept = "WithPerson"
	// KeptAlways is as long as the database: rows about people that must stay.
	KeptAlways Kept = "Always"
	// NotPersonal rows are not about people, and may stay.
	NotPersonal Kept = "NotPersonal"
)
