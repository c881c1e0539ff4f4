package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/linli-io/linli/test/instance"
)

const (
	storedBookings = 100_000
	// The bookings lie on so many days before and after today: a year's.
	pastDays   = 350
	futureDays = 14
	// Requests are made one after the other, in pairs with the reference.
	pageRequests = 2_500
)

// measurePages compares a day's availability, as a page and as JSON, with a
// static file of the same server, while 100,000 bookings of a year are stored.
func measurePages(ctx context.Context, b *bench) ([]row, error) {
	in, err := b.instance("pages", communityWith("bench", 6))
	if err != nil {
		return nil, err
	}
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	// The first start makes the database.
	if err := errors.Join(in.Start(ctx), in.Stop()); err != nil {
		return nil, err
	}
	b.say("pages: storing %d bookings", storedBookings)
	today := time.Now().In(zone)
	if err := store(ctx, filepath.Join(in.DataDir(), "booking.db"), today); err != nil {
		return nil, fmt.Errorf("storing bookings: %w", err)
	}
	if err := in.Start(ctx); err != nil {
		return nil, err
	}

	client := instance.Client(1)
	day := func(n int) string { return today.AddDate(0, 0, 1+n%(futureDays-1)).Format(time.DateOnly) }
	kinds := []struct {
		name string
		url  func(n int) string
	}{
		{"page", func(n int) string { return in.URL() + "/booking/venues/" + venueName(0) + "?date=" + day(n) }},
		{"JSON", func(n int) string {
			return in.URL() + "/booking/api/v1/venues/" + venueName(0) + "/availability?date=" + day(n)
		}},
	}
	static := in.URL() + "/robots.txt"
	var rows []row
	for _, kind := range kinds {
		var took, base []time.Duration
		for n := range pageRequests + pageRequests/10 {
			t, err := timed(ctx, client, kind.url(n))
			if err != nil {
				return nil, err
			}
			s, err := timed(ctx, client, static)
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
				measure:   fmt.Sprintf("a day's availability, %s, %d bookings stored, %s", kind.name, storedBookings, q.name),
				linli:     milliseconds(quantile(took, q.share)),
				reference: "static file of the same server: " + milliseconds(quantile(base, q.share)),
				ratio:     times(float64(quantile(took, q.share)) / float64(quantile(base, q.share))),
				target:    "–",
			}
			if q.target > 0 {
				r.target, r.met = fmt.Sprintf("< %d ms", q.target.Milliseconds()), judge(quantile(took, q.share) < q.target)
			}
			b.say("pages: %s, %s %s", kind.name, q.name, r.linli)
			rows = append(rows, r)
		}
	}
	return rows, in.Stop()
}

// timed gets a page and says how long that took.
func timed(ctx context.Context, client *http.Client, url string) (time.Duration, error) {
	began := time.Now()
	err := get(ctx, client, url)
	return time.Since(began), err
}

// store writes bookings of an hour each, the same number on every day, all at
// the first venue, straight into the database file.
func store(ctx context.Context, path string, today time.Time) error {
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if err := insertBookings(ctx, tx, today); err != nil {
		return errors.Join(err, tx.Rollback(), db.Close())
	}
	return errors.Join(tx.Commit(), db.Close())
}

func insertBookings(ctx context.Context, tx *sql.Tx, today time.Time) error {
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
		if _, err := insertBooking.ExecContext(ctx, o.booking(id, fmt.Sprintf("person-%d", n%2000), o.start.Unix()-86400)...); err != nil {
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
