package county

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// A daughter and her mother, who are nobody of the sample.
const (
	daughter, daughterPhone = "何冬梅", "13711110002"
	oldLady, oldLadyPhone   = "沈秀英", "13711110003"
	cook                    = "ma-xiuying"
	// canteenName is the canteen of the station-front community.
	canteenName = "xiaoxian"
)

// lunchIn is lunch some days from now; it can be ordered.
func lunchIn(days int) sitting {
	return sitting{canteenName, time.Now().In(shanghai).AddDate(0, 0, days).Format(time.DateOnly), "lunch"}
}

// known has the desk write somebody down, and returns the ID of the record.
func known(t *testing.T, person map[string]any) string {
	t.Helper()
	var made struct{ ID string }
	res := call(t, "POST", county.url("zhanqian")+"/residents/api/v1/people", county.token(t, "zhanqian", manager), person, &made)
	if res.StatusCode != http.StatusCreated || made.ID == "" {
		t.Fatalf("writing down %s: %s", person["name"], res.Status)
	}
	return made.ID
}

// isKnown signs somebody in whose record has the same name and number.
func (p *person) isKnown(name, phone string) {
	p.Helper()
	p.visit(county.url("zhanqian") + "/residents/")
	p.signInBy(phone)
	p.sees("您是谁？")
	p.fill("name", name)
	p.submit()
	p.sees(name)
}

// pick chooses what a select has by its words.
func (p *person) pick(selector, value string) {
	p.Helper()
	p.do(chromedp.SetValue(selector, value))
}

// looksRight has axe-core look at the page as a phone shows it, and keeps a picture.
func (p *person) looksRight(picture string) {
	p.Helper()
	p.accessible(picture, 360)
}

// TestDaughterOrdersForHerMother: the desk fills a daughter's purse; she orders
// her mother's lunch on her phone, at the price of the mother's age, changes it
// and pays for it; the mother sees it on hers, in the elder mode, and the
// kitchen brings it to her door.
func TestDaughterOrdersForHerMother(t *testing.T) {
	base, lunch := county.url("zhanqian"), lunchIn(2)
	actor := known(t, map[string]any{"name": daughter, "phone": daughterPhone, "bornOn": "1964-07-08"})
	represented := known(t, map[string]any{
		"name": oldLady, "phone": oldLadyPhone, "bornOn": "1940-03-12",
		"estate": "zhanqian-huayuan", "building": "3号楼", "unit": "2单元", "room": "101",
	})
	if res := call(t, "POST", base+"/residents/api/v1/acting", county.token(t, "zhanqian", manager),
		map[string]any{"actor": actor, "person": represented, "scopes": []string{"Order"}, "basis": "Paper"}, nil); res.StatusCode >= 300 {
		t.Fatalf("letting the daughter order: %s", res.Status)
	}

	desk := browser(t)
	desk.enter(manager)
	desk.visit(base + "/accounts/staff/?query=" + url.QueryEscape(daughter))
	desk.click(daughter)
	desk.fill("top-up", "100")
	desk.click("收款并充值")
	desk.sees("充值成功")
	desk.looksRight("receipt")

	p := browser(t)
	p.withoutJavaScript()
	p.isKnown(daughter, daughterPhone)
	p.visit(base + "/canteen/?date=" + lunch.date)
	p.looksRight("menu")
	p.clickAt(fmt.Sprintf(`//main//a[contains(@href, "/canteen/order?") and contains(@href, "meal=lunch") and contains(@href, %q)]`, "date="+lunch.date))
	p.sees("给谁订餐")
	p.click(oldLady)
	p.sees("80岁以上")
	p.pick(`(//main//select[contains(@class, "portions")])[1]`, "1")
	p.pick(`(//main//select[contains(@class, "portions")])[2]`, "1")
	p.choose("way", "送到")
	p.fill("wish", "饭软一点")
	p.choose("pay", "我的钱包")
	p.looksRight("order")
	p.click("下一步：看价钱")
	p.sees("请核对")
	p.sees("补贴")
	p.sees("站前花园")
	p.looksRight("confirm")
	p.click("确定订餐")
	p.sees("订好了")
	p.sees("取餐码")
	p.sees("钱包里已留好")
	ordered := pathOf(p.location())

	p.click("改一改")
	p.pick(`(//main//select[contains(@class, "portions")])[2]`, "2")
	p.click("下一步：看价钱")
	p.click("确定修改")
	p.sees("改好了")
	p.sees("× 2")

	mother := browser(t)
	mother.visit(base)
	mother.clickAt(`//section[@class="offer"]//button[@value="elder"]`)
	mother.isKnown(oldLady, oldLadyPhone)
	mother.visit(base + "/canteen/orders")
	mother.clickAt(fmt.Sprintf(`//main//a[@href=%q]`, ordered))
	mother.sees("已订好")
	mother.sees("饭软一点")
	mother.sees("谁帮您订的")
	mother.sees(daughter)
	mother.looksRight("hers")

	kitchen := browser(t)
	kitchen.enter(cook)
	kitchen.visit(base + "/canteen/staff/meals/" + lunch.path())
	kitchen.sees("站前花园3号楼2单元")
	kitchen.sees(oldLady)
	kitchen.sees("饭软一点")
	kitchen.visit(base + "/canteen/staff/meals/" + lunch.path() + "/print?list=Delivery")
	kitchen.sees("101 " + oldLady)
	kitchen.looksRight("delivery-list")

	// Whoever may order for her sees nothing else of her, and she not the purse.
	if status, _ := p.asks("GET", "/residents/people/"+represented); status == http.StatusOK {
		t.Error("the daughter sees her mother's record")
	}
	mother.visit(base + "/accounts/")
	mother.seesNot(daughter)

	p.visit(base + ordered)
	p.click("取消订餐")
	p.click("是，取消")
	p.sees("已取消")
	p.visit(base + "/accounts/")
	p.sees("100")
	p.looksRight("purse")
}

// TestElderOrders: a man of 84 orders his own lunch in the elder mode with
// nothing but taps, for less than the price, and gives it up.
func TestElderOrders(t *testing.T) {
	base, lunch := county.url("zhanqian"), lunchIn(3)
	p := browser(t)
	p.visit(base)
	p.clickAt(`//section[@class="offer"]//button[@value="elder"]`)
	p.screenshot("home")
	p.clickAt(`//main//a[contains(@href, "/canteen/")]`)
	p.looksRight("menu-today")
	p.visit(base + "/canteen/?date=" + lunch.date)
	p.clickAt(`//main//a[contains(@href, "/canteen/order?") and contains(@href, "meal=lunch")]`)
	p.signIn(eldest)
	p.sees("80岁以上")
	p.pick(`(//main//select[contains(@class, "portions")])[1]`, "1")
	p.choose("way", "在食堂吃")
	p.choose("pay", "到食堂再付")
	p.looksRight("order")
	p.click("下一步：看价钱")
	p.sees("请核对")
	p.looksRight("confirm")
	p.click("确定订餐")
	p.sees("订好了")
	p.sees("取餐码")
	p.looksRight("ordered")
	p.click("取消订餐")
	p.sees("要取消这份订餐吗")
	p.click("是，取消")
	p.sees("已取消")
	p.visit(base + "/canteen/orders")
	p.sees("已取消")
}

// TestCookWorksThroughLunch: on a phone of 360 px a cook plans what there is,
// sees what to cook with wishes and allergens, finds who comes by code and by
// name, takes money, hands out, takes a wrong tick back, and serves somebody
// who walks in.
func TestCookWorksThroughLunch(t *testing.T) {
	base, lunch := county.url("zhanqian"), lunchIn(8)
	order := func(account, way, wish string, portions int) (code string) {
		t.Helper()
		var menus struct {
			Menus []struct {
				Meal  string
				Items []struct{ Dish struct{ ID string } }
			}
		}
		token := county.token(t, "zhanqian", account)
		call(t, "GET", base+"/canteen/api/v1/menus/"+lunch.date, token, nil, &menus)
		for _, m := range menus.Menus {
			if m.Meal != lunch.meal {
				continue
			}
			var made struct{ ID, Code string }
			res := call(t, "POST", base+"/canteen/api/v1/orders", token, map[string]any{
				"canteen": lunch.canteen, "date": lunch.date, "meal": lunch.meal, "way": way, "wish": wish, "payment": "Counter",
				"lines": []any{map[string]any{"dish": m.Items[0].Dish.ID, "portions": portions}},
			}, &made)
			if res.StatusCode != http.StatusCreated {
				t.Fatalf("ordering: %s", res.Status)
			}
			return made.Code
		}
		t.Fatal("lunch has no menu")
		return ""
	}
	code := order("wang-guihua", "PickUp", "少放盐", 1)
	order(resident, "EatIn", "", 2)

	p := browser(t)
	p.enter(cook)
	p.visit(base + "/canteen/staff/")
	p.sees("备餐和出餐")
	p.looksRight("glance")
	meal := base + "/canteen/staff/meals/" + lunch.path()
	p.visit(meal)
	p.sees("备餐单")
	p.sees("少放盐")
	p.looksRight("to-cook")

	p.fill("q", code)
	p.click("查找")
	p.sees("王桂花")
	p.seesNot("李强")
	p.clickAt(`//main//li[contains(., "王桂花")]//button[contains(., "收款")]`)
	p.sees("已付款")
	p.clickAt(`//main//li[contains(., "王桂花")]//button[contains(., "出餐")]`)
	p.sees("已出餐")
	p.visit(meal)
	p.clickAt(`//main//li[contains(., "李强")]//button[contains(., "出餐")]`)
	p.sees("已出餐")
	p.clickAt(`//main//li[contains(., "李强")]//button[contains(., "撤回出餐")]`)
	p.do(chromedp.WaitVisible(`//main//li[contains(., "李强")]//button[starts-with(normalize-space(.), "出餐")]`))
	p.click("只看未出餐")
	p.sees("李强")
	p.seesNot("王桂花")
	p.looksRight("open")

	p.visit(base + "/canteen/staff/order?" + lunch.query())
	p.fill("guest", "张师傅")
	p.do(chromedp.SetValue(`(//main//fieldset[contains(@class, "dish-numbers")]//input)[1]`, "1"))
	p.looksRight("walk-in")
	p.clickAt(`//main//form[@method="post"]//button`)
	p.sees("已订好")
	p.sees("张师傅")
	p.click("收款")
	p.sees("已收款")
	p.clickAt(`//main//button[starts-with(normalize-space(.), "出餐")]`)
	p.sees("已出餐")
	p.looksRight("served")

	p.visit(meal + "/print?list=EatIn")
	p.sees("张师傅")
	p.visit(base + "/canteen/staff/menus/" + lunch.path())
	p.looksRight("plan")
	if text := p.text(`main`); !strings.Contains(text, "备餐份数") {
		t.Errorf("the plan says nothing of stock: %s", text)
	}
}

// TestManagerTracesComplaint: a cook writes down what was delivered and what it
// went into; a resident eats it, and says that it was bad; a manager goes from
// the complaint to the supplier, and from there to all who had the same.
func TestManagerTracesComplaint(t *testing.T) {
	const (
		supplier, supplierPhone = "湖畔生鲜批发部", "13711110009"
		ingredient, lot         = "冷鲜猪肉", "批次20261123A"
		complaint               = "肉有点酸味"
		young                   = "chen-yutong" // who has ordered nothing yet
	)
	base, lunch := county.url("zhanqian"), lunchIn(1) // what goes in can be written the day before
	today := time.Now().In(shanghai)

	kitchen := browser(t)
	kitchen.enter(cook)
	safety := base + "/canteen/staff/safety/"
	kitchen.visit(safety)
	kitchen.sees("食品安全")
	kitchen.looksRight("safety")
	kitchen.visit(safety + "suppliers/new")
	kitchen.fill("name", supplier)
	kitchen.fill("licence", "JY13708270001234")
	kitchen.fill("phone", supplierPhone)
	kitchen.clickAt(`//main//form[@method="post"]//button`)
	kitchen.sees(supplier)
	kitchen.visit(safety + "batches/new")
	kitchen.fill("ingredient", ingredient)
	kitchen.do(chromedp.SetValue(`#supplier`, kitchen.option("supplier", supplier)))
	kitchen.fill("quantity", "20千克")
	kitchen.fill("lot", lot)
	kitchen.fill("boughtOn", today.Format(time.DateOnly))
	kitchen.fill("expiresOn", today.AddDate(0, 0, 5).Format(time.DateOnly))
	kitchen.looksRight("batch")
	kitchen.clickAt(`//main//form[@method="post"]//button`)
	kitchen.sees(ingredient)
	kitchen.visit(safety + "meals/" + lunch.path())
	const firstDish = `(//main//form[contains(@action, "/uses")]//details)[1]`
	if _, err := chromedp.Run(kitchen.ctx, chromedp.Evaluate[any](`document.querySelectorAll('main details').forEach(d => { d.open = true }); null`)); err != nil {
		t.Fatal(err)
	}
	kitchen.do(chromedp.Click(firstDish+fmt.Sprintf(`//label[contains(., %q)]`, ingredient), chromedp.NodeVisible))
	kitchen.looksRight("uses")
	kitchen.click("保存用料")
	kitchen.sees(ingredient)

	// The first dish of the meal is what is eaten.
	var menus struct {
		Menus []struct {
			Meal  string
			Items []struct{ Dish struct{ ID, Name string } }
		}
	}
	call(t, "GET", base+"/canteen/api/v1/menus/"+lunch.date, "", nil, &menus)
	dish := menus.Menus[0].Items[0].Dish
	var made struct{ ID string }
	if res := call(t, "POST", base+"/canteen/api/v1/orders", county.token(t, "zhanqian", young), map[string]any{
		"canteen": lunch.canteen, "date": lunch.date, "meal": lunch.meal, "way": "EatIn", "payment": "Counter",
		"lines": []any{map[string]any{"dish": dish.ID, "portions": 1}},
	}, &made); res.StatusCode != http.StatusCreated {
		t.Fatalf("ordering: %s", res.Status)
	}
	kitchen.visit(base + "/canteen/staff/orders/" + made.ID)
	kitchen.clickAt(`//main//button[starts-with(normalize-space(.), "出餐")]`)
	kitchen.sees("已出餐")

	p := elderly(t, young)
	p.visit(base + "/canteen/orders/" + made.ID)
	p.click("评一评")
	p.choose("stars-"+dish.ID, "很差")
	p.fill("line-"+dish.ID, complaint)
	p.looksRight("rate")
	p.click("提交评价")
	p.sees("谢谢，评价已收到")

	desk := browser(t)
	desk.enter(manager)
	desk.width(1280)
	desk.visit(base + "/canteen/staff/feedback")
	desk.sees(complaint)
	desk.accessible("complaints", 360, 1280)
	desk.clickAt(fmt.Sprintf(`//main//li[contains(., %q)]//a[contains(@href, "/safety/trace?")]`, complaint))
	desk.sees(dish.Name)
	desk.sees(ingredient)
	desk.sees(supplier)
	desk.accessible("from-complaint", 360, 1280)
	desk.click(ingredient)
	desk.sees(supplier)
	desk.sees("137 1111 0009")
	desk.sees(lot)
	desk.sees(dish.Name)
	desk.sees("陈雨桐")
	desk.accessible("from-batch", 360, 1280)

	kitchen.visit(desk.location())
	kitchen.sees(supplier)
	kitchen.seesNot("陈雨桐") // whom to call is for a manager
}

// option is the value of the option of a select that says the words.
func (p *person) option(id, words string) string {
	p.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(
		`[...document.querySelectorAll('#' + %q + ' option')].find(o => o.textContent.includes(%q))?.value ?? ''`, id, words)))
	if err != nil {
		p.Fatal(err)
	}
	if value == "" {
		p.Fatalf("%s has no option that says %s", id, words)
	}
	return value
}

// TestMenuForTheDoor: a day's menu, with two meals, is printed on one sheet of
// A4 in both languages.
func TestMenuForTheDoor(t *testing.T) {
	p := browser(t)
	p.visit(county.url("zhanqian") + "/canteen/door?" + url.Values{"canteen": {canteenName}, "date": {lunchIn(2).date}}.Encode())
	for _, language := range []string{"zh-CN", "en"} {
		if language == "en" {
			p.clickAt(`//button[@name="lang"][@value="en"]`)
		}
		sheet, err := chromedp.Call(p.ctx, devtools.PrintToPDF, devtools.PrintToPDFParams{PreferCSSPageSize: new(true)})
		if err != nil {
			t.Fatal(err)
		}
		if pages := regexp.MustCompile(`/Type /Page\b`).FindAll(sheet.Data, -1); len(pages) != 1 {
			t.Errorf("%s: %d sheets", language, len(pages))
		}
		if !regexp.MustCompile(`/MediaBox \[0 0 59[4-6]\S* 84[1-3]\S*\]`).Match(sheet.Data) {
			t.Errorf("%s: the sheet is not A4: %s", language, regexp.MustCompile(`/MediaBox [^\]]*`).Find(sheet.Data))
		}
		if dir := os.Getenv("LINLI_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "door-"+language+".pdf"), sheet.Data, 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}
