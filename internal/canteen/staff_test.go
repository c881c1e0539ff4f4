package canteen

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/accounts"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// The cook, the front desk, a manager who is also at the front desk, and a
// resident.
const cook, desker, manager, li = "ma-xiuying", "sun-li", "zhou-jianguo", "li-qiang"

// liName and liPhone are the resident's.
const liName, liPhone = "李强", "13800000002"

// mondayLunch is the staff's page of Monday's lunch.
const mondayLunch = "/canteen/staff/meals/lakeside/2026-11-23/lunch"

// site is a community with a canteen whose lunch on Monday has pork, of which
// there are twenty, and rice. It is Monday, eight o'clock.
type site struct {
	*hosttest.Server
	t          testing.TB
	clock      *testclock.FakeClock
	pork, rice string
	db         *database.DB
	// store writes beside the service.
	store *Store
}

func startSite(t testing.TB) *site {
	t.Helper()
	service, err := Service()
	if err != nil {
		t.Fatal(err)
	}
	place := lakeside()
	place.DeliveryEstates = []string{"zhanqian-huayuan"}
	community := hosttest.Community()
	community.Spec.Services.Accounts = &v1alpha1.Accounts{}
	community.Spec.Services.Canteen = &v1alpha1.Canteen{
		ManagedBy: v1alpha1.ManagedByCommunity, Canteens: []v1alpha1.CanteenPlace{place},
		Categories: []v1alpha1.Category{{Name: "low-income", DisplayName: "低保户"}},
		Tiers: []v1alpha1.Tier{
			{Name: "over-80", DisplayName: "80岁以上", MinAge: ptr(80), DiscountPercent: 50},
			{Name: "low-income", DisplayName: "低保户", Category: "low-income", DiscountPercent: 30},
		},
	}
	s := &site{t: t, clock: testclock.NewFakeClock(moment(t, "2026-11-23T08:00:00+08:00"))}
	service.Register = func(ctx context.Context, rt *host.Runtime) error {
		s.store = NewStore(rt.DB)
		return register(ctx, rt)
	}
	s.Server = hosttest.Start(t, hosttest.Options{Services: []host.Service{service, must[host.Service](t)(accounts.Service())}, Community: community, Clock: s.clock})
	existing := must[*database.Existing](t)(database.ReadDirectory(s.DataDir))
	t.Cleanup(func() { existing.Close() })
	s.db = must[*database.DB](t)(existing.Open(Name))
	t.Cleanup(func() { s.db.Close() })
	s.pork = s.dish("红烧肉", 1800, KindMeat, "Soya")
	s.rice = s.dish("米饭", 200, KindStaple)
	s.api(cook, 200, "PUT", "/staff/menus/lakeside/2026-11-23/lunch", map[string]any{"published": true, "items": []map[string]any{
		{"dish": s.pork, "stock": 20, "maxPerOrder": 3}, {"dish": s.rice, "stock": 100},
	}})
	return s
}

// api calls the API and returns the ID in the answer, if there is one.
func (s *site) api(account string, want int, method, path string, body any) (id string) {
	s.t.Helper()
	content := must[[]byte](s.t)(json.Marshal(body))
	r := must[*http.Request](s.t)(http.NewRequestWithContext(s.t.Context(), method, s.URL+"/canteen/api/v1"+path, strings.NewReader(string(content))))
	r.Header.Set("Authorization", "Bearer "+s.Token(s.t, account))
	r.Header.Set("Content-Type", "application/json")
	response := must[*http.Response](s.t)(s.Client(s.t).Do(r))
	defer response.Body.Close()
	answer := must[[]byte](s.t)(io.ReadAll(response.Body))
	if response.StatusCode != want {
		s.t.Fatalf("%s %s: %s: %s", method, path, response.Status, answer)
	}
	var out struct{ ID string }
	if len(answer) == 0 {
		return ""
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		s.t.Fatal(err)
	}
	return out.ID
}

func (s *site) dish(name string, price int, kind Kind, allergens ...Allergen) string {
	s.t.Helper()
	return s.api(cook, 201, "POST", "/staff/dishes", map[string]any{"name": name, "kind": kind, "price": price, "allergens": append([]Allergen{}, allergens...)})
}

// guest is an order of a portion of pork at the counter.
func (s *site) guest(name string, way v1alpha1.Way, wish string) string {
	s.t.Helper()
	return s.api(cook, 201, "POST", "/staff/orders", map[string]any{
		"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "name": name, "way": way, "wish": wish,
		"lines": []map[string]any{{"dish": s.pork, "portions": 1}},
	})
}

// lis is an order of Li's, which replaces the one that there was.
func (s *site) lis(way v1alpha1.Way) string {
	s.t.Helper()
	for _, o := range s.orders() {
		if o.Eater == hosttest.PersonID(s.t, li) && o.State != StateCancelled {
			if o.State == StateServed {
				s.api(cook, 200, "POST", "/staff/orders/"+o.ID.String()+"/unserve", nil)
			}
			s.api(cook, 200, "POST", "/staff/orders/"+o.ID.String()+"/cancel", nil)
		}
	}
	return s.api(li, 201, "POST", "/orders", map[string]any{
		"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "way": way, "payment": "Counter",
		"lines": []map[string]any{{"dish": s.pork, "portions": 1}, {"dish": s.rice, "portions": 2}},
	})
}

func (s *site) orders() []Order {
	s.t.Helper()
	var rows []orderRow
	if err := s.db.Reader().NewSelect().Model(&rows).Order("id").Scan(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return must[[]Order](s.t)(ordersOf(rows))
}

func (s *site) order(id string) Order {
	s.t.Helper()
	return must[Order](s.t)(orderIn(s.t.Context(), s.db.Reader(), idOf(id)))
}

// visitor is a browser without JavaScript that reads Chinese.
type visitor struct {
	t      testing.TB
	site   *site
	client *http.Client
}

func (s *site) visitor(account string) visitor {
	s.t.Helper()
	if account == "" {
		return visitor{s.t, s, s.Client(s.t)}
	}
	return visitor{s.t, s, s.SignIn(s.t, account)}
}

// open gets a page or, with a form, sends the form there.
func (v visitor) open(path string, form url.Values) (status int, location, page string) {
	v.t.Helper()
	method, contentType, body := http.MethodGet, "", ""
	if form != nil {
		method, contentType, body = http.MethodPost, "application/x-www-form-urlencoded", form.Encode()
	}
	return v.send(method, path, contentType, body)
}

func (v visitor) send(method, path, contentType, body string) (status int, location, page string) {
	v.t.Helper()
	r := must[*http.Request](v.t)(http.NewRequestWithContext(v.t.Context(), method, v.site.URL+path, strings.NewReader(body)))
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "zh-CN")
	if method == http.MethodPost {
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response := must[*http.Response](v.t)(v.client.Do(r))
	defer response.Body.Close()
	html := must[[]byte](v.t)(io.ReadAll(response.Body))
	return response.StatusCode, response.Header.Get("Location"), string(html)
}

// page opens a page that must have some texts, and returns what it says.
func (v visitor) page(path string, texts ...string) string {
	v.t.Helper()
	status, _, page := v.open(path, nil)
	if status != http.StatusOK {
		v.t.Fatalf("%s: status %d:\n%s", path, status, page)
	}
	v.has(page, texts...)
	return page
}

var markup = regexp.MustCompile(`(?s)^.*<main|<[^>]*>`)

// said is what a page says, without markup, on one line.
func said(page string) string {
	return strings.Join(strings.Fields(markup.ReplaceAllString(page, " ")), " ")
}

func (v visitor) has(page string, texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if !strings.Contains(said(page), text) {
			v.t.Errorf("the page has no %q:\n%s", text, said(page))
		}
	}
}

func (v visitor) hasNot(page string, texts ...string) {
	v.t.Helper()
	for _, text := range texts {
		if strings.Contains(said(page), text) {
			v.t.Errorf("the page has %q:\n%s", text, said(page))
		}
	}
}

// sent sends a form that must be accepted, and returns where it leads.
func (v visitor) sent(path string, form url.Values) string {
	v.t.Helper()
	status, location, page := v.open(path, form)
	if status != http.StatusSeeOther {
		v.t.Fatalf("%s: status %d:\n%s", path, status, said(page))
	}
	return location
}

// TestGlance: what is cooked today and tomorrow, to whoever works there.
func TestGlance(t *testing.T) {
	s := startSite(t)
	s.guest("老周", v1alpha1.WayPickUp, "")
	s.guest("老吴", v1alpha1.WayPickUp, "")
	page := s.visitor(cook).page("/canteen/staff/", "今天 11月23日", "明天 11月24日", "2 份已订", "2 单待出餐", "今天09:00截止订餐", "备餐和出餐", "未安排")
	if strings.Contains(page, "老周") {
		t.Error("the glance names people, and is not recorded")
	}
	s.visitor(desker).page("/canteen/staff/", "代订餐")
	s.visitor(desker).hasNot(page, "补贴")
	s.visitor(manager).page("/canteen/staff/", "今天")
}

// TestMealPage: what to cook is added up, what to hand out is sorted by way and
// door, and one is found by name or code.
func TestMealPage(t *testing.T) {
	s := startSite(t)
	s.guest("老周", v1alpha1.WayPickUp, "少放盐")
	served := s.guest("老吴", v1alpha1.WayEatIn, "")
	lis := s.lis(v1alpha1.WayDelivery)
	s.api(cook, 200, "POST", "/staff/orders/"+served+"/serve", nil)
	v := s.visitor(cook)
	page := v.page(mondayLunch, "红烧肉 3 1 1 1 大豆", "米饭 2 – – 2", "少放盐", "站前花园3号楼2单元", "501 李强", "红烧肉 ×1、米饭 ×2", "应收 ¥22.00", s.order(lis).Code, "还有 0 单，共 1 单")
	for _, before := range []string{"堂食 还有", "自取 还有", "送餐 还有"} {
		_, after, ok := strings.Cut(said(page), before)
		if !ok {
			t.Fatalf("no %q in order:\n%s", before, said(page))
		}
		page = after
	}
	v.hasNot(v.page(mondayLunch+"?q="+url.QueryEscape("李"), "501 李强"), "老周 取餐号")
	v.hasNot(v.page(mondayLunch+"?q="+s.order(lis).Code, "501 李强"), "堂食 还有")
	v.page(mondayLunch+"?q=nobody", "没有找到“nobody”")
	v.hasNot(v.page(mondayLunch+"?show=open", "老周"), "老吴")
	if status, _, _ := v.open("/canteen/staff/meals/lakeside/2026-11-23/brunch", nil); status != http.StatusNotFound {
		t.Errorf("a meal that there is not: %d", status)
	}
}

// TestTickOff: an order is paid, handed out and taken back by one button each,
// and that leads back to where the button was.
func TestTickOff(t *testing.T) {
	s := startSite(t)
	id := s.guest("老周", v1alpha1.WayPickUp, "")
	v := s.visitor(cook)
	back := mondayLunch + "?q=" + url.QueryEscape("老")
	v.page(back, "收款 ¥18.00", "出餐")
	press := func(what string) string {
		t.Helper()
		return v.sent("/canteen/staff/orders/"+id+"/"+what, url.Values{"back": {back}})
	}
	if to := press("pay"); to != back+"#o-"+id {
		t.Errorf("led to %s", to)
	}
	v.hasNot(v.page(back, "已付款"), "收款")
	press("serve")
	if o := s.order(id); o.State != StateServed || o.PaidAt.IsZero() {
		t.Errorf("%+v", o)
	}
	v.page(back, "已出餐", "撤回出餐")
	press("unserve")
	if o := s.order(id); o.State != StatePlaced {
		t.Errorf("%+v", o)
	}
	// From elsewhere it leads to the order, and never to another site.
	for _, elsewhere := range []string{"", "//evil.example/", "/booking/"} {
		if to := v.sent("/canteen/staff/orders/"+id+"/serve", url.Values{"back": {elsewhere}}); to != "/canteen/staff/orders/"+id+"?done=served" {
			t.Errorf("back to %q led to %s", elsewhere, to)
		}
	}
	v.page("/canteen/staff/orders/"+id+"?done=served", "已出餐。")
}

// TestTickOffWhatIsCancelled: who presses a button of a page that is out of
// date learns why nothing was done.
func TestTickOffWhatIsCancelled(t *testing.T) {
	s := startSite(t)
	id := s.guest("老周", v1alpha1.WayPickUp, "")
	v := s.visitor(desker)
	v.page("/canteen/staff/orders/"+id+"/cancel", "确定取消")
	v.page(v.sent("/canteen/staff/orders/"+id+"/cancel", url.Values{}), "订单已取消", "已取消")
	status, _, page := v.open("/canteen/staff/orders/"+id+"/serve", url.Values{"back": {mondayLunch}})
	if status != http.StatusConflict {
		t.Errorf("status %d", status)
	}
	v.has(page, "这份订餐已经结束", "老周")
}

// TestPrint: lists for paper have no buttons' pages about them, and everybody in
// them is recorded each time.
func TestPrint(t *testing.T) {
	s := startSite(t)
	s.guest("老周", v1alpha1.WayPickUp, "少放盐")
	lis := s.order(s.lis(v1alpha1.WayDelivery))
	v := s.visitor(cook)
	v.hasNot(v.page(mondayLunch+"/print", "备餐单", "红烧肉 2", "少放盐"), liName, "老周")
	v.hasNot(v.page(mondayLunch+"/print?list=PickUp", "老周", "红烧肉 ×1", "应收 ¥18.00"), liName)
	for range 2 {
		v.page(mondayLunch+"/print?list=Delivery", "站前花园3号楼2单元", "501 李强", "138 0000 0002")
	}
	printed := 0
	for _, r := range s.records(cook) {
		if r.Action == "canteen.order-printed" && r.Person == lis.Eater {
			printed++
		}
	}
	if printed != 4 {
		t.Errorf("%d entries about a person who was printed four times", printed)
	}
}

// TestOrderAtCounter: staff order for a resident at their price, and for a guest
// at the full one.
func TestOrderAtCounter(t *testing.T) {
	s := startSite(t)
	v := s.visitor(desker)
	v.page("/canteen/staff/order", "午餐 11月23日", "散客称呼", "红烧肉 ¥18.00，还剩 20 份")
	form := func(changes ...string) url.Values {
		f := url.Values{"canteen": {"lakeside"}, "date": {"2026-11-23"}, "meal": {"lunch"}, "key": {uuid.NewString()}, "way": {"EatIn"}, "payment": {"Counter"}}
		for i := 0; i+1 < len(changes); i += 2 {
			f.Set(changes[i], changes[i+1])
		}
		return f
	}
	v.page("/canteen/staff/order?q="+url.QueryEscape("赵长顺"), "为谁订", "赵长顺", "从钱包付款")
	zhao := hosttest.PersonID(t, "zhao-changshun")
	asked := form("who", zhao, "q", "赵长顺", "dish-"+s.pork, "１")
	to := v.sent("/canteen/staff/order", asked)
	v.page(to, "已订好", "赵长顺", "应收 ¥9.00", "原价 ¥18.00，补贴 ¥9.00", "收款 ¥9.00")
	if again := v.sent("/canteen/staff/order", asked); again != to {
		t.Errorf("the form sent again led to %s, not to %s", again, to)
	}
	v.page(v.sent("/canteen/staff/order", form("guest", "老周", "dish-"+s.pork, "2", "dish-"+s.rice, "0")), "老周", "应收 ¥36.00")

	for text, f := range map[string]url.Values{
		"还没有选菜":    form("guest", "老周的朋友"),
		"请填数字":     form("guest", "老周的朋友", "dish-"+s.pork, "两份"),
		"只剩17份":    form("guest", "老周的朋友", "dish-"+s.pork, "18"),
		"散客没有钱包":   form("guest", "老周的朋友", "payment", "Purse", "dish-"+s.pork, "1"),
		"不在送餐范围内":  form("guest", "老周的朋友", "way", "Delivery", "dish-"+s.pork, "1"),
		"这一餐已经订过了": form("who", zhao, "dish-"+s.pork, "1"),
		"最多 30 个字": form("guest", strings.Repeat("老", 31), "dish-"+s.pork, "1"),
		"最多写100个字": form("wish", strings.Repeat("咸", 101), "dish-"+s.pork, "1"),
	} {
		status, _, page := v.open("/canteen/staff/order", f)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
		for _, typed := range []string{f.Get("guest"), f.Get("wish")} {
			if !strings.Contains(page, `value="`+typed+`"`) && typed != "" {
				t.Errorf("%s: what was typed is lost", text)
			}
		}
	}
}

// records are the entries that somebody has made, the newest first.
func (s *site) records(account string) []audit.Record {
	s.t.Helper()
	records := must[[]audit.Record](s.t)(audit.Between(s.t.Context(), s.db, time.Time{}, s.clock.Now().Add(time.Hour), 100_000))
	return slices.DeleteFunc(records, func(r audit.Record) bool { return r.Actor != hosttest.PersonID(s.t, account) })
}

// visit is a request to a page, or what its form sends.
type visit struct {
	by, path string
	form     url.Values
	// want are the actions that are recorded; those about Li are written with
	// her name.
	want []string
}

// TestEveryStaffPageIsAudited walks all pages of the staff and what their forms
// do: what changes something or shows a person has an entry, what has none
// shows nobody. A route that is not in the table fails.
func TestEveryStaffPageIsAudited(t *testing.T) {
	s := startSite(t)
	const orders = "/canteen/staff/orders/"
	of := func(what, want string) func() visit {
		return func() visit {
			return visit{cook, orders + s.lis(v1alpha1.WayDelivery) + what, url.Values{}, []string{want}}
		}
	}
	visitors := map[string]visitor{cook: s.visitor(cook), manager: s.visitor(manager)}
	const category = staffCategoriesPath + "low-income"
	lowIncome := func(member bool) {
		path := map[bool]string{true: "/add", false: "/remove"}[member]
		visitors[manager].sent(category+path, url.Values{"person": {hosttest.PersonID(t, li)}})
	}
	rivers := 0
	onRiver := func(what, want string, form url.Values) func() visit {
		return func() visit {
			rivers++
			name := fmt.Sprint("river-", rivers)
			visitors[manager].sent(staffCanteensPath+"new", placeForm("name", name))
			if what == "/meals/second/remove" {
				visitors[manager].sent(staffCanteensPath+name+"/meals/new", placeForm("version", "1", "meal-name", "second"))
			}
			return visit{manager, staffCanteensPath + name + what, form, []string{want}}
		}
	}
	table := map[string]func() visit{
		"GET /canteen/staff/{$}": func() visit { s.lis(v1alpha1.WayPickUp); return visit{by: cook, path: staffPath} },
		"GET " + staffMealsPath + sittingPattern: func() visit {
			s.lis(v1alpha1.WayPickUp)
			return visit{by: cook, path: mondayLunch, want: []string{"canteen.order-listed li", "canteen.orders-view"}}
		},
		"GET " + staffMealsPath + sittingPattern + "/print": func() visit {
			s.lis(v1alpha1.WayPickUp)
			return visit{by: cook, path: mondayLunch + "/print?list=PickUp", want: []string{"canteen.order-printed li", "canteen.orders-print"}}
		},
		"GET " + orders + "{id}": func() visit {
			return visit{by: cook, path: orders + s.lis(v1alpha1.WayPickUp), want: []string{"canteen.order-view li"}}
		},
		"GET " + orders + "{id}/cancel": func() visit {
			return visit{by: cook, path: orders + s.lis(v1alpha1.WayPickUp) + "/cancel", want: []string{"canteen.order-view li"}}
		},
		"POST " + orders + "{id}/serve":  of("/serve", "canteen.order-serve li"),
		"POST " + orders + "{id}/pay":    of("/pay", "canteen.order-pay li"),
		"POST " + orders + "{id}/cancel": of("/cancel", "canteen.order-cancel li"),
		"POST " + orders + "{id}/unserve": func() visit {
			id := s.lis(v1alpha1.WayPickUp)
			s.api(cook, 200, "POST", "/staff/orders/"+id+"/serve", nil)
			return visit{cook, orders + id + "/unserve", url.Values{}, []string{"canteen.order-unserve li"}}
		},
		// Whom a search finds is recorded by the service of residents.
		"GET " + staffOrderPath: func() visit { return visit{by: cook, path: staffOrderPath} },
		"POST " + staffOrderPath: func() visit {
			s.api(cook, 200, "POST", "/staff/orders/"+s.lis(v1alpha1.WayPickUp)+"/cancel", nil)
			return visit{cook, staffOrderPath, url.Values{
				"canteen": {"lakeside"}, "date": {"2026-11-23"}, "meal": {"lunch"}, "key": {uuid.NewString()}, "way": {"EatIn"}, "payment": {"Counter"},
				"who": {hosttest.PersonID(t, li)}, "dish-" + s.pork: {"1"},
			}, []string{"canteen.order li"}}
		},
		"GET " + staffStandingPath: func() visit {
			return visit{by: cook, path: staffStandingURL(hosttest.PersonID(t, li)), want: []string{"canteen.standing-view li"}}
		},
		"POST " + staffStandingPath: func() visit {
			return visit{cook, staffStandingPath, s.standingFor(li), []string{"canteen.standing li", "canteen.standing-view li"}}
		},
		"GET " + staffStandingPath + "/{id}/change": func() visit {
			return visit{by: cook, path: staffStandingPath + "/" + s.standing(li) + "/change", want: []string{"canteen.standing-view li"}}
		},
		"POST " + staffStandingPath + "/{id}/change": func() visit {
			return visit{cook, staffStandingPath + "/" + s.standing(li) + "/change", with(s.standingFor(li), "version", "1", "wish", "少盐"), []string{"canteen.standing-change li", "canteen.standing-view li"}}
		},
		"POST " + staffStandingPath + "/{id}/skip": func() visit {
			return visit{cook, staffStandingPath + "/" + s.standing(li) + "/skip", url.Values{"away-from": {"2026-11-30"}}, []string{"canteen.standing-skip li"}}
		},
		"POST " + staffStandingPath + "/{id}/end": func() visit {
			return visit{cook, staffStandingPath + "/" + s.standing(li) + "/end", url.Values{}, []string{"canteen.standing-end li"}}
		},
		// Dishes and menus are nobody's.
		"GET " + staffMenusPath: func() visit { return visit{by: cook, path: staffMenusPath} },
		"POST " + staffMenusPath + "/{canteen}/copy-week": func() visit {
			return visit{cook, staffMenusPath + "/lakeside/copy-week", url.Values{"week": {"2026-11-30"}}, []string{"canteen.menu"}}
		},
		"GET " + staffMenusPath + "/" + sittingPattern: func() visit { return visit{by: cook, path: planLunch} },
		"POST " + staffMenusPath + "/" + sittingPattern: func() visit {
			return visit{cook, planTuesday, plan(0, "draft", [4]string{s.pork, "", "5", ""}), []string{"canteen.menu"}}
		},
		"GET " + staffDishesPath + "{$}":    func() visit { return visit{by: cook, path: staffDishesPath} },
		"GET " + staffDishesPath + "new":    func() visit { return visit{by: cook, path: staffDishesPath + "new"} },
		"POST " + staffDishesPath + "new":   func() visit { return visit{cook, staffDishesPath + "new", dishOf(), []string{"canteen.dish-new"}} },
		"GET " + staffDishesPath + "{dish}": func() visit { return visit{by: cook, path: staffDishesPath + s.pork} },
		"POST " + staffDishesPath + "{dish}": func() visit {
			id := s.dish("炒饭", 800, KindStaple)
			return visit{cook, staffDishesPath + id, dishOf("version", "1"), []string{"canteen.dish-change"}}
		},
		"POST " + staffDishesPath + "{dish}/retire": func() visit {
			return visit{cook, staffDishesPath + s.rice + "/retire", url.Values{}, []string{"canteen.dish-retire"}}
		},
		"POST " + staffDishesPath + "{dish}/restore": func() visit {
			return visit{cook, staffDishesPath + s.rice + "/restore", url.Values{}, []string{"canteen.dish-back"}}
		},
		"POST " + staffDishesPath + "{dish}/remove-photo": func() visit {
			return visit{cook, staffDishesPath + s.rice + "/remove-photo", url.Values{}, []string{"canteen.dish-change"}}
		},
		"POST " + staffPhotosPath: func() visit {
			return visit{cook, "photo", url.Values{}, []string{"canteen.dish-change"}}
		},
		// What was said has no names; whose it is is recorded.
		"GET " + staffFeedbackPath: func() visit {
			s.rated(2, "太咸了")
			return visit{by: cook, path: staffFeedbackPath}
		},
		"GET " + staffFeedbackMonthPath: func() visit { return visit{by: manager, path: staffFeedbackMonthPath} },
		"GET " + staffFeedbackOrderPath + "{id}": func() visit {
			return visit{by: manager, path: staffFeedbackOrderPath + s.rated(2, "太咸了"), want: []string{"canteen.order-view li"}}
		},
		"GET " + staffSuggestionsPath + "{$}": func() visit {
			s.suggested()
			return visit{by: cook, path: staffSuggestionsPath}
		},
		"GET " + staffSuggestionsPath + "{id}": func() visit { return visit{by: cook, path: staffSuggestionsPath + s.suggested()} },
		"POST " + staffSuggestionsPath + "{id}": func() visit {
			return visit{cook, staffSuggestionsPath + s.suggested(), url.Values{"version": {"1"}, "state": {"Planned"}}, []string{"canteen.suggestion-answer"}}
		},
		"GET " + staffSuggestionsPath + "{id}/author": func() visit {
			return visit{by: manager, path: staffSuggestionsPath + s.suggested() + "/author", want: []string{"canteen.suggestion-author li"}}
		},
		// Canteens are nobody's.
		"GET " + staffCanteensPath + "{$}":       func() visit { return visit{by: manager, path: staffCanteensPath} },
		"GET " + staffCanteensPath + "new":       func() visit { return visit{by: manager, path: staffCanteensPath + "new"} },
		"GET " + staffCanteensPath + "{canteen}": func() visit { return visit{by: manager, path: staffCanteensPath + "lakeside"} },
		"GET " + staffCanteensPath + "{canteen}/meals/new": func() visit {
			return visit{by: manager, path: staffCanteensPath + "lakeside/meals/new"}
		},
		"GET " + staffCanteensPath + "{canteen}/meals/{meal}": func() visit {
			return visit{by: manager, path: staffCanteensPath + "lakeside/meals/lunch"}
		},
		"POST " + staffCanteensPath + "new": func() visit {
			return visit{manager, staffCanteensPath + "new", placeForm("name", "other"), []string{"canteen.canteen-new"}}
		},
		"POST " + staffCanteensPath + "{canteen}":                     onRiver("", "canteen.canteen-change", placeForm("version", "1")),
		"POST " + staffCanteensPath + "{canteen}/retire":              onRiver("/retire", "canteen.canteen-retire", url.Values{}),
		"POST " + staffCanteensPath + "{canteen}/restore":             onRiver("/restore", "canteen.canteen-back", url.Values{}),
		"POST " + staffCanteensPath + "{canteen}/meals/new":           onRiver("/meals/new", "canteen.canteen-change", placeForm("version", "1", "meal-name", "supper")),
		"POST " + staffCanteensPath + "{canteen}/meals/{meal}":        onRiver("/meals/breakfast", "canteen.canteen-change", placeForm("version", "1")),
		"POST " + staffCanteensPath + "{canteen}/meals/{meal}/remove": onRiver("/meals/second/remove", "canteen.canteen-change", url.Values{}),
		// Numbers without people.
		"GET " + staffSubsidiesPath:          func() visit { return visit{by: manager, path: staffSubsidiesPath} },
		"GET " + staffSubsidiesPath + ".csv": func() visit { return visit{by: manager, path: staffSubsidiesPath + ".csv"} },
		"GET " + staffCategoriesPath + "{category}": func() visit {
			lowIncome(true)
			return visit{by: manager, path: category, want: []string{"canteen.member-listed li", "canteen.members-view"}}
		},
		"POST " + staffCategoriesPath + "{category}/add": func() visit {
			lowIncome(false)
			return visit{manager, category + "/add", url.Values{"person": {hosttest.PersonID(t, li)}}, []string{"canteen.member-add li"}}
		},
		"POST " + staffCategoriesPath + "{category}/remove": func() visit {
			lowIncome(true)
			return visit{manager, category + "/remove", url.Values{"person": {hosttest.PersonID(t, li)}}, []string{"canteen.member-remove li"}}
		},
	}
	maps.Copy(table, s.safetyVisits())
	for _, route := range (&service{}).staffRoutes() {
		if table[route.pattern] == nil {
			t.Errorf("%s is not in the table: say what it leaves in the audit", route.pattern)
		}
	}
	for _, route := range slices.Sorted(maps.Keys(table)) { // in an order: one visit leaves behind what another finds
		prepare := table[route]
		visit := prepare()
		before := len(s.records(visit.by))
		status, _, page := 0, "", ""
		if visit.path == "photo" {
			status, _, page = visitors[visit.by].upload(s.pork, asJPEG(t, scene(4, 4)))
		} else if to, ok := strings.CutPrefix(visit.path, "upload "); ok {
			status, _, page = visitors[visit.by].uploadTo(to, asJPEG(t, scene(4, 4)))
		} else {
			status, _, page = visitors[visit.by].open(visit.path, visit.form)
		}
		if want := map[bool]int{true: http.StatusOK, false: http.StatusSeeOther}[visit.form == nil]; status != want {
			t.Errorf("%s: status %d:\n%s", route, status, said(page))
		}
		all := s.records(visit.by)
		var got []string
		for _, r := range all[:len(all)-before] {
			what := r.Action
			if r.Person == hosttest.PersonID(t, li) {
				what += " li"
			} else if r.Person != "" {
				t.Errorf("%s: an entry about somebody else: %+v", route, r)
			}
			if actionTexts[r.Action] == "" {
				t.Errorf("there is no text for %s", r.Action)
			}
			got = append(got, what)
		}
		slices.Sort(got)
		if !slices.Equal(got, visit.want) {
			t.Errorf("%s: recorded %q, want %q", route, got, visit.want)
		}
		if len(visit.want) == 0 && (strings.Contains(page, liName) || strings.Contains(page, liPhone)) {
			t.Errorf("%s shows a person, and has no entry:\n%s", route, said(page))
		}
	}
	if r, err := audit.Verify(t.Context(), s.db); err != nil || r.Bad != nil || r.Entries == 0 {
		t.Errorf("the audit: %+v, %v", r, err)
	}
}

// TestByDoor: a driver goes from door to door, estate by estate.
func TestByDoor(t *testing.T) {
	at := func(estate, building, unit, room string) Order {
		o := Order{Content: Content{Way: v1alpha1.WayDelivery}}
		o.Home.Estate, o.Home.Building, o.Home.Unit, o.Home.Room = estate, building, unit, room
		return o
	}
	var got []string
	for _, g := range byDoor([]Order{
		at("b", "1号楼", "", "101"), at("a", "12号楼", "", "101"), at("a", "3号楼", "2单元", "1002"), at("a", "3号楼", "2单元", "201"), at("a", "3号楼", "1单元", "201"),
	}, []v1alpha1.Estate{{Name: "b"}, {Name: "a"}}) {
		got = append(got, fmt.Sprint(g.Home.Estate, g.Home.Building, g.Home.Unit))
		for _, o := range g.Orders {
			got = append(got, o.Home.Room)
		}
	}
	want := []string{"b1号楼", "101", "a3号楼1单元", "201", "a3号楼2单元", "201", "1002", "a12号楼", "101"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestProduce: portions of orders that a purse is still asked about are taken,
// but not yet to be cooked.
func TestProduce(t *testing.T) {
	pork := uuid.New()
	dishes, waiting := produce(Menu{Items: []Item{{Dish: Dish{ID: pork}, Taken: 5}}}, []Order{
		{Content: Content{Way: v1alpha1.WayEatIn, Lines: []Line{{Dish: pork.String(), Portions: 2}}}},
		{Content: Content{Way: v1alpha1.WayPickUp, Lines: []Line{{Dish: pork.String(), Portions: 1}}}},
	})
	if d := dishes[0]; d.Portions != 3 || d.ByWay[v1alpha1.WayEatIn] != 2 || d.ByWay[v1alpha1.WayPickUp] != 1 || waiting != 2 {
		t.Errorf("%+v, %d waiting", d, waiting)
	}
}

func TestParseYuan(t *testing.T) {
	for text, want := range map[string]int64{"12": 1200, "12.5": 1250, "¥12.50": 1250, "0.05元": 5, "": -1, "-1": -1, "1.234": -1, "1.": -1, ".5": -1, "一": -1, "1e3": -1} {
		got, ok := parseYuan(text)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}
