package canteen

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// lunchSafety is the page of Monday's lunch on which samples and what went in
// are written.
const lunchSafety = "/canteen/staff/safety/meals/lakeside/2026-11-23/lunch"

func (s *site) byCook() By { return By{Actor: hosttest.PersonID(s.t, cook), Now: s.clock.Now()} }

// supply is a supplier with a batch of pork that is good, one of tofu that is
// not, and salt.
func (s *site) supply() (farm Supplier, meat, tofu, salt Batch) {
	s.t.Helper()
	ctx := s.t.Context()
	farm = must[Supplier](s.t)(s.store.PutSupplier(ctx, s.byCook(), Supplier{ID: uuid.New(), Name: "湖畔农场", Contact: "老郑", Phone: "13900000001", Licence: "JY13708270000001"}))
	batch := func(ingredient, lot, expires string) Batch {
		b := Batch{ID: uuid.New(), Ingredient: ingredient, Supplier: farm.ID, Lot: lot, Quantity: "20千克", BoughtOn: date(s.t, "2026-11-20")}
		if expires != "" {
			b.ExpiresOn = date(s.t, expires)
		}
		return must[Batch](s.t)(s.store.PutBatch(ctx, s.byCook(), b))
	}
	return farm, batch("猪五花", "A7", "2026-11-25"), batch("豆腐", "", "2026-11-22"), batch("食盐", "", "")
}

func (s *site) uses(dish string, batches ...Batch) {
	s.t.Helper()
	of := DishBatches{Dish: idOf(dish)}
	for _, b := range batches {
		of.Batches = append(of.Batches, b.ID)
	}
	if err := s.store.PutUses(s.t.Context(), s.byCook(), lunch(s.t), []DishBatches{of}, shanghai); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) sample(grams int) Sample {
	s.t.Helper()
	taken := must[[]Sample](s.t)(s.store.TakeSamples(s.t.Context(), s.byCook(), []Sample{{
		Sitting: lunch(s.t), Dish: idOf(s.pork), Grams: grams, Place: "留样冰箱", TakenAt: s.clock.Now(),
	}}, shanghai))
	return taken[0]
}

// safetyVisits are the visits of the walk to the pages of food safety.
func (s *site) safetyVisits() map[string]func() visit {
	farm, meat, _, salt := s.supply()
	s.uses(s.pork, meat)
	sample := s.sample(150)
	checks := checksURL("lakeside", lunch(s.t).Day)
	get := func(path string, want ...string) func() visit {
		return func() visit { return visit{by: cook, path: path, want: want} }
	}
	post := func(path string, form url.Values, want string) func() visit {
		return func() visit { return visit{cook, path, form, []string{want}} }
	}
	trace := func(path string, want ...string) func() visit {
		return func() visit {
			s.lis(v1alpha1.WayPickUp)
			return visit{by: manager, path: path + "?batch=" + meat.ID.String(), want: want}
		}
	}
	return map[string]func() visit{
		// Records of the kitchen are nobody's.
		"GET " + safetyPath + "{$}":                   get(safetyPath),
		"GET " + suppliersPath + "{$}":                get(suppliersPath),
		"GET " + suppliersPath + "new":                get(suppliersPath + "new"),
		"GET " + suppliersPath + "{supplier}":         get(supplierURL(farm.ID)),
		"GET " + batchesPath + "{$}":                  get(batchesPath),
		"GET " + batchesPath + "new":                  get(batchesPath + "new"),
		"GET " + batchesPath + "{batch}":              get(batchURL(meat.ID)),
		"GET " + safetyMealsPath + sittingPattern:     get(lunchSafety),
		"GET " + samplesPath:                          get(samplesPath),
		"GET " + safetyCheckPath + "{canteen}":        get(safetyCheckPath + "lakeside"),
		"GET " + safetyCheckPath + "{canteen}/{date}": get(checks),
		"GET " + batchPhotosPath + "/{batch}": func() visit {
			if err := s.store.PutBatchPhoto(s.t.Context(), s.byCook(), meat.ID, []byte("picture")); err != nil {
				s.t.Fatal(err)
			}
			return visit{by: manager, path: batchPhotosPath + "/" + meat.ID.String()}
		},
		"POST " + suppliersPath + "new":                post(suppliersPath+"new", url.Values{"name": {"鱼台米业"}}, "canteen.supplier-new"),
		"POST " + suppliersPath + "{supplier}":         post(supplierURL(farm.ID), url.Values{"name": {"湖畔农场"}, "version": {"1"}}, "canteen.supplier-change"),
		"POST " + suppliersPath + "{supplier}/retire":  post(supplierURL(farm.ID)+"/retire", url.Values{}, "canteen.supplier-retire"),
		"POST " + suppliersPath + "{supplier}/restore": post(supplierURL(farm.ID)+"/restore", url.Values{}, "canteen.supplier-back"),
		"POST " + batchesPath + "new": func() visit {
			rice := must[Supplier](s.t)(s.store.PutSupplier(s.t.Context(), s.byCook(), Supplier{ID: uuid.New(), Name: "鱼台米业"}))
			return visit{cook, batchesPath + "new", delivery("supplier", rice.ID.String()), []string{"canteen.batch-new"}}
		},
		"POST " + batchesPath + "{batch}":         post(batchURL(salt.ID), delivery("supplier", farm.ID.String(), "version", "1"), "canteen.batch-change"),
		"POST " + batchesPath + "{batch}/discard": post(batchURL(salt.ID)+"/discard", url.Values{"reason": {"受潮"}}, "canteen.batch-end"),
		"POST " + batchesPath + "{batch}/reopen":  post(batchURL(salt.ID)+"/reopen", url.Values{}, "canteen.batch-end"),
		"POST " + batchesPath + "{batch}/used-up": post(batchURL(salt.ID)+"/used-up", url.Values{}, "canteen.batch-end"),
		"POST " + batchPhotosPath:                 post("upload "+batchPhotosPath+"?batch="+meat.ID.String(), url.Values{}, "canteen.batch-change"),
		"POST " + safetyMealsPath + sittingPattern + "/uses": func() visit {
			return visit{cook, lunchSafety + "/uses", url.Values{usesField(idOf(s.pork)): {meat.ID.String()}}, []string{"canteen.uses"}}
		},
		"POST " + safetyMealsPath + sittingPattern + "/samples": func() visit {
			return visit{cook, lunchSafety + "/samples", url.Values{gramsField(idOf(s.rice)): {"130"}, "place": {"冰箱"}, "time": {"07:30"}}, []string{"canteen.sample-take"}}
		},
		"POST " + samplesPath + "/{sample}/discard": func() visit {
			s.store.age(s.t, sample)
			return visit{cook, samplesPath + "/" + sample.ID.String() + "/discard", url.Values{}, []string{"canteen.sample-discard"}}
		},
		"POST " + safetyCheckPath + "{canteen}/{date}": post(checks, url.Values{"check-hands": {"OK"}}, "canteen.checks"),
		// Who ate is for managers, and recorded.
		"GET " + tracePath:          trace(tracePath, "canteen.trace-listed li", "canteen.trace-view"),
		"GET " + tracePath + ".csv": trace(tracePath+".csv", "canteen.trace-export", "canteen.trace-exported li"),
	}
}

func delivery(changes ...string) url.Values {
	form := url.Values{
		"ingredient": {"大米"}, "quantity": {"５０千克"}, "lot": {"B12"}, "boughtOn": {"2026-11-22"}, "expiresOn": {"2027-05-01"}, "note": {""}, "version": {"0"},
	}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

// TestBatchForm: a supplier and a batch are written down, corrected, photographed
// for staff only, and ended.
func TestBatchForm(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	v.page("/canteen/staff/safety/batches/new", "还没有供货商")
	for text, form := range map[string]url.Values{"名称要填写": {"name": {" "}}, "只填数字": {"name": {"湖畔农场"}, "phone": {"电话"}}} {
		status, _, page := v.open("/canteen/staff/safety/suppliers/new", form)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	farm := v.sent("/canteen/staff/safety/suppliers/new", url.Values{"name": {"湖畔农场"}, "phone": {"１３９00000001"}, "licence": {"JY1"}})
	v.page(farm, "供货商已登记", "湖畔农场")
	farmID := strings.TrimPrefix(strings.Split(farm, "?")[0], suppliersPath)
	for text, form := range map[string]url.Values{
		"食材要填写":     delivery("supplier", farmID, "ingredient", ""),
		"请选择供货商":    delivery(),
		"数量要填写":     delivery("supplier", farmID, "quantity", ""),
		"不晚于今天":     delivery("supplier", farmID, "boughtOn", "2026-11-24"),
		"进货时已经过期":   delivery("supplier", farmID, "expiresOn", "2026-11-21"),
		"请填日期，如":    delivery("supplier", farmID, "expiresOn", "明年"),
		"备注最多200个字": delivery("supplier", farmID, "note", strings.Repeat("好", 201)),
	} {
		status, _, page := v.open("/canteen/staff/safety/batches/new", form)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	to := v.sent("/canteen/staff/safety/batches/new", delivery("supplier", farmID))
	path := strings.Split(to, "?")[0]
	v.page(to, "已登记", "大米", "50千克", "湖畔农场", "批号 B12", "2027年5月1日", "马秀英")
	v.sent(path, delivery("supplier", farmID, "version", "1", "expiresOn", "2026-11-24"))
	status, _, page := v.open(path, delivery("supplier", farmID, "version", "1"))
	if status != http.StatusConflict {
		t.Errorf("changed meanwhile: status %d", status)
	}
	v.has(page, "别人刚刚修改过")
	v.page("/canteen/staff/safety/batches/", "大米 50千克", "还有1天")
	v.page("/canteen/staff/", "现在要做的", "大米：还有1天")
	s.visitor(desker).hasNot(s.visitor(desker).page("/canteen/staff/"), "现在要做的", "大米")

	// The photo is for staff.
	id := strings.TrimPrefix(path, batchesPath)
	if status, _, page := v.uploadTo(batchPhotosPath+"?batch="+id, []byte("no picture")); status != http.StatusUnprocessableEntity {
		t.Errorf("no picture: %d %s", status, said(page))
	}
	if status, to, _ := v.uploadTo(batchPhotosPath+"?batch="+id, asJPEG(t, scene(40, 30))); status != http.StatusSeeOther || to != path+"?done=photo" {
		t.Errorf("a photo: %d to %s", status, to)
	}
	v.page(path, "送货单或标签照片")
	answer := must[*http.Response](t)(v.client.Get(s.URL + batchPhotosPath + "/" + id))
	answer.Body.Close()
	if cache := answer.Header.Get("Cache-Control"); answer.StatusCode != http.StatusOK || !strings.Contains(cache, "no-store") {
		t.Errorf("the photo: %s, kept as %q", answer.Status, cache)
	}
	photo := must[Photo](t)(s.store.BatchPhoto(t.Context(), idOf(id))).ID.String()
	for _, address := range []string{batchPhotosPath + "/" + id, photosPath + photo} {
		for _, who := range []string{"", li, desker} {
			if status, _, _ := s.visitor(who).open(address, nil); status == http.StatusOK {
				t.Errorf("%q sees %s", who, address)
			}
		}
	}

	status, _, page = v.open(path+"/discard", url.Values{"reason": {" "}})
	if status != http.StatusUnprocessableEntity {
		t.Errorf("discarded without a reason: %d", status)
	}
	v.has(page, "请写明销毁原因")
	v.page(v.sent(path+"/discard", url.Values{"reason": {"生虫"}}), "已登记销毁", "已销毁", "生虫")
	v.page("/canteen/staff/safety/batches/", "没有食材批次")
	v.page("/canteen/staff/safety/batches/?show=all", "大米", "已销毁")
	v.page(v.sent(path+"/reopen", url.Values{}), "已改回在用")
}

// TestUsesAndSamples: on the page of a meal it is ticked what went into each dish
// and typed what was kept of it.
func TestUsesAndSamples(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	v.page(lunchSafety, "没有在用的食材批次")
	_, meat, tofu, salt := s.supply()
	page := v.page(lunchSafety, "红烧肉 未填写", "猪五花 湖畔农场 · 批号A7 · 还有2天", "食盐 湖畔农场 · 无保质期", "红烧肉（克）")
	v.hasNot(page, "豆腐")
	form := url.Values{usesField(idOf(s.pork)): {meat.ID.String(), salt.ID.String()}}
	v.page(v.sent(lunchSafety+"/uses", form), "用料已保存", "红烧肉 猪五花、食盐", "米饭 未填写")
	form.Add(usesField(idOf(s.rice)), tofu.ID.String())
	status, _, page := v.open(lunchSafety+"/uses", form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, `href="#`+usesField(idOf(s.rice))+`"`) {
		t.Errorf("an expired batch: status %d", status)
	}
	v.has(page, "米饭：所选批次已过保质期")

	samples := func(changes ...string) url.Values {
		f := url.Values{gramsField(idOf(s.pork)): {"130"}, gramsField(idOf(s.rice)): {""}, "place": {"留样冰箱"}, "time": {"08:00"}}
		for i := 0; i+1 < len(changes); i += 2 {
			f.Set(changes[i], changes[i+1])
		}
		return f
	}
	for text, f := range map[string]url.Values{
		"留样不少于125克":  samples(gramsField(idOf(s.pork)), "124"),
		"请填整数克数":     samples(gramsField(idOf(s.pork)), "半斤"),
		"不晚于现在":      samples("time", "08:01"),
		"请填时间，如":     samples("time", "八点"),
		"请填存放位置":     samples("place", ""),
		"请至少填一道菜的克数": samples(gramsField(idOf(s.pork)), ""),
	} {
		status, _, page := v.open(lunchSafety+"/samples", f)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", text, status)
		}
		v.has(page, text)
	}
	page = v.page(strings.Split(v.sent(lunchSafety+"/samples", samples()), "#")[0], "留样已登记", "红烧肉 130克，11月23日 08:00，留样冰箱，马秀英 保存到11月25日 08:00", "米饭（克）")
	if strings.Contains(page, `id="`+gramsField(idOf(s.pork))+`"`) {
		t.Error("what was sampled is asked for again")
	}
	if page := v.page(lunchSafety + "?correct=" + s.pork); !strings.Contains(page, `value="130"`) {
		t.Error("a sample cannot be corrected")
	}
	v.sent(lunchSafety+"/samples", samples(gramsField(idOf(s.pork)), "150"))
	v.page(samplesPath, "红烧肉", "150克", "留样记录 2026年11月")
	v.page(safetyPath, "用料 1/2", "留样 1/2")

	sample := must[[]Sample](t)(s.store.KeptSamples(t.Context()))[0]
	discard := samplesPath + "/" + sample.ID.String() + "/discard"
	s.clock.SetTime(moment(t, "2026-11-25T07:59:00+08:00"))
	v = s.visitor(cook)
	status, _, page = v.open(discard, url.Values{})
	if status != http.StatusConflict {
		t.Errorf("discarded after 47:59: status %d", status)
	}
	v.has(page, "还没有满48小时")
	v.hasNot(v.page(samplesPath), "登记销毁")
	s.clock.SetTime(moment(t, "2026-11-25T08:00:00+08:00"))
	v.page("/canteen/staff/", "1 份留样已满48小时")
	v.page(strings.Split(v.sent(discard, url.Values{}), "#")[0], "已登记销毁", "没有保存中的留样")

	// The next time the same is ticked, as far as it is still good.
	s.api(cook, 200, "PUT", "/staff/menus/lakeside/2026-11-25/lunch", map[string]any{"published": true, "items": []map[string]any{{"dish": s.pork, "stock": 20}}})
	page = v.page("/canteen/staff/safety/meals/lakeside/2026-11-25/lunch", "红烧肉 按上次勾选", "今天到期")
	if n := strings.Count(page, "checked"); n != 2 {
		t.Errorf("%d batches are ticked", n)
	}
	v.hasNot(v.page("/canteen/staff/safety/meals/lakeside/2026-11-23/lunch"), "（克）")
	s.clock.SetTime(moment(t, "2026-12-01T08:00:00+08:00"))
	v = s.visitor(cook)
	v.hasNot(v.page("/canteen/staff/safety/meals/lakeside/2026-11-23/lunch", "现在只能查看", "红烧肉 猪五花、食盐"), "保存用料")
}

// TestCheckForm: the daily check is written and corrected on the day, and read
// after it.
func TestCheckForm(t *testing.T) {
	s := startSite(t)
	v := s.visitor(cook)
	today := checksURL("lakeside", lunch(t).Day)
	v.page(today, "整理到位", "责任到位", "培训到位", "执行到位", "一择二洗三消毒")
	form := url.Values{}
	for _, p := range checkPoints {
		form.Set("check-"+p, "OK")
	}
	// What was wrong and is in order now has no remark any more.
	form.Set("check-hands", "NotOK")
	form.Set("remark-hands", "洗手液用完")
	v.page(v.sent(today, form), "检查已保存")
	form.Set("check-hands", "OK")
	v.sent(today, form)
	v.page(safetyPath, "已查 12/12")
	if strings.Contains(v.page(today), "洗手液用完") {
		t.Error("a remark about what is in order")
	}
	form.Set("check-fridges", "NotOK")
	status, _, page := v.open(today, form)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, `href="#remark-fridges"`) {
		t.Errorf("without a remark: status %d", status)
	}
	v.has(page, "请写明哪里不合格")
	form.Set("remark-fridges", "12℃，已报修")
	v.page(v.sent(today, form), "检查已保存", "08:00 马秀英")
	v.page(safetyPath, "已查 12/12", "1 项不合格")
	v.hasNot(v.page("/canteen/staff/"), "检查还没填完")
	month := "/canteen/staff/safety/checks/lakeside?month=2026-11"
	v.page(month, "11月23日 周一 已查完 11", "12℃，已报修", "11月22日 周日 尚未启用")
	s.clock.SetTime(moment(t, "2026-11-24T00:00:00+08:00"))
	v = s.visitor(manager)
	v.hasNot(v.page(today, "不合格 12℃，已报修", "检查只能当天"), "保存检查")
	status, _, page = v.open(today, form)
	if status != http.StatusConflict {
		t.Errorf("changed the day after: status %d", status)
	}
	v.has(page, "检查只能当天填写和更正")
	v.page("/canteen/staff/", "湖畔食堂：今天的检查还没填完")
	v.page("/canteen/staff/safety/checks/lakeside?month=2026-12", "还没有填写")
	s.clock.SetTime(moment(t, "2026-11-25T08:00:00+08:00"))
	s.visitor(manager).page(month, "11月22日 周日 尚未启用", "11月24日 周二 漏填", "11月25日 周三 还没有填写")
}

// TestTracePage goes from a batch to those who ate, and from a complaint to the
// supplier. Only managers see who it is, and whom to call.
func TestTracePage(t *testing.T) {
	s := startSite(t)
	_, meat, _, salt := s.supply()
	s.uses(s.pork, meat, salt)
	order := s.order(s.lis(v1alpha1.WayPickUp))
	s.guest("=老周", v1alpha1.WayEatIn, "")
	other := s.guest("老吴", v1alpha1.WayEatIn, "")
	s.api(cook, 200, "POST", "/staff/orders/"+other+"/cancel", nil)
	boss, v := s.visitor(manager), s.visitor(cook)

	v.page(batchURL(meat.ID), "这批食材去了哪里")
	forward := traceBatchURL(meat.ID)
	page := v.page(forward, "食材：猪五花", "湖畔农场", "139 0000 0001", "用在1道菜里", "红烧肉", "2 单，2 份", "姓名和电话只有负责人能看")
	v.hasNot(page, liName, "138 0000 0002", "老周")
	page = boss.page(forward, liName, "138 0000 0002", "=老周 散客", "共 2 单", "未取餐，请拦下")
	boss.hasNot(page, "老吴")
	status, _, file := boss.open(tracePath+".csv?batch="+meat.ID.String(), nil)
	if status != http.StatusOK || !strings.Contains(file, "李强,13800000002,2026-11-23,湖畔食堂 午餐,红烧肉 ×1,自取,") || !strings.Contains(file, "'=老周") || strings.Contains(file, "老吴") {
		t.Errorf("the file: %d\n%s", status, file)
	}
	if status, _, _ := v.open(tracePath+".csv?batch="+meat.ID.String(), nil); status != http.StatusForbidden {
		t.Errorf("a cook gets the file: %d", status)
	}
	if status, _, _ := boss.open(tracePath+".csv", nil); status != http.StatusNotFound {
		t.Errorf("a file of nothing: %d", status)
	}

	// Back, by code: the cook finds the order, and not whose it is.
	search := func(v visitor, query string, texts ...string) string {
		t.Helper()
		return v.page(tracePath+"?"+url.Values{"date": {"2026-11-23"}, "q": {query}}.Encode(), texts...)
	}
	v.hasNot(search(v, order.Code, "取餐号"+order.Code+"的订餐", "红烧肉 ×1"), liName)
	v.hasNot(search(v, "李强", "没有找到"), order.Code)
	search(boss, "李强", "李强", "红烧肉 ×1", order.Code)
	v.hasNot(v.page(traceOrderURL(order.ID), "猪五花", "湖畔农场", "批号A7", "没有登记这道菜用了哪些食材"), liName)
	boss.page(traceOrderURL(order.ID), "李强的订餐", "湖畔农场")
	if err := s.store.PutUses(t.Context(), s.byCook(), lunch(t), []DishBatches{{idOf(s.pork), []uuid.UUID{meat.ID, salt.ID}}, {idOf(s.rice), []uuid.UUID{salt.ID}}}, shanghai); err != nil {
		t.Fatal(err)
	}
	page = v.page(traceDishURL(Cooked{lunch(t), idOf(s.pork)}), "食盐", "还用在1道菜里", "米饭")
	if n := strings.Count(said(page), "还用在"); n != 1 {
		t.Errorf("%d batches went into other dishes too; the pork is in no other", n)
	}
	v.page(tracePath+"?text="+url.QueryEscape("农场"), "猪五花", "豆腐")
	v.page(tracePath+"?text=nothing", "没有找到“nothing”")
	for _, path := range []string{"?batch=" + uuid.NewString(), "?order=" + uuid.NewString(), "?dish=" + uuid.NewString(), "?dish=" + s.pork + "&canteen=nowhere&date=2026-11-23&meal=lunch"} {
		if status, _, _ := boss.open(tracePath+path, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if status, _, _ := boss.open(tracePath+"?q=1&date=x", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("no date: status %d", status)
	}
	if slices.ContainsFunc(s.records(cook), func(r audit.Record) bool { return strings.HasPrefix(r.Action, "canteen.trace") }) {
		t.Error("who sees nobody is recorded as if they did")
	}
}

// TestSafetyAPI is what other programs of the kitchen do: take in, note, keep,
// check, and trace. Only a manager is told who it was.
func TestSafetyAPI(t *testing.T) {
	s := startSite(t)
	farm := s.api(cook, 201, "POST", "/staff/suppliers", map[string]any{"name": "湖畔农场", "phone": "13900000001"})
	batch := func(want int, expires string) string {
		return s.api(cook, want, "POST", "/staff/batches", map[string]any{"ingredient": "猪五花", "supplier": farm, "quantity": "20千克", "boughtOn": "2026-11-20", "expiresOn": expires})
	}
	meat, old := batch(201, "2026-11-25"), batch(201, "2026-11-21")
	batch(422, "2026-11-19")
	uses := func(want int, batches ...string) {
		t.Helper()
		s.api(cook, want, "PUT", "/staff/uses/lakeside/2026-11-23/lunch", map[string]any{"dishes": []any{map[string]any{"dish": s.pork, "batches": batches}}})
	}
	uses(422, meat, old)
	uses(204, meat)
	s.api(cook, 422, "POST", "/staff/batches/"+old+"/end", map[string]any{"end": "Discarded"})
	s.api(cook, 200, "POST", "/staff/batches/"+old+"/end", map[string]any{"end": "Discarded", "reason": "过期"})
	s.api(cook, 409, "POST", "/staff/batches/"+old+"/end", map[string]any{"end": "UsedUp"})
	samples := func(want, grams int) {
		t.Helper()
		s.api(cook, want, "POST", "/staff/samples", map[string]any{
			"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "samples": []any{map[string]any{"dish": s.pork, "grams": grams, "place": "留样冰箱"}},
		})
	}
	samples(422, 124)
	samples(201, 125)
	sample := must[[]Sample](t)(s.store.KeptSamples(t.Context()))[0]
	s.api(cook, 409, "POST", "/staff/samples/"+sample.ID.String()+"/discard", nil)
	checks := func(want int, date, remark string) {
		t.Helper()
		s.api(cook, want, "PUT", "/staff/checks/lakeside/"+date, map[string]any{"checks": []any{map[string]any{"point": "fridges", "state": "NotOK", "remark": remark}}})
	}
	checks(422, "2026-11-23", "")
	checks(409, "2026-11-22", "12℃")
	checks(204, "2026-11-23", "12℃")
	s.lis(v1alpha1.WayPickUp)
	for _, path := range []string{"/staff/batches/" + meat + "/trace", "/staff/trace/lakeside/2026-11-23/lunch/" + s.pork} {
		for who, knows := range map[string]bool{cook: false, manager: true} {
			status, body := s.get(who, path)
			for text, want := range map[string]bool{`"portions":1`: true, "湖畔农场": true, meat: true, liName: knows, liPhone: knows} {
				if status != http.StatusOK || strings.Contains(body, text) != want {
					t.Errorf("%s of %s: %d, has %s is not %v:\n%s", path, who, status, text, want, body)
				}
			}
		}
	}
	for path, want := range map[string]int{"/staff/batches?all=true": 2, "/staff/batches": 1, "/staff/batches?text=%E7%B1%B3": 0} {
		if status, body := s.get(cook, path); status != http.StatusOK || strings.Count(body, `"boughtOn"`) != want {
			t.Errorf("%s: %d: %s", path, status, body)
		}
	}
	if n := len(slices.DeleteFunc(s.records(manager), func(r audit.Record) bool { return r.Action != "canteen.trace-exported" })); n != 2 {
		t.Errorf("%d looks of the manager are recorded", n)
	}
}

// get asks the API.
func (s *site) get(account, path string) (status int, body string) {
	s.t.Helper()
	r := must[*http.Request](s.t)(http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+"/canteen/api/v1"+path, nil))
	r.Header.Set("Authorization", "Bearer "+s.Token(s.t, account))
	response := must[*http.Response](s.t)(s.Client(s.t).Do(r))
	defer response.Body.Close()
	return response.StatusCode, string(must[[]byte](s.t)(io.ReadAll(response.Body)))
}
