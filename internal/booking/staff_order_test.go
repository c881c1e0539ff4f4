package booking

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestBookAtDesk: the staff book for somebody without an account and for a
// resident found by name, and nothing twice.
func TestBookAtDesk(t *testing.T) {
	s := startDesk(t)
	sun := s.browser(t, "sun-li")
	slots := sun.page("/booking/staff/book?venue=clinic&date=2026-11-23", "选场地和时间", "社区诊所", "09:00–10:00")
	slot := sun.link(slots, "09:00–10:00")
	if slot != deskAt9("clinic") {
		t.Fatalf("the slot leads to %s", slot)
	}
	page := sun.page(slot, "登记是谁", "张医生", "刘医生")
	form := sun.fields(page, "name", "刘秀英", "phone", "139-0000 0001", "place", "2", "note", "腿脚不便")
	made := sun.send("/booking/staff/book", form)
	sun.page(made, "已约好", "刘秀英", "139 0000 0001", "刘医生", "腿脚不便", "代约人", "孙丽")
	if again := sun.send("/booking/staff/book", form); again != made {
		t.Errorf("sent again: %s, first %s", again, made)
	}
	sun.page(deskMonday, "刘秀英")
	// The same doctor again is taken; what was typed stays.
	page = sun.page(slot)
	status, _, page := sun.open("/booking/staff/book", sun.fields(page, "name", "周兰英", "phone", "0537-0000111", "place", "2"))
	sun.has(page, "已经没有空位", `value="周兰英"`, `value="0537-0000111"`, `<option value="2" selected>`)
	if status != http.StatusConflict {
		t.Errorf("a place that is taken: status %d", status)
	}

	// A resident is found, and sees the booking among their own.
	page = sun.page(slot+"&q="+url.QueryEscape("王桂"), "王桂花", "13800000003")
	made = sun.send("/booking/staff/book", sun.fields(page))
	sun.page(made, "王桂花", "张医生")
	s.browser(t, "wang-guihua").page("/booking/bookings/", "社区诊所")
	// Nobody is found: what was looked for is written down.
	sun.page(slot+"&q="+url.QueryEscape("钱多多"), "没有查到", `value="钱多多"`)

	page = sun.page(deskAt9("music"))
	for problem, changes := range map[string][]string{
		"请填姓名":        {"name", " ", "phone", "13900000001"},
		"电话号码不对":      {"name", "刘秀英", "phone", "不知道"},
		"留言太长了":       {"name", "刘秀英", "phone", "13900000001", "note", strings.Repeat("长", 501)},
		"日期不对":        {"name", "刘秀英", "phone", "13900000001", "until", "明年"},
		"结束日期要在第一次以后": {"name", "刘秀英", "phone", "13900000001", "until", "2026-11-22"},
		"没有这个座位":      {"name", "刘秀英", "phone", "13900000001", "place", "7"},
	} {
		status, _, wrong := sun.open("/booking/staff/book", sun.fields(page, changes...))
		sun.has(wrong, problem, `role="alert"`)
		if status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", problem, status)
		}
	}
	for _, wrong := range [][]string{{"key", "x"}, {"slots", "x"}, {"place", "-1"}, {"start", ""}} {
		if status, _, _ := sun.open("/booking/staff/book", sun.fields(page, wrong...)); status != http.StatusBadRequest {
			t.Errorf("%v: status %d", wrong, status)
		}
	}
	for _, wrong := range []string{"?venue=pool", "?date=x", "?venue=music&start=x"} {
		if status, _, _ := sun.open("/booking/staff/book"+wrong, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", wrong, status)
		}
	}
	if status, _, _ := sun.open("/booking/staff/book", sun.fields(page, "who", "nobody")); status != http.StatusNotFound {
		t.Errorf("a person who is not known: status %d", status)
	}
}

// TestWalkIn: who stands at the desk gets the rest of the running slot, and is
// there.
func TestWalkIn(t *testing.T) {
	s := startDesk(t)
	sun := s.browser(t, "sun-li")
	s.clock.SetTime(moment(t, "2026-11-23T09:40:00+08:00"))
	sun.page("/booking/staff/book?venue=clinic&date=2026-11-23", "正在进行")
	page := sun.page(deskAt9("clinic"), "就算本人已到")
	made := sun.send("/booking/staff/book", sun.fields(page, "name", "刘秀英", "phone", "13900000001"))
	sun.page(made, "09:40已到")
	// What runs is not given to residents.
	li := s.browser(t, "li-qiang")
	li.page(at9("clinic"), "已经开始或已经过了")
}

// TestSeriesAtDesk: weeks that are taken are told before anything is booked.
func TestSeriesAtDesk(t *testing.T) {
	s := startDesk(t)
	sun := s.browser(t, "sun-li")
	taken := strings.Replace(deskAt9("music"), "11-23", "11-30", 1)
	sun.send("/booking/staff/book", sun.fields(sun.page(taken), "name", "合唱队", "phone", "13900000009"))
	page := sun.page(deskAt9("music"))
	status, _, page := sun.open("/booking/staff/book", sun.fields(page, "name", "舞蹈队", "phone", "13900000008", "until", "2026-12-07"))
	sun.has(page, "有1周约不上", "11月30日", "已经没有空位", "约其余2次", `value="舞蹈队"`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a week that is taken: status %d", status)
	}
	if board := sun.page(deskMonday); strings.Contains(board, "舞蹈队") {
		t.Error("something was booked before it was confirmed")
	}
	made := sun.send("/booking/staff/book", sun.fields(page, "skip", "yes"))
	page = sun.page(made, "舞蹈队", "每周重复，另外还有1次", "12月7日")
	// One of them is cancelled, then those that are left.
	cancel := sun.link(page, "取消预约")
	sun.page(cancel, "只取消这一次", "后面的也一起取消")
	sun.send(cancel, url.Values{"reason": {"本人要求"}, "series": {"all"}})
	if board := sun.page("/booking/staff/?date=2026-12-07", "已取消和未到的"); !strings.Contains(board, "本人要求") {
		t.Error("the rest of the series stands")
	}
}

func TestChangeAtDesk(t *testing.T) {
	s := startDesk(t)
	li, sun := s.browser(t, "li-qiang"), s.browser(t, "sun-li")
	li.send("/booking/venues/clinic/book", li.form(li.page(at9("clinic"))))
	booking := sun.link(sun.page(deskMonday), "09:00–10:00")
	change := sun.link(sun.page(booking), "改时间")
	page := sun.page(change+"?date=2026-11-24", "11月24日", "李强", "张医生")
	status, _, again := sun.open(change, url.Values{"date": {"2026-11-24"}})
	sun.has(again, "请选新的时间")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("no time chosen: status %d", status)
	}
	form := sun.fields(page, "start", "2026-11-24T13:00:00+08:00", "place", "2")
	sun.page(sun.send(change, form), "时间已改", "11月24日", "13:00–14:00", "刘医生")
	li.page("/booking/bookings/", "11月24日")
	// Where somebody else is, it stays as it was.
	wang := s.browser(t, "wang-guihua")
	wang.send("/booking/venues/clinic/book", wang.form(wang.page(strings.Replace(at9("clinic"), "11-23", "11-26", 1))))
	form.Set("start", "2026-11-26T09:00:00+08:00")
	form.Set("date", "2026-11-26")
	form.Set("place", "1")
	status, _, page = sun.open(change, form)
	sun.has(page, "已经没有空位")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("a taken time: status %d", status)
	}
	sun.page(booking, "11月24日")
	sun.page(sun.send(booking+"/cancel", url.Values{"reason": {"本人来电"}}), "已取消", "本人来电")
	if status, location, _ := sun.open(change, nil); status != http.StatusSeeOther || location != booking {
		t.Errorf("changing what is cancelled: %d to %s", status, location)
	}
}
