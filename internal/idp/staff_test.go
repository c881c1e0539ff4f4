package idp_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/linli-io/linli/internal/idp"
)

const goodPassword = "correct horse battery staple"

var secretOnPage = regexp.MustCompile(`id="app-secret">([A-Z2-7 ]+)<`)

// appCode is what an authenticator app shows.
func (c *county) appCode(secret string) string {
	c.t.Helper()
	code, err := totp.GenerateCodeCustom(secret, c.clock.Now(), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	must(c.t, err)
	return code
}

// enrol makes somebody staff at the provider: code, password, app.
func (c *county) enrol(phone, password string) (id claims, secret string) {
	c.t.Helper()
	rp, b := c.community(zhanqian), c.browser()
	f := rp.begin(staffWay)
	p := b.post("/sign-in/code", "code", b.askCode(f, phone))
	if p.path != "/sign-in/enrol" {
		c.t.Fatalf("the code led to %s: %s", p.path, p.body)
	}
	p = b.post("/sign-in/enrol", "password", password, "again", password)
	found := secretOnPage.FindStringSubmatch(p.body)
	if p.path != "/sign-in/app" || found == nil || !strings.Contains(p.body, `<svg class="qr"`) {
		c.t.Fatalf("the password led to %s: %s", p.path, p.body)
	}
	secret = strings.ReplaceAll(found[1], " ", "")
	if p := b.post("/sign-in/app", "code", wrong(c.appCode(secret), 0)); p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, secretOnPage.FindString(p.body)) {
		c.t.Errorf("a wrong code of the app answers %d", p.status)
	}
	p = b.post("/sign-in/app", "code", c.appCode(secret))
	id, _, _, err := rp.redeem(f, codeFrom(c.t, f, p))
	must(c.t, err)
	return id, secret
}

// askPassword brings staff to the page that asks for password and app code.
func (c *county) askPassword(phone string) (*browser, flow) {
	c.t.Helper()
	f, b := c.community(zhanqian).begin(staffWay), c.browser()
	if p := b.post("/sign-in/code", "code", b.askCode(f, phone)); p.path != "/sign-in/password" {
		c.t.Fatalf("the code led to %s: %s", p.path, p.body)
	}
	return b, f
}

// Staff choose a password and set up an app once, and sign in with both from
// then on; to the community they are the same person either way.
func TestStaff(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		resident, _, _ := c.signIn(zhanqian, sunLi)
		if resident.ACR != idp.ACRResident {
			t.Errorf("acr %s without asking for staff's", resident.ACR)
		}
		enrolled, secret := c.enrol(sunLi, goodPassword)
		if enrolled.ACR != idp.ACRStaff || enrolled.Subject != resident.Subject {
			t.Errorf("after enrolling: %+v", enrolled)
		}
		c.restart()
		c.clock.Step(time.Minute)
		b, f := c.askPassword(sunLi)
		id, access, _, err := c.community(zhanqian).redeem(f, codeFrom(t, f, b.post("/sign-in/password", "password", goodPassword, "code", c.appCode(secret))))
		must(t, err)
		if id.ACR != idp.ACRStaff || access.ACR != idp.ACRStaff || id.Subject != resident.Subject {
			t.Errorf("ID token %+v, access token %+v", id, access)
		}
		if again, _, _ := c.signIn(zhanqian, sunLi); again.ACR != idp.ACRResident {
			t.Errorf("number and code alone are %s", again.ACR)
		}
	})
}

// A code of the app is good once, also for somebody who watched it, and
// neither password nor app is enough alone.
func TestStaffProofs(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		_, secret := c.enrol(sunLi, goodPassword)
		b, _ := c.askPassword(sunLi)
		if p := b.post("/sign-in/password", "password", goodPassword, "code", c.appCode(secret)); p.location != nil {
			t.Error("the code that confirmed the app was taken again")
		}
		for name, fields := range map[string]func(code string) []string{
			"another password": func(code string) []string { return []string{"password", goodPassword + "x", "code", code} },
			"another code":     func(code string) []string { return []string{"password", goodPassword, "code", wrong(code, 0)} },
		} {
			c.clock.Step(time.Minute)
			if p := b.post("/sign-in/password", fields(c.appCode(secret))...); p.location != nil || p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, "密码或动态码不对") {
				t.Errorf("%s answers %d: %s", name, p.status, p.body)
			}
		}
		for _, page := range []string{"/sign-in/enrol", "/sign-in/app", "/sign-in/code", "/sign-in"} {
			if p := b.open(page); p.path != "/sign-in/password" {
				t.Errorf("%s is open to who is to show a password: %s", page, p.path)
			}
		}
	})
}

// Wrong ones make whoever holds the number wait, longer each time; the wait
// belongs to the account, and trying many at once does not help.
func TestStaffWaits(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		_, secret := c.enrol(sunLi, goodPassword)
		c.clock.Step(time.Minute)
		first, _ := c.askPassword(sunLi)
		second, f := c.askPassword(sunLi)
		var many sync.WaitGroup
		answers := make([]page, 8)
		for i := range answers {
			many.Go(func() { answers[i] = first.post("/sign-in/password", "password", "wrong password", "code", "000000") })
		}
		many.Wait()
		looked := 0
		for _, p := range answers {
			if p.status == http.StatusUnprocessableEntity {
				looked++
			} else if p.status != http.StatusTooManyRequests {
				t.Errorf("a wrong password answers %d", p.status)
			}
		}
		if looked != 3 {
			t.Errorf("%d of 8 wrong passwords at once were looked at, want 3", looked)
		}
		p := second.post("/sign-in/password", "password", goodPassword, "code", c.appCode(secret))
		if p.status != http.StatusTooManyRequests || p.header.Get("Retry-After") == "" {
			t.Errorf("the right ones in another attempt, while waiting, answer %d", p.status)
		}
		c.clock.Step(31 * time.Second)
		if p := second.post("/sign-in/password", "password", "wrong password", "code", "000000"); p.status != http.StatusUnprocessableEntity {
			t.Errorf("after the wait: %d", p.status)
		}
		c.clock.Step(31 * time.Second)
		if p := second.post("/sign-in/password", "password", goodPassword, "code", c.appCode(secret)); p.status != http.StatusTooManyRequests {
			t.Errorf("the second wait is not longer than the first: %d", p.status)
		}
		c.clock.Step(31 * time.Second)
		codeFrom(t, f, second.post("/sign-in/password", "password", goodPassword, "code", c.appCode(secret)))
		c.clock.Step(time.Minute)
		third, _ := c.askPassword(sunLi)
		if p := third.post("/sign-in/password", "password", "wrong password", "code", "000000"); p.status != http.StatusUnprocessableEntity {
			t.Errorf("what was wrong before counts after signing in: %d", p.status)
		}
	})
}

// The same code of the app, sent twice at the same moment, signs in once.
func TestAppCodeRace(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		_, secret := c.enrol(sunLi, goodPassword)
		c.clock.Step(time.Minute)
		first, _ := c.askPassword(sunLi)
		second, _ := c.askPassword(sunLi)
		code := c.appCode(secret)
		answers := make([]page, 2)
		var both sync.WaitGroup
		for i, b := range []*browser{first, second} {
			both.Go(func() { answers[i] = b.post("/sign-in/password", "password", goodPassword, "code", code) })
		}
		both.Wait()
		if (answers[0].location != nil) == (answers[1].location != nil) {
			t.Errorf("signed in: %v and %v, want one of them", answers[0].location, answers[1].location)
		}
	})
}

// Passwords that are refused, each with the reason beside the field.
func TestPasswordsRefused(t *testing.T) {
	c := start(t, nil)
	b := c.browser()
	b.post("/sign-in/code", "code", b.askCode(c.community(zhanqian).begin(staffWay), sunLi))
	for _, tc := range []struct{ password, again, want string }{
		{"short", "short", "至少要10个字"},
		{"password2026", "password2026", "太常见"},
		{"my " + sunLi, "my " + sunLi, "手机号码"},
		{goodPassword, goodPassword + "r", "不一样"},
	} {
		p := b.post("/sign-in/enrol", "password", tc.password, "again", tc.again)
		if p.status != http.StatusUnprocessableEntity || !strings.Contains(p.body, tc.want) {
			t.Errorf("%q answers %d: %s", tc.password, p.status, p.body)
		}
		if strings.Contains(p.body, tc.password) {
			t.Errorf("the page repeats the password %q", tc.password)
		}
	}
}

// County IT closes the account of who has lost their app: the number enrols
// anew, and is somebody new to the community.
func TestCloseAccount(t *testing.T) {
	each(t, func(t *testing.T, c *county) {
		dir, err := os.MkdirTemp("", "idp") // a socket's path is short
		must(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		control := filepath.Join(dir, "idp.sock")
		c.options.Control = control
		c.restart()
		before, _ := c.enrol(sunLi, goodPassword)
		half, _ := c.askPassword(sunLi)
		if err := idp.CloseAccount(t.Context(), control, "138 0000 0005"); err != nil {
			t.Fatal(err)
		}
		if p := half.post("/sign-in/password", "password", goodPassword, "code", "000000"); p.location != nil {
			t.Error("an attempt with the closed account went on")
		}
		if after, _ := c.enrol(sunLi, goodPassword); after.Subject == before.Subject {
			t.Error("the number is still the same person")
		}
		for phone, want := range map[string]string{"13900000000": "No open account", "x": "no phone number"} {
			if err := idp.CloseAccount(t.Context(), control, phone); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", phone, err)
			}
		}
		if info, err := os.Stat(control); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the socket is open to others: %v, %v", info, err)
		}
		c.restart()
		c.stop()
		if err := idp.CloseAccount(t.Context(), control, sunLi); err == nil || !strings.Contains(err.Error(), "--control") {
			t.Errorf("without a provider: %v", err)
		}
	})
}
