package web

import (
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Values of the mode in the preferences cookie.
const (
	modeStandard = "standard"
	modeElder    = "elder"
)

// preferences are what a reader has chosen; empty where nothing was.
type preferences struct {
	lang Language
	mode string
}

func preferencesCookie(loopback bool) string {
	if loopback {
		return "linli-preferences"
	}
	return "__Host-linli-preferences"
}

func readPreferences(r *http.Request, loopback bool) preferences {
	c, err := r.Cookie(preferencesCookie(loopback))
	if err != nil {
		return preferences{}
	}
	q, err := url.ParseQuery(c.Value)
	if err != nil {
		return preferences{}
	}
	return preferences{}.with(q)
}

// with returns p with the choices of q that are known.
func (p preferences) with(q url.Values) preferences {
	if l := Language(q.Get("lang")); slices.Contains(Languages, l) {
		p.lang = l
	}
	if m := q.Get("mode"); m == modeStandard || m == modeElder {
		p.mode = m
	}
	return p
}

// SetPreferences handles the forms of the language and elder-mode switches:
// it keeps lang and mode in a cookie for a year and returns to the page that
// the form stood on.
func (p *Pages) SetPreferences(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.Error(w, r, http.StatusBadRequest)
		return
	}
	loopback := p.options.Site().Loopback
	chosen := readPreferences(r, loopback).with(r.PostForm)
	value := url.Values{}
	if chosen.lang != "" {
		value.Set("lang", string(chosen.lang))
	}
	if chosen.mode != "" {
		value.Set("mode", chosen.mode)
	}
	http.SetCookie(w, &http.Cookie{
		Name:     preferencesCookie(loopback),
		Value:    value.Encode(),
		Path:     "/",
		MaxAge:   int(365 * 24 * time.Hour / time.Second),
		Secure:   !loopback,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, LocalPath(r.PostForm.Get("return")), http.StatusSeeOther)
}
