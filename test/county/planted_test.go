package county

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/linli-io/linli/test/instance"
)

// plant is somebody made up whose name and numbers go one way into the county:
// whoever finds them elsewhere knows by which.
type plant struct{ way, name, phone, id string }

// What the names and numbers of all plants begin with, and nothing else does.
const (
	plantFamily = "欧阳"
	plantPhone  = "199210"
	plantRegion = "370827"
)

// plants are all of them, and each text by which one may be found, as it is
// and as programs write it.
var plants struct {
	sync.Mutex
	all   []plant
	texts map[string]plant
}

// planted makes up somebody for a way into the county.
func planted(way string) plant {
	plants.Lock()
	defer plants.Unlock()
	n := len(plants.all)
	given := func(i int) string { return string(rune('琀' + i%80)) }
	born := time.Date(1950, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)
	p := plant{
		way:   way,
		name:  plantFamily + given(n) + given(n/80),
		phone: fmt.Sprintf("%s%05d", plantPhone, n*37+11),
		id:    idNumber(plantRegion, born, n%1000),
	}
	plants.all = append(plants.all, p)
	if plants.texts == nil {
		plants.texts = map[string]plant{}
	}
	for _, text := range append(written(p.name), p.phone, p.id) {
		plants.texts[text] = p
	}
	return p
}

// findPlants calls found for each plant that stands in a content, with what is
// around it. It looks for what all begin with first: there are many of both.
func findPlants(content []byte, found func(p plant, around string)) {
	for _, mark := range append(written(plantFamily), plantPhone, plantRegion) {
		for at := 0; ; at += len(mark) {
			next := bytes.Index(content[at:], []byte(mark))
			if next < 0 {
				break
			}
			at += next
			for text, p := range plants.texts {
				if bytes.HasPrefix(content[at:], []byte(text)) {
					around := strings.ToValidUTF8(string(content[max(0, at-150):min(len(content), at+100)]), "?")
					found(p, strings.Join(strings.Fields(around), " "))
					break
				}
			}
		}
	}
}

// idNumber is an ID number with its check digit (GB 11643).
func idNumber(region string, born time.Time, order int) string {
	digits := fmt.Sprintf("%s%s%03d", region, born.Format("20060102"), order)
	sum := 0
	for i, d := range digits {
		sum += int(d-'0') * (1 << (17 - i) % 11)
	}
	return digits + string("10X98765432"[sum%11])
}

func (p plant) all() string { return p.name + " " + p.phone + " " + p.id }

// refusals are the answers of the county that are errors.
var refusals struct {
	sync.Mutex
	all []refusal
}

type refusal struct {
	plant        plant
	what, kind   string
	status       int
	body, header string
}

// sow makes a request in which somebody is planted, and keeps what is answered
// if that is an error.
func sow(t *testing.T, p plant, r *http.Request) (*http.Response, []byte) {
	t.Helper()
	answer, err := sower.Do(r)
	if err != nil {
		t.Fatalf("%s: %v", p.way, err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s: %v", p.way, err)
	}
	if answer.StatusCode >= 400 {
		refusals.Lock()
		defer refusals.Unlock()
		refusals.all = append(refusals.all, refusal{
			p, p.way + ", " + r.Method, answer.Header.Get("Content-Type"), answer.StatusCode, string(body), fmt.Sprint(answer.Header),
		})
	}
	return answer, body
}

// sower follows no redirects, so that each answer is seen.
var sower = func() *http.Client {
	c := instance.Client(2)
	c.Timeout = stepTime
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c
}()

// request makes a request with headers given in pairs.
func request(t *testing.T, method, address, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

const (
	formType = "application/x-www-form-urlencoded"
	jsonType = "application/json"
)

// TestPlants puts made-up people wherever people put what is theirs, and where
// they should not. The search is after all tests; here it is seen that the
// answers repeat nothing.
func TestPlants(t *testing.T) {
	base, provider := county.url("zhanqian"), county.url("id")
	own, desk := "Bearer "+county.token(t, "zhanqian", resident), "Bearer "+county.token(t, "zhanqian", manager)
	kitchen := "Bearer " + county.token(t, "zhanqian", cook)
	staffOf := func(path string) string {
		if strings.HasPrefix(path, "/canteen/") {
			return kitchen
		}
		return desk
	}
	page := func(token string) []string { return []string{"Accept", "text/html", "Authorization", token} }

	// Addresses: searches, and paths that there are not or are somebody's.
	for _, path := range []string{
		"/{}", "/booking/{}", "/booking/venues/{}", "/booking/bookings/{}", "/booking/series/{}", "/booking/calendar/{}.ics", "/booking/at/{}",
		"/booking/staff/bookings/{}", "/booking/staff/venues/{}/edit", "/messages/{}", "/residents/{}", "/residents/staff/people/{}", "/residents/staff/papers/{}",
		"/booking/api/v1/venues/{}", "/booking/api/v1/bookings/{}", "/booking/api/v1/venues/{}/availability", "/residents/api/v1/people/{}",
		"/residents/api/v1/{}", "/residents/internal/personal/v1/people/{}", "/identity/{}", "/assets/{}",
		"/booking/?q={}", "/booking/venues/study-room?date={}", "/booking/venues/study-room/book?start={}", "/booking/staff/?q={}", "/booking/staff/?date={}",
		"/booking/staff/book?venue={}&q={}", "/residents/staff/people/?query={}", "/residents/staff/people/?estate={}&building={}&skip={}", "/residents/staff/people.csv?estate={}",
		"/residents/staff/audit?person={}", "/residents/join?return={}", "/residents/?done={}", "/messages/?page={}", "/identity/sign-in?return={}",
		"/identity/callback?state={}&error={}&error_description={}", "/identity/callback?state={}&code={}",
		"/booking/api/v1/venues/study-room/availability?date={}", "/booking/api/v1/bookings?from={}", "/residents/api/v1/people?query={}",
		"/booking/api/v1/staff/people?query={}", "/residents/api/v1/audit?from={}",
		"/canteen/{}", "/canteen/?date={}", "/canteen/week?from={}", "/canteen/door?canteen={}&date={}", "/canteen/order?canteen={}&date={}&meal={}&for={}",
		"/canteen/orders/{}", "/canteen/orders/{}/rate", "/canteen/standing/{}", "/canteen/standing/{}/change", "/canteen/standing/new?for={}", "/canteen/suggestions?after={}", "/canteen/photos/{}",
		"/canteen/staff/meals/{}/{}/{}?q={}", "/canteen/staff/orders/{}", "/canteen/staff/order?canteen={}&date={}&meal={}&q={}", "/canteen/staff/dishes/{}",
		"/canteen/staff/feedback?dish={}", "/canteen/staff/safety/batches/?q={}", "/canteen/staff/safety/trace?date={}&q={}", "/canteen/staff/safety/trace?text={}",
		"/canteen/staff/safety/trace?order={}", "/canteen/staff/standing?q={}", "/canteen/staff/standing/{}/change", "/canteen/internal/personal/v1/people/{}", "/canteen/sharing/v1/datasets?{}",
		"/canteen/api/v1/menus/{}", "/canteen/api/v1/orders/{}", "/canteen/api/v1/standing-orders/{}", "/canteen/api/v1/{}",
		"/accounts/{}", "/accounts/statement?month={}", "/accounts/top-up/{}", "/accounts/staff/?query={}", "/accounts/staff/purses/{}", "/accounts/staff/receipts/{}",
		"/accounts/staff/ledger?month={}", "/accounts/staff/day?date={}", "/accounts/api/v1/payments/{}", "/accounts/api/v1/statement?month={}",
		"/accounts/api/v1/staff/purses/{}", "/accounts/api/v1/staff/day?date={}", "/accounts/internal/v1/people/{}", "/accounts/internal/v1/holds/{}",
	} {
		for _, token := range []string{own, staffOf(path)} {
			for _, accept := range []string{"text/html", jsonType} {
				p := planted("GET " + path)
				for _, text := range []string{p.name, p.phone, p.id} {
					sow(t, p, request(t, "GET", base+strings.ReplaceAll(path, "{}", url.QueryEscape(text)), "", "Accept", accept, "Authorization", token))
				}
			}
		}
	}

	// Headers, and proofs that are none.
	for _, header := range []string{
		"User-Agent", "Referer", "Cookie", "X-Request-Id", "X-Forwarded-For", "Forwarded", "Accept-Language", "Accept", "Idempotency-Key", "Authorization",
		"Content-Type", "Range", "If-None-Match", "Traceparent", "Origin", "Linli-Person",
	} {
		for _, address := range []string{base + "/", base + "/booking/bookings/", base + "/booking/api/v1/bookings", provider + "/authorize"} {
			for _, method := range []string{"GET", "POST"} {
				p := planted(header + " of " + address)
				for _, text := range []string{p.name, p.phone, p.id} {
					r := request(t, method, address, "{}", "Accept", "text/html", "Content-Type", jsonType)
					if header != "Authorization" && header != "Cookie" {
						r.Header.Set("Authorization", own)
					}
					r.Header.Set(header, map[string]string{
						"Cookie": "linli-session=" + text + "; linli-sign-in=" + text + "; lang=" + text, "Authorization": "Bearer " + text, "Referer": base + "/" + text,
						"Content-Type": "text/" + text, "Origin": "http://" + p.phone + ".localhost",
					}[header]+text)
					sow(t, p, r)
				}
			}
		}
	}
	for _, scheme := range []string{"Bearer", "Basic"} {
		p := planted(scheme + " token with somebody in it")
		part := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		token := part(`{"alg":"RS256","kid":"`+p.phone+`"}`) + "." + part(`{"iss":"`+provider+`","sub":"`+p.id+`","aud":"`+base+`","name":"`+p.name+`","exp":4102444800}`) + "." + part(p.id)
		sow(t, p, request(t, "GET", base+"/booking/api/v1/bookings", "", "Authorization", scheme+" "+token))
	}

	// JSON that is refused, and JSON that is taken with texts for people.
	// On a day on which other tests have not booked all that one may.
	s := freeSlotThat(t, base, "study-room", func(s slot) bool { return s.Start.After(time.Now().Add(5 * 24 * time.Hour)) })
	for _, call := range []struct{ method, path string }{
		{"POST", "/booking/api/v1/bookings"}, {"POST", "/booking/api/v1/waiting-list"}, {"POST", "/booking/api/v1/series"},
		{"POST", "/booking/api/v1/staff/bookings"}, {"POST", "/booking/api/v1/staff/closures"}, {"PUT", "/booking/api/v1/staff/venues/study-room"},
		{"POST", "/residents/api/v1/people"}, {"POST", "/residents/api/v1/acting"}, {"POST", "/residents/api/v1/join"}, {"POST", "/residents/api/v1/invitations/accept"},
		{"PUT", "/residents/api/v1/me/consents/{}"}, {"POST", "/residents/api/v1/requests/{}/grant"}, {"PUT", "/residents/api/v1/people/{}/duties"},
		{"PUT", "/messages/api/v1/preferences"}, {"POST", "/residents/api/v1/imports?filename={}"}, {"POST", "/residents/api/v1/imports/{}/confirm"},
		{"POST", "/canteen/api/v1/orders"}, {"PUT", "/canteen/api/v1/orders/{}"}, {"DELETE", "/canteen/api/v1/orders/{}"}, {"POST", "/canteen/api/v1/standing-orders"},
		{"PUT", "/canteen/api/v1/standing-orders/{}"},
		{"POST", "/canteen/api/v1/suggestions"}, {"POST", "/canteen/api/v1/staff/orders"}, {"POST", "/canteen/api/v1/staff/dishes"},
		{"PUT", "/canteen/api/v1/staff/menus/{}/{}/{}"}, {"POST", "/canteen/api/v1/staff/photos"}, {"POST", "/accounts/api/v1/payments"},
		{"POST", "/accounts/api/v1/staff/top-ups"}, {"POST", "/accounts/api/v1/staff/payouts"}, {"POST", "/accounts/api/v1/staff/reversals"},
		{"POST", "/accounts/api/v1/wechat-pay/notifications"}, {"PUT", "/accounts/internal/v1/holds/{}"}, {"POST", "/accounts/internal/v1/sales/{}"},
	} {
		for _, shape := range []string{
			`{"venue":"{name}","start":"{phone}","end":"{id}","note":"{all}","name":"","phone":"{id}","bornOn":"{phone}","person":"{name}","code":"{id}","scopes":["{name}"],"duties":["{phone}"],"actor":"{id}"}`,
			`{"{name}":"{phone}","{id}":{id},"name":{phone}}`, `{"name":"{all}`, `{all}`, `["{all}"]`, `{"name":"{all}{all}{all}{all}","bornOn":"1990-02-30","phone":"{id}"}`,
		} {
			p := planted(call.method + " " + call.path + " with " + shape)
			fill := strings.NewReplacer("{name}", p.name, "{phone}", p.phone, "{id}", p.id, "{all}", p.all())
			for _, token := range []string{own, staffOf(call.path)} {
				sow(t, p, request(t, call.method, base+strings.ReplaceAll(call.path, "{}", url.PathEscape(p.name+p.id)), fill.Replace(shape), "Content-Type", jsonType, "Authorization", token))
			}
		}
	}
	p := planted("a booking's note, its cancelling, and a visitor's booking at the desk")
	var made booking
	written := func(more map[string]any) string {
		body := map[string]any{"venue": "study-room", "start": s.Start, "end": s.End}
		for k, v := range more {
			body[k] = v
		}
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	sow(t, p, request(t, "POST", base+"/booking/api/v1/staff/bookings", written(map[string]any{"name": p.name, "phone": p.phone}), "Content-Type", jsonType, "Authorization", desk))
	_, text := sow(t, p, request(t, "POST", base+"/booking/api/v1/bookings", written(map[string]any{"note": p.all()}), "Content-Type", jsonType, "Authorization", own))
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatalf("a booking with somebody in its note: %v: %s", err, text)
	}
	sow(t, p, request(t, "POST", base+"/booking/api/v1/staff/bookings/"+made.ID+"/cancel", `{"reason":"`+p.all()+`"}`, "Content-Type", jsonType, "Authorization", desk))

	sowInCanteen(t, base, kitchen, desk)

	// Forms that are refused, and some that are taken.
	for _, form := range []struct{ path, token string }{
		{"/residents/join", own}, {"/residents/join/ask", own}, {"/residents/invitation", own}, {"/residents/correct", own}, {"/residents/acting/ask", own},
		{"/residents/acting/accept", own}, {"/residents/acting/offer", own}, {"/residents/consents", own}, {"/residents/delete", own}, {"/messages/preferences", own}, {"/preferences", own},
		{"/booking/venues/study-room/book", own}, {"/booking/venues/{}/book", own}, {"/booking/at/study-room", own}, {"/booking/bookings/{}/cancel", own},
		{"/residents/staff/new", desk}, {"/residents/staff/people/{}/edit", desk}, {"/residents/staff/papers", desk}, {"/residents/staff/import", desk}, {"/residents/staff/duties", desk},
		{"/residents/staff/requests", desk}, {"/residents/staff/requests/{}/refuse", desk}, {"/booking/staff/book", desk}, {"/booking/staff/closures/new", desk}, {"/booking/staff/venues/new", desk},
		{"/messages/calls", desk}, {"/messages/calls/{}", desk},
		{"/canteen/order", own}, {"/canteen/orders/{}/change", own}, {"/canteen/orders/{}/rate", own}, {"/canteen/standing/new", own}, {"/canteen/standing/{}/change", own}, {"/canteen/staff/standing/{}/change", kitchen}, {"/canteen/suggestions", own},
		{"/accounts/top-up", own}, {"/canteen/staff/order", kitchen}, {"/canteen/staff/orders/{}/serve", kitchen}, {"/canteen/staff/dishes/new", kitchen},
		{"/canteen/staff/photos", kitchen}, {"/canteen/staff/safety/suppliers/new", kitchen}, {"/canteen/staff/safety/batches/new", kitchen},
		{"/canteen/staff/canteens/new", desk}, {"/canteen/staff/categories/low-income/add", desk}, {"/accounts/staff/purses/{}/top-up", desk}, {"/accounts/staff/purses/{}/payout", desk}, {"/accounts/staff/receipts/{}/reverse", desk},
	} {
		p := planted("the form " + form.path)
		values := url.Values{
			"name": {p.name}, "phone": {p.id}, "bornOn": {p.phone + "-" + p.id}, "note": {strings.Repeat(p.all(), 30)}, "code": {p.id}, "start": {p.phone}, "for": {p.name},
			"key": {p.name}, "reason": {p.all()}, "person": {p.id}, "estate": {p.name}, "return": {"/" + p.phone}, "until": {p.phone}, "venue": {p.name}, "purpose": {p.name},
			"building": {p.all()}, "wish": {p.all() + p.all() + p.all()}, "guest": {p.name + p.id}, "amount": {p.phone}, "canteen": {p.name}, "date": {p.phone}, "meal": {p.id},
			"text": {strings.Repeat(p.all(), 9)}, "title": {p.all()}, "contact": {p.all()}, "licence": {p.all() + p.all()}, "ingredient": {p.all() + p.all()}, "lot": {p.all()}, "language": {p.name}, "way": {p.phone}, "mode": {p.phone}, "pick": {p.id}, "displayName": {p.all()},
		}
		address := base + strings.ReplaceAll(form.path, "{}", url.PathEscape(p.name))
		sow(t, p, request(t, "POST", address, values.Encode(), append(page(form.token), "Content-Type", formType)...))
		sow(t, p, request(t, "POST", address, "%"+p.all(), append(page(form.token), "Content-Type", formType)...))
		sow(t, p, request(t, "POST", address, p.all(), append(page(form.token), "Content-Type", "multipart/form-data; boundary="+p.phone)...))
	}

	// Tables: good lines, faulty ones, everything in the wrong column.
	for n, table := range []string{
		"姓名,手机号,出生日期\n{name},{phone},1950-01-01\n{name},{id},{phone}\n{phone},{name},{id}\n",
		"手机号,姓名,{name}\n{name},{phone},{id}\n", "{name},{phone},{id}\n", "姓名,手机号\n\"{name},{phone}\n{id}", "{all}",
	} {
		p := planted(fmt.Sprint("table ", n))
		content := strings.NewReplacer("{name}", p.name, "{phone}", p.phone, "{id}", p.id, "{all}", p.all()).Replace(table)
		for _, name := range []string{p.name + ".csv", p.name + ".xlsx", p.phone} {
			sow(t, p, request(t, "POST", base+"/residents/api/v1/imports?filename="+url.QueryEscape(name), content, "Content-Type", "text/csv", "Authorization", desk))
			var body bytes.Buffer
			w := multipart.NewWriter(&body)
			part, err := w.CreateFormFile("table", name)
			if err == nil {
				_, err = io.WriteString(part, content)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			answer, _ := sow(t, p, request(t, "POST", base+"/residents/staff/import", body.String(), append(page(desk), "Content-Type", w.FormDataContentType())...))
			if draft := answer.Header.Get("Location"); draft != "" && n == 0 {
				sow(t, p, request(t, "POST", base+draft, "", append(page(desk), "Content-Type", formType)...))
			}
		}
	}
	sowAtProvider(t, base, provider)
	unrepeated(t)
}

// sowInCanteen puts made-up people into what is taken: what somebody wishes of
// the kitchen, who walks in, a delivery's supplier, and the names of photos.
func sowInCanteen(t *testing.T, base, kitchen, desk string) {
	t.Helper()
	lunch := lunchIn(9)
	var menus struct {
		Menus []struct {
			Items []struct{ Dish struct{ ID string } }
		}
	}
	call(t, "GET", base+"/canteen/api/v1/menus/"+lunch.date, "", nil, &menus)
	p := planted("an order's wish, somebody who walks in, and whom one calls at a supplier")
	lines := fmt.Sprintf(`"canteen":%q,"date":%q,"meal":%q,"lines":[{"dish":%q,"portions":1}],"way":"EatIn","payment":"Counter"`,
		lunch.canteen, lunch.date, lunch.meal, menus.Menus[0].Items[0].Dish.ID)
	post := func(path, token, body string) {
		t.Helper()
		answer, text := sow(t, p, request(t, "POST", base+path, body, "Content-Type", jsonType, "Authorization", token, "Idempotency-Key", p.name+p.phone))
		if answer.StatusCode >= 300 {
			t.Errorf("%s: %s: %s", path, answer.Status, text)
		}
	}
	post("/canteen/api/v1/orders", "Bearer "+county.token(t, "zhanqian", resident), `{`+lines+`,"wish":"`+p.all()+`"}`)
	post("/canteen/api/v1/staff/orders", kitchen, `{`+lines+`,"name":"`+p.name+`","wish":"`+p.all()+`"}`)
	post("/canteen/api/v1/staff/suppliers", kitchen, `{"name":"顺达粮油店","contact":"`+p.name+`","phone":"`+p.phone+`"}`)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	part, err := w.CreateFormFile("photo", p.name+p.phone+".jpg")
	if err == nil {
		_, err = io.WriteString(part, p.all())
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{kitchen, desk} {
		sow(t, p, request(t, "POST", base+"/canteen/staff/photos", body.String(), "Accept", "text/html", "Authorization", token, "Content-Type", w.FormDataContentType()))
	}
}

// sowAtProvider puts made-up people where they sign in.
func sowAtProvider(t *testing.T, base, provider string) {
	t.Helper()
	for _, path := range []string{
		"/{}", "/authorize?client_id={}&redirect_uri={}&state={}&login_hint={}&response_type={}", "/end_session?id_token_hint={}&client_id={}&post_logout_redirect_uri={}", "/userinfo?access_token={}",
		"/authorize?client_id=" + url.QueryEscape(strings.TrimPrefix(base, "http://")) + "&redirect_uri=" + url.QueryEscape(base+"/identity/callback") + "&response_type=code&scope={}&state={}&prompt={}&acr_values={}&login_hint={}",
		"/sign-in?attempt={}", "/sign-in/code?attempt={}",
	} {
		for _, accept := range []string{"text/html", jsonType} {
			p := planted("the provider's " + path)
			for _, text := range []string{p.name, p.phone, p.id} {
				sow(t, p, request(t, "GET", provider+strings.ReplaceAll(path, "{}", url.QueryEscape(text)), "", "Accept", accept))
			}
		}
	}
	p := planted("the provider's tokens")
	for _, grant := range []string{"authorization_code", "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange"} {
		values := url.Values{"grant_type": {grant}, "code": {p.id}, "client_id": {p.phone}, "redirect_uri": {base + "/" + p.phone}, "code_verifier": {p.id}, "client_assertion": {p.all()},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "subject_token": {p.all()}, "subject_token_type": {p.phone}, "audience": {p.name}, "scope": {p.name}}
		sow(t, p, request(t, "POST", provider+"/oauth/token", values.Encode(), "Content-Type", formType))
	}

	// The way of a browser: numbers that are none, and codes that are wrong.
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	walker := *client
	walker.Jar = jar
	answer, err := walker.Get(base + "/identity/sign-in")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	at := answer.Request.URL
	post := func(field, text string) {
		t.Helper()
		r := request(t, "POST", at.String(), url.Values{field: {text}}.Encode(), "Content-Type", formType, "Accept", "text/html")
		for _, c := range jar.Cookies(at) {
			r.AddCookie(c)
		}
		answer, _ := sow(t, p, r)
		if to, err := answer.Location(); err == nil {
			at = to
		}
	}
	p = planted("the form for one's number")
	for _, text := range []string{p.name, p.id, p.all(), p.phone} { // the last is one
		post("phone", text)
	}
	if !strings.HasSuffix(at.Path, "/sign-in/code") {
		t.Fatalf("after a number one is at %s", at.Path)
	}
	for _, text := range []string{p.name, p.phone, p.id} {
		post("code", text)
	}
}

var wayBack = regexp.MustCompile(`<input type="hidden" name="return" value="[^"]*"`)

// unrepeated checks the errors that were answered. A form that is shown again
// has in its fields what was typed into it, in this very request: that is what
// people expect. Every other error, a problem document or an error page, never
// repeats anything of the request; and none has anything of anybody else's. The
// one exception is the hidden address to which choosing a language or the elder
// mode leads back, so that one stays on the page: the browser shows it anyway.
func unrepeated(t *testing.T) {
	t.Helper()
	refusals.Lock()
	defer refusals.Unlock()
	if len(refusals.all) < 300 {
		t.Errorf("only %d errors were answered: the requests no longer reach what they were made for", len(refusals.all))
	}
	for _, r := range refusals.all {
		form := strings.HasPrefix(r.kind, "text/html") && strings.Contains(r.body, `<form method="post"`) &&
			r.status != http.StatusNotFound && r.status != http.StatusForbidden && r.status < 500
		findPlants([]byte(r.header+"\n"+wayBack.ReplaceAllString(r.body, "")), func(p plant, around string) {
			if p != r.plant || !form {
				t.Errorf("%s: %d has who was planted in %s: …%s…", r.what, r.status, p.way, around)
			}
		})
	}
}
