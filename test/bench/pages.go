package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/test/instance"
)

const (
	// Five years of a large study room, the same number on every day, up to
	// two weeks from now. What is past its retention is erased at the start, as
	// it is in life: the last year is left, and numbers of the others.
	storedBookings = 500_000
	pastDays       = 5*365 - futureDays
	futureDays     = 14
	// persons share them.
	persons = 2000
	// Requests are made one after the other, in pairs with the reference.
	pageRequests = 1_000
	// eraseWithin is how long it may take until what is past its retention is gone.
	eraseWithin = 10 * time.Minute
)

// measurePages compares pages, and a day as JSON, with a static file of the
// same server, after five years of bookings.
func measurePages(ctx context.Context, b *bench) ([]row, error) {
	in, err := b.instance("pages", communityWith("bench", 6))
	if err != nil {
		return nil, err
	}
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	// The first start makes the database.
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	people, err := in.People(ctx)
	if err != nil {
		return nil, err
	}
	today := time.Now().In(zone)
	resident, staff := people[0], people[slices.IndexFunc(people, func(p instance.Person) bool { return p.Account == "zhou-jianguo" })]
	id, err := personID(ctx, in, resident, today)
	if err != nil {
		return nil, err
	}
	if err := in.Stop(); err != nil {
		return nil, err
	}
	b.say("pages: storing %d bookings", storedBookings)
	path := filepath.Join(in.DataDir(), "booking.db")
	if err := store(ctx, path, today, id); err != nil {
		return nil, fmt.Errorf("storing bookings: %w", err)
	}
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	b.say("pages: waiting until what is past its retention is erased")
	left, err := erased(ctx, path, today)
	if err != nil {
		return nil, err
	}

	day := func(n int) string { return today.AddDate(0, 0, 1+n%(futureDays-1)).Format(time.DateOnly) }
	room := "/booking/venues/" + venueName(0)
	kinds := []page{
		{"a day, page", "", func(n int) string { return room + "?date=" + day(n) }},
		{"a week, page", "", func(n int) string { return room + "/week?date=" + day(n) }},
		{"a day, JSON", "", func(n int) string {
			return "/booking/api/v1/venues/" + venueName(0) + "/availability?date=" + day(n)
		}},
		{"own bookings, page", resident.Token, func(int) string { return "/booking/bookings/" }},
		{"the staff's day, page", staff.Token, func(n int) string { return "/booking/staff/?date=" + day(n) }},
		{"use by month, page", staff.Token, func(int) string { return "/booking/staff/use" }},
	}
	rows, err := b.comparePages(ctx, in, fmt.Sprintf("after five years (%d bookings, %d left)", storedBookings, left), kinds)
	return rows, errors.Join(err, in.Stop())
}

// personID books as somebody, and reads whose booking it became.
func personID(ctx context.Context, in *instance.Instance, p instance.Person, today time.Time) (string, error) {
	c, err := dial(ctx, in)
	if err != nil {
		return "", err
	}
	defer c.Close()
	o := order{venue: venueName(1), place: 1, start: time.Date(today.Year(), today.Month(), today.Day()+1, firstHour, 0, 0, 0, zone)}
	request, err := bookingRequest(ctx, in, p, o, "whose")
	if err != nil {
		return "", err
	}
	answer, err := c.send(request)
	if err != nil {
		return "", err
	}
	var made struct {
		Person string `json:"person"`
	}
	err = json.Unmarshal(answer, &made)
	return made.Person, err
}

// erased waits until no booking is left that is past its retention, and counts
// the others.
func erased(ctx context.Context, path string, today time.Time) (left int, err error) {
	until := today.Add(-booking.Retention(v1alpha1.VenueSeats)).Unix()
	return awaitErased(ctx, path, "SELECT COUNT(*), COUNT(*) FILTER (WHERE end_at <= ?) FROM bookings", until)
}

// awaitErased waits until the second number of a query, of what is past its
// retention, is 0, and returns the first, of all.
func awaitErased(ctx context.Context, path, query string, args ...any) (left int, err error) {
	ctx, cancel := context.WithTimeout(ctx, eraseWithin)
	defer cancel()
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return 0, err
	}
	defer db.Close()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var past int
		err := db.QueryRowContext(ctx, query, args...).Scan(&left, &past)
		if err != nil || past == 0 {
			return left, err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("%d rows past their retention are still there: %w", past, ctx.Err())
		case <-tick.C:
		}
	}
}

// page is one whose time is taken; path is that of the n-th request.
type page struct {
	name, token string
	path        func(n int) string
}

// comparePages takes the time of pages and, in pairs, of a static file.
func (b *bench) comparePages(ctx context.Context, in *instance.Instance, of string, pages []page) ([]row, error) {
	client := instance.Client(1)
	var rows []row
	for _, p := range pages {
		var took, base []time.Duration
		for n := range pageRequests + pageRequests/10 {
			t, err := timed(ctx, client, in.URL()+p.path(n), p.token)
			if err != nil {
				return nil, err
			}
			s, err := timed(ctx, client, in.URL()+"/robots.txt", "")
			if err != nil {
				return nil, err
			}
			if n >= pageRequests/10 { // the first tenth warms up
				took, base = append(took, t), append(base, s)
			}
		}
		for _, q := range []struct {
			name   string
			share  float64
			target time.Duration
		}{{"median", 0.5, 10 * time.Millisecond}, {"99th percentile", 0.99, 0}} {
			r := row{
				measure:   fmt.Sprintf("%s, %s, %s", p.name, of, q.name),
				linli:     milliseconds(quantile(took, q.share)),
				reference: "static file of the same server: " + milliseconds(quantile(base, q.share)),
				ratio:     times(float64(quantile(took, q.share)) / float64(quantile(base, q.share))),
				target:    "–",
			}
			if q.target > 0 {
				r.target, r.met = fmt.Sprintf("< %d ms", q.target.Milliseconds()), judge(quantile(took, q.share) < q.target)
			}
			b.say("%s, %s %s", p.name, q.name, r.linli)
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// timed gets a page and says how long that took.
func timed(ctx context.Context, client *http.Client, url, token string) (time.Duration, error) {
	began := time.Now()
	err := get(ctx, client, url, token)
	return time.Since(began), err
}

// store writes bookings of an hour each, the same number on every day, all at
// the first venue, straight into the database file. One of the persons is the
// resident.
func store(ctx context.Context, path string, today time.Time, resident string) error {
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if err := insertBookings(ctx, tx, today, resident); err != nil {
		return errors.Join(err, tx.Rollback(), db.Close())
	}
	return errors.Join(tx.Commit(), db.Close())
}

func insertBookings(ctx context.Context, tx *sql.Tx, today time.Time, resident string) error {
	insertBooking, err := tx.PrepareContext(ctx, insertBooking)
	if err != nil {
		return err
	}
	defer insertBooking.Close()
	insertCells, err := tx.PrepareContext(ctx, insertCells)
	if err != nil {
		return err
	}
	defer insertCells.Close()
	perDay := storedBookings/(pastDays+futureDays) + 1
	for n := range storedBookings {
		o := order{venue: venueName(0)}
		inDay, day := n%perDay, n/perDay
		o.place = 1 + inDay/slotsPerDay
		o.start = time.Date(today.Year(), today.Month(), today.Day()-pastDays+day, firstHour+inDay%slotsPerDay, 0, 0, 0, zone)
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		person := fmt.Sprintf("person-%d", n%persons)
		if n%persons == 0 {
			person = resident
		}
		if _, err := insertBooking.ExecContext(ctx, o.booking(id, person, o.start.Unix()-86400)...); err != nil {
			return err
		}
		if day < pastDays {
			continue // the cells of past days are swept away
		}
		if _, err := insertCells.ExecContext(ctx, o.cells()...); err != nil {
			return err
		}
	}
	return nil
}
