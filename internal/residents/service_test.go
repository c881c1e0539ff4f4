package residents

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
)

// running is a community with the service in it.
type running struct {
	*hosttest.Server
	clock *testclock.FakeClock
}

func start(t *testing.T, o hosttest.Options) running {
	t.Helper()
	own, err := Service()
	if err != nil {
		t.Fatal(err)
	}
	c := testclock.NewFakeClock(monday)
	community := hosttest.Community()
	community.Spec.Estates = estates
	community.Spec.Managers = []v1alpha1.Manager{{Name: "zhou", DisplayName: "周建国"}}
	o.Services, o.Community, o.Clock = append([]host.Service{own}, o.Services...), community, c
	return running{hosttest.Start(t, o), c}
}

// browser is a browser without JavaScript that reads Chinese.
type browser struct {
	t      testing.TB
	server running
	client *http.Client
}

// as is a browser in which an account has signed in.
func (r running) as(t testing.TB, account string, staff bool) browser {
	t.Helper()
	b := browser{t, r, r.Client(t)}
	if account != "" {
		r.SignInWith(t, b.client, account, staff)
	}
	return b
}

func (b browser) do(method, path, contentType string, body io.Reader) (status int, location, page string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.server.URL+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Accept-Language", "zh-CN")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	html, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(html)
}

// page opens a page that must have some texts, and returns it.
func (b browser) page(path string, texts ...string) string {
	b.t.Helper()
	status, _, page := b.do("GET", path, "", nil)
	return b.has(path, status, http.StatusOK, page, texts...)
}

func (b browser) has(path string, status, want int, page string, texts ...string) string {
	b.t.Helper()
	page = regexp.MustCompile(`(?s)^.*<main`).ReplaceAllString(page, "<main")
	if status != want {
		b.t.Fatalf("%s: status %d, want %d:\n%s", path, status, want, page)
	}
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("%s has no %q:\n%s", path, text, page)
		}
	}
	return page
}

// send sends a form that must be accepted, and returns where it leads.
func (b browser) send(path string, form ...string) string {
	b.t.Helper()
	status, location, page := b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(values(form).Encode()))
	b.has(path, status, http.StatusSeeOther, page)
	return location
}

// sent sends a form and returns the page that answers with a status.
func (b browser) sent(status int, path string, form ...string) string {
	b.t.Helper()
	got, _, page := b.do("POST", path, "application/x-www-form-urlencoded", strings.NewReader(values(form).Encode()))
	return b.has(path, got, status, page)
}

func values(pairs []string) url.Values {
	v := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		v.Add(pairs[i], pairs[i+1])
	}
	return v
}

// upload sends a form with a file.
func (b browser) upload(path, field string, file []byte, form ...string) (status int, location, page string) {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, all := range values(form) {
		for _, value := range all {
			if err := w.WriteField(name, value); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	part, err := w.CreateFormFile(field, "file")
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do("POST", path, w.FormDataContentType(), &body)
}

// first is the first match of a pattern's group in a page.
func (b browser) first(page, pattern string) string {
	b.t.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if m == nil {
		b.t.Fatalf("no %s in the page:\n%s", pattern, page)
	}
	return m[1]
}

const idPattern = `([0-9a-f]{8}-[0-9a-f-]{27})`

// manager is the first manager, who has accepted the invitation of the
// manifest and taken on all duties that these tests need.
func (r running) manager(t testing.TB) browser {
	t.Helper()
	keys := identity.Keys{Current: bytes.Repeat([]byte("k"), 32)}
	code, err := keys.Invitation("zhanqian", "zhou")
	if err != nil {
		t.Fatal(err)
	}
	zhou := r.as(t, "zhou-jianguo", true)
	zhou.page(invitationPath, "邀请口令")
	if page := zhou.sent(http.StatusUnprocessableEntity, invitationPath, "code", "AAAA-BBBB-CCCC"); !strings.Contains(page, "口令不对") {
		t.Errorf("a wrong code: %s", page)
	}
	zhou.send(invitationPath, "code", code)
	_, location, _ := zhou.do("GET", staffPath, "", nil)
	own := zhou.first(zhou.page(location, "周建国", "管理员"), `href="`+staffDutiesPath+"/"+idPattern+`"`)
	zhou.send(staffDutiesPath+"/"+own, "duties", "Manager", "duties", "FrontDesk", "duties", "DataProtection")
	return zhou
}

// await waits until what is asked for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	over := time.After(30 * time.Second)
	for !so() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestJourney(t *testing.T) {
	r := start(t, hosttest.Options{})
	zhou := r.manager(t)

	// An import with a mistake, of which nothing is written before it is confirmed.
	_, _, csv := zhou.do("GET", staffTemplatePath+"csv", "", nil)
	zhou.page(staffImportPath, "下载模板")
	csv += "李强,Li Qiang,13800000002,1988-03-02,站前花园,1号楼,2单元,501,\r\n李小满,,,2018-06-01,站前花园,1号楼,2单元,501,\r\n坏,,,1988-02-30,,,,,\r\n"
	status, draft, page := zhou.upload(staffImportPath, "table", []byte(csv))
	zhou.has(staffImportPath, status, http.StatusSeeOther, page)
	zhou.page(draft, "还没有写入", "1行有错误", "1988-02-30", "日期看不懂", "可以导入3行")
	zhou.page(staffPeoplePath+"?query=李强", "没有找到")
	zhou.send(draft)
	zhou.send(draft) // pressed twice
	zhou.page(draft, "新增3人")
	zhou.page(staffPeoplePath+"?estate=", "王桂花", "李强", "李小满", "1–4 / 4")

	// A resident signs in and is known by number and name.
	li := r.as(t, "li-qiang", false)
	_, location, _ := li.do("GET", homePath, "", nil)
	if !strings.HasPrefix(location, identity.JoinPath) {
		t.Fatalf("who is not known is sent to %q", location)
	}
	li.page(location, "您是谁")
	if location := li.send(identity.JoinPath, "name", " 李 强", "return", homePath); location != homePath {
		t.Fatalf("linked, and sent to %q", location)
	}
	li.page(homePath, "李强", "13800000002", "站前花园 1号楼 2单元 501")

	// Who is not on record asks to join, and staff grant it.
	chen := r.as(t, "chen-yutong", false)
	if page := chen.sent(http.StatusOK, identity.JoinPath, "name", "陈雨桐"); !strings.Contains(page, "申请加入") {
		t.Errorf("not known: %s", page)
	}
	chen.sent(http.StatusUnprocessableEntity, identity.JoinPath+"/ask", "name", "陈雨桐", "bornOn", "2008-02-30")
	chen.send(identity.JoinPath+"/ask", "name", "陈雨桐", "bornOn", "2008-09-14", "estate", "tielu", "building", "2号楼", "note", "<b>新搬来</b>")
	chen.page(identity.JoinPath, "正在核实")
	asked := zhou.page(staffRequestsPath, "陈雨桐", "&lt;b&gt;新搬来&lt;/b&gt;", "13800000001")
	request := zhou.first(asked, `name="pick" value="`+idPattern)
	zhou.send(staffRequestsPath, "pick", request, "as."+request, "new")
	chen.page(homePath, "陈雨桐", "铁路家属院 2号楼")

	// The staff's look at somebody is seen by them.
	wang := zhou.first(zhou.page(staffPeoplePath+"?query=桂花", "王桂花"), `href="`+staffPeoplePath+idPattern+`"`)
	zhou.page(staffPeoplePath+wang, "王桂花", "同住家人", "李强", "李小满")
	zhou.send(staffPeoplePath+wang+"/edit", "name", "王桂花", "bornOn", "1954-05-21", "phone", "13800000003", "estate", "huayuan", "building", "3", "unit", "2单元", "room", "501")

	// A son acts for his mother, on paper with a scan, and for his child.
	liID := li.first(zhou.page(staffPeoplePath+"?query=李强"), `href="`+staffPeoplePath+idPattern+`"`)
	status, _, page = zhou.upload(staffPapersPath, "scan", png, "person", wang, "actor", liID, "scopes", "Book", "basis", "Paper")
	zhou.has(staffPapersPath, status, http.StatusSeeOther, page)
	status, _, page = zhou.upload(staffPapersPath, "scan", []byte("<svg>"), "person", wang, "actor", liID, "scopes", "Book", "basis", "Paper")
	zhou.has(staffPapersPath, status, http.StatusUnprocessableEntity, page, "扫描件请用")
	li.page(actingPath, "王桂花", "预约", "纸质授权")

	// She gives it herself, with a code.
	mother := r.as(t, "wang-guihua", false)
	mother.send(identity.JoinPath, "name", "王桂花", "return", homePath)
	code := mother.first(mother.sent(http.StatusOK, actingPath+"/offer", "scopes", "Order", "until", "2027-01-31"), `door-code">([0-9A-Z-]+)<`)
	li.sent(http.StatusUnprocessableEntity, actingPath+"/accept", "code", "AAAA-AAAA-AAAA")
	li.send(actingPath+"/accept", "code", code)
	li.page(actingPath, "王桂花", "订餐", "本人授权", "2027年1月31日")

	// Consents, who looked, download.
	mother.send(consentsPath, "purpose", "Care", "agree", "yes")
	mother.page(consentsPath, "2026年11月23日起同意")
	mother.page(looksPath, "周建国", "修改", "登记代办")
	_, _, data := mother.do("GET", downloadPath, "", nil)
	var got OwnData
	if err := json.Unmarshal([]byte(data), &got); err != nil || got.Person.Name != "王桂花" || len(got.Consents) != 1 || len(got.Looks) == 0 {
		t.Errorf("downloaded %+v, %v", got, err)
	}

	// Staff: an outsider is invited; the audit is read and exported.
	if page := zhou.sent(http.StatusUnprocessableEntity, staffDutiesPath+"/"+zhou.first(zhou.page(staffDutiesPath), idPattern), "duties", "FrontDesk"); !strings.Contains(page, "县里指定") {
		t.Errorf("dismissing whom the manifest names: %s", page)
	}
	sun := zhou.send(staffDutiesPath, "name", "孙丽")
	zhou.send(sun, "duties", "FrontDesk")
	code = zhou.first(zhou.sent(http.StatusOK, sun+"/invite"), `door-code">([0-9A-Z-]+)<`)
	desk := r.as(t, "sun-li", true)
	desk.send(invitationPath, "code", code)
	desk.page(staffPeoplePath, "居民")
	if status, _, _ := desk.do("GET", staffDutiesPath, "", nil); status != http.StatusForbidden {
		t.Errorf("the front desk sees the duties: %d", status)
	}
	zhou.page(staffAuditPath, "任命", "周建国")
	_, _, file := zhou.do("GET", staffAuditPath+".csv?person="+wang, "", nil)
	if !strings.Contains(file, "residents.person.change") {
		t.Errorf("exported %s", file)
	}

	// She leaves, and is signed out in her other browser too.
	elsewhere := r.as(t, "wang-guihua", false)
	elsewhere.page(homePath, "王桂花")
	mother.sent(http.StatusUnprocessableEntity, deletePath)
	mother.sent(http.StatusOK, deletePath, "sure", "yes")
	await(t, "the mother is deleted", func() bool {
		status, _, _ := zhou.do("GET", staffPeoplePath+wang, "", nil)
		return status == http.StatusNotFound
	})
	zhou.page(staffPeoplePath+"?query=桂花", "没有找到")
	li.page(actingPath, "还没有")
	for name, b := range map[string]browser{"here": mother, "elsewhere": elsewhere} {
		await(t, "who has left is signed out "+name, func() bool {
			_, location, _ := b.do("GET", homePath, "", nil)
			return strings.HasPrefix(location, identity.SignInPath)
		})
	}
}

// Formulas that somebody typed are harmless in what staff export.
func TestExportIsHarmless(t *testing.T) {
	r := start(t, hosttest.Options{})
	zhou := r.manager(t)
	zhou.send(staffNewPath, "name", "王", "phone", "+4930123456", "estate", "tielu", "building", "=HYPERLINK(1)", "room", "@SUM(1)")
	status, _, file := zhou.do("GET", staffExportPath+"?estate=tielu", "", nil)
	if status != http.StatusOK || !strings.Contains(file, "'=HYPERLINK(1)") || !strings.Contains(file, "'@SUM(1)") || !strings.Contains(file, "'+4930123456") {
		t.Errorf("exported %d %s", status, file)
	}
}

// Two people share a number: the session says which of them it is.
func TestWhich(t *testing.T) {
	r := start(t, hosttest.Options{})
	zhou := r.manager(t)
	for _, name := range []string{"李强", "李小满"} {
		zhou.send(staffNewPath, "name", name, "phone", "13800000002")
	}
	li := r.as(t, "li-qiang", false)
	li.send(identity.JoinPath, "name", "李强", "return", "/")
	li.page(homePath, "李强")
	li.send(identity.JoinPath, "name", "李小满", "return", "/")
	_, location, _ := li.do("GET", homePath, "", nil)
	page := li.page(location, "李强", "李小满")
	child := li.first(page, `value="`+idPattern+`"[^>]*>李小满`)
	if location := li.send(identity.WhichPath, "person", child, "return", homePath); location != homePath {
		t.Errorf("sent to %q", location)
	}
	li.page(homePath, "李小满")
	li.sent(http.StatusBadRequest, identity.WhichPath, "person", "0192b3c4-0000-7000-8000-000000000000")
}

// Other services ask, and nobody else does.
func TestInternalAPI(t *testing.T) {
	var ask func(path string) string
	asking := host.Service{Name: "asking", Register: func(_ context.Context, rt *host.Runtime) error {
		ask = func(path string) string {
			answer, err := rt.Client(Name).Get("http://" + Name + path)
			if err != nil {
				return err.Error()
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(answer.Body)
			if err != nil {
				return err.Error()
			}
			return answer.Status + " " + string(text)
		}
		return nil
	}}
	r := start(t, hosttest.Options{Services: []host.Service{asking}})
	zhou := r.manager(t)
	li := zhou.first(zhou.send(staffNewPath, "name", "李强", "phone", "13800000002", "estate", "huayuan", "building", "3", "room", "1", "bornOn", "1988-03-02"), idPattern)
	child := zhou.first(zhou.send(staffNewPath, "name", "李小满", "estate", "huayuan", "building", "3", "room", "1", "bornOn", "2018-06-01"), idPattern)
	status, _, page := zhou.upload(staffPapersPath, "scan", nil, "person", child, "actor", li, "scopes", "Order", "basis", "Parent")
	zhou.has(staffPapersPath, status, http.StatusSeeOther, page)
	for path, want := range map[string][]string{
		"people/" + li:                {"200 OK", `"name":"李强"`, `"role":"Resident"`, `"household":[{"person":{"id":"` + child, `"scopes":["Order"]`},
		"people/" + li + "/home":      {"200 OK", `{"estate":"huayuan","building":"3号楼","room":"1"}`},
		"people/none":                 {"404 Not Found"},
		"people/" + uuid.Nil.String(): {"404 Not Found"},
		"people?query=0002&limit=5":   {"200 OK", `"persons":[{"id":"` + li},
		"people?query=&limit=5":       {"200 OK", `"persons":[]`},
		"subjects/nobody":             {"200 OK", `"people":[]`},
	} {
		got := ask(internalPath + path)
		for _, text := range want {
			if !strings.Contains(got, text) {
				t.Errorf("%s answers %s, want %s", path, got, text)
			}
		}
		if status, _, body := zhou.do("GET", internalPath+path, "", nil); status != http.StatusNotFound || strings.Contains(body, "李强") {
			t.Errorf("from outside, %s answers %d %s", path, status, body)
		}
	}
}

// A deletion goes on where it was when the process ended, and waits for a
// service that does not let go.
func TestDeletionResumes(t *testing.T) {
	refuse, erased := make(chan bool, 100), make(chan string, 100)
	stubborn := host.Service{Name: "stubborn", Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Personal(host.Personal{
			Export: func(context.Context, string) (any, error) { return map[string]int{"kept": 1}, nil },
			Erase: func(_ context.Context, person string) error {
				select {
				case <-refuse:
					return io.ErrUnexpectedEOF
				default:
					erased <- person
					return nil
				}
			},
		})
		return nil
	}}
	o := hosttest.Options{Services: []host.Service{stubborn}, DataDir: t.TempDir()}
	r := start(t, o)
	zhou := r.manager(t)
	zhou.send(staffNewPath, "name", "李强", "phone", "13800000002")
	li := r.as(t, "li-qiang", false)
	li.send(identity.JoinPath, "name", "李强", "return", "/")
	if _, _, data := li.do("GET", downloadPath, "", nil); !strings.Contains(data, `"kept": 1`) {
		t.Errorf("the other service's part is missing: %s", data)
	}
	for range 50 {
		refuse <- true
	}
	li.sent(http.StatusOK, deletePath, "sure", "yes")
	await(t, "the service is asked", func() bool { return len(refuse) < 50 })
	if len(erased) > 0 {
		t.Error("erased though the service refused")
	}
	r.Stop(t)
	for len(refuse) > 0 {
		<-refuse
	}
	start(t, o)
	await(t, "the deletion to go on", func() bool { return len(erased) > 0 })
	if person := <-erased; !regexp.MustCompile(idPattern).MatchString(person) {
		t.Errorf("erased %q", person)
	}
}

// Nobody is deleted for whom a service still keeps something of theirs.
func TestDeletionWaitsForObstacles(t *testing.T) {
	var money atomic.Bool
	money.Store(true)
	purses := host.Service{Name: "purses", Register: func(_ context.Context, rt *host.Runtime) error {
		rt.Personal(host.Personal{
			Export: func(context.Context, string) (any, error) { return nil, nil },
			Erase:  func(context.Context, string) error { return nil },
			Obstacle: func(context.Context, string) (map[string]string, error) {
				if money.Load() {
					return map[string]string{"zh-CN": "先取出余额", "en": "take your money first"}, nil
				}
				return nil, nil
			},
		})
		return nil
	}}
	r := start(t, hosttest.Options{Services: []host.Service{purses}})
	zhou := r.manager(t)
	zhou.send(staffNewPath, "name", "李强", "phone", "13800000002")
	li := r.as(t, "li-qiang", false)
	li.send(identity.JoinPath, "name", "李强", "return", "/")
	if status, _, page := li.do("POST", deletePath, "application/x-www-form-urlencoded", strings.NewReader("sure=yes")); status != http.StatusUnprocessableEntity || !strings.Contains(page, "先取出余额") {
		t.Errorf("deleted with money left: %d", status)
	}
	if status, _, body := li.do("DELETE", apiPath+"/me", "", nil); status != http.StatusConflict || !strings.Contains(body, "take your money first") {
		t.Errorf("deleted with money left: %d %s", status, body)
	}
	li.page(homePath, "李强")
	money.Store(false)
	li.sent(http.StatusOK, deletePath, "sure", "yes")
}

// A table larger than other requests may be is let through, and its page says
// what is wrong in which line.
func TestLargeImport(t *testing.T) {
	r := start(t, hosttest.Options{})
	zhou := r.manager(t)
	large := bytes.ReplaceAll(table(t), []byte(",户主\n"), []byte(",户主,"+strings.Repeat("备注", 60)+"\n"))
	large = bytes.Replace(large, []byte("与户主关系\n"), []byte("与户主关系,备注\n"), 1)
	if len(large) < 3<<19 {
		t.Fatalf("the table has only %d bytes", len(large))
	}
	status, draft, page := zhou.upload(staffImportPath, "table", large)
	zhou.has(staffImportPath, status, http.StatusSeeOther, page)
	zhou.page(draft, "12行有错误", "可以导入4988行", "备注", ">401<", "1954-02-31", "99号楼")
	status, _, page = zhou.upload(staffImportPath, "table", bytes.Repeat([]byte("x"), MaxTableBytes+2*formOverhead))
	zhou.has(staffImportPath, status, http.StatusUnprocessableEntity, page, "文件太大")
	zhou.send(draft + "/drop")
	if status, _, _ := zhou.do("GET", draft, "", nil); status != http.StatusNotFound {
		t.Errorf("dropped, and still there: %d", status)
	}
}

func TestDocument(t *testing.T) {
	r := start(t, hosttest.Options{})
	_, _, text := r.as(t, "", false).do("GET", "/"+Name+"/api/openapi.json", "", nil)
	var document struct {
		Paths map[string]map[string]struct{ OperationID string }
	}
	if err := json.Unmarshal([]byte(text), &document); err != nil {
		t.Fatal(err)
	}
	var operations []string
	for _, methods := range document.Paths {
		for _, o := range methods {
			operations = append(operations, o.OperationID)
		}
	}
	if slices.Sort(operations); len(operations) != 22 {
		t.Errorf("operations %v", operations)
	}
}
