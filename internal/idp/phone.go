package idp

import (
	"errors"
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// errPhone is returned for what is no phone number.
var errPhone = errors.New("not a phone number")

var (
	// mainland is a mobile number as the country's own phones dial it.
	mainland = regexp.MustCompile(`^1[0-9]{10}$`)
	// abroad is a number in E.164.
	abroad = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
)

// normalPhone returns a number as it is kept and compared: a mobile number of
// the mainland as eleven digits, any other in E.164 with its plus sign. People
// type digits in full width, put spaces, hyphens and brackets between them, and
// begin with +86, 0086 or 86.
func normalPhone(typed string) (string, error) {
	s := strings.Map(func(c rune) rune {
		switch c {
		case ' ', '\t', '-', '‐', '‑', '–', '—', '(', ')', '.', '·', '\u200b', '\u202a', '\u202c':
			return -1
		}
		return c
	}, norm.NFKC.String(strings.TrimSpace(typed)))
	if rest, ok := strings.CutPrefix(s, "00"); ok {
		s = "+" + rest
	}
	if rest, ok := strings.CutPrefix(s, "+86"); ok {
		s = rest
	} else if rest, ok := strings.CutPrefix(s, "86"); ok && mainland.MatchString(rest) {
		s = rest
	}
	if mainland.MatchString(s) || abroad.MatchString(s) {
		return s, nil
	}
	return "", errPhone
}

// e164 is a normal number as tokens and message gateways want it.
func e164(phone string) string {
	if strings.HasPrefix(phone, "+") {
		return phone
	}
	return "+86" + phone
}

// normalDigits returns what was typed into a field for digits, without spaces
// and in plain digits.
func normalDigits(typed string) string {
	return strings.Map(func(c rune) rune {
		if c == ' ' || c == '-' {
			return -1
		}
		return c
	}, norm.NFKC.String(strings.TrimSpace(typed)))
}

// spacedPhone is a normal number as people read it.
func spacedPhone(phone string) string {
	if len(phone) == 11 && phone[0] == '1' {
		return phone[:3] + " " + phone[3:7] + " " + phone[7:]
	}
	return phone
}
