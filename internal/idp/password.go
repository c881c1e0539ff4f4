package idp

import (
	"crypto/rand"
	"crypto/subtle"
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// What passwords must be. There are no classes of characters to be served: they
// make passwords that are easier to guess than to remember (NIST SP 800-63B).
const (
	minPassword = 10  // characters
	maxPassword = 256 // bytes
)

// Cost of argon2id, after OWASP's recommendation: 19 MiB, two passes.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32
	// hashers is how many passwords are hashed at the same time.
	hashers = 2
)

// normalPassword is a password as it is compared: keyboards write the same
// characters in different ways.
func normalPassword(typed string) string { return norm.NFKC.String(typed) }

// hashPassword returns an argon2id hash in PHC form.
func hashPassword(password string) string {
	salt := make([]byte, argonSalt)
	rand.Read(salt)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b64.EncodeToString(salt), b64.EncodeToString(key))
}

// isPassword says whether a hash is of that password. A hash that cannot be
// read is of none.
func isPassword(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || len(password) > maxPassword {
		return false
	}
	var version, memory, time, lanes int
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &lanes); err != nil || version != argon2.Version {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, uint32(time), uint32(memory), uint8(lanes), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}

// badPassword returns the message that says why a password is refused; empty
// if it is not. phone is the normal number of who chooses it.
func badPassword(password, phone string) string {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "idp.passwordShort"
	case len(password) > maxPassword:
		return "idp.passwordLong"
	case hasPhone(password, phone):
		return "idp.passwordPhone"
	case isCommon(password):
		return "idp.passwordCommon"
	}
	return ""
}

// hasPhone says that the digits of a password hold the number, or the eight
// digits that it ends with.
func hasPhone(password, phone string) bool {
	digits := strings.Map(func(c rune) rune {
		if c < '0' || c > '9' {
			return -1
		}
		return c
	}, password)
	phone = strings.TrimPrefix(phone, "+")
	return strings.Contains(digits, phone[max(0, len(phone)-8):])
}

//go:embed passwords.txt
var passwordWords string

// commonWords are the words that common passwords are made of.
var commonWords = sync.OnceValue(func() []string { return strings.Fields(passwordWords) })

// rows are what fingers run along.
var rows = []string{
	"abcdefghijklmnopqrstuvwxyz", "01234567890", "qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./",
	"1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0", "qazwsxedcrfvtgbyhnujm", "147258369", "!@#$%^&*()",
}

// isCommon says that a password is one of those that are tried first: common
// words with little around them, runs along the alphabet or the keyboard, the
// same again and again. The lists of leaked passwords of ten characters and
// more consist of them nearly to the last.
func isCommon(password string) bool {
	s := strings.ToLower(password)
	return repeats(s) || leftOver(s, nil) < minFresh || leftOver(s, commonWords()) < minFresh
}

// minFresh is how much of a password must be left beside what is common in it.
const minFresh = 4

// repeats says that a password is one short piece again and again.
func repeats(s string) bool {
	for n := 1; n <= len(s)/2 && n <= 5; n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)/n+1), s) {
			return true
		}
	}
	distinct := []rune(s)
	slices.Sort(distinct)
	return len(slices.Compact(distinct)) <= 3
}

// date is a day as people write it without signs: a birthday.
var date = regexp.MustCompile(`^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])`)

// leftOver is how many characters are left when common words and dates count
// for nothing, and runs of three or more for one.
func leftOver(s string, words []string) int {
	count := 0
	for s != "" {
		if n := max(longestWord(s, words), len(date.FindString(s))); n > 0 {
			s = s[n:]
			continue
		}
		if n := longestRun(s); n >= 3 {
			s = s[n:]
			count++
			continue
		}
		_, size := utf8.DecodeRuneInString(s)
		s = s[size:]
		count++
	}
	return count
}

// longestWord is how much of the beginning of s is a common word, in letters
// or in the digits and signs that stand for them.
func longestWord(s string, words []string) int {
	plain := unleet(s)
	longest := 0
	for _, w := range words {
		if len(w) > longest && (strings.HasPrefix(s, w) || strings.HasPrefix(plain, w)) {
			longest = len(w)
		}
	}
	return longest
}

// unleet is s with the letters that digits and signs stand for.
func unleet(s string) string {
	return strings.Map(func(c rune) rune {
		if i := strings.IndexRune("@4301!5$7", c); i >= 0 {
			return rune("aaeoiisst"[i])
		}
		return c
	}, s)
}

// longestRun is how much of the beginning of s is a run along one of the rows,
// in either direction, or one character again and again.
func longestRun(s string) int {
	n := 1
	for n < len(s) && s[n] == s[0] {
		n++
	}
	for _, row := range rows {
		for _, direction := range []string{row, reversed(row)} {
			for m := n + 1; m <= len(s) && strings.Contains(direction, s[:m]); m++ {
				n = m
			}
		}
	}
	return n
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
