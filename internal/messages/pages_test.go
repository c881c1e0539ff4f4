package messages

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/uptrace/bun"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity/identitytest"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/portal"
	"github.com/linli-io/linli/internal/web/webtest"
)

func TestMessages(t *testing.T) {
	webtest.Messages(t, "messages", []string{"messages."}, ".")
}

// running is a community with a service that has something to tell.
type running struct {
	*hosttest.Server
	t     *testing.T
	clock *testclock.FakeClock
	db    *database.DB
}

func start(t *testing.T, g *smsGateway) running {
	t.Helper()
	r := running{t: t, clock: testclock.NewFakeClock(clockAt(12, 0))}
	tables := fstest.MapFS{"sqlite/00001_probe.sql": {Data: []byte("-- +goose Up\nCREATE TABLE probe (x TEXT NOT NULL);\n")}}
	services := []host.Service{{
		Name: "probe", Migrations: tables,
		Register: func(_ context.Context, rt *host.Runtime) error { r.db = rt.DB; return nil },
	}}
	for _, open := range []func() (host.Service, error){portal.Service, Service} {
		s, err := open()
		must(t, err)
		services = append(services, s)
	}
	release := hosttest.Release()
	if g != nil {
		release.Class.Notifications.SMSWebhook = g.URL
	}
	r.Server = hosttest.Start(t, hosttest.Options{Services: services, Release: release, Clock: r.clock})
	return r
}

func idOf(account string) string {
	m, _ := identitytest.MemberOf(account)
	return m.ID
}

// send has the other service tell something, and waits until a person has it.
func (r running) send(m notify.Message) {
	r.t.Helper()
	must(r.t, r.db.Write(r.t.Context(), func(ctx context.Context, tx bun.Tx) error { return notify.Send(ctx, tx, m) }))
	r.await("the message is handed over", func() bool {
		var n int
		must(r.t, r.db.Reader().NewRaw("SELECT count(*) FROM notify_outbox").Scan(r.t.Context(), &n))
		return n == 0
	})
}

// await has time pass until something is so.
func (r running) await(what string, so func() bool) {
	r.t.Helper()
	for over := time.Now().Add(30 * time.Second); !so(); {
		if time.Now().After(over) {
			r.t.Fatalf("waited in vain: %s", what)
		}
		r.clock.Step(time.Second)
	}
}

func (r running) message(account, about, text string) notify.Message {
	return notify.Message{
		At: r.clock.Now(), Person: idOf(account), Kind: "probe", About: about, Link: "/booking/bookings/" + about, NotAfter: r.clock.Now().Add(48 * time.Hour),
		Text: map[string]string{"zh-CN": text, "en": "In English: " + text},
	}
}

// page opens a page, or sends a form to it, and returns what it says.
func (r running) page(client *http.Client, status int, path string, form url.Values) string {
	r.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	request, err := http.NewRequestWithContext(r.t.Context(), method, r.URL+path, strings.NewReader(body))
	must(r.t, err)
	request.Header.Set("Accept-Language", "zh-CN")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := client.Do(request)
	must(r.t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(r.t, err)
	if answer.StatusCode != status {
		r.t.Errorf("%s %s: %s, want %d", method, path, answer.Status, status)
	}
	return string(text)
}

func wants(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, want := range texts {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

func lacks(t *testing.T, page string, texts ...string) {
	t.Helper()
	for _, other := range texts {
		if strings.Contains(page, other) {
			t.Errorf("the page has %q", other)
		}
	}
}

// field is the value of a hidden field.
func field(t *testing.T, page, name string) string {
	t.Helper()
	m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("the page has no field %s", name)
	}
	return m[1]
}

func TestInboxPages(t *testing.T) {
	r := start(t, nil)
	li, wang := r.SignIn(t, "li-qiang"), r.SignIn(t, "wang-guihua")
	wants(t, r.page(r.Client(t), 200, "/", nil), "预约有变动时，社区会在这里告诉您")
	wants(t, r.page(li, 200, "/", nil), "没有新消息")
	wants(t, r.page(li, 200, inboxPath, nil), "还没有消息")
	m := r.message("wang-guihua", "1", "琴房的预约已取消。")
	m.By = idOf("li-qiang")
	r.send(m)
	wants(t, r.page(wang, 200, "/", nil), "有1条未读消息")
	own := r.page(wang, 200, inboxPath, nil)
	wants(t, own, "琴房的预约已取消。", `href="/booking/bookings/1"`, "新")
	lacks(t, own, "关于")
	others := r.page(li, 200, inboxPath, nil)
	wants(t, others, "关于王桂花", "琴房的预约已取消。", "有1条未读消息")
	// Nobody reads or marks another's.
	r.page(r.SignIn(t, "chen-yutong"), 404, readPath, url.Values{"upTo": {field(t, others, "upTo")}})
	r.page(li, 303, readPath, url.Values{"upTo": {field(t, others, "upTo")}})
	lacks(t, r.page(li, 200, inboxPath, nil), "未读", "全部标为已读")
	wants(t, r.page(wang, 200, "/", nil), "有1条未读消息")
	r.page(li, 400, readPath, url.Values{"upTo": {"x"}})
	r.page(li, 404, inboxPath+"?after=x", nil)
	// From outside nobody hands anything over, and nobody looks who is not signed in.
	r.page(li, 404, notify.ReceivePath, url.Values{"id": {"1"}})
	r.page(r.Client(t), 303, inboxPath, nil)
}

func TestOlderMessages(t *testing.T) {
	r := start(t, nil)
	for n := range inboxPerPage + 1 {
		r.send(r.message("li-qiang", string(rune('a'+n)), "消息"+string(rune('a'+n))+"。"))
	}
	li := r.SignIn(t, "li-qiang")
	first := r.page(li, 200, inboxPath, nil)
	wants(t, first, "消息u。", "消息b。", "更早的消息")
	lacks(t, first, "消息a。")
	older := regexp.MustCompile(`href="(/messages/\?after=[^"]*)"`).FindStringSubmatch(first)
	if older == nil {
		t.Fatal("no way to the older ones")
	}
	second := r.page(li, 200, older[1], nil)
	wants(t, second, "消息a。")
	lacks(t, second, "消息b。", "更早的消息")
}

func TestPreferencesPages(t *testing.T) {
	g := newSMSGateway(t, always(http.StatusOK))
	g.Config.Handler = http.NotFoundHandler()
	r := start(t, g)
	li := r.SignIn(t, "li-qiang")
	wants(t, r.page(li, 200, preferencesPath, nil), "21点到次日8点不发短信")
	chosen(t, r.page(li, 200, preferencesPath, nil), "sms", "zh-CN")
	r.page(li, 303, preferencesPath, url.Values{"way": {"call"}, "language": {"en"}})
	wants(t, r.page(li, 200, inboxPath+"?done=saved", nil), "已保存")
	chosen(t, r.page(li, 200, preferencesPath, nil), "call", "en")
	for _, bad := range []url.Values{{}, {"way": {"pigeon"}, "language": {"en"}}, {"way": {"sms"}, "language": {"la"}}} {
		r.page(li, 400, preferencesPath, bad)
	}
	other := start(t, nil)
	wants(t, other.page(other.SignIn(t, "li-qiang"), 200, preferencesPath, nil), "本社区目前不发短信")
}

// chosen checks what is chosen on a page.
func chosen(t *testing.T, page string, want ...string) {
	t.Helper()
	var got []string
	for _, input := range regexp.MustCompile(`<input[^>]*type="radio"[^>]*>`).FindAllString(page, -1) {
		if strings.Contains(input, "checked") {
			got = append(got, regexp.MustCompile(`value="([^"]*)"`).FindStringSubmatch(input)[1])
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("chosen: %q, want %q", got, want)
	}
}

func TestCallListPages(t *testing.T) {
	r := start(t, nil)
	zhao, desk := r.SignIn(t, "zhao-changshun"), r.SignIn(t, "sun-li")
	r.page(zhao, 303, preferencesPath, url.Values{"way": {"call"}, "language": {"zh-CN"}})
	r.send(r.message("zhao-changshun", "1", "诊所的预约改到周二。"))
	guest := r.message("li-qiang", "2", "琴房的预约已取消。")
	guest.Person, guest.Name = "guest:1", "老周"
	r.send(guest)

	r.page(zhao, 403, callsPath, nil)
	r.page(r.Client(t), 303, callsPath, nil)
	list := r.page(desk, 200, callsPath, nil)
	wants(t, list, "赵长顺", "138 0000 0004", "诊所的预约改到周二。", "老周", "没有电话")
	wants(t, r.page(desk, 200, "/", nil), "电话名单")
	lacks(t, r.page(zhao, 200, "/", nil), "电话名单")
	call := regexp.MustCompile(`action="(/messages/calls/[^"]*)"`).FindStringSubmatch(list)[1]
	r.page(zhao, 403, call, url.Values{"outcome": {"told"}})
	r.page(desk, 400, call, url.Values{"outcome": {"forgotten"}})
	wants(t, r.page(desk, 422, call, url.Values{"outcome": {"told"}, "note": {strings.Repeat("长", maxNote+1)}}), "备注最多200个字")
	r.page(desk, 303, call, url.Values{"outcome": {"missed"}, "note": {"占线"}})
	wants(t, r.page(desk, 200, callsPath+"?done=missed", nil), "没联系上，稍后再试", "已试过1次", "占线")
	r.page(desk, 303, call, url.Values{"outcome": {"told"}})
	wants(t, r.page(desk, 200, callsPath, nil), "老周")
	lacks(t, r.page(desk, 200, callsPath, nil), "赵长顺")
	r.page(desk, 404, call, url.Values{"outcome": {"told"}})
	r.page(desk, 404, callsPath+"/x", url.Values{"outcome": {"told"}})
}
