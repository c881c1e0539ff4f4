package residents

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// minPhoneDigits is how many digits of a phone number must be known to find
// whose it is.
const minPhoneDigits = 3

// query is what staff type to find somebody: words of a name, in any order and
// case, or digits of a phone number. An empty one finds nobody, so that nobody
// can leaf through all residents.
type query struct {
	words []string
	// digits are those of a phone number; empty if the query is of words.
	digits string
}

func queryOf(text string) query {
	// Chinese keyboards also write letters, digits and spaces in full width.
	words := strings.Fields(strings.ToLower(width.Fold.String(text)))
	if digits, ok := phoneDigits(strings.Join(words, "")); ok {
		return query{digits: digits}
	}
	return query{words: words}
}

// empty says that the query finds nobody, whoever there is.
func (q query) empty() bool { return len(q.words) == 0 && len(q.digits) < minPhoneDigits }

// matches reports whether the person is meant.
func (q query) matches(d Details) bool {
	if q.empty() {
		return false
	}
	if q.digits != "" {
		return hasDigits(d.Phone, q.digits)
	}
	latin := strings.ToLower(d.LatinName)
	joined := strings.ReplaceAll(latin, " ", "")
	for _, word := range q.words {
		if !strings.Contains(strings.ToLower(d.Name), word) && !strings.Contains(latin, word) && !strings.Contains(joined, word) {
			return false
		}
	}
	return true
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
	if phone == "" {
		return false
	}
	return strings.Contains(phone, digits) || strings.HasSuffix(digits, phone)
}
