package county

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// looks are the addresses at which pages were looked at.
type looks struct {
	sync.Mutex
	addresses []string
}

func (l *looks) at(address string) {
	l.Lock()
	defer l.Unlock()
	l.addresses = append(l.addresses, address)
}

// getRoute is a row of the table of routes with something that is only read.
var getRoute = regexp.MustCompile("^\\| `(GET [^`]+)` \\| ([^|]+) \\|$")

// noPage are routes that answer with something else than a page.
var noPage = regexp.MustCompile(`/(?:api|sharing)/|/static/|/card$|/photos/|\.(txt|ico|ics|csv|xlsx|json)$|\{file\}$|/staff/papers/|` +
	`^GET /identity/(sign-in|callback)$|^GET /residents/staff/\{\$\}$`) // the last ones lead elsewhere

// all fails for every page of the table of routes that was not looked at, of
// the services that are on in the community with the address.
func (l *looks) all(t *testing.T, base string) {
	t.Helper()
	on := map[string]bool{}
	isOn := func(route string) bool {
		service, _, inService := strings.Cut(strings.TrimPrefix(route, "GET /"), "/")
		if !inService || service == "identity" {
			return true
		}
		if _, asked := on[service]; !asked {
			on[service] = call(t, http.MethodGet, base+"/"+service+"/card", "", nil, nil).StatusCode != http.StatusNotFound
		}
		return on[service]
	}
	file, err := os.Open("../../docs/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// The mux that the services use says to which route an address belongs.
	mux, missing := http.NewServeMux(), map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		row := getRoute.FindStringSubmatch(lines.Text())
		if row == nil {
			continue
		}
		mux.HandleFunc(row[1], http.NotFound)
		missing[row[1]] = row[2] != "service" && !noPage.MatchString(row[1]) && isOn(row[1])
	}
	if err := lines.Err(); err != nil || len(missing) == 0 {
		t.Fatalf("reading the table of routes: %d rows, %v", len(missing), err)
	}
	for _, address := range l.addresses {
		_, route := mux.Handler(httptest.NewRequest(http.MethodGet, address, nil))
		missing[route] = false
	}
	for route, is := range missing {
		if is {
			t.Errorf("%s: no page of it was looked at; add one to the pages of this test", route)
		}
	}
}

// prefer chooses the mode that is offered at a first visit.
func (p *person) prefer(mode string) {
	p.Helper()
	p.clickAt(fmt.Sprintf(`//section[@class="offer"]//button[@value=%q]`, mode))
}

// enterBy signs in with a number that is nobody's among the sample people.
func (p *person) enterBy(phone string) {
	p.Helper()
	p.visit(county.url("zhanqian") + "/identity/sign-in")
	p.signInBy(phone)
}

// sharedPhone is the number of two people who have one account.
const sharedPhone = "13722220009"

// furnishPeople has people ask for things, share a number, and be paid attention to.
func (f *furnished) furnishPeople(t *testing.T) {
	t.Helper()
	api, desk := f.base+"/residents/api/v1", county.token(t, "zhanqian", manager)
	do := func(method, path string, in, out any) {
		t.Helper()
		if res := call(t, method, api+path, desk, in, out); res.StatusCode >= 300 {
			t.Fatalf("%s %s: %s", method, path, res.Status)
		}
	}
	find := func(name string) string {
		var found struct{ People []struct{ ID string } }
		do("GET", "/people?query="+url.QueryEscape(name), nil, &found)
		if len(found.People) == 0 {
			t.Fatalf("nobody is called %s", name)
		}
		return found.People[0].ID
	}
	f.person = find("李强")
	do("PUT", "/people/"+find("周建国")+"/duties", map[string]any{"duties": []string{"FrontDesk", "Kitchen", "Manager", "DataProtection"}}, nil)

	family := []string{"欧阳秀英", "司马长河"}
	for _, name := range family {
		do("POST", "/people", map[string]any{"name": name, "phone": sharedPhone}, nil)
	}
	p := browser(t)
	p.visit(f.base + "/residents/")
	p.signInBy(sharedPhone)
	p.fill("name", family[0])
	p.submit()
	joined, err := chromedp.Run(p.ctx, chromedp.Evaluate[int](
		fmt.Sprintf(`fetch("/residents/join", {method: "POST", body: new URLSearchParams({name: %q})}).then(r => r.status)`, family[1]), chromedp.EvalAwaitPromise))
	if err != nil || joined >= 400 {
		t.Fatalf("the second of the family says who he is: %d, %v", joined, err)
	}

	p = browser(t)
	p.visit(f.base + "/residents/")
	p.signInBy("13722220008")
	p.fill("name", "李强") // as somebody whom the community knows
	p.submit()
	p.fill("bornOn", "1988-03-02")
	p.fill("note", "我和老伴上个月刚从老家搬来，住女儿家隔壁。")
	p.submit()
	var waiting struct{ Requests []struct{ ID string } }
	do("GET", "/requests", nil, &waiting)
	if len(waiting.Requests) == 0 {
		t.Fatal("nobody asks to join")
	}
	f.asked = waiting.Requests[0].ID
}

// guestPages are those of the built-in provider, to whom nobody is known.
func guestPages(mode string) []page {
	const start, staff = "/identity/sign-in", "/identity/sign-in?staff=true"
	number := map[string]string{"standard": "1372222001", "elder": "1372222002"}[mode]
	wrong := func(fields ...string) func(p *person) {
		return func(p *person) {
			for _, f := range fields {
				p.fill(f, "12")
			}
			p.submit()
		}
	}
	code := func(phone string) func(p *person) { return func(p *person) { p.fill("phone", phone); p.submit() } }
	enrol := func(p *person) { p.signInBy(number + "1") }
	app := func(p *person) {
		enrol(p)
		p.fill("password", "站前的石榴树 seven")
		p.fill("again", "站前的石榴树 seven")
		p.submit()
		p.sees("设置身份验证器")
	}
	after := func(first, then func(p *person)) func(p *person) { return func(p *person) { first(p); then(p) } }
	return []page{
		{name: "sign-in", path: start, then: func(p *person) { p.accessible(""); p.prefer(mode) }},
		{name: "sign-in-mistake", path: start, then: wrong("phone")},
		{name: "code", path: start, then: code(number + "0")},
		{name: "code-mistake", path: start, then: after(code(number+"2"), wrong("code"))},
		{name: "enrol", path: staff, then: enrol},
		{name: "enrol-mistakes", path: staff, then: after(enrol, wrong("password", "again"))},
		{name: "app", path: staff, then: app},
		{name: "app-mistake", path: staff, then: after(app, wrong("code"))},
		{name: "password", path: staff, then: func(p *person) { p.signInBy("13800000005") }},
		{name: "provider", path: "http://id.localhost:" + county.gatewayPort + "/"},
		{name: "lost", path: "http://id.localhost:" + county.gatewayPort + "/sign-in/code"},
	}
}

// newcomerPages are those for whom the community does not know.
func (f furnished) newcomerPages() []page {
	known := func(p *person) { p.fill("name", "何春生"); p.submit() }
	return []page{
		{name: "join", path: "/residents/join"},
		{name: "join-full", path: "/residents/join", then: known},
		{name: "join-mistakes", path: "/residents/join", then: func(p *person) {
			known(p)
			p.fill("bornOn", "六一年")
			p.fill("building", "99号楼")
			p.submit()
		}},
		{name: "which-nobody", path: "/residents/which"},
		{name: "invitation", path: "/residents/invitation"},
		{name: "invitation-mistake", path: "/residents/invitation", then: func(p *person) { p.fill("code", "ABCD"); p.submit() }},
	}
}

// ownPages are those on which people see and change what is about them.
func ownPages() []page {
	press := func(action string) func(p *person) {
		return func(p *person) { p.clickAt(fmt.Sprintf(`//main//form[@action=%q]//button`, action)) }
	}
	return []page{
		{name: "me", path: "/residents/"},
		{name: "correct", path: "/residents/correct"},
		{name: "correct-mistakes", path: "/residents/correct", then: func(p *person) {
			p.fill("bornOn", "2091-01-01")
			press("/residents/correct")(p)
		}},
		{name: "looks", path: "/residents/looks"},
		{name: "consents", path: "/residents/consents"},
		{name: "acting", path: "/residents/acting"},
		{name: "acting-mistake", path: "/residents/acting", then: press("/residents/acting/ask")},
		{name: "acting-code", path: "/residents/acting", then: press("/residents/acting/offer")},
		{name: "leave", path: "/residents/delete"},
		{name: "leave-mistake", path: "/residents/delete", then: press("/residents/delete")},
		{name: "sessions", path: "/identity/sessions"},
		{name: "forbidden", path: "/residents/staff/people/"},
	}
}

// deskPages are those of the staff about people.
func (f furnished) deskPages(t *testing.T) []page {
	t.Helper()
	const staff = "/residents/staff/"
	li, record := url.QueryEscape("李"), staff+"people/"+f.person
	file := filepath.Join(t.TempDir(), "居民.csv")
	table := []string{"姓名,手机号,出生日期,小区,身份证号", "李强,13800000002,1988-03-03,,", "新来的,1234,1990-02-30,没有的小区,", "孙海平,13722220007,1961-04-05,,"}
	if err := os.WriteFile(file, []byte(strings.Join(table, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	save := `//main//form[@method="post"]//button`
	return []page{
		{name: "people", path: staff + "people/?estate=&building=&away=false"},
		{name: "people-found", path: staff + "people/?query=" + li},
		{name: "people-none", path: staff + "people/?query=" + url.QueryEscape("无此人")},
		{name: "person", path: record + "?actor=" + url.QueryEscape("王")},
		{name: "person-edit", path: record + "/edit"},
		{name: "person-delete", path: record + "/delete"},
		{name: "person-new", path: staff + "new"},
		{name: "person-mistakes", path: staff + "new", then: func(p *person) { p.clickAt(save) }},
		{name: "person-likely", path: staff + "new", then: func(p *person) {
			p.fill("name", "李强")
			p.fill("bornOn", "1988-03-02")
			p.clickAt(save)
		}},
		{name: "asked", path: staff + "requests"},
		{name: "asked-refuse", path: staff + "requests/" + f.asked + "/refuse"},
		{name: "asked-refuse-mistake", path: staff + "requests/" + f.asked + "/refuse", then: func(p *person) { p.clickAt(save) }},
		{name: "import", path: staff + "import"},
		{name: "import-mistake", path: staff + "import", then: func(p *person) { p.clickAt(save) }},
		{name: "import-read", path: staff + "import", then: func(p *person) {
			p.do(chromedp.SetUploadFiles(chromedp.ID("table"), []string{file}))
			p.clickAt(save)
		}},
		{name: "duties", path: staff + "duties?query=" + li},
		{name: "duties-of", path: staff + "duties/" + f.person},
		{name: "audit", path: staff + "audit"},
		{name: "audit-of", path: staff + "audit?person=" + f.person},
		{name: "audit-found", path: staff + "audit?query=" + li},
	}
}
