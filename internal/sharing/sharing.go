// Package sharing has what services can share of their data with departments:
// datasets, of which each says what its columns are, how close they come to
// people, and how freely they may be shared at most. Nothing is shared by
// declaring it.
package sharing

import (
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/linli-io/linli/internal/database"
)

// Dataset is something that a service can share.
type Dataset struct {
	// Name is the service's, a dot, and what it is: canteen.menus.
	Name string
	// Title is what people call it, and Text says what is in it: ids of messages.
	Title, Text string
	Columns     []Column
	// Subject is the column with the ID of the person whom a row is about; empty
	// if rows are about nobody.
	Subject string
	// Floor is the freest class in which it may be shared.
	Floor Class
	// SQL selects all rows: the columns, in their order. Postgres does so on
	// PostgreSQL where that wants other words; empty if it does not.
	SQL, Postgres string
}

// Column is a column of a dataset. Any value may be missing.
type Column struct {
	// Name is in lower case, with underscores.
	Name string
	Type Type
	// Title is what people call it: the id of a message.
	Title string
	Tag   Tag
}

// Type is what the values of a column are. Names are stable.
type Type string

// The types.
const (
	String  Type = "String"
	Integer Type = "Integer"
	Date    Type = "Date"    // YYYY-MM-DD
	Month   Type = "Month"   // YYYY-MM
	Strings Type = "Strings" // a JSON array of strings
)

// Tag is how close a column comes to people (PIPL, Art. 4 and 28). Names are
// stable.
type Tag string

// The tags. What people write freely is Sensitive, unless it is public anyway.
const (
	None      Tag = "None"
	Personal  Tag = "Personal"
	Sensitive Tag = "Sensitive"
)

// Class is how freely a dataset may be shared, as the regulations on sharing
// government data have it (政务数据共享条例, State Council Decree 809). Names
// are stable.
type Class string

// The classes, the freest first.
const (
	Unconditional Class = "Unconditional" // 无条件共享
	Conditional   Class = "Conditional"   // 有条件共享
	NotShared     Class = "NotShared"     // 不予共享
)

var (
	datasetName = regexp.MustCompile(`^[a-z]+\.[a-z]+(-[a-z]+)*$`)
	columnName  = regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`)
)

// Query selects all rows of the dataset on an engine.
func (d Dataset) Query(e database.Engine) string {
	if e == database.Postgres && d.Postgres != "" {
		return d.Postgres
	}
	return d.SQL
}

// Validate says what is wrong with how a dataset is declared: a fault of the
// service's code.
func (d Dataset) Validate() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("dataset %q: "+format, append([]any{d.Name}, args...)...))
	}
	if !datasetName.MatchString(d.Name) {
		fault("name: write <service>.<what> in lower case")
	}
	if d.Title == "" || d.Text == "" {
		fault("title and text: name messages")
	}
	if !slices.Contains([]Class{Unconditional, Conditional, NotShared}, d.Floor) {
		fault("floor: %q is no class", d.Floor)
	}
	if d.SQL == "" {
		fault("sql: missing")
	}
	if len(d.Columns) == 0 {
		fault("columns: name at least one")
	}
	seen := map[string]Tag{}
	for _, c := range d.Columns {
		if _, twice := seen[c.Name]; twice || !columnName.MatchString(c.Name) {
			fault("column %q: a name is in lower case, and there once", c.Name)
		}
		seen[c.Name] = c.Tag
		if !slices.Contains([]Type{String, Integer, Date, Month, Strings}, c.Type) {
			fault("column %q: %q is no type", c.Name, c.Type)
		}
		if !slices.Contains([]Tag{None, Personal, Sensitive}, c.Tag) {
			fault("column %q: %q is no tag", c.Name, c.Tag)
		}
		if c.Title == "" {
			fault("column %q: title: name a message", c.Name)
		}
		if c.Tag == Personal && d.Subject == "" {
			fault("column %q: it is personal: name the subject of rows", c.Name)
		}
	}
	if tag, there := seen[d.Subject]; d.Subject != "" && (!there || tag == None) {
		fault("subject: %q is no column that is tagged as personal", d.Subject)
	}
	return errors.Join(faults...)
}
