package canteen

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// What the kitchen writes about what it cooked: what went into it, what was
// kept of it, and what was checked.

type useRow struct {
	bun.BaseModel `bun:"table:uses"`

	Canteen string    `bun:",pk"`
	Day     string    `bun:",pk"`
	Meal    string    `bun:",pk"`
	Dish    uuid.UUID `bun:",pk"`
	Batch   uuid.UUID `bun:",pk"`
	NotedBy string
	NotedAt int64
}

func usesIn(rows []useRow) ([]Use, error) {
	uses := make([]Use, len(rows))
	for i, row := range rows {
		sitting, err := sittingOf(row.Canteen, row.Day, row.Meal)
		if err != nil {
			return nil, err
		}
		uses[i] = Use{sitting, row.Dish, row.Batch}
	}
	return uses, nil
}

func ofSitting(q *bun.SelectQuery, s Sitting) *bun.SelectQuery {
	return q.Where("canteen = ? AND day = ? AND meal = ?", s.Canteen, s.Day.String(), s.Meal)
}

// UsesOf are the batches that went into the dishes of a sitting.
func (s *Store) UsesOf(ctx context.Context, sitting Sitting) ([]Use, error) {
	return usesOf(ctx, s.db.Reader(), sitting)
}

func usesOf(ctx context.Context, db bun.IDB, sitting Sitting) ([]Use, error) {
	var rows []useRow
	if err := ofSitting(db.NewSelect().Model(&rows), sitting).Order("dish", "batch").Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading what went into a meal: %w", err)
	}
	return usesIn(rows)
}

// UsesOfBatches are the dishes into which batches went, the latest first.
func (s *Store) UsesOfBatches(ctx context.Context, batches ...uuid.UUID) ([]Use, error) {
	if len(batches) == 0 {
		return nil, nil
	}
	var rows []useRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("batch IN (?)", bun.List(batches)).Order("day DESC", "canteen", "meal", "dish", "batch").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading where batches went: %w", err)
	}
	return usesIn(rows)
}

// LastUses are, by dish, the batches of the last meal before a sitting's day in
// which the dish was cooked and of which it was written what went into it.
func (s *Store) LastUses(ctx context.Context, sitting Sitting, dishes []uuid.UUID) (map[uuid.UUID][]uuid.UUID, error) {
	last := map[uuid.UUID][]uuid.UUID{}
	if len(dishes) == 0 {
		return last, nil
	}
	var rows []useRow
	err := s.db.Reader().NewSelect().Model(&rows).Where("dish IN (?)", bun.List(dishes)).
		Where("day = (SELECT MAX(o.day) FROM uses AS o WHERE o.dish = use_row.dish AND o.day < ?)", sitting.Day.String()).Order("batch").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading what dishes were cooked of: %w", err)
	}
	for _, row := range rows {
		if !slices.Contains(last[row.Dish], row.Batch) {
			last[row.Dish] = append(last[row.Dish], row.Batch)
		}
	}
	return last, nil
}

// PutUses keeps which batches went into the dishes of a sitting, in place of
// what was written before. Dishes that are not named have none.
func (s *Store) PutUses(ctx context.Context, by By, sitting Sitting, dishes []DishBatches, loc *time.Location) error {
	if refusal := checkUsesDay(sitting.Day, civil.DateOf(by.Now, loc)); refusal != nil {
		return refusal
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		before, err := usesOf(ctx, tx, sitting)
		if err != nil {
			return err
		}
		rows, err := checkedUses(ctx, tx, by, sitting, dishes, before, loc)
		if err != nil {
			return err
		}
		if _, err := tx.NewDelete().Model((*useRow)(nil)).Where("canteen = ? AND day = ? AND meal = ?", sitting.Canteen, sitting.Day.String(), sitting.Meal).Exec(ctx); err != nil {
			return fmt.Errorf("keeping what went into a meal: %w", err)
		}
		if len(rows) > 0 {
			if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
				return fmt.Errorf("keeping what went into a meal: %w", err)
			}
		}
		after, err := usesIn(rows)
		if err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{
			Action: Name + ".uses", Actor: by.Actor, Object: sitting.String(), Detail: differenceOf(before, after),
		})
	})
}

// differenceOf names the batches that were added to dishes and taken away, by
// their IDs.
func differenceOf(before, after []Use) map[string]string {
	detail := map[string]string{}
	for _, d := range []struct {
		name     string
		in, from []Use
	}{{"added", after, before}, {"removed", before, after}} {
		text := ""
		for _, u := range d.in {
			if !slices.Contains(d.from, u) {
				text += " " + u.Dish.String() + "/" + u.Batch.String()
			}
		}
		if text != "" {
			detail[d.name] = text[1:]
		}
	}
	return detail
}

// checkedUses are the rows of what went into a sitting's dishes, or a Refusal.
// What was written before may stay, whatever became of the batch since.
func checkedUses(ctx context.Context, tx bun.Tx, by By, sitting Sitting, dishes []DishBatches, before []Use, loc *time.Location) ([]useRow, error) {
	menu, err := menuIn(ctx, tx, sitting)
	if err != nil {
		return nil, err
	}
	batches := map[uuid.UUID]Batch{}
	ids := map[uuid.UUID]bool{}
	for _, d := range dishes {
		for _, b := range d.Batches {
			ids[b] = true
		}
	}
	if len(ids) > 0 {
		list, err := batchesIn(ctx, tx, BatchQuery{IDs: slices.Collect(maps.Keys(ids))})
		if err != nil {
			return nil, err
		}
		for _, b := range list {
			batches[b.ID] = b
		}
	}
	rows, seen := []useRow{}, map[Use]bool{}
	for i, d := range dishes {
		_, planned := menu.Item(d.Dish)
		if !planned && !slices.ContainsFunc(before, func(u Use) bool { return u.Dish == d.Dish }) {
			return nil, refuseUse(&Refusal{Rule: RuleUnknownDish, Text: "the dish is not on the menu of this meal"}, fmt.Sprintf("dishes[%d].dish", i), d.Dish)
		}
		for j, id := range d.Batches {
			use := Use{sitting, d.Dish, id}
			if seen[use] {
				continue
			}
			seen[use] = true
			field := fmt.Sprintf("dishes[%d].batches[%d]", i, j)
			b, ok := batches[id]
			if !ok {
				return nil, refuseUse(&Refusal{Rule: RuleBatchUnknown, Text: "there is no such batch: take it in first"}, field, d.Dish)
			}
			if refusal := usable(b, sitting.Day, field, loc); refusal != nil && !slices.Contains(before, use) {
				return nil, refuseUse(refusal, field, d.Dish)
			}
			rows = append(rows, useRow{
				Canteen: sitting.Canteen, Day: sitting.Day.String(), Meal: sitting.Meal, Dish: d.Dish, Batch: id, NotedBy: by.Actor, NotedAt: by.Now.Unix(),
			})
		}
	}
	return rows, nil
}

func refuseUse(r *Refusal, field string, dish uuid.UUID) *Refusal {
	r.Field, r.Dish = field, dish.String()
	return r
}

type sampleRow struct {
	bun.BaseModel `bun:"table:samples"`

	ID          uuid.UUID `bun:",pk"`
	Canteen     string
	Day         string
	Meal        string
	Dish        uuid.UUID
	Grams       int
	Place       string
	TakenBy     string
	TakenAt     int64
	DiscardedBy string
	DiscardedAt *int64
}

func (r sampleRow) sample() (Sample, error) {
	sitting, err := sittingOf(r.Canteen, r.Day, r.Meal)
	return Sample{
		ID: r.ID, Sitting: sitting, Dish: r.Dish, Grams: r.Grams, Place: r.Place, TakenBy: r.TakenBy, TakenAt: time.Unix(r.TakenAt, 0),
		DiscardedBy: r.DiscardedBy, DiscardedAt: timeOf(r.DiscardedAt),
	}, err
}

func samplesIn(rows []sampleRow) ([]Sample, error) {
	samples := make([]Sample, len(rows))
	for i, row := range rows {
		var err error
		if samples[i], err = row.sample(); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// Samples are the samples of the days from first to last of all canteens, or of
// one if it is named, by day.
func (s *Store) Samples(ctx context.Context, canteen string, first, last civil.Date) ([]Sample, error) {
	var rows []sampleRow
	q := s.db.Reader().NewSelect().Model(&rows).Where("day >= ? AND day <= ?", first.String(), last.String()).Order("day", "canteen", "taken_at", "id")
	if canteen != "" {
		q.Where("canteen = ?", canteen)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing samples: %w", err)
	}
	return samplesIn(rows)
}

// KeptSamples are the samples that are not discarded yet, the oldest first.
func (s *Store) KeptSamples(ctx context.Context) ([]Sample, error) {
	var rows []sampleRow
	if err := s.db.Reader().NewSelect().Model(&rows).Where("discarded_at IS NULL").Order("taken_at", "id").Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing samples: %w", err)
	}
	return samplesIn(rows)
}

// TakeSamples keeps that samples were taken of dishes: all of them, or none if
// one is refused. One may be corrected on the day of the meal by taking it again.
// The field of a refusal names the sample by its number.
func (s *Store) TakeSamples(ctx context.Context, by By, samples []Sample, loc *time.Location) ([]Sample, error) {
	taken := make([]Sample, len(samples))
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		for i, sample := range samples {
			if taken[i], err = takeSample(ctx, tx, by, sample, loc); err == nil {
				continue
			}
			if refusal, ok := errors.AsType[*Refusal](err); ok {
				refusal.Field, refusal.Dish = fmt.Sprintf("samples[%d].%s", i, refusal.Field), sample.Dish.String()
			}
			return err
		}
		return nil
	})
	return taken, err
}

func takeSample(ctx context.Context, tx bun.Tx, by By, sample Sample, loc *time.Location) (Sample, error) {
	if refusal := checkSample(sample, by.Now, loc); refusal != nil {
		return sample, refusal
	}
	menu, err := menuIn(ctx, tx, sample.Sitting)
	if err != nil {
		return sample, err
	}
	if _, planned := menu.Item(sample.Dish); !planned || menu.PublishedAt.IsZero() {
		return sample, refuseField(RuleUnknownDish, "dish", 0, "the dish is not on the menu of this meal")
	}
	id, err := newID()
	if err != nil {
		return sample, err
	}
	row := sampleRow{
		ID: id, Canteen: sample.Canteen, Day: sample.Day.String(), Meal: sample.Meal, Dish: sample.Dish, Grams: sample.Grams, Place: sample.Place,
		TakenBy: by.Actor, TakenAt: sample.TakenAt.Unix(),
	}
	action := Name + ".sample-take"
	var known sampleRow
	err = ofSitting(tx.NewSelect().Model(&known), sample.Sitting).Where("dish = ?", sample.Dish).Scan(ctx)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err = tx.NewInsert().Model(&row).Exec(ctx)
	case err != nil:
	case civil.DateOf(by.Now, loc) != sample.Day:
		return sample, refuseField(RuleSampleTaken, "dish", 0, "there is a sample of this dish; it can be corrected on the day of the meal only")
	default:
		row.ID, action = known.ID, Name+".sample-change"
		_, err = tx.NewUpdate().Model(&row).WherePK().Exec(ctx)
	}
	if err != nil {
		return sample, fmt.Errorf("keeping a sample: %w", err)
	}
	if sample, err = row.sample(); err != nil {
		return sample, err
	}
	return sample, audit.Append(ctx, tx, by.Now, audit.Entry{
		Action: action, Actor: by.Actor, Object: row.ID.String(),
		Detail: map[string]string{"grams": strconv.Itoa(row.Grams), "takenAt": sample.TakenAt.In(loc).Format(time.RFC3339)},
	})
}

// DiscardSample keeps that a sample was discarded, which it may not be before it
// was kept for 48 hours. It returns ErrStale if it was discarded already.
func (s *Store) DiscardSample(ctx context.Context, by By, id uuid.UUID) (sample Sample, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var row sampleRow
		err := tx.NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return fmt.Errorf("reading sample %s: %w", id, err)
		}
		if sample, err = row.sample(); err != nil {
			return err
		}
		if !sample.DiscardedAt.IsZero() {
			return ErrStale
		}
		if from := sample.DiscardFrom(); by.Now.Before(from) {
			return refuse(RuleSampleEarly, from.Unix(), "a sample is kept for 48 hours (GB 31654): discard it from %s on", from.Format(time.RFC3339))
		}
		row.DiscardedAt, row.DiscardedBy = unix(by.Now), by.Actor
		if _, err := tx.NewUpdate().Model(&row).Column("discarded_at", "discarded_by").WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("discarding a sample: %w", err)
		}
		if sample, err = row.sample(); err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".sample-discard", Actor: by.Actor, Object: id.String()})
	})
	return sample, err
}

type checkRow struct {
	bun.BaseModel `bun:"table:checks"`

	Canteen string `bun:",pk"`
	Day     string `bun:",pk"`
	Point   string `bun:",pk"`
	State   CheckState
	Remark  string
	NotedBy string
	NotedAt int64
}

func (r checkRow) finding() Finding {
	return Finding{Point: r.Point, State: r.State, Remark: r.Remark, By: r.NotedBy, At: time.Unix(r.NotedAt, 0)}
}

// Checks are what was found in a canteen on the days from first to last, by day
// and point.
func (s *Store) Checks(ctx context.Context, canteen string, first, last civil.Date) (map[civil.Date]map[string]Finding, error) {
	return checksIn(ctx, s.db.Reader(), canteen, first, last)
}

func checksIn(ctx context.Context, db bun.IDB, canteen string, first, last civil.Date) (map[civil.Date]map[string]Finding, error) {
	var rows []checkRow
	err := db.NewSelect().Model(&rows).Where("canteen = ? AND day >= ? AND day <= ?", canteen, first.String(), last.String()).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading daily checks: %w", err)
	}
	found := map[civil.Date]map[string]Finding{}
	for _, row := range rows {
		day, err := civil.ParseDate(row.Day)
		if err != nil {
			return nil, fmt.Errorf("a day in the database: %w", err)
		}
		if found[day] == nil {
			found[day] = map[string]Finding{}
		}
		found[day][row.Point] = row.finding()
	}
	return found, nil
}

// CheckedSince is the first day of a canteen of which there is a menu for
// residents or a check; the zero date if there is none.
func (s *Store) CheckedSince(ctx context.Context, canteen string) (civil.Date, error) {
	var first string
	err := s.db.Reader().NewRaw("SELECT COALESCE(MIN(day), '') FROM (SELECT day FROM menus WHERE canteen = ? AND published_at IS NOT NULL "+
		"UNION ALL SELECT day FROM checks WHERE canteen = ?) AS known", canteen, canteen).Scan(ctx, &first)
	if err != nil {
		return civil.Date{}, fmt.Errorf("reading since when a canteen is here: %w", err)
	}
	if first == "" {
		return civil.Date{}, nil
	}
	return civil.ParseDate(first)
}

// PutChecks keeps what was found at some points of a canteen on a day, which is
// the day on which it is written. Points that are not named stay as they are.
func (s *Store) PutChecks(ctx context.Context, by By, canteen string, day civil.Date, checks []Finding, loc *time.Location) error {
	if refusal := checkChecks(day, civil.DateOf(by.Now, loc), checks); refusal != nil {
		return refusal
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := canteenIn(ctx, tx, canteen); err != nil {
			return err
		}
		all, err := checksIn(ctx, tx, canteen, day, day)
		if err != nil {
			return err
		}
		detail, rows := map[string]string{}, []checkRow{}
		for _, c := range checks {
			before := all[day][c.Point]
			if before.State == c.State && before.Remark == c.Remark {
				continue
			}
			detail[c.Point] = string(c.State)
			if before.State != "" {
				detail[c.Point] = string(before.State) + " → " + string(c.State)
			}
			rows = append(rows, checkRow{Canteen: canteen, Day: day.String(), Point: c.Point, State: c.State, Remark: c.Remark, NotedBy: by.Actor, NotedAt: by.Now.Unix()})
		}
		if len(rows) == 0 {
			return nil
		}
		_, err = tx.NewInsert().Model(&rows).On("CONFLICT (canteen, day, point) DO UPDATE").
			Set("state = EXCLUDED.state, remark = EXCLUDED.remark, noted_by = EXCLUDED.noted_by, noted_at = EXCLUDED.noted_at").Exec(ctx)
		if err != nil {
			return fmt.Errorf("keeping daily checks: %w", err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: Name + ".checks", Actor: by.Actor, Object: canteen + "/" + day.String(), Detail: detail})
	})
}

// safetyRetention is for how long records of food safety are kept after the
// batch expired or was last used, after the meal, or after the check: at least
// six months after a shelf life ends, two years where there is none (Food Safety
// Law of the PRC, Art. 50 and 53). Two years for all, so that they fit together.
const safetyRetention = 2 * 365 * 24 * time.Hour

// eraseSafety removes records of food safety that are past their retention.
func eraseSafety(ctx context.Context, tx bun.Tx, now time.Time, loc *time.Location) error {
	at := now.Add(-safetyRetention)
	day := civil.DateOf(at, loc).String()
	old := tx.NewSelect().Model((*batchRow)(nil)).Column("id").
		Where("bought_on < ?", day).Where("(expires_on IS NULL OR expires_on < ?)", day).Where("(ended_at IS NULL OR ended_at <= ?)", at.Unix()).
		Where("NOT EXISTS (SELECT 1 FROM uses AS u WHERE u.batch = batch_row.id)")
	for _, q := range []*bun.DeleteQuery{
		tx.NewDelete().Model((*useRow)(nil)).Where("day < ?", day),
		tx.NewDelete().Model((*sampleRow)(nil)).Where("day < ?", day),
		tx.NewDelete().Model((*checkRow)(nil)).Where("day < ?", day),
		tx.NewDelete().Model((*batchPhoto)(nil)).Where("batch IN (?)", old),
		tx.NewDelete().Model((*batchRow)(nil)).Where("id IN (?)", old),
		tx.NewDelete().Model((*supplierRow)(nil)).Where("retired_at <= ?", at.Unix()).Where("NOT EXISTS (SELECT 1 FROM batches AS b WHERE b.supplier = supplier_row.id)"),
	} {
		if _, err := q.Exec(ctx); err != nil {
			return fmt.Errorf("erasing records of food safety: %w", err)
		}
	}
	return nil
}
