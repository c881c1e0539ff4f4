package messages

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

const (
	apiPath     = "/" + Name + "/api/v1"
	openAPIPath = "/" + Name + "/api/openapi.json"
	// maxRequestBytes is far more than a request with the longest note needs.
	maxRequestBytes = 16 << 10
)

// The tags by which the operations are grouped in the document.
const (
	tagOwn  = "own"
	tagDesk = "desk"
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := humago.New(mux, huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title:   "Linli messages",
				Version: "v1",
				Description: "What a community has to tell its people, and whom the front desk is to call. " +
					"Times are RFC 3339; answers have the offset of the community's time zone. Errors are problem documents (RFC 9457).",
				License: &huma.License{Name: "Apache License 2.0", Identifier: "Apache-2.0"},
			},
			Servers: []*huma.Server{{URL: "/", Description: "The community from which this document is."}},
			Tags: []*huma.Tag{
				{Name: tagOwn, Description: "The caller's messages, and how the caller wants to be told."},
				{Name: tagDesk, Description: "People whom the front desk tells: for staff with the duty FrontDesk. Answers have names and phone numbers; that somebody looks is recorded."},
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
	huma.Register(api, o.personal(huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/messages", Tags: []string{tagOwn},
		Summary: "The caller's messages, the newest first",
	}, http.StatusUnprocessableEntity), s.listMessages)
	huma.Register(api, o.personal(huma.Operation{
		OperationID: "read-messages", Method: http.MethodPut, Path: "/messages/{id}/read", DefaultStatus: http.StatusNoContent, Tags: []string{tagOwn},
		Summary:     "Note that a message and all before it were read",
		Description: "Noting it again changes nothing.",
	}, http.StatusNotFound, http.StatusUnprocessableEntity), s.readMessages)
	huma.Register(api, o.personal(huma.Operation{
		OperationID: "get-preferences", Method: http.MethodGet, Path: "/preferences", Tags: []string{tagOwn},
		Summary: "How the caller wants to be told",
	}), s.getPreferences)
	huma.Register(api, o.personal(huma.Operation{
		OperationID: "set-preferences", Method: http.MethodPut, Path: "/preferences", Tags: []string{tagOwn},
		Summary: "Choose how to be told",
	}, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity), s.setPreferences)
	huma.Register(api, o.desk(huma.Operation{
		OperationID: "list-calls", Method: http.MethodGet, Path: "/calls", Tags: []string{tagDesk},
		Summary: "Whom the front desk is to tell something",
	}), s.listCalls)
	huma.Register(api, o.desk(huma.Operation{
		OperationID: "note-call", Method: http.MethodPost, Path: "/calls/{id}", DefaultStatus: http.StatusNoContent, Tags: []string{tagDesk},
		Summary:     "Note how a call went",
		Description: "Who was told leaves the list; who was not reached stays on it.",
	}, http.StatusNotFound, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity), s.noteCall)

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

// Problem is an error of the API (RFC 9457).
type Problem struct{ huma.ErrorModel }

// operations registers operations, with what they have in common.
type operations struct{ api huma.API }

// personal is an operation for people who are signed in.
func (o operations) personal(op huma.Operation, statuses ...int) huma.Operation {
	op.Path = apiPath + op.Path
	op.MaxBodyBytes = maxRequestBytes
	op.Security = []map[string][]string{{"bearer": {}}, {"session": {}}}
	op.Middlewares = huma.Middlewares{noStore, o.require(func(identity.Person) bool { return true }, "")}
	op.Responses = map[string]*huma.Response{}
	schema := o.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	for _, status := range append(statuses, http.StatusUnauthorized, http.StatusForbidden, http.StatusInternalServerError) {
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status),
			Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: schema}},
		}
	}
	return op
}

// desk is an operation for staff at the front desk.
func (o operations) desk(op huma.Operation, statuses ...int) huma.Operation {
	op = o.personal(op, statuses...)
	op.Middlewares = append(op.Middlewares, o.require(
		func(p identity.Person) bool { return p.Has(identity.FrontDesk) },
		"This is for staff with the duty FrontDesk. Ask a manager of the community for it."))
	return op
}

// require answers 401 unless somebody is signed in, and 403 unless it is a person
// whom the community knows, and who may.
func (o operations) require(may func(identity.Person) bool, refusal string) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		status, detail := identity.Refusal(ctx.Context())
		if p, _ := identity.FromContext(ctx.Context()); status == 0 && !may(p) {
			status, detail = http.StatusForbidden, refusal
		}
		if status == 0 {
			next(ctx)
			return
		}
		if status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", "Bearer")
		}
		// WriteErr reports what it cannot write by itself.
		_ = huma.WriteErr(o.api, ctx, status, detail)
	}
}

// noStore keeps personal answers out of caches.
func noStore(ctx huma.Context, next func(huma.Context)) {
	ctx.SetHeader("Cache-Control", "no-store")
	next(ctx)
}

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if errors.Is(err, ErrNotFound) {
		return huma.Error404NotFound("There is nothing here.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return huma.Error500InternalServerError("Something went wrong on our side; try again.")
}

type apiMessage struct {
	ID     string            `json:"id" format:"uuid"`
	At     time.Time         `json:"at" doc:"When it came about."`
	Kind   string            `json:"kind" example:"booking-offer" doc:"What it is about. Names are stable."`
	About  string            `json:"about" doc:"The id of what it is about."`
	For    string            `json:"for,omitempty" doc:"The id of the person whom it is about, if the caller acts for them."`
	Link   string            `json:"link,omitempty" doc:"The path of the page on which something can be done about it."`
	Text   map[string]string `json:"text" doc:"The text by language: zh-CN and en."`
	ReadAt *time.Time        `json:"readAt,omitempty"`
}

type listMessagesInput struct {
	After string `query:"after" maxLength:"36" doc:"The id of the last message that is known; those before it in time follow."`
	Limit int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many at most."`
}

type listMessagesOutput struct {
	Body struct {
		Messages []apiMessage `json:"messages"`
		Unread   int          `json:"unread" doc:"How many the caller has not read, on all pages."`
	}
}

func (s *service) listMessages(ctx context.Context, in *listMessagesInput) (*listMessagesOutput, error) {
	caller, _ := identity.FromContext(ctx)
	after := uuid.Nil
	if in.After != "" {
		var err error
		if after, err = uuid.Parse(in.After); err != nil {
			return nil, huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: "it is no id of a message", Location: "query.after", Value: in.After})
		}
	}
	items, err := s.store.Inbox(ctx, caller.ID, after, in.Limit)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listMessagesOutput{}
	out.Body.Messages = []apiMessage{}
	if out.Body.Unread, err = s.store.Unread(ctx, caller.ID); err != nil {
		return nil, s.problem(ctx, err)
	}
	for _, i := range items {
		m := apiMessage{ID: i.ID.String(), At: i.At.In(s.location()), Kind: i.Kind, About: i.About, For: i.For, Link: i.Link, Text: i.Text}
		if !i.ReadAt.IsZero() {
			read := i.ReadAt.In(s.location())
			m.ReadAt = &read
		}
		out.Body.Messages = append(out.Body.Messages, m)
	}
	return out, nil
}

type messageInput struct {
	ID string `path:"id" maxLength:"36" doc:"The id of the message."`
}

func (s *service) readMessages(ctx context.Context, in *messageInput) (*struct{}, error) {
	caller, _ := identity.FromContext(ctx)
	id, err := uuid.Parse(in.ID)
	if err != nil {
		return nil, s.problem(ctx, ErrNotFound)
	}
	if err := s.store.Read(ctx, caller.ID, id, s.clock.Now()); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}

type apiPreferences struct {
	Way      string `json:"way" enum:"sms,page,call" doc:"A text message, nothing beside the page of messages, or a call of the front desk."`
	Language string `json:"language" enum:"zh-CN,en" doc:"The language of text messages."`
}

type preferencesBody struct{ Body apiPreferences }

func (s *service) getPreferences(ctx context.Context, _ *struct{}) (*preferencesBody, error) {
	caller, _ := identity.FromContext(ctx)
	p, err := s.store.Preferences(ctx, caller.ID)
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	return &preferencesBody{Body: apiPreferences{Way: string(p.Way), Language: string(p.Language)}}, nil
}

func (s *service) setPreferences(ctx context.Context, in *preferencesBody) (*preferencesBody, error) {
	caller, _ := identity.FromContext(ctx)
	p := Preferences{Way: Way(in.Body.Way), Language: web.Language(in.Body.Language)}
	if err := s.store.Prefer(ctx, caller.ID, p, s.clock.Now()); err != nil {
		return nil, s.problem(ctx, err)
	}
	return in, nil
}

type apiCall struct {
	ID       string    `json:"id" format:"uuid"`
	Person   string    `json:"person"`
	Name     string    `json:"name"`
	Phone    string    `json:"phone,omitempty" doc:"Empty if none is known: to be told in person."`
	Text     string    `json:"text" doc:"What to tell, in Chinese."`
	At       time.Time `json:"at"`
	NotAfter time.Time `json:"notAfter" doc:"When it is of no use any more."`
	Attempts int       `json:"attempts"`
	Note     string    `json:"note,omitempty"`
}

type listCallsOutput struct {
	Body struct {
		Calls []apiCall `json:"calls"`
		More  int       `json:"more" doc:"How many there are beside those."`
	}
}

func (s *service) listCalls(ctx context.Context, _ *struct{}) (*listCallsOutput, error) {
	caller, _ := identity.FromContext(ctx)
	calls, all, err := s.calls(ctx, caller.ID, web.View{Lang: web.Chinese})
	if err != nil {
		return nil, s.problem(ctx, err)
	}
	out := &listCallsOutput{}
	out.Body.Calls, out.Body.More = []apiCall{}, all-len(calls)
	for _, c := range calls {
		out.Body.Calls = append(out.Body.Calls, apiCall{
			ID: c.ID.String(), Person: c.Person, Name: c.Called, Phone: c.Number, Text: inLanguage(c.Text, web.Chinese),
			At: c.At.In(s.location()), NotAfter: c.NotAfter.In(s.location()), Attempts: c.Attempts, Note: c.Note,
		})
	}
	return out, nil
}

type noteCallInput struct {
	ID   string `path:"id" maxLength:"36" doc:"The id of the message."`
	Body struct {
		Outcome string `json:"outcome" enum:"told,missed"`
		Note    string `json:"note,omitempty" maxLength:"200"`
	}
}

func (s *service) noteCall(ctx context.Context, in *noteCallInput) (*struct{}, error) {
	caller, _ := identity.FromContext(ctx)
	id, err := uuid.Parse(in.ID)
	if err != nil {
		return nil, s.problem(ctx, ErrNotFound)
	}
	note := strings.Join(strings.Fields(in.Body.Note), " ")
	if err := s.store.Called(ctx, caller.ID, id, in.Body.Outcome == "told", note, s.clock.Now()); err != nil {
		return nil, s.problem(ctx, err)
	}
	return nil, nil
}
