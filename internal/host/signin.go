package host

import (
	"errors"
	"net/http"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Paths of the host's own pages.
const (
	signOutPath  = "/identity/sign-out"
	sessionsPath = "/identity/sessions"
)

// mount adds the routes that every community has, whatever its services are.
func (h *Host) mount(root *http.ServeMux) {
	h.own = &Router{ServeMux: http.NewServeMux()}
	h.own.Handle("GET "+web.AssetPrefix, h.pages.Assets())
	h.own.HandleFunc("POST /preferences", h.pages.SetPreferences)
	h.own.HandleFunc("GET "+identity.SignInPath, h.signIn)
	h.own.HandleFunc("GET "+identity.CallbackPath, h.callback)
	h.own.HandleFunc("POST "+signOutPath, h.signOut)
	h.own.Handle("GET "+sessionsPath, h.identity.RequireProof(http.HandlerFunc(h.sessionsPage)))
	h.own.Handle("POST "+sessionsPath, h.identity.RequireProof(http.HandlerFunc(h.signOutEverywhere)))
	for _, prefix := range []string{web.AssetPrefix, "/preferences", "/identity/"} {
		root.Handle(prefix, h.guard(h.own.ServeMux))
	}
}

// signIn sends the browser to the issuer.
func (h *Host) signIn(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	back, staff := web.LocalPath(query.Get("return")), query.Get("staff") == "true"
	if err := h.identity.BeginSignIn(w, r, back, staff); err != nil {
		h.options.Log.ErrorContext(r.Context(), "nobody can sign in", "error", oneLine(err))
		h.failSignIn(w, r, http.StatusServiceUnavailable, back)
	}
}

// callback takes the browser back from the issuer.
func (h *Host) callback(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	back, err := h.identity.EndSignIn(w, r)
	switch {
	case errors.Is(err, identity.ErrSignIn):
		h.options.Log.InfoContext(r.Context(), "a sign-in was not finished", "error", oneLine(err))
		h.failSignIn(w, r, http.StatusBadRequest, "/")
	case err != nil:
		h.options.Log.ErrorContext(r.Context(), "a sign-in failed", "error", oneLine(err))
		h.failSignIn(w, r, http.StatusServiceUnavailable, "/")
	default:
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
}

// failSignIn says that signing in did not work, and offers to try again.
func (h *Host) failSignIn(w http.ResponseWriter, r *http.Request, status int, back string) {
	v := h.pages.View(r)
	h.pages.Render(w, r, status, signInFailedPage(v, status == http.StatusServiceUnavailable, back))
}

func (h *Host) signOut(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if err := h.identity.SignOut(w, r); err != nil {
		h.options.Log.ErrorContext(r.Context(), "a session was not ended", "error", oneLine(err))
		h.pages.Error(w, r, http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, h.identity.AfterSignOut(r.Context()), http.StatusSeeOther)
}

// sessionsPage shows where somebody is signed in.
func (h *Host) sessionsPage(w http.ResponseWriter, r *http.Request) {
	proof, _ := identity.ProofFromContext(r.Context())
	list, err := h.identity.SessionsOf(r.Context(), proof.Subject)
	if err != nil {
		h.options.Log.ErrorContext(r.Context(), "sessions not listed", "error", oneLine(err))
		h.pages.Error(w, r, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	h.pages.Render(w, r, http.StatusOK, sessionsPage(h.pages.View(r), list, proof.Session))
}

// signOutEverywhere ends all sessions of whoever asks.
func (h *Host) signOutEverywhere(w http.ResponseWriter, r *http.Request) {
	proof, _ := identity.ProofFromContext(r.Context())
	if err := h.identity.SignOutEverywhere(r.Context(), proof.Subject); err != nil {
		h.options.Log.ErrorContext(r.Context(), "sessions were not ended", "error", oneLine(err))
		h.pages.Error(w, r, http.StatusServiceUnavailable)
		return
	}
	h.signOut(w, r)
}
