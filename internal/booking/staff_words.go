package booking

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/a-h/templ"

	"github.com/linli-io/linli/internal/web"
)

// What the staff's pages say about bookings, in the reader's words.

// withDate is a page of a day.
func withDate(path string, d Date) string {
	return path + "?" + url.Values{"date": {d.String()}}.Encode()
}

// rowText says what has become of a booking and what happens to it next.
func rowText(v web.View, row *deskRow, now time.Time) string {
	b := &row.Booking
	due := ""
	if !b.DueAt.IsZero() {
		due = v.Time(b.DueAt)
	}
	switch {
	case b.State == StateHeld:
		return v.T("booking.staff.state.heldUntil", "Time", due)
	case b.State != StateBooked:
		return v.T("booking.staff.state." + string(b.State))
	case !b.CheckedInAt.IsZero():
		return v.T("booking.staff.state.arrivedAt", "Time", v.Time(b.CheckedInAt))
	case !b.End.After(now):
		return v.T("booking.staff.state.over")
	case due != "" && !b.Start.After(now):
		return v.T("booking.staff.state.releasedAt", "Time", due)
	}
	return v.T("booking.staff.state.booked")
}

// rowTone is how a booking's state is shown.
func rowTone(row *deskRow, now time.Time) web.Tone {
	b := &row.Booking
	switch {
	case b.State == StateRequested, b.State == StateHeld, b.State == StateBooked && b.CheckedInAt.IsZero() && !b.DueAt.IsZero() && !b.Start.After(now):
		return web.Warning
	case !b.CheckedInAt.IsZero() && b.Live():
		return web.Success
	}
	return web.Info
}

// deskColumns are the columns of a table of bookings. Those that would be
// empty in all rows are left out.
func deskColumns(v web.View, rows []*deskRow, withVenue bool) []web.Column {
	columns := []web.Column{{Label: v.T("booking.time")}, {Label: v.T("booking.staff.person")}}
	if withVenue {
		columns = append(columns, web.Column{Label: v.T("booking.staff.venue")})
	} else if hasPlaces(v, rows) {
		columns = append(columns, web.Column{Label: v.T("booking.staff.place")})
	}
	columns = append(columns, web.Column{Label: v.T("booking.state")})
	if hasNotes(rows) {
		columns = append(columns, web.Column{Label: v.T("booking.staff.note")})
	}
	if hasActions(rows) {
		columns = append(columns, web.Column{Label: v.T("booking.staff.actions")})
	}
	return columns
}

// deskCells are the cells that belong to deskColumns.
func deskCells(d *desk, rows []*deskRow, on Date, withVenue bool, back string) [][]templ.Component {
	cells := make([][]templ.Component, len(rows))
	places, notes, actions := hasPlaces(d.View, rows), hasNotes(rows), hasActions(rows)
	for i, row := range rows {
		line := []templ.Component{rowTime(d, row, on), who(d.View, row.Name, row.Phone)}
		place := placeText(d.View, *row.At, row.Place)
		if withVenue {
			if place != "" {
				place = " " + place
			}
			line = append(line, web.Text(row.At.DisplayName+place))
		} else if places {
			line = append(line, web.Text(place))
		}
		line = append(line, rowState(d, row))
		if notes {
			line = append(line, web.Text(row.Note))
		}
		if actions {
			line = append(line, rowActions(d, row, back))
		}
		cells[i] = line
	}
	return cells
}

func hasPlaces(v web.View, rows []*deskRow) bool {
	return slices.ContainsFunc(rows, func(row *deskRow) bool { return placeText(v, *row.At, row.Place) != "" })
}

func hasNotes(rows []*deskRow) bool {
	return slices.ContainsFunc(rows, func(row *deskRow) bool { return row.Note != "" })
}

func hasActions(rows []*deskRow) bool {
	return slices.ContainsFunc(rows, func(row *deskRow) bool { return row.CanCheckIn || row.State == StateRequested })
}

// lengths are how many slots in a row a booking may span.
func lengths(v web.View, at Venue) []web.Option {
	options := make([]web.Option, at.MaxSlots)
	for i := range options {
		span := Slot{End: time.Time{}.Add(time.Duration((i+1)*at.SlotMinutes) * time.Minute)}
		options[i] = web.Option{Value: strconv.Itoa(i + 1), Label: length(v, span)}
	}
	return options
}

// placeOptions are the places of a venue to choose from, none of them first.
func placeOptions(v web.View, at Venue) []web.Option {
	options := []web.Option{{Value: "0", Label: v.T("booking.staff.anyPlace")}}
	for place := 1; place <= at.Places; place++ {
		if at.hasPlace(place) {
			options = append(options, web.Option{Value: strconv.Itoa(place), Label: placeText(v, at, place)})
		}
	}
	return options
}

// freeText is a slot that can be booked, with how many places it has left.
func freeText(v web.View, at Venue, o Offer) string {
	if at.Capacity() <= 1 {
		return v.Time(o.Start)
	}
	return v.T("booking.staff.freeSlot", "Time", v.Time(o.Start), "Count", o.Free)
}
