package identity

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// The directory answers for the people whom the demo provider knows, until a
// community's residents are kept by a service of their own. Where the demo
// provider is not allowed it knows nobody.

// Person returns the person with that ID; false if this community knows none.
func (i *Identity) Person(id string) (Person, bool) {
	_, p, ok := i.record(id)
	return p, ok
}

// ActsFor returns for whom p may act besides p itself: a parent, a child.
func (i *Identity) ActsFor(p Person) []Person {
	d, _, ok := i.record(p.ID)
	if !ok {
		return nil
	}
	s := i.settings()
	var family []Person
	for _, other := range demoRecords {
		if slices.Contains(d.family, other.name) {
			family = append(family, other.in(s))
		}
	}
	return family
}

// record returns what is known of the person with that ID.
func (i *Identity) record(id string) (demoRecord, Person, bool) {
	s := i.settings()
	if !s.DemoAllowed() {
		return demoRecord{}, Person{}, false
	}
	for _, d := range demoRecords {
		if p := d.in(s); p.ID == id {
			return d, p, true
		}
	}
	return demoRecord{}, Person{}, false
}

// Find returns at most limit people for staff to choose from: those in whose
// Chinese or Latin name every word of the query occurs, in any order and case,
// or, if the query is a number, those whose phone number has its digits. An
// empty query finds nobody, so that nobody can leaf through all residents.
func (i *Identity) Find(query string, limit int) []Person {
	s := i.settings()
	if !s.DemoAllowed() {
		return nil
	}
	matches := matcher(query)
	var found []Person
	for _, d := range demoRecords {
		if p := d.in(s); len(found) < limit && matches(p) {
			found = append(found, p)
		}
	}
	return found
}

// minPhoneDigits is how many digits of a phone number must be known to find
// whose it is.
const minPhoneDigits = 3

// matcher returns who is meant by a query.
func matcher(query string) func(Person) bool {
	// Chinese keyboards also write letters, digits and spaces in full width.
	words := strings.Fields(strings.ToLower(width.Fold.String(query)))
	if number, ok := phoneDigits(strings.Join(words, "")); ok {
		return func(p Person) bool { return hasDigits(p.Phone, number) }
	}
	return func(p Person) bool {
		latin := strings.ToLower(p.LatinName)
		joined := strings.ReplaceAll(latin, " ", "")
		for _, word := range words {
			if !strings.Contains(p.Name, word) && !strings.Contains(latin, word) && !strings.Contains(joined, word) {
				return false
			}
		}
		return len(words) > 0
	}
}

// phoneDigits returns the digits of what is written as a phone number; false
// if there is anything else in it.
func phoneDigits(s string) (digits string, ok bool) {
	for _, c := range s {
		switch {
		case '0' <= c && c <= '9':
			digits += string(c)
		case !strings.ContainsRune("+-()", c) && !unicode.IsSpace(c):
			return "", false
		}
	}
	return digits, digits != ""
}

// hasDigits reports whether digits are a part of a phone number, or the number
// with a country's code before it.
func hasDigits(phone, digits string) bool {
	if phone == "" || len(digits) < minPhoneDigits {
		return false
	}
	return strings.Contains(phone, digits) || strings.HasSuffix(digits, phone)
}
