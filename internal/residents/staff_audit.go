package residents

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/web"
)

// auditView is who did what on a day, or about a person.
type auditView struct {
	desk
	Day Date
	// About is the person whom it is about; nil for all of a day.
	About   *Person
	Query   string
	Found   []Person
	Looks   []Look
	Missing []string
	// Cut says that there was more on the day than is shown.
	Cut bool
	// Actions are what actions are called.
	Actions actionNames
}

// maxEntries is how many entries of a day are shown.
const maxEntries = 2000

// entries is where the record of a service has what was done on a day.
func (d Date) entries(loc *time.Location) string {
	from := time.Date(d.time().Year(), d.time().Month(), d.time().Day(), 0, 0, 0, 0, loc)
	return "entries?" + url.Values{"from": {from.Format(time.RFC3339)}, "to": {from.AddDate(0, 0, 1).Format(time.RFC3339)}}.Encode()
}

// Note audits an act that changes nothing here.
func (s *Store) Note(ctx context.Context, a Act, action string, person uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return a.note(ctx, tx, action, person, "", nil) })
}

func (s *service) auditView(r *http.Request, action string) (v auditView, err error) {
	if v.desk, err = s.desk(r, staffAuditPath); err != nil {
		return v, err
	}
	v.Actions = s.actions
	ctx, query := r.Context(), r.URL.Query()
	a := s.act(ctx)
	if v.Day, err = ParseDate(query.Get("date")); err != nil {
		return v, ErrNotFound
	}
	if v.Day == "" {
		v.Day = a.Today()
	}
	if v.Query = query.Get("query"); v.Query != "" {
		v.Found, err = s.store.Find(ctx, a, v.Query, maxFound)
		return v, err
	}
	if id := query.Get("person"); id != "" {
		p, err := s.store.Person(ctx, idOf(id))
		if err != nil {
			return v, err
		}
		v.About = &p
		v.Looks, v.Missing = s.looks(ctx, p)
		return v, s.store.Note(ctx, a, action, p.ID)
	}
	v.Looks, v.Missing = s.recorded(ctx, v.Day.entries(a.Location))
	if v.Cut = len(v.Looks) > maxEntries; v.Cut {
		v.Looks = v.Looks[:maxEntries]
	}
	return v, s.store.Note(ctx, a, action, uuid.Nil)
}

func (s *service) auditPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.auditView(r, "audit.view")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, auditPage(v))
}

// auditFile is what the page shows as a file that spreadsheets open.
func (s *service) auditFile(w http.ResponseWriter, r *http.Request) {
	v, err := s.auditView(r, "audit.export")
	if err != nil {
		s.fail(w, r, err)
		return
	}
	lines := [][]string{{v.T("residents.when"), v.T("residents.who"), "actor", v.T("residents.what"), "action", "person", "service"}}
	for _, l := range v.Looks {
		lines = append(lines, []string{l.At.In(v.Location).Format(time.RFC3339), l.By, l.actor, v.Actions.text(v.View, l.Action), l.Action, l.person, l.Service})
	}
	s.serveCSV(w, r, fmt.Sprintf("audit-%s.csv", v.Day), lines)
}

// file is the address of what the page shows as a file.
func (v auditView) file() string {
	q := url.Values{"date": {string(v.Day)}}
	if v.About != nil {
		q.Set("person", v.About.ID.String())
	}
	return staffAuditPath + ".csv?" + q.Encode()
}

// actionTexts are what the actions of this service are called, by the messages
// that say so.
var actionTexts = map[string]string{
	Name + ".person.add": "residents.action.add", Name + ".person.view": "residents.action.view", Name + ".person.change": "residents.action.change",
	Name + ".person.move-away": "residents.action.moveAway", Name + ".person.return": "residents.action.return",
	Name + ".person.link": "residents.action.link", Name + ".person.unlink": "residents.action.unlink", Name + ".person.invite": "residents.action.invite",
	Name + ".person.erasing": "residents.action.erasing", Name + ".person.erased": "residents.action.erased",
	Name + ".find": "residents.action.find", Name + ".list": "residents.action.list", Name + ".export": "residents.action.export",
	Name + ".duty.give": "residents.action.dutyGive", Name + ".duty.take": "residents.action.dutyTake",
	Name + ".acting.begin": "residents.action.actingBegin", Name + ".acting.end": "residents.action.actingEnd",
	Name + ".consent.give": "residents.action.consentGive", Name + ".consent.withdraw": "residents.action.consentWithdraw",
	Name + ".document.add": "residents.action.documentAdd", Name + ".document.view": "residents.action.documentView",
	Name + ".request.grant": "residents.action.requestGrant", Name + ".request.refuse": "residents.action.requestRefuse",
	Name + ".request.compare": "residents.action.compare", Name + ".import.read": "residents.action.importRead",
	Name + ".import.compare": "residents.action.compare", Name + ".import.confirm": "residents.action.importConfirm",
	Name + ".audit.view": "residents.action.auditView", Name + ".audit.export": "residents.action.auditExport",
}

// actionNames are the ids of the messages that say what actions are called, of
// all services.
type actionNames map[string]string

// text is what an action is called; an action that no service has any more, of
// which there are entries, is said by its name.
func (names actionNames) text(v web.View, action string) string {
	if id, ok := names[action]; ok {
		return v.T(id)
	}
	return action
}
