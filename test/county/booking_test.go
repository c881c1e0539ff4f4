package county

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// shanghai is the time zone of the sample county.
var shanghai = func() *time.Location {
	loc, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		panic(err)
	}
	return loc
}()

// elderly is somebody in front of a browser who chose the elder mode and
// signed in.
func elderly(t *testing.T, account string) *person {
	t.Helper()
	p := browser(t)
	p.visit(county.url("zhanqian"))
	p.clickAt(`//section[@class="offer"]//button[@value="elder"]`)
	p.enter(account)
	return p
}

// choose picks the radio button of a field whose label says the words.
func (p *person) choose(field, words string) {
	p.Helper()
	p.do(chromedp.Click(fmt.Sprintf(`//main//label[.//input[@name=%q]][contains(normalize-space(.), %q)]`, field, words), chromedp.NodeVisible))
}

// fill replaces what stands in the field with an id.
func (p *person) fill(id, text string) {
	p.Helper()
	p.do(chromedp.SetValue(chromedp.ID(id), text))
}

// TestFamilyBooksForParent: a son books for his mother with whichever doctor is
// free, moves the booking and gives it up, in the elder mode.
func TestFamilyBooksForParent(t *testing.T) {
	const venue, mother = "clinic-general", "王桂花"
	for _, c := range []struct {
		name    string
		scripts bool
	}{{"with JavaScript", true}, {"without JavaScript", false}} {
		t.Run(c.name, func(t *testing.T) {
			base := county.url("zhanqian")
			day := freeSlot(t, base, venue).date()
			p := browser(t)
			if !c.scripts {
				p.withoutJavaScript()
			}
			p.visit(base)
			p.clickAt(`//section[@class="offer"]//button[@value="elder"]`)
			p.click("去预约")
			p.click("全科门诊挂号")
			p.clickAt(fmt.Sprintf(`//main//nav//a[contains(@href, "date=%s")]`, day))
			p.sees("谁都可以")
			p.clickAt(`//main//a[contains(@href, "/clinic-general/book?start=")]`)
			p.signIn(resident)
			p.sees("给谁约")
			p.choose("for", mother)
			p.screenshot("order")
			p.click("确认预约")
			p.sees("预约成功")
			p.sees(mother)
			p.sees("大夫") // one of them was picked
			booked := pathOf(p.location())

			p.click("我的预约")
			p.sees("给" + mother)
			p.clickAt(fmt.Sprintf(`//main//a[@href=%q]`, booked))

			p.click("改时间")
			p.sees("请选一个新的时间")
			p.clickAt(`(//main//a[contains(@href, "/change?")])[last()]`)
			p.sees("改成这个时间吗")
			p.screenshot("change")
			p.click("确认改时间")
			p.sees("时间改好了")
			p.sees(mother)
			if changed := pathOf(p.location()); changed != booked {
				t.Errorf("the changed booking is at %s, it was at %s", changed, booked)
			}

			p.click("取消这次预约")
			p.sees("要取消这次预约吗")
			p.sees("给" + mother)
			p.click("取消预约")
			p.sees("已经取消")
		})
	}
}

// TestWaitingListOffersAndIsAccepted: a resident waits for a time that is taken
// and has it once its holder cancels.
func TestWaitingListOffersAndIsAccepted(t *testing.T) {
	const venue = "hairdresser" // one person at a time
	base := county.url("zhanqian")
	holder := county.token(t, "zhanqian", resident)
	taken := book(t, base, holder, venue)

	p := elderly(t, eldest)
	p.visit(base + "/booking/venues/" + venue + "?date=" + slot{Start: taken.Start}.date())
	p.click("可候补")
	p.sees("要候补吗")
	p.click("加入候补")
	p.sees("已加入候补，您是第1位")
	p.screenshot("waiting")
	p.click("我的预约")
	p.sees("候补中")

	if res := call(t, "DELETE", base+"/booking/api/v1/bookings/"+taken.ID, holder, nil, nil); res.StatusCode != http.StatusNoContent {
		t.Fatalf("the holder cancels: %s", res.Status)
	}
	p.visit(base)
	p.sees("轮到您了") // on the front page already
	p.visit(base + "/booking/bookings/")
	p.sees("轮到您了")
	p.screenshot("offer")
	p.click("我要这个位子")
	p.sees("预约成功")
	p.sees("阳光理发屋")
	p.sees("已约好")
	p.screenshot("accepted")
}

// TestDoctorsAfternoonIsClosed: the front desk sees whom it affects before
// anything happens, closes with one step, and a resident sees what has become
// of the booking and why.
func TestDoctorsAfternoonIsClosed(t *testing.T) {
	const venue, doctor = "clinic-general", "孔大夫" // the only one there in the afternoon
	base := county.url("zhanqian")
	afternoon := func(s slot) bool { return s.Start.In(shanghai).Hour() >= 14 }
	for _, c := range []struct{ name, account, called, phone, choice, reason, preview, listed, becomes string }{
		{"moved", elder, "王桂花", "138 0000 0003", "尽量改到", "孔大夫下午去县里开会", "改到", "社区改了时间", "社区给您改了时间"},
		{"cancelled", student, "陈雨桐", "138 0000 0001", "全部取消", "孔大夫家里有事请假", "已取消", "已取消", "已取消"},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := county.token(t, "zhanqian", c.account)
			s := freeSlotThat(t, base, venue, afternoon)
			var b booking
			if res := call(t, "POST", base+"/booking/api/v1/bookings", token, map[string]any{"venue": venue, "start": s.Start, "end": s.End}, &b); res.StatusCode != http.StatusCreated {
				t.Fatalf("booking: %s", res.Status)
			}

			desk := elderly(t, frontDesk)
			desk.visit(base + "/booking/staff/closures/")
			desk.click("停用场地或停诊")
			desk.fill("venue", venue)
			desk.clickAt(`//main//form[@class="filters"]//button`)
			desk.fill("place", "1") // the first attendant
			desk.fill("fromDay", s.date())
			desk.fill("fromTime", "14:00")
			desk.fill("toDay", s.date())
			desk.fill("toTime", "17:00")
			desk.fill("reason", c.reason)
			desk.choose("move", c.choice)
			desk.click("先看会影响谁")
			desk.sees("确认停用吗")
			desk.sees(doctor)
			desk.sees(c.called)
			desk.sees(c.phone)
			desk.sees(c.preview)
			desk.screenshot("preview")
			var still booking
			if call(t, "GET", base+"/booking/api/v1/bookings/"+b.ID, token, nil, &still); still.Status != "booked" || !still.Start.Equal(b.Start) {
				t.Errorf("the preview has changed the booking to %+v", still)
			}
			desk.click("确认停用")
			desk.sees("已停用")
			desk.sees(c.phone)
			desk.sees(c.preview)
			desk.screenshot("closed")

			p := elderly(t, c.account)
			p.visit(base + "/booking/bookings/")
			p.sees(c.listed)
			p.clickAt(fmt.Sprintf(`//main//a[@href=%q]`, "/booking/bookings/"+b.ID))
			p.sees(c.becomes)
			p.sees(c.reason)
			p.screenshot("resident")
			p.visit(base + "/booking/venues/" + venue + "?date=" + s.date())
			p.sees(c.reason) // others see why as well
		})
	}
}

// TestWeeklyWithConflict: one of the weeks is somebody else's. The resident sees
// which before anything is booked, and has the others.
func TestWeeklyWithConflict(t *testing.T) {
	const venue = "dance-room"
	base := county.url("zhanqian")
	evening := func(s slot) bool { return s.Start.In(shanghai).Hour() == 19 }
	s := freeSlotThat(t, base, venue, evening)
	next := slot{Start: s.Start.AddDate(0, 0, 7), End: s.End.AddDate(0, 0, 7)}
	if res := call(t, "POST", base+"/booking/api/v1/bookings", county.token(t, "zhanqian", student),
		map[string]any{"venue": venue, "start": next.Start, "end": next.End}, nil); res.StatusCode != http.StatusCreated {
		t.Fatalf("the other resident's booking: %s", res.Status)
	}
	p := elderly(t, eldest)
	p.visit(base + "/booking/venues/" + venue + "/book?start=" + url.QueryEscape(s.Start.Format(time.RFC3339)))
	p.do(chromedp.Click(`//main//summary[contains(., "每周都约这个时间")]`, chromedp.NodeVisible))
	p.fill("until", next.date())
	p.click("看看每周能不能约")
	p.sees("一共2周，能约1周")
	p.sees("这一次已经约满了")
	p.screenshot("preview")
	p.click("约能约的1次")
	p.sees("约好了1次")
	p.sees("没有约上的")
}

// TestCheckInByCodeOnTheDoor: a manager opens a venue and prints what hangs on
// its door; a resident who stands there has the rest of the hour with its code.
func TestCheckInByCodeOnTheDoor(t *testing.T) {
	base := county.url("zhanqian")
	manager := elderly(t, manager)
	manager.visit(base + "/booking/staff/venues/new")
	for id, text := range map[string]string{
		"displayName": "通宵自习角", "name": "night-corner", "seats": "8", "slotMinutes": "60",
		"maxSlotsPerBooking": "1", "bookingWindowDays": "7", "maxPerResidentPerDay": "3",
	} {
		manager.fill(id, text)
	}
	manager.choose("kind", "按座位预约")
	for _, day := range []time.Weekday{0, 1, 2, 3, 4, 5, 6} {
		manager.fill("hours-"+day.String(), "00:00-24:00") // the test may run at any time
	}
	manager.click("保存")
	manager.sees("通宵自习角")
	manager.visit(base + "/booking/staff/venues/night-corner/poster")
	manager.sees("到了请用手机扫码签到")
	code := strings.TrimSpace(manager.text(`.door-code`))

	p := elderly(t, eldest)
	p.visit(base + "/booking/at/night-corner")
	p.sees("现在有空位，可以直接用")
	p.fill("code", "000000")
	if code == "000000" {
		p.fill("code", "000001")
	}
	p.click("现在就用")
	p.sees("数字不对")
	p.fill("code", code)
	p.click("现在就用")
	p.sees("签到成功")
	p.sees("已签到")
	p.screenshot("checked-in")
}

// TestCalendarAddress: the address of a person's calendar works for programs
// that are nobody, until the person ends it.
func TestCalendarAddress(t *testing.T) {
	p := elderly(t, eldest) // whose calendar no other test makes
	p.visit(county.url("zhanqian") + "/booking/bookings/")
	p.click("放进手机日历")
	p.click("生成我的日历地址")
	p.sees("请现在就复制")
	address := p.text("#address")
	get := func() (*http.Response, string) {
		res, err := client.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(text)
	}
	res, text := get()
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/calendar") || !strings.HasPrefix(text, "BEGIN:VCALENDAR\r\n") {
		t.Errorf("the calendar: %s, %s: %.200s", res.Status, kind, text)
	}
	p.click("作废这个地址")
	p.sees("生成我的日历地址")
	if res, _ := get(); res.StatusCode != http.StatusNotFound {
		t.Errorf("the calendar that was ended: %s, want 404", res.Status)
	}
}

// text is what the first element that a CSS selector finds says.
func (p *person) text(selector string) string {
	p.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector(%q).textContent`, selector)))
	if err != nil {
		p.Fatalf("text of %s: %v", selector, err)
	}
	return text
}

// freeSlotThat is a slot of a coming day that can be booked at the venue and is
// as wanted.
func freeSlotThat(t *testing.T, base, venue string, wanted func(slot) bool) slot {
	t.Helper()
	for day := 1; day <= 7; day++ {
		date := time.Now().In(shanghai).AddDate(0, 0, day).Format(time.DateOnly)
		var availability struct{ Slots []slot }
		res := call(t, "GET", base+"/booking/api/v1/venues/"+venue+"/availability?date="+date, "", nil, &availability)
		if res.StatusCode != http.StatusOK {
			t.Fatalf("availability: %s", res.Status)
		}
		if i := slices.IndexFunc(availability.Slots, func(s slot) bool { return s.Free > 0 && wanted(s) }); i >= 0 {
			return availability.Slots[i]
		}
	}
	t.Fatalf("no free slot at %s in a week", venue)
	return slot{}
}

// date is the slot's day in the sample county.
func (s slot) date() string { return s.Start.In(shanghai).Format(time.DateOnly) }
