package canteen

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

type dishRow struct {
	bun.BaseModel `bun:"table:dishes"`

	ID          uuid.UUID `bun:",pk"`
	Name        string
	EnglishName string
	Description string
	Kind        Kind
	Price       int64
	Allergens   string
	Tags        string
	Nutrition   string
	Photo       *uuid.UUID
	RetiredAt   *int64
	Version     int
}

func (r dishRow) dish() (Dish, error) {
	d := Dish{
		ID: r.ID, Name: r.Name, EnglishName: r.EnglishName, Description: r.Description, Kind: r.Kind, Price: r.Price,
		Retired: r.RetiredAt != nil, Version: r.Version,
	}
	if r.Photo != nil {
		d.Photo = *r.Photo
	}
	for text, to := range map[string]any{r.Allergens: &d.Allergens, r.Tags: &d.Tags, r.Nutrition: &d.Nutrition} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			return d, fmt.Errorf("dish %s in the database: %w", r.ID, err)
		}
	}
	return d, nil
}

func dishRowOf(d Dish) (dishRow, error) {
	r := dishRow{
		ID: d.ID, Name: d.Name, EnglishName: d.EnglishName, Description: d.Description, Kind: d.Kind, Price: d.Price, Version: d.Version,
	}
	if d.Photo != uuid.Nil {
		r.Photo = &d.Photo
	}
	for to, value := range map[*string]any{&r.Allergens: d.Allergens, &r.Tags: d.Tags, &r.Nutrition: d.Nutrition} {
		var err error
		if *to, err = asJSON(value); err != nil {
			return r, err
		}
	}
	return r, nil
}

// Limits of dishes.
const (
	maxDishName        = 40
	maxDishDescription = 200
	maxDishPrice       = 100_000 // fen
	maxNutrient        = 100_000
)

// DishMistake names a field of a dish that is not right. Fields are named as
// the API and forms name them.
type DishMistake struct {
	Field, Text string
}

// CheckDish says what is wrong with a dish, field by field; nil if nothing is.
func CheckDish(d Dish) []DishMistake {
	var wrong []DishMistake
	say := func(bad bool, field, format string, args ...any) {
		if bad {
			wrong = append(wrong, DishMistake{field, fmt.Sprintf(format, args...)})
		}
	}
	say(strings.TrimSpace(d.Name) == "", "name", "a dish has a name")
	say(utf8.RuneCountInString(d.Name) > maxDishName, "name", "at most %d characters", maxDishName)
	say(utf8.RuneCountInString(d.EnglishName) > 2*maxDishName, "englishName", "at most %d characters", 2*maxDishName)
	say(utf8.RuneCountInString(d.Description) > maxDishDescription, "description", "at most %d characters", maxDishDescription)
	say(!slices.Contains(Kinds, d.Kind), "kind", "not a kind of dish")
	say(d.Price < 0 || d.Price > maxDishPrice, "price", "between 0 and %d fen", maxDishPrice)
	for _, a := range d.Allergens {
		say(!slices.Contains(Allergens, a), "allergens", "not an allergen")
	}
	for _, t := range d.Tags {
		say(!slices.Contains(Tags, t), "tags", "not a tag")
	}
	n := d.Nutrition
	say(slices.Min([]int{n.Energy, n.Protein, n.Fat, n.Carbohydrate, n.Sodium}) < 0, "nutrition", "not less than 0")
	say(slices.Max([]int{n.Energy, n.Protein, n.Fat, n.Carbohydrate, n.Sodium}) > maxNutrient, "nutrition", "too much for a portion")
	return wrong
}

// Dishes are all dishes by kind and name; those that are retired only if asked.
func (s *Store) Dishes(ctx context.Context, retired bool) ([]Dish, error) {
	var rows []dishRow
	q := s.db.Reader().NewSelect().Model(&rows).Order("name", "id")
	if !retired {
		q.Where("retired_at IS NULL")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing dishes: %w", err)
	}
	dishes := make([]Dish, len(rows))
	for i, row := range rows {
		var err error
		if dishes[i], err = row.dish(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(dishes, func(a, b Dish) int { return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind) })
	return dishes, nil
}

// Dish is the dish with an ID, or ErrNotFound.
func (s *Store) Dish(ctx context.Context, id uuid.UUID) (Dish, error) {
	var row dishRow
	err := s.db.Reader().NewSelect().Model(&row).Where("id = ?", id).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Dish{}, ErrNotFound
	}
	if err != nil {
		return Dish{}, fmt.Errorf("reading dish %s: %w", id, err)
	}
	return row.dish()
}

// DishesOf are the dishes of orders, by ID.
func (s *Store) DishesOf(ctx context.Context, orders ...Order) (map[uuid.UUID]Dish, error) {
	ids := map[uuid.UUID]bool{}
	for _, o := range orders {
		for _, l := range o.Lines {
			ids[idOf(l.Dish)] = true
		}
	}
	return dishesIn(ctx, s.db.Reader(), ids)
}

// By is who does something for the canteen, and when.
type By struct {
	Actor string
	Now   time.Time
}

// PutDish keeps a dish. Version is the one that was seen; 0 makes a new dish.
// It returns ErrStale if it was changed meanwhile, ErrNotFound if there is no
// such dish. The dish must have passed CheckDish.
func (s *Store) PutDish(ctx context.Context, by By, d Dish) (Dish, error) {
	seen := d.Version
	d.Version++
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		row, err := dishRowOf(d)
		if err != nil {
			return err
		}
		action := Name + ".dish-change"
		if seen == 0 {
			action = Name + ".dish-new"
			_, err = tx.NewInsert().Model(&row).Exec(ctx)
		} else {
			err = changeDish(ctx, tx, row, seen)
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: d.ID.String()})
	})
	return d, err
}

func changeDish(ctx context.Context, tx bun.Tx, row dishRow, seen int) error {
	result, err := tx.NewUpdate().Model(&row).ExcludeColumn("retired_at").WherePK().Where("version = ?", seen).Exec(ctx)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 1 {
		return err
	}
	known, err := tx.NewSelect().Model((*dishRow)(nil)).Where("id = ?", row.ID).Exists(ctx)
	if err == nil && known {
		err = ErrStale
	} else if err == nil {
		err = ErrNotFound
	}
	return err
}

// RetireDish takes a dish out of what menus can offer, or puts it back. Menus
// that have it keep it.
func (s *Store) RetireDish(ctx context.Context, by By, id uuid.UUID, retired bool) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		var at *int64
		action := Name + ".dish-back"
		if retired {
			at, action = unix(by.Now), Name+".dish-retire"
		}
		result, err := tx.NewUpdate().Model((*dishRow)(nil)).Set("retired_at = ?", at).Set("version = version + 1").Where("id = ?", id).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return audit.Append(ctx, tx, by.Now, audit.Entry{Action: action, Actor: by.Actor, Object: id.String()})
	})
}
