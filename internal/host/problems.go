package host

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// The APIs' problem documents say what is wrong and where, never what the
// caller sent: huma would repeat the value, or the whole body, and programs
// write the errors that they get into logs of their own. A form in a page is
// another matter: what was typed stands in its fields again.
func init() {
	newError := huma.NewError
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		for i, err := range errs {
			if d, ok := err.(huma.ErrorDetailer); ok {
				errs[i] = withoutValue(*d.ErrorDetail())
			}
		}
		return newError(status, msg, errs...)
	}
}

var (
	// quoted is what a message may repeat of what was sent: texts in quotes,
	// unless they are those that may be sent, and numbers.
	quoted = regexp.MustCompile(`(?:one of )?"(?:[^"\\]|\\.)*"|[0-9]{5,}`)
	// property is what a property of ours may be called.
	property = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,30}$`)
)

// withoutValue takes out of the description of an error what the caller sent.
func withoutValue(d huma.ErrorDetail) *huma.ErrorDetail {
	if unknown := huma.ErrUnknownContentType.Error(); strings.HasPrefix(d.Message, unknown) {
		d.Message = unknown
	}
	sent := fmt.Sprint(d.Value)
	d.Value = nil
	d.Message = quoted.ReplaceAllStringFunc(d.Message, func(m string) string {
		switch {
		case strings.HasPrefix(m, "one of "), m[0] != '"' && !strings.Contains(sent, m):
			return m
		}
		return "…"
	})
	// A property that there is not has the name that the caller made up.
	if at := strings.LastIndexByte(d.Location, '.'); at >= 0 && strings.HasPrefix(d.Location, "body") && !property.MatchString(strings.TrimRight(d.Location[at+1:], "[]0123456789")) {
		d.Location = d.Location[:at]
	}
	return &d
}
