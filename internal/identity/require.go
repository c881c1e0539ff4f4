package identity

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// SignInPath is where people sign in.
const SignInPath = "/identity/sign-in"

// RequirePerson lets only requests of people who are signed in through to
// next. Pages send the others to the sign-in page, and from there back; an API
// (a path beneath /<service>/api/) answers 401 with a problem document.
func (i *Identity) RequirePerson(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := FromContext(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		if isAPI(r) {
			Unauthorized(w, "Sign in, or send a bearer token in the Authorization header.")
			return
		}
		back := "/"
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			back = r.URL.RequestURI()
		}
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, SignInPath+"?return="+url.QueryEscape(back), http.StatusSeeOther)
	})
}

// RequireDuty is RequirePerson, and beyond that lets only people through who
// are charged with the duty. The others get 403: from an API as a problem
// document, as a page from refuse.
func (i *Identity) RequireDuty(duty Duty, refuse func(w http.ResponseWriter, r *http.Request, status int), next http.Handler) http.Handler {
	return i.RequirePerson(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := FromContext(r.Context())
		switch {
		case p.Has(duty):
			next.ServeHTTP(w, r)
		case isAPI(r):
			problem(w, http.StatusForbidden, fmt.Sprintf("This is for staff with the duty %s. Ask a manager of the community for it.", duty))
		default:
			refuse(w, r, http.StatusForbidden)
		}
	}))
}

// isAPI reports whether a program asks: the path is beneath /<service>/api/.
func isAPI(r *http.Request) bool {
	_, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return ok && strings.HasPrefix(rest, "api/")
}

// Unauthorized answers 401 with a problem document (RFC 9457).
func Unauthorized(w http.ResponseWriter, detail string) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	problem(w, http.StatusUnauthorized, detail)
}

func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"title": http.StatusText(status), "status": status, "detail": detail,
	})
}
