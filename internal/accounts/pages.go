package accounts

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the pages.
const (
	// homePath is where people find their purse.
	homePath      = "/" + Name + "/"
	statementPath = homePath + "statement"
)

// mountPages mounts the residents' pages.
func (s *service) mountPages(mux *host.Router) {
	personal := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, s.identity.RequirePerson(h)) }
	personal("GET "+homePath+"{$}", s.pursePage)
	personal("GET "+statementPath, s.statementPage)
	personal("GET "+topUpPath, s.topUpPage)
	personal("POST "+topUpPath, s.payFromPage)
	personal("GET "+paymentsPath+"{id}", s.paymentPage)
}

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

// maxFormBytes is far more than a form with the longest reason needs.
const maxFormBytes = 16 << 10

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, errNotOnline):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errNotYours):
		s.pages.Error(w, r, http.StatusForbidden)
		return
	case errors.Is(err, errBadForm), errors.Is(err, errNotOurTime):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if _, ok := errors.AsType[*Refusal](err); ok { // what our own forms do not ask for
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// form reads the form of a request; what cannot be read is answered.
func (s *service) form(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, errBadForm)
		return false
	}
	return true
}

// withDone is an address that says what was just done.
func withDone(path, done string) string { return path + "?" + url.Values{"done": {done}}.Encode() }

// What pages say was just done, by the name in the address.
var doneTexts = map[string]string{
	"topUp": "accounts.done.topUp", "payout": "accounts.done.payout", "reversal": "accounts.done.reversal",
	"odd": "accounts.done.odd",
}

func done(r *http.Request) string { return doneTexts[r.URL.Query().Get("done")] }

// refusedTexts are the messages that say why something was refused.
var refusedTexts = map[Rule]string{
	RuleAmount: "accounts.refused.amount", RulePurseFull: "accounts.refused.full", RuleInsufficient: "accounts.refused.insufficient",
	RuleReason: "accounts.refused.reason", RuleIrreversible: "accounts.refused.irreversible", RuleReversed: "accounts.refused.reversed",
	RuleTooMany: "accounts.refused.tooMany", RuleNotYours: "accounts.refused.notYours", RuleNotToday: "accounts.refused.notToday", RuleReused: "accounts.refused.reused",
}

// refusedText says in the reader's words why something was not done; false if
// err is nothing that people can do something about.
func refusedText(v web.View, err error) (string, bool) {
	if errors.Is(err, errUnpayable) {
		return v.T("accounts.refused.provider"), true
	}
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusedTexts[refusal.Rule] == "" {
		return "", false
	}
	return v.T(refusedTexts[refusal.Rule], "Available", v.Money(refusal.Available), "Min", v.Money(MinTopUp), "Max", v.Money(MaxTopUp), "Full", v.Money(MaxPurse)), true
}

// change is what a purse gained or lost, such as +¥12.50.
func change(v web.View, fen int64) string {
	if fen > 0 {
		return "+" + v.Money(fen)
	}
	return v.Money(fen)
}

// in is a memo in the reader's language; in another if there is none.
func (m Memo) in(v web.View) string {
	if text := m[string(v.Lang)]; text != "" {
		return text
	}
	return m[string(web.Chinese)]
}

// lineText is what a transaction was, in words.
func lineText(v web.View, t Transaction) string {
	text := v.T("accounts.kind." + string(t.Kind))
	if memo := t.Memo.in(v); memo != "" {
		text = v.T("accounts.kindFor", "Kind", text, "Memo", memo)
	}
	return text
}

// monthText is a month in the reader's words.
func monthText(v web.View, m civil.Month) string {
	return v.MonthOf(m.First().Noon(v.Location))
}

// thisMonth is the month of now in the community's zone.
func (s *service) thisMonth() civil.Month {
	return civil.MonthOf(civil.DateOf(s.clock.Now(), s.location()))
}

// pageMonth is the month that a page's address names; this month if it names
// none.
func (s *service) pageMonth(r *http.Request) (civil.Month, error) {
	text := r.URL.Query().Get("month")
	if text == "" {
		return s.thisMonth(), nil
	}
	return parseMonth(text)
}

func monthAddress(path string, m civil.Month) string {
	return path + "?" + url.Values{"month": {string(m)}}.Encode()
}

// monthBefore and monthAfter lead to the months beside one; there is none before
// the first, if that is known, and none after the last.
func monthBefore(v web.View, path string, m, first civil.Month) web.Link {
	if m <= first {
		return web.Link{}
	}
	return web.Link{Label: monthText(v, m.Add(-1)), Href: monthAddress(path, m.Add(-1))}
}

func monthAfter(v web.View, path string, m, last civil.Month) web.Link {
	if m >= last {
		return web.Link{}
	}
	return web.Link{Label: monthText(v, m.Add(1)), Href: monthAddress(path, m.Add(1))}
}

// card is the service's card on the portal.
func (s *service) card(ctx context.Context, v web.View) templ.Component {
	p, known := identity.FromContext(ctx)
	if !known {
		return card(v, nil, false)
	}
	purse, err := s.store.Purse(ctx, p.ID)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "card failed", "error", err.Error())
		}
		return card(v, nil, p.Has(identity.FrontDesk))
	}
	return card(v, &purse, p.Has(identity.FrontDesk))
}

// purseView is what a person's page shows.
type purseView struct {
	web.View
	Purse
	Holds []Hold
	// Others are those for whom the reader may order.
	Others []otherPurse
	// Desk says that the reader works at the front desk, Online that residents
	// may pay online.
	Desk, Online bool
}

// otherPurse is the purse of somebody for whom the reader may order.
type otherPurse struct {
	Name string
	Purse
}

func (s *service) pursePage(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	me, _ := identity.FromContext(ctx)
	v := purseView{View: s.pages.View(r), Desk: me.Has(identity.FrontDesk), Online: s.online()}
	var err error
	if v.Purse, err = s.store.Purse(ctx, me.ID); err == nil && v.Purse.ID != uuid.Nil {
		v.Holds, err = s.store.Held(ctx, v.Purse.ID)
	}
	for _, p := range identity.HouseholdFromContext(ctx, identity.Order) {
		if err != nil {
			break
		}
		other := otherPurse{Name: v.Name(p.Name, p.LatinName)}
		other.Purse, err = s.store.Purse(ctx, p.ID)
		v.Others = append(v.Others, other)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, pursePage(v))
}

// statementView is a month of the reader's purse.
type statementView struct {
	web.View
	Statement
	// First is the month in which the purse was opened, This the one of now.
	First, This civil.Month
}

func (s *service) statementPage(w http.ResponseWriter, r *http.Request) {
	me, _ := identity.FromContext(r.Context())
	v := statementView{View: s.pages.View(r), This: s.thisMonth()}
	month, err := s.pageMonth(r)
	if err == nil {
		v.Statement, err = s.statement(r.Context(), me.ID, month)
	}
	if err == nil {
		v.First, err = s.store.FirstMonth(r.Context(), me.ID, v.Location)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, statementPage(v))
}

// newKey is a key under which a form is done once, however often it is sent.
func newKey() string { return strings.ReplaceAll(uuid.NewString(), "-", "") }
