package canteen

import (
	"context"
	"html"
	stdimage "image"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/web"
)

// running is the canteen beside the service of accounts, on that Sunday.
type running struct {
	*hosttest.Server
	clock      *testclock.FakeClock
	store      *Store
	pork, rice Dish
}

// canteenOf is a canteen that brings meals to where the members live. Who is
// over 60 pays a quarter less.
func canteenOf() *v1alpha1.Canteen {
	place := lakeside()
	place.DeliveryEstates = []string{"zhanqian-huayuan"}
	return &v1alpha1.Canteen{
		ManagedBy: v1alpha1.ManagedByManifest, Canteens: []v1alpha1.CanteenPlace{place},
		Tiers: []v1alpha1.Tier{{Name: "over-60", DisplayName: "60岁以上", MinAge: ptr(60), DiscountPercent: 25}},
	}
}

// startPages runs the canteen with Monday's lunch: pork for 18 yuan of which
// there are five, and rice for two.
func startPages(t testing.TB) running {
	t.Helper()
	purses := must[host.Service](t)(accounts.Service())
	kitchen := must[host.Service](t)(Service())
	r := running{clock: testclock.NewFakeClock(moment(t, sunday))}
	kitchen.Register = func(ctx context.Context, rt *host.Runtime) error {
		r.store = NewStore(rt.DB)
		return register(ctx, rt)
	}
	c := hosttest.Community()
	c.Spec.Services.Accounts, c.Spec.Services.Canteen = &v1alpha1.Accounts{}, canteenOf()
	front := must[host.Service](t)(portal.Service())
	r.Server = hosttest.Start(t, hosttest.Options{Services: []host.Service{front, purses, kitchen}, Community: c, Clock: r.clock})
	by := By{Actor: "cook", Now: r.clock.Now()}
	r.pork = must[Dish](t)(r.store.PutDish(t.Context(), by, Dish{
		ID: uuid.New(), Name: "红烧肉", EnglishName: "Braised pork", Kind: KindMeat, Price: 1800, Allergens: []Allergen{"Soya", "Gluten"}, Tags: []Tag{"Soft"},
		Nutrition: Nutrition{Energy: 1900, Protein: 215, Fat: 300, Carbohydrate: 128, Sodium: 640},
	}))
	r.rice = must[Dish](t)(r.store.PutDish(t.Context(), by, Dish{ID: uuid.New(), Name: "米饭", Kind: KindStaple, Price: 200}))
	r.plan(t, 0, 5)
	return r
}

// plan publishes Monday's lunch with that much pork.
func (r running) plan(t testing.TB, version, pork int) {
	t.Helper()
	must[Menu](t)(r.store.PutMenu(t.Context(), By{Actor: "cook", Now: r.clock.Now()}, Plan{
		Sitting: lunch(t), Published: true, Version: version, Items: []PlanItem{
			{Dish: r.pork.ID, Price: 1800, Stock: pork, MaxPerOrder: 3}, {Dish: r.rice.ID, Price: 200, Stock: 100},
		},
	}))
}

// browser is a browser without JavaScript.
type browser struct {
	t      testing.TB
	server running
	client *http.Client
	lang   web.Language
}

func (r running) browser(t testing.TB, account string) browser {
	t.Helper()
	b := browser{t: t, server: r, client: r.Client(t), lang: web.Chinese}
	if account != "" {
		b.client = r.SignIn(t, account)
	}
	return b
}

// open gets a page or, with a form, sends the form there.
func (b browser) open(path string, form url.Values) (status int, location, page string) {
	b.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", string(b.lang))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(content)
}

var (
	beforeMain = regexp.MustCompile(`(?s)^.*<main`)
	elements   = regexp.MustCompile(`<[^>]*>`)
	gaps       = regexp.MustCompile(`\s+`)
)

// page opens a page that must be there, and returns it.
func (b browser) page(path string, texts ...string) string {
	b.t.Helper()
	status, _, page := b.open(path, nil)
	if status != http.StatusOK {
		b.t.Fatalf("%s: status %d", path, status)
	}
	b.has(page, texts...)
	return page
}

func (b browser) has(page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("the page has no %q:\n%s", text, readable(page))
		}
	}
}

func (b browser) hasNot(page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.t.Errorf("the page has %q:\n%s", text, readable(page))
		}
	}
}

// readable is the text of a page.
func readable(page string) string {
	return gaps.ReplaceAllString(elements.ReplaceAllString(beforeMain.ReplaceAllString(page, "<main"), " "), " ")
}

// form is what the page's own form would send, as it stands.
func (b browser) form(page string) url.Values {
	b.t.Helper()
	form := url.Values{}
	page = beforeMain.ReplaceAllString(page, "<main")
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]+)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range regexp.MustCompile(`<input([^>]*) type="radio"[^>]*>`).FindAllString(page, -1) {
		if strings.Contains(m, " checked") {
			name := regexp.MustCompile(` name="([^"]+)"`).FindStringSubmatch(m)
			form.Set(name[1], regexp.MustCompile(` value="([^"]+)"`).FindStringSubmatch(m)[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?s)<select id="([^"]+)".*?</select>`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], regexp.MustCompile(`<option value="([^"]*)" selected`).FindStringSubmatch(m[0])[1])
	}
	if form.Get("key")+form.Get("version") == "" {
		b.t.Fatalf("no form in the page:\n%s", readable(page))
	}
	return form
}

// send sends a form that must be done, and returns where it leads.
func (b browser) send(path string, form url.Values) string {
	b.t.Helper()
	status, location, page := b.open(path, form)
	if status != http.StatusSeeOther {
		b.t.Fatalf("%s: status %d:\n%s", path, status, readable(page))
	}
	return location
}

// sees sends a form that is answered with a page.
func (b browser) sees(want int, path string, form url.Values, texts ...string) string {
	b.t.Helper()
	status, location, page := b.open(path, form)
	if status != want {
		b.t.Fatalf("%s: status %d to %q, want %d:\n%s", path, status, location, want, readable(page))
	}
	b.has(page, texts...)
	return page
}

// with is a form with other values; pairs of names and values.
func with(form url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for name, values := range form {
		out[name] = slices.Clone(values)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		out.Set(pairs[i], pairs[i+1])
	}
	return out
}

// topUp puts money into somebody's purse.
func (r running) topUp(t testing.TB, account, yuan string) {
	t.Helper()
	path := "/accounts/staff/purses/" + hosttest.PersonID(t, account)
	r.browser(t, "sun-li").send(path+"/top-up", url.Values{"amount": {yuan}, "key": {"top-up-" + yuan}})
}

// orderedFrom orders as the form asks, and returns where the order is.
func (b browser) orderedFrom(path string, pairs ...string) string {
	b.t.Helper()
	form := with(b.form(b.page(path)), pairs...)
	confirm := b.form(b.sees(http.StatusOK, orderPath, form, "请核对"))
	location := b.send(orderPath, with(confirm, "step", "confirm"))
	own, _, _ := strings.Cut(location, "?")
	return own
}

func (r running) porkField() string { return portionsID(r.pork.ID.String()) }

func (r running) riceField() string { return portionsID(r.rice.ID.String()) }

const monday = "/canteen/?date=2026-11-23"

func orderLunch(t testing.TB, account string) string {
	t.Helper()
	return orderFormURL(lunch(t), hosttest.PersonID(t, account))
}

func TestMenuPage(t *testing.T) {
	r := startPages(t)
	nobody := r.browser(t, "")
	nobody.has(nobody.page("/canteen/"), "今日菜单", "没有菜单", "11月23日")
	page := nobody.page(monday, "11月23日 星期一菜单", "午餐 · 湖畔食堂", "开饭：11:00–12:30", "11月23日 09:00前可以订", "红烧肉", "¥18.00", "过敏原：大豆、含麸质的谷物", "软烂", "还有5份",
		"营养成分（每份）", "1900千焦", "21.5克", "30.0克", "12.8克", "640毫克")
	nobody.hasNot(page, "您付", "我的订餐")
	// GB 28050 has the nutrients in this order.
	last := -1
	for _, name := range []string{"能量", "蛋白质", "脂肪", "碳水化合物", "钠"} {
		at := strings.Index(page, ">"+name+"<")
		if at < last {
			t.Errorf("%s stands too early", name)
		}
		last = at
	}
	zhao := r.browser(t, "zhao-changshun")
	zhao.page(monday, "您付¥13.50", "60岁以上", "我的订餐")
	english := r.browser(t, "")
	english.lang = web.English
	english.page(monday, "Braised pork", `<span lang="zh-CN">米饭</span>`, "5 left", "1900 kJ", "Allergens: soya, cereals with gluten")

	nobody.page("/canteen/week?date=2026-11-25", "一周菜单", "红烧肉、米饭", "11月29日 星期日")
	door := nobody.page("/canteen/door?canteen=lakeside&date=2026-11-23", "poster", "红烧肉", "11:00–12:30", "09:00前可以订")
	nobody.hasNot(door, "还有5份")
	for _, path := range []string{"/canteen/?date=heute", "/canteen/door?canteen=nowhere", "/canteen/week?date=9999-01-01"} {
		if status, _, _ := nobody.open(path, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	// After the cut-off it is still read, but not ordered.
	r.clock.SetTime(moment(t, "2026-11-23T09:00:00+08:00"))
	page = nobody.page("/canteen/", "今日菜单", "红烧肉", "订餐已截止")
	nobody.hasNot(page, "前可以订", orderPath+"?", "还有5份")
}

// TestMenuPhotos: a dish with a photo has it in the menu and in the form of an
// order, small, with its size and where nothing else waits for it.
func TestMenuPhotos(t *testing.T) {
	r := startPages(t)
	content := must[[]byte](t)(picture(asJPEG(t, scene(1200, 600))))
	if err := r.store.PutPhoto(t.Context(), By{Actor: "cook", Now: r.clock.Now()}, r.pork.ID, content, must[[]byte](t)(small(content))); err != nil {
		t.Fatal(err)
	}
	id := must[Dish](t)(r.store.Dish(t.Context(), r.pork.ID)).Photo
	image := `src="/canteen/photos/` + id.String() + `/small" alt="" width="80" height="80" loading="lazy"`
	nobody, zhao := r.browser(t, ""), r.browser(t, "zhao-changshun")
	for _, page := range []string{nobody.page(monday, image), zhao.page(orderLunch(t, "zhao-changshun"), image)} {
		if n := strings.Count(page, `class="photo"`); n != 1 {
			t.Errorf("%d photos of the one dish that has one", n)
		}
	}
	answer := must[*http.Response](t)(r.Client(t).Get(r.URL + smallPhotoURL(id)))
	defer answer.Body.Close()
	config, _, err := stdimage.DecodeConfig(answer.Body)
	if err != nil || config.Width != smallSide || config.Height != smallSide || answer.ContentLength > 8<<10 || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%+v of %d bytes, %v", config, answer.ContentLength, err)
	}
}

func TestOrderJourney(t *testing.T) {
	r := startPages(t)
	r.topUp(t, "zhao-changshun", "50")
	nobody := r.browser(t, "")
	path := orderLunch(t, "zhao-changshun")
	if status, location, _ := nobody.open(path, nil); status != http.StatusSeeOther || location != "/identity/sign-in?return="+url.QueryEscape(path) {
		t.Fatalf("ordering without signing in: %d to %s", status, location)
	}
	zhao := r.browser(t, "zhao-changshun")
	page := zhao.page(path, "订餐", "要几份", "怎么吃", "送到站前花园3号楼2单元501", "嘱咐厨房", "我的钱包", "可用¥50.00", "到食堂再付", "按“60岁以上”优惠")
	form := with(zhao.form(page), r.porkField(), "2", r.riceField(), "1", "wish", "饭软 <b>一点</b>", "way", "Delivery")
	confirm := zhao.sees(http.StatusOK, orderPath, form, "请核对", "红烧肉 × 2", "¥38.00", "-¥9.50", "¥28.50", "我的钱包", "&lt;b&gt;", "送到站前花园3号楼2单元501")
	// Going back keeps what was typed.
	zhao.has(zhao.sees(http.StatusOK, orderPath, with(zhao.form(confirm), "step", "edit"), "要几份"), `value="2" selected`, "饭软 &lt;b&gt;")
	sent := with(zhao.form(confirm), "step", "confirm")
	location := zhao.send(orderPath, sent)
	if again := zhao.send(orderPath, sent); again != location {
		t.Errorf("sent twice: %s and %s", location, again)
	}
	own, _, _ := strings.Cut(location, "?")
	zhao.page(location, "订好了", "取餐码", "红烧肉 × 2", "已订好", "¥28.50", "钱包里已留好", "改一改", "取消订餐")
	zhao.page("/canteen/orders", "还没吃的", "红烧肉 × 2、米饭 × 1", "¥28.50", "取餐码")
	zhao.page(monday, "您已订这一餐", "还有3份")
	zhao.page("/accounts/", "可用¥21.50，已预留¥28.50")
	zhao.page(path, "已经订过了", own)
	if status, _, _ := r.browser(t, "li-qiang").open(own, nil); status != http.StatusNotFound {
		t.Errorf("somebody else's order: status %d", status)
	}

	// Changed: one pork less, what is held follows.
	change := with(zhao.form(zhao.page(own+"/change", "改订餐", "不改了")), r.porkField(), "1")
	if change.Get(r.riceField()) != "1" || change.Get("way") != "Delivery" {
		t.Errorf("the form of a change begins with %v", change)
	}
	confirm = zhao.sees(http.StatusOK, own+"/change", change, "请核对", "红烧肉 × 1", "¥15.00", "确定修改")
	zhao.page(zhao.send(own+"/change", with(zhao.form(confirm), "step", "confirm")), "改好了", "¥15.00")
	zhao.page("/accounts/", "可用¥35.00，已预留¥15.00")

	// Cancelled, after a question.
	zhao.page(own+"/cancel", "要取消这份订餐吗", "是，取消", "不，保留")
	zhao.page(zhao.send(own+"/cancel", url.Values{}), "已取消", "钱包里留的钱又可以用了")
	zhao.page("/canteen/orders", "现在没有订餐", "以前的", "已取消")
	zhao.page("/accounts/", "¥50.00")
	if status, location, _ := zhao.open(own+"/change", nil); status != http.StatusSeeOther || location != own {
		t.Errorf("changing what is cancelled: %d to %s", status, location)
	}
}

func TestOrderForMother(t *testing.T) {
	r := startPages(t)
	r.topUp(t, "li-qiang", "100")
	li := r.browser(t, "li-qiang")
	whom := orderFormURL(lunch(t), "")
	li.page(whom, "给谁订餐", "我自己", "王桂花", "李小满")
	mother := orderLunch(t, "wang-guihua")
	page := li.page(mother, "给王桂花订", "王桂花的钱包", "可用¥0.00", "我的钱包", "可用¥100.00")
	if form := li.form(page); form.Get("pay") != payOwn {
		t.Errorf("an empty purse is not the first choice: %q", form.Get("pay"))
	}
	own := li.orderedFrom(mother, r.porkField(), "1")
	li.page(own, "王桂花", "-¥4.50", "60岁以上", "¥13.50")
	li.page(whom, "已经订了", own)
	li.page("/accounts/", "可用¥86.50")
	// She sees it too, and it is hers to cancel.
	wang := r.browser(t, "wang-guihua")
	wang.page("/canteen/orders", "红烧肉 × 1")
	wang.send(own+"/cancel", url.Values{})
	if status, _, _ := wang.open(orderLunch(t, "li-qiang"), nil); status != http.StatusForbidden {
		t.Errorf("ordering for somebody for whom one may not: status %d", status)
	}
}

func TestOrderMistakes(t *testing.T) {
	r := startPages(t)
	r.topUp(t, "zhao-changshun", "10")
	zhao, chen := r.browser(t, "zhao-changshun"), r.browser(t, "chen-yutong")
	form := zhao.form(zhao.page(orderLunch(t, "zhao-changshun")))
	pork := r.porkField()
	zhao.sees(422, orderPath, form, "还没有选菜", `href="#`+pork+`"`)
	zhao.sees(422, orderPath, with(form, pork, "1", "wish", strings.Repeat("字", 101)), "最多写100个字", `href="#wish"`)
	zhao.sees(422, orderPath, with(form, pork, "4"), "一次最多订3份")
	zhao.sees(422, orderPath, with(form, pork, "3", r.riceField(), "4"), "最多订6份")
	zhao.sees(422, orderPath, with(form, pork, "1", "way", ""), "请选怎么吃")
	// By how much there is too little, and where to top up; what was typed stays.
	zhao.sees(422, orderPath, with(form, pork, "1", "wish", "少盐"), "还差¥3.50", `href="/accounts/"`, `href="#pay"`, "少盐")
	zhao.sees(400, orderPath, with(form, pork, "many"))
	zhao.sees(400, orderPath, with(form, "key", "short"))
	zhao.sees(404, orderPath, with(form, "meal", "feast"))

	// Somebody else is quicker: the last portions.
	confirm := zhao.form(zhao.sees(200, orderPath, with(form, pork, "3", "pay", "counter"), "到食堂再付"))
	chen.orderedFrom(orderLunch(t, "chen-yutong"), pork, "3", "pay", "counter")
	zhao.sees(409, orderPath, with(confirm, "step", "confirm"), "红烧肉只剩2份", `href="#`+pork+`"`)

	// The price is another one than was shown: asked again.
	confirm = zhao.form(zhao.sees(200, orderPath, with(form, pork, "1", "pay", "counter")))
	zhao.sees(200, orderPath, with(confirm, "step", "confirm", "seen", "1"), "价钱有变化", "¥13.50")

	own := zhao.send(orderPath, with(confirm, "step", "confirm"))
	own, _, _ = strings.Cut(own, "?")
	zhao.page(own, "到食堂再付")
	change := zhao.form(zhao.page(own + "/change"))
	r.clock.SetTime(moment(t, "2026-11-23T09:00:00+08:00"))
	zhao.hasNot(zhao.page(own, "今天09:00已截止", "0537-0000101"), "改一改", "取消订餐")
	zhao.sees(422, own+"/cancel", url.Values{}, "09:00截止")
	if location := zhao.send(own+"/change", with(change, pork, "2")); location != own {
		t.Errorf("a change that is too late leads to %s", location)
	}
	chen.page(orderFormURL(lunch(t), ""), "已经订过了")
	li := r.browser(t, "li-qiang")
	li.hasNot(li.page(orderFormURL(lunch(t), ""), "不能再订了"), "for=")
}

func TestCard(t *testing.T) {
	r := startPages(t)
	nobody, chen := r.browser(t, ""), r.browser(t, "chen-yutong")
	nobody.page("/", "社区食堂", "星期一", "午餐", "红烧肉、米饭", monday)
	sun := r.browser(t, "sun-li")
	sun.page("/", staffPath)
	sun.page(monday, staffPath, html.EscapeString(doorURL("lakeside", lunch(t).Day)))
	chen.hasNot(chen.page("/")+chen.page(monday), staffPath, doorPath)
	own := chen.orderedFrom(orderLunch(t, "chen-yutong"), r.porkField(), "1", "pay", "counter")
	chen.page("/", "您已订这一餐", own)
	r.clock.SetTime(moment(t, "2026-11-23T12:00:00+08:00"))
	nobody.page("/", "今天", "红烧肉、米饭", `href="/canteen/"`)
	r.clock.SetTime(moment(t, "2026-11-23T12:30:00+08:00"))
	nobody.hasNot(nobody.page("/", "今天和明天还没有菜单"), "红烧肉")
}
