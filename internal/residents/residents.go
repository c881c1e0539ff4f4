// Package residents keeps a community's records of people: who lives where,
// who acts for whom, what they have agreed to, and who of the staff is charged
// with what. Other services ask it over its API and keep none of this.
package residents

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"golang.org/x/text/width"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

// Kind says whether a person lives in the community.
type Kind string

// The kinds of people.
const (
	// Resident lives in the community.
	Resident Kind = "Resident"
	// External works for the community and lives elsewhere.
	External Kind = "External"
)

// Relation is what a person is to the head of the household.
type Relation string

// Relations are all relations, in the order in which people choose among them.
var Relations = []Relation{"Head", "Spouse", "Child", "Parent", "Grandparent", "Grandchild", "Other"}

// Home is where somebody lives. Estate is the name of one of the community's
// estates, the others are as they stand on doors, such as 3号楼, 2单元, 501.
type Home struct {
	Estate   string `json:"estate,omitempty"`
	Building string `json:"building,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Room     string `json:"room,omitempty"`
}

// Known says that the home is known to the door, so that those who have it in
// common are a household.
func (h Home) Known() bool { return h.Estate != "" && h.Building != "" && h.Room != "" }

// Details are what is written down about a person.
type Details struct {
	Name      string   `json:"name"`
	LatinName string   `json:"latinName,omitempty"`
	Phone     string   `json:"phone,omitempty"`
	BornOn    Date     `json:"bornOn,omitempty"`
	Relation  Relation `json:"relation,omitempty"`
	Home
}

// Person is a record.
type Person struct {
	ID uuid.UUID
	Details
	Kind Kind
	// Subject is who signs in as this person; empty if nobody does.
	Subject string
	// Manifest is the name by which the community's manifest names this
	// person among its managers; empty for others.
	Manifest string
	Duties   []identity.Duty
	// MovedAwayAt is when staff noted that the person has left; zero for those
	// who have not.
	MovedAwayAt time.Time
	// ErasingAt is when the person's deletion was asked for; zero if it was not.
	ErasingAt            time.Time
	SignedInAt           time.Time
	CreatedAt, UpdatedAt time.Time
}

// Here says that the person is one of the community's: not moved away, not
// being deleted, and either a resident or charged with a duty.
func (p Person) Here() bool {
	return p.MovedAwayAt.IsZero() && p.ErasingAt.IsZero() && (p.Kind == Resident || len(p.Duties) > 0)
}

// Identity is the person as other services know them.
func (p Person) Identity() identity.Person {
	role := identity.Resident
	if len(p.Duties) > 0 {
		role = identity.Staff
	}
	return identity.Person{
		ID: p.ID.String(), Name: p.Name, LatinName: p.LatinName, Phone: p.Phone, Role: role, Duties: p.Duties, BornOn: string(p.BornOn),
	}
}

// Household says that two people live in the same home.
func Household(a, b Person) bool {
	return a.Home == b.Home && a.Home.Known() && a.Kind == Resident && b.Kind == Resident
}

// Lengths of texts, in characters.
const (
	maxName  = 60
	maxPlace = 40
	maxNote  = 500
)

// Clean is a text as people type it, on one line and without the letters and
// digits in full width that Chinese keyboards also write.
func Clean(text string) string {
	return strings.Join(strings.Fields(width.Fold.String(text)), " ")
}

// CleanName is a name with the spaces left out that some people put between
// Chinese characters, so that 王 桂花 is 王桂花.
func CleanName(text string) string {
	text = Clean(text)
	if strings.ContainsFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) }) {
		text = strings.ReplaceAll(text, " ", "")
	}
	return text
}

// CleanPhone is a phone number as the country's own phones dial it, digits
// only, or in E.164 with its +.
func CleanPhone(text string) string {
	text = strings.Map(func(c rune) rune {
		if strings.ContainsRune("-() ", c) {
			return -1
		}
		return c
	}, Clean(text))
	text = strings.TrimPrefix(strings.TrimPrefix(text, "'"), "+86")
	if len(text) == 13 && strings.HasPrefix(text, "861") {
		text = text[2:]
	}
	return text
}

// Problem is what is wrong with a field, by the id of a message without the
// service's prefix, such as "nameMissing".
type Problem struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
	// Value is what was written there.
	Value string `json:"value,omitempty"`
}

// Error is for logs and APIs; it has nothing of what was written.
func (p Problem) Error() string { return p.Field + ": " + problemTexts[p.Rule] }

// Rules of what is written about people. Names are stable.
const (
	ruleNameMissing     = "nameMissing"
	ruleNameTooLong     = "nameTooLong"
	ruleNameOdd         = "nameOdd"
	rulePhoneOdd        = "phoneOdd"
	ruleDateOdd         = "dateOdd"
	ruleDateAhead       = "dateAhead"
	ruleDateLongPast    = "dateLongPast"
	ruleEstateUnknown   = "estateUnknown"
	ruleBuildingUnknown = "buildingUnknown"
	ruleHomeWithout     = "homeWithoutEstate"
	rulePlaceTooLong    = "placeTooLong"
	ruleRelationUnknown = "relationUnknown"
)

// problemTexts say in English what is wrong and what to do.
var problemTexts = map[string]string{
	ruleNameMissing:     "a name is missing",
	ruleNameTooLong:     fmt.Sprintf("a name has at most %d characters", maxName),
	ruleNameOdd:         "a name has letters only, and · - ' . and spaces between them",
	rulePhoneOdd:        "a phone number has 5 to 20 digits, with + before a country code; a mobile number of China has 11",
	ruleDateOdd:         "write the date as 1954-05-21",
	ruleDateAhead:       "the date is in the future",
	ruleDateLongPast:    "nobody is that old; check the year",
	ruleEstateUnknown:   "the community has no such estate; write its name as the community's manifest does",
	ruleBuildingUnknown: "the estate has no such building; write it as the community's manifest does",
	ruleHomeWithout:     "name the estate too",
	rulePlaceTooLong:    fmt.Sprintf("at most %d characters", maxPlace),
	ruleRelationUnknown: "choose one of Head, Spouse, Child, Parent, Grandparent, Grandchild, Other",
}

// oldest is the age, in years, that nobody has reached.
const oldest = 130

// Check looks over what is written about a person and puts it into the form in
// which it is kept. today is the day in the community's zone.
func Check(d Details, estates []v1alpha1.Estate, today Date) (Details, []Problem) {
	var problems []Problem
	wrong := func(field, rule, value string) { problems = append(problems, Problem{field, rule, value}) }

	d.Name, d.LatinName, d.Phone = CleanName(d.Name), Clean(d.LatinName), CleanPhone(d.Phone)
	switch {
	case d.Name == "":
		wrong("name", ruleNameMissing, "")
	case utf8.RuneCountInString(d.Name) > maxName:
		wrong("name", ruleNameTooLong, d.Name)
	case !isName(d.Name):
		wrong("name", ruleNameOdd, d.Name)
	}
	switch {
	case utf8.RuneCountInString(d.LatinName) > maxName:
		wrong("latinName", ruleNameTooLong, d.LatinName)
	case d.LatinName != "" && !isName(d.LatinName):
		wrong("latinName", ruleNameOdd, d.LatinName)
	}
	if d.Phone != "" && !isPhone(d.Phone) {
		wrong("phone", rulePhoneOdd, d.Phone)
	}
	born, err := ParseDate(Clean(string(d.BornOn)))
	switch {
	case err != nil:
		wrong("bornOn", ruleDateOdd, string(d.BornOn))
	case born > today:
		wrong("bornOn", ruleDateAhead, string(born))
	case born != "" && born.AddYears(oldest) < today:
		wrong("bornOn", ruleDateLongPast, string(born))
	default:
		d.BornOn = born
	}
	if d.Relation != "" && !slices.Contains(Relations, d.Relation) {
		wrong("relation", ruleRelationUnknown, string(d.Relation))
	}
	home, wrongs := checkHome(d.Home, estates)
	d.Home = home
	return d, append(problems, wrongs...)
}

func checkHome(h Home, estates []v1alpha1.Estate) (Home, []Problem) {
	var problems []Problem
	h = Home{Clean(h.Estate), Clean(h.Building), Clean(h.Unit), Clean(h.Room)}
	for _, place := range []struct{ field, text string }{{"building", h.Building}, {"unit", h.Unit}, {"room", h.Room}} {
		if utf8.RuneCountInString(place.text) > maxPlace || strings.ContainsFunc(place.text, unicode.IsControl) {
			problems = append(problems, Problem{place.field, rulePlaceTooLong, place.text})
		}
	}
	if h.Estate == "" {
		if h.Building != "" || h.Unit != "" || h.Room != "" {
			problems = append(problems, Problem{"estate", ruleHomeWithout, ""})
		}
		return h, problems
	}
	i := slices.IndexFunc(estates, func(e v1alpha1.Estate) bool { return e.Name == h.Estate || Clean(e.DisplayName) == h.Estate })
	if i < 0 {
		return h, append(problems, Problem{"estate", ruleEstateUnknown, h.Estate})
	}
	h.Estate = estates[i].Name
	if buildings := estates[i].Buildings; len(buildings) > 0 && h.Building != "" {
		named, ok := buildingOf(buildings, h.Building)
		if !ok {
			return h, append(problems, Problem{"building", ruleBuildingUnknown, h.Building})
		}
		h.Building = named
	}
	return h, problems
}

// buildingOf is a building as the manifest names it; people also write 3 or 3号
// for 3号楼.
func buildingOf(buildings []string, written string) (string, bool) {
	bare := func(s string) string {
		s = Clean(s)
		for _, suffix := range []string{"楼", "号", "栋", "幢", "#"} {
			s = strings.TrimSuffix(s, suffix)
		}
		return s
	}
	for _, b := range buildings {
		if Clean(b) == written || bare(b) != "" && bare(b) == bare(written) {
			return b, true
		}
	}
	return "", false
}

// isName reports whether a text can be somebody's name: 买买提·艾力, O'Neil.
func isName(text string) bool {
	letters := 0
	for _, c := range text {
		switch {
		case unicode.IsLetter(c), unicode.IsMark(c):
			letters++
		case !strings.ContainsRune(" ·•-'’.", c):
			return false
		}
	}
	return letters > 0
}

func isPhone(text string) bool {
	digits := strings.TrimPrefix(text, "+")
	if len(digits) < 5 || len(digits) > 20 || strings.ContainsFunc(digits, func(c rune) bool { return c < '0' || c > '9' }) {
		return false
	}
	// A mobile number of China that lacks a digit is a slip, not a number.
	mobile := text[0] == '1' && len(text) > 8
	return !mobile || len(text) == 11
}

// Unlike says in which fields two records of a person differ, for showing them
// side by side.
func Unlike(a, b Details) []string {
	var fields []string
	for _, f := range []struct{ name, a, b string }{
		{"name", a.Name, b.Name}, {"latinName", a.LatinName, b.LatinName}, {"phone", a.Phone, b.Phone},
		{"bornOn", string(a.BornOn), string(b.BornOn)}, {"relation", string(a.Relation), string(b.Relation)},
		{"estate", a.Estate, b.Estate}, {"building", a.Building, b.Building}, {"unit", a.Unit, b.Unit}, {"room", a.Room, b.Room},
	} {
		if f.a != f.b {
			fields = append(fields, f.name)
		}
	}
	return fields
}

// Likely reports whether two records are likely of one person: the same name
// with the same birthday or the same phone number.
func Likely(a, b Details) bool {
	return a.Name == b.Name && (a.BornOn != "" && a.BornOn == b.BornOn || a.Phone != "" && a.Phone == b.Phone)
}

// Completed is a record with what another knows in its place; what the other
// does not know stays.
func (d Details) Completed(by Details) Details {
	take := func(own *string, other string) {
		if other != "" {
			*own = other
		}
	}
	take(&d.Name, by.Name)
	take(&d.LatinName, by.LatinName)
	take(&d.Phone, by.Phone)
	take((*string)(&d.BornOn), string(by.BornOn))
	take((*string)(&d.Relation), string(by.Relation))
	if by.Estate != "" {
		d.Home = by.Home
	}
	return d
}
