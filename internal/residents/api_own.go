package residents

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/identity"
)

// ownOperations are what people do with their own records.
func (s *service) ownOperations(api *host.API) {
	own := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagOwn}
		return api.Personal(op, errors...)
	}
	proven := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagOwn}
		return api.Proven(op, errors...)
	}
	huma.Register(api, proven(huma.Operation{
		OperationID: "join", Method: http.MethodPost, Path: "/join",
		Summary:     "Say who the caller is, by the name that is on record with the caller's verified phone number",
		Description: "Whether there is a record of the number is not told: linked is false for every other reason too. Ask to join in the pages then.",
	}, host.WithBody(http.StatusTooManyRequests)...), s.apiJoin)
	huma.Register(api, proven(huma.Operation{
		OperationID: "accept-invitation", Method: http.MethodPost, Path: "/invitations/accept",
		Summary: "Become the member of staff for whom an invitation is",
	}, host.WithBody(host.ByID(http.StatusConflict, http.StatusTooManyRequests)...)...), s.apiAccept)
	huma.Register(api, own(huma.Operation{
		OperationID: "get-me", Method: http.MethodGet, Path: "/me", Summary: "The caller's record, and for whom the caller may act",
	}), s.apiMe)
	huma.Register(api, own(huma.Operation{
		OperationID: "get-my-data", Method: http.MethodGet, Path: "/me/data",
		Summary:     "All that the community keeps about the caller, of all services",
		Description: "PIPL Art. 45. A service that does not answer is named in missing.",
	}), s.apiData)
	huma.Register(api, own(huma.Operation{
		OperationID: "delete-me", Method: http.MethodDelete, Path: "/me", DefaultStatus: http.StatusAccepted,
		Summary:     "Delete the caller's record and what all services keep about the caller",
		Description: "PIPL Art. 47. It cannot be undone. Who did what stays on record, without names.",
	}, http.StatusConflict), s.apiDelete)
	huma.Register(api, own(huma.Operation{
		OperationID: "list-my-consents", Method: http.MethodGet, Path: "/me/consents", Summary: "What the caller agrees to and has agreed to",
	}), s.apiConsents)
	huma.Register(api, own(huma.Operation{
		OperationID: "give-consent", Method: http.MethodPut, Path: "/me/consents/{purpose}", DefaultStatus: http.StatusNoContent,
		Summary: "Agree to a purpose; agreeing again changes nothing",
	}, host.ByID()...), s.apiConsent)
	huma.Register(api, own(huma.Operation{
		OperationID: "withdraw-consent", Method: http.MethodDelete, Path: "/me/consents/{purpose}", DefaultStatus: http.StatusNoContent,
		Summary: "Agree no more; withdrawing again changes nothing",
	}, host.ByID()...), s.apiWithdraw)
}

// APIPerson is a person in answers.
type APIPerson struct {
	ID string `json:"id"`
	Details
	Kind        Kind            `json:"kind" enum:"Resident,External"`
	Duties      []identity.Duty `json:"duties,omitempty"`
	Linked      bool            `json:"linked" doc:"Somebody signs in as this person."`
	MovedAwayAt *time.Time      `json:"movedAwayAt,omitempty"`
}

func apiPersonOf(p Person, loc *time.Location) APIPerson {
	out := APIPerson{ID: p.ID.String(), Details: p.Details, Kind: p.Kind, Duties: p.Duties, Linked: p.Subject != ""}
	if !p.MovedAwayAt.IsZero() {
		t := p.MovedAwayAt.In(loc)
		out.MovedAwayAt = &t
	}
	return out
}

type apiActing struct {
	ID        string           `json:"id"`
	Name      string           `json:"name"`
	LatinName string           `json:"latinName,omitempty"`
	Scopes    []identity.Scope `json:"scopes" doc:"Book and Order; nothing else can be done for another."`
	BornOn    Date             `json:"bornOn,omitempty"`
}

type joinInput struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"60"`
	}
}

type joinOutput struct {
	Body struct {
		Linked bool `json:"linked" doc:"The caller is known now."`
	}
}

func (s *service) apiJoin(ctx context.Context, in *joinInput) (*joinOutput, error) {
	proof, _ := identity.ProofFromContext(ctx)
	out := &joinOutput{}
	if proof.Phone == "" {
		return out, nil
	}
	var err error
	if out.Body.Linked, err = s.store.Join(ctx, s.act(ctx), proof.Subject, proof.Phone, in.Body.Name); err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return out, nil
}

type acceptInput struct {
	Body struct {
		Code    string `json:"code" minLength:"1" maxLength:"128"`
		Manager string `json:"manager,omitempty" maxLength:"63" doc:"The name in the community's manifest, of managers whom county IT invites; it may be left out."`
	}
}

func (s *service) apiAccept(ctx context.Context, in *acceptInput) (*personOutput, error) {
	p, err := s.accept(ctx, in.Body.Code)
	return s.personAnswer(ctx, p, err)
}

type meOutput struct {
	Body struct {
		APIPerson
		ActsFor []apiActing `json:"actsFor"`
	}
}

func (s *service) apiMe(ctx context.Context, _ *struct{}) (*meOutput, error) {
	p, err := s.caller(ctx)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	others, err := s.store.ActsFor(ctx, p.ID, s.act(ctx).Today())
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &meOutput{}
	out.Body.APIPerson = apiPersonOf(p, s.config().Location)
	out.Body.ActsFor = []apiActing{}
	for _, other := range others {
		out.Body.ActsFor = append(out.Body.ActsFor, apiActing{other.ID.String(), other.Name, other.LatinName, other.Scopes, other.BornOn})
	}
	return out, nil
}

type dataOutput struct{ Body OwnData }

func (s *service) apiData(ctx context.Context, _ *struct{}) (*dataOutput, error) {
	p, err := s.caller(ctx)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	data, err := s.ownData(ctx, p)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return &dataOutput{Body: data}, nil
}

func (s *service) apiDelete(ctx context.Context, _ *struct{}) (*struct{}, error) {
	p, err := s.caller(ctx)
	if err == nil {
		err = s.beginLeaving(ctx, s.act(ctx), p.ID)
	}
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}

// APIConsent is what somebody agreed to.
type APIConsent struct {
	Purpose     Purpose      `json:"purpose" enum:"News,Photos,Care"`
	Basis       ConsentBasis `json:"basis" enum:"Page,Paper"`
	GivenAt     time.Time    `json:"givenAt"`
	WithdrawnAt *time.Time   `json:"withdrawnAt,omitempty" doc:"Absent while it stands."`
}

func apiConsentsOf(consents []Consent, loc *time.Location) []APIConsent {
	out := []APIConsent{}
	for _, c := range consents {
		one := APIConsent{Purpose: c.Purpose, Basis: c.Basis, GivenAt: c.GivenAt.In(loc)}
		if !c.WithdrawnAt.IsZero() {
			t := c.WithdrawnAt.In(loc)
			one.WithdrawnAt = &t
		}
		out = append(out, one)
	}
	return out
}

type consentsOutput struct {
	Body struct {
		Consents []APIConsent `json:"consents"`
	}
}

func (s *service) apiConsents(ctx context.Context, _ *struct{}) (*consentsOutput, error) {
	p, err := s.caller(ctx)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	consents, err := s.store.Consents(ctx, p.ID)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &consentsOutput{}
	out.Body.Consents = apiConsentsOf(consents, s.config().Location)
	return out, nil
}

type purposeInput struct {
	Purpose Purpose `path:"purpose" enum:"News,Photos,Care" doc:"What the data is used for."`
}

func (s *service) apiConsent(ctx context.Context, in *purposeInput) (*struct{}, error) {
	p, err := s.caller(ctx)
	if err == nil {
		err = s.store.Consent(ctx, s.act(ctx), Consent{Person: p.ID, Purpose: in.Purpose, Basis: ConsentPage})
	}
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}

func (s *service) apiWithdraw(ctx context.Context, in *purposeInput) (*struct{}, error) {
	p, err := s.caller(ctx)
	if err == nil {
		err = s.store.WithdrawConsent(ctx, s.act(ctx), p.ID, in.Purpose)
	}
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}

// Look is that somebody did something about a person.
type Look struct {
	Service string    `json:"service"`
	At      time.Time `json:"at"`
	Action  string    `json:"action" example:"residents.person.view"`
	// Who did it, as far as that is known here; empty for a service.
	By string `json:"by,omitempty" doc:"The name of who did it; absent if it happened by itself."`

	// actor and person are IDs, for who reads the audit.
	actor, person string
}

// looks are who did what about a person, in the records of all services, the
// latest first, and the services that did not answer.
func (s *service) looks(ctx context.Context, p Person) (looks []Look, missing []string) {
	return s.recorded(ctx, "people/"+p.ID.String())
}

// recorded are what the records of all services have at a path of theirs, the
// latest first, and the services that did not answer.
func (s *service) recorded(ctx context.Context, path string) (looks []Look, missing []string) {
	names := map[string]string{}
	for _, name := range s.audited() {
		var answer struct{ Records []audit.Record }
		if err := s.ask(ctx, name, "http://"+name+"/"+name+"/internal/audit/v1/"+path, &answer); err != nil {
			s.log.WarnContext(ctx, "a service did not say who did what", "of", name, "error", err.Error())
			missing = append(missing, name)
			continue
		}
		for _, r := range answer.Records {
			if _, ok := names[r.Actor]; !ok {
				names[r.Actor] = s.nameOf(ctx, r.Actor)
			}
			looks = append(looks, Look{Service: name, At: r.At.In(s.config().Location), Action: r.Action, By: names[r.Actor], actor: r.Actor, person: r.Person})
		}
	}
	sortLatestFirst(looks)
	return looks, missing
}
