package messages

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// apiPath is where the JSON API is.
const apiPath = "/" + Name + "/api/v1"

// The tags by which the operations are grouped in the document.
const (
	tagOwn  = "own"
	tagDesk = "desk"
)

// mountAPI mounts the JSON API and its OpenAPI document.
func (s *service) mountAPI(mux *host.Router) error {
	api := host.NewAPI(mux, Name, &host.Problem{}, "Linli messages",
		"What a community has to tell its people, and whom the front desk is to call. "+
			"Times are RFC 3339; answers have the offset of the community's time zone. Errors are problem documents (RFC 9457).",
		&huma.Tag{Name: tagOwn, Description: "The caller's messages, and how the caller wants to be told."},
		&huma.Tag{Name: tagDesk, Description: "People whom the front desk tells: for staff with the duty FrontDesk. Answers have names and phone numbers; that somebody looks is recorded."},
	)
	desk := []identity.Duty{identity.FrontDesk}
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/messages", Tags: []string{tagOwn},
		Summary: "The caller's messages, the newest first",
	}, http.StatusUnprocessableEntity), s.listMessages)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "read-messages", Method: http.MethodPut, Path: "/messages/{id}/read", DefaultStatus: http.StatusNoContent, Tags: []string{tagOwn},
		Summary:     "Note that a message and all before it were read",
		Description: "Noting it again changes nothing.",
	}, host.ByID()...), s.readMessages)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "get-preferences", Method: http.MethodGet, Path: "/preferences", Tags: []string{tagOwn},
		Summary: "How the caller wants to be told",
	}), s.getPreferences)
	huma.Register(api, api.Personal(huma.Operation{
		OperationID: "set-preferences", Method: http.MethodPut, Path: "/preferences", Tags: []string{tagOwn},
		Summary: "Choose how to be told",
	}, host.WithBody()...), s.setPreferences)
	huma.Register(api, api.Staff(desk, huma.Operation{
		OperationID: "list-calls", Method: http.MethodGet, Path: "/calls", Tags: []string{tagDesk},
		Summary: "Whom the front desk is to tell something",
	}), s.listCalls)
	huma.Register(api, api.Staff(desk, huma.Operation{
		OperationID: "note-call", Method: http.MethodPost, Path: "/calls/{id}", DefaultStatus: http.StatusNoContent, Tags: []string{tagDesk},
		Summary:     "Note how a call went",
		Description: "Who was told leaves the list; who was not reached stays on it.",
	}, host.WithBody(http.StatusNotFound)...), s.noteCall)

	return api.Publish()
}

// problem turns an error into what the caller may know of it.
func (s *service) problem(ctx context.Context, err error) error {
	if errors.Is(err, ErrNotFound) {
		return host.NewProblem(http.StatusNotFound, "", "There is nothing here.")
	}
	if ctx.Err() == nil {
		s.log.ErrorContext(ctx, "request failed", "error", err.Error())
	}
	return host.InternalProblem()
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
