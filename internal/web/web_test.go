package web

import (
	"bytes"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
)

func newPages(t *testing.T, o Options) *Pages {
	t.Helper()
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	o.Site = func() Site {
		return Site{Community: &v1alpha1.Community{Spec: v1alpha1.CommunitySpec{DisplayName: "站前社区", Phone: "0537 000-0101"}}, Location: shanghai}
	}
	o.Reader = func(*http.Request) (Reader, bool) { return Reader{}, false }
	o.Log = slog.New(slog.DiscardHandler)
	p, err := NewPages(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func view(t *testing.T, p *Pages, language string) View {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/a?b=c", nil)
	r.Header.Set("Accept-Language", language)
	return p.View(r)
}

func TestLanguageOfTheBrowser(t *testing.T) {
	for header, want := range map[string]Language{
		"":                           Chinese,
		"zh-CN,zh;q=0.9,en;q=0.8":    Chinese,
		"zh-TW":                      Chinese,
		"en":                         English,
		"en-US,en;q=0.9,zh-CN;q=0.8": English,
		"de-DE,en;q=0.5":             English,
		"de-DE":                      English,
		"ug":                         Chinese,
		"bo-CN":                      Chinese,
		"nonsense;;;":                Chinese,
		"en;q=0.1,zh;q=0.9":          Chinese,
	} {
		if got := accepted(header); got != want {
			t.Errorf("Accept-Language %q: %s, want %s", header, got, want)
		}
	}
}

// Days are the community's days: this moment is still Sunday in UTC.
func TestDatesInWords(t *testing.T) {
	p := newPages(t, Options{})
	moment := time.Date(2026, 11, 22, 16, 5, 0, 0, time.UTC)
	for language, want := range map[string][]string{
		"zh": {"2026年11月23日", "11月23日 星期一", "11月23日", "星期一", "周一", "00:05"},
		"en": {"23 November 2026", "Monday 23 November", "23 Nov", "Monday", "Mon", "00:05"},
	} {
		v := view(t, p, language)
		got := []string{v.Date(moment), v.Day(moment), v.ShortDay(moment), v.Weekday(moment), v.ShortWeekday(moment), v.Time(moment)}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %q, want %q", language, got[i], want[i])
			}
		}
	}
}

func TestValuesInMessages(t *testing.T) {
	texts := fstest.MapFS{
		"zh-CN.toml": {Data: []byte("\"a.plain\" = \"没有\"\n\"a.span\" = \"{{.From}}到{{.To}}，从{{.From}}起\"\n\"a.template\" = \"{{if .Late}}晚{{else}}早{{end}} {{.From}}\"")},
		"en.toml":    {Data: []byte("\"a.plain\" = \"none\"\n\"a.span\" = \"{{.From}} to {{.To}}, from {{.From}} on\"\n\"a.template\" = \"{{if .Late}}late{{else}}early{{end}} {{.From}}\"")},
	}
	v := view(t, newPages(t, Options{Messages: []fs.FS{texts}}), "zh")
	for _, c := range []struct{ got, want string }{
		{v.T("a.plain"), "没有"},
		{v.T("a.plain", "From", 1), "没有"},
		{v.T("a.span", "To", "十点", "From", 9), "9到十点，从9起"},
		{v.T("a.span", "From", "{{.To}}", "To", 10), "{{.To}}到10，从{{.To}}起"},
		{v.T("a.template", "Late", true, "From", 9), "晚 9"},
		{v.T("a.missing"), "a.missing"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestMessagesOfServices(t *testing.T) {
	texts := fstest.MapFS{
		"zh-CN.toml": {Data: []byte(`"a.seats" = "{{.Name}}还剩{{.Count}}个座位"`)},
		"en.toml":    {Data: []byte("[\"a.seats\"]\none = \"{{.Count}} seat left in {{.Name}}\"\nother = \"{{.Count}} seats left in {{.Name}}\"\n")},
	}
	p := newPages(t, Options{Messages: []fs.FS{texts}})
	for _, c := range []struct {
		language string
		count    int
		want     string
	}{
		{"zh", 1, "自习室还剩1个座位"}, {"en", 1, "1 seat left in 自习室"}, {"en", 2, "2 seats left in 自习室"},
	} {
		if got := view(t, p, c.language).T("a.seats", "Name", "自习室", "Count", c.count); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	_, err := NewPages(Options{Messages: []fs.FS{texts, texts}})
	if err == nil || !strings.Contains(err.Error(), "a.seats") {
		t.Errorf("a message defined twice: %v", err)
	}
}

func TestSwitchesLeadBack(t *testing.T) {
	p := newPages(t, Options{})
	for _, c := range []struct{ method, referer, want string }{
		{http.MethodGet, "", "/a?b=c"},
		{http.MethodPost, "http://example.com/form?x=y", "/form?x=y"},
		{http.MethodPost, "http://evil.example/form", "/"},
		{http.MethodPost, "", "/"},
	} {
		r := httptest.NewRequest(c.method, "http://example.com/a?b=c", nil)
		r.RequestURI = ""
		r.Header.Set("Referer", c.referer)
		if got := p.View(r).Path; got != c.want {
			t.Errorf("%s from %q: %q, want %q", c.method, c.referer, got, c.want)
		}
	}
}

func TestFieldShowsItsError(t *testing.T) {
	v := view(t, newPages(t, Options{}), "en")
	var b bytes.Buffer
	err := Field(v, Input{ID: "note", Name: "note", Label: "Note", Hint: "A line", Error: "Too long", Value: `"><b>`, MaxLength: 9}).Render(t.Context(), &b)
	if err != nil {
		t.Fatal(err)
	}
	html := b.String()
	for _, want := range []string{`<label for="note">Note</label>`, `aria-describedby="note-hint note-error"`, `aria-invalid="true"`,
		`id="note-error"`, "Too long", `maxlength="9"`, "&#34;&gt;&lt;b&gt;"} {
		if !strings.Contains(html, want) {
			t.Errorf("the field does not have %q: %s", want, html)
		}
	}
	b.Reset()
	if err := ErrorSummary(v, []FieldError{{"note", "Too long"}}).Render(t.Context(), &b); err != nil || !strings.Contains(b.String(), `href="#note"`) {
		t.Errorf("the summary does not lead to the field: %s, %v", b.String(), err)
	}
	b.Reset()
	if err := ErrorSummary(v, nil).Render(t.Context(), &b); err != nil || b.Len() != 0 {
		t.Errorf("a summary of nothing: %q, %v", b.String(), err)
	}
}

func TestPhoneDials(t *testing.T) {
	var b bytes.Buffer
	if err := Phone(view(t, newPages(t, Options{}), "en")).Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	if html := b.String(); !strings.Contains(html, `href="tel:05370000101"`) || !strings.Contains(html, "0537 000-0101") {
		t.Error(html)
	}
}
