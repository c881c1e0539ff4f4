package county

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A newcomer and his mother, who are nobody of the sample.
const (
	newcomer, newcomerPhone = "何春生", "13711110000"
	parent, parentPhone     = "何秀兰", "13711110001"
)

// TestNewcomer signs up with a code, asks to join, is confirmed at the desk,
// books for his mother, downloads what is kept about him, and leaves: without
// her, whose booking stays.
func TestNewcomer(t *testing.T) {
	base := county.url("zhanqian")
	p := browser(t)
	p.visit(base + "/residents/")
	p.signInBy(newcomerPhone)
	p.sees("您是谁？")
	p.accessible("join", 360)
	p.fill("name", newcomer)
	p.submit()
	p.sees("工作人员核实后就能使用") // nobody of that name has this number
	p.fill("bornOn", "1961-04-05")
	p.submit()
	p.sees("您的加入申请正在核实")

	desk := elderly(t, manager)
	desk.visit(base + "/residents/staff/requests")
	desk.sees(newcomer)
	desk.accessible("requests", 360)
	desk.do(chromedp.Click(fmt.Sprintf(`//main//label[contains(., %q)]//input[@name="pick"]`, newcomer), chromedp.NodeVisible))
	desk.click("通过勾选的申请")

	p.visit(base + "/residents/")
	p.sees(newcomer)
	p.accessible("me", 320, 360)
	mother := browser(t)
	motherID := desk.signsFor(mother)

	own, ownSlot := p.books("study-room", newcomer)
	hers, _ := p.books("clinic-general", parent)
	p.visit(base + "/booking/bookings/")
	p.sees("给" + parent)
	p.screenshot("bookings")
	mother.visit(base + "/booking/bookings/")
	mother.clickAt(fmt.Sprintf(`//main//a[@href=%q]`, hers))
	mother.sees("谁帮您约的")
	mother.sees(newcomer)

	p.downloads(own, hers, motherID)
	p.cannotActBeyond(motherID)

	elsewhere := browser(t) // the same person at another computer
	elsewhere.visit(base + "/residents/")
	elsewhere.signInBy(newcomerPhone)
	elsewhere.sees(newcomer)
	p.visit(base + "/residents/delete")
	p.seesNot(parent) // there is nobody to choose
	p.do(chromedp.Click(`//input[@name="sure"]`, chromedp.NodeVisible))
	p.accessible("delete", 360)
	p.click("删除")
	p.sees("已经开始删除")
	for _, b := range []*person{p, elsewhere} {
		b.isSignedOut()
	}
	p.signInBy(newcomerPhone)
	p.sees("您是谁？")

	// What he booked for her is hers, and nothing there names him any more.
	mother.visit(base + hers)
	mother.sees("已约好")
	mother.seesNot(newcomer)
	mother.visit(base + "/residents/acting")
	mother.seesNot(newcomer)
	status, kept := mother.asks("GET", "/residents/my-data.json")
	if status != http.StatusOK || !strings.Contains(kept, parent) || !strings.Contains(kept, pathID(hers)) || strings.Contains(kept, newcomer) || strings.Contains(kept, newcomerPhone) {
		t.Errorf("what is kept about the mother: %d: %s", status, kept)
	}
	desk.visit(base + "/residents/staff/people/?query=" + url.QueryEscape(newcomer))
	desk.sees("没有找到")
	eventually(t, "the place that he booked for himself", func() (bool, string) {
		now := freeSlotThat(t, base, "study-room", func(s slot) bool { return s.Start.Equal(ownSlot.Start) })
		return now.Free == ownSlot.Free, fmt.Sprintf("%d free places, not %d", now.Free, ownSlot.Free)
	})
}

// signsFor has the desk write down the mother and, as she has signed on paper,
// that her son books for her; she signs in with her own phone. It returns the
// ID of her record.
func (p *person) signsFor(mother *person) string {
	p.Helper()
	base := county.url("zhanqian")
	p.visit(base + "/residents/staff/new")
	p.fill("name", parent)
	p.fill("phone", parentPhone)
	p.fill("bornOn", "1938-02-11")
	p.clickAt(`//main//form[@action="/residents/staff/new"]//button`)
	p.sees("已添加")
	id := pathID(p.location())

	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 40, 60))); err != nil {
		p.Fatal(err)
	}
	scan := filepath.Join(p.TempDir(), "授权书.png")
	if err := os.WriteFile(scan, picture.Bytes(), 0o600); err != nil {
		p.Fatal(err)
	}
	p.fill("actor-query", newcomer)
	p.clickAt(`//main//form[.//input[@name="actor"]]//button`)
	p.accessible("person", 360)
	p.do(chromedp.SetUploadFiles(chromedp.ID("scan"), []string{scan}))
	p.clickAt(`//main//form[.//select[@id="actor"]]//button`)
	p.sees("已登记")
	p.sees(newcomer)
	p.sees("纸质授权")
	p.sees("扫描件")
	p.screenshot("paper")

	mother.visit(base + "/residents/")
	mother.signInBy(parentPhone)
	mother.fill("name", parent)
	mother.submit()
	mother.visit(base + "/residents/acting")
	mother.sees(newcomer)
	return id
}

// books books a free time for somebody of the family. It returns the path of the
// booking, and the time as it was before.
func (p *person) books(venue, whom string) (path string, s slot) {
	p.Helper()
	base := county.url("zhanqian")
	s = freeSlotThat(p.T, base, venue, func(s slot) bool { return s.Start.After(time.Now().Add(24 * time.Hour)) })
	p.visit(base + on(venue, s))
	p.sees("给谁约")
	p.choose("for", whom)
	p.click("确认预约")
	p.sees("预约成功")
	return pathOf(p.location()), s
}

// downloads checks that what is kept about the newcomer is what he did and
// was, and nothing of his mother's but that he acts for her.
func (p *person) downloads(own, hers, motherID string) {
	p.Helper()
	status, kept := p.asks("GET", "/residents/my-data.json")
	if status != http.StatusOK {
		p.Fatalf("what is downloaded: %d: %s", status, kept)
	}
	var data struct {
		Person   struct{ Name, Phone, BornOn string }
		Acting   []struct{ Represented, Basis string }
		Requests []struct{ Kind, State string }
		Looks    []struct{ By, Action string }
		Services struct {
			Booking struct {
				Bookings []struct{ ID, Venue string }
			}
		}
		Missing []string
	}
	if err := json.Unmarshal([]byte(kept), &data); err != nil {
		p.Fatal(err)
	}
	if data.Person.Name != newcomer || data.Person.Phone != newcomerPhone || data.Person.BornOn != "1961-04-05" {
		p.Errorf("the record in the download: %+v", data.Person)
	}
	if len(data.Acting) != 1 || data.Acting[0].Represented != motherID || data.Acting[0].Basis != "Paper" {
		p.Errorf("for whom he acts in the download: %+v", data.Acting)
	}
	if len(data.Requests) != 1 || data.Requests[0].Kind != "Join" || data.Requests[0].State != "Granted" {
		p.Errorf("what he asked for in the download: %+v", data.Requests)
	}
	if b := data.Services.Booking.Bookings; len(b) != 1 || b[0].ID != pathID(own) || b[0].Venue != "study-room" {
		p.Errorf("his bookings in the download: %+v", b)
	}
	if len(data.Looks) == 0 || len(data.Missing) > 0 {
		p.Errorf("who looked at him: %+v; missing: %v", data.Looks, data.Missing)
	}
	for _, foreign := range []string{parent, parentPhone, "1938-02-11", pathID(hers)} {
		if strings.Contains(kept, foreign) {
			p.Errorf("the download has %s, which is his mother's: %s", foreign, kept)
		}
	}
}

// cannotActBeyond tries what nobody does for another: reading, downloading,
// deleting, agreeing.
func (p *person) cannotActBeyond(motherID string) {
	p.Helper()
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/residents/my-data.json?person=" + motherID, http.StatusOK}, // his own
		{"GET", "/residents/api/v1/me/data?person=" + motherID, http.StatusOK},
		{"GET", "/residents/api/v1/people/" + motherID, http.StatusForbidden},
		{"PUT", "/residents/api/v1/people/" + motherID, http.StatusForbidden},
		{"DELETE", "/residents/api/v1/people/" + motherID, http.StatusMethodNotAllowed},
		{"GET", "/residents/staff/people/" + motherID, http.StatusForbidden},
		{"GET", "/residents/staff/people/" + motherID + "/delete", http.StatusForbidden},
		{"POST", "/residents/staff/people/" + motherID + "/delete", http.StatusForbidden},
		{"POST", "/residents/staff/people/" + motherID + "/withdraw-consent", http.StatusForbidden},
		{"POST", "/residents/staff/papers", http.StatusForbidden},
		{"GET", "/residents/internal/personal/v1/people/" + motherID, http.StatusNotFound},
		{"GET", "/booking/internal/personal/v1/people/" + motherID, http.StatusNotFound},
		{"DELETE", "/booking/internal/personal/v1/people/" + motherID, http.StatusNotFound},
		{"GET", "/booking/internal/audit/v1/people/" + motherID, http.StatusNotFound},
	} {
		status, body := p.asks(c.method, c.path)
		if status != c.status || strings.Contains(body, parent) || strings.Contains(body, parentPhone) {
			p.Errorf("%s %s: %d, want %d and nothing of his mother's: %s", c.method, c.path, status, c.status, body)
		}
	}
}

// asks makes a request as the page's own scripts could, with the session of
// the browser.
func (p *person) asks(method, path string) (status int, body string) {
	p.Helper()
	answer, err := chromedp.Run(p.ctx, chromedp.Evaluate[[]any](fmt.Sprintf(
		`(() => { const r = new XMLHttpRequest(); r.open(%q, %q, false); r.send(); return [r.status, r.responseText] })()`, method, path)))
	if err != nil {
		p.Fatalf("%s %s: %v", method, path, err)
	}
	return int(answer[0].(float64)), answer[1].(string)
}

// seesNot checks that the page, which is there, does not show the words.
func (p *person) seesNot(words string) {
	p.Helper()
	text, err := chromedp.Run(p.ctx, chromedp.Text(`main`))
	if err != nil {
		p.Fatal(err)
	}
	if strings.Contains(text, words) {
		p.Errorf("%s shows %q: %s", p.location(), words, text)
	}
}

// isSignedOut waits until a page for people leads to where one signs in.
func (p *person) isSignedOut() {
	p.Helper()
	eventually(p.T, "a signed-out browser", func() (bool, string) {
		p.visit(county.url("zhanqian") + "/residents/")
		at := p.location()
		return strings.HasPrefix(at, county.url("id")+"/sign-in"), at
	})
}

// pathID is the last part of an address's path.
func pathID(address string) string {
	path := pathOf(address)
	return path[strings.LastIndexByte(path, '/')+1:]
}
