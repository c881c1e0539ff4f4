package booking

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// TestCloseFromPage: those affected are shown with their numbers before
// anything is done; done, they are moved or cancelled and on a list to call.
func TestCloseFromPage(t *testing.T) {
	s := startDesk(t)
	li, wang, sun := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua"), s.browser(t, "sun-li")
	li.send("/booking/venues/clinic/book", li.form(li.page(at9("clinic"))))
	wang.send("/booking/venues/clinic/book", wang.form(wang.page(at9("clinic"))))
	page := sun.page("/booking/staff/closures/new?venue=clinic&date=2026-11-23", "张医生", "整个场地", `value="24:00"`)
	form := sun.fields(page, "place", "1", "fromTime", "８：００", "toTime", "12:00")
	status, _, page := sun.open("/booking/staff/closures/new", form)
	sun.has(page, "请写原因", `href="#reason"`, `<option value="1" selected>`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("no reason: status %d", status)
	}
	form.Set("reason", "张医生去区里开会")
	status, _, page = sun.open("/booking/staff/closures/new", form)
	sun.has(page, "影响1个预约", "李强", "138 0000 0002", "改到", "10:00–11:00", "张医生去区里开会")
	if status != http.StatusOK || strings.Contains(page, "王桂花") {
		t.Errorf("the preview: status %d:\n%s", status, page)
	}
	// Looking has changed nothing.
	if board := sun.page(deskMonday); strings.Contains(board, "区里开会") {
		t.Error("the preview has closed the clinic")
	}
	confirm := sun.fields(page, "step", "close")
	made := sun.send("/booking/staff/closures/new", confirm)
	list := sun.page(made, "已停用", "电话通知名单", "李强", "138 0000 0002", "09:00–10:00 张医生", "改到", "10:00–11:00")
	if again := sun.send("/booking/staff/closures/new", confirm); again != made {
		t.Errorf("sent again: %s, first %s", again, made)
	}
	sun.page(deskMonday, "张医生停诊或停用", "区里开会")
	sun.page("/booking/staff/closures/", "张医生去区里开会")
	reopen := sun.link(list, "恢复开放")
	sun.page(reopen, "要恢复开放吗")
	sun.page(sun.send(reopen, url.Values{}), "已恢复开放", "现在没有停用的场地")
	sun.page(strings.TrimSuffix(reopen, "/reopen"), "已经结束或已恢复", "李强")

	// The whole clinic, and everything is cancelled.
	form = sun.fields(sun.page("/booking/staff/closures/new?venue=clinic&date=2026-11-23"), "reason", "停电", "move", "cancel")
	_, _, page = sun.open("/booking/staff/closures/new", form)
	sun.has(page, "影响2个预约", "王桂花", "李强", "已取消")
	sun.page(sun.send("/booking/staff/closures/new", sun.fields(page, "step", "close")), "已取消", "王桂花")
	sun.page(deskMonday, "停用：", "停电")

	for problem, changes := range map[string][]string{
		"时间不对":      {"fromTime", "8点"},
		"日期不对":      {"toDay", "x"},
		"结束要在开始以后":  {"toDay", "2026-11-22"},
		"没有这个座位或人员": {"place", "9"},
		"原因太长了":     {"reason", strings.Repeat("长", maxReason+1)},
	} {
		status, _, page := sun.open("/booking/staff/closures/new", sun.fields(sun.page("/booking/staff/closures/new?venue=clinic"), append([]string{"reason", "停电"}, changes...)...))
		sun.has(page, problem)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", problem, status)
		}
	}
}

// TestVenueForm: a manager makes a venue in the pages, and every field keeps
// what the form says.
func TestVenueForm(t *testing.T) {
	s := startDesk(t)
	zhou := s.browser(t, "zhou-jianguo")
	page := zhou.page("/booking/staff/venues/new", "新增场地", "08:00-12:00, 14:00-18:00")
	form := zhou.fields(page)
	for field, value := range map[string]string{
		"displayName": "棋牌室", "name": "chess", "description": "二楼东头", "kind": "Seats", "seats": "８",
		"hours-Monday": "8:00—12:00，14:00至18:00", "hours-Sunday": "", "slotMinutes": "60", "maxSlotsPerBooking": "2",
		"bookingWindowDays": "7", "maxPerResidentPerDay": "1", "maxPerResidentPerWeek": "3", "noShowMinutes": "15", "minNoticeMinutes": "30",
		"cancelNoticeMinutes": "120", "bufferMinutes": "10", "minAge": "18", "maxAge": "90", "approval": "Staff", "access": "Members",
		"closedDates": "2027-02-06\r\n2027-02-05",
	} {
		form.Set(field, value)
	}
	zhou.page(zhou.send("/booking/staff/venues/new", form), "已保存", "棋牌室", "同时可约8个", "名单")
	page = zhou.page("/booking/staff/venues/chess/edit", "棋牌室", "2027-02-05\n2027-02-06")
	want := map[string]string{"hours-Monday": "08:00-12:00, 14:00-18:00", "hours-Saturday": "", "seats": "8", "bufferMinutes": "10", "approval": "Staff", "access": "Members", "maxAge": "90"}
	got := zhou.fields(page)
	for field, value := range want {
		if got.Get(field) != value {
			t.Errorf("%s is %q, want %q", field, got.Get(field), value)
		}
	}
	// Saved as it stands it is the same.
	zhou.send("/booking/staff/venues/chess/edit", got)
	if again := zhou.fields(zhou.page("/booking/staff/venues/chess/edit")); again.Encode() != got.Encode() {
		t.Errorf("saved as it stood:\n%v\n%v", again, got)
	}

	for field, cases := range map[string]map[string]string{
		"displayName":        {"": "请填姓名，不超过60", strings.Repeat("长", 61): "不超过60"},
		"name":               {"棋牌": "只能用小写字母", "music": "已经有场地用了"},
		"seats":              {"0": "请填1到500", "x": "请填1到500"},
		"slotMinutes":        {"7": "请填5的倍数", "45": "不能整分成45分钟"},
		"bufferMinutes":      {"7": "请填5的倍数"},
		"maxAge":             {"10": "最大年龄不能比最小年龄小"},
		"hours-Tuesday":      {"早上": "看不懂", "09:00-08:00": "看不懂", "08:00-12:00 11:00-13:00": "重叠"},
		"closedDates":        {"春节": "不是日期"},
		"noShowMinutes":      {"3": "请填5到240"},
		"maxSlotsPerBooking": {"": "请填1到48"},
	} {
		for value, problem := range cases {
			wrong, _ := url.ParseQuery(form.Encode())
			wrong.Set("name", "other")
			wrong.Set(field, value)
			status, _, page := zhou.open("/booking/staff/venues/new", wrong)
			zhou.has(page, problem, `role="alert"`, "二楼东头")
			if status != http.StatusUnprocessableEntity {
				t.Errorf("%s %q: status %d", field, value, status)
			}
		}
	}
	for _, day := range weekdays {
		form.Set(hoursField(day), "")
	}
	form.Set("name", "other")
	_, _, page = zhou.open("/booking/staff/venues/new", form)
	zhou.has(page, "请至少填一天的开放时间")
}

// TestVenueFormKnowsParseVenue: what the form lets through and ParseVenue does
// not is shown at a field.
func TestVenueFormKnowsParseVenue(t *testing.T) {
	spec := studyRoom()
	spec.Hours = append(spec.Hours, spec.Hours[0])
	spec.BufferMinutes = 7
	spec.ClosedDates = []string{"x"}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.NewPages(web.Options{
		Messages: []fs.FS{messages},
		Site:     func() web.Site { return web.Site{Community: hosttest.Community(), Location: time.UTC} },
		Reader:   func(*http.Request) (web.Reader, bool) { return web.Reader{}, false },
	})
	if err != nil {
		t.Fatal(err)
	}
	f := formOf(spec)
	f.check(pages.View(httptest.NewRequest(http.MethodGet, "/", nil)), spec)
	for _, field := range []string{hoursField("Monday"), "bufferMinutes", "closedDates"} {
		if f.Mistakes[field] == "" {
			t.Errorf("nothing is said at %s: %v", field, f.Mistakes)
		}
		if !slices.Contains(venueFields, field) {
			t.Errorf("%s is no field of the form", field)
		}
	}
}

func TestRetireAndRestore(t *testing.T) {
	s := startDesk(t)
	li, zhou := s.browser(t, "li-qiang"), s.browser(t, "zhou-jianguo")
	made := li.send("/booking/venues/music/book", li.form(li.page(at9("music"))))
	zhou.page("/booking/staff/venues/music/retire", "撤下这个场地", "琴房")
	status, _, page := zhou.open("/booking/staff/venues/music/retire", url.Values{})
	zhou.has(page, "还有没到的预约", "/booking/staff/closures/new?venue=music")
	if status != http.StatusConflict {
		t.Errorf("a venue in use: status %d", status)
	}
	li.send(strings.Split(made, "?")[0]+"/cancel", url.Values{})
	zhou.page(zhou.send("/booking/staff/venues/music/retire", url.Values{}), "已撤下", "已撤下的场地", "琴房", "恢复")
	if status, _, _ := li.open("/booking/venues/music", nil); status != http.StatusNotFound {
		t.Errorf("a retired venue: status %d", status)
	}
	zhou.send("/booking/staff/venues/music/restore", url.Values{})
	li.page("/booking/venues/music", "琴房")
	// Its name stays taken while it is off the list.
	zhou.send("/booking/staff/venues/music/retire", url.Values{})
	_, _, page = zhou.open("/booking/staff/venues/new", zhou.fields(zhou.page("/booking/staff/venues/new"), "displayName", "新琴房", "name", "music"))
	zhou.has(page, "已经有场地用了")
}

func TestAttendants(t *testing.T) {
	s := startDesk(t)
	li, zhou := s.browser(t, "li-qiang"), s.browser(t, "zhou-jianguo")
	zhou.page("/booking/staff/venues/clinic/attendants", "张医生", "刘医生", "场地开放时都在")
	page := zhou.page("/booking/staff/venues/clinic/add-attendant", "新增接待人员")
	_, _, wrong := zhou.open("/booking/staff/venues/clinic/add-attendant", zhou.fields(page, "displayName", "", "hours-Monday", "上午"))
	zhou.has(wrong, "请填姓名", "看不懂")
	zhou.page(zhou.send("/booking/staff/venues/clinic/add-attendant", zhou.fields(page, "displayName", "赵医生", "hours-Monday", "08:00-12:00")), "赵医生", "周一 08:00-12:00")
	// Who has bookings ahead is not removed.
	form := li.form(li.page(at9("clinic")))
	form.Set("place", "1")
	made := li.send("/booking/venues/clinic/book", form)
	remove := "/booking/staff/venues/clinic/attendants/zhang/remove"
	zhou.page(remove, "移除张医生")
	status, _, page := zhou.open(remove, url.Values{})
	zhou.has(page, "还有1个没到的预约")
	if status != http.StatusConflict {
		t.Errorf("an attendant with bookings: status %d", status)
	}
	li.send(strings.Split(made, "?")[0]+"/cancel", url.Values{})
	list := zhou.page(zhou.send(remove, url.Values{}), "已移除", "刘医生", "赵医生")
	if strings.Contains(list, "张医生") {
		t.Error("the attendant is still there")
	}
	if status, _, _ := zhou.open("/booking/staff/venues/music/attendants", nil); status != http.StatusNotFound {
		t.Error("a room has attendants")
	}
	// A venue with attendants stays of its kind.
	_, _, page = zhou.open("/booking/staff/venues/clinic/edit", zhou.fields(zhou.page("/booking/staff/venues/clinic/edit"), "kind", "Room"))
	zhou.has(page, "还有接待人员")
}

// TestManifestVenuesAreReadOnly: what the county keeps, managers only see.
func TestManifestVenuesAreReadOnly(t *testing.T) {
	s := start(t)
	zhou := s.browser(t, "zhou-jianguo")
	zhou.page("/booking/staff/venues/", "由县里统一配置")
	zhou.page("/booking/staff/venues/clinic/edit", "由县里统一配置", "<fieldset disabled>")
	for _, route := range (&service{}).staffRoutes() {
		method, path, _ := strings.Cut(strings.NewReplacer("{venue}", "clinic", "{attendant}", "x").Replace(route.pattern), " ")
		changes := route.duty == identity.Manager && method == http.MethodPost && !regexp.MustCompile(`/(members|renew|attendants/)`).MatchString(path)
		if !changes {
			continue
		}
		if status, _, _ := zhou.open(path, url.Values{"displayName": {"新"}}); status != http.StatusForbidden {
			t.Errorf("%s: status %d", route.pattern, status)
		}
	}
	zhou.page("/booking/venues/clinic", "社区诊所")
}

func TestMembersAndPoster(t *testing.T) {
	s := startDesk(t)
	li, sun, zhou := s.browser(t, "li-qiang"), s.browser(t, "sun-li"), s.browser(t, "zhou-jianguo")
	zhou.send("/booking/staff/venues/music/edit", zhou.fields(zhou.page("/booking/staff/venues/music/edit"), "access", "Members"))
	status, _, _ := li.open("/booking/venues/music/book", url.Values{"key": {"0f4c6a1e-3b5e-4d42-9f0a-6f0f7a8b2c11"}, "start": {nineAM}})
	if status != http.StatusUnprocessableEntity {
		t.Errorf("booking without being a member: status %d", status)
	}
	page := zhou.page("/booking/staff/venues/music/members?q="+url.QueryEscape("李强"), "名单还是空的", "加入名单")
	person := regexp.MustCompile(`name="person" value="([^"]+)"`).FindStringSubmatch(page)[1]
	zhou.page(zhou.send("/booking/staff/venues/music/members", url.Values{"person": {person}}), "已加入", "李强", "11月23日")
	li.send("/booking/venues/music/book", url.Values{"key": {"0f4c6a1e-3b5e-4d42-9f0a-6f0f7a8b2c12"}, "start": {nineAM}})
	zhou.page(zhou.send("/booking/staff/venues/music/members/remove", url.Values{"person": {person}}), "已移除", "名单还是空的")
	if status, _, _ := zhou.open("/booking/staff/venues/music/members", url.Values{"person": {"nobody"}}); status != http.StatusNotFound {
		t.Errorf("adding nobody: status %d", status)
	}

	code := func(page string) string {
		return regexp.MustCompile(`class="door-code">(\d{6})<`).FindStringSubmatch(page)[1]
	}
	poster := sun.page("/booking/staff/venues/music/poster", "琴房", "扫码签到", "http://zhanqian.localhost:8080/booking/at/music?code=")
	if !strings.Contains(poster, "code="+code(poster)) || strings.Contains(poster, "换签到码") {
		t.Errorf("the poster of the front desk:\n%s", poster)
	}
	renewed := zhou.page(zhou.send(zhou.link(zhou.page("/booking/staff/venues/music/poster"), "换签到码"), url.Values{}), "签到码已换")
	if code(renewed) == code(poster) {
		t.Error("the code is the same")
	}
}

func TestUsePage(t *testing.T) {
	s := startDesk(t)
	li, sun := s.browser(t, "li-qiang"), s.browser(t, "sun-li")
	sun.page("/booking/staff/use", "这段时间没有预约")
	li.send("/booking/venues/music/book", li.form(li.page(at9("music"))))
	made := li.send("/booking/venues/study/book", li.form(li.page(at9("study"))))
	li.send(strings.Split(made, "?")[0]+"/cancel", url.Values{})
	page := sun.page("/booking/staff/use", "琴房", "1.0小时", "2026-11", "2025-12")
	file := sun.link(page, "下载表格")
	status, _, csv := sun.open(file, nil)
	lines := strings.Split(csv, "\r\n")
	if status != http.StatusOK || !strings.HasPrefix(csv, "\ufeff场地,月份,") || len(lines) != 4 || lines[1] != "自习室,2026-11,0,0,1,0,0.0,0%" || !strings.HasPrefix(lines[2], "琴房,2026-11,1,0,0,0,1.0,") {
		t.Errorf("the file: %d %q", status, csv)
	}
	sun.page("/booking/staff/use?venue=music&from=2026-11&to=2026-11", "每个月用了多少小时")
	if status, _, _ := sun.open("/booking/staff/use?from=2026-13", nil); status != http.StatusNotFound {
		t.Errorf("a month that is none: status %d", status)
	}
}

func TestOpenMinutes(t *testing.T) {
	study := parsed(t, studyRoom())
	// November 2026 has 21 weekdays, one of them closed, and 4 Saturdays.
	if got, want := openMinutes(study, "2026-11"), 3*60*(20*9+4*4); got != want {
		t.Errorf("three seats are open %d minutes, want %d", got, want)
	}
	in := twoDoctors()
	in.Attendants[1].Hours = []v1alpha1.OpeningHours{{Days: everyDay[:1], From: "11:00", To: "14:00"}}
	if got, want := openMinutes(parsed(t, in), "2026-11"), 60*(20*9+4*4)+60*5*2; got != want {
		t.Errorf("two doctors are there %d minutes, want %d", got, want)
	}
}

// TestClosureRemembersWhomToCall: the list of those affected says what they had
// and what they have now, until they are erased.
func TestClosureRemembersWhomToCall(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		shanghai := zone(t, "Asia/Shanghai")
		moved, cancelled := book1(t, s, at(t, "study", "li", 9)), book1(t, s, at(t, "study", "wang", 17))
		order := ClosureOrder{
			Closure: Closure{Venue: "study", By: "desk", Reason: "换灯管", Slot: span(t, "2026-11-23T08:00:00+08:00", "2026-11-23T10:00:00+08:00")},
			Move:    true, Now: moment(t, monday), Location: shanghai,
		}
		morning, _, _, err := s.Close(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		order.Slot, order.Move = span(t, "2026-11-23T17:00:00+08:00", "2026-11-23T18:00:00+08:00"), false
		evening, _, _, err := s.Close(t.Context(), order)
		if err != nil {
			t.Fatal(err)
		}
		// What is looked at only is not kept.
		order.Try = true
		if tried, _, _, err := s.Close(t.Context(), order); err != nil {
			t.Fatal(err)
		} else if _, _, err := s.Closure(t.Context(), tried.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("a closure that was only tried: %v", err)
		}
		for id, want := range map[uuid.UUID]struct {
			before Booking
			state  State
		}{morning.ID: {moved, StateBooked}, evening.ID: {cancelled, StateCancelled}} {
			_, affected, err := s.Closure(t.Context(), id)
			if err != nil || len(affected) != 1 {
				t.Fatalf("affected: %v, %v", affected, err)
			}
			a := affected[0]
			if a.Before.ID != want.before.ID || !a.Before.Start.Equal(want.before.Start) || a.Before.Place != want.before.Place || a.After.State != want.state {
				t.Errorf("affected: %+v, want %+v", a, want)
			}
		}
		if _, err := s.Erase(t.Context(), moment(t, monday).AddDate(2, 0, 0)); err != nil {
			t.Fatal(err)
		}
		left, err := s.db.Reader().NewSelect().Model((*affectedRow)(nil)).Count(t.Context())
		if err != nil || left != 0 {
			t.Errorf("%d of those affected are left after two years: %v", left, err)
		}
	})
}
