package residents

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/google/uuid"
	"github.com/linli-io/linli/internal/host"

	"github.com/linli-io/linli/internal/identity"
)

func (s *service) peopleOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagPeople}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "find-people", Method: http.MethodGet, Path: "/people",
		Summary: "Look for people by name, or by at least three digits of the phone number",
	}, http.StatusUnprocessableEntity), s.apiFind)
	huma.Register(api, desk(huma.Operation{
		OperationID: "add-person", Method: http.MethodPost, Path: "/people", DefaultStatus: http.StatusCreated,
		Summary: "Add a resident, who need not have a phone",
	}, host.WithBody()...), s.apiAdd)
	huma.Register(api, desk(huma.Operation{
		OperationID: "get-person", Method: http.MethodGet, Path: "/people/{id}", Summary: "A person's record",
	}, host.ByID()...), s.apiGet)
	huma.Register(api, desk(huma.Operation{
		OperationID: "change-person", Method: http.MethodPut, Path: "/people/{id}",
		Summary: "Write a person's record anew; what is left out is not known any more",
	}, host.WithBody(host.ByID()...)...), s.apiChange)
}

func (s *service) requestOperations(api *host.API) {
	desk := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagRequests}
		return api.Staff(frontDesk, op, errors...)
	}
	huma.Register(api, desk(huma.Operation{
		OperationID: "list-requests", Method: http.MethodGet, Path: "/requests", Summary: "The requests that wait for an answer, the oldest first",
	}), s.apiRequests)
	huma.Register(api, desk(huma.Operation{
		OperationID: "grant-request", Method: http.MethodPost, Path: "/requests/{id}/grant",
		Summary:     "Grant a request; granting again changes nothing",
		Description: "Of a request to join, as names the record of the person; without it a new one is made. Of a request to act for somebody it names whom.",
	}, host.WithBody(host.ByID(http.StatusConflict)...)...), s.apiGrant)
	huma.Register(api, desk(huma.Operation{
		OperationID: "refuse-request", Method: http.MethodPost, Path: "/requests/{id}/refuse", DefaultStatus: http.StatusNoContent,
		Summary: "Refuse a request with a reason that who asked can read; refusing again changes nothing",
	}, host.WithBody(host.ByID(http.StatusConflict)...)...), s.apiRefuse)
}

func (s *service) dutyOperations(api *host.API) {
	manager := func(op huma.Operation, errors ...int) huma.Operation {
		op.Tags = []string{tagDuties}
		return api.Staff(managers, op, errors...)
	}
	huma.Register(api, manager(huma.Operation{
		OperationID: "list-staff", Method: http.MethodGet, Path: "/staff", Summary: "Who is charged with what",
	}), s.apiStaff)
	huma.Register(api, manager(huma.Operation{
		OperationID: "set-duties", Method: http.MethodPut, Path: "/people/{id}/duties",
		Summary: "Charge a person with exactly these duties; with none, the person is dismissed. The last manager stays",
	}, host.WithBody(host.ByID(http.StatusConflict)...)...), s.apiAppoint)
}

type peopleOutput struct {
	Body struct {
		People []APIPerson `json:"people"`
	}
}

func (s *service) peopleAnswer(ctx context.Context, people []Person, err error) (*peopleOutput, error) {
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &peopleOutput{}
	out.Body.People = []APIPerson{}
	for _, p := range people {
		out.Body.People = append(out.Body.People, apiPersonOf(p, s.config().Location))
	}
	return out, nil
}

type personOutput struct{ Body APIPerson }

func (s *service) personAnswer(ctx context.Context, p Person, err error) (*personOutput, error) {
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return &personOutput{Body: apiPersonOf(p, s.config().Location)}, nil
}

type findInput struct {
	Query string `query:"query" required:"true" minLength:"1" maxLength:"60" doc:"Parts of a name, in any order, or digits of a phone number."`
}

func (s *service) apiFind(ctx context.Context, in *findInput) (*peopleOutput, error) {
	people, err := s.store.Find(ctx, s.act(ctx), in.Query, maxFound)
	return s.peopleAnswer(ctx, people, err)
}

// apiDetails are what is written down about a person. What is wrong with them
// is said by the rules that hold for forms and tables too.
type apiDetails struct {
	Name      string   `json:"name" minLength:"1" maxLength:"60" example:"王桂花"`
	LatinName string   `json:"latinName,omitempty" maxLength:"60" example:"Wang Guihua"`
	Phone     string   `json:"phone,omitempty" maxLength:"32" example:"13800000003" doc:"Two people may share a number."`
	BornOn    Date     `json:"bornOn,omitempty" maxLength:"20" example:"1954-05-21"`
	Relation  Relation `json:"relation,omitempty" enum:"Head,Spouse,Child,Parent,Grandparent,Grandchild,Other" doc:"To the head of the household."`
	Estate    string   `json:"estate,omitempty" maxLength:"63" doc:"The name of one of the community's estates."`
	Building  string   `json:"building,omitempty" maxLength:"40"`
	Unit      string   `json:"unit,omitempty" maxLength:"40"`
	Room      string   `json:"room,omitempty" maxLength:"40"`
}

func (d apiDetails) details() Details {
	return Details{Name: d.Name, LatinName: d.LatinName, Phone: d.Phone, BornOn: d.BornOn, Relation: d.Relation, Home: Home{d.Estate, d.Building, d.Unit, d.Room}}
}

type addInput struct{ Body apiDetails }

func (s *service) apiAdd(ctx context.Context, in *addInput) (*personOutput, error) {
	p, err := s.store.Add(ctx, s.act(ctx), Resident, in.Body.details())
	return s.personAnswer(ctx, p, err)
}

// IDInput names something by its id.
type IDInput struct {
	ID string `path:"id" format:"uuid" doc:"The ID of the person, request, import or permission."`
}

// id is the id that was asked for; what is no id is nobody's.
func (in IDInput) id() uuid.UUID {
	id, err := uuid.Parse(in.ID)
	if err != nil {
		return uuid.Nil
	}
	return id
}

func (s *service) apiGet(ctx context.Context, in *IDInput) (*personOutput, error) {
	p, err := s.store.See(ctx, s.act(ctx), in.id())
	return s.personAnswer(ctx, p, err)
}

type changeInput struct {
	IDInput
	Body apiDetails
}

func (s *service) apiChange(ctx context.Context, in *changeInput) (*personOutput, error) {
	p, err := s.store.Change(ctx, s.act(ctx), in.id(), in.Body.details())
	return s.personAnswer(ctx, p, err)
}

type apiRequest struct {
	ID      string      `json:"id"`
	Kind    RequestKind `json:"kind" enum:"Join,Correction,Acting"`
	Person  string      `json:"person,omitempty" doc:"Who asks; absent of those who are not known yet."`
	Details Details     `json:"details"`
	Note    string      `json:"note,omitempty"`
	AskedAt time.Time   `json:"askedAt"`
	Likely  []APIPerson `json:"likely" doc:"Records that are likely of whom the request is about."`
}

type requestsOutput struct {
	Body struct {
		Requests []apiRequest `json:"requests"`
	}
}

func (s *service) apiRequests(ctx context.Context, _ *struct{}) (*requestsOutput, error) {
	requests, err := s.store.SeeOpen(ctx, s.act(ctx))
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &requestsOutput{}
	out.Body.Requests = []apiRequest{}
	for _, r := range requests {
		one := apiRequest{ID: r.ID.String(), Kind: r.Kind, Details: r.Details, Note: r.Note, AskedAt: r.CreatedAt.In(s.config().Location), Likely: []APIPerson{}}
		if r.Person != uuid.Nil {
			one.Person = r.Person.String()
		}
		for _, p := range r.Likely {
			one.Likely = append(one.Likely, apiPersonOf(p, s.config().Location))
		}
		out.Body.Requests = append(out.Body.Requests, one)
	}
	return out, nil
}

type grantInput struct {
	IDInput
	Body *struct {
		As     string           `json:"as,omitempty" format:"uuid"`
		Scopes []identity.Scope `json:"scopes,omitempty" enum:"Book,Order" maxItems:"2"`
		Basis  Basis            `json:"basis,omitempty" enum:"Paper,Parent"`
		Until  string           `json:"until,omitempty" format:"date"`
	}
}

type grantOutput struct {
	Body struct {
		Person string `json:"person" doc:"Whose record it is about now."`
	}
}

func (s *service) apiGrant(ctx context.Context, in *grantInput) (*grantOutput, error) {
	g := Granting{ID: in.id()}
	if in.Body != nil {
		g.As, g.Scopes, g.Basis, g.Until = IDInput{in.Body.As}.id(), in.Body.Scopes, in.Body.Basis, Date(in.Body.Until)
	}
	r, err := s.store.Grant(ctx, s.act(ctx), g)
	if err != nil {
		return nil, s.problemOf(ctx, err)
	}
	out := &grantOutput{}
	out.Body.Person = r.Person.String()
	return out, nil
}

type refuseInput struct {
	IDInput
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200"`
	}
}

func (s *service) apiRefuse(ctx context.Context, in *refuseInput) (*struct{}, error) {
	if err := s.store.Refuse(ctx, s.act(ctx), in.id(), in.Body.Reason); err != nil {
		return nil, s.problemOf(ctx, err)
	}
	return nil, nil
}

func (s *service) apiStaff(ctx context.Context, _ *struct{}) (*peopleOutput, error) {
	people, err := s.store.Staff(ctx)
	return s.peopleAnswer(ctx, people, err)
}

type appointInput struct {
	IDInput
	Body struct {
		Duties []identity.Duty `json:"duties" enum:"FrontDesk,Kitchen,Property,GridWorker,Manager,DataProtection" maxItems:"6"`
	}
}

func (s *service) apiAppoint(ctx context.Context, in *appointInput) (*personOutput, error) {
	p, err := s.store.Appoint(ctx, s.act(ctx), in.id(), in.Body.Duties)
	return s.personAnswer(ctx, p, err)
}
