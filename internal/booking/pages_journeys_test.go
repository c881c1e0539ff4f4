package booking

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

func TestPagesWeek(t *testing.T) {
	s := startHome(t)
	li, chen := s.browser(t, "li-qiang"), s.browser(t, "chen-yutong")
	mine := li.book("music", nineAM)
	chen.book("music", "2026-11-24T10:00:00+08:00")
	day := li.page("/booking/venues/music", "看一天", "看一周")
	week := li.page(li.link(day, "看一周"), `aria-current="page"`, "11月23日–11月29日", "周一 23日 10:00：")
	cells := regexp.MustCompile(`(?s)<a class="week-cell (\w+)" href="([^"]+)">\s*<span class="visually-hidden">([^<]+)</span>\s*([^<]*?)\s*</a>`).FindAllStringSubmatch(week, -1)
	got := map[string][]string{}
	for _, c := range cells {
		got[c[3]] = []string{c[1], strings.ReplaceAll(c[2], "&amp;", "&"), c[4]}
	}
	for at, want := range map[string][]string{
		"周一 23日 09:00：": {"mine", mine, "我的"},
		"周一 23日 10:00：": {"free", orderURL("music", moment(t, "2026-11-23T10:00:00+08:00")), "可约"},
		"周二 24日 10:00：": {"full", orderURL("music", moment(t, "2026-11-24T10:00:00+08:00")), "候补"},
	} {
		if strings.Join(got[at], " ") != strings.Join(want, " ") {
			t.Errorf("%s: %v, want %v", at, got[at], want)
		}
	}
	if _, ok := got["周三 25日 10:00："]; ok {
		t.Error("a closed day can be booked")
	}
	later := li.page(li.link(week, "后一周"), "11月30日–12月6日")
	li.page(li.link(later, "前一周"), "11月23日–11月29日")
	li.page("/booking/venues/study/week", "余3")
	li.page("/booking/venues/music/week?date=2027-08-01", "12月21日")
	for _, path := range []string{"/booking/venues/pool/week", "/booking/venues/music/week?date=x", "/booking/venues/music?change=x", "/booking/venues/clinic?place=7", "/booking/venues/clinic?place=x"} {
		if status, _, _ := li.open(path, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, status)
		}
	}
}

func TestPagesAttendants(t *testing.T) {
	s := startHome(t)
	li, zhao := s.browser(t, "li-qiang"), s.browser(t, "zhao-changshun")
	day := li.page("/booking/venues/clinic?date=2026-11-24", "谁都可以", "08:00–12:00、13:00–18:00", "08:00–12:00")
	wang := li.page(li.link(day, "王医生"), "没有人在")
	order := li.page(li.link(wang, "09:00–到10:00"), "接待人", "王医生")
	li.lacks(order, "谁都可以")
	path := strings.Split(li.send(venuesPath+"clinic/book", li.fields(order)), "?")[0]
	li.page(path, "王医生")
	// Anybody: the other one is free still. Then nobody is.
	any := zhao.page(zhao.link(zhao.page("/booking/venues/clinic?date=2026-11-24"), "09:00–到10:00"), "谁都可以", "李医生")
	zhao.lacks(any, "王医生")
	zhao.page(strings.Split(zhao.send(venuesPath+"clinic/book", zhao.fields(any)), "?")[0], "李医生")
	chen := s.browser(t, "chen-yutong")
	chen.page("/booking/venues/clinic?date=2026-11-24", "已约满，可候补")
	// The week of one of them, and the waiting list for one of them.
	chen.page("/booking/venues/clinic/week?place=1", `aria-current="page"`, "王医生")
	full := chen.page(venuesPath+"clinic/book?place=1&start="+url.QueryEscape("2026-11-24T09:00:00+08:00"), "王医生", "加入候补")
	chen.page(chen.send(venuesPath+"clinic/wait", chen.fields(full)), "您是第1位", "王医生")
	li.send(path+"/cancel", url.Values{})
	chen.page("/booking/", "轮到您了")
}

func TestPagesEveryWeek(t *testing.T) {
	s := startHome(t)
	li, chen := s.browser(t, "li-qiang"), s.browser(t, "chen-yutong")
	chen.book("music", "2026-12-01T10:00:00+08:00")
	tuesday := orderURL("music", moment(t, "2026-11-24T10:00:00+08:00"))
	form := li.fields(li.page(tuesday, "每周都约这个时间"))
	form.Set("note", "练琴")
	for _, until := range []string{"", "x", "2026-11-20", "2030-01-01"} {
		form.Set("until", until)
		status, _, page := li.open(venuesPath+"music/weekly", form)
		li.has(page, `href="#until"`, "请选一个结束的日子", "练琴", "<details class=\"weekly\" open")
		if status != http.StatusUnprocessableEntity {
			t.Errorf("until %q: status %d", until, status)
		}
	}
	form.Set("until", "2026-12-29")
	status, _, preview := li.open(venuesPath+"music/weekly", form)
	li.has(preview, "一共6周，能约4周", "12月1日 星期二", "已经约满", "最多可以提前30天预约", "约能约的4次", "全都能约才约", "每星期二 10:00–11:00")
	if status != http.StatusOK {
		t.Errorf("preview: status %d", status)
	}
	li.page("/booking/bookings/", "现在没有预约")

	// All or nothing books nothing, and says so.
	confirmed := li.fields(preview)
	confirmed.Set("confirm", "all")
	status, _, page := li.open(venuesPath+"music/weekly", confirmed)
	li.has(page, "一次也没有约")
	if status != http.StatusConflict {
		t.Errorf("all or nothing: status %d", status)
	}
	confirmed = li.fields(page)
	confirmed.Set("confirm", "free")
	made := li.send(venuesPath+"music/weekly", confirmed)
	series := li.page(made, "约好了4次", "没有约上的", "12月1日 星期二", "12月29日 星期二")
	if again := li.send(venuesPath+"music/weekly", confirmed); strings.Split(again, "?")[0] != strings.Split(made, "?")[0] {
		t.Errorf("sent again: %s, first %s", again, made)
	}
	first := li.page(li.link(series, "11月24日"), "练琴")
	li.page(li.link(first, "看每周的预约"), "每周的预约")

	// One of them is cancelled by itself, then the rest.
	li.send(li.link(first, "取消这次预约"), url.Values{})
	path := strings.Split(made, "?")[0]
	chen.lacks(chen.page(at9("music")), path)
	if status, _, _ := chen.open(path, nil); status != http.StatusNotFound {
		t.Errorf("another's series: status %d", status)
	}
	if status, _, _ := chen.open(path+"/cancel", url.Values{}); status != http.StatusNotFound {
		t.Errorf("cancelling another's series: status %d", status)
	}
	li.page(li.link(li.page(path), "取消后面的全部"), "下面3次会全部取消")
	li.page(li.send(path+"/cancel", url.Values{}), "后面的都取消了")
	li.page("/booking/bookings/", "现在没有预约")
	if status, location, _ := li.open(path+"/cancel", nil); status != http.StatusSeeOther || location != path {
		t.Errorf("nothing left to cancel: %d to %s", status, location)
	}
}

func TestPagesChange(t *testing.T) {
	s := startHome(t)
	li, wang := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua")
	path := li.book("music", nineAM, "slots", "2", "note", "两个人")
	wang.book("music", "2026-11-23T14:00:00+08:00")
	status, day, _ := li.open(li.link(li.page(path), "改时间"), nil)
	if status != http.StatusSeeOther {
		t.Fatalf("changing: status %d", status)
	}
	page := li.page(day, "请选一个新的时间", "09:00–11:00", "现在的时间")
	li.lacks(page, "候补")
	li.page(li.link(page, "看一周"), "原来", "就改到那时候")
	confirm := li.link(page, "16:00–到17:00")
	page = li.page(confirm, "改成这个时间吗", "09:00–11:00", "16:00开始")
	form := li.fields(page)
	if form.Get("slots") != "2" {
		t.Errorf("it is not as long as before: %v", form)
	}
	// Its own time is free for it, an hour later too.
	li.page(path+"/change?start="+url.QueryEscape("2026-11-23T10:00:00+08:00"), "改成这个时间吗")
	li.page(path+"/change?start="+url.QueryEscape("2026-11-23T14:00:00+08:00"), "不能预约", "已经约满")

	// What is taken meanwhile is told, and the booking stays as it was.
	wang.book("music", "2026-11-23T16:00:00+08:00")
	status, _, page = li.open(path+"/change", form)
	li.has(page, "刚刚被别人")
	if status != http.StatusConflict {
		t.Errorf("changed to what was taken: status %d", status)
	}
	li.page(path, "09:00–11:00")
	form.Set("start", "2026-11-23T10:00:00+08:00")
	li.page(li.send(path+"/change", form), "时间改好了", "10:00–12:00", "两个人")
	form.Set("start", "2026-11-23T08:00:00Z")
	form.Set("slots", "9")
	if status, _, _ := li.open(path+"/change", form); status != http.StatusUnprocessableEntity {
		t.Errorf("far too long: status %d", status)
	}
	for _, wrong := range []url.Values{{}, {"start": {"x"}}, {"start": {nineAM}, "slots": {"x"}}, {"start": {nineAM}, "seat": {"-1"}}} {
		if status, _, _ := li.open(path+"/change", wrong); status != http.StatusBadRequest {
			t.Errorf("form %v: status %d, want 400", wrong, status)
		}
	}
	// Who is not signed in any more comes back to the same page.
	status, location, _ := s.browser(t, "").open(day, nil)
	if status != http.StatusSeeOther || location != "/identity/sign-in?return="+url.QueryEscape(day) {
		t.Errorf("without a session: %d to %s", status, location)
	}

	// Too late: the page says until when it was possible, and whom to call.
	visit := li.book("clinic", "2026-11-23T09:00:00+08:00")
	page = li.page(visit, "不到2小时", "0537-0000101")
	li.lacks(page, "/change", "/cancel")
	if status, location, _ := li.open(visit+"/change", nil); status != http.StatusSeeOther || location != visit {
		t.Errorf("too late: %d to %s", status, location)
	}
	status, _, page = li.open(visit+"/cancel", url.Values{})
	li.has(page, "不到2小时", `role="alert"`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("cancelled too late: status %d", status)
	}
	later := li.book("clinic", "2026-11-24T09:00:00+08:00")
	li.page(later, "请在开始前2小时办好", "改时间")
}

func TestPagesWaitingList(t *testing.T) {
	s := startHome(t)
	li, wang, zhao, chen := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua"), s.browser(t, "zhao-changshun"), s.browser(t, "chen-yutong")
	const ten = "2026-11-24T10:00:00+08:00"
	taken := chen.book("music", ten)
	join := func(b browser, changes ...string) string {
		t.Helper()
		return b.send(venuesPath+"music/wait", b.fields(b.page(orderURL("music", moment(t, ten)), "这个时段约满了", "加入候补"), changes...))
	}
	page := li.page(orderURL("music", moment(t, ten)))
	entry := join(li, "for", li.who(page, "李小满"))
	li.page(entry, "您是第1位", "李小满")
	zhaos := join(zhao)
	zhao.page(zhaos, "您是第2位")
	if again := join(zhao); again != zhaos {
		t.Errorf("joined again: %s, first %s", again, zhaos)
	}
	wangs := join(wang)
	zhao.page("/booking/bookings/", "候补中")
	if status, _, _ := wang.open(zhaos, nil); status != http.StatusNotFound {
		t.Errorf("another's entry: status %d", status)
	}
	if status, _, _ := wang.open(zhaos+"/leave", url.Values{}); status != http.StatusNotFound {
		t.Errorf("leaving for another: status %d", status)
	}
	// What is free need not be waited for.
	status, _, page := zhao.open(venuesPath+"music/wait", url.Values{"key": {uuid.NewString()}, "start": {"2026-11-24T09:00:00+08:00"}})
	zhao.has(page, "又有空位了", "确认预约")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("waiting for what is free: status %d", status)
	}

	chen.send(taken+"/cancel", url.Values{})
	for _, at := range []string{"/booking/", "/booking/card", "/booking/bookings/"} {
		li.page(at, "轮到您了", "给李小满", "请在08:00前确认，还有30分钟", "/accept", "/decline")
		zhao.lacks(zhao.page(at), "轮到您了")
	}
	status, hold, _ := li.open(entry, nil)
	if status != http.StatusSeeOther {
		t.Fatalf("an entry with an offer: status %d", status)
	}
	li.page(hold, "等您确认", "我要这个位子")
	if status, _, _ := zhao.open(hold+"/accept", url.Values{}); status != http.StatusNotFound {
		t.Errorf("accepting another's offer: status %d", status)
	}
	// Declined, it goes to the next, who accepts.
	li.page(li.send(hold+"/decline", url.Values{}), "已经取消")
	_, hold, _ = zhao.open(zhaos, nil)
	zhao.page(zhao.send(hold+"/accept", url.Values{}), "预约成功", "已约好")
	if status, _, page := zhao.open(hold+"/decline", url.Values{}); status != http.StatusUnprocessableEntity || !strings.Contains(page, "已约好") {
		t.Errorf("declining what was accepted: status %d", status)
	}
	// Offered to the last, who is too late.
	zhao.send(hold+"/cancel", url.Values{})
	_, hold, _ = wang.open(wangs, nil)
	s.clock.Step(31 * time.Minute)
	status, _, page = wang.open(hold+"/accept", url.Values{})
	wang.has(page, "确认的时间过了")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("accepted too late: status %d", status)
	}
	wang.lacks(wang.page("/booking/"), "轮到您了")

	// Who does not want to wait leaves.
	again := chen.book("music", "2026-11-24T15:00:00+08:00")
	form := wang.fields(wang.page(orderURL("music", moment(t, "2026-11-24T15:00:00+08:00"))))
	entry = wang.send(venuesPath+"music/wait", form)
	wang.page(wang.send(entry+"/leave", url.Values{}), "已经退出候补")
	chen.send(again+"/cancel", url.Values{})
	wang.lacks(wang.page("/booking/"), "轮到您了")
}

func TestPagesAtTheDoor(t *testing.T) {
	s := startHome(t)
	li, zhao := s.browser(t, "li-qiang"), s.browser(t, "zhao-changshun")
	code := s.doorCode(t, "study")
	door := doorPath + "study?code=" + code
	status, location, _ := s.browser(t, "").open(door, nil)
	if status != http.StatusSeeOther || location != "/identity/sign-in?return="+url.QueryEscape(door) {
		t.Errorf("without a session: %d to %s", status, location)
	}
	path := li.book("study", nineAM)
	li.page(path, "还没签到，位子会让给别人")
	li.lacks(li.page(door, "08:45起可以签到"), "签到（")
	s.clock.SetTime(moment(t, "2026-11-23T08:50:00+08:00"))
	li.page(li.link(li.page(path), "我到了，签到"), "门上的数字", "签到（09:00–10:00）")
	// Typed wrong, and with spaces.
	id := strings.TrimPrefix(path, bookingsPath)
	status, _, page := li.open(doorPath+"study", url.Values{"booking": {id}, "code": {"0"}})
	li.has(page, "数字不对", `href="#code"`, `value="0"`, `aria-invalid="true"`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a wrong code: status %d", status)
	}
	form := li.fields(li.page(door))
	form.Set("booking", id)
	form.Set("code", code[:3]+" "+code[3:])
	made := li.send(doorPath+"study", form)
	li.page(made, "签到成功", "10:00", "已签到")
	li.lacks(li.page(door, "已签到"), "现在就用")

	// Nothing booked: the rest of the slot that runs, at once.
	s.clock.SetTime(moment(t, "2026-11-23T09:20:00+08:00"))
	form = zhao.fields(zhao.page(door, "今天在这里没有预约", "现在到10:00"))
	form.Set("code", "1")
	_, _, page = zhao.open(doorPath+"study", form)
	zhao.has(page, "数字不对")
	form.Set("code", code)
	zhao.page(zhao.send(doorPath+"study", form), "签到成功", "09:00–10:00")
	// Not for later: that is booked without the door.
	form.Set("key", uuid.NewString())
	form.Set("start", "2026-11-23T15:00:00+08:00")
	if status, _, _ := zhao.open(doorPath+"study", form); status != http.StatusBadRequest {
		t.Errorf("booking the afternoon at the door: status %d", status)
	}
	// Everything taken: when the next is free. Nothing at all: another day.
	chen := s.browser(t, "chen-yutong")
	music := doorPath + "music"
	zhao.lacks(zhao.page(music, "现在到10:00"), `name="scanned"`)
	s.api(t, "li-qiang").want(201, "POST", bookings, order("music", 10, 12))
	s.clock.SetTime(moment(t, "2026-11-23T10:20:00+08:00"))
	chen.page(music, "现在没有空位", "13:00–14:00")
	s.clock.SetTime(moment(t, "2026-11-23T18:20:00+08:00"))
	chen.page(music, "看看什么时候可以约")
	chen.lacks(chen.page(doorPath+"hall"), "现在就用")
	for _, wrong := range []url.Values{{"booking": {"x"}}, {"key": {"x"}, "start": {nineAM}}, {"key": {uuid.NewString()}}} {
		if status, _, _ := chen.open(music, wrong); status != http.StatusBadRequest {
			t.Errorf("form %v: status %d, want 400", wrong, status)
		}
	}
	if status, _, _ := chen.open(doorPath+"pool", nil); status != http.StatusNotFound {
		t.Errorf("the door of nothing: status %d", status)
	}
}

func TestPagesTooManyCodes(t *testing.T) {
	s := startHome(t)
	li := s.browser(t, "li-qiang")
	form := url.Values{"key": {uuid.NewString()}, "start": {"2026-11-23T08:00:00+08:00"}, "code": {"x"}}
	s.clock.SetTime(moment(t, "2026-11-23T08:10:00+08:00"))
	for range maxWrongCodes {
		li.open(doorPath+"music", form)
	}
	form.Set("code", s.doorCode(t, "music"))
	status, _, page := li.open(doorPath+"music", form)
	li.has(page, "请过一小时再试")
	if status != http.StatusTooManyRequests {
		t.Errorf("after too many codes: status %d", status)
	}
}

// calendar gets a calendar as a program does, without a session.
func (r running) calendar(t testing.TB, address, etag string) (int, http.Header, string) {
	t.Helper()
	b := r.browser(t, "")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if etag != "" {
		request.Header.Set("If-None-Match", etag)
	}
	response, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(body)
}

func TestPagesCalendar(t *testing.T) {
	s := startHome(t)
	li, wang := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua")
	music := li.book("music", nineAM)
	page := li.page(at9("study"))
	visit := li.book("clinic", "2026-11-24T09:00:00+08:00", "for", li.who(page, "王桂花"))
	asked := li.book("hall", "2026-11-24T09:00:00+08:00")
	s.browser(t, "zhao-changshun").book("music", "2026-11-24T09:00:00+08:00")

	li.lacks(li.page(calendarPath, "生成我的日历地址"), ".ics")
	// The address is that of the community for everybody; the test has another port.
	address := func() string {
		t.Helper()
		_, _, page := li.open(calendarPath, url.Values{})
		m := regexp.MustCompile(`>http://zhanqian\.localhost:8080(/booking/calendar/\w{26}\.ics)<`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no address in the page:\n%s", page)
		}
		return s.URL + m[1]
	}
	feed := address()
	li.lacks(li.page(calendarPath, "作废这个地址"), ".ics")
	status, header, text := s.calendar(t, feed, "")
	if status != http.StatusOK || header.Get("Content-Type") != "text/calendar; charset=utf-8" || !strings.HasPrefix(header.Get("Cache-Control"), "private") {
		t.Errorf("feed: status %d, %v", status, header)
	}
	unfolded := strings.ReplaceAll(text, "\r\n ", "")
	for _, want := range []string{
		"UID:" + strings.TrimPrefix(music, bookingsPath) + "@zhanqian.localhost\r\n", "SUMMARY;LANGUAGE=zh-CN:琴房\r\n",
		"SUMMARY;LANGUAGE=zh-CN:社区预约（王桂花）\r\n", "STATUS:TENTATIVE\r\n", strings.TrimPrefix(asked, bookingsPath),
	} {
		if !strings.Contains(unfolded, want) {
			t.Errorf("the feed has no %q:\n%s", want, unfolded)
		}
	}
	for _, secret := range []string{"诊所", "医生", "clinic"} {
		if strings.Contains(unfolded, secret) {
			t.Errorf("the feed names %q:\n%s", secret, unfolded)
		}
	}
	if n := strings.Count(text, "BEGIN:VEVENT"); n != 3 {
		t.Errorf("the feed has %d events, want 3:\n%s", n, text)
	}
	if status, _, body := s.calendar(t, feed, header.Get("ETag")); status != http.StatusNotModified || body != "" {
		t.Errorf("nothing new: status %d, %q", status, body)
	}
	// Cancelled: the same event, so that programs take it out.
	li.send(music+"/cancel", url.Values{})
	status, _, text = s.calendar(t, feed, header.Get("ETag"))
	if status != http.StatusOK || !strings.Contains(text, "STATUS:CANCELLED") || !strings.Contains(text, "SEQUENCE:1") {
		t.Errorf("after cancelling: status %d:\n%s", status, text)
	}

	// An address that is guessed, replaced or revoked is none.
	replaced := feed
	feed = address()
	for _, wrong := range []string{
		replaced, s.URL + calendarPath + "/x.ics", s.URL + calendarPath + "/.ics", strings.TrimSuffix(feed, ".ics"), feed + ".ics",
		s.URL + calendarPath + "/" + strings.Repeat("A", 26) + ".ics", strings.ToLower(feed), s.URL + calendarPath + "/%25.ics",
	} {
		if status, _, _ := s.calendar(t, wrong, ""); status != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", wrong, status)
		}
	}
	li.send(calendarPath+"/revoke", url.Values{})
	if status, _, _ := s.calendar(t, feed, ""); status != http.StatusNotFound {
		t.Errorf("a revoked address: status %d", status)
	}
	li.lacks(li.page(calendarPath), "作废这个地址")

	// A booking as a file, for those whose it is.
	for _, b := range []browser{li, wang} {
		status, _, text := b.open(visit+"/calendar.ics", nil)
		if status != http.StatusOK || !strings.Contains(text, "社区预约") || strings.Contains(text, "医生") || strings.Count(text, "BEGIN:VEVENT") != 1 {
			t.Errorf("file: status %d:\n%s", status, text)
		}
	}
	if status, _, _ := s.browser(t, "").open(visit+"/calendar.ics", nil); status != http.StatusSeeOther {
		t.Errorf("the file without a session: status %d", status)
	}
	li.lang = "en"
	if _, _, text := li.open(visit+"/calendar.ics", nil); !strings.Contains(text, "Community booking (Wang Guihua)") {
		t.Errorf("the file in English:\n%s", text)
	}
}

// TestPagesCarryTheNote: who finds the slot taken takes what was typed along
// to another one.
func TestPagesCarryTheNote(t *testing.T) {
	s := startHome(t)
	li, wang := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua")
	form := wang.fields(wang.page(at9("music")))
	form.Set("note", "带<两>本琴谱")
	li.book("music", nineAM)
	status, _, page := wang.open(venuesPath+"music/book", form)
	wang.has(page, "刚刚被别人约走", `name="start" value="2026-11-23T10:00:00`)
	if status != http.StatusConflict || strings.Contains(page, "?start=") {
		t.Errorf("taken meanwhile: status %d; the note stays behind", status)
	}
	_, rest, _ := strings.Cut(page, "相近的可约时段")
	next := wang.fields("<main" + rest)
	next.Set("note", form.Get("note")) // as a browser reads it
	next.Set("start", "2026-11-23T10:00:00+08:00")
	status, _, page = wang.open(venuesPath+"music/book", next)
	wang.has(page, "带&lt;两&gt;本琴谱", "确认预约", "10:00")
	if status != http.StatusOK {
		t.Errorf("the form of another slot: status %d", status)
	}
	wang.page("/booking/bookings/", "现在没有预约")
}
