package identity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Pages of the service of residents for people who are signed in but of whom
// the community does not know who they are.
const (
	// JoinPath is where they ask to be a resident, WhichPath where those who
	// share an account say who they are.
	JoinPath  = "/residents/join"
	WhichPath = "/residents/which"
)

// Introduction is where somebody whom the community does not know says who
// they are.
func (p Proof) Introduction() string {
	if len(p.Candidates) > 0 {
		return WhichPath
	}
	return JoinPath
}

// What is said to who is not let through.
const (
	notSignedIn = "Sign in, or send a bearer token in the Authorization header."
	notAPerson  = "The token is that of a department or another program. This is for people: it takes a token that was issued to the community's own client, with which a person has signed in."
)

// Refusal is why a request is not one of a person whom the community knows, as
// status and text of a problem document; the status is 0 if it is.
func Refusal(ctx context.Context) (status int, detail string) {
	if _, ok := FromContext(ctx); ok {
		return 0, ""
	}
	proof, ok := ProofFromContext(ctx)
	switch {
	case isProgram(ctx):
		return http.StatusForbidden, notAPerson
	case !ok:
		return http.StatusUnauthorized, notSignedIn
	case len(proof.Candidates) == 0:
		return http.StatusForbidden, fmt.Sprintf("The community does not know who you are. Sign in with a browser and open %s.", JoinPath)
	}
	// Without names: programs write the errors that they get into logs.
	people := make([]string, len(proof.Candidates))
	for i, p := range proof.Candidates {
		people[i] = p.ID
	}
	return http.StatusForbidden, fmt.Sprintf("Several people share this account: %s. Say in the header %s which of them makes the request, or sign in with a browser and open %s.",
		strings.Join(people, ", "), PersonHeader, WhichPath)
}

// RequireProof lets only requests of people through to next who are signed in,
// whether the community knows them or not. Pages send the others to the
// sign-in page, and from there back; an API (a path beneath /<service>/api/)
// answers 401 with a problem document.
func (i *Identity) RequireProof(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := ProofFromContext(r.Context()); !ok {
			signInFirst(w, r, false)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RequirePerson lets only requests of people through to next whom the
// community knows. Pages send those whom it does not know to where they can
// ask to join; an API answers 403.
func (i *Identity) RequirePerson(next http.Handler) http.Handler {
	return i.RequireProof(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := FromContext(r.Context()); ok {
			next.ServeHTTP(w, r)
			return
		}
		if isAPI(r) {
			status, detail := Refusal(r.Context())
			Problem(w, status, detail)
			return
		}
		proof, _ := ProofFromContext(r.Context())
		redirect(w, r, proof.Introduction(), url.Values{"return": {here(r)}})
	}))
}

// RequireDuty is RequireOneOf for a single duty.
func (i *Identity) RequireDuty(duty Duty, refuse func(w http.ResponseWriter, r *http.Request, status int), next http.Handler) http.Handler {
	return i.RequireOneOf([]Duty{duty}, refuse, next)
}

// RequireOneOf is RequirePerson, and beyond that lets only people through who
// are charged with one of the duties and have proven who they are in the way
// that staff must. Pages have those prove it who have not; the others get 403:
// from an API as a problem document, as a page from refuse.
func (i *Identity) RequireOneOf(duties []Duty, refuse func(w http.ResponseWriter, r *http.Request, status int), next http.Handler) http.Handler {
	known := i.RequirePerson(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, _ := FromContext(r.Context())
		proof, _ := ProofFromContext(r.Context())
		withheld := slices.ContainsFunc(duties, func(d Duty) bool { return slices.Contains(proof.Withheld, d) })
		switch {
		case slices.ContainsFunc(duties, p.Has):
			next.ServeHTTP(w, r)
		case withheld && isAPI(r):
			Problem(w, http.StatusForbidden, "The token does not prove who you are in the way that staff must: ask the issuer for one with the staff's acr.")
		case withheld:
			signInFirst(w, r, true)
		case isAPI(r):
			Problem(w, http.StatusForbidden, fmt.Sprintf("This is for staff with the duty %s. Ask a manager of the community for it.", oneOf(duties)))
		default:
			refuse(w, r, http.StatusForbidden)
		}
	}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := ProofFromContext(r.Context()); !ok {
			signInFirst(w, r, true)
			return
		}
		known.ServeHTTP(w, r)
	})
}

// oneOf names duties one of which is needed.
func oneOf(duties []Duty) string {
	names := make([]string, len(duties))
	for i, d := range duties {
		names[i] = string(d)
	}
	return strings.Join(names, " or ")
}

// RequireService lets only other services of this community through to next.
// For everybody else there is nothing at the address.
func (i *Identity) RequireService(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := ServiceFromContext(r.Context()); !ok {
			Problem(w, http.StatusNotFound, "There is nothing at this address for this method.")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// signInFirst asks whoever makes the request to sign in, if need be in the way
// that staff must. A program cannot: it is told that this is for people.
func signInFirst(w http.ResponseWriter, r *http.Request, staff bool) {
	if isProgram(r.Context()) {
		Problem(w, http.StatusForbidden, notAPerson)
		return
	}
	if isAPI(r) {
		Unauthorized(w, notSignedIn)
		return
	}
	query := url.Values{"return": {here(r)}}
	if staff {
		query.Set("staff", "true")
	}
	redirect(w, r, SignInPath, query)
}

func redirect(w http.ResponseWriter, r *http.Request, path string, query url.Values) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, path+"?"+query.Encode(), http.StatusSeeOther)
}

// here is where a browser comes back to: the page that was asked for, or the
// front page after a form, whose content is not kept.
func here(r *http.Request) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return r.URL.RequestURI()
	}
	return "/"
}

// isAPI reports whether a program asks: the path is beneath /<service>/api/.
func isAPI(r *http.Request) bool {
	_, rest, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return ok && strings.HasPrefix(rest, "api/")
}

// Unauthorized answers 401 with a problem document (RFC 9457).
func Unauthorized(w http.ResponseWriter, detail string) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	Problem(w, http.StatusUnauthorized, detail)
}

// Problem answers with a problem document (RFC 9457).
func Problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(map[string]any{
		"title": http.StatusText(status), "status": status, "detail": detail,
	})
}
