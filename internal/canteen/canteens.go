package canteen

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

// Bounds of canteens and their meals, as the manifest has them.
const (
	maxPlaceName    = 63
	maxPlaceTitle   = 60
	maxPlaceText    = 500
	maxMealTitle    = 30
	maxMeals        = 6
	maxMaxPortions  = 50
	maxClosedDates  = 366
	maxCutOffDays   = 7
	reservedForForm = "new" // where forms of new ones are
)

var placeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// validName reports whether a canteen or a meal may be called so in addresses.
func validName(name string) bool {
	return len(name) <= maxPlaceName && placeName.MatchString(name) && name != reservedForForm
}

// CheckPlace says which fields of a canteen are not right, beside its meals;
// nil if all are. Fields are named as in the manifest.
func CheckPlace(c v1alpha1.CanteenPlace) (fields []string) {
	say := func(bad bool, field string) {
		if bad {
			fields = append(fields, field)
		}
	}
	say(!validName(c.Name), "name")
	n := utf8.RuneCountInString(c.DisplayName)
	say(n == 0 || n > maxPlaceTitle, "displayName")
	say(utf8.RuneCountInString(c.Description) > maxPlaceText, "description")
	say(c.MaxPortions < 1 || c.MaxPortions > maxMaxPortions, "maxPortions")
	delivers := slices.ContainsFunc(c.Meals, func(m v1alpha1.Meal) bool { return slices.Contains(m.Ways, v1alpha1.WayDelivery) })
	say(delivers && len(c.DeliveryEstates) == 0, "deliveryEstates")
	badDate := slices.ContainsFunc(c.ClosedDates, func(day string) bool { _, err := civil.ParseDate(day); return err != nil })
	say(badDate || len(c.ClosedDates) > maxClosedDates, "closedDates")
	return fields
}

// CheckMeal says which fields of a meal are not right; nil if all are.
func CheckMeal(m v1alpha1.Meal) (fields []string) {
	say := func(bad bool, field string) {
		if bad {
			fields = append(fields, field)
		}
	}
	wrong := func(text string) bool { _, err := minutesOf(text); return err != nil }
	say(!validName(m.Name), "name")
	n := utf8.RuneCountInString(m.DisplayName)
	say(n == 0 || n > maxMealTitle, "displayName")
	say(wrong(m.From), "from")
	say(wrong(m.To) || m.From >= m.To, "to")
	say(wrong(m.CutOff) || m.CutOffDaysBefore == 0 && m.CutOff > m.To, "cutOff")
	say(m.CutOffDaysBefore < 0 || m.CutOffDaysBefore > maxCutOffDays, "cutOffDaysBefore")
	say(slices.ContainsFunc(m.Days, func(d v1alpha1.Weekday) bool { return !slices.Contains(weekdays, d) }), "days")
	say(len(m.Ways) == 0 || slices.ContainsFunc(m.Ways, func(w v1alpha1.Way) bool { return !slices.Contains(ways, w) }), "ways")
	return fields
}

// ErrTaken means that there is a canteen of that name already.
var ErrTaken = errors.New("the name is taken")

// OrdersAhead means that what is to be taken away was ordered and not handed
// out yet.
type OrdersAhead struct{ Orders int }

func (e *OrdersAhead) Error() string {
	return fmt.Sprintf("%d orders are still to be handed out: cancel them, or wait until they are", e.Orders)
}

// RetiredCanteens are those that take no orders any more.
func (s *Store) RetiredCanteens(ctx context.Context) ([]Canteen, error) { return s.canteens(ctx, true) }

// SaveCanteen keeps a canteen as a manager wrote it. version is the one that
// was seen; 0 makes a new one. It returns ErrTaken if a new one has the name of
// another, ErrStale if somebody else has changed it meanwhile, and *OrdersAhead
// if a meal that it has no more, or a day that it closes, was ordered.
func (s *Store) SaveCanteen(ctx context.Context, by By, spec v1alpha1.CanteenPlace, version int) error {
	if _, err := ParseCanteen(spec); err != nil {
		return err
	}
	text, err := asJSON(spec)
	if err != nil {
		return err
	}
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		action := Name + ".canteen-change"
		if version == 0 {
			action = Name + ".canteen-new"
			if err := addCanteen(ctx, tx, spec.Name, text); err != nil {
				return err
			}
		} else if err := changeCanteen(ctx, tx, spec, text, version); err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: spec.Name})
	})
}

func addCanteen(ctx context.Context, tx bun.Tx, name, spec string) error {
	known, err := tx.NewSelect().Model((*canteenRow)(nil)).Where("name = ?", name).Exists(ctx)
	if err != nil {
		return fmt.Errorf("looking for canteen %q: %w", name, err)
	}
	if known {
		return ErrTaken
	}
	row := canteenRow{Name: name, Spec: spec, Version: 1}
	if err := tx.NewSelect().Model((*canteenRow)(nil)).ColumnExpr("COALESCE(MAX(position), -1) + 1").Scan(ctx, &row.Position); err != nil {
		return fmt.Errorf("counting the canteens: %w", err)
	}
	if _, err := tx.NewInsert().Model(&row).Exec(ctx); err != nil {
		return fmt.Errorf("keeping canteen %q: %w", name, err)
	}
	return nil
}

func changeCanteen(ctx context.Context, tx bun.Tx, spec v1alpha1.CanteenPlace, text string, version int) error {
	before, err := canteenIn(ctx, tx, spec.Name)
	if err != nil {
		return err
	}
	if before.Version != version {
		return ErrStale
	}
	var meals, days []string
	for _, m := range before.Meals {
		if !slices.ContainsFunc(spec.Meals, func(after v1alpha1.Meal) bool { return after.Name == m.Name }) {
			meals = append(meals, m.Name)
		}
	}
	for _, day := range spec.ClosedDates {
		if !slices.Contains(before.ClosedDates, day) {
			days = append(days, day)
		}
	}
	for column, values := range map[string][]string{"meal": meals, "day": days} {
		if len(values) == 0 {
			continue
		}
		if err := noneAhead(ctx, tx, spec.Name, func(q *bun.SelectQuery) { q.Where("? IN (?)", bun.Ident(column), bun.List(values)) }); err != nil {
			return err
		}
	}
	_, err = tx.NewUpdate().Model((*canteenRow)(nil)).Set("spec = ?", text).Set("version = version + 1").Where("name = ?", spec.Name).Exec(ctx)
	if err != nil {
		return fmt.Errorf("keeping canteen %q: %w", spec.Name, err)
	}
	return nil
}

// noneAhead returns *OrdersAhead if orders of a canteen are still to be handed
// out; which, if it is not nil, says which of them count.
func noneAhead(ctx context.Context, tx bun.Tx, canteen string, which func(q *bun.SelectQuery)) error {
	q := tx.NewSelect().Model((*orderRow)(nil)).Where("canteen = ? AND state IN (?)", canteen, bun.List([]State{StatePlacing, StatePlaced}))
	if which != nil {
		which(q)
	}
	n, err := q.Count(ctx)
	if err != nil {
		return fmt.Errorf("counting the orders of canteen %q: %w", canteen, err)
	}
	if n > 0 {
		return &OrdersAhead{int(n)}
	}
	return nil
}

// RetireCanteen has a canteen take no orders any more, or again. It returns
// *OrdersAhead if orders are still to be handed out there.
func (s *Store) RetireCanteen(ctx context.Context, by By, name string, retired bool) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		action, at := Name+".canteen-back", (*int64)(nil)
		if retired {
			action, at = Name+".canteen-retire", unix(by.Now)
			if err := noneAhead(ctx, tx, name, nil); err != nil {
				return err
			}
		}
		result, err := tx.NewUpdate().Model((*canteenRow)(nil)).Set("retired_at = ?", at).Set("version = version + 1").Where("name = ?", name).Exec(ctx)
		if err != nil {
			return fmt.Errorf("retiring canteen %q: %w", name, err)
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: name})
	})
}

// mealName is what residents call the meal of a sitting, read where db is; its
// short name if the canteen has it no more.
func mealName(ctx context.Context, db bun.IDB, sitting Sitting) (string, error) {
	c, err := canteenIn(ctx, db, sitting.Canteen)
	if errors.Is(err, ErrNotFound) { // none of its name was ever there
		return sitting.Meal, nil
	}
	return c.mealName(sitting.Meal), err
}

// closedDatesOf reads days as they are typed, one a line or with commas; wrong
// is the first that is none.
func closedDatesOf(text string) (days []string, wrong string) {
	for _, one := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(" \n\r\t,，、;；", c) }) {
		day, err := civil.ParseDate(one)
		if err != nil {
			return nil, one
		}
		days = append(days, day.String())
	}
	slices.Sort(days)
	return slices.Compact(days), ""
}
