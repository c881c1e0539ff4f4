package host

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/linli-io/linli/internal/identity"
)

// maxAPIBody is far more than a request to a JSON API needs, in bytes.
const maxAPIBody = 16 << 10

// API is a service's JSON API beneath /<service>/api/v1.
type API struct {
	huma.API
	service string
	mux     *Router
	problem reflect.Type
}

// NewAPI makes the JSON API of a service with its errors, which are Problems or
// hold one. The document that describes it begins with title and description;
// tags group its operations.
func NewAPI(mux *Router, service string, problem error, title, description string, tags ...*huma.Tag) *API {
	return &API{service: service, mux: mux, problem: reflect.TypeOf(problem).Elem(), API: humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: title, Version: "v1", Description: description,
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The community from which this document is."}},
			Tags:    tags,
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
	})}
}

// Publish serves the document that describes the API, when all its operations
// are there, and lists the service's datasets.
func (a *API) Publish() error {
	if len(a.mux.datasets) > 0 {
		a.catalogue(a.mux.datasets, a.mux.pages)
	}
	// huma adds the schema of its own errors; ours is Problem.
	delete(a.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	document, err := json.Marshal(a.OpenAPI())
	if err != nil {
		return fmt.Errorf("writing the OpenAPI document: %w", err)
	}
	a.mux.HandleFunc("GET /"+a.service+"/api/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		// An error here is a lost connection: there is nobody left to tell.
		_, _ = w.Write(document)
	})
	return nil
}

// Problem is an error of a JSON API (RFC 9457).
type Problem struct {
	huma.ErrorModel
	Rule string `json:"rule,omitempty" doc:"The name of the rule that refused the request. Names are stable."`
}

// NewProblem is a problem that names the rule that refused the request; empty
// if none did.
func NewProblem(status int, rule, detail string) *Problem {
	return &Problem{ErrorModel: huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail}, Rule: rule}
}

// InternalProblem is what callers may know of an error that is nobody's fault
// but ours. The error itself belongs into the log.
func InternalProblem() *Problem {
	return NewProblem(http.StatusInternalServerError, "", "Something went wrong on our side. Nothing was changed that this request was not answered for; try again.")
}

// Public is an operation for everybody; op.Path begins after the API's own.
// The statuses are those of the problems it may answer with, beside the ones
// that every operation has.
func (a *API) Public(op huma.Operation, statuses ...int) huma.Operation {
	op.Path = "/" + a.service + "/api/v1" + op.Path
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxAPIBody
	}
	if op.Security == nil {
		op.Security = []map[string][]string{} // none is needed, though a token that is sent must be valid
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	schema := a.OpenAPI().Components.Schemas.Schema(a.problem, true, "Problem")
	for _, status := range append(statuses, http.StatusUnauthorized, http.StatusInternalServerError) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// Personal is an operation for people whom the community knows.
func (a *API) Personal(op huma.Operation, statuses ...int) huma.Operation {
	return a.restricted(op, identity.Refusal, statuses)
}

// Proven is an operation for people who are signed in, whether the community
// knows them or not.
func (a *API) Proven(op huma.Operation, statuses ...int) huma.Operation {
	return a.restricted(op, func(ctx context.Context) (int, string) {
		if _, ok := identity.ProofFromContext(ctx); ok {
			return 0, ""
		}
		return identity.Refusal(ctx)
	}, statuses)
}

// Staff is an operation for staff who are charged with one of the duties.
func (a *API) Staff(duties []identity.Duty, op huma.Operation, statuses ...int) huma.Operation {
	names := make([]string, len(duties))
	for i, d := range duties {
		names[i] = string(d)
	}
	return a.restricted(op, func(ctx context.Context) (int, string) {
		status, detail := identity.Refusal(ctx)
		if p, _ := identity.FromContext(ctx); status == 0 && !slices.ContainsFunc(duties, p.Has) {
			status = http.StatusForbidden
			detail = fmt.Sprintf("This is for staff with the duty %s, who have signed in as staff do.", strings.Join(names, " or "))
		}
		return status, detail
	}, statuses)
}

// restricted is an operation for those whom refusal gives no status, or else
// why they may not: 401 unless somebody is signed in, 403 if it is not for them.
func (a *API) restricted(op huma.Operation, refusal func(context.Context) (status int, detail string), statuses []int) huma.Operation {
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op = a.Public(op, append(statuses, http.StatusForbidden)...)
	op.Middlewares = append(huma.Middlewares{noStore, func(ctx huma.Context, next func(huma.Context)) {
		status, detail := refusal(ctx.Context())
		if status == 0 {
			next(ctx)
			return
		}
		if status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", "Bearer")
		}
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(a.API, ctx, status, detail)
	}}, op.Middlewares...)
	return op
}

// noStore keeps personal answers out of caches.
func noStore(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	next(ctx)
}

// WithBody are the statuses of operations that read a body, beside others.
func WithBody(statuses ...int) []int {
	return append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity)
}

// ByID are the statuses of operations on one thing by its ID, beside others.
func ByID(statuses ...int) []int {
	return append(statuses, http.StatusNotFound, http.StatusUnprocessableEntity)
}
