package canteen

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
)

type menuRow struct {
	bun.BaseModel `bun:"table:menus"`

	Canteen     string `bun:",pk"`
	Day         string `bun:",pk"`
	Meal        string `bun:",pk"`
	PublishedAt *int64
	Version     int
}

type itemRow struct {
	bun.BaseModel `bun:"table:items"`

	Canteen     string    `bun:",pk"`
	Day         string    `bun:",pk"`
	Meal        string    `bun:",pk"`
	Dish        uuid.UUID `bun:",pk"`
	Position    int
	Price       int64
	Stock       int
	MaxPerOrder int
	Taken       int
}

// Menus are the menus of the days from first to last of all canteens, or of
// one if it is named, drafts only if asked; by day.
func (s *Store) Menus(ctx context.Context, canteen string, first, last civil.Date, drafts bool) ([]Menu, error) {
	return menusIn(ctx, s.db.Reader(), canteen, first, last, drafts)
}

func menusIn(ctx context.Context, db bun.IDB, canteen string, first, last civil.Date, drafts bool) ([]Menu, error) {
	var rows []menuRow
	q := db.NewSelect().Model(&rows).Where("day >= ? AND day <= ?", first.String(), last.String()).Order("day", "canteen", "meal")
	if canteen != "" {
		q.Where("canteen = ?", canteen)
	}
	if !drafts {
		q.Where("published_at IS NOT NULL")
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing menus: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	items, err := itemsIn(ctx, db, canteen, first, last)
	if err != nil {
		return nil, err
	}
	menus := make([]Menu, len(rows))
	for i, row := range rows {
		sitting, err := sittingOf(row.Canteen, row.Day, row.Meal)
		if err != nil {
			return nil, err
		}
		menus[i] = Menu{Sitting: sitting, Items: items[sitting], PublishedAt: timeOf(row.PublishedAt), Version: row.Version}
	}
	return menus, nil
}

// itemsIn are the items of all sittings of some days, in order.
func itemsIn(ctx context.Context, db bun.IDB, canteen string, first, last civil.Date) (map[Sitting][]Item, error) {
	var rows []itemRow
	q := db.NewSelect().Model(&rows).Where("day >= ? AND day <= ?", first.String(), last.String()).Order("day", "canteen", "meal", "position", "dish")
	if canteen != "" {
		q.Where("canteen = ?", canteen)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("listing the dishes of menus: %w", err)
	}
	ids := map[uuid.UUID]bool{}
	for _, row := range rows {
		ids[row.Dish] = true
	}
	dishes, err := dishesIn(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	items := map[Sitting][]Item{}
	for _, row := range rows {
		sitting, err := sittingOf(row.Canteen, row.Day, row.Meal)
		if err != nil {
			return nil, err
		}
		items[sitting] = append(items[sitting], Item{
			Dish: dishes[row.Dish], Price: row.Price, Stock: row.Stock, Taken: row.Taken, MaxPerOrder: row.MaxPerOrder,
		})
	}
	return items, nil
}

func dishesIn(ctx context.Context, db bun.IDB, ids map[uuid.UUID]bool) (map[uuid.UUID]Dish, error) {
	dishes := make(map[uuid.UUID]Dish, len(ids))
	if len(ids) == 0 {
		return dishes, nil
	}
	list := make([]uuid.UUID, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	var rows []dishRow
	if err := db.NewSelect().Model(&rows).Where("id IN (?)", bun.List(list)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("reading dishes: %w", err)
	}
	for _, row := range rows {
		d, err := row.dish()
		if err != nil {
			return nil, err
		}
		dishes[d.ID] = d
	}
	return dishes, nil
}

// Menu is the menu of a sitting; one without items that is not published if
// nobody has planned it.
func (s *Store) Menu(ctx context.Context, sitting Sitting) (Menu, error) {
	return menuIn(ctx, s.db.Reader(), sitting)
}

func menuIn(ctx context.Context, db bun.IDB, sitting Sitting) (Menu, error) {
	menus, err := menusIn(ctx, db, sitting.Canteen, sitting.Day, sitting.Day, true)
	if err != nil {
		return Menu{}, err
	}
	for _, m := range menus {
		if m.Sitting == sitting {
			return m, nil
		}
	}
	return Menu{Sitting: sitting}, nil
}

// Limits of menus.
const (
	maxItems = 40
	maxStock = 10_000
)

// Plan is what a menu shall be.
type Plan struct {
	Sitting
	// Items are the dishes by ID with their prices, stocks and limits, in order.
	Items     []PlanItem
	Published bool
	// Version is the one that was seen; 0 if there was no menu yet.
	Version int
}

// PlanItem is a dish of a plan.
type PlanItem struct {
	Dish        uuid.UUID
	Price       int64
	Stock       int
	MaxPerOrder int
}

// PlanMistake says what is wrong with a plan, and with which of its items;
// Item is -1 if it is none.
type PlanMistake struct {
	Item        int
	Field, Text string
}

// CheckPlan says what is wrong with a plan; nil if nothing is.
func CheckPlan(p Plan) []PlanMistake {
	var wrong []PlanMistake
	if len(p.Items) > maxItems {
		wrong = append(wrong, PlanMistake{-1, "items", fmt.Sprintf("at most %d dishes", maxItems)})
	}
	if p.Published && len(p.Items) == 0 {
		wrong = append(wrong, PlanMistake{-1, "items", "a menu without dishes cannot be published"})
	}
	seen := map[uuid.UUID]bool{}
	for i, item := range p.Items {
		if seen[item.Dish] {
			wrong = append(wrong, PlanMistake{i, "dish", "the dish is on the menu twice"})
		}
		seen[item.Dish] = true
		if item.Price < 0 || item.Price > maxDishPrice {
			wrong = append(wrong, PlanMistake{i, "price", fmt.Sprintf("between 0 and %d fen", maxDishPrice)})
		}
		if item.Stock < 0 || item.Stock > maxStock {
			wrong = append(wrong, PlanMistake{i, "stock", fmt.Sprintf("between 0 and %d portions", maxStock)})
		}
		if item.MaxPerOrder < 0 || item.MaxPerOrder > maxStock {
			wrong = append(wrong, PlanMistake{i, "maxPerOrder", fmt.Sprintf("between 0 and %d portions", maxStock)})
		}
	}
	return wrong
}

// PutMenu keeps the menu of a sitting. It returns ErrStale if it was changed
// meanwhile, and ErrInUse if it would take away what was ordered: a dish, or
// more of its stock than is left. Orders keep the prices at which they were
// made. The plan must have passed CheckPlan.
func (s *Store) PutMenu(ctx context.Context, by By, p Plan) (Menu, error) {
	var m Menu
	err := s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) (err error) {
		if err := putMenu(ctx, tx, by, p); err != nil {
			return err
		}
		m, err = menuIn(ctx, tx, p.Sitting)
		return err
	})
	return m, err
}

func putMenu(ctx context.Context, tx bun.Tx, by By, p Plan) error {
	before, err := menuIn(ctx, tx, p.Sitting)
	if err != nil {
		return err
	}
	if before.Version != p.Version {
		return ErrStale
	}
	row := menuRow{Canteen: p.Canteen, Day: p.Day.String(), Meal: p.Meal, Version: p.Version + 1, PublishedAt: unix(before.PublishedAt)}
	switch {
	case p.Published && row.PublishedAt == nil:
		row.PublishedAt = unix(by.Now)
	case !p.Published && row.PublishedAt != nil:
		for _, item := range before.Items {
			if item.Taken > 0 {
				return ErrInUse
			}
		}
		row.PublishedAt = nil
	}
	_, err = tx.NewInsert().Model(&row).On("CONFLICT (canteen, day, meal) DO UPDATE").
		Set("published_at = EXCLUDED.published_at, version = EXCLUDED.version").Exec(ctx)
	if err != nil {
		return fmt.Errorf("keeping a menu: %w", err)
	}
	if err := putItems(ctx, tx, p, before); err != nil {
		return err
	}
	return audit.Append(ctx, tx, by.Now, audit.Entry{
		Action: Name + ".menu", Actor: by.Actor, Object: p.Sitting.String(),
		Detail: map[string]string{"dishes": strconv.Itoa(len(p.Items)), "published": strconv.FormatBool(p.Published)},
	})
}

func putItems(ctx context.Context, tx bun.Tx, p Plan, before Menu) error {
	taken := map[uuid.UUID]int{}
	for _, item := range before.Items {
		taken[item.Dish.ID] = item.Taken
	}
	rows := make([]itemRow, len(p.Items))
	for i, item := range p.Items {
		if taken[item.Dish] > item.Stock {
			return ErrInUse
		}
		rows[i] = itemRow{
			Canteen: p.Canteen, Day: p.Day.String(), Meal: p.Meal, Dish: item.Dish, Position: i,
			Price: item.Price, Stock: item.Stock, MaxPerOrder: item.MaxPerOrder, Taken: taken[item.Dish],
		}
		delete(taken, item.Dish)
	}
	for _, n := range taken {
		if n > 0 {
			return ErrInUse
		}
	}
	_, err := tx.NewDelete().Model((*itemRow)(nil)).
		Where("canteen = ? AND day = ? AND meal = ?", p.Canteen, p.Day.String(), p.Meal).Exec(ctx)
	if err == nil && len(rows) > 0 {
		_, err = tx.NewInsert().Model(&rows).Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("keeping the dishes of a menu: %w", err)
	}
	return nil
}

// CopyWeek copies the menus of the week before the one that begins on monday
// into it, as drafts, for the days on which the canteen serves. Sittings that
// are planned already stay as they are. It returns how many menus were made.
func (s *Store) CopyWeek(ctx context.Context, by By, canteen string, monday civil.Date) (int, error) {
	c, err := s.Canteen(ctx, canteen)
	if err != nil {
		return 0, err
	}
	made := 0
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		made = 0
		last, err := menusIn(ctx, tx, canteen, monday.AddDays(-7), monday.AddDays(-1), true)
		if err != nil {
			return err
		}
		for _, from := range last {
			to := Sitting{Canteen: canteen, Day: from.Day.AddDays(7), Meal: from.Meal}
			meal, ok := c.Meal(from.Meal)
			if !ok || !c.Serves(meal, to.Day) {
				continue
			}
			p := Plan{Sitting: to}
			for _, item := range from.Items {
				if !item.Dish.Retired {
					p.Items = append(p.Items, PlanItem{item.Dish.ID, item.Dish.Price, item.Stock, item.MaxPerOrder})
				}
			}
			err := putMenu(ctx, tx, by, p)
			if errors.Is(err, ErrStale) {
				continue // planned already
			}
			if err != nil {
				return err
			}
			made++
		}
		return nil
	})
	return made, err
}
