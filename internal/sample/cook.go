package sample

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// dish is something that sample kitchens cook.
type dish struct {
	name, english, kind string
	// price is in fen; energy in kJ; protein, fat and carbohydrate in tenths of
	// a gram; sodium in mg. They are illustrative.
	price, energy, protein, fat, carbohydrate, sodium int
	allergens, tags                                   []string
}

// dishes are in groups of one kind, from which menus take one or two a day.
var dishes = []dish{
	{"长者套餐（一荤两素）", "Set meal for the elderly", "Set", 1500, 2850, 285, 216, 842, 980, []string{"Soya"}, []string{"Soft"}},
	{"清真套餐", "Halal set meal", "Set", 1600, 2910, 301, 224, 838, 1010, []string{"Soya"}, []string{"Halal"}},
	{"素食套餐", "Vegetarian set meal", "Set", 1200, 2340, 168, 152, 812, 760, []string{"Soya", "Eggs"}, []string{"Vegetarian", "Soft"}},
	{"红烧肉", "Red-braised pork", "Meat", 1200, 1980, 182, 402, 96, 920, []string{"Soya"}, []string{"Soft"}},
	{"清蒸鲈鱼", "Steamed sea bass", "Meat", 1500, 820, 261, 92, 31, 480, []string{"Fish", "Soya"}, []string{"Soft", "LowSalt"}},
	{"土豆炖牛肉", "Beef stewed with potatoes", "Meat", 1400, 1450, 246, 178, 168, 760, []string{"Soya"}, []string{"Soft", "Halal"}},
	{"宫保鸡丁", "Kung pao chicken", "Meat", 1100, 1360, 228, 201, 121, 840, []string{"Peanuts", "Soya"}, nil},
	{"肉末蒸蛋", "Steamed egg with minced pork", "Meat", 700, 690, 138, 98, 42, 420, []string{"Eggs", "Soya"}, []string{"Soft", "LowSalt"}},
	{"香菇炖鸡", "Chicken stewed with mushrooms", "Meat", 1200, 1180, 252, 162, 58, 610, []string{"Soya"}, []string{"Soft"}},
	{"清炒菠菜", "Stir-fried spinach", "Vegetable", 400, 310, 31, 52, 46, 280, nil, []string{"Vegetarian", "Soft", "LowSalt"}},
	{"麻婆豆腐", "Mapo tofu", "Vegetable", 500, 720, 112, 121, 61, 780, []string{"Soya"}, []string{"Soft"}},
	{"西红柿炒鸡蛋", "Tomatoes with scrambled eggs", "Vegetable", 500, 640, 92, 104, 72, 390, []string{"Eggs"}, []string{"Vegetarian", "Soft"}},
	{"蒜蓉西兰花", "Broccoli with garlic", "Vegetable", 450, 330, 41, 48, 52, 260, nil, []string{"Vegetarian", "LowSalt"}},
	{"冬瓜烩虾皮", "Wax gourd with dried shrimps", "Vegetable", 450, 280, 38, 36, 51, 340, []string{"Crustaceans"}, []string{"Soft"}},
	{"米饭", "Rice", "Staple", 100, 970, 52, 6, 518, 4, nil, []string{"Vegetarian", "Halal"}},
	{"手工馒头", "Steamed bun", "Staple", 100, 940, 70, 11, 470, 165, []string{"Gluten"}, []string{"Vegetarian", "Soft"}},
	{"小米南瓜粥", "Millet and pumpkin porridge", "Staple", 200, 420, 22, 8, 218, 6, nil, []string{"Vegetarian", "Soft", "LowSalt"}},
	{"紫菜蛋花汤", "Seaweed and egg soup", "Soup", 200, 180, 28, 22, 14, 310, []string{"Eggs"}, []string{"Soft"}},
	{"萝卜排骨汤", "Radish and spare rib soup", "Soup", 500, 620, 98, 102, 28, 420, nil, []string{"Soft"}},
	{"银耳莲子羹", "White fungus and lotus seed soup", "Soup", 300, 410, 14, 4, 228, 12, nil, []string{"Vegetarian", "Soft", "LowSalt"}},
}

// perMenu is how many dishes of a kind a menu has, and how many portions of each.
var perMenu = []struct {
	kind             string
	dishes, portions int
}{{"Set", 2, 60}, {"Meat", 2, 30}, {"Vegetable", 2, 40}, {"Staple", 3, 150}, {"Soup", 1, 50}}

// weeksPlanned is for how many weeks sample kitchens have planned.
const weeksPlanned = 4

const (
	canteenPath  = "/canteen/api/v1"
	accountsPath = "/accounts/api/v1"
)

type canteen struct {
	Name  string
	Meals []struct {
		Name string
		Ways []string
	}
}

// cook has the manager plan what is cooked for four weeks, put money into some
// purses, and some people order. Communities without a canteen cook nothing.
func (c Community) cook(ctx context.Context, manager string, ids map[string]string) error {
	if c.Today.IsZero() {
		return nil
	}
	var served struct{ Canteens []canteen }
	err := c.ask(ctx, manager, http.MethodGet, canteenPath+"/canteens", "", nil, &served)
	if isStatus(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("canteens: %w", err)
	}
	known, err := c.addDishes(ctx, manager)
	if err != nil {
		return fmt.Errorf("dishes: %w", err)
	}
	for _, place := range served.Canteens {
		if err := c.planMenus(ctx, manager, place, known); err != nil {
			return fmt.Errorf("menus of %s: %w", place.Name, err)
		}
	}
	if len(served.Canteens) > 0 {
		if err := c.keepSafe(ctx, manager, served.Canteens[0], known); err != nil {
			return fmt.Errorf("food safety: %w", err)
		}
	}
	for name, amount := range map[string]int{"Wang Guihua": 20000, "Zhao Changshun": 10000, "Li Qiang": 30000} {
		body := map[string]any{"person": ids[name], "amount": amount}
		if err := c.ask(ctx, manager, http.MethodPost, accountsPath+"/staff/top-ups", "sample-"+ids[name], body, nil); err != nil {
			return fmt.Errorf("a purse: %w", err)
		}
	}
	if err := c.orderMeals(ctx, served.Canteens, known, ids); err != nil {
		return err
	}
	return c.say(ctx, manager, served.Canteens, known, ids)
}

// addDishes returns the IDs of the dishes by name, after those that are missing
// were added.
func (c Community) addDishes(ctx context.Context, manager string) (map[string]string, error) {
	type named struct{ ID, Name string }
	var listed struct{ Dishes []named }
	if err := c.ask(ctx, manager, http.MethodGet, canteenPath+"/staff/dishes", "", nil, &listed); err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for _, d := range listed.Dishes {
		ids[d.Name] = d.ID
	}
	for _, d := range dishes {
		if ids[d.name] != "" {
			continue
		}
		body := map[string]any{
			"name": d.name, "englishName": d.english, "kind": d.kind, "price": d.price, "allergens": d.allergens, "tags": d.tags,
			"nutrition": map[string]int{"energy": d.energy, "protein": d.protein, "fat": d.fat, "carbohydrate": d.carbohydrate, "sodium": d.sodium},
		}
		var made named
		if err := c.ask(ctx, manager, http.MethodPost, canteenPath+"/staff/dishes", "", body, &made); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
		ids[d.name] = made.ID
	}
	return ids, nil
}

// planMenus publishes the menus of a canteen from this week's Monday on.
// Menus that are planned already stay as they are.
func (c Community) planMenus(ctx context.Context, manager string, place canteen, ids map[string]string) error {
	monday := c.Today.AddDate(0, 0, -daysSinceMonday(c.Today))
	for day := range weeksPlanned * 7 {
		for m, meal := range place.Meals {
			path := strings.Join([]string{canteenPath, "staff/menus", place.Name, monday.AddDate(0, 0, day).Format(time.DateOnly), meal.Name}, "/")
			err := c.ask(ctx, manager, http.MethodPut, path, "", map[string]any{"published": true, "items": items(day+m, ids)}, nil)
			if err != nil && !isStatus(err, http.StatusConflict) {
				return err
			}
		}
	}
	return nil
}

// items are the dishes of a day: another selection each day.
func items(day int, ids map[string]string) []map[string]any {
	var out []map[string]any
	for _, part := range perMenu {
		var of []dish
		for _, d := range dishes {
			if d.kind == part.kind {
				of = append(of, d)
			}
		}
		for i := range part.dishes {
			out = append(out, map[string]any{"dish": ids[of[(day*part.dishes+i)%len(of)].name], "stock": part.portions})
		}
	}
	return out
}

// orderMeals has some people order the next lunches. What they cannot order,
// because it is too late or they have ordered already, they do not.
func (c Community) orderMeals(ctx context.Context, places []canteen, ids, people map[string]string) error {
	if len(places) == 0 {
		return nil
	}
	for _, o := range []struct{ by, eater string }{{"li-qiang", "Wang Guihua"}, {"zhao-changshun", "Zhao Changshun"}} {
		by, _ := Of(o.by)
		token, err := c.Token(ctx, by.Phone, false)
		if err != nil {
			return err
		}
		for days := range 3 {
			date := c.Today.AddDate(0, 0, days).Format(time.DateOnly)
			menu := items(daysSinceMonday(c.Today)+days, ids)
			body := map[string]any{
				"canteen": places[0].Name, "date": date, "meal": places[0].Meals[0].Name, "way": "PickUp", "person": people[o.eater],
				"lines": []any{map[string]any{"dish": menu[0]["dish"], "portions": 1}},
			}
			err := c.ask(ctx, token, http.MethodPost, canteenPath+"/orders", "", body, nil)
			if err != nil && !isStatus(err, http.StatusConflict) && !isStatus(err, http.StatusUnprocessableEntity) {
				return fmt.Errorf("an order of %s: %w", o.by, err)
			}
		}
	}
	return nil
}

func daysSinceMonday(day time.Time) int { return (int(day.Weekday()) + 6) % 7 }
