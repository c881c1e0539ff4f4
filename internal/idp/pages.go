package idp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages, one for each thing that is asked for.
const (
	pathNumber   = "/sign-in"
	pathCode     = "/sign-in/code"
	pathPassword = "/sign-in/password"
	pathEnrol    = "/sign-in/enrol"
	pathApp      = "/sign-in/app"
)

var pathOf = map[step]string{
	stepNumber: pathNumber, stepCode: pathCode, stepPassword: pathPassword, stepEnrol: pathEnrol, stepApp: pathApp,
}

// codeDigits is how long a one-time code is.
const codeDigits = 6

func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand does not fail
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// cookieName is that of the cookie with an attempt. Browsers take one
// that begins with __Host- from nobody but this very host, over TLS.
func (p *Provider) cookieName() string {
	if p.issuer.Scheme == "http" {
		return "linli-attempt"
	}
	return "__Host-linli-attempt"
}

// setCookie ties an attempt to the browser. Each attempt has a new cookie,
// whatever one the browser has shown.
func (p *Provider) setCookie(h http.Header, content string) {
	c := http.Cookie{
		Name: p.cookieName(), Value: content, Path: "/", MaxAge: int(attemptLifetime / time.Second),
		Secure: p.issuer.Scheme == "https", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
	h.Add("Set-Cookie", c.String())
}

// view is what a page of an attempt knows: its reader, and the community that
// asked, as it calls itself in the address.
func (p *Provider) view(r *http.Request, a *attempt) web.View {
	v := p.pages.View(r)
	if a != nil {
		v.Community = community(a.Client)
	}
	return v
}

// at serves a page of an attempt that is at one of those steps, and leads
// elsewhere who is not.
func (p *Provider) at(next func(http.ResponseWriter, *http.Request, *attempt), steps ...step) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			p.refuse(w, r, http.StatusBadRequest, "The form could not be read.")
			return
		}
		var cookie string
		if c, err := r.Cookie(p.cookieName()); err == nil {
			cookie = c.Value
		}
		a, err := p.store.attemptOf(r.Context(), cookie, p.options.Clock.Now())
		if err != nil {
			p.stumble(w, r, err)
			return
		}
		w.Header().Set("Content-Security-Policy", contentSecurityPolicy(clientOrigin(a.RedirectURI)))
		if slices.Contains(steps, a.Step) {
			next(w, r, a)
			return
		}
		p.lead(w, r, a)
	}
}

// lead brings the browser of an attempt to where that is.
func (p *Provider) lead(w http.ResponseWriter, r *http.Request, a *attempt) {
	v := p.view(r, a)
	home := clientOrigin(a.RedirectURI) + homePath
	switch {
	case a.Step == stepDone && a.SignedInAt == 0:
		p.finish(w, r, a)
	case a.Step == stepDone:
		p.pages.Render(w, r, http.StatusGone, overPage(v, v.T("idp.done"), v.T("idp.doneText"), home))
	case a.Step == stepEnded:
		p.pages.Render(w, r, http.StatusTooManyRequests, overPage(v, v.T("idp.ended"), v.T("idp.endedText"), home))
	default:
		seeOther(w, r, pathOf[a.Step])
	}
}

func seeOther(w http.ResponseWriter, r *http.Request, to string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// stumble answers where there is no attempt, or where it could not be looked up.
func (p *Provider) stumble(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNotFound) {
		v := p.view(r, nil)
		p.pages.Render(w, r, http.StatusGone, overPage(v, v.T("idp.lost"), v.T("idp.lostText"), ""))
		return
	}
	if r.Context().Err() == nil {
		p.options.Log.Error("a page failed", "route", r.Pattern, "error", err.Error())
	}
	p.refuse(w, r, http.StatusInternalServerError, "The error was recorded.")
}

// home is what stands at the provider's own address.
func (p *Provider) home(w http.ResponseWriter, r *http.Request) {
	v := p.view(r, nil)
	p.pages.Render(w, r, http.StatusOK, overPage(v, v.T("idp.home"), v.T("idp.homeText"), ""))
}

func (p *Provider) numberPage(w http.ResponseWriter, r *http.Request, a *attempt) {
	p.pages.Render(w, r, http.StatusOK, numberPage(p.view(r, a), p.options.Demo, "", ""))
}

// takeNumber sends a code to a number. The answer is the same whether anybody
// has an account with it or not: accounts are not looked at.
func (p *Provider) takeNumber(w http.ResponseWriter, r *http.Request, a *attempt) {
	v, typed := p.view(r, a), r.PostForm.Get("phone")
	again := func(status int, mistake string) {
		p.pages.Render(w, r, status, numberPage(v, p.options.Demo, typed, mistake))
	}
	phone, err := normalPhone(typed)
	if err != nil {
		again(http.StatusUnprocessableEntity, v.T("idp.phoneWrong"))
		return
	}
	now, code := p.options.Clock.Now(), newCode()
	from := clientAddress(r.RemoteAddr, r.Header.Values("X-Forwarded-For"), p.options.TrustedProxies)
	err = p.store.prepareCode(r.Context(), *a, phone, code, from, p.limits, now)
	var many tooMany
	if errors.As(err, &many) {
		p.metrics.codes.WithLabelValues("limited").Inc()
		w.Header().Set("Retry-After", strconv.Itoa(int(many.wait/time.Second)+1))
		again(http.StatusTooManyRequests, v.T("idp.phoneTooMany", "Count", minutes(many.wait)))
		return
	}
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	err = p.sender.send(r.Context(), message{
		Attempt: a.ID, ID: uuid.NewString(), Phone: e164(phone), Kind: "sign-in-code", Code: code,
		Text:     v.T("idp.message", "Code", code, "Count", int(codeLifetime/time.Minute)),
		Language: string(v.Lang),
	})
	if err != nil {
		p.metrics.codes.WithLabelValues("failed").Inc()
		p.options.Log.Error("a code was not delivered", "error", err.Error())
		again(http.StatusServiceUnavailable, v.T("idp.notSent"))
		return
	}
	p.metrics.codes.WithLabelValues("sent").Inc()
	seeOther(w, r, pathCode)
}

// minutes is a wait as people are told it: rounded up.
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }

func (p *Provider) codePage(w http.ResponseWriter, r *http.Request, a *attempt) {
	p.showCode(w, r, a, http.StatusOK, "", "")
}

func (p *Provider) showCode(w http.ResponseWriter, r *http.Request, a *attempt, status int, typed, mistake string) {
	phone, err := p.store.phone(a)
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	p.pages.Render(w, r, status, codePage(p.view(r, a), spacedPhone(phone), p.sender.shown(a.ID), typed, mistake))
}

func (p *Provider) takeCode(w http.ResponseWriter, r *http.Request, a *attempt) {
	v, typed := p.view(r, a), r.PostForm.Get("code")
	code := normalDigits(typed)
	if len(code) != codeDigits {
		p.showCode(w, r, a, http.StatusUnprocessableEntity, typed, v.T("idp.codeForm"))
		return
	}
	a, outcome, err := p.store.enterCode(r.Context(), a.ID, code, p.options.Clock.Now())
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	switch outcome {
	case outcomeWrong:
		p.showCode(w, r, a, http.StatusUnprocessableEntity, typed, v.T("idp.codeWrong"))
	case outcomeExpired:
		p.showCode(w, r, a, http.StatusUnprocessableEntity, "", v.T("idp.codeExpired"))
	default:
		p.proceed(w, r, a, outcome)
	}
}

// proceed goes on from what was typed to what is next.
func (p *Provider) proceed(w http.ResponseWriter, r *http.Request, a *attempt, o outcome) {
	if o == outcomeEnded {
		p.metrics.signIns.WithLabelValues("ended").Inc()
	}
	p.lead(w, r, a)
}

// finish sends the browser back to the community with an authorization code.
func (p *Provider) finish(w http.ResponseWriter, r *http.Request, a *attempt) {
	a, code, err := p.store.grant(r.Context(), a.ID, p.options.Clock.Now())
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	to, err := p.provider.answer(a, code)
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	outcome := "resident"
	if a.ACR == ACRStaff {
		outcome = "staff"
	}
	p.metrics.signIns.WithLabelValues(outcome).Inc()
	seeOther(w, r, to)
}

func (p *Provider) passwordPage(w http.ResponseWriter, r *http.Request, a *attempt) {
	p.pages.Render(w, r, http.StatusOK, passwordPage(p.view(r, a), ""))
}

// takePassword looks at password and app code together, and says of neither
// whether it alone was right.
func (p *Provider) takePassword(w http.ResponseWriter, r *http.Request, a *attempt) {
	v := p.view(r, a)
	a, outcome, wait, err := p.proveStaff(r.Context(), a, r.PostForm.Get("password"), normalDigits(r.PostForm.Get("code")))
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	switch outcome {
	case outcomeWrong:
		p.pages.Render(w, r, http.StatusUnprocessableEntity, passwordPage(v, v.T("idp.passwordWrong")))
	case outcomeWait:
		w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
		p.pages.Render(w, r, http.StatusTooManyRequests, passwordPage(v, v.T("idp.passwordWait", "Count", minutes(wait))))
	default:
		p.proceed(w, r, a, outcome)
	}
}

func (p *Provider) enrolPage(w http.ResponseWriter, r *http.Request, a *attempt) {
	p.pages.Render(w, r, http.StatusOK, enrolPage(p.view(r, a), "", ""))
}

func (p *Provider) takeEnrolment(w http.ResponseWriter, r *http.Request, a *attempt) {
	v := p.view(r, a)
	phone, err := p.store.phone(a)
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	password := normalPassword(r.PostForm.Get("password"))
	if mistake := badPassword(password, phone); mistake != "" {
		p.pages.Render(w, r, http.StatusUnprocessableEntity, enrolPage(v, v.T(mistake, "Count", minPassword), ""))
		return
	}
	if normalPassword(r.PostForm.Get("again")) != password {
		p.pages.Render(w, r, http.StatusUnprocessableEntity, enrolPage(v, "", v.T("idp.passwordDiffers")))
		return
	}
	if a, err = p.beginEnrolment(r.Context(), a, password); err != nil {
		p.stumble(w, r, err)
		return
	}
	p.lead(w, r, a)
}

func (p *Provider) appPage(w http.ResponseWriter, r *http.Request, a *attempt) {
	p.showApp(w, r, a, http.StatusOK, "", "")
}

func (p *Provider) showApp(w http.ResponseWriter, r *http.Request, a *attempt, status int, typed, mistake string) {
	secret, err := p.store.secrets.unseal(a.totpPlace(), a.TOTP)
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	p.pages.Render(w, r, status, appPage(p.view(r, a), appAddress(p.issuer.Hostname(), string(secret)), groups(string(secret)), typed, mistake))
}

func (p *Provider) takeApp(w http.ResponseWriter, r *http.Request, a *attempt) {
	typed := r.PostForm.Get("code")
	a, outcome, err := p.confirmEnrolment(r.Context(), a.ID, normalDigits(typed))
	if err != nil {
		p.stumble(w, r, err)
		return
	}
	if outcome == outcomeWrong {
		p.showApp(w, r, a, http.StatusUnprocessableEntity, typed, p.view(r, a).T("idp.appWrong"))
		return
	}
	p.proceed(w, r, a, outcome)
}

// withHasher runs f when fewer than hashers others do: each takes the memory
// of one password hash.
func (p *Provider) withHasher(ctx context.Context, f func()) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case p.hashing <- struct{}{}:
	}
	defer func() { <-p.hashing }()
	f()
	return nil
}
