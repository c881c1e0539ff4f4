package residents

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

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

// apiPath is where the JSON API is.
const apiPath = "/" + Name + "/api/v1"

// Who reaches the records of others, and who says what others are charged with.
var (
	frontDesk = []identity.Duty{identity.FrontDesk}
	managers  = []identity.Duty{identity.Manager}
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := host.NewAPI(mux, Name, &host.Problem{}, "Linli residents",
		"The records of a community's people. Everybody reaches their own; staff reach others' and that is recorded. "+
			"Times are RFC 3339, dates YYYY-MM-DD. Errors are problem documents (RFC 9457).",
		&huma.Tag{Name: tagOwn, Description: "The caller's own record. Nobody acts for another here."},
		&huma.Tag{Name: tagPeople, Description: "Records of people: for staff with the duty FrontDesk. Every call is recorded with who made it."},
		&huma.Tag{Name: tagRequests, Description: "What people ask of the staff: for staff with the duty FrontDesk."},
		&huma.Tag{Name: tagImports, Description: "Tables of people: for staff with the duty FrontDesk. Nothing is written before it is confirmed."},
		&huma.Tag{Name: tagActing, Description: "Who acts for whom: for staff with the duty FrontDesk."},
		&huma.Tag{Name: tagDuties, Description: "Who is charged with what: for staff with the duty Manager."},
	)
	s.ownOperations(api)
	s.peopleOperations(api)
	s.requestOperations(api)
	s.importOperations(api)
	s.actingOperations(api)
	s.dutyOperations(api)
	return api.Publish()
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
func (s *service) problemOf(ctx context.Context, err error) *host.Problem {
	if known, ok := errors.AsType[*host.Problem](err); ok {
		return known
	}
	if p, ok := errors.AsType[Problem](err); ok {
		problem := host.NewProblem(http.StatusUnprocessableEntity, "", "validation failed")
		problem.Errors = []*huma.ErrorDetail{{Message: problemTexts[p.Rule], Location: "body." + p.Field}}
		return problem
	}
	if o, ok := errors.AsType[Obstacle](err); ok {
		return host.NewProblem(http.StatusConflict, "obstacle", o.Error())
	}
	for _, known := range rules {
		if errors.Is(err, known.err) {
			detail := err.Error()
			if known.status == http.StatusNotFound {
				detail = "There is nothing here."
			}
			return host.NewProblem(known.status, known.rule, detail)
		}
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return host.InternalProblem()
}
