package residents

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
)

// png is the beginning of a picture, which is all that is looked at.
var png = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")

func TestConsents(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		p := add(t, s, guihua)
		scan := must[uuid.UUID](t)(s.PutDocument(t.Context(), atDesk(), p.ID, png))
		own := at(p.ID.String(), monday)
		for range 2 { // again changes nothing
			noError(t, s.Consent(t.Context(), atDesk(), Consent{Person: p.ID, Purpose: "Care", Basis: ConsentPaper, Document: scan}))
		}
		noError(t, s.Consent(t.Context(), own, Consent{Person: p.ID, Purpose: "News", Basis: ConsentPage}))
		wantError(t, s.Consent(t.Context(), own, Consent{Person: p.ID, Purpose: "Everything", Basis: ConsentPage}), ErrInvalid)
		for range 2 {
			noError(t, s.WithdrawConsent(t.Context(), own, p.ID, "Care"))
		}
		noError(t, s.Consent(t.Context(), at(p.ID.String(), monday.Add(time.Hour)), Consent{Person: p.ID, Purpose: "Care", Basis: ConsentPage}))
		var got []string
		for _, c := range must[[]Consent](t)(s.Consents(t.Context(), p.ID)) {
			got = append(got, fmt.Sprintf("%s %s %v", c.Purpose, c.Basis, c.WithdrawnAt.IsZero()))
		}
		slices.Sort(got)
		if want := []string{"Care Page true", "Care Paper false", "News Page true"}; !slices.Equal(got, want) {
			t.Errorf("consents %v, want %v", got, want)
		}
		for file, want := range map[string]error{
			"<svg onload=alert(1)>": ErrDocumentType, "": ErrDocumentType, "GIF89a": ErrDocumentType,
			string(png) + strings.Repeat("x", MaxDocumentBytes): ErrDocumentTooLarge,
		} {
			_, err := s.PutDocument(t.Context(), atDesk(), p.ID, []byte(file))
			wantError(t, err, want)
		}
		seen := must[Document](t)(s.Document(t.Context(), atDesk(), scan))
		if seen.ContentType != "image/png" || seen.Person != p.ID || string(seen.Content) != string(png) {
			t.Errorf("the scan is %+v", seen)
		}
		verify(t, s)
	})
}

// mentions are the tables in which a text stands.
func mentions(t testing.TB, s *Store, text string) []string {
	t.Helper()
	list := "SELECT name FROM sqlite_master WHERE type = 'table'"
	row := `SELECT COUNT(*) FROM (SELECT * FROM "%s") x WHERE `
	if s.db.Engine() == database.Postgres {
		list = "SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema()"
	}
	var tables []string
	noError(t, s.db.Reader().NewRaw(list).Scan(t.Context(), &tables))
	var found []string
	for _, table := range tables {
		columns := fmt.Sprintf("SELECT name FROM pragma_table_info('%s')", table)
		if s.db.Engine() == database.Postgres {
			columns = fmt.Sprintf("SELECT column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = '%s'", table)
		}
		var names []string
		noError(t, s.db.Reader().NewRaw(columns).Scan(t.Context(), &names))
		var where []string
		for _, name := range names {
			where = append(where, fmt.Sprintf(`CAST("%s" AS TEXT) LIKE '%%%s%%'`, name, text))
		}
		if len(names) == 0 {
			continue // a table to be locked only
		}
		var n int
		noError(t, s.db.Reader().NewRaw(fmt.Sprintf(row, table)+strings.Join(where, " OR ")).Scan(t.Context(), &n))
		if n > 0 {
			found = append(found, table)
		}
	}
	return found
}

func TestErase(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		mother, son := add(t, s, guihua), add(t, s, qiang)
		own := at(mother.ID.String(), monday)
		must[bool](t)(s.Join(t.Context(), own, "s-wang", guihua.Phone, guihua.Name))
		scan := must[uuid.UUID](t)(s.PutDocument(t.Context(), atDesk(), mother.ID, png))
		must[Acting](t)(s.LetAct(t.Context(), atDesk(), Acting{Actor: son.ID, Represented: mother.ID, Scopes: identity.Scopes, Basis: BasisPaper, Document: scan}))
		noError(t, s.Consent(t.Context(), atDesk(), Consent{Person: mother.ID, Purpose: "Care", Basis: ConsentPaper, Document: scan}))
		must[Request](t)(s.Ask(t.Context(), own, Request{Kind: RequestCorrection, Person: mother.ID, Details: Details{Name: guihua.Name}}))
		must[Request](t)(s.Ask(t.Context(), own, Request{Kind: RequestActing, Person: son.ID, Details: Details{Name: guihua.Name, BornOn: guihua.BornOn}}))
		must[Request](t)(s.Ask(t.Context(), own, Request{Kind: RequestJoin, Subject: "s-other", Details: Details{Name: guihua.Name, BornOn: "1990-01-01"}}))
		must[string](t)(s.OfferActing(t.Context(), own, mother.ID, identity.Scopes, ""))
		must[uuid.UUID](t)(s.PutDraft(t.Context(), atDesk(), Table{Rows: []Row{{2, guihua}}}))
		must[[]Person](t)(s.Find(t.Context(), atDesk(), "桂花", 5))

		noError(t, s.Erase(t.Context(), atDesk(), mother.ID)) // not asked for: nothing happens
		must[Person](t)(s.Person(t.Context(), mother.ID))
		noError(t, s.BeginErasing(t.Context(), own, mother.ID))
		_, err := s.Person(t.Context(), mother.ID)
		wantError(t, err, ErrNotFound)
		if got := must[[]Person](t)(s.SignIn(t.Context(), "s-wang", monday)); len(got) > 0 {
			t.Errorf("signs in as %v while being deleted", got)
		}
		if got := must[[]Person](t)(s.Find(t.Context(), atDesk(), "桂花", 5)); len(got) > 0 {
			t.Errorf("found %v while being deleted", got)
		}
		if got := must[[]Leaving](t)(s.Erasing(t.Context())); !slices.Equal(got, []Leaving{{mother.ID, "s-wang"}}) {
			t.Errorf("being deleted: %v", got)
		}
		for range 2 { // as after a crash
			noError(t, s.Erase(t.Context(), at(Name, monday), mother.ID))
		}
		if got := must[[]Leaving](t)(s.Erasing(t.Context())); len(got) > 0 {
			t.Errorf("still being deleted: %v", got)
		}
		// Only the namesake's request has the name, and nothing the rest.
		if got := mentions(t, s, guihua.Name); !slices.Equal(got, []string{"requests"}) {
			t.Errorf("the name stands in %v", got)
		}
		for _, text := range []string{guihua.Phone, guihua.LatinName, string(guihua.BornOn), "s-wang"} {
			if got := mentions(t, s, text); len(got) > 0 {
				t.Errorf("%q stands in %v", text, got)
			}
		}
		if got := mentions(t, s, "PNG"); len(got) > 0 {
			t.Errorf("the scan stands in %v", got)
		}
		if got := mentions(t, s, mother.ID.String()); !slices.Equal(got, []string{"audit"}) {
			t.Errorf("the id stands in %v", got)
		}
		if got := audited(t, s, mother.ID); !slices.Contains(got, "residents.person.erased") {
			t.Errorf("audited %v", got)
		}
		if got := must[Person](t)(s.Person(t.Context(), son.ID)); got.Details != qiang {
			t.Errorf("the son is %+v", got)
		}
		verify(t, s)
	})
}

func TestRetention(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		day := func(n int) Act { return at(Name, monday.AddDate(0, 0, n)) }
		expire := func(n int) int {
			t.Helper()
			return must[int](t)(s.Expire(t.Context(), day(n)))
		}
		refused := must[Request](t)(s.Ask(t.Context(), day(0), Request{Kind: RequestJoin, Subject: "s", Details: guihua}))
		noError(t, s.Refuse(t.Context(), day(0), refused.ID, "不是本社区居民"))
		must[Request](t)(s.Ask(t.Context(), day(0), Request{Kind: RequestJoin, Subject: "s", Details: guihua}))
		must[uuid.UUID](t)(s.PutDraft(t.Context(), day(0), Table{Rows: []Row{{2, qiang}}}))
		for _, c := range []struct{ day, requests, drafts int }{{0, 2, 1}, {1, 2, 0}, {29, 2, 0}, {30, 1, 0}, {179, 1, 0}, {180, 0, 0}} {
			expire(c.day)
			if got := len(must[[]Request](t)(s.RequestsOf(t.Context(), "s", uuid.Nil))); got != c.requests {
				t.Errorf("on day %d there are %d requests, want %d", c.day, got, c.requests)
			}
			if got := len(mentions(t, s, qiang.Name)); got != c.drafts {
				t.Errorf("on day %d there are %d drafts, want %d", c.day, got, c.drafts)
			}
		}

		p, outsider := add(t, s, guihua), must[Person](t)(s.Add(t.Context(), atDesk(), External, Details{Name: "孙丽"}))
		for _, duties := range [][]identity.Duty{{identity.FrontDesk}, nil} {
			_, err := s.Appoint(t.Context(), atDesk(), outsider.ID, duties)
			noError(t, err)
		}
		scan := must[uuid.UUID](t)(s.PutDocument(t.Context(), day(0), p.ID, png))
		noError(t, s.Consent(t.Context(), day(0), Consent{Person: p.ID, Purpose: "Care", Basis: ConsentPaper, Document: scan}))
		hasScan := func() bool { return len(mentions(t, s, scan.String())) > 1 } // more than the audit
		expire(5000)
		if !hasScan() {
			t.Error("the scan of a consent that stands is gone")
		}
		noError(t, s.WithdrawConsent(t.Context(), day(5000), p.ID, "Care"))
		expire(5000 + 3*365 - 1)
		if !hasScan() {
			t.Error("the scan is gone before its time")
		}
		expire(5000 + 3*365)
		if _, err := s.Document(t.Context(), atDesk(), scan); err == nil {
			t.Error("the scan is there after its time")
		}

		if got := must[[]Leaving](t)(s.Erasing(t.Context())); !slices.Equal(got, []Leaving{{ID: outsider.ID}}) {
			t.Errorf("who works here no more is not erased in time: %v", got)
		}
		noError(t, s.MoveAway(t.Context(), day(5000), p.ID, true))
		if expire(5364) != 0 || expire(5365) != 1 {
			t.Error("who has moved away is not erased after a year")
		}
	})
}
