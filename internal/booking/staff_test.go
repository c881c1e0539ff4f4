package booking

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
)

// hall needs the staff's approval, the clinic of startDesk has two doctors and
// releases no-shows.
func hall() v1alpha1.Venue {
	v := musicRoom()
	v.Name, v.DisplayName, v.Approval = "hall", "多功能厅", v1alpha1.ApprovalStaff
	return v
}

func twoDoctors() v1alpha1.Venue {
	v := clinic()
	v.NoShowMinutes = 15
	v.Attendants = []v1alpha1.Attendant{{Name: "zhang", DisplayName: "张医生"}, {Name: "liu", DisplayName: "刘医生"}}
	return v
}

// startDesk is start for a community that keeps its venues itself.
func startDesk(t testing.TB) running {
	t.Helper()
	service, err := Service()
	if err != nil {
		t.Fatal(err)
	}
	community := hosttest.Community()
	community.Spec.Services.Booking = &v1alpha1.Booking{
		ManagedBy: v1alpha1.ManagedByCommunity,
		Venues:    []v1alpha1.Venue{studyRoom(), musicRoom(), hall(), twoDoctors()},
	}
	clock := testclock.NewFakeClock(moment(t, monday))
	server := hosttest.Start(t, hosttest.Options{Services: []host.Service{service}, Community: community, Clock: clock})
	return running{server, clock}
}

// fields are what a page's form would send as it stands, apart from its buttons.
func (b browser) fields(page string, changes ...string) url.Values {
	b.t.Helper()
	form := url.Values{}
	attribute := func(tag, name string) string {
		m := regexp.MustCompile(` ` + name + `="([^"]*)"`).FindStringSubmatch(tag)
		if m == nil {
			return ""
		}
		return strings.NewReplacer("&#43;", "+", "&amp;", "&", "&#39;", "'", "&#34;", `"`).Replace(m[1])
	}
	_, page, ok := strings.Cut(page, `<main`)
	if i := strings.Index(page, `<form method="post" novalidate`); i >= 0 {
		page = page[i:]
	}
	page, _, _ = strings.Cut(page, `</form>`)
	if !ok {
		b.t.Fatal("no page")
	}
	for _, tag := range regexp.MustCompile(`<input [^>]*>`).FindAllString(page, -1) {
		kind := attribute(tag, "type")
		if (kind == "radio" || kind == "checkbox") && !strings.Contains(tag, " checked") {
			continue
		}
		form.Add(attribute(tag, "name"), attribute(tag, "value"))
	}
	for _, m := range regexp.MustCompile(`(?s)<textarea([^>]*)>(.*?)</textarea>`).FindAllStringSubmatch(page, -1) {
		form.Set(attribute(m[1], "name"), m[2])
	}
	for _, m := range regexp.MustCompile(`(?s)<select([^>]*)>(.*?)</select>`).FindAllStringSubmatch(page, -1) {
		for _, option := range regexp.MustCompile(`<option[^>]*>`).FindAllString(m[2], -1) {
			if strings.Contains(option, " selected") {
				form.Set(attribute(m[1], "name"), attribute(option, "value"))
			}
		}
	}
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	return form
}

const deskMonday = "/booking/staff/?date=2026-11-23"

// deskAt9 is where the staff book a venue's slot at nine.
func deskAt9(venue string) string {
	return "/booking/staff/book?start=" + url.QueryEscape(nineAM) + "&venue=" + venue
}

// TestStaffOnly: nobody, residents and staff without the duty reach no page and
// no form of the staff, and a foreign site cannot send one in their name.
func TestStaffOnly(t *testing.T) {
	s := startDesk(t)
	made := s.browser(t, "li-qiang").send("/booking/venues/music/book", s.browser(t, "li-qiang").form(s.browser(t, "li-qiang").page(at9("music"))))
	id := strings.TrimPrefix(strings.Split(made, "?")[0], bookingsPath)
	fill := strings.NewReplacer("{$}", "", "{id}", id, "{venue}", "music", "{attendant}", "zhang")
	nobody, resident, desk := s.browser(t, ""), s.browser(t, "li-qiang"), s.browser(t, "sun-li")
	routes := (&service{}).staffRoutes()
	if len(routes) < 15 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, route := range routes {
		method, path, _ := strings.Cut(fill.Replace(route.pattern), " ")
		var form url.Values
		if strings.HasPrefix(path, staffVenuesPath) && method == http.MethodPost && route.duty != identity.Manager {
			t.Errorf("%s is not for managers only", route.pattern)
		}
		if method == http.MethodPost {
			form = url.Values{"reason": {"试试"}}
		}
		if status, location, _ := nobody.open(path, form); status != http.StatusSeeOther || !strings.HasPrefix(location, "/identity/sign-in") {
			t.Errorf("nobody %s: %d to %s", route.pattern, status, location)
		}
		if status, _, page := resident.open(path, form); status != http.StatusForbidden || strings.Contains(page, "李强的") || !strings.Contains(page, "<main") {
			t.Errorf("a resident %s: %d", route.pattern, status)
		}
		if route.duty == identity.Manager {
			if status, _, _ := desk.open(path, form); status != http.StatusForbidden {
				t.Errorf("the front desk %s: %d", route.pattern, status)
			}
		}
		if form == nil {
			continue
		}
		r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		answer, err := s.browser(t, "zhou-jianguo").client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("another site %s: %d", route.pattern, answer.StatusCode)
		}
	}
	if !slices.ContainsFunc(routes, func(r staffRoute) bool { return strings.HasPrefix(r.pattern, "POST ") }) {
		t.Error("no form")
	}
	resident.page(made, "已约好")
}

// TestStaffFindTheWay: only staff see the way to their pages.
func TestStaffFindTheWay(t *testing.T) {
	s := startDesk(t)
	for account, sees := range map[string]bool{"": false, "li-qiang": false, "sun-li": true, "zhou-jianguo": true} {
		for _, path := range []string{"/booking/", "/booking/card"} {
			if page := s.browser(t, account).page(path); strings.Contains(page, staffPath) != sees {
				t.Errorf("%q on %s: the way to the staff's pages is there: %t", account, path, !sees)
			}
		}
	}
}

func TestBoard(t *testing.T) {
	s := startDesk(t)
	li, wang, sun := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua"), s.browser(t, "sun-li")
	li.send("/booking/venues/clinic/book", li.form(li.page(at9("clinic"))))
	wang.send("/booking/venues/hall/book", wang.form(wang.page(at9("hall"))))

	board := sun.page(deskMonday, "11月23日", "社区诊所", "李强", `href="tel:13800000002"`, "张医生", "请先处理（1）", "王桂花", "等审批", "还没有人预约", "待审批（1）")
	// The request is approved from the board, which comes again.
	approve := regexp.MustCompile(`action="(/booking/staff/bookings/[^"]*/approve)"`).FindStringSubmatch(board)
	if approve == nil {
		t.Fatalf("no request to approve:\n%s", board)
	}
	back := sun.send(approve[1], url.Values{"back": {deskMonday}})
	if back != deskMonday+"&done=approved" {
		t.Errorf("after approving: %s", back)
	}
	if page := sun.page(back, "已同意"); strings.Contains(page, "请先处理") {
		t.Error("what was approved still wants attention")
	}
	// A form leads back to the staff's pages only.
	if back := sun.send(approve[1], url.Values{"back": {"//evil.example/"}}); !strings.HasPrefix(back, staffBookingsPath) {
		t.Errorf("a foreign way back: %s", back)
	}
	// Who comes to the desk is found by name or phone, and checked in.
	s.clock.SetTime(moment(t, "2026-11-23T09:05:00+08:00"))
	sun.page(deskMonday, "还没到，09:15释放", "请先处理（1）")
	for _, query := range []string{"李", "138 0000 0002", "０００２"} {
		found := sun.page(deskMonday+"&q="+url.QueryEscape(query), "当天的预约", "签到")
		if found, _, _ := strings.Cut(found, "请先处理"); strings.Contains(found, "王桂花") || !strings.Contains(found, "李强") {
			t.Errorf("found for %q:\n%s", query, found)
		}
	}
	sun.page(deskMonday+"&q="+url.QueryEscape("赵"), "当天没有这个人的预约")
	checkIn := regexp.MustCompile(`action="(/booking/staff/bookings/[^"]*/check-in)"`).FindStringSubmatch(sun.page(deskMonday + "&q=" + url.QueryEscape("李强")))
	sun.page(sun.send(checkIn[1], url.Values{"back": {deskMonday}}), "已签到", "09:05已到")
	s.clock.SetTime(moment(t, "2026-11-23T09:30:00+08:00"))
	sun.page(deskMonday, "09:05已到")
	for _, wrong := range []string{"/booking/staff/?date=x", "/booking/staff/bookings/x", "/booking/staff/bookings/" + uuid.NewString(), "/booking/staff/waiting?date=x"} {
		if status, _, _ := sun.open(wrong, nil); status != http.StatusNotFound {
			t.Errorf("%s: status %d", wrong, status)
		}
	}
}

func TestRequests(t *testing.T) {
	s := startDesk(t)
	wang, sun := s.browser(t, "wang-guihua"), s.browser(t, "sun-li")
	sun.page("/booking/staff/requests", "没有待审批的预约")
	own := wang.send("/booking/venues/hall/book", wang.form(wang.page(at9("hall"))))
	page := sun.page("/booking/staff/requests", "王桂花", "多功能厅", "11月23日")
	refuse := sun.link(page, "不同意")
	sun.page(refuse, "王桂花", "原因")
	status, _, page := sun.open(refuse, url.Values{"reason": {"  "}})
	sun.has(page, "请写原因", `href="#reason"`)
	if status != http.StatusUnprocessableEntity {
		t.Errorf("no reason: status %d", status)
	}
	long := strings.Repeat("长", maxReason+1)
	_, _, page = sun.open(refuse, url.Values{"reason": {long}})
	sun.has(page, "原因太长了", long)
	sun.page(sun.send(refuse, url.Values{"reason": {"那天要开居民大会"}}), "已答复不同意", "未同意", "那天要开居民大会")
	wang.page(own)
	// It was answered: approving it now is not possible, and says so.
	status, _, page = sun.open(strings.Replace(refuse, "/refuse", "/approve", 1), url.Values{})
	sun.has(page, "已经有了答复")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("approving what was refused: status %d", status)
	}
	if status, location, _ := sun.open(refuse, nil); status != http.StatusSeeOther || location+"/refuse" != refuse {
		t.Errorf("the question whether to refuse what was refused: %d to %s", status, location)
	}
}
