package residents

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// What other services of the community ask. Nobody else gets to it.

const (
	internalPath = "/" + Name + "/internal/v1/"
	// maxFound is how many people are found at most, so that nobody can leaf
	// through all residents.
	maxFound = 20
	// maxInternalBytes is more than anything that is asked for needs.
	maxInternalBytes = 4 << 10
)

func (s *service) mountInternal(mux *host.Router) {
	handle := func(pattern string, f func(r *http.Request) (any, error)) {
		mux.Handle(pattern, s.identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(r)
			s.answerInternal(w, r, answer, err)
		})))
	}
	handle("GET "+internalPath+"subjects/{subject}", s.bySubject)
	handle("POST "+internalPath+"sign-ins", s.signedIn)
	handle("GET "+internalPath+"people/{id}", s.knownPerson)
	handle("GET "+internalPath+"people/{id}/home", s.homeOf)
	handle("GET "+internalPath+"people", s.findPeople)
}

// answerInternal writes an answer, or why there is none.
func (s *service) answerInternal(w http.ResponseWriter, r *http.Request, answer any, err error) {
	status, contentType := http.StatusOK, "application/json"
	if err != nil {
		problem := s.problemOf(r.Context(), err)
		answer, status, contentType = problem, problem.Status, "application/problem+json"
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	// An error here is a lost connection: there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(answer)
}

// known is a person, and for whom the person may act.
func (s *service) known(r *http.Request, p Person) (identity.Known, error) {
	k := identity.Known{Person: p.Identity()}
	represented, err := s.store.ActsFor(r.Context(), p.ID, s.actOf("").Today())
	if err != nil {
		return k, err
	}
	for _, other := range represented {
		k.Household = append(k.Household, identity.Represented{Person: other.Identity(), Scopes: other.Scopes})
	}
	return k, nil
}

// bySubject is whom a subject may be.
func (s *service) bySubject(r *http.Request) (any, error) {
	people, err := s.store.OfSubject(r.Context(), r.PathValue("subject"))
	if err != nil {
		return nil, err
	}
	known := make([]identity.Known, len(people))
	for i, p := range people {
		if known[i], err = s.known(r, p); err != nil {
			return nil, err
		}
	}
	return map[string]any{"people": known}, nil
}

// signedIn notes that a subject has signed in, and answers with whom it may be.
func (s *service) signedIn(r *http.Request) (any, error) {
	var in struct{ Subject string }
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxInternalBytes)).Decode(&in); err != nil {
		return nil, ErrInvalid
	}
	people, err := s.store.SignIn(r.Context(), in.Subject, s.clock.Now())
	return persons(people), err
}

func persons(people []Person) map[string]any {
	out := make([]identity.Person, len(people))
	for i, p := range people {
		out[i] = p.Identity()
	}
	return map[string]any{"persons": out}
}

// here is the person whom a request names, if it is one of the community's.
func (s *service) here(r *http.Request) (Person, error) {
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return Person{}, ErrNotFound
	}
	p, err := s.store.Person(r.Context(), id)
	if err == nil && !p.Here() {
		err = ErrNotFound
	}
	return p, err
}

// knownPerson is a person by ID.
func (s *service) knownPerson(r *http.Request) (any, error) {
	p, err := s.here(r)
	if err != nil {
		return nil, err
	}
	return s.known(r, p)
}

// homeOf is where a person lives.
func (s *service) homeOf(r *http.Request) (any, error) {
	p, err := s.here(r)
	return p.Home, err
}

// findPeople looks for people on behalf of the actor, which is audited.
func (s *service) findPeople(r *http.Request) (any, error) {
	query := r.URL.Query()
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 0 || limit > maxFound {
		limit = maxFound
	}
	people, err := s.store.Find(r.Context(), s.act(r.Context()), query.Get("query"), limit)
	return persons(people), err
}
