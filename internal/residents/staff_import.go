package residents

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/web"
)

// importView is what the page shows on which a table is chosen.
type importView struct{ desk }

func (s *service) importPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffImportPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, importPage(importView{d}))
}

// readImport reads a table and shows what is in it. Nothing is written but the
// draft.
func (s *service) readImport(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffImportPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v := importView{d}
	var file []byte
	// The host lets no more through than a table and a form need.
	if err := r.ParseMultipartForm(MaxTableBytes + formOverhead); err == nil {
		file, err = formFile(r, "table")
		if err != nil {
			s.fail(w, r, err)
			return
		}
	} else {
		v.Problem = v.T("residents.table.tooLarge")
	}
	if v.Problem == "" && len(file) == 0 {
		v.Problem = v.T("residents.table.none")
	}
	a := s.act(r.Context())
	var id uuid.UUID
	if v.Problem == "" {
		table, err := ReadTable(file, a.Estates, a.Today())
		if known := tableProblem(err); known != "" {
			v.Problem = v.T("residents.table." + known)
		} else if err == nil {
			id, err = s.store.PutDraft(r.Context(), a, table)
		}
		if err != nil && v.Problem == "" {
			s.fail(w, r, err)
			return
		}
	}
	if v.Problem != "" {
		v.Field = "table"
		s.pages.Render(w, r, http.StatusUnprocessableEntity, importPage(v))
		return
	}
	http.Redirect(w, r, staffImportPath+"/"+id.String(), http.StatusSeeOther)
}

// How much of an import a page shows.
const (
	maxMistakes = 500
	maxAsking   = 200
)

// draftView is what the page of an import shows.
type draftView struct {
	desk
	Draft
	// New, Same are how many rows are nobody's who is known, and say nothing new.
	New, Same int
	// Asking are the rows that somebody has to look at.
	Asking []Compared
}

func (s *service) draftPage(w http.ResponseWriter, r *http.Request) {
	d, err := s.desk(r, staffImportPath)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	a := s.act(r.Context())
	v := draftView{desk: d}
	if v.Draft, err = s.store.Draft(r.Context(), a, idOf(r.PathValue("id"))); err != nil {
		s.fail(w, r, err)
		return
	}
	if v.ConfirmedAt.IsZero() {
		compared, err := s.store.Compare(r.Context(), a, v.Draft)
		if err != nil {
			s.fail(w, r, err)
			return
		}
		for _, c := range compared {
			switch {
			case c.Asks():
				v.Asking = append(v.Asking, c)
			case c.Finding == FoundSame:
				v.Same++
			default:
				v.New++
			}
		}
	}
	s.pages.Render(w, r, http.StatusOK, draftPage(v))
}

// choicesOf are what was chosen for lines in a form.
func choicesOf(form url.Values) map[int]Choice {
	chosen := map[int]Choice{}
	for _, line := range form["line"] {
		if n, err := strconv.Atoi(line); err == nil {
			chosen[n] = Choice(form.Get("choice." + line))
		}
	}
	return chosen
}

func (s *service) confirmImport(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, formOverhead)
	if err := r.ParseForm(); err != nil {
		s.fail(w, r, errBadForm)
		return
	}
	id := idOf(r.PathValue("id"))
	_, err := s.store.Confirm(r.Context(), s.act(r.Context()), id, choicesOf(r.PostForm), Choice(r.PostForm.Get("rest")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, staffImportPath+"/"+id.String(), http.StatusSeeOther)
}

func (s *service) dropImport(w http.ResponseWriter, r *http.Request) {
	if err := s.store.DropDraft(r.Context(), idOf(r.PathValue("id"))); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(staffImportPath, "dropped"), http.StatusSeeOther)
}

func (s *service) templateCSV(w http.ResponseWriter, r *http.Request) {
	s.template(w, r, "people.csv", "text/csv; charset=utf-8", TemplateCSV)
}

func (s *service) templateXLSX(w http.ResponseWriter, r *http.Request) {
	s.template(w, r, "people.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", TemplateXLSX)
}

func (s *service) template(w http.ResponseWriter, r *http.Request, name, contentType string, write templateWriter) {
	v := s.pages.View(r)
	content, err := write(v.Lang == web.English, v.Community.Spec.Estates)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.serveFile(w, r, name, contentType, content)
}
