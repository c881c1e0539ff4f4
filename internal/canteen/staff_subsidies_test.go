package canteen

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// TestSubsidies: what was paid is added up by month and tier, on the page and
// in the file.
func TestSubsidies(t *testing.T) {
	s := startSite(t)
	v := s.visitor(manager)
	v.page("/canteen/staff/subsidies", "2026-01 至 2026-11", "没有已付款的订单")
	paid := func(id string) { s.api(cook, 200, "POST", "/staff/orders/"+id+"/pay", nil) }
	paid(s.guest("老周", v1alpha1.WayEatIn, ""))
	zhao := s.api(desker, 201, "POST", "/staff/orders", map[string]any{
		"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "person": hosttest.PersonID(t, "zhao-changshun"), "way": "EatIn",
		"lines": []map[string]any{{"dish": s.pork, "portions": 1}},
	})
	paid(zhao)
	s.guest("老吴", v1alpha1.WayEatIn, "") // has not paid
	v.page("/canteen/staff/subsidies", "2026-11 原价（无补贴） 1 ¥18.00 ¥0.00 ¥18.00", "2026-11 80岁以上 1 ¥18.00 ¥9.00 ¥9.00", "合计 2 ¥36.00 ¥9.00 ¥27.00",
		"每个月都与账本一致", "2026-11 ¥36.00 ¥36.00 ¥0.00 ¥9.00 ¥9.00 ¥0.00")
	v.page("/canteen/staff/subsidies?from=2026-01&to=2026-10", "没有已付款的订单")
	status, _, file := v.open("/canteen/staff/subsidies.csv?from=2026-11&to=2026-11", nil)
	want := "\ufeff月份,优惠类别,订单数,原价合计（元）,补贴（元）,个人支付（元）\r\n2026-11,原价（无补贴）,1,18.00,0.00,18.00\r\n2026-11,80岁以上,1,18.00,9.00,9.00\r\n\r\n" +
		"月份,本表原价合计（元）,账本收入（元）,收入差额（元）,本表补贴（元）,账本补贴（元）,补贴差额（元）\r\n2026-11,36.00,36.00,0.00,9.00,9.00,0.00\r\n"
	if status != http.StatusOK || file != want {
		t.Errorf("status %d, file %q", status, file)
	}
	// What was given back is taken off; what the ledger has beyond that shows.
	s.api(cook, 200, "POST", "/staff/orders/"+zhao+"/cancel", nil)
	v.hasNot(v.page("/canteen/staff/subsidies", "2026-11 ¥18.00 ¥18.00 ¥0.00 ¥0.00 ¥0.00 ¥0.00"), "80岁以上 0")
	err := s.store.db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewRaw("UPDATE takings SET total = total - 1").Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v.page("/canteen/staff/subsidies", "与账本有差额", "2026-11 ¥17.98 ¥18.00 -¥0.02 ¥0.00 ¥0.00 ¥0.00")
	for _, query := range []string{"?from=soon", "?from=2026-11&to=2026-10"} {
		if status, _, _ := v.open("/canteen/staff/subsidies"+query, nil); status != http.StatusUnprocessableEntity {
			t.Errorf("%s: status %d", query, status)
		}
		if status, _, _ := v.open("/canteen/staff/subsidies.csv"+query, nil); status != http.StatusBadRequest {
			t.Errorf("the file of %s: status %d", query, status)
		}
	}
}

// TestCategories: who is put on a list pays less from the next order on.
func TestCategories(t *testing.T) {
	s := startSite(t)
	v := s.visitor(manager)
	const category = "/canteen/staff/categories/low-income"
	v.page("/canteen/staff/subsidies", "优惠人群", "低保户")
	v.page(category, "名单里还没有人")
	v.page(category+"?q="+url.QueryEscape(liName), liName, "加入名单")
	person := url.Values{"person": {hosttest.PersonID(t, li)}}
	for range 2 {
		v.page(v.sent(category+"/add", person), "已加入名单", "名单 1", liName)
	}
	v.page(category+"?q="+url.QueryEscape(liName), "已在名单")
	if o := s.order(s.lis(v1alpha1.WayPickUp)); o.Tier != "low-income" || o.Subsidy != 660 {
		t.Errorf("%+v", o.Quote)
	}
	v.hasNot(v.page(v.sent(category+"/remove", person), "已移出名单"), liName)
	added := 0
	for _, r := range s.records(manager) {
		if r.Action == "canteen.member-add" {
			added++
		}
	}
	if added != 1 {
		t.Errorf("%d entries about what was done once", added)
	}
	for _, path := range []string{category + "/add", "/canteen/staff/categories/nobility/add"} {
		if status, _, _ := v.open(path, url.Values{"person": {"nobody"}}); status != http.StatusNotFound {
			t.Errorf("%s: status %d", path, status)
		}
	}
	if status, _, page := s.visitor(cook).open(category, nil); status != http.StatusForbidden || strings.Contains(page, "低保户") {
		t.Errorf("a cook: status %d", status)
	}
}
