package booking

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/linli-io/linli/internal/web"
)

// monthUse is how much a venue was used in a month.
type monthUse struct {
	Venue, Title, Month string
	// Kept are bookings that stand or stood, Released those for which nobody
	// came, Cancelled those that were given up; Other were refused or not
	// answered in time.
	Kept, Released, Cancelled, Other int
	// Minutes is how long the kept ones were together.
	Minutes int
	// Open is how many minutes all places were open together, by the hours of
	// today; 0 if nobody knows.
	Open int
}

// share is how much of the open time was used, in percent; -1 if nobody knows.
func (u monthUse) share() int {
	if u.Open == 0 {
		return -1
	}
	return (100*u.Minutes + u.Open/2) / u.Open
}

// useView is what the page of the use of venues shows.
type useView struct {
	desk
	Venues []Venue
	// Venue is the venue that is shown; empty is all. From and To are months,
	// YYYY-MM, both within what is shown.
	Venue, From, To string
	Rows            []monthUse
}

// useMonths is how many months are shown if nobody says otherwise, offeredMonths
// how many may be chosen from.
const (
	useMonths     = 12
	offeredMonths = 60
)

// months are the last n months, this one first.
func (d desk) months(n int) []string {
	months := make([]string, n)
	for i := range months {
		months[i] = monthsBefore(d.today(), i)
	}
	return months
}

// useView prepares the page and the table from an address.
func (s *service) useView(r *http.Request) (p useView, err error) {
	if p.desk, err = s.desk(r, staffUsePath); err != nil {
		return p, err
	}
	ctx, query := r.Context(), r.URL.Query()
	if p.Venues, err = s.store.Venues(ctx, p.Now); err != nil {
		return p, err
	}
	p.Venue = query.Get("venue")
	if p.From, p.To, err = useSpan(query.Get("from"), query.Get("to"), p.today()); err != nil {
		return p, ErrNotFound
	}
	p.From, p.To = min(p.From, p.To), max(p.From, p.To)
	uses, err := s.store.Use(ctx, p.From, p.To)
	if err != nil {
		return p, err
	}
	names, err := s.store.VenueNames(ctx)
	if err != nil {
		return p, err
	}
	p.Rows = useRows(uses, names, p.Venues)
	if p.Venue != "" {
		p.Rows = slices.DeleteFunc(p.Rows, func(u monthUse) bool { return u.Venue != p.Venue })
	}
	return p, nil
}

// useRows adds up uses by venue and month: the venues in their order, the
// latest month first.
func useRows(uses []Use, names map[string]string, venues []Venue) []monthUse {
	var rows []monthUse
	for _, use := range uses {
		i := slices.IndexFunc(rows, func(u monthUse) bool { return u.Venue == use.Venue && u.Month == use.Month })
		if i < 0 {
			rows = append(rows, monthUse{Venue: use.Venue, Title: names[use.Venue], Month: use.Month})
			i = len(rows) - 1
		}
		row := &rows[i]
		switch use.State {
		case StateBooked:
			row.Kept += use.Bookings
			row.Minutes += use.Minutes
		case StateReleased:
			row.Released += use.Bookings
		case StateCancelled:
			row.Cancelled += use.Bookings
		case StateRefused, StateExpired:
			row.Other += use.Bookings
		}
	}
	for i, row := range rows {
		if at := slices.IndexFunc(venues, func(v Venue) bool { return v.Name == row.Venue }); at >= 0 {
			rows[i].Open = openMinutes(venues[at], row.Month)
		}
	}
	place := func(name string) int {
		if i := slices.IndexFunc(venues, func(v Venue) bool { return v.Name == name }); i >= 0 {
			return i
		}
		return len(venues) // retired ones last
	}
	slices.SortStableFunc(rows, func(a, b monthUse) int {
		if c := place(a.Venue) - place(b.Venue); c != 0 {
			return c
		}
		if c := strings.Compare(a.Venue, b.Venue); c != 0 {
			return c
		}
		return strings.Compare(b.Month, a.Month)
	})
	return rows
}

// openMinutes is how many minutes a venue's places are open together in a
// month by its hours, closed dates left out.
func openMinutes(v Venue, month string) int {
	first, err := ParseDate(month + "-01")
	if err != nil {
		return 0
	}
	var byDay [7]int
	for day, hours := range v.Hours {
		for _, h := range hours {
			if len(v.Attendants) == 0 {
				byDay[day] += (h.To - h.From) * v.Places
			}
			for _, a := range v.Attendants {
				byDay[day] += attended(a, day, h)
			}
		}
	}
	open := 0
	for d := first; d.Month == first.Month; d = d.AddDays(1) {
		if !v.ClosedDates[d] {
			open += byDay[d.Weekday()]
		}
	}
	return open
}

// attended is how many minutes of some opening hours an attendant is there.
func attended(a Attendant, day int, open Hours) int {
	if a.Hours == nil {
		return open.To - open.From
	}
	minutes := 0
	for _, h := range a.Hours[day] {
		minutes += max(0, min(h.To, open.To)-max(h.From, open.From))
	}
	return minutes
}

func (s *service) usePage(w http.ResponseWriter, r *http.Request) {
	p, err := s.useView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, usePage(p))
}

// useFile is the table as a file that spreadsheets open.
func (s *service) useFile(w http.ResponseWriter, r *http.Request) {
	p, err := s.useView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	file, err := web.CSV(p.records())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", typeCSV+"; charset=utf-8")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="use-%s-%s.csv"`, p.From, p.To))
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(file); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}

// records are the lines of the file, the headings first.
func (p useView) records() [][]string {
	var headings []string
	for _, c := range p.columns() {
		headings = append(headings, c.Label)
	}
	records := [][]string{headings}
	for _, u := range p.Rows {
		records = append(records, []string{
			u.Title, u.Month, strconv.Itoa(u.Kept), strconv.Itoa(u.Released), strconv.Itoa(u.Cancelled), strconv.Itoa(u.Other),
			hoursText(u.Minutes), shareText(u),
		})
	}
	return records
}

// hoursText are minutes as hours with one decimal.
func hoursText(minutes int) string { return strconv.FormatFloat(float64(minutes)/60, 'f', 1, 64) }

// shareText is the share of the open time that was used; empty if nobody knows.
func shareText(u monthUse) string {
	if u.share() < 0 {
		return ""
	}
	return strconv.Itoa(u.share()) + "%"
}

// columns are the columns of the table and of the file.
func (p useView) columns() []web.Column {
	return []web.Column{
		{Label: p.T("booking.staff.venue")}, {Label: p.T("booking.staff.month")}, {Label: p.T("booking.staff.kept"), Number: true},
		{Label: p.T("booking.staff.released"), Number: true}, {Label: p.T("booking.staff.cancelled"), Number: true}, {Label: p.T("booking.staff.otherEnds"), Number: true},
		{Label: p.T("booking.staff.hoursUsed"), Number: true}, {Label: p.T("booking.staff.shareUsed"), Number: true},
	}
}

// bars are the hours that were used: by month of one venue, or by venue.
func (p useView) bars() web.Bars {
	bars := web.Bars{ID: "use", Title: p.T("booking.staff.barsByVenue"), Description: p.T("booking.staff.barsText")}
	add := func(label string, minutes int) {
		i := slices.IndexFunc(bars.Bars, func(b web.Bar) bool { return b.Label == label })
		if i < 0 {
			bars.Bars = append(bars.Bars, web.Bar{Label: label})
			i = len(bars.Bars) - 1
		}
		bars.Bars[i].Value += minutes
	}
	if p.Venue == "" {
		for _, u := range p.Rows {
			add(u.Title, u.Minutes)
		}
	} else {
		bars.Title = p.T("booking.staff.barsByMonth")
		for _, u := range slices.Backward(p.Rows) {
			add(u.Month, u.Minutes)
		}
	}
	for i, bar := range bars.Bars {
		bars.Bars[i].Text = p.T("booking.staff.hoursCount", "Hours", hoursText(bar.Value))
	}
	return bars
}

// file is the address of the table as a file.
func (p useView) file() string {
	return staffUsePath + ".csv?" + url.Values{"venue": {p.Venue}, "from": {p.From}, "to": {p.To}}.Encode()
}
