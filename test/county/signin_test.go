package county

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/linli-io/linli/internal/sample"
)

// enter signs a sample person in at the station-front community, staff in the
// way that staff must.
func (p *person) enter(account string) {
	p.Helper()
	who, ok := sample.Of(account)
	if !ok {
		p.Fatalf("there is no sample person %q", account)
	}
	address := county.url("zhanqian") + "/identity/sign-in"
	if who.Staff() {
		address += "?staff=true"
	}
	p.visit(address)
	p.signIn(account)
}

// signIn proves who one is on the provider's pages, to which the browser was
// led, and is led back.
func (p *person) signIn(account string) {
	p.Helper()
	who, _ := sample.Of(account)
	p.signInBy(who.Phone)
	if strings.HasSuffix(pathOf(p.location()), "/sign-in/password") {
		secrets := county.secrets(p.T, account)
		p.fill("password", secrets["password"])
		p.fill("code", secrets["code"])
		p.submit()
	}
	if at := p.location(); !strings.HasPrefix(at, county.url("zhanqian")) {
		p.Fatalf("%s has signed in, and is at %s", account, at)
	}
}

// signInBy proves that one has a number.
func (p *person) signInBy(phone string) {
	p.Helper()
	p.fill("phone", phone)
	p.submit()
	code, err := chromedp.Run(p.ctx, chromedp.Text(`#demo-code`))
	if err != nil {
		p.Fatalf("the code that is shown because this is a demonstration: %v", err)
	}
	p.fill("code", code)
	p.submit()
}

// submit sends the form of the page.
func (p *person) submit() {
	p.Helper()
	p.clickAt(`//main//form//button`)
}

// secrets are the password of a sample member of staff, and a code of their app.
func (c *cluster) secrets(t *testing.T, account string) map[string]string {
	t.Helper()
	c.tokens.Lock() // a code is good once: nobody else may be given the same
	defer c.tokens.Unlock()
	var stderr bytes.Buffer
	cmd := c.command(t.Context(), "bin/linli", "sample", "code", account)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("linli sample code: %v: %s", err, stderr.String())
	}
	secrets := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		secrets[name] = strings.TrimSpace(value)
	}
	return secrets
}
