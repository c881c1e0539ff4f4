package booking

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web/webtest"
)

func TestMessages(t *testing.T) {
	webtest.Messages(t, "messages", []string{"booking."}, ".")
}

// browser is a browser without JavaScript that reads Chinese.
type browser struct {
	t      testing.TB
	server running
	client *http.Client
	lang   string
}

func (r running) browser(t testing.TB, account string) browser {
	t.Helper()
	b := browser{t: t, server: r, client: r.Client(t), lang: "zh-CN"}
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
	r.Header.Set("Accept-Language", b.lang)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	html, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(html)
}

// page opens a page that must have some texts, and returns it.
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
			b.t.Errorf("the page has no %q:\n%s", text, regexp.MustCompile(`(?s)^.*<main`).ReplaceAllString(page, "<main"))
		}
	}
}

// link is the address of the first link whose text has text in it.
func (b browser) link(page, text string) string {
	b.t.Helper()
	for _, m := range regexp.MustCompile(`(?s)<a [^>]*href="([^"]+)"[^>]*>(.*?)</a>`).FindAllStringSubmatch(page, -1) {
		if strings.Contains(regexp.MustCompile(`<[^>]*>|\s+`).ReplaceAllString(m[2], ""), text) {
			return strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	b.t.Fatalf("no link %q in the page:\n%s", text, page)
	return ""
}

// form is what the page's own form would send, as it stands.
func (b browser) form(page string) url.Values {
	b.t.Helper()
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="(key|start)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Set(m[1], strings.ReplaceAll(m[2], "&#43;", "+"))
	}
	if form.Get("key") == "" || form.Get("start") == "" {
		b.t.Fatalf("no form in the page:\n%s", page)
	}
	return form
}

// send sends a form that must be accepted, and returns where it leads.
func (b browser) send(path string, form url.Values) string {
	b.t.Helper()
	status, location, page := b.open(path, form)
	if status != http.StatusSeeOther {
		b.t.Fatalf("%s: status %d:\n%s", path, status, page)
	}
	return location
}

const (
	studyDay  = "/booking/venues/study?date=2026-11-23"
	bookStudy = "/booking/venues/study/book"
	nineAM    = "2026-11-23T09:00:00+08:00"
)

// at9 is the page on which a venue's slot at nine is booked.
func at9(venue string) string {
	return venuesPath + venue + "/book?start=" + url.QueryEscape(nineAM)
}

func TestPagesJourney(t *testing.T) {
	s := start(t)
	nobody := s.browser(t, "")
	front := nobody.page("/booking/", "自习室", "琴房", "社区诊所", "今天还有9个时段可约")
	day := nobody.page(nobody.link(front, "自习室"), "11月23日", "上午", "下午", "余3座")
	slot := nobody.link(day, "09:00–到10:00")
	// Signing in is asked for only now, and leads back to the slot.
	status, location, _ := nobody.open(slot, nil)
	if status != http.StatusSeeOther || location != "/identity/sign-in?return="+url.QueryEscape(slot) {
		t.Fatalf("booking without signing in: %d to %s", status, location)
	}

	li := s.browser(t, "li-qiang")
	order := li.page(slot, "确认预约", "自习室", "到10:00", "到12:00", "3小时", "留言")
	form := li.form(order)
	form.Set("slots", "2")
	form.Set("note", "带孩子\r\n<b>一起</b>")
	made := li.send(bookStudy, form)
	booking := li.page(made, "预约成功", "11月23日 星期一", "09:00–11:00", "1号", "&lt;b&gt;一起&lt;/b&gt;")

	// Sent again, by a double tap or the back button, it is the same booking.
	if again := li.send(bookStudy, form); again != made {
		t.Errorf("sent again: %s, first %s", again, made)
	}
	if list := li.page("/booking/bookings/", "自习室"); strings.Count(list, `class="booking"`) != 1 {
		t.Errorf("the list after sending the form twice:\n%s", list)
	}
	li.page(studyDay, "余2座")
	li.page("/booking/", "您的下一次预约")
	li.page("/booking/card", "您的下一次预约")
	nobody.page("/booking/card", "今天还有3处可以预约")

	cancel := li.link(booking, "取消这次预约")
	li.page(cancel, "要取消这次预约吗")
	cancelled := li.send(cancel, url.Values{})
	li.page(cancelled, "已经取消")
	li.page("/booking/bookings/", "现在没有预约", "过去的和已取消的", "已取消")
	if again := li.send(cancel, url.Values{}); again != cancelled {
		t.Errorf("cancelled again: %s", again)
	}
	// There is nothing to confirm any more, and no success to report twice.
	if status, location, _ := li.open(cancel, nil); status != http.StatusSeeOther || location != bookingURL(uuid.MustParse(strings.Split(made, "/")[3][:36])) {
		t.Errorf("the question whether to cancel what is cancelled: %d to %s", status, location)
	}
	if page := li.page(made); strings.Contains(page, "预约成功") {
		t.Error("a cancelled booking is called a success")
	}
}

func TestPagesWhenTaken(t *testing.T) {
	s := start(t)
	li, wang := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua")
	// Both look at the slot, then both book it.
	form, other := li.form(li.page(at9("music"))), wang.form(wang.page(at9("music")))
	li.send("/booking/venues/music/book", form)
	status, _, page := wang.open("/booking/venues/music/book", other)
	if status != http.StatusConflict {
		t.Errorf("booking what was taken meanwhile: status %d", status)
	}
	wang.has(page, "刚刚被别人约走", `class="notice warning"`, "相近的可约时段")
	next := wang.form(wang.page(wang.link(page, "10:00–到11:00")))
	wang.send("/booking/venues/music/book", next)

	// A seat that was taken meanwhile leaves the others to choose from.
	form, other = li.form(li.page(at9("study"))), wang.form(wang.page(at9("study")))
	form.Set("seat", "2")
	other.Set("seat", "2")
	li.send(bookStudy, form)
	status, _, page = wang.open(bookStudy, other)
	wang.has(page, "刚刚被别人选走", `<option value="1">`)
	if status != http.StatusConflict || strings.Contains(page, `<option value="2"`) {
		t.Errorf("a taken seat: status %d:\n%s", status, page)
	}
	other.Set("seat", "")
	wang.send(bookStudy, other)

	page = wang.page(at9("music"), "这个时段约满了", "相近的可约时段")
	if strings.Contains(page, "<textarea") {
		t.Error("a taken slot has a form")
	}
	wang.page("/booking/venues/music?date=2026-11-23", "已约满，可候补")
}

func TestPagesKeepWhatWasTyped(t *testing.T) {
	s := start(t)
	li := s.browser(t, "li-qiang")
	page := li.page(at9("study"))
	form := li.form(page)
	form.Set("note", strings.Repeat("长", 501))
	form.Set("slots", "2")
	form.Set("seat", "3")
	status, _, page := li.open(bookStudy, form)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a note that is too long: status %d", status)
	}
	li.has(page, "留言太长了", `href="#note"`, strings.Repeat("长", 501), `checked name="slots" type="radio" value="2"`, `value="3" selected`)
	if again := li.form(page); again.Get("key") != form.Get("key") {
		t.Error("the form has another key although nothing was booked")
	}
	// The rule is told in words, and the form can be sent with a shorter time.
	form.Set("note", "")
	form.Set("slots", "4")
	_, _, page = li.open(bookStudy, form)
	li.has(page, "不在开放时间里", `checked name="slots" type="radio" value="3"`)
	form.Set("slots", "3")
	li.send(bookStudy, form)
	// Changed after it was accepted, it is not taken for the same booking.
	form.Set("note", "再来一次")
	status, _, page = li.open(bookStudy, form)
	li.has(page, "已经提交过一次")
	if status != http.StatusConflict || li.form(page).Get("key") == form.Get("key") {
		t.Errorf("a changed form: status %d", status)
	}
}

func TestPagesSayWhyNot(t *testing.T) {
	s := start(t)
	li := s.browser(t, "li-qiang")
	li.page("/booking/venues/study?date=2026-11-25", "这一天不开放", "看11月26日")
	li.page("/booking/venues/study?date=2026-12-25", "最多可以提前7天预约")
	li.page("/booking/venues/study?date=2026-11-20", "已经过了")
	li.page(orderURL("study", moment(t, "2026-11-23T07:00:00+08:00")), "已经开始或已经过了")
	li.page(orderURL("study", moment(t, "2026-11-23T12:00:00+08:00")), "不在开放时间里")
	li.lang = "en"
	li.page("/booking/venues/study?date=2026-11-23", "Monday 23 November", "3 seats left", "Morning")
	li.page("/booking/venues/study?date=2026-12-25", "bookings open 7 days ahead")

	for _, path := range []string{
		"/booking/venues/pool", "/booking/venues/study?date=2026-02-30", "/booking/venues/study?date=x",
		"/booking/venues/pool/book?start=" + url.QueryEscape(nineAM), "/booking/venues/study/book", "/booking/venues/study/book?start=x",
		"/booking/bookings/1", "/booking/bookings/" + uuid.NewString(), "/booking/bookings/" + uuid.NewString() + "/cancel",
		"/booking/bookings/?after=x",
	} {
		if status, _, _ := li.open(path, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, status)
		}
	}
	good := url.Values{"key": {uuid.NewString()}, "start": {nineAM}}
	for _, wrong := range []url.Values{
		{"key": {""}}, {"key": {"x"}}, {"start": {"x"}}, {"start": {""}}, {"slots": {"x"}}, {"slots": {"-1"}}, {"slots": {"70000"}}, {"place": {"x"}},
	} {
		form := url.Values{}
		for name, value := range good {
			form[name] = value
		}
		for name, value := range wrong {
			form[name] = value
		}
		if status, _, _ := li.open(bookStudy, form); status != http.StatusBadRequest {
			t.Errorf("form with %v: status %d, want 400", wrong, status)
		}
	}

	// A booking that has begun cannot be cancelled; the page says so.
	made := li.send(bookStudy, good)
	s.clock.SetTime(moment(t, nineAM))
	path, _, _ := strings.Cut(made, "?")
	status, _, page := li.open(path+"/cancel", url.Values{})
	li.has(page, "cannot be changed or cancelled")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("cancelling what has begun: status %d", status)
	}
	if page := li.page(path); strings.Contains(page, "/cancel") {
		t.Error("a booking that has begun offers to be cancelled")
	}
}

// TestPagesAreOnesOwn: nobody else sees or cancels a booking, staff neither.
func TestPagesAreOnesOwn(t *testing.T) {
	s := start(t)
	li := s.browser(t, "li-qiang")
	path, _, _ := strings.Cut(li.send("/booking/venues/clinic/book", li.form(li.page(at9("clinic")))), "?")
	for _, account := range []string{"wang-guihua", "sun-li", "zhou-jianguo"} {
		other := s.browser(t, account)
		for _, p := range []string{path, path + "/cancel"} {
			if status, _, _ := other.open(p, nil); status != http.StatusNotFound {
				t.Errorf("%s opens %s: status %d", account, p, status)
			}
		}
		if status, _, _ := other.open(path+"/cancel", url.Values{}); status != http.StatusNotFound {
			t.Errorf("%s cancels %s: status %d", account, path, status)
		}
		if list := other.page("/booking/bookings/"); strings.Contains(list, path) {
			t.Errorf("%s sees the booking in the list", account)
		}
	}
	nobody := s.browser(t, "")
	status, location, _ := nobody.open(path, nil)
	if status != http.StatusSeeOther || !strings.HasPrefix(location, "/identity/sign-in?return=") {
		t.Errorf("nobody opens %s: %d to %s", path, status, location)
	}
	// A session that ended while the form was filled in leads back to the slot.
	status, location, _ = nobody.open(bookStudy, url.Values{"key": {uuid.NewString()}, "start": {nineAM}})
	if back := "/identity/sign-in?return=" + url.QueryEscape(at9("study")); status != http.StatusSeeOther || location != back {
		t.Errorf("the form without a session: %d to %s, want %s", status, location, back)
	}
	li.page(path, "已约好")
}
