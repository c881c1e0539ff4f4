package linearizability

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"
	"time"
)

// readFinal reads what the database holds after the fight, by the operation
// that made it.
func readFinal(t *testing.T, db *sql.DB) map[int32]record {
	t.Helper()
	ctx := t.Context()
	rows, err := db.QueryContext(ctx, "SELECT id, venue, place, start_at, end_at, note, ended_at IS NOT NULL FROM bookings")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	final := map[int32]record{}
	for rows.Next() {
		var r record
		var start, end int64
		var note string
		if err := rows.Scan(&r.id, &r.venue, &r.place, &start, &end, &note, &r.cancelled); err != nil {
			t.Fatal(err)
		}
		n, err := strconv.ParseInt(strings.TrimPrefix(note, notePrefix), 10, 32)
		if err != nil {
			t.Errorf("booking %s that nobody asked for: note %q", r.id, note)
		}
		r.place--
		r.day = time.Unix(start, 0).In(location).Format(time.DateOnly)
		r.from = cellAt(time.Unix(start, 0))
		r.to = r.from + int(end-start)/(60*cellMinutes)
		r.booking = int32(n)
		if other, twice := final[int32(n)]; twice {
			t.Errorf("operation %d was done twice: bookings %s and %s", n, other.id, r.id)
		}
		final[int32(n)] = r
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return final
}

// cellsHeldTwice counts the five-minute cells of a place that more than one
// row holds.
func cellsHeldTwice(ctx context.Context, db *sql.DB) (int, error) {
	var n int
	err := db.QueryRowContext(ctx,
		"SELECT count(*) FROM (SELECT 1 FROM cells GROUP BY venue, cell, place HAVING count(*) > 1) AS twice").Scan(&n)
	return n, err
}

// bookingsOverlapping counts the pairs of live bookings that hold one place at
// the same time, whatever the cells say.
func bookingsOverlapping(ctx context.Context, db *sql.DB) (int, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM bookings a JOIN bookings b
		ON a.venue = b.venue AND a.place = b.place AND a.id < b.id AND a.start_at < b.busy_until AND b.start_at < a.busy_until
		WHERE a.ended_at IS NULL AND b.ended_at IS NULL`).Scan(&n)
	return n, err
}

// cellsAstray counts the cells that no live booking explains, and the live
// bookings that do not hold all of their cells.
func cellsAstray(ctx context.Context, db *sql.DB) (int, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT
		(SELECT count(*) FROM cells c WHERE NOT EXISTS (SELECT 1 FROM bookings b
			WHERE b.venue = c.venue AND b.place = c.place AND b.ended_at IS NULL
			AND b.start_at <= c.cell * 300 AND c.cell * 300 < b.busy_until)) +
		(SELECT count(*) FROM bookings b WHERE b.ended_at IS NULL AND (b.busy_until - b.start_at) / 300 <>
			(SELECT count(*) FROM cells c WHERE c.venue = b.venue AND c.place = b.place
			AND b.start_at <= c.cell * 300 AND c.cell * 300 < b.busy_until))`).Scan(&n)
	return n, err
}
