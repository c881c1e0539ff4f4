package accounts

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/linli-io/linli/internal/host/hosttest"
)

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

var spaces = regexp.MustCompile(`\s+`)

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
			b.t.Errorf("the page has no %q:\n%s", text, spaces.ReplaceAllString(page[strings.Index(page, "<main"):], " "))
		}
	}
}

func (b browser) hasNot(page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.t.Errorf("the page has %q:\n%s", text, spaces.ReplaceAllString(page[strings.Index(page, "<main"):], " "))
		}
	}
}

// key is the idempotency key of the page's form.
func (b browser) key(page string) string {
	b.t.Helper()
	m := regexp.MustCompile(`<input type="hidden" name="key" value="([^"]+)"`).FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("no form in the page:\n%s", page)
	}
	return m[1]
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

// refused sends a form that must not be accepted, and returns the page.
func (b browser) refused(path string, form url.Values, texts ...string) string {
	b.t.Helper()
	status, _, page := b.open(path, form)
	if status != http.StatusUnprocessableEntity {
		b.t.Fatalf("%s: status %d, want 422", path, status)
	}
	b.has(page, texts...)
	return page
}

// hold has the canteen hold something of somebody's purse.
func (r running) hold(t testing.TB, id, account string, amount int) {
	t.Helper()
	r.inside(t, 200, "PUT", "holds/"+id, fmt.Sprintf(
		`{"revision":1,"person":%q,"amount":%d,"expiresAt":"2026-11-23T13:00:00+08:00","about":%q,"memo":{"zh-CN":"11月23日 午餐","en":"lunch on 23 Nov"}}`,
		hosttest.PersonID(t, account), amount, id))
}

func TestResidentsPages(t *testing.T) {
	s := start(t)
	li := s.browser(t, "li-qiang")
	li.page("/accounts/", "我的钱包", "¥0.00", "余额不多了", "王桂花")
	li.page("/accounts/statement", "2026年11月收支明细", "这个月没有收支")
	s.topUp(t, "li-qiang", 10_000)
	s.topUp(t, "wang-guihua", 5_000)
	s.hold(t, "o1", "li-qiang", 1_200)
	s.hold(t, "o2", "wang-guihua", 800)
	page := li.page("/accounts/", "¥100.00", "可用¥88.00，已预留¥12.00", "11月23日 午餐", "¥50.00", "¥42.00")
	li.hasNot(page, "余额不多了", "¥8.00", "收银台")
	s.inside(t, 200, "POST", "holds/o1/capture", `{"amount":1200,"subsidy":300}`)
	li.page("/accounts/statement?month=2026-11", "消费：11月23日 午餐", "-¥12.00", "¥88.00", "+¥100.00", "收据号2026-000001")
	li.page("/accounts/statement?month=2026-10", "2026年10月", "¥0.00", "2026年11月")
	li.hasNot(li.page("/accounts/statement"), "2026年10月") // the purse was opened later
	if status, _, _ := li.open("/accounts/statement?month=soon", nil); status != http.StatusBadRequest {
		t.Errorf("a month that is none: %d", status)
	}
	li.lang = "en"
	li.page("/accounts/statement", "Statement of November 2026", "Paid: lunch on 23 Nov")
	li.page("/accounts/card", "¥88.00")
	nobody := s.browser(t, "")
	nobody.hasNot(nobody.page("/accounts/card", "我的钱包"), "¥")
	if status, location, _ := nobody.open("/accounts/", nil); status != http.StatusSeeOther || !strings.HasPrefix(location, "/identity/sign-in") {
		t.Errorf("nobody's purse: %d to %s", status, location)
	}
}

func TestCounterPages(t *testing.T) {
	s := start(t)
	sun, li := s.browser(t, "sun-li"), hosttest.PersonID(t, "li-qiang")
	sun.page("/accounts/staff/", "给谁办理？")
	sun.page("/accounts/staff/?query=nobody", "没有找到这个人")
	sun.page("/accounts/staff/?query="+url.QueryEscape("李强"), deskURL(li), "1988-03-02")

	page := sun.page(deskURL(li), "李强", "¥0.00", "收到现金（元）")
	sun.hasNot(page, "付出现金")
	key := sun.key(page)
	for text, want := range map[string]string{"": "请填写金额", "fifty": "请填写金额", "0.5": "每次充值最少¥1.00", "1000.01": "最多¥1000.00"} {
		refused := sun.refused(deskURL(li)+"/top-up", url.Values{"amount": {text}, "key": {key}}, want, `value="`+text+`"`)
		sun.has(refused, `href="#top-up"`)
	}
	form := url.Values{"amount": {"100"}, "key": {key}}
	receipt := sun.send(deskURL(li)+"/top-up", form)
	if again := sun.send(deskURL(li)+"/top-up", form); again != receipt {
		t.Errorf("sent twice: %s, then %s", receipt, again)
	}
	page = sun.page(receipt, "充值收据", "收据号2026-000001", "¥100.00", "李强", "孙丽", "办错了？")
	receiptPath, _, _ := strings.Cut(receipt, "?")

	sun.refused(deskURL(li)+"/payout", url.Values{"amount": {"100.01"}, "key": {"p1"}}, "只有¥100.00", `href="#payout"`)
	sun.page(sun.send(deskURL(li)+"/payout", url.Values{"amount": {"20"}, "key": {"p2"}}), "取现凭证", "¥20.00", "¥80.00")
	sun.refused(receiptPath+"/reverse", url.Values{"reason": {"找错人"}, "key": {sun.key(page)}}, "只有¥80.00")

	second := sun.send(deskURL(li)+"/top-up", url.Values{"amount": {"7.5"}, "key": {"k2"}})
	secondPath, _, _ := strings.Cut(second, "?")
	sun.refused(secondPath+"/reverse", url.Values{"reason": {" "}, "key": {"r1"}}, "请写明原因", `href="#reason"`)
	reversal := sun.send(secondPath+"/reverse", url.Values{"reason": {"=找错人"}, "key": {"r2"}})
	sun.page(reversal, "冲正凭证", "=找错人", "¥7.50", "原凭证")
	sun.hasNot(sun.page(secondPath, "已冲正", "冲正凭证"), "办错了？")
	sun.refused(secondPath+"/reverse", url.Values{"reason": {"again"}, "key": {"r3"}}, "已经冲正过了")
	sun.page(deskURL(li), "¥80.00", "已冲正", "本月收支")
	if status, _, _ := sun.open(secondPath+"/reverse", url.Values{"reason": {"no key"}}); status != http.StatusBadRequest {
		t.Errorf("a form that is none of ours: %d", status)
	}

	// Another's work can be seen and not taken back.
	zhou := s.browser(t, "zhou-jianguo")
	zhou.hasNot(zhou.page(receiptPath, "孙丽"), "办错了？")
	zhou.refused(receiptPath+"/reverse", url.Values{"reason": {"x"}, "key": {"r4"}}, "只有经办人本人可以冲正")

	sun.page("/accounts/staff/day", "2026年11月23日日结", "¥80.00", "孙丽", "李强", "¥107.50", "¥27.50", "收据号2026-000004")
	sun.page("/accounts/staff/day?date=2026-11-22", "这一天没有现金收付")
	for _, path := range []string{"/accounts/staff/day?date=x", "/accounts/staff/receipts/x", "/accounts/staff/purses/nobody"} {
		if status, _, _ := sun.open(path, nil); status != http.StatusBadRequest && status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
	for _, path := range []string{"/accounts/staff/ledger", "/accounts/staff/ledger.csv"} {
		if status, _, _ := sun.open(path, nil); status != http.StatusForbidden {
			t.Errorf("%s for the front desk: %d", path, status)
		}
	}
	zhou.page("/accounts/staff/ledger", "2026年11月总账", "居民钱包", "现金", "合计为零", "-¥80.00")
	_, _, file := zhou.open("/accounts/staff/ledger.csv?month=2026-11", nil)
	if !strings.Contains(file, ",-750,") || !strings.Contains(file, "'=找错人") || strings.Count(file, "\r\n") != 9 {
		t.Errorf("the file:\n%s", file)
	}
	li2 := s.browser(t, "li-qiang")
	for _, path := range []string{"/accounts/staff/", deskURL(li), receiptPath, "/accounts/staff/day"} {
		if status, _, _ := li2.open(path, nil); status != http.StatusForbidden {
			t.Errorf("%s for a resident: %d", path, status)
		}
	}
}
