package main

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/linli-io/linli/internal/booking"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/test/instance"
)

const (
	writers = 32
	// Many short rounds: what slows the disk down for a second then slows both.
	bookingsPerRound = 400
	bookingRounds    = 20
	bookingVenues    = 20
	// perPersonAndDay keeps below the venue's daily limit.
	perPersonAndDay = 50
)

// order is the n-th booking of the measurement: no two of them want the same
// place at the same time, and nobody reaches the daily limit.
type order struct {
	venue  string
	person int
	start  time.Time
	place  int // from 1
}

func orderNumber(n int, firstDay time.Time, persons int) order {
	perVenueAndDay := persons * perPersonAndDay
	inDay, rest := n%perVenueAndDay, n/perVenueAndDay
	return order{
		venue:  venueName(rest % bookingVenues),
		person: inDay % persons,
		start:  firstDay.AddDate(0, 0, rest/bookingVenues).Add(time.Duration(firstHour+inDay%slotsPerDay) * time.Hour),
		place:  1 + inDay/slotsPerDay,
	}
}

// measureBookings compares bookings through the JSON API of the running
// program with transactions that write the same rows with bound parameters and
// nothing else, on the same settings, from as many goroutines.
func measureBookings(ctx context.Context, b *bench) ([]row, error) {
	in, err := b.instance("bookings", communityWith("bench", bookingVenues))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(b.dir, "bare.db")
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: url.Values{
		"_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
	}.Encode()}
	bare, err := newBareWriter(ctx, database.Options{Path: path}, "sqlite", u.String())
	if err != nil {
		return nil, err
	}
	defer bare.db.Close()
	bare.db.SetMaxOpenConns(1)
	return compareBookings(ctx, b, "SQLite", in, bare)
}

// measureBookingsPostgres is measureBookings on PostgreSQL. The bare
// transactions run side by side, as many as there are clients, at the
// isolation that PostgreSQL has if nothing is said.
func measureBookingsPostgres(ctx context.Context, b *bench) (rows []row, err error) {
	dsn, bareDSN, end, err := databasetest.Durable()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, end()) }()
	dir := filepath.Join(b.dir, "bookings-postgres")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	replicas, err := instance.NewReplicas(b.binary, dir, communityWith("bench", bookingVenues), benchRelease(), dsn)
	if err != nil {
		return nil, err
	}
	bare, err := newBareWriter(ctx, database.Options{DSN: bareDSN}, "pgx", bareDSN)
	if err != nil {
		return nil, err
	}
	defer bare.db.Close()
	bare.db.SetMaxIdleConns(writers)
	bare.numbered = true
	return compareBookings(ctx, b, "PostgreSQL", replicas[0], bare)
}

func compareBookings(ctx context.Context, b *bench, engine string, in *instance.Instance, bare *bareWriter) ([]row, error) {
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	people, err := in.People(ctx)
	if err != nil {
		return nil, err
	}
	connections := make([]*connection, writers)
	for i := range connections {
		if connections[i], err = dial(ctx, in); err != nil {
			return nil, err
		}
		defer connections[i].Close()
	}
	firstDay := time.Now().In(zone).AddDate(0, 0, 1)
	firstDay = time.Date(firstDay.Year(), firstDay.Month(), firstDay.Day(), 0, 0, 0, 0, zone)
	next := 0
	product := func() (float64, error) {
		requests := make([][]byte, bookingsPerRound)
		for i := range requests {
			o := orderNumber(next+i, firstDay, len(people))
			if requests[i], err = bookingRequest(ctx, in, people[o.person], o, fmt.Sprintf("bench-%d", next+i)); err != nil {
				return 0, err
			}
		}
		return rate(func(worker, i int) error {
			_, err := connections[worker].send(requests[i])
			return err
		})
	}
	reference := func() (float64, error) {
		return rate(func(_, i int) error {
			return bare.book(ctx, orderNumber(next+i, firstDay, len(people)), fmt.Sprintf("bench-%d", next+i))
		})
	}

	var rates, bareRates []float64
	for r := range bookingRounds + 1 {
		r1, err := product()
		if err != nil {
			return nil, err
		}
		r2, err := reference()
		if err != nil {
			return nil, err
		}
		next += bookingsPerRound
		b.say("bookings on "+engine+", round %d: %.0f/s, bare transactions %.0f/s", r, r1, r2)
		if r > 0 { // the first round warms up
			rates, bareRates = append(rates, r1), append(bareRates, r2)
		}
	}
	if err := in.Stop(); err != nil {
		return nil, err
	}
	ratio := ratios(rates, bareRates)
	return []row{{
		measure:   fmt.Sprintf("bookings per second on %s, JSON API, %d clients", engine, writers),
		linli:     fmt.Sprintf("%.0f/s", median(rates)),
		reference: fmt.Sprintf("bare transactions of the same rows: %.0f/s", median(bareRates)),
		ratio:     fmt.Sprintf("%s (%s)", times(median(ratio)), spread(ratio)),
		target:    "≥ 0.5 ×",
		met:       judge(median(ratio) >= 0.5),
	}}, nil
}

// rate calls f for each booking of a round from all writers and returns how
// many were done in a second.
func rate(f func(worker, i int) error) (float64, error) {
	began := time.Now()
	err := concurrently(writers, bookingsPerRound, f)
	return bookingsPerRound / time.Since(began).Seconds(), err
}

// concurrently calls f for 0 to n-1 from that many workers and returns what
// failed. A worker ends at its first failure.
func concurrently(workers, n int, f func(worker, i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for w := range workers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if errs[w] = f(w, i); errs[w] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// connection is one client's kept-alive connection. Requests are written as
// they will be sent before the clock starts, so that as little as possible of
// the clients' own work is measured.
type connection struct {
	net.Conn
	answers *bufio.Reader
}

func dial(ctx context.Context, in *instance.Instance) (*connection, error) {
	c, err := in.Dial(ctx)
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReader(c)}, nil
}

// send sends a request to book or to order, and returns what came of it.
func (c *connection) send(request []byte) ([]byte, error) {
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusCreated {
		err = fmt.Errorf("%s: %s", res.Status, answer)
	}
	return answer, err
}

// bookingRequest is a request as it goes over the wire.
func bookingRequest(ctx context.Context, in *instance.Instance, p instance.Person, o order, key string) ([]byte, error) {
	body, err := json.Marshal(map[string]any{
		"venue": o.venue, "place": o.place, "start": o.start, "end": o.start.Add(time.Hour),
	})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.URL()+"/booking/api/v1/bookings", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+p.Token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	var wire bytes.Buffer
	err = req.Write(&wire)
	return wire.Bytes(), err
}

// bareWriter writes the rows of a booking by hand, each in a transaction of its
// own, on a database with the settings that Linli's has.
type bareWriter struct {
	db       *sql.DB
	numbered bool // parameters are $1, $2, …
}

// newBareWriter makes the tables, and opens them with a plain driver.
func newBareWriter(ctx context.Context, o database.Options, driver, source string) (*bareWriter, error) {
	migrations, err := booking.Migrations()
	if err != nil {
		return nil, err
	}
	o.Migrations = migrations
	db, err := bareDatabase(ctx, o, driver, source)
	if err != nil {
		return nil, err
	}
	for n := range bookingVenues {
		if _, err := db.ExecContext(ctx, fmt.Sprintf("INSERT INTO venues (name, position, spec) VALUES ('%s', %d, '{}')", venueName(n), n)); err != nil {
			return nil, errors.Join(err, db.Close())
		}
	}
	return &bareWriter{db: db}, nil
}

// bareDatabase makes tables and opens them with a plain driver.
func bareDatabase(ctx context.Context, o database.Options, driver, source string) (*sql.DB, error) {
	made, err := database.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := made.Close(); err != nil {
		return nil, err
	}
	return sql.Open(driver, source)
}

const cellSeconds = 300

// insertCells is the statement for the cells of an hour.
var insertCells = "INSERT INTO cells (venue, cell, place) VALUES (?, ?, ?)" +
	string(bytes.Repeat([]byte(", (?, ?, ?)"), 3600/cellSeconds-1))

// cells are the arguments of insertCells for an order's hour.
func (o order) cells() []any {
	var args []any
	for c := o.start.Unix() / cellSeconds; c < (o.start.Unix()+3600)/cellSeconds; c++ {
		args = append(args, o.venue, c, o.place)
	}
	return args
}

func (w *bareWriter) book(ctx context.Context, o order, key string) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	person, day := fmt.Sprintf("person-%d", o.person), o.start.Format(time.DateOnly)
	now := time.Now().Unix()
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		statement string
		args      []any
	}{
		{"INSERT INTO idempotency (person, key, request, result, created_at) VALUES (?, ?, ?, ?, ?)",
			[]any{person, key, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", id.String(), now}},
		{"INSERT INTO quotas (venue, person, period, ordinal, booking) VALUES (?, ?, ?, ?, ?)",
			[]any{o.venue, person, day, (o.place-1)*slotsPerDay + o.start.Hour() - firstHour + 1, id.String()}},
		{insertCells, o.cells()},
		{insertBooking, o.booking(id, person, now)},
	} {
		if w.numbered {
			s.statement = numbered(s.statement)
		}
		if _, err := tx.ExecContext(ctx, s.statement, s.args...); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// numbered writes parameters as PostgreSQL wants them.
func numbered(statement string) string {
	for i := 1; strings.Contains(statement, "?"); i++ {
		statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", i), 1)
	}
	return statement
}

// insertBooking is the statement for a booking's own row.
const insertBooking = "INSERT INTO bookings (id, venue, place, person, booked_by, name, phone, start_at, end_at, busy_until, day, note, state, created_at, updated_at) " +
	"VALUES (?, ?, ?, ?, ?, '王桂花', '13800000003', ?, ?, ?, ?, '', 'booked', ?, ?)"

// booking are the arguments of insertBooking for an order's hour.
func (o order) booking(id uuid.UUID, person string, now int64) []any {
	start := o.start.Unix()
	return []any{id.String(), o.venue, o.place, person, person, start, start + 3600, start + 3600, o.start.Format(time.DateOnly), now, now}
}
