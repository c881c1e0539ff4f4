package web

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Language is a language that pages are written in.
type Language string

// The languages.
const (
	Chinese Language = "zh-CN"
	English Language = "en"
)

// Languages are all languages, the source of the messages first.
var Languages = []Language{Chinese, English}

var matcher = language.NewMatcher([]language.Tag{language.MustParse(string(Chinese)), language.English})

// accepted is the language for an Accept-Language header. Who names neither
// gets the one that readers of theirs know best according to CLDR (Chinese for
// Uyghur, English for German), and Chinese if that is not known.
func accepted(header string) Language {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return Chinese
	}
	_, i, _ := matcher.Match(tags...)
	return Languages[i]
}

// View is what every page knows of its reader and of the community.
type View struct {
	Lang Language
	// Elder says that the reader uses elder mode: larger text and targets.
	Elder bool
	// ModeChosen says that the reader has decided for or against elder mode.
	ModeChosen bool
	Community  *v1alpha1.Community
	// Location is the community's time zone.
	Location *time.Location
	// Reader is who is signed in, or nil.
	Reader *Reader
	// SignIn says that people can sign in, and are not just doing so.
	SignIn bool
	// Path is the page that switches lead back to.
	Path string

	localizer *i18n.Localizer
	// texts are the messages without plural forms, by id.
	texts map[string]text
}

// T returns the text of a message in the reader's language. args are pairs of
// a placeholder's name and its value; "Count" also chooses the plural form.
// An id that has no message is returned as it is; tests find it before a
// reader does.
func (v View) T(id string, args ...any) string {
	if t, ok := v.texts[id]; ok {
		return t.with(args)
	}
	c := &i18n.LocalizeConfig{MessageID: id}
	if len(args) > 0 {
		data := make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			name := fmt.Sprint(args[i])
			data[name] = args[i+1]
			if name == "Count" {
				c.PluralCount = args[i+1]
			}
		}
		c.TemplateData = data
	}
	text, err := v.localizer.Localize(c)
	if err != nil && text == "" {
		return id
	}
	return text
}

// text is a message without plural forms, cut at its placeholders: a piece,
// then a name and the piece after it, and so on. A page has hundreds of them,
// and the bundle negotiates the language and runs a template for each.
type text struct {
	first string
	rest  []struct{ name, after string }
}

var placeholder = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// parseText cuts a message; it is false if that has more than placeholders.
func parseText(message string) (t text, ok bool) {
	pieces, names := placeholder.Split(message, -1), placeholder.FindAllStringSubmatch(message, -1)
	t.first = pieces[0]
	for i, name := range names {
		t.rest = append(t.rest, struct{ name, after string }{name[1], pieces[i+1]})
	}
	return t, !slices.ContainsFunc(pieces, func(piece string) bool { return strings.Contains(piece, "{{") })
}

// with is the text with the values of T for its placeholders.
func (t text) with(args []any) string {
	if len(t.rest) == 0 {
		return t.first
	}
	b := []byte(t.first)
	for _, part := range t.rest {
		for i := 0; i+1 < len(args); i += 2 {
			if args[i] == part.name {
				if value, ok := args[i+1].(string); ok {
					b = append(b, value...)
				} else {
					b = fmt.Append(b, args[i+1])
				}
			}
		}
		b = append(b, part.after...)
	}
	return string(b)
}

// Name returns a person's name as the reader can read it.
func (v View) Name(name, latinName string) string {
	if v.Lang == English && latinName != "" {
		return latinName
	}
	return name
}

// In returns t in the community's time zone.
func (v View) In(t time.Time) time.Time { return t.In(v.Location) }

// Date returns the day of t in the community's time zone, such as
// 2026年11月23日 or 23 November 2026.
func (v View) Date(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Format("2 January 2006")
	}
	return v.In(t).Format("2006年1月2日")
}

// MonthOf returns the month of t, such as 2026年11月 or November 2026.
func (v View) MonthOf(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Format("January 2006")
	}
	return v.In(t).Format("2006年1月")
}

// Day returns the day of t with its weekday and without the year, such as
// 11月23日 星期一 or Monday 23 November.
func (v View) Day(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Format("Monday 2 January")
	}
	return v.In(t).Format("1月2日") + " " + v.Weekday(t)
}

// ShortDay returns the day of t as briefly as can be, such as 11月23日 or 23 Nov.
func (v View) ShortDay(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Format("2 Jan")
	}
	return v.In(t).Format("1月2日")
}

var chineseWeekdays = []string{"日", "一", "二", "三", "四", "五", "六"}

// Weekday returns the weekday of t, such as 星期一 or Monday.
func (v View) Weekday(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Weekday().String()
	}
	return "星期" + chineseWeekdays[v.In(t).Weekday()]
}

// ShortWeekday returns the weekday of t, such as 周一 or Mon.
func (v View) ShortWeekday(t time.Time) string {
	if v.Lang == English {
		return v.In(t).Weekday().String()[:3]
	}
	return "周" + chineseWeekdays[v.In(t).Weekday()]
}

// Time returns the time of day of t, such as 14:30.
func (v View) Time(t time.Time) string { return v.In(t).Format("15:04") }

// Money returns an amount of fen as people read it, such as ¥12.50.
func (v View) Money(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s¥%d.%02d", sign, fen/100, fen%100)
}

// separators are what people write into phone numbers and tel: links do without.
var separators = strings.NewReplacer(" ", "", "-", "")

// tel is a phone number as a tel: link wants it.
func tel(number string) string { return "tel:" + separators.Replace(number) }

// spaced is a phone number as people read it: a mobile number of China in
// groups of three, four and four digits, another as it is.
func spaced(number string) string {
	if len(number) == 11 && number[0] == '1' {
		return number[:3] + " " + number[3:7] + " " + number[7:]
	}
	return number
}
