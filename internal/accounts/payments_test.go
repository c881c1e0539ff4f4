package accounts

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// startOnline is start in a community that takes payments at a simulator.
func startOnline(t testing.TB) (running, *simulator) {
	t.Helper()
	sim := newSimulator(t)
	accounts, err := serviceWith(&http.Client{Transport: sim})
	if err != nil {
		t.Fatal(err)
	}
	r := running{clock: testclock.NewFakeClock(monday)}
	canteen := host.Service{Name: "canteen", Register: func(_ context.Context, rt *host.Runtime) error {
		r.canteen = rt.Client(Name)
		return nil
	}}
	community := hosttest.Community()
	community.Spec.Services.Accounts = &v1alpha1.Accounts{WeChatPay: &merchant}
	r.Server = hosttest.Start(t, hosttest.Options{Services: []host.Service{accounts, canteen}, Community: community, Clock: r.clock})
	sim.keys(func(name string, content []byte) { r.PutKey(t, name, content) })
	return r, sim
}

// begin begins a payment of Li Qiang into his own purse.
func (r running) begin(t testing.TB, amount int) answer {
	t.Helper()
	return r.api(t, "li-qiang").want(201, "POST", "/payments", fmt.Sprintf(`{"amount":%d,"channel":"Native"}`, amount), "Idempotency-Key", nextKey())
}

func (r running) wantPurse(t testing.TB, account string, balance int64) {
	t.Helper()
	if a := r.inside(t, 200, "GET", "people/"+hosttest.PersonID(t, account), ""); a.number("balance") != balance {
		t.Errorf("the purse of %s has %d fen, want %d", account, a.number("balance"), balance)
	}
}

func (r running) wantState(t testing.TB, id any, state PaymentState) {
	t.Helper()
	if a := r.api(t, "li-qiang").want(200, "GET", fmt.Sprintf("/payments/%s", id), ""); a.Body["state"] != string(state) {
		t.Errorf("the payment is %s, want %s", a.Raw, state)
	}
}

// A notification that comes, comes again, and comes again late, books a payment
// once.
func TestPaymentIsNotified(t *testing.T) {
	s, sim := startOnline(t)
	made := s.begin(t, 5_000)
	if made.Body["state"] != "Pending" || made.Body["address"] != "weixin://wxpay/bizpayurl?pr="+sim.only().reference {
		t.Errorf("begun: %s", made.Raw)
	}
	header, body := sim.notification(sim.pay(), time.Now())
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if status := sim.tell(s, header, body); status != http.StatusNoContent {
				t.Errorf("told: %d", status)
			}
		})
	}
	wg.Wait()
	s.wantPurse(t, "li-qiang", 5_000)
	s.wantState(t, made.Body["id"], PaymentPaid)
	if a := s.api(t, "li-qiang").want(200, "GET", "/statement", ""); strings.Count(a.Raw, `"kind":"TopUp"`) != 1 {
		t.Errorf("statement: %s", a.Raw)
	}
	// It is the drawer's no matter.
	if a := s.api(t, "sun-li").want(200, "GET", "/staff/day", ""); a.number("cash") != 0 {
		t.Errorf("day: %s", a.Raw)
	}
	if a := s.api(t, "zhou-jianguo").want(200, "GET", "/staff/ledger", ""); !strings.Contains(a.Raw, `{"account":"wechat","before":0,"plus":0,"minus":-5000,"after":-5000,"transactions":1}`) {
		t.Errorf("ledger: %s", a.Raw)
	}
	if a := ask(t, s.canteen, "GET", "http://accounts/accounts/internal/personal/v1/people/"+hosttest.PersonID(t, "li-qiang"), ""); !strings.Contains(a.Raw, `"state":"Paid"`) {
		t.Errorf("export: %s", a.Raw)
	}
	s.api(t, "wang-guihua").want(404, "GET", fmt.Sprintf("/payments/%s", made.Body["id"]), "")
}

// Nobody but WeChat Pay says that something was paid, and not long after.
func TestForgedNotifications(t *testing.T) {
	s, sim := startOnline(t)
	made := s.begin(t, 5_000)
	order := sim.pay()
	header, body := sim.notification(order, time.Now())
	other := newSimulator(t)
	theirs, theirBody := other.notification(order, time.Now())
	old, oldBody := sim.notification(order, time.Now().Add(-10*time.Minute))
	changed := func(name, value string) http.Header {
		h := header.Clone()
		h.Set(name, value)
		return h
	}
	for what, n := range map[string]struct {
		header http.Header
		body   string
	}{
		"nothing":                  {http.Header{}, ""},
		"no signature":             {http.Header{}, body},
		"another's signature":      {theirs, theirBody},
		"an old notification":      {old, oldBody},
		"a new time on it":         {changed("Wechatpay-Timestamp", fmt.Sprint(time.Now().Unix()+1)), body},
		"another nonce":            {changed("Wechatpay-Nonce", "other"), body},
		"another key":              {changed("Wechatpay-Serial", "PUB_KEY_ID_1"), body},
		"another kind":             {changed("Wechatpay-Signature-Type", "NONE"), body},
		"what was changed":         {header, strings.Replace(body, "EV-1", "EV-2", 1)},
		"more than a notification": {header, body + strings.Repeat(" ", maxNotificationBytes)},
	} {
		if status := sim.tell(s, n.header, n.body); status != http.StatusBadRequest {
			t.Errorf("%s: %d", what, status)
		}
	}
	s.wantPurse(t, "li-qiang", 0)
	s.wantState(t, made.Body["id"], PaymentPending)
	if status := sim.tell(s, header, body); status != http.StatusNoContent {
		t.Errorf("the true one: %d", status)
	}
	s.wantPurse(t, "li-qiang", 5_000)
}

// What was paid in another way than was asked for is not booked; what the staff
// did about it is noted once, in words that the payer sees.
func TestOddPayments(t *testing.T) {
	for what, odd := range map[string]struct {
		change func(*simulated)
		says   []string
		silent string
	}{
		"another amount":   {func(o *simulated) { o.amount = 1 }, []string{"收到的金额与申请的不同", "¥0.01"}, "人民币"},
		"another currency": {func(o *simulated) { o.currency = "USD" }, []string{"不是人民币"}, ">实际收到<"},
		"another merchant": {func(o *simulated) { o.merchant = "1900000002" }, []string{"付到了别的商户", "实际收到"}, "人民币"},
		"given back":       {func(o *simulated) { o.state = "REFUND" }, []string{"已在商户平台退回", "实际收到"}, "人民币"},
	} {
		t.Run(what, func(t *testing.T) {
			s, sim := startOnline(t)
			made := s.begin(t, 5_000)
			header, body := sim.notification(sim.pay(odd.change), time.Now())
			if status := sim.tell(s, header, body); status != http.StatusNoContent {
				t.Errorf("told: %d", status)
			}
			s.wantPurse(t, "li-qiang", 0)
			s.wantState(t, made.Body["id"], PaymentOdd)
			b, payer := s.browser(t, "zhou-jianguo"), s.browser(t, "li-qiang")
			own := fmt.Sprintf("/accounts/payments/%s", made.Body["id"])
			payer.page(own, "工作人员会核对")
			b.hasNot(b.page("/accounts/staff/payments", append(odd.says, "李强", "¥50.00")...), odd.silent)
			path := fmt.Sprintf("/accounts/staff/payments/%s/done", made.Body["id"])
			b.refused(path, url.Values{"note": {strings.Repeat("退", maxReason+1)}}, "不超过200字", "退退退")
			b.refused(path, url.Values{"note": {" "}}, "请写一句怎么处理的")
			for _, note := range []string{"已原路退回", "又写一遍"} {
				b.send(path, url.Values{"note": {note}})
			}
			b.hasNot(b.page("/accounts/staff/payments", "没有需要处理的网上付款", "已原路退回", "周建国"), "又写一遍", path)
			payer.page(own, "工作人员已处理：已原路退回")
			audited := ask(t, s.canteen, "GET", "http://accounts/accounts/internal/audit/v1/people/"+hosttest.PersonID(t, "li-qiang"), "")
			if n := strings.Count(audited.Raw, `"accounts.payment-done"`); n != 1 {
				t.Errorf("recorded %d times: %s", n, audited.Raw)
			}
		})
	}
	t.Run("nothing is odd", func(t *testing.T) {
		s, _ := startOnline(t)
		made := s.begin(t, 5_000)
		path := fmt.Sprintf("/accounts/staff/payments/%s/done", made.Body["id"])
		if status, _, _ := s.browser(t, "zhou-jianguo").open(path, url.Values{"note": {"已原路退回"}}); status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
		s.wantState(t, made.Body["id"], PaymentPending)
	})
	t.Run("a payment of elsewhere", func(t *testing.T) {
		s, sim := startOnline(t)
		s.begin(t, 5_000)
		header, body := sim.notification(sim.pay(func(o *simulated) { o.reference = "0123456789abcdef0123456789abcdef" }), time.Now())
		if status := sim.tell(s, header, body); status != http.StatusNoContent {
			t.Errorf("told: %d", status)
		}
		s.wantPurse(t, "li-qiang", 0)
	})
}

// Those about which nothing was done come first; what was noted stays.
func TestDone(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, zhou := t.Context(), by("zhou")
		s.mustTopUp(t, "li", 1_000)
		var odd []uuid.UUID
		for i, key := range []string{"a", "b"} {
			a := by("li")
			a.Now = a.Now.Add(time.Duration(i) * time.Minute)
			p := must[Payment](t)(s.BeginPayment(ctx, a, "li", 5_000, ChannelNative, key))
			must[Payment](t)(s.Settle(ctx, a, Outcome{Reference: p.Reference(), Paid: true, Amount: 1, Number: key}))
			odd = append(odd, p.ID)
		}
		wantRefusal(t, s.Done(ctx, zhou, odd[1], ""), RuleReason)
		later := by("sun")
		later.Now = zhou.Now.Add(time.Hour)
		if err := errors.Join(s.Done(ctx, zhou, odd[1], "退了"), s.Done(ctx, later, odd[1], "又写")); err != nil {
			t.Fatal(err)
		}
		if err := s.Done(ctx, zhou, uuid.New(), "退了"); !errors.Is(err, ErrNotFound) {
			t.Errorf("no payment: %v", err)
		}
		all := must[[]Payment](t)(s.OddPayments(ctx, zhou))
		if len(all) != 2 || all[0].ID != odd[0] || !all[0].DoneAt.IsZero() || all[0].Received != 1 || all[0].Odd != OddAmount {
			t.Fatalf("%+v", all)
		}
		if p := all[1]; p.Note != "退了" || p.DoneBy != "zhou" || !p.DoneAt.Equal(zhou.Now) {
			t.Errorf("%+v", p)
		}
	})
}

// A payment of which no notification comes is asked for; one that is not paid
// in time is closed, and what was paid in spite of it is booked.
func TestPaymentsAreReconciled(t *testing.T) {
	s, sim := startOnline(t)
	made := s.begin(t, 5_000)
	await(t, "it is asked for", func() bool {
		s.clock.Step(reconcileEvery)
		return sim.count("ask") > 1
	})
	sim.set(true) // unreachable for a while
	sim.pay()
	s.clock.Step(askEvery)
	sim.set(false)
	await(t, "what was paid is booked", func() bool {
		s.clock.Step(reconcileEvery)
		return s.inside(t, 200, "GET", "people/"+hosttest.PersonID(t, "li-qiang"), "").number("balance") == 5_000
	})
	s.wantState(t, made.Body["id"], PaymentPaid)
}

func TestUnpaidIsClosed(t *testing.T) {
	s, sim := startOnline(t)
	made := s.begin(t, 5_000)
	s.clock.Step(payWithin)
	await(t, "it is closed", func() bool {
		s.clock.Step(reconcileEvery)
		return s.api(t, "li-qiang").want(200, "GET", fmt.Sprintf("/payments/%s", made.Body["id"]), "").Body["state"] == "Closed"
	})
	if n := sim.count("close"); n != 1 || sim.only().state != "CLOSED" {
		t.Errorf("closed %d times at the provider, there it is %s", n, sim.only().state)
	}
	s.wantPurse(t, "li-qiang", 0)
	// A notification that comes after all counts: the money is there.
	header, body := sim.notification(sim.pay(), time.Now())
	for range 2 {
		if status := sim.tell(s, header, body); status != http.StatusNoContent {
			t.Errorf("told: %d", status)
		}
	}
	s.wantPurse(t, "li-qiang", 5_000)
	s.wantState(t, made.Body["id"], PaymentPaid)
}

// Who begins a payment while the provider does not answer begins it again.
func TestProviderIsDown(t *testing.T) {
	s, sim := startOnline(t)
	li := s.api(t, "li-qiang")
	sim.set(true)
	order := `{"amount":5000,"channel":"H5"}`
	if a := li.want(503, "POST", "/payments", order, "Idempotency-Key", "k"); a.Problem.Rule != "provider" {
		t.Errorf("down: %s", a.Raw)
	}
	sim.set(false)
	first := li.want(201, "POST", "/payments", order, "Idempotency-Key", "k")
	if again := li.want(201, "POST", "/payments", order, "Idempotency-Key", "k"); again.Body["id"] != first.Body["id"] || sim.count("begin") != 1 {
		t.Errorf("begun %s, then %s, %d times", first.Raw, again.Raw, sim.count("begin"))
	}
	if a := li.want(422, "POST", "/payments", `{"amount":6000,"channel":"H5"}`, "Idempotency-Key", "k"); a.Problem.Rule != "reused" {
		t.Errorf("another payment: %s", a.Raw)
	}
	s.PutKey(t, weChatPrivateKeyFile, []byte("no key"))
	li.want(503, "POST", "/payments", order, "Idempotency-Key", "other")
}

func TestPaymentLimits(t *testing.T) {
	s, _ := startOnline(t)
	li := s.api(t, "li-qiang")
	pay := func(status int, body string) string {
		t.Helper()
		return li.want(status, "POST", "/payments", body, "Idempotency-Key", nextKey()).Problem.Rule
	}
	if rule := pay(422, `{"amount":99,"channel":"Native"}`); rule != "amount" {
		t.Errorf("too little: %s", rule)
	}
	for range 4 {
		s.topUp(t, "wang-guihua", 100_000)
	}
	// Who orders for somebody tops up for them too; what is on its way counts.
	mother := fmt.Sprintf(`{"person":%q,"amount":60000,"channel":"Native"}`, hosttest.PersonID(t, "wang-guihua"))
	pay(201, mother)
	if rule := pay(409, mother); rule != "purse-full" {
		t.Errorf("too full: %s", rule)
	}
	pay(403, fmt.Sprintf(`{"person":%q,"amount":500,"channel":"Native"}`, hosttest.PersonID(t, "sun-li")))
	for range 2 {
		pay(201, `{"amount":500,"channel":"Native"}`)
	}
	if rule := pay(422, `{"amount":500,"channel":"Native"}`); rule != "too-many" {
		t.Errorf("too many: %s", rule)
	}
}

func TestNotOnline(t *testing.T) {
	s := start(t)
	if a := s.api(t, "li-qiang").want(404, "POST", "/payments", `{"amount":500,"channel":"Native"}`, "Idempotency-Key", "k"); a.Problem.Rule != "not-online" {
		t.Errorf("not online: %s", a.Raw)
	}
	li := s.browser(t, "li-qiang")
	li.hasNot(li.page("/accounts/"), "微信充值")
	if status, _, _ := li.open(topUpPath, nil); status != http.StatusNotFound {
		t.Errorf("the page to pay: %d", status)
	}
	if status := newSimulator(t).tell(s, http.Header{}, ""); status != http.StatusNotFound {
		t.Errorf("a notification: %d", status)
	}
}

func TestPaymentPages(t *testing.T) {
	s, sim := startOnline(t)
	li := s.browser(t, "li-qiang")
	li.page("/accounts/", "微信充值")
	page := li.page(topUpPath, "王桂花", "用这部手机上的微信付款")
	form := url.Values{"amount": {"x"}, "channel": {"Native"}, "person": {hosttest.PersonID(t, "wang-guihua")}, "key": {li.key(page)}}
	li.refused(topUpPath, form, "请填写金额", `href="#amount"`)
	form.Set("amount", "50")
	sim.set(true)
	li.refused(topUpPath, form, "暂时连不上微信支付")
	sim.set(false)
	payment := li.send(topUpPath, form)
	li.page(payment, "¥50.00", "请用微信扫描二维码付款", `class="qr"`, "09:45")
	li.page(payment+"?paid", "我已付款") // not yet
	sim.pay()
	li.page(payment+"?paid", "充值成功")
	s.wantPurse(t, "wang-guihua", 5_000)
	s.browser(t, "wang-guihua").page(payment, "充值成功")
	if status, _, _ := s.browser(t, "sun-li").open(payment, nil); status != http.StatusNotFound {
		t.Errorf("another's payment: %d", status)
	}
	form = url.Values{"amount": {"10"}, "channel": {"H5"}, "person": {hosttest.PersonID(t, "li-qiang")}, "key": {"h5"}}
	li.page(li.send(topUpPath, form), "打开微信付款", "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=", "redirect_url=http")
	if status, _, _ := li.open(topUpPath, url.Values{"amount": {"10"}, "channel": {"Cheque"}, "person": {hosttest.PersonID(t, "li-qiang")}, "key": {"c"}}); status != http.StatusBadRequest {
		t.Errorf("another channel: %d", status)
	}
}

// TestSettleOnce books what many say at once, on every engine.
func TestSettleOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, news *told) {
		ctx, daughter := t.Context(), by("daughter")
		p := must[Payment](t)(s.BeginPayment(ctx, daughter, "li", 5_000, ChannelNative, "k"))
		if len(p.Reference()) != 32 {
			t.Errorf("reference %s", p.Reference())
		}
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if _, err := s.Settle(ctx, daughter, Outcome{Reference: p.Reference(), Paid: i%3 > 0, Closed: i%3 == 0, Amount: 5_000, Number: "4"}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantPurse(t, s, "li", 5_000, 0)
		if paid := must[Payment](t)(s.Payment(ctx, p.ID)); paid.State != PaymentPaid || paid.Number != "4" {
			t.Errorf("%+v", paid)
		}
		if told := news.take(); len(told) == 0 || told[0].Kind != NewsToppedUp || told[0].Person != "li" {
			t.Errorf("told %+v", told)
		}
		if _, err := s.Settle(ctx, daughter, Outcome{Reference: strings.Repeat("0", 32), Paid: true}); !errors.Is(err, ErrNotFound) {
			t.Errorf("settled nothing: %v", err)
		}
		// Money for somebody who is gone is nobody's, and not lost.
		late := must[Payment](t)(s.BeginPayment(ctx, daughter, "li", 700, ChannelNative, "late"))
		for _, person := range []string{"li", "daughter"} {
			if err := s.Forget(ctx, by(person), person); err != nil {
				t.Fatal(err)
			}
		}
		must[Payment](t)(s.Settle(ctx, daughter, Outcome{Reference: late.Reference(), Paid: true, Amount: 700}))
		if l := must[Ledger](t)(s.Ledger(ctx, daughter, "2026-11")); l.Nobodys != 5_700 {
			t.Errorf("ledger %+v", l)
		}
	})
}
