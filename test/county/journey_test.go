package county

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Demo people whom the journeys act for.
const (
	resident = "li-qiang"       // a working parent
	elder    = "wang-guihua"    // 72 years old
	student  = "chen-yutong"    //
	eldest   = "zhao-changshun" // 84 years old

	frontDesk = "sun-li"
	manager   = "zhou-jianguo"
)

// TestResidentBooksSeesAndCancels goes from the front page to a booking and
// back, as a resident does, with the pages' scripts on and off.
func TestResidentBooksSeesAndCancels(t *testing.T) {
	tomorrow := time.Now().In(shanghai).AddDate(0, 0, 1).Format(time.DateOnly)
	for _, c := range []struct {
		name, person string
		scripts      bool
	}{
		{"with JavaScript", student, true},
		{"without JavaScript", eldest, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := browser(t)
			if !c.scripts {
				p.withoutJavaScript()
			}
			p.visit(county.url("zhanqian"))
			p.sees("站前社区")
			p.click("去预约")
			p.click("学习室")
			p.clickAt(fmt.Sprintf(`//main//a[contains(@href, "date=%s")]`, tomorrow)) // today may be over
			p.clickAt(`//main//a[contains(@href, "/study-room/book?start=")]`)
			// Nobody is signed in yet: the page asks, and comes back to the slot.
			p.signIn(c.person)
			p.sees("学习室")
			p.click("确认预约")
			p.sees("预约成功")
			p.screenshot("booked")
			booked := p.location()

			p.click("我的预约")
			p.sees("还没到的")
			p.sees("学习室")
			p.clickAt(fmt.Sprintf(`//main//a[@href=%q]`, pathOf(booked)))
			p.click("取消这次预约")
			p.sees("要取消这次预约吗")
			p.click("取消预约")
			p.sees("已经取消")

			// The back button and a second look: it stays cancelled.
			p.visit(strings.SplitN(booked, "?", 2)[0])
			p.sees("已取消")
		})
	}
}

func pathOf(location string) string {
	u, err := url.Parse(location)
	if err != nil {
		return location
	}
	return u.Path
}

// TestSlotTakenInTheMeantime: somebody else takes the last place while a
// resident still reads the form. The page says what happened and offers what
// is free nearby.
func TestSlotTakenInTheMeantime(t *testing.T) {
	base := county.url("zhanqian")
	s := freeSlot(t, base, "dance-room")
	p := browser(t)
	p.visit(base + "/booking/venues/dance-room/book?start=" + url.QueryEscape(s.Start.Format(time.RFC3339)))
	p.signIn(elder)
	p.do(chromedp.SendKeys(chromedp.ID("note"), "我们一共六个人"))
	if res := call(t, "POST", base+"/booking/api/v1/bookings", county.token(t, "zhanqian", student),
		map[string]any{"venue": "dance-room", "start": s.Start, "end": s.End}, nil); res.StatusCode != 201 {
		t.Fatalf("the other resident's booking: %s", res.Status)
	}
	p.click("确认预约")
	p.sees("刚刚被别人约走了")
	p.sees("相近的可约时段")
	p.accessible("taken")
}
