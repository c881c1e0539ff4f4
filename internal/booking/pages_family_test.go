package booking

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
)

// barber is for people of 60 years and older.
func barber() v1alpha1.Venue {
	v := clinic()
	v.Name, v.DisplayName, v.MinAge = "barber", "理发", 60
	return v
}

// choir is for members.
func choir() v1alpha1.Venue {
	v := musicRoom()
	v.Name, v.DisplayName, v.Access = "choir", "合唱团", v1alpha1.AccessMembers
	return v
}

// startHome is start with venues for everything that residents can do.
func startHome(t testing.TB) running {
	t.Helper()
	study, music := studyRoom(), musicRoom()
	music.BookingWindowDays = 30
	study.NoShowMinutes = 15
	care := doctors()
	care.CancelNoticeMinutes = 120
	return startWith(t, v1alpha1.ManagedByManifest, study, music, hall(), care, barber(), choir())
}

// who is the ID of the person whom a page offers by that name.
func (b browser) who(page, name string) string {
	b.t.Helper()
	m := regexp.MustCompile(`name="for" type="radio" value="([^"]+)"> <span>` + name).FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("nobody is called %s in the page:\n%s", name, page)
	}
	return m[1]
}

// lacks checks that a page does not have some texts.
func (b browser) lacks(page string, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if strings.Contains(page, text) {
			b.t.Errorf("the page has %q:\n%s", text, regexp.MustCompile(`(?s)^.*<main`).ReplaceAllString(page, "<main"))
		}
	}
}

// book books a venue's slot, as the form stands but for changes, and returns
// the page of the booking.
func (b browser) book(venue, start string, changes ...string) string {
	b.t.Helper()
	form := b.fields(b.page(orderURL(venue, moment(b.t, start))))
	for i := 0; i+1 < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	path, _, _ := strings.Cut(b.send(venuesPath+venue+"/book", form), "?")
	return path
}

func TestPagesForTheFamily(t *testing.T) {
	s := startHome(t)
	li, wang := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua")
	order := li.page(at9("study"), "给谁约", "李强", "王桂花", "李小满")
	mother := li.who(order, "王桂花")
	path := li.book("study", nineAM, "for", mother)
	li.page(path, "给谁约", "王桂花")
	li.page("/booking/bookings/", "给王桂花")
	li.page("/booking/card", "给王桂花")
	li.page(studyDay, "王桂花已约")
	li.page("/booking/bookings/?for="+mother, "自习室")
	self := li.who(order, "李强")
	li.lacks(li.page("/booking/bookings/?for="+self), "自习室")
	// To book again is to book for the same person.
	again := li.page(li.link(li.page(path), "再约一次"))
	order = li.page(li.link(again, "10:00–到11:00"))
	li.has(order, `checked name="for" type="radio" value="`+mother+`"`)

	// Who has nobody else is not asked, and learns who made the booking.
	wang.lacks(wang.page(at9("study")), "给谁约")
	wang.has(wang.page(path), "谁帮您约的", "李强")

	// Ages and members are told before the form is filled in.
	order = li.page(at9("barber"), "只接待60岁和以上", "自己", "李小满", "王桂花")
	li.lacks(order, `value="`+self+`"`)
	li.book("barber", nineAM)
	li.page("/booking/bookings/?for="+mother, "理发")
	chen := s.browser(t, "chen-yutong")
	chen.lacks(chen.page(at9("barber"), "不能预约", "只接待60岁和以上"), "<textarea")
	li.lacks(li.page(at9("choir"), "您和家人都不能预约", "只对会员开放"), "<textarea", "候补")
	// A form that was kept from elsewhere is refused by the same rule.
	status, _, page := chen.open(venuesPath+"barber/book", url.Values{"key": {uuid.NewString()}, "start": {nineAM}})
	chen.has(page, "只接待60岁和以上")
	if status != http.StatusUnprocessableEntity {
		t.Errorf("too young: status %d", status)
	}
	// The limit of a day is the person's, and told beside the person.
	li.book("study", "2026-11-23T10:00:00+08:00", "for", mother)
	form := li.fields(li.page(orderURL("study", moment(t, "2026-11-23T13:00:00+08:00"))))
	form.Set("for", mother)
	_, _, page = li.open(bookStudy, form)
	li.has(page, `href="#for"`, "已经约满2次")
}

// TestPagesForNobodyElse: nobody acts for people who are not theirs.
func TestPagesForNobodyElse(t *testing.T) {
	s := startHome(t)
	li, wang, zhao := s.browser(t, "li-qiang"), s.browser(t, "wang-guihua"), s.browser(t, "zhao-changshun")
	page := li.page(at9("study"))
	mother, son := li.who(page, "王桂花"), li.who(page, "李强")
	path := li.book("music", nineAM)
	for stranger, other := range map[string]browser{son: wang, mother: zhao} {
		for _, person := range []string{stranger, uuid.NewString(), "x"} {
			for _, at := range []string{at9("study") + "&for=" + person, "/booking/bookings/?for=" + person} {
				if status, _, _ := other.open(at, nil); status != http.StatusForbidden {
					t.Errorf("%s: status %d, want 403", at, status)
				}
			}
			for _, at := range []string{"/book", "/wait", "/weekly"} {
				form := url.Values{"key": {uuid.NewString()}, "start": {nineAM}, "for": {person}, "until": {"2026-11-30"}}
				if status, _, _ := other.open(venuesPath+"study"+at, form); status != http.StatusForbidden {
					t.Errorf("POST %s for somebody else: status %d, want 403", at, status)
				}
			}
			form := url.Values{"key": {uuid.NewString()}, "start": {nineAM}, "for": {person}, "code": {s.doorCode(t, "study")}}
			if status, _, _ := other.open(doorPath+"study", form); status != http.StatusForbidden {
				t.Errorf("at the door for somebody else: status %d", status)
			}
		}
		for _, at := range []string{"/change", "/calendar.ics"} {
			if status, _, _ := other.open(path+at, nil); status != http.StatusNotFound {
				t.Errorf("GET another's %s: status %d", at, status)
			}
		}
		for _, at := range []string{"/change", "/cancel", "/accept", "/decline"} {
			if status, _, _ := other.open(path+at, url.Values{"start": {nineAM}}); status != http.StatusNotFound {
				t.Errorf("POST another's %s: status %d", at, status)
			}
		}
		id := strings.TrimPrefix(path, bookingsPath)
		if status, _, _ := other.open(venuesPath+"music?change="+id, nil); status != http.StatusNotFound {
			t.Errorf("the day to which another's booking is moved: status %d", status)
		}
		if status, _, _ := other.open(doorPath+"music", url.Values{"booking": {id}, "code": {s.doorCode(t, "music")}}); status != http.StatusNotFound {
			t.Errorf("checking in for another's booking: status %d", status)
		}
	}
	li.page(path, "已约好")
}

// TestPagesFromElsewhere: forms of other sites do nothing here.
func TestPagesFromElsewhere(t *testing.T) {
	s := startHome(t)
	li := s.browser(t, "li-qiang")
	path := li.book("music", nineAM)
	for _, at := range []string{
		path + "/cancel", path + "/accept", path + "/decline", path + "/change", calendarPath, calendarPath + "/revoke",
		bookStudy, venuesPath + "study/wait", venuesPath + "study/weekly", doorPath + "study",
		seriesPath + uuid.NewString() + "/cancel", waitingPath + uuid.NewString() + "/leave",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+at, strings.NewReader("key="+uuid.NewString()+"&start="+url.QueryEscape(nineAM)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "https://elsewhere.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		response, err := li.client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s from elsewhere: status %d", at, response.StatusCode)
		}
	}
	li.page(path, "已约好")
	li.lacks(li.page(calendarPath), "作废")
}

// TestEveryRuleHasWords: whatever rule refuses something, residents read why.
func TestEveryRuleHasWords(t *testing.T) {
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]bool{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`Rule\w+ +Rule = "([a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
			rules[m[1]] = true
		}
	}
	if len(rules) < 30 {
		t.Fatalf("only %d rules were found", len(rules))
	}
	for _, lang := range []string{"zh-CN", "en"} {
		messages, err := os.ReadFile("messages/" + lang + ".toml")
		if err != nil {
			t.Fatal(err)
		}
		for rule := range rules {
			if !strings.Contains(string(messages), `"booking.rule.`+rule+`"`) {
				t.Errorf("%s says nothing of rule %s", lang, rule)
			}
		}
	}
}

func TestPagesApproval(t *testing.T) {
	s := startHome(t)
	li := s.browser(t, "li-qiang")
	li.page("/booking/venues/hall", "要工作人员同意")
	form := li.fields(li.page(at9("hall"), "申请预约", "要工作人员同意", "提交申请"))
	made := li.send(venuesPath+"hall/book", form)
	li.page(made, "申请已提交", "等工作人员同意")
	li.lacks(li.page(made), "预约成功")
	li.page("/booking/bookings/", "等工作人员同意")
	path, _, _ := strings.Cut(made, "?")
	id := strings.TrimPrefix(path, bookingsPath)
	s.api(t, "sun-li").want(200, "POST", v1+"/staff/bookings/"+id+"/refuse", `{"reason":"那天要开会"}`)
	li.page(path, "没有同意", "那天要开会")
}

func TestPagesCloseVenues(t *testing.T) {
	s := startHome(t)
	li := s.browser(t, "li-qiang")
	s.api(t, "sun-li").want(201, "POST", v1+"/staff/closures",
		`{"venue":"music","from":"2026-11-23T09:00:00+08:00","to":"2026-11-23T11:00:00+08:00","reason":"钢琴调音"}`)
	li.page("/booking/venues/music?date=2026-11-23", "09:00–11:00", "钢琴调音", "不开放")
	li.lacks(li.page(at9("music"), "钢琴调音"), "候补")
	li.page("/booking/venues/music/week", `class="week-cell closed"`)
}
