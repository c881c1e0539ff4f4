package booking

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// attempts is how often something is tried when others, at the same moment,
// win the place or the ordinal that was chosen for it. Each loss is somebody
// else's booking, so that many in a row do not happen.
const attempts = 100

// errLost means that what was chosen for a booking was taken meanwhile.
var errLost = errors.New("the chosen place was taken meanwhile")

// write runs f in a transaction, again whenever it lost a choice to others.
func (s *Store) write(ctx context.Context, f func(ctx context.Context, tx bun.Tx) error) (err error) {
	for range attempts {
		err = s.db.Write(ctx, f)
		if !lost(err) {
			break
		}
	}
	return err
}

// caution says what is done about a place that may be taken.
type caution bool

const (
	// atOnce has the constraint decide. The transaction cannot go on after ErrTaken.
	atOnce caution = false
	// lookFirst looks before anything is written; after ErrTaken or a Refusal
	// nothing was, and the transaction may go on.
	lookFirst caution = true
)

// step is one of the statements that together do something.
type step struct {
	database.Statement

	// rows is how many rows it affects if nothing is in the way; short says
	// what is if it affected fewer.
	rows  int64
	short func(ctx context.Context, tx bun.Tx, affected int64) error
}

// take runs steps up to the first with something in its way. What is behind
// that may have been run as well if all are sent at once: the transaction
// cannot go on then.
func take(ctx context.Context, tx bun.Tx, how caution, steps ...step) error {
	for len(steps) > 0 {
		now := len(steps)
		if how == lookFirst {
			now = 1
		}
		statements := make([]database.Statement, now)
		for i, s := range steps[:now] {
			statements[i] = s.Statement
		}
		affected, err := database.Exec(ctx, tx, statements...)
		if err != nil {
			return err
		}
		for i, s := range steps[:now] {
			if affected[i] < s.rows {
				return s.short(ctx, tx, affected[i])
			}
		}
		steps = steps[now:]
	}
	return nil
}

// hold gives a booking its place, the wanted one or the lowest that is free,
// counts it against the person's limits and keeps it. The venue's other rules
// were checked before. What else is to be done with it comes first.
func hold(ctx context.Context, tx bun.Tx, v Venue, b Booking, wanted int, how caution, loc *time.Location, steps ...step) (Booking, error) {
	b.busyUntil = v.Busy(b.Slot).End
	b.Day = DateOf(b.Start, loc)
	sure, err := choosePlace(ctx, tx, v, &b, wanted, how, loc)
	if err != nil {
		return b, err
	}
	steps = append(steps, takingOrdinals(v, b)...)
	steps = append(steps, takingCells(b, sure), keepingBooking(b))
	if err := take(ctx, tx, how, steps...); err != nil {
		return b, err
	}
	row := rowOf(b)
	return row.booking()
}

// keepingBooking keeps a booking that is new or was moved.
func keepingBooking(b Booking) step {
	row := rowOf(b)
	return step{Statement: database.Statement{
		For: "keeping the booking",
		Text: "INSERT INTO bookings (id, venue, place, person, booked_by, name, phone, start_at, end_at, busy_until, day, note, " +
			"state, reason, series, sequence, created_at, updated_at, checked_in_at, due_at) " +
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET " +
			"place = EXCLUDED.place, start_at = EXCLUDED.start_at, end_at = EXCLUDED.end_at, busy_until = EXCLUDED.busy_until, day = EXCLUDED.day, " +
			"state = EXCLUDED.state, reason = EXCLUDED.reason, sequence = EXCLUDED.sequence, updated_at = EXCLUDED.updated_at, " +
			"checked_in_at = EXCLUDED.checked_in_at, due_at = EXCLUDED.due_at",
		Args: []any{row.ID, row.Venue, row.Place, row.Person, row.BookedBy, row.Name, row.Phone, row.StartAt, row.EndAt, row.BusyUntil, row.Day, row.Note,
			string(row.State), row.Reason, row.Series, row.Sequence, row.CreatedAt, row.UpdatedAt, row.CheckedInAt, row.DueAt},
	}}
}

// choosePlace sets the booking's place. Where there is no choice, and nothing
// forbids it, nothing is looked up: the primary key of the cells decides, and
// onlyOne is true.
func choosePlace(ctx context.Context, tx bun.Tx, v Venue, b *Booking, wanted int, how caution, loc *time.Location) (onlyOne bool, err error) {
	candidates := v.PlacesAt(b.Slot, loc)
	if wanted != 0 {
		candidates = []int{wanted}
	}
	if len(candidates) == 1 && how == atOnce {
		b.Place = candidates[0]
		return true, nil
	}
	from, to := Slot{b.Start, b.busyUntil}.Cells()
	var taken []int
	err = tx.NewSelect().Model((*cellRow)(nil)).Distinct().Column("place").
		Where("venue = ? AND cell >= ? AND cell < ?", v.Name, from, to).Scan(ctx, &taken)
	if err != nil {
		return false, fmt.Errorf("looking for a free place: %w", err)
	}
	if b.Place = firstFree(candidates, taken); b.Place == 0 {
		return false, ErrTaken
	}
	return false, nil
}

// takingCells takes a booking's cells; the primary key says whether they were
// free. A closure that came meanwhile is noticed here, in the same statement;
// one that has passed is in nobody's way.
func takingCells(b Booking, onlyOne bool) step {
	from, to := Slot{b.Start, b.busyUntil}.Cells()
	args := make([]any, 0, int(to-from)+6)
	for c := from; c < to; c++ {
		args = append(args, c)
	}
	since := latest(b.Start, b.UpdatedAt).Unix()
	return step{
		Statement: database.Statement{
			For: fmt.Sprintf("taking place %d", b.Place),
			Text: "WITH span (cell) AS (VALUES (CAST(? AS BIGINT))" + strings.Repeat(", (?)", int(to-from)-1) + ") " +
				"INSERT INTO cells (venue, cell, place) SELECT ?, cell, ? FROM span WHERE NOT EXISTS (" +
				"SELECT 1 FROM closures WHERE venue = ? AND ended_at IS NULL AND end_at > ? AND start_at < ? AND place IN (0, ?)) ON CONFLICT DO NOTHING",
			Args: append(args, b.Venue, b.Place, b.Venue, since, b.End.Unix(), b.Place),
		},
		rows: to - from,
		short: func(ctx context.Context, tx bun.Tx, taken int64) error {
			switch {
			case !onlyOne:
				return errLost
			case taken > 0:
				return ErrTaken
			}
			closed, err := tx.NewSelect().Model((*closureRow)(nil)).
				Where("venue = ? AND ended_at IS NULL AND end_at > ? AND start_at < ? AND place IN (0, ?)", b.Venue, since, b.End.Unix(), b.Place).Exists(ctx)
			switch {
			case err != nil:
				return fmt.Errorf("looking for closures: %w", err)
			case closed:
				return errLost // the next attempt knows the closure, and names it
			}
			return ErrTaken
		},
	}
}

// free gives a booking's cells back, and what it counts for if forget says so.
func free(ctx context.Context, tx bun.Tx, b Booking, forget bool) error {
	from, to := Slot{b.Start, b.busyUntil}.Cells()
	if _, err := tx.NewDelete().Model((*cellRow)(nil)).
		Where("venue = ? AND cell >= ? AND cell < ? AND place = ?", b.Venue, from, to, b.Place).Exec(ctx); err != nil {
		return fmt.Errorf("freeing the place of booking %s: %w", b.ID, err)
	}
	if !forget {
		return nil
	}
	return freeOrdinals(ctx, tx, b)
}

func freeOrdinals(ctx context.Context, tx bun.Tx, b Booking) error {
	if _, err := tx.NewDelete().Model((*quotaRow)(nil)).
		Where("venue = ? AND person = ? AND period IN (?, ?) AND booking = ?", b.Venue, b.Person, b.Day.String(), b.Day.Week(), b.ID).Exec(ctx); err != nil {
		return fmt.Errorf("uncounting booking %s: %w", b.ID, err)
	}
	return nil
}

// takingOrdinals counts a booking against the venue's limits of a day and a
// week. After a Refusal it is counted against neither.
func takingOrdinals(v Venue, b Booking) []step {
	var steps []step
	for _, limit := range []limit{
		{RuleDailyLimit, b.Day.String(), v.DailyLimit, "%d bookings are held on that day already; the venue allows %d"},
		{RuleWeeklyLimit, b.Day.Week(), v.WeeklyLimit, "%d bookings are held in that week already; the venue allows %d"},
	} {
		if limit.count > 0 {
			steps = append(steps, limit.taking(b))
		}
	}
	return steps
}

// limit is how many bookings a person may have at a venue in a period.
type limit struct {
	rule   Rule
	period string
	count  int
	text   string
}

// taking takes the lowest ordinal that is free, in one statement: every one is
// time that the one writer does not have for others.
func (l limit) taking(b Booking) step {
	return step{
		Statement: database.Statement{
			For: "counting the booking",
			Text: "INSERT INTO quotas (venue, person, period, ordinal, booking) SELECT ?, ?, ?, next, ? " +
				"FROM (SELECT COUNT(*) AS held, COALESCE(MIN(nth) FILTER (WHERE ordinal > nth), COUNT(*) + 1) AS next " +
				"FROM (SELECT ordinal, ROW_NUMBER() OVER (ORDER BY ordinal) AS nth FROM quotas WHERE venue = ? AND person = ? AND period = ?) AS mine) AS counted " +
				"WHERE held < ? ON CONFLICT DO NOTHING",
			Args: []any{b.Venue, b.Person, l.period, b.ID, b.Venue, b.Person, l.period, l.count},
		},
		rows: 1,
		short: func(ctx context.Context, tx bun.Tx, _ int64) error {
			held, err := tx.NewSelect().Model((*quotaRow)(nil)).Where("venue = ? AND person = ? AND period = ?", b.Venue, b.Person, l.period).Count(ctx)
			switch {
			case err != nil:
				return fmt.Errorf("counting the bookings held: %w", err)
			case int(held) < l.count:
				return errLost
			}
			if err := freeOrdinals(ctx, tx, b); err != nil {
				return err
			}
			return refuse(l.rule, l.count, l.text, held, l.count)
		},
	}
}

// end ends a live booking: its place is free, its state says why. What nobody
// came for still counts against the limits of who did not come.
func end(ctx context.Context, tx bun.Tx, b Booking, state State, reason string, now time.Time) (Booking, error) {
	if err := free(ctx, tx, b, state != StateReleased); err != nil {
		return b, err
	}
	return endFreed(ctx, tx, b, state, reason, now)
}

// endFreed ends a booking that has lost its place already.
func endFreed(ctx context.Context, tx bun.Tx, b Booking, state State, reason string, now time.Time) (Booking, error) {
	held := b.State == StateHeld
	b.State, b.Reason, b.EndedAt, b.DueAt = state, reason, time.Unix(now.Unix(), 0), time.Time{}
	b, err := touch(ctx, tx, b, now)
	if err == nil && held {
		outcome := EntryLeft
		if state == StateExpired {
			outcome = EntryExpired
		}
		err = settleEntry(ctx, tx, b.ID, outcome)
	}
	return b, err
}

// touch keeps what has become of a booking at its place.
func touch(ctx context.Context, tx bun.Tx, b Booking, now time.Time) (Booking, error) {
	b.Sequence++
	b.UpdatedAt = time.Unix(now.Unix(), 0)
	row := rowOf(b)
	if _, err := tx.NewUpdate().Model(&row).Column("state", "reason", "sequence", "updated_at", "ended_at", "checked_in_at", "due_at").WherePK().Exec(ctx); err != nil {
		return b, fmt.Errorf("changing booking %s: %w", b.ID, err)
	}
	return row.booking()
}

// newID is an identifier that sorts by time.
func newID() (uuid.UUID, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return id, fmt.Errorf("making an id: %w", err)
	}
	return id, nil
}

// lost reports whether a transaction failed because others won what was chosen.
func lost(err error) bool { return errors.Is(err, errLost) || database.IsUnique(err) }
