package county

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

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
	eventually(t, "a call list that names "+child, func() (bool, string) {
		p.visit(base + "/messages/calls")
		text, err := chromedp.Run(p.ctx, chromedp.Text(`main`))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(text, child) && strings.Contains(text, "活动室漏水"), text
	})
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
