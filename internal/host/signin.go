package host

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// mount adds the routes that every community has, whatever its services are.
func (h *Host) mount(root *http.ServeMux) {
	mux := http.NewServeMux()
	mux.Handle("GET "+web.AssetPrefix, h.pages.Assets())
	mux.HandleFunc("POST /preferences", h.pages.SetPreferences)
	mux.HandleFunc("GET "+identity.SignInPath, h.signInPage)
	mux.HandleFunc("POST "+identity.SignInPath, h.signIn)
	mux.HandleFunc("POST /identity/sign-out", h.signOut)
	mux.HandleFunc("GET /identity/demo/people", h.listDemoPeople)
	mux.HandleFunc("POST /identity/demo/token", h.issueDemoToken)
	for _, prefix := range []string{web.AssetPrefix, "/preferences", "/identity/"} {
		root.Handle(prefix, h.guard(mux))
	}
}

func (h *Host) signInPage(w http.ResponseWriter, r *http.Request) {
	people := h.identity.DemoPeople()
	if people == nil {
		h.pages.Error(w, r, http.StatusNotFound)
		return
	}
	v := h.pages.View(r)
	back := web.LocalPath(r.URL.Query().Get("return"))
	h.pages.Render(w, r, http.StatusOK, signInPage(v, people, back, h.options.Clock.Now()))
}

func (h *Host) signIn(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		h.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	err := h.identity.SignIn(w, r.PostForm.Get("person"))
	if err != nil {
		h.refuse(w, r, demoStatus(err), err.Error())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, web.LocalPath(r.PostForm.Get("return")), http.StatusSeeOther)
}

func (h *Host) signOut(w http.ResponseWriter, r *http.Request) {
	h.identity.SignOut(w)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// demoAccount is a person in the list for scripts.
type demoAccount struct {
	Account   string          `json:"person"`
	Name      string          `json:"name"`
	LatinName string          `json:"latinName"`
	Role      identity.Role   `json:"role"`
	Duties    []identity.Duty `json:"duties,omitempty"`
	BornOn    string          `json:"bornOn"`
}

func (h *Host) listDemoPeople(w http.ResponseWriter, r *http.Request) {
	people := h.identity.DemoPeople()
	if people == nil {
		problem(w, http.StatusNotFound, identity.ErrDemoRefused.Error())
		return
	}
	list := make([]demoAccount, len(people))
	for i, d := range people {
		list[i] = demoAccount{d.Account, d.Person.Name, d.Person.LatinName, d.Person.Role, d.Person.Duties, d.Person.BornOn}
	}
	writeJSON(w, http.StatusOK, "application/json", map[string]any{"people": list})
}

func (h *Host) issueDemoToken(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Person string `json:"person"`
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		problem(w, http.StatusBadRequest, `The body must be JSON such as {"person":"li-qiang"}.`)
		return
	}
	token, expires, err := h.identity.Token(ask.Person)
	if err != nil {
		problem(w, demoStatus(err), err.Error())
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, "application/json", map[string]any{
		"token": token, "expires": expires.UTC().Format(time.RFC3339),
	})
}

func demoStatus(err error) int {
	switch {
	case errors.Is(err, identity.ErrNoSuchDemo):
		return http.StatusUnprocessableEntity
	case errors.Is(err, identity.ErrDemoRefused):
		return http.StatusNotFound
	}
	return http.StatusInternalServerError
}

// age returns the age in years of somebody born on a civil date, on the day
// of now in its zone.
func age(bornOn string, now time.Time) int {
	born, err := time.Parse(time.DateOnly, bornOn)
	if err != nil {
		return 0
	}
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	return years
}
