package county

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestNewcomer signs up with a code, asks to join, is confirmed at the desk,
// books for a parent, downloads what is kept, and leaves.
func TestNewcomer(t *testing.T) {
	base := county.url("zhanqian")
	const name, phone = "何春生", "13711110000"
	p := browser(t)
	p.visit(base + "/residents/")
	p.signInBy(phone)
	p.sees("您是谁？")
	p.accessible("join", 360)
	p.fill("name", name)
	p.submit()
	p.sees("工作人员核实后就能使用") // nobody of that name has this number
	p.fill("bornOn", "1961-04-05")
	p.submit()
	p.sees("您的加入申请正在核实")

	desk := elderly(t, manager)
	desk.visit(base + "/residents/staff/requests")
	desk.sees(name)
	desk.accessible("requests", 360)
	desk.do(chromedp.Click(fmt.Sprintf(`//main//label[contains(., %q)]//input[@name="pick"]`, name), chromedp.NodeVisible))
	desk.click("通过勾选的申请")

	p.visit(base + "/residents/")
	p.sees(name)
	p.accessible("me", 320, 360)
	s := freeSlot(t, base, "study-room")
	p.visit(base + "/booking/venues/study-room/book?start=" + url.QueryEscape(s.Start.Format(time.RFC3339)))
	p.click("确认预约")
	p.sees("预约成功")

	kept, err := chromedp.Run(p.ctx, chromedp.Evaluate[string](
		`(() => { const r = new XMLHttpRequest(); r.open("GET", "/residents/my-data.json", false); r.send(); return r.responseText })()`))
	if err != nil {
		t.Fatal(err)
	}
	var data map[string]any
	if err := json.Unmarshal([]byte(kept), &data); err != nil || !strings.Contains(kept, name) || !strings.Contains(kept, "study-room") {
		t.Errorf("what is downloaded: %v: %.300s", err, kept)
	}

	p.visit(base + "/residents/delete")
	p.do(chromedp.Click(`//input[@name="sure"]`, chromedp.NodeVisible))
	p.accessible("delete", 360)
	p.click("删除")
	p.sees("已经开始删除")
	p.visit(base + "/residents/")
	p.signInBy(phone)
	p.sees("您是谁？")
}

// TestPersonWithoutPhone: whoever has no phone is booked at the desk, and is on
// the call list when that changes.
func TestPersonWithoutPhone(t *testing.T) {
	const child = "李小满"
	base := county.url("zhanqian")
	api, token := base+"/booking/api/v1/staff", county.token(t, "zhanqian", manager)
	var found struct{ People []struct{ ID string } }
	call(t, "GET", api+"/people?query="+url.QueryEscape(child), token, nil, &found)
	if len(found.People) != 1 {
		t.Fatalf("%d people are called %s", len(found.People), child)
	}
	s := freeSlotThat(t, base, "living-room", func(s slot) bool { return s.Start.After(time.Now().Add(24 * time.Hour)) })
	var made struct{ ID string }
	order := map[string]any{"venue": "living-room", "start": s.Start, "end": s.End, "person": found.People[0].ID}
	if res := call(t, "POST", api+"/bookings", token, order, &made); res.StatusCode != 201 {
		t.Fatalf("booking at the desk: %s", res.Status)
	}
	if res := call(t, "POST", api+"/bookings/"+made.ID+"/cancel", token, map[string]string{"reason": "活动室漏水"}, nil); res.StatusCode != 200 {
		t.Fatalf("cancelling at the desk: %s", res.Status)
	}
	p := elderly(t, manager)
	until := time.Now().Add(20 * time.Second)
	for {
		p.visit(base + "/messages/calls")
		text, err := chromedp.Run(p.ctx, chromedp.Text(`main`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, child) && strings.Contains(text, "活动室漏水") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("the call list does not name %s: %s", child, text)
		}
	}
	p.accessible("calls", 320, 360)
	p.screenshot("calls")
}

// TestImport: 5,000 residents are imported from a file with 12 faulty lines,
// of which each is named.
func TestImport(t *testing.T) {
	const rows, faulty = 5000, 12
	var table strings.Builder
	table.WriteString("姓名,手机号,出生日期\n")
	for n := range rows {
		born := time.Date(1930, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 5*n).Format(time.DateOnly)
		if n%(rows/faulty) == 7 && n/(rows/faulty) < faulty {
			born = "1990-02-30"
		}
		fmt.Fprintf(&table, "导入%s%s,139%08d,%s\n", string([]rune("赵钱孙李周吴郑王冯陈")[n%10]), string(rune('一'+n)), n, born)
	}
	file := filepath.Join(t.TempDir(), "居民.csv")
	if err := os.WriteFile(file, []byte(table.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := elderly(t, manager)
	p.visit(county.url("zhanqian") + "/residents/staff/import")
	p.do(chromedp.SetUploadFiles(chromedp.ID("table"), []string{file}))
	p.click("检查")
	p.sees(fmt.Sprintf("%d行有错误", faulty))
	p.sees(fmt.Sprintf("可以导入%d行", rows-faulty))
	p.accessible("import", 360)
	p.click("确认写入")
	p.sees("导入完成")
	p.sees(fmt.Sprintf("新增%d人", rows-faulty))
}
