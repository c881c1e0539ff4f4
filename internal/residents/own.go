package residents

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// OwnData is all that the community keeps about a person (PIPL, Art. 45).
type OwnData struct {
	Person   APIPerson    `json:"person"`
	Acting   []OwnActing  `json:"acting"`
	Consents []APIConsent `json:"consents"`
	Requests []OwnRequest `json:"requests"`
	Looks    []Look       `json:"looks" doc:"Who did what about the person, of all services."`
	// Services has what each of the other services keeps, as that gives it out.
	Services map[string]any `json:"services" doc:"What each of the other services keeps, as that service gives it out."`
	Missing  []string       `json:"missing,omitempty" doc:"Services that did not answer. Ask again later for what they keep."`
}

// OwnActing is that somebody acts for another.
type OwnActing struct {
	Actor       string           `json:"actor"`
	Represented string           `json:"represented"`
	Scopes      []identity.Scope `json:"scopes"`
	Basis       Basis            `json:"basis" enum:"Own,Paper,Parent"`
	Until       Date             `json:"until,omitempty"`
	Since       time.Time        `json:"since"`
	EndedAt     *time.Time       `json:"endedAt,omitempty"`
}

// OwnRequest is what somebody has asked of the staff.
type OwnRequest struct {
	Kind    RequestKind  `json:"kind" enum:"Join,Correction,Acting"`
	Details Details      `json:"details"`
	Note    string       `json:"note,omitempty"`
	State   RequestState `json:"state" enum:"Open,Granted,Refused"`
	Reason  string       `json:"reason,omitempty"`
	AskedAt time.Time    `json:"askedAt"`
}

// ownData collects what all services keep about a person.
func (s *service) ownData(ctx context.Context, p Person) (OwnData, error) {
	loc := s.config().Location
	d := OwnData{Person: apiPersonOf(p, loc), Acting: []OwnActing{}, Requests: []OwnRequest{}, Services: map[string]any{}}
	acting, err := s.store.ActingOf(ctx, p.ID)
	if err != nil {
		return d, err
	}
	for _, a := range acting {
		one := OwnActing{Actor: a.Actor.String(), Represented: a.Represented.String(), Scopes: a.Scopes, Basis: a.Basis, Until: a.Until, Since: a.CreatedAt.In(loc)}
		if !a.EndedAt.IsZero() {
			t := a.EndedAt.In(loc)
			one.EndedAt = &t
		}
		d.Acting = append(d.Acting, one)
	}
	consents, err := s.store.Consents(ctx, p.ID)
	if err != nil {
		return d, err
	}
	d.Consents = apiConsentsOf(consents, loc)
	requests, err := s.store.RequestsOf(ctx, "", p.ID)
	if err != nil {
		return d, err
	}
	for _, r := range requests {
		d.Requests = append(d.Requests, OwnRequest{r.Kind, r.Details, r.Note, r.State, r.Reason, r.CreatedAt.In(loc)})
	}
	d.Looks, d.Missing = s.looks(ctx, p)
	for _, name := range s.personal() {
		var part any
		if err := s.ask(ctx, name, personalURL(name, p.ID), &part); err != nil {
			s.log.WarnContext(ctx, "a service did not hand over what it keeps about a person", "of", name, "error", err.Error())
			d.Missing = append(d.Missing, name)
			continue
		}
		d.Services[name] = part
	}
	slices.Sort(d.Missing)
	d.Missing = slices.Compact(d.Missing)
	return d, nil
}

// ask reads what another service answers into result.
func (s *service) ask(ctx context.Context, service, url string, result any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := s.others(service).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(result)
}

// nameOf is the name of who acted; empty for what is no person here.
func (s *service) nameOf(ctx context.Context, actor string) string {
	id, err := uuid.Parse(actor)
	if err != nil {
		return ""
	}
	p, err := s.store.Person(ctx, id)
	if err != nil {
		return ""
	}
	return p.Name
}

func sortLatestFirst(looks []Look) {
	slices.SortStableFunc(looks, func(a, b Look) int { return b.At.Compare(a.At) })
}
