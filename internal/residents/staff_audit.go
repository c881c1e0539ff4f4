package residents

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
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
}

// maxEntries is how many entries of a day are shown.
const maxEntries = 2000

// On are the entries of a day in this service's record, the latest first. That
// they were read is audited.
func (s *Store) On(ctx context.Context, a Act, day Date, action string, limit int) ([]audit.Record, error) {
	from := time.Date(day.time().Year(), day.time().Month(), day.time().Day(), 0, 0, 0, 0, a.Location)
	records, err := audit.Between(ctx, s.db, from, from.AddDate(0, 0, 1), limit)
	if err != nil {
		return nil, err
	}
	return records, s.Note(ctx, a, action, uuid.Nil)
}

// Note audits an act that changes nothing here.
func (s *Store) Note(ctx context.Context, a Act, action string, person uuid.UUID) error {
	return s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return a.note(ctx, tx, action, person, "", nil) })
}

func (s *service) auditView(r *http.Request, action string) (v auditView, err error) {
	if v.desk, err = s.desk(r, staffAuditPath); err != nil {
		return v, err
	}
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
		if v.Looks, v.Missing, err = s.looks(ctx, p); err != nil {
			return v, err
		}
		return v, s.store.Note(ctx, a, action, p.ID)
	}
	records, err := s.store.On(ctx, a, v.Day, action, maxEntries)
	if err != nil {
		return v, err
	}
	v.Cut = len(records) == maxEntries
	names := map[string]string{}
	for _, record := range records {
		if _, ok := names[record.Actor]; !ok {
			names[record.Actor] = s.nameOf(ctx, record.Actor)
		}
		v.Looks = append(v.Looks, Look{
			Service: Name, At: record.At, Action: record.Action, By: names[record.Actor], actor: record.Actor, person: record.Person,
		})
	}
	return v, nil
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
		lines = append(lines, []string{l.At.In(v.Location).Format(time.RFC3339), l.By, l.actor, actionText(v.View, l.Action), l.Action, l.person, l.Service})
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

// actionTexts are what actions are called, by the messages that say so; those
// of other services that are not among them are said by their names.
var actionTexts = map[string]string{
	"person.add": "residents.action.add", "person.view": "residents.action.view", "person.change": "residents.action.change",
	"person.move-away": "residents.action.moveAway", "person.return": "residents.action.return",
	"person.link": "residents.action.link", "person.unlink": "residents.action.unlink", "person.invite": "residents.action.invite",
	"person.erasing": "residents.action.erasing", "person.erased": "residents.action.erased",
	"find": "residents.action.find", "list": "residents.action.list", "export": "residents.action.export",
	"duty.give": "residents.action.dutyGive", "duty.take": "residents.action.dutyTake",
	"acting.begin": "residents.action.actingBegin", "acting.end": "residents.action.actingEnd",
	"consent.give": "residents.action.consentGive", "consent.withdraw": "residents.action.consentWithdraw",
	"document.add": "residents.action.documentAdd", "document.view": "residents.action.documentView",
	"request.grant": "residents.action.requestGrant", "request.refuse": "residents.action.requestRefuse",
	"request.compare": "residents.action.compare", "import.read": "residents.action.importRead",
	"import.compare": "residents.action.compare", "import.confirm": "residents.action.importConfirm",
	"audit.view": "residents.action.auditView", "audit.export": "residents.action.auditExport",
	// Of other services.
	"call-list-look": "residents.action.callListLook", "call-list-note": "residents.action.callListNote",
	"booking-forget": "residents.action.bookingForget",
}

// actionText is what an action is called.
func actionText(v web.View, action string) string {
	own, _ := strings.CutPrefix(action, Name+".")
	if id, ok := actionTexts[own]; ok {
		return v.T(id)
	}
	return action
}
