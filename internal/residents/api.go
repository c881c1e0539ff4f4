package residents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
)

// The tags by which the operations are grouped in the document.
const (
	tagOwn      = "own"
	tagPeople   = "people"
	tagRequests = "requests"
	tagImports  = "imports"
	tagActing   = "acting"
	tagDuties   = "duties"
)

const (
	apiPath     = "/" + Name + "/api/v1"
	openAPIPath = "/" + Name + "/api/openapi.json"
	// maxRequestBytes is far more than a request needs.
	maxRequestBytes = 16 << 10
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Linli residents",
				Version: "v1",
				Description: "The records of a community's people. Everybody reaches their own; staff reach others' and that is recorded. " +
					"Times are RFC 3339, dates YYYY-MM-DD. Errors are problem documents (RFC 9457).",
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The community from which this document is."}},
			Tags: []*huma.Tag{
				{Name: tagOwn, Description: "The caller's own record. Nobody acts for another here."},
				{Name: tagPeople, Description: "Records of people: for staff with the duty FrontDesk. Every call is recorded with who made it."},
				{Name: tagRequests, Description: "What people ask of the staff: for staff with the duty FrontDesk."},
				{Name: tagImports, Description: "Tables of people: for staff with the duty FrontDesk. Nothing is written before it is confirmed."},
				{Name: tagActing, Description: "Who acts for whom: for staff with the duty FrontDesk."},
				{Name: tagDuties, Description: "Who is charged with what: for staff with the duty Manager."},
			},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					"bearer":  {Type: "http", Scheme: "bearer", Description: "A token for this community."},
					"session": {Type: "apiKey", In: "cookie", Name: "__Host-linli-session", Description: "The session of a browser; linli-session where pages are served without TLS."},
				},
			},
		},
		Formats:       huma.DefaultFormats,
		DefaultFormat: "application/json",
	})
	o := operations{api}
	s.ownOperations(o)
	s.peopleOperations(o)
	s.requestOperations(o)
	s.importOperations(o)
	s.actingOperations(o)
	s.dutyOperations(o)

	// huma adds the schema of its own errors; ours is Problem.
	delete(api.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	document, err := json.Marshal(api.OpenAPI())
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	mux.HandleFunc("GET "+openAPIPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		// An error here is a lost connection: there is nobody left to tell.
		_, _ = w.Write(document)
	})
	return nil
}

// APIProblem is an error of the API (RFC 9457).
type APIProblem struct {
	huma.ErrorModel
	Rule string `json:"rule,omitempty" example:"last-manager" doc:"The name of the rule that refused the request. Names are stable."`
}

// operations registers operations, with what they have in common.
type operations struct{ api huma.API }

// personal is an operation for people who are signed in.
func (o operations) personal(op huma.Operation, errors ...int) huma.Operation {
	op.Path = apiPath + op.Path
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxRequestBytes
	}
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op.Middlewares = huma.Middlewares{noStore, requirePerson(o.api)}
	op.Responses = map[string]*huma.Response{}
	schema := o.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[APIProblem](), true, "Problem")
	for _, status := range append(errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// proven is an operation for people who are signed in, whether the community
// knows them or not.
func (o operations) proven(op huma.Operation, errors ...int) huma.Operation {
	op = o.personal(op, errors...)
	op.Middlewares = huma.Middlewares{noStore, requireProof(o.api)}
	return op
}

// staff is an operation for staff who are charged with a duty.
func (o operations) staff(duty identity.Duty, op huma.Operation, errors ...int) huma.Operation {
	op = o.personal(op, errors...)
	op.Middlewares = append(op.Middlewares, requireDuty(o.api, duty))
	return op
}

// withBody are the errors of operations that read a body.
func withBody(errors ...int) []int {
	return append(errors, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
}

// byID are the errors of operations on one thing by its id.
func byID(errors ...int) []int {
	return append(errors, http.StatusNotFound, http.StatusUnprocessableEntity)
}

func newProblem(status int, rule, detail string) *APIProblem {
	return &APIProblem{ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}, Rule: rule}
}

// rules are the names of what refuses requests.
var rules = []struct {
	err    error
	status int
	rule   string
}{
	{ErrLinked, http.StatusConflict, "linked"}, {ErrTooOften, http.StatusTooManyRequests, "too-often"}, {ErrOpen, http.StatusConflict, "asked-already"},
	{ErrDecided, http.StatusConflict, "answered"}, {ErrLastManager, http.StatusConflict, "last-manager"},
	{ErrManifest, http.StatusConflict, "managed-by-manifest"}, {ErrInvalid, http.StatusUnprocessableEntity, "invalid"},
	{ErrNotFound, http.StatusNotFound, ""},
}

// problemOf turns an error into what the caller may know of it.
func (s *service) problemOf(ctx context.Context, err error) *APIProblem {
	if known, ok := errors.AsType[*APIProblem](err); ok {
		return known
	}
	if p, ok := errors.AsType[Problem](err); ok {
		problem := newProblem(http.StatusUnprocessableEntity, "", "validation failed")
		problem.Errors = []*huma.ErrorDetail{{Message: problemTexts[p.Rule], Location: "body." + p.Field}}
		return problem
	}
	if o, ok := errors.AsType[Obstacle](err); ok {
		return newProblem(http.StatusConflict, "obstacle", o.Error())
	}
	for _, known := range rules {
		if errors.Is(err, known.err) {
			detail := err.Error()
			if known.status == http.StatusNotFound {
				detail = "There is nothing here."
			}
			return newProblem(known.status, known.rule, detail)
		}
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return newProblem(http.StatusInternalServerError, "", "Something went wrong on our side. Nothing was changed that this request was not answered for; try again.")
}

// noStore keeps personal answers out of caches.
func noStore(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	next(ctx)
}

// requirePerson answers 401 unless somebody is signed in, and 403 unless it is
// a person whom the community knows.
func requirePerson(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if _, ok := identity.FromContext(ctx.Context()); ok {
			next(ctx)
			return
		}
		refuse(api, ctx)
	}
}

// requireProof answers 401 unless somebody is signed in, and 403 if a program
// asks.
func requireProof(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if _, ok := identity.ProofFromContext(ctx.Context()); ok {
			next(ctx)
			return
		}
		refuse(api, ctx)
	}
}

// refuse says why a request is not one of a person whom the community knows.
func refuse(api huma.API, ctx huma.Context) {
	status, detail := identity.Refusal(ctx.Context())
	if status == http.StatusUnauthorized {
		ctx.SetHeader("WWW-Authenticate", "Bearer")
	}
	// WriteErr reports what it cannot write by itself.
	_ = huma.WriteErr(api, ctx, status, detail)
}

// requireDuty answers 403 unless who is signed in is charged with the duty.
func requireDuty(api huma.API, duty identity.Duty) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if p, ok := identity.FromContext(ctx.Context()); ok && p.Has(duty) {
			next(ctx)
			return
		}
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(api, ctx, http.StatusForbidden, fmt.Sprintf("This is for staff with the duty %s, who have signed in as staff do.", duty))
	}
}
