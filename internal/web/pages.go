// Package web is how pages look and speak: the page frame and its components,
// styles, the languages, and what a reader prefers.
//
// Pages are plain HTML that works without JavaScript. Texts are messages in
// zh-CN (the source) and en; a reader's language comes from the preferences
// cookie, else from the browser.
package web

import (
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	"github.com/a-h/templ"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"

	"github.com/linli-io/linli/api/v1alpha1"
)

//go:embed messages/*.toml
var messages embed.FS

// Site is what pages need to know of the community.
type Site struct {
	Community *v1alpha1.Community
	// Location is the community's time zone.
	Location *time.Location
	// Loopback says that the community is reached without TLS under a name of
	// this machine, where browsers refuse cookies marked Secure.
	Loopback bool
	// SignIn says that people can sign in.
	SignIn bool
}

// Reader is who reads a page, if somebody is signed in.
type Reader struct {
	Name, LatinName string
	Staff           bool
}

// Options are what Pages are made of.
type Options struct {
	// Messages are those of the services, each with zh-CN.toml and en.toml.
	Messages []fs.FS
	// Site returns the community as it is now.
	Site func() Site
	// Reader returns who is signed in.
	Reader func(*http.Request) (Reader, bool)
	Log    *slog.Logger
}

// Pages renders pages for readers.
type Pages struct {
	options Options
	bundle  *i18n.Bundle
	texts   map[Language]map[string]text // the messages without plural forms, by id
}

// NewPages loads the messages. Two messages with one id are an error.
func NewPages(o Options) (*Pages, error) {
	own, err := fs.Sub(messages, "messages")
	if err != nil {
		return nil, err
	}
	bundle := i18n.NewBundle(language.MustParse(string(Chinese)))
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	texts := make(map[Language]map[string]text, len(Languages))
	for _, lang := range Languages {
		seen := map[string]bool{}
		texts[lang] = map[string]text{}
		for _, fsys := range append([]fs.FS{own}, o.Messages...) {
			file, err := bundle.LoadMessageFileFS(fsys, string(lang)+".toml")
			if err != nil {
				return nil, fmt.Errorf("messages: %w", err)
			}
			for _, m := range file.Messages {
				if seen[m.ID] {
					return nil, fmt.Errorf("messages in %s: %q is defined twice", lang, m.ID)
				}
				seen[m.ID] = true
				if t, ok := parseText(m.Other); ok && m.One == "" {
					texts[lang][m.ID] = t
				}
			}
		}
	}
	return &Pages{options: o, bundle: bundle, texts: texts}, nil
}

// View returns what the pages of this request need to know.
func (p *Pages) View(r *http.Request) View {
	site := p.options.Site()
	prefs := readPreferences(r, site.Loopback)
	lang := prefs.lang
	if lang == "" {
		lang = accepted(r.Header.Get("Accept-Language"))
	}
	v := View{
		Lang:       lang,
		Elder:      prefs.mode == modeElder,
		ModeChosen: prefs.mode != "",
		Community:  site.Community,
		Location:   site.Location,
		SignIn:     site.SignIn && !strings.HasPrefix(r.URL.Path, "/identity/"),
		Path:       currentPage(r),
		localizer:  i18n.NewLocalizer(p.bundle, string(lang)),
		texts:      p.texts[lang],
	}
	if reader, ok := p.options.Reader(r); ok {
		v.Reader = &reader
	}
	return v
}

// ViewIn is the View of a request in a language of the caller's choice, for
// what is not read by the browser that asks.
func (p *Pages) ViewIn(r *http.Request, lang Language) View {
	v := p.View(r)
	v.Lang, v.localizer, v.texts = lang, i18n.NewLocalizer(p.bundle, string(lang)), p.texts[lang]
	return v
}

// Words is a View in a language that belongs to no request and no reader, for
// texts that are sent to people.
func (p *Pages) Words(lang Language) View {
	site := p.options.Site()
	return View{
		Lang: lang, Community: site.Community, Location: site.Location, Path: "/",
		localizer: i18n.NewLocalizer(p.bundle, string(lang)), texts: p.texts[lang],
	}
}

// Render writes a page. Nothing is written of a page that cannot be rendered
// to its end; the reader gets the error page instead.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	b := templ.GetBuffer() // used again: pages grow large
	defer templ.ReleaseBuffer(b)
	if err := page.Render(r.Context(), b); err != nil {
		if r.Context().Err() != nil {
			return // the reader has gone away
		}
		p.options.Log.ErrorContext(r.Context(), "page not rendered", "pattern", r.Pattern, "error", err.Error())
		b.Reset()
		status = http.StatusInternalServerError
		if err := ErrorPage(p.View(r), status).Render(r.Context(), b); err != nil {
			http.Error(w, http.StatusText(status), status)
			return
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	// Pages differ by cookie and belong to one reader.
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	if _, err := w.Write(b.Bytes()); err != nil {
		p.options.Log.DebugContext(r.Context(), "page not delivered", "error", err.Error())
	}
}

// Error shows the friendly page for a status: 403, 404, 405, 500, 503 and the
// like.
func (p *Pages) Error(w http.ResponseWriter, r *http.Request, status int) {
	p.Render(w, r, status, ErrorPage(p.View(r), status))
}

// currentPage is where a switch on this page leads back to.
func currentPage(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return LocalPath(r.URL.RequestURI())
	}
	// The answer to a form has no address that could be opened again; the
	// page with the form has.
	from, err := url.Parse(r.Referer())
	if err != nil || from.Host != r.Host {
		return "/"
	}
	return LocalPath(from.RequestURI())
}

// LocalPath returns path if it leads to a page of this community, else "/".
// It is for return addresses that come with a request.
func LocalPath(path string) string {
	// Browsers take a backslash for a slash and drop control characters, so
	// that /\host and /<tab>/host lead elsewhere as //host does.
	odd := func(c rune) bool { return c <= ' ' || c == '\\' || c == 0x7f }
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsFunc(path, odd) {
		return "/"
	}
	if _, err := url.Parse(path); err != nil {
		return "/"
	}
	return path
}
