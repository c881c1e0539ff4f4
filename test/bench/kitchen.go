package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/test/instance"
)

const canteenName = "lakeside"

var mealNames = []string{"lunch", "supper"}

// communityWithKitchen has study rooms, a canteen that serves two meals a day,
// and purses. Who is 60 pays a quarter less.
func communityWithKitchen(name string) *v1alpha1.Community {
	c := communityWith(name, 6)
	sixty := int32(60)
	ways := []v1alpha1.Way{v1alpha1.WayEatIn, v1alpha1.WayPickUp}
	c.Spec.Services.Accounts = &v1alpha1.Accounts{}
	c.Spec.Services.Canteen = &v1alpha1.Canteen{
		ManagedBy: v1alpha1.ManagedByManifest,
		Tiers:     []v1alpha1.Tier{{Name: "over-60", DisplayName: "60岁以上", MinAge: &sixty, DiscountPercent: 25}},
		Canteens: []v1alpha1.CanteenPlace{{Name: canteenName, DisplayName: "湖畔食堂", MaxPortions: 6, Meals: []v1alpha1.Meal{
			{Name: mealNames[0], DisplayName: "午餐", From: "11:00", To: "12:30", CutOff: "09:00", Ways: ways},
			{Name: mealNames[1], DisplayName: "晚餐", From: "17:00", To: "18:30", CutOff: "15:00", Ways: ways},
		}}},
	}
	return c
}

// site is a running community, and who manages it and who cooks.
type site struct {
	in            *instance.Instance
	client        *http.Client
	manager, cook string // tokens
}

// managed makes the community know the sample people.
func managed(ctx context.Context, in *instance.Instance) (site, error) {
	people, err := in.People(ctx)
	if err != nil {
		return site{}, err
	}
	tokens := map[string]string{}
	for _, p := range people {
		tokens[p.Account] = p.Token
	}
	return site{in: in, client: instance.Client(1), manager: tokens["zhou-jianguo"], cook: tokens["ma-xiuying"]}, nil
}

// ask makes a request of an API.
func (s site) ask(ctx context.Context, token, method, path, key string, body, out any) error {
	content, isRaw := body.([]byte)
	if !isRaw {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.in.URL()+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if isRaw {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %s: %s", method, path, res.Status, answer)
	}
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	return err
}

// eater is somebody with a purse.
type eater struct{ id, token string }

// toppedUp is how much is in an eater's purse at first, in fen.
const toppedUp = 500_000

// eaters makes the community know that many people with full purses, of whom
// every other one is over 60.
func (s site) eaters(ctx context.Context, n int) ([]eater, error) {
	table := [][]string{{"姓名", "手机号", "出生日期"}}
	const given = "安邦昌德恩芳刚海佳康"
	name := func(i int) string { return "赵" + string([]rune(given)[i/10%10]) + string([]rune(given)[i%10]) }
	phone := func(i int) string { return fmt.Sprintf("1390000%04d", i) }
	for i := range n {
		table = append(table, []string{name(i), phone(i), []string{"1985-01-01", "1950-01-01"}[i%2]})
	}
	var file bytes.Buffer
	if err := csv.NewWriter(&file).WriteAll(table); err != nil {
		return nil, err
	}
	var draft struct{ ID string }
	if err := s.ask(ctx, s.manager, http.MethodPost, "/residents/api/v1/imports?filename=eaters.csv", "", file.Bytes(), &draft); err != nil {
		return nil, err
	}
	if err := s.ask(ctx, s.manager, http.MethodPost, "/residents/api/v1/imports/"+draft.ID+"/confirm", "", map[string]any{"rest": "Add"}, nil); err != nil {
		return nil, err
	}
	all := make([]eater, n)
	for i := range all {
		var err error
		if all[i].token, err = s.in.Token(ctx, phone(i), false); err != nil {
			return nil, err
		}
		if err := s.ask(ctx, all[i].token, http.MethodPost, "/residents/api/v1/join", "", map[string]any{"name": name(i)}, nil); err != nil {
			return nil, err
		}
		var me struct{ ID string }
		if err := s.ask(ctx, all[i].token, http.MethodGet, "/residents/api/v1/me", "", nil, &me); err != nil {
			return nil, err
		}
		all[i].id = me.ID
		const once = 100_000
		for part := range toppedUp / once {
			body := map[string]any{"person": me.ID, "amount": once}
			if err := s.ask(ctx, s.manager, http.MethodPost, "/accounts/api/v1/staff/top-ups", fmt.Sprintf("bench-%d-%d", i, part), body, nil); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// dishesOf has the kitchen cook that many dishes, and returns their IDs.
func (s site) dishesOf(ctx context.Context, n, price int) ([]string, error) {
	kinds := []string{"Meat", "Vegetable", "Staple", "Soup"}
	ids := make([]string, n)
	for i := range ids {
		var made struct{ ID string }
		err := s.ask(ctx, s.cook, http.MethodPost, "/canteen/api/v1/staff/dishes", "", map[string]any{
			"name": fmt.Sprintf("菜%d", i+1), "englishName": fmt.Sprintf("Dish %d", i+1), "kind": kinds[i%len(kinds)], "price": price,
			"allergens": []string{"Soya"}, "tags": []string{"Soft"},
			"nutrition": map[string]int{"energy": 720, "protein": 112, "fat": 121, "carbohydrate": 61, "sodium": 780},
		}, &made)
		if err != nil {
			return nil, err
		}
		ids[i] = made.ID
	}
	return ids, nil
}

// plan publishes a menu with enough of each dish.
func (s site) plan(ctx context.Context, day time.Time, meal string, dishes []string) error {
	var items []any
	for _, id := range dishes {
		items = append(items, map[string]any{"dish": id, "stock": 1000})
	}
	path := "/canteen/api/v1/staff/menus/" + canteenName + "/" + day.Format(time.DateOnly) + "/" + meal
	return s.ask(ctx, s.cook, http.MethodPut, path, "", map[string]any{"published": true, "items": items}, nil)
}
