package linearizability

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// readFinal reads what the database holds after the fight, by the operations
// that made it.
func readFinal(t *testing.T, db *sql.DB, c calendar, seen []porcupine.Operation) final {
	t.Helper()
	f := final{bookings: map[int32]record{}, entries: map[int32]entryRecord{}, closures: map[int32]closureRecord{}}
	joined := map[string]int32{}
	for _, op := range seen {
		if out := op.Output.(output); out.id != "" {
			joined[out.id] = op.Input.(input).booking
		}
	}
	ofHold := map[string]int32{} // entries by the hold that they were offered
	each(t, db, "SELECT id, venue, place, start_at, end_at, joined_at, state, COALESCE(CAST(booking AS TEXT), '') FROM waiting", func(rows *sql.Rows) error {
		var e entryRecord
		var start, end int64
		var hold string
		if err := rows.Scan(&e.id, &e.venue, &e.place, &start, &end, &e.joined, &e.state, &hold); err != nil {
			return err
		}
		e.place-- // 0 is any place
		e.from, e.to = c.cell(time.Unix(start, 0)), c.cell(time.Unix(end, 0))
		e.offered = e.state == "offered"
		var known bool
		if e.booking, known = joined[e.id]; !known {
			t.Errorf("entry %s of the waiting list was never acknowledged", e.id)
		}
		if _, twice := ofHold[hold]; twice && hold != "" {
			t.Errorf("hold %s is offered to two who wait", hold)
		}
		ofHold[hold] = e.booking
		f.entries[e.booking] = e
		return nil
	})
	each(t, db, "SELECT venue, place, start_at, end_at, reason, ended_at IS NOT NULL FROM closures", func(rows *sql.Rows) error {
		var r closureRecord
		var start, end int64
		var reason string
		if err := rows.Scan(&r.venue, &r.place, &start, &end, &reason, &r.reopened); err != nil {
			return err
		}
		r.place--
		r.from, r.to = c.cell(time.Unix(start, 0)), c.cell(time.Unix(end, 0))
		r.number = numberOf(t, reason)
		if _, twice := f.closures[r.number]; twice {
			t.Errorf("operation %d closed twice", r.number)
		}
		f.closures[r.number] = r
		return nil
	})
	each(t, db, `SELECT id, venue, place, start_at, end_at, note, state, reason, series IS NOT NULL, checked_in_at IS NOT NULL,
		ended_at IS NULL FROM bookings`, func(rows *sql.Rows) error {
		var r record
		var start, end int64
		var note string
		var inSeries, live bool
		if err := rows.Scan(&r.id, &r.venue, &r.place, &start, &end, &note, &r.state, &r.reason, &inSeries, &r.checked, &live); err != nil {
			return err
		}
		r.place--
		r.from, r.to = c.cell(time.Unix(start, 0)), c.cell(time.Unix(end, 0))
		if live != r.live() {
			t.Errorf("booking %s is %s and live %v", r.id, r.state, live)
		}
		if note != "" {
			r.booking = numberOf(t, note)
			if inSeries {
				r.booking += int32(r.from/dayCells-fightDays[0]) / 7 * weekNumbers
			}
		} else if r.booking = ofHold[r.id]; r.booking == 0 {
			// A closure ended the hold, and who had it waits again.
			if r.state != "cancelled" || !strings.HasPrefix(r.reason, notePrefix) {
				t.Errorf("hold %s is %s (%q), and nobody waited for it", r.id, r.state, r.reason)
			}
			return nil
		}
		if other, twice := f.bookings[r.booking]; twice {
			t.Errorf("operation %d was done twice: bookings %s and %s", r.booking, other.id, r.id)
		}
		f.bookings[r.booking] = r
		return nil
	})
	return f
}

// numberOf is the operation that noteOf wrote.
func numberOf(t *testing.T, note string) int32 {
	n, err := strconv.ParseInt(strings.TrimPrefix(note, notePrefix), 10, 32)
	if err != nil {
		t.Errorf("nobody asked for what is noted as %q", note)
	}
	return int32(n)
}

func each(t *testing.T, db *sql.DB, query string, scan func(rows *sql.Rows) error) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
}

// invariants are queries that count what must never be there, at whatever
// moment the service is stopped.
var invariants = map[string]string{
	// The five-minute cells of a place that more than one row holds.
	"cells held twice": "SELECT count(*) FROM (SELECT 1 FROM cells GROUP BY venue, cell, place HAVING count(*) > 1) AS twice",
	// The pairs of live bookings that hold one place at the same time, or in
	// each other's buffer, whatever the cells say.
	"bookings that overlap": `SELECT count(*) FROM bookings a JOIN bookings b
		ON a.venue = b.venue AND a.place = b.place AND a.id < b.id AND a.start_at < b.busy_until AND b.start_at < a.busy_until
		WHERE a.ended_at IS NULL AND b.ended_at IS NULL`,
	"cells that no live booking explains": `SELECT count(*) FROM cells c WHERE NOT EXISTS (SELECT 1 FROM bookings b
		WHERE b.venue = c.venue AND b.place = c.place AND b.ended_at IS NULL AND b.start_at <= c.cell * 300 AND c.cell * 300 < b.busy_until)`,
	"live bookings without all of their cells": `SELECT count(*) FROM bookings b WHERE b.ended_at IS NULL AND (b.busy_until - b.start_at) / 300 <>
		(SELECT count(*) FROM cells c WHERE c.venue = b.venue AND c.place = b.place AND b.start_at <= c.cell * 300 AND c.cell * 300 < b.busy_until)`,
	"live bookings that no limit counts, or ended ones that one does": `SELECT
		(SELECT count(*) FROM bookings b WHERE b.ended_at IS NULL AND NOT EXISTS (SELECT 1 FROM quotas q WHERE q.booking = b.id)) +
		(SELECT count(*) FROM quotas q WHERE NOT EXISTS (SELECT 1 FROM bookings b WHERE b.id = q.booking AND (b.ended_at IS NULL OR b.state = 'released')))`,
	"live bookings while it is closed": `SELECT count(*) FROM bookings b JOIN closures c ON c.venue = b.venue AND c.place IN (0, b.place)
		WHERE b.ended_at IS NULL AND c.ended_at IS NULL AND b.start_at < c.end_at AND c.start_at < b.end_at`,
	"holds without somebody to whom they are offered": `SELECT count(*) FROM bookings b WHERE b.state = 'held' AND
		1 <> (SELECT count(*) FROM waiting w WHERE w.booking = b.id AND w.state = 'offered' AND w.person = b.person
			AND w.venue = b.venue AND w.start_at = b.start_at AND w.end_at = b.end_at AND w.place IN (0, b.place))`,
	"offers without a hold": `SELECT count(*) FROM waiting w WHERE w.state = 'offered' AND NOT EXISTS (
		SELECT 1 FROM bookings b WHERE b.id = w.booking AND b.state = 'held')`,
	"who waits and has a hold":             "SELECT count(*) FROM waiting WHERE state = 'waiting' AND booking IS NOT NULL",
	"holds and requests without an end":    "SELECT count(*) FROM bookings WHERE state IN ('held', 'requested') AND due_at IS NULL",
	"ended bookings that are to end again": "SELECT count(*) FROM bookings WHERE ended_at IS NOT NULL AND due_at IS NOT NULL",
}

// checkInvariants checks that nothing is there that must not be.
func checkInvariants(t *testing.T, db *sql.DB) {
	t.Helper()
	for name, query := range invariants {
		if n, err := count(t.Context(), db, query); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

func count(ctx context.Context, db *sql.DB, query string) (n int, err error) {
	err = db.QueryRowContext(ctx, query).Scan(&n)
	return n, err
}
