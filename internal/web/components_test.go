package web

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"rsc.io/qr"
)

// render returns the HTML of a component, which must hold to the content
// security policy: nothing inline.
func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var b strings.Builder
	if err := c.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, inline := range []string{" style=", "<style", "<script", " onclick="} {
		if strings.Contains(b.String(), inline) {
			t.Errorf("%q is inline: %s", inline, &b)
		}
	}
	return b.String()
}

// has checks that html has all wants, in their order.
func has(t *testing.T, html string, wants ...string) {
	t.Helper()
	rest := html
	for _, want := range wants {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Errorf("no %q, at least not in its place, in %s", want, html)
			return
		}
		rest = after
	}
}

var spaces = regexp.MustCompile(`\s+`)

// words is the text of HTML, as a screen reader would tell it.
func words(html string) string {
	return strings.TrimSpace(spaces.ReplaceAllString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, " "), " "))
}

func TestWeekGrid(t *testing.T) {
	p := newPages(t, Options{})
	w := Week{
		ID: "w", Caption: "Table tennis, 23 to 24 November",
		Days: []WeekDay{{Weekday: "Mon", Date: "23 Nov", Href: "/d?date=2026-11-23"}, {Weekday: "Tue", Date: "24 Nov", Today: true}},
		Times: []WeekTime{
			{"09:00", []WeekCell{{State: WeekPast}, {State: WeekFree, Href: "/book?a=1&b=2"}}},
			{"10:00", []WeekCell{{State: WeekFull, Href: "/wait"}, {State: WeekMine, Href: "/mine"}}},
			{"11:00", []WeekCell{{State: WeekClosed}, {State: WeekFree, Label: "12 left", Href: "/b"}}},
			{"12:00", []WeekCell{{}, {State: WeekFull}}},
		},
	}
	html := render(t, WeekGrid(view(t, p, "en"), w))
	has(t, html, `role="region" aria-labelledby="w" tabindex="0"`, `<caption id="w"`, "Table tennis",
		`<th scope="col"><a class="week-day" href="/d?date=2026-11-23"`, `<th scope="col" aria-current="date"><span class="week-day"`,
		`<th scope="row">09:00</th>`, `class="week-cell past"`, `class="week-cell free" href="/book?a=1&amp;b=2"`,
		`<th scope="row">12:00</th><td></td>`)
	// Every cell says in words what it is, and a link also of when, for who
	// hears it outside of the table.
	want := "Table tennis, 23 to 24 November Time Mon 23 Nov Today 24 Nov " +
		"09:00 Past Tue 24 Nov 09:00: Free " +
		"10:00 Mon 23 Nov 10:00: Full Tue 24 Nov 10:00: Mine " +
		"11:00 Shut Tue 24 Nov 11:00: 12 left " +
		"12:00 Full"
	if got := words(html); got != want {
		t.Errorf("it reads\n%s\nwant\n%s", got, want)
	}
	if got := words(render(t, WeekGrid(view(t, p, "zh"), w))); !strings.Contains(got, "09:00： 可约") || !strings.Contains(got, "不开") {
		t.Errorf("in Chinese it reads %s", got)
	}
}

func TestDataTable(t *testing.T) {
	v := view(t, newPages(t, Options{}), "en")
	html := render(t, DataTable(Table{
		Caption: "Today",
		Columns: []Column{{Label: "Time"}, {Label: "Name"}, {Label: "Phone"}, {Label: "People", Number: true}},
		Rows: [][]templ.Component{
			{Text("09:00"), Text("<王桂花>"), Call(v, "王桂花", "13800000003"), Text("2")},
			{Text("10:00"), Text("李小满"), Call(v, "李小满", ""), Text("1")},
		},
	}))
	has(t, html, `role="table"`, "<caption>Today</caption>", `<th scope="col" role="columnheader" class="number">People</th>`,
		`<th scope="row" role="rowheader" data-label="Time">09:00</th>`,
		`<td role="cell" data-label="Name">&lt;王桂花&gt;</td>`,
		`href="tel:13800000003"`, "Phone of 王桂花", "138 0000 0003",
		`<td role="cell" data-label="People" class="number">2</td>`,
		`<td role="cell" data-label="Phone"></td>`)
}

func TestBarChart(t *testing.T) {
	html := render(t, BarChart(Bars{ID: "use", Title: "Use", Description: "by month", Bars: []Bar{
		{"September", 30, "30 bookings"}, {"October", 0, "0 bookings"}, {"November", 40, "40 bookings"},
	}}))
	if got := words(html); got != "Use by month September 30 bookings October 0 bookings November 40 bookings" {
		t.Errorf("it reads %s", got)
	}
	has(t, html, `aria-labelledby="use"`, `id="use"`, `width="75.00%"`, "October", "November", `width="100.00%"`)
	if n := strings.Count(html, `class="amount"`); n != 2 {
		t.Errorf("%d bars, want 2: nothing has none", n)
	}
	has(t, render(t, BarChart(Bars{Bars: []Bar{{"May", 0, "none"}}})), "none")
}

// The picture has exactly the code's modules, with the margin that readers
// need around them.
func TestQR(t *testing.T) {
	const address = "http://zhanqian.yutai.localhost:8080/booking/at/table-tennis"
	v := view(t, newPages(t, Options{}), "en")
	html := render(t, QR(v, address))
	code, err := qr.Encode(address, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	has(t, html, `role="img"`, `aria-label="QR code that reads: `+address+`"`, `viewBox="0 0 41 41"`)
	if code.Size != 33 {
		t.Fatalf("the code has %d modules to a side", code.Size)
	}
	black := map[[2]int]bool{}
	_, path, _ := strings.Cut(html, ` d="`)
	path, _, _ = strings.Cut(path, `"`)
	for _, run := range strings.Split(strings.TrimPrefix(path, "M"), "M") {
		var x, y, n, back int
		if _, err := fmt.Sscanf(run, "%d %dh%dv1H%dz", &x, &y, &n, &back); err != nil || back != x {
			t.Fatalf("run %q: %v", run, err)
		}
		for i := range n {
			black[[2]int{x + i, y}] = true
		}
	}
	for y := range 41 {
		for x := range 41 {
			if want := code.Black(x-4, y-4); black[[2]int{x, y}] != want {
				t.Fatalf("module %d, %d is black: %v, want %v", x, y, !want, want)
			}
		}
	}
	if err := QR(v, strings.Repeat("long", 1000)).Render(context.Background(), &strings.Builder{}); err == nil {
		t.Error("a text that is too long for a code")
	}
}

func TestPoster(t *testing.T) {
	v := view(t, newPages(t, Options{}), "en")
	has(t, render(t, Poster(v, "Clinic", "Check in here", "http://a/b")), "站前社区", "<h1>Clinic</h1>", "Check in here",
		`aria-label="QR code that reads: http://a/b"`, "http://a/b</strong>")
}

func TestSectionNav(t *testing.T) {
	html := render(t, SectionNav("Staff", []Tab{{"Today", "/staff/", true}, {"Venues", "/staff/venues?a=b&c", false}}))
	has(t, html, `<nav class="section-nav" aria-label="Staff">`, `<a href="/staff/" aria-current="page">Today</a>`,
		`<a href="/staff/venues?a=b&amp;c">Venues</a>`)
	if strings.Count(html, "aria-current") != 1 {
		t.Errorf("more than one current page: %s", html)
	}
}

func TestPager(t *testing.T) {
	has(t, render(t, Pager(Link{"Before", "/a"}, Link{"After", "/b"})), `<a rel="prev" href="/a">Before</a>`, `<a rel="next" href="/b">After</a>`)
	if html := render(t, Pager(Link{"Before", ""}, Link{"After", "/b"})); strings.Contains(html, "Before") {
		t.Errorf("a link to nowhere: %s", html)
	}
	if html := render(t, Pager(Link{}, Link{})); html != "" {
		t.Errorf("nothing to page through: %s", html)
	}
}

func TestFilters(t *testing.T) {
	v := view(t, newPages(t, Options{}), "en")
	fields := templ.Join(
		Field(v, Input{ID: "date", Name: "date", Type: "date", Label: "Day", Value: "2026-11-23", Min: "2026-11-01", Max: "2026-11-30"}),
		Field(v, Input{ID: "venue", Name: "venue", Type: "select", Label: "Venue", Value: "b", Options: []Option{{Label: "All"}, {Value: "b", Label: "<B>"}}}),
	)
	html := render(t, templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return Filters(v, "/staff/").Render(templ.WithChildren(ctx, fields), w)
	}))
	has(t, html, `<form class="filters" method="get" action="/staff/">`, `<input value="2026-11-23"`, `max="2026-11-30" min="2026-11-01"`, `type="date"`,
		`<select id="venue" name="venue"><option value="">All</option>`, `<option value="b" selected>&lt;B&gt;</option></select>`, ">Show</button>")
}

func TestChoices(t *testing.T) {
	v := view(t, newPages(t, Options{}), "en")
	c := Choice{
		ID: "for", Name: "person", Legend: "Who is it for?", Hint: "Yourself or your family",
		Options: []Option{{"1", "Myself", ""}, {"2", "<Mother>", "72"}}, Values: []string{"2"},
	}
	html := render(t, Choices(v, c))
	has(t, html, `<fieldset class="choices" aria-describedby="for-hint"><legend>Who is it for?</legend>`, `id="for-hint"`,
		`<input id="for" name="person" type="radio" value="1">`, "Myself",
		`<input checked name="person" type="radio" value="2">`, "&lt;Mother&gt;", "72", "</fieldset>")
	c.Several, c.Hint, c.Error = true, "", "Choose somebody"
	has(t, render(t, Choices(v, c)), `has-error`, `aria-describedby="for-error"`, `id="for-error"`, "Error:", "Choose somebody",
		`<input id="for" name="person" type="checkbox" value="1">`)
}

func TestNumbersAsPeopleReadThem(t *testing.T) {
	for number, want := range map[string]string{
		"13800000003": "138 0000 0003", "05370000101": "05370000101", "+8613800000003": "+8613800000003", "110": "110", "": "",
	} {
		if got := spaced(number); got != want {
			t.Errorf("%q is read %q, want %q", number, got, want)
		}
	}
}
