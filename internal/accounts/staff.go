package accounts

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the staff's pages.
const (
	staffPath         = homePath + "staff/"
	staffPursesPath   = staffPath + "purses/"
	staffReceiptsPath = staffPath + "receipts/"
	staffDayPath      = staffPath + "day"
	staffLedgerPath   = staffPath + "ledger"
	staffPaymentsPath = staffPath + "payments"
)

// mountStaff mounts the staff's pages.
func (s *service) mountStaff(mux *host.Router) {
	for _, route := range []struct {
		duty    identity.Duty
		pattern string
		handle  http.HandlerFunc
	}{
		{identity.FrontDesk, "GET " + staffPath + "{$}", s.findPage},
		{identity.FrontDesk, "GET " + staffPursesPath + "{person}", s.deskPage},
		{identity.FrontDesk, "POST " + staffPursesPath + "{person}/top-up", s.topUpFromPage},
		{identity.FrontDesk, "POST " + staffPursesPath + "{person}/payout", s.payOutFromPage},
		{identity.FrontDesk, "GET " + staffReceiptsPath + "{id}", s.receiptPage},
		{identity.FrontDesk, "POST " + staffReceiptsPath + "{id}/reverse", s.reverseFromPage},
		{identity.FrontDesk, "GET " + staffDayPath, s.dayPage},
		{identity.Manager, "GET " + staffLedgerPath, s.ledgerPage},
		{identity.Manager, "GET " + staffLedgerPath + ".csv", s.ledgerFile},
		{identity.Manager, "GET " + staffPaymentsPath, s.oddPage},
		{identity.Manager, "POST " + staffPaymentsPath + "/{id}/done", s.doneFromPage},
	} {
		mux.Handle(route.pattern, s.identity.RequireDuty(route.duty, s.pages.Error, route.handle))
	}
}

func deskURL(person string) string   { return staffPursesPath + url.PathEscape(person) }
func receiptURL(id uuid.UUID) string { return staffReceiptsPath + id.String() }
func dayURL(day civil.Date) string {
	return staffDayPath + "?" + url.Values{"date": {day.String()}}.Encode()
}
func (s *service) today() civil.Date              { return civil.DateOf(s.clock.Now(), s.location()) }
func nameOf(v web.View, p identity.Person) string { return v.Name(p.Name, p.LatinName) }

// noID is the ID of nothing.
var noID = uuid.Nil

// desk is what every page of the staff knows.
type desk struct {
	web.View
	// Page is the path of the page's tab.
	Page string
	Me   identity.Person
	// Done is the id of the message about what was just done; Problem is what
	// was not done, and why.
	Done, Problem string
}

// desk prepares a page that belongs to the tab with a path.
func (s *service) desk(r *http.Request, page string) desk {
	d := desk{View: s.pages.View(r), Page: page, Done: done(r)}
	d.Me, _ = identity.FromContext(r.Context())
	return d
}

// tabs lead to the staff's pages.
func (d desk) tabs() []web.Tab {
	var tabs []web.Tab
	for _, tab := range []struct {
		duty        identity.Duty
		label, href string
	}{
		{identity.FrontDesk, d.T("accounts.staff.tab.counter"), staffPath},
		{identity.FrontDesk, d.T("accounts.staff.tab.day"), staffDayPath},
		{identity.Manager, d.T("accounts.staff.tab.ledger"), staffLedgerPath},
		{identity.Manager, d.T("accounts.staff.tab.payments"), staffPaymentsPath},
	} {
		if d.Me.Has(tab.duty) {
			tabs = append(tabs, web.Tab{Label: tab.label, Href: tab.href, Current: tab.href == d.Page})
		}
	}
	return tabs
}

// maxFound is how many people are found at most.
const maxFound = 20

// findView is whom the desk looks for.
type findView struct {
	desk
	Query string
	Found []identity.Person
}

func (s *service) findPage(w http.ResponseWriter, r *http.Request) {
	v := findView{desk: s.desk(r, staffPath), Query: r.URL.Query().Get("query")}
	if v.Query != "" {
		var err error
		// The service of residents records who looked for whom.
		if v.Found, err = s.people.Find(r.Context(), v.Query, maxFound); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	s.pages.Render(w, r, http.StatusOK, findPage(v))
}

// deskView is somebody's purse at the desk.
type deskView struct {
	desk
	Person identity.Person
	Purse
	Lines []StatementLine
	// Key is under what the forms are done once.
	Key string
	// TopUp and Payout are what was typed into the forms, with what is wrong
	// with it.
	TopUp, Payout typed
}

// typed is what was typed into a field.
type typed struct{ Value, Problem string }

func (s *service) deskView(r *http.Request) (v deskView, err error) {
	ctx := r.Context()
	v.desk, v.Key = s.desk(r, staffPath), newKey()
	if v.Person, err = s.known(ctx, r.PathValue("person")); err != nil {
		return v, err
	}
	if v.Purse, err = s.store.Look(ctx, s.act(ctx), v.Person.ID); err != nil {
		return v, err
	}
	st, err := s.statement(ctx, v.Person.ID, s.thisMonth())
	v.Lines = st.Lines
	return v, err
}

func (s *service) deskPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.deskView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, deskPage(v))
}

func (s *service) topUpFromPage(w http.ResponseWriter, r *http.Request) {
	s.cashFromPage(w, r, "topUp", s.store.TopUp, func(v *deskView) *typed { return &v.TopUp })
}

func (s *service) payOutFromPage(w http.ResponseWriter, r *http.Request) {
	s.cashFromPage(w, r, "payout", s.store.PayOut, func(v *deskView) *typed { return &v.Payout })
}

// cashFromPage does what a form at the desk asks for, and shows the receipt; if
// it cannot be done, the page again with the reason.
func (s *service) cashFromPage(w http.ResponseWriter, r *http.Request, said string,
	do func(ctx context.Context, a Act, person string, amount int64, key string) (Transaction, error), field func(*deskView) *typed) {
	if !s.form(w, r) {
		return
	}
	ctx, view := r.Context(), s.pages.View(r)
	p, err := s.known(ctx, r.PathValue("person"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	problem := view.T("accounts.refused.notMoney")
	if amount, ok := parseYuan(r.PostForm.Get("amount")); ok {
		t, err := do(ctx, s.act(ctx), p.ID, amount, r.PostForm.Get("key"))
		if err == nil {
			http.Redirect(w, r, withDone(receiptURL(t.ID), said), http.StatusSeeOther)
			return
		}
		if problem, ok = refusedText(view, err); !ok {
			s.fail(w, r, err)
			return
		}
	}
	v, err := s.deskView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	*field(&v) = typed{r.PostForm.Get("amount"), problem}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, deskPage(v))
}

// receiptView is what happened at the desk, to print.
type receiptView struct {
	desk
	Transaction
	// Purse is as it is now; Person whose it is, nobody if they were deleted.
	Purse  Purse
	Person identity.Person
	Actor  string
	// Mine says that the reader made it today, and may take it back.
	Mine   bool
	Key    string
	Reason typed
}

func (s *service) receiptView(r *http.Request) (v receiptView, err error) {
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		return v, err
	}
	ctx := r.Context()
	a := s.act(ctx)
	v.desk, v.Key = s.desk(r, staffPath), newKey()
	if v.Transaction, v.Purse, err = s.store.Receipt(ctx, a, id); err != nil {
		return v, err
	}
	// Any reason would do: it is given when the form is sent.
	v.Mine = checkReversal(v.Transaction, a, "-") == nil
	if v.Purse.Person != "" {
		if v.Person, err = s.known(ctx, v.Purse.Person); err != nil && !errors.Is(err, ErrNotFound) {
			return v, err
		}
	}
	v.Actor, err = s.nameOfActor(ctx, v.View, v.Transaction.Actor)
	return v, err
}

// nameOfActor is who made a transaction, by name; by ID if they are not known
// any more.
func (s *service) nameOfActor(ctx context.Context, v web.View, actor string) (string, error) {
	p, err := s.people.Person(ctx, actor)
	if errors.Is(err, identity.ErrNobody) {
		return actor, nil
	}
	return nameOf(v, p), err
}

func (s *service) receiptPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.receiptView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, receiptPage(v))
}

func (s *service) reverseFromPage(w http.ResponseWriter, r *http.Request) {
	if !s.form(w, r) {
		return
	}
	id, err := parseID(r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	t, err := s.store.Reverse(r.Context(), s.act(r.Context()), id, r.PostForm.Get("reason"), r.PostForm.Get("key"))
	if err == nil {
		http.Redirect(w, r, withDone(receiptURL(t.ID), "reversal"), http.StatusSeeOther)
		return
	}
	problem, ok := refusedText(s.pages.View(r), err)
	if !ok {
		s.fail(w, r, err)
		return
	}
	v, err := s.receiptView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Reason = typed{r.PostForm.Get("reason"), problem}
	if !v.Mine {
		v.Problem = problem
	}
	s.pages.Render(w, r, http.StatusUnprocessableEntity, receiptPage(v))
}

// dayView is the closing of a day.
type dayView struct {
	desk
	Drawer
	Today civil.Date
	// Names are those of whose purses and of who made the transactions, by ID.
	Names map[string]string
	// Persons are whose purses they are, by the purses' IDs.
	Persons map[uuid.UUID]string
}

func (s *service) dayPage(w http.ResponseWriter, r *http.Request) {
	v := dayView{desk: s.desk(r, staffDayPath), Today: s.today(), Names: map[string]string{}}
	day := v.Today
	var err error
	if text := r.URL.Query().Get("date"); text != "" {
		if day, err = ParseDate(text); err != nil {
			s.fail(w, r, errNotOurTime)
			return
		}
	}
	ctx := r.Context()
	if v.Drawer, err = s.store.Drawer(ctx, s.act(ctx), day); err == nil {
		err = s.nameAll(ctx, &v)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, dayPage(v))
}

// nameAll finds out who all are that a day is about.
func (s *service) nameAll(ctx context.Context, v *dayView) (err error) {
	var purses []uuid.UUID
	var ids []string
	for _, t := range v.Transactions {
		ids = append(ids, t.Actor)
		if t.Purse != uuid.Nil {
			purses = append(purses, t.Purse)
		}
	}
	if v.Persons, err = s.store.PersonsOf(ctx, purses); err != nil {
		return err
	}
	for _, person := range v.Persons {
		ids = append(ids, person)
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if v.Names[id], err = s.nameOfActor(ctx, v.View, id); err != nil {
			return err
		}
	}
	return nil
}

// ledgerView is a month of all accounts.
type ledgerView struct {
	desk
	Ledger
	This civil.Month
}

func (s *service) ledgerPage(w http.ResponseWriter, r *http.Request) {
	v := ledgerView{desk: s.desk(r, staffLedgerPath), This: s.thisMonth()}
	month, err := s.pageMonth(r)
	if err == nil {
		v.Ledger, err = s.store.Ledger(r.Context(), s.act(r.Context()), month)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, ledgerPage(v))
}

// ledgerFile is a month's postings as a file that spreadsheets open. It names
// nobody: purses are told apart by their IDs.
func (s *service) ledgerFile(w http.ResponseWriter, r *http.Request) {
	month, err := s.pageMonth(r)
	var all []LedgerLine
	if err == nil {
		all, err = s.store.Lines(r.Context(), s.act(r.Context()), month)
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := s.pages.View(r)
	lines := [][]string{{
		v.T("accounts.when"), v.T("accounts.what"), v.T("accounts.account"), v.T("accounts.amountFen"), v.T("accounts.balanceFen"),
		v.T("accounts.receipt"), v.T("accounts.service"), v.T("accounts.about"), v.T("accounts.transaction"), v.T("accounts.reverses"), v.T("accounts.reason"),
	}}
	for _, l := range all {
		lines = append(lines, []string{
			l.At.In(v.Location).Format(time.RFC3339), lineText(v, l.Transaction), l.Account, strconv.FormatInt(l.Amount, 10), strconv.FormatInt(l.Posting.Balance, 10),
			l.Receipt.String(), l.Service, l.About, l.ID.String(), textOf(l.Reverses), l.Reason,
		})
	}
	content, err := web.CSV(lines)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="ledger-`+string(month)+`.csv"`)
	w.Header().Set("Cache-Control", "no-store")
	if _, err := w.Write(content); err != nil {
		s.log.DebugContext(r.Context(), "file not delivered", "error", err.Error())
	}
}
