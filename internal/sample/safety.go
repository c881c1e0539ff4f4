package sample

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// suppliers deliver to sample kitchens.
var suppliers = []struct{ name, contact, phone, licence string }{
	{"鱼台米业有限公司", "孔祥米", "0537-6200001", "SC10137082700011"},
	{"湖畔生鲜配送站", "郑海", "0537-6200002", "JY13708270000021"},
}

// batches are in sample kitchens: from which supplier, when bought and until
// when good, in days from today. In all that is cooked there is the first, in
// what is no staple the second too.
var batches = []struct {
	ingredient, quantity, lot string
	supplier, bought, expires int
}{
	{"大米", "100千克", "M2611", 0, -6, 300},
	{"时令蔬菜", "60千克", "", 1, 0, 2},
	{"猪五花", "20千克", "Z1123", 1, -1, 3},
	{"豆腐", "15千克", "D1120", 1, -3, -1},
}

// keepSafe has the kitchen take in ingredients, say what went into today's and
// tomorrow's dishes, and check itself. Where there are suppliers it is done.
func (c Community) keepSafe(ctx context.Context, manager string, place canteen, ids map[string]string) error {
	var known struct{ Suppliers []struct{ ID string } }
	if err := c.ask(ctx, manager, http.MethodGet, canteenPath+"/staff/suppliers", "", nil, &known); err != nil || len(known.Suppliers) > 0 {
		return err
	}
	var from, stock []string
	for _, s := range suppliers {
		var made struct{ ID string }
		body := map[string]any{"name": s.name, "contact": s.contact, "phone": s.phone, "licence": s.licence}
		if err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/suppliers", "", body, &made); err != nil {
			return fmt.Errorf("supplier %s: %w", s.name, err)
		}
		from = append(from, made.ID)
	}
	for _, b := range batches {
		var made struct{ ID string }
		body := map[string]any{
			"ingredient": b.ingredient, "quantity": b.quantity, "lot": b.lot, "supplier": from[b.supplier],
			"boughtOn": c.Today.AddDate(0, 0, b.bought).Format(time.DateOnly), "expiresOn": c.Today.AddDate(0, 0, b.expires).Format(time.DateOnly),
		}
		if err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/batches", "", body, &made); err != nil {
			return fmt.Errorf("batch of %s: %w", b.ingredient, err)
		}
		stock = append(stock, made.ID)
	}
	for days := range 2 {
		if err := c.noteUses(ctx, manager, place, days, stock, ids); err != nil {
			return fmt.Errorf("what went into meals: %w", err)
		}
	}
	return c.sampleAndCheck(ctx, manager, place, ids)
}

// noteUses says what went into the dishes of a day.
func (c Community) noteUses(ctx context.Context, manager string, place canteen, days int, stock []string, ids map[string]string) error {
	for m, meal := range place.Meals {
		var uses []map[string]any
		for i, item := range items(daysSinceMonday(c.Today)+days+m, ids) {
			of := []string{stock[1]}
			if i%2 == 0 {
				of = []string{stock[0], stock[2]}
			}
			uses = append(uses, map[string]any{"dish": item["dish"], "batches": of})
		}
		path := strings.Join([]string{canteenPath, "staff/uses", place.Name, c.Today.AddDate(0, 0, days).Format(time.DateOnly), meal.Name}, "/")
		err := c.ask(ctx, manager, http.MethodPut, path, "", map[string]any{"dishes": uses}, nil)
		if err != nil && !isStatus(err, http.StatusUnprocessableEntity) { // of a meal that was planned otherwise
			return err
		}
	}
	return nil
}

// sampleAndCheck has a sample taken of today's dishes, and the kitchen looked
// over.
func (c Community) sampleAndCheck(ctx context.Context, manager string, place canteen, ids map[string]string) error {
	today := c.Today.Format(time.DateOnly)
	var samples []map[string]any
	for _, item := range items(daysSinceMonday(c.Today), ids)[:4] {
		samples = append(samples, map[string]any{"dish": item["dish"], "grams": 150, "place": "一号留样冰箱"})
	}
	body := map[string]any{"canteen": place.Name, "date": today, "meal": place.Meals[0].Name, "samples": samples}
	err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/samples", "", body, nil)
	if err != nil && !isStatus(err, http.StatusUnprocessableEntity) {
		return fmt.Errorf("samples: %w", err)
	}
	var checks []map[string]any
	for _, point := range []string{"surfaces", "stores", "apart", "health", "receiving", "hands", "briefing", "allergens", "washing"} {
		checks = append(checks, map[string]any{"point": point, "state": "OK"})
	}
	checks = append(checks, map[string]any{"point": "fridges", "state": "NotOK", "remark": "二号冷柜11℃，已调低，一小时后复查4℃"})
	if err := c.ask(ctx, manager, http.MethodPut, canteenPath+"/staff/checks/"+place.Name+"/"+today, "", map[string]any{"checks": checks}, nil); err != nil {
		return fmt.Errorf("daily check: %w", err)
	}
	return nil
}
