package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

const (
	// A year of a canteen: so many menus of orderDishes dishes, and orders.
	menuDaysBefore, menuDaysAhead = 365, 7
	storedOrders                  = 20_000
	// keptOrderDays is for how many days orders are kept.
	keptOrderDays = 180
)

// measureMeals compares pages of the canteen, and today's menus as JSON, with a
// static file of the same server, after a year.
func measureMeals(ctx context.Context, b *bench) ([]row, error) {
	in, err := b.instance("meals", communityWithKitchen("bench"))
	if err != nil {
		return nil, err
	}
	defer in.Kill() //nolint:errcheck // stopped below unless something failed
	// The first start makes the database.
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	s, err := managed(ctx, in)
	if err != nil {
		return nil, err
	}
	who, err := s.eaters(ctx, 1)
	if err != nil {
		return nil, err
	}
	dishes, err := s.dishesOf(ctx, orderDishes*3, orderPrice)
	if err != nil {
		return nil, err
	}
	if err := in.Stop(); err != nil {
		return nil, err
	}
	b.say("meals: storing a year with %d orders", storedOrders)
	today := time.Now().In(zone)
	path := filepath.Join(in.DataDir(), "canteen.db")
	if err := storeMeals(ctx, path, today, dishes, who[0].id); err != nil {
		return nil, fmt.Errorf("storing meals: %w", err)
	}
	if err := in.Start(ctx); err != nil {
		return nil, err
	}
	left, err := mealsErased(ctx, path, today)
	if err != nil {
		return nil, err
	}
	date := today.Format(time.DateOnly)
	kinds := []page{
		{"today's menu, page", "", func(int) string { return "/canteen/" }},
		{"today's menu, JSON", "", func(int) string { return "/canteen/api/v1/menus/" + date }},
		{"the week's menus, page", "", func(int) string { return "/canteen/week" }},
		{"own orders, page", who[0].token, func(int) string { return "/canteen/orders" }},
		{"a meal in the kitchen, page", s.cook, func(n int) string {
			return "/canteen/staff/meals/" + canteenName + "/" + date + "/" + mealNames[n%len(mealNames)]
		}},
	}
	rows, err := b.comparePages(ctx, in, fmt.Sprintf("after a year (%d orders, %d left)", storedOrders, left), kinds)
	return rows, errors.Join(err, in.Stop())
}

// storeMeals writes menus and orders straight into the database file: as many
// on every day, one of them each day the resident's.
func storeMeals(ctx context.Context, path string, today time.Time, dishes []string, resident string) error {
	u := url.URL{Scheme: "file", Path: path, OmitHost: true, RawQuery: "mode=rw"}
	db, err := sql.Open("sqlite", u.String())
	if err != nil {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	if err := insertMeals(ctx, tx, today, dishes, resident); err != nil {
		return errors.Join(err, tx.Rollback(), db.Close())
	}
	return errors.Join(tx.Commit(), db.Close())
}

func insertMeals(ctx context.Context, tx *sql.Tx, today time.Time, dishes []string, resident string) error {
	insertOrder, err := tx.PrepareContext(ctx, insertMealOrder)
	if err != nil {
		return err
	}
	defer insertOrder.Close()
	perMeal := storedOrders / len(mealNames) / menuDaysBefore
	for n := range menuDaysBefore + menuDaysAhead {
		day := today.AddDate(0, 0, n-menuDaysBefore+1)
		date, past := day.Format(time.DateOnly), n < menuDaysBefore-1
		for m, meal := range mealNames {
			if _, err := tx.ExecContext(ctx, "INSERT INTO menus (canteen, day, meal, published_at, version) VALUES (?, ?, ?, 1, 1)", canteenName, date, meal); err != nil {
				return err
			}
			of := make([]string, orderDishes)
			for i := range of {
				of[i] = dishes[(n+m+i)%len(dishes)]
				_, err := tx.ExecContext(ctx, "INSERT INTO items (canteen, day, meal, dish, position, price, stock, max_per_order, taken) VALUES (?, ?, ?, ?, ?, ?, 500, 0, ?)",
					canteenName, date, meal, of[i], i, orderPrice, perMeal)
				if err != nil {
					return err
				}
			}
			if n >= menuDaysBefore {
				continue // nobody has ordered yet
			}
			state := "Placed"
			if past {
				state = "Served"
			}
			for i := range perMeal {
				id, err := uuid.NewV7()
				if err != nil {
					return err
				}
				person := fmt.Sprintf("person-%d", i)
				if i == 0 && m == 0 {
					person = resident
				}
				lines := fmt.Sprintf(`[{"dish":%q,"portions":1,"price":%d},{"dish":%q,"portions":2,"price":%d}]`, of[i%len(of)], orderPrice, of[(i+1)%len(of)], orderPrice)
				at := day.Unix() - 86400
				if _, err := insertOrder.ExecContext(ctx, id.String(), canteenName, date, meal, person, person, person, "Counter", lines, 3*orderPrice, nil, state, "", at, at, at); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mealsErased waits until no order is left that is past its retention, and
// counts the others.
func mealsErased(ctx context.Context, path string, today time.Time) (left int, err error) {
	before := today.AddDate(0, 0, -keptOrderDays).Format(time.DateOnly)
	return awaitErased(ctx, path, "SELECT COUNT(*), COUNT(*) FILTER (WHERE day < ?) FROM orders", before)
}
