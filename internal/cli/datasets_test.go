package cli

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity/identitytest"
	"github.com/linli-io/linli/internal/sharing"
)

// planted is personal data of which nothing may come out in a column that is
// said to have none.
var planted = func() []string {
	secrets := []string{"不要葱，牙不好", "老周头", "13700000042"}
	for _, m := range identitytest.Members {
		secrets = append(secrets, m.ID, m.Name, m.Phone)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}()

// TestDatasets: what services declare that they could share is what their SQL
// gives, on both engines, and the catalogue says so.
func TestDatasets(t *testing.T) {
	eachKitchen(t, 2026, time.October, 31, func(t *testing.T, k *kitchen) {
		k.furnish(t)
		found := 0
		for name, open := range services {
			s, err := open()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range s.Datasets {
				found++
				t.Run(d.Name, func(t *testing.T) {
					if !strings.HasPrefix(d.Name, name+".") {
						t.Errorf("it is the service %s that declares it", name)
					}
					rows := k.rows(t, name, d)
					if len(rows) == 0 {
						t.Fatal("there is no row to look at: have the test make one")
					}
					for _, row := range rows {
						for i, c := range d.Columns {
							check(t, c, row[i])
						}
					}
				})
			}
		}
		if found == 0 {
			t.Error("no service declares a dataset")
		}
		k.catalogue(t)
		k.small(t)
	})
}

// furnish has all kinds of rows be there: a menu, a draft, and orders with what
// is nobody else's business, three of which were paid in October at full price
// and six in November.
func (k *kitchen) furnish(t *testing.T) {
	t.Helper()
	menu := func(date string, published bool) {
		k.must(t, "ma-xiuying", "PUT", "/canteen/api/v1/staff/menus/lakeside/"+date+"/lunch", map[string]any{"published": published, "items": []any{
			map[string]any{"dish": k.pork, "stock": 20, "price": 1700}, map[string]any{"dish": k.rice, "stock": 20},
		}}, nil)
	}
	menu("2026-10-31", true)
	menu("2026-11-01", true)
	menu("2026-11-02", false)
	var soup struct{ ID string }
	k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/dishes", map[string]any{
		"name": "番茄蛋汤", "englishName": "Tomato soup", "kind": "Soup", "price": 300, "allergens": []string{"Eggs"}, "tags": []string{"Soft"},
		"nutrition": map[string]int{"energy": 210, "protein": 31, "fat": 20, "carbohydrate": 40, "sodium": 320},
	}, &soup)
	k.must(t, "ma-xiuying", "PUT", "/canteen/api/v1/staff/menus/lakeside/2026-11-03/lunch", map[string]any{"published": true, "items": []any{
		map[string]any{"dish": soup.ID, "stock": 20},
	}}, nil)
	sell := func(date, person, name string) {
		var o meal
		k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders", map[string]any{
			"canteen": "lakeside", "date": date, "meal": "lunch", "way": "EatIn", "person": person, "name": name, "wish": planted[0],
			"lines": []any{map[string]any{"dish": k.pork, "portions": 1}},
		}, &o)
		k.must(t, "ma-xiuying", "POST", "/canteen/api/v1/staff/orders/"+o.ID+"/pay", nil, nil)
	}
	for range 3 {
		sell("2026-10-31", "", planted[1])
	}
	k.clock.SetTime(time.Date(2026, time.November, 1, 8, 0, 0, 0, kitchenZone))
	for range 6 {
		sell("2026-11-01", "", planted[1]+planted[2])
	}
	sell("2026-11-01", k.ids["wang-guihua"], "")
}

// rows are those of a dataset, whose columns must be the declared ones.
func (k *kitchen) rows(t *testing.T, service string, d sharing.Dataset) (rows [][]any) {
	t.Helper()
	existing, err := database.ReadDirectory(k.DataDir)
	if k.databaseDir != "" {
		existing, err = database.ReadServer(t.Context(), k.databaseDir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer existing.Close()
	db, err := existing.Open(service)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	found, err := db.Reader().QueryContext(t.Context(), d.Query(db.Engine()))
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	names, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var declared []string
	for _, c := range d.Columns {
		declared = append(declared, c.Name)
	}
	if !slices.Equal(names, declared) {
		t.Fatalf("the columns are %v, declared are %v", names, declared)
	}
	for found.Next() {
		row, into := make([]any, len(names)), make([]any, len(names))
		for i := range row {
			into[i] = &row[i]
		}
		if err := found.Scan(into...); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// check holds a value to what its column is said to be.
func check(t *testing.T, c sharing.Column, value any) {
	t.Helper()
	if bytes, ok := value.(sql.RawBytes); ok {
		value = string(bytes)
	}
	if bytes, ok := value.([]byte); ok {
		value = string(bytes)
	}
	text, isText := value.(string)
	_, isNumber := value.(int64)
	var err error
	switch {
	case value == nil:
		return
	case isText == (c.Type == sharing.Integer) || isNumber != (c.Type == sharing.Integer):
		err = fmt.Errorf("a %T", value)
	case c.Type == sharing.Date:
		_, err = civil.ParseDate(text)
	case c.Type == sharing.Month:
		_, err = civil.ParseMonth(text)
	case c.Type == sharing.Strings:
		var list []string
		if err = json.Unmarshal([]byte(text), &list); err == nil && list == nil {
			err = fmt.Errorf("no list")
		}
	}
	if err != nil {
		t.Errorf("column %s is declared as %s and has %v: %v", c.Name, c.Type, value, err)
	}
	if c.Tag != sharing.None {
		return
	}
	for _, secret := range planted {
		if strings.Contains(fmt.Sprint(value), secret) {
			t.Errorf("column %s is said to be about nobody and has %v", c.Name, value)
		}
	}
}

// catalogue: everybody may know what could be shared; nobody is given any of it.
func (k *kitchen) catalogue(t *testing.T) {
	t.Helper()
	var catalogue struct {
		Datasets []struct {
			Name, Floor string
			Title       map[string]string
			Columns     []struct {
				Name, Type, Tag string
				Title           map[string]string
			}
		}
	}
	response, err := k.client.Get(k.URL + "/canteen/sharing/v1/datasets")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&catalogue); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", response.Status, err)
	}
	names := []string{}
	for _, d := range catalogue.Datasets {
		names = append(names, d.Name+" "+d.Floor+" "+d.Title["zh-CN"]+" "+d.Title["en"]+" "+d.Columns[0].Name+" "+d.Columns[0].Type+" "+d.Columns[0].Tag+" "+d.Columns[0].Title["en"])
	}
	want := []string{
		"canteen.menus Unconditional 食堂菜单 Menus of the canteens canteen String None Canteen, by its name in the manifest",
		"canteen.subsidies Conditional 食堂补贴统计 Subsidies of meals month Month None Month",
	}
	if !slices.Equal(names, want) {
		t.Errorf("the catalogue has %q", names)
	}
	for _, path := range []string{"/canteen/sharing/v1/datasets/canteen.menus", "/canteen/sharing/v1/datasets/canteen.menus/rows"} {
		if status := k.ask(t, "zhou-jianguo", "GET", path, nil, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
}

// small: drafts are in no dataset, and no tier of fewer than five people.
func (k *kitchen) small(t *testing.T) {
	t.Helper()
	s, err := services["canteen"]()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, d := range s.Datasets {
		for _, row := range k.rows(t, "canteen", d) {
			for i, value := range row {
				if bytes, ok := value.([]byte); ok {
					row[i] = string(bytes)
				}
			}
			got[d.Name] = append(got[d.Name], fmt.Sprint(row...))
		}
	}
	want := map[string][]string{
		"canteen.menus": {
			fmt.Sprint("lakeside", "2026-10-31", "lunch", "红烧肉", nil, "Meat", int64(1700), nil, nil, nil, nil, nil, "[]", "[]"),
			fmt.Sprint("lakeside", "2026-10-31", "lunch", "米饭", nil, "Staple", int64(199), nil, nil, nil, nil, nil, "[]", "[]"),
			fmt.Sprint("lakeside", "2026-11-01", "lunch", "红烧肉", nil, "Meat", int64(1700), nil, nil, nil, nil, nil, "[]", "[]"),
			fmt.Sprint("lakeside", "2026-11-01", "lunch", "米饭", nil, "Staple", int64(199), nil, nil, nil, nil, nil, "[]", "[]"),
			fmt.Sprint("lakeside", "2026-11-03", "lunch", "番茄蛋汤", "Tomato soup", "Soup", int64(300), int64(210), int64(31), int64(20), int64(40), int64(320), `["Eggs"]`, `["Soft"]`),
		},
		"canteen.subsidies": {fmt.Sprint("2026-11", "", int64(6), int64(6*1700), int64(0))},
	}
	for name, rows := range want {
		if !slices.Equal(got[name], rows) {
			t.Errorf("%s has %q, want %q", name, got[name], rows)
		}
	}
}
