package sample

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/linli-io/linli/internal/identity"
)

// Community is one that is filled.
type Community struct {
	// URL is where the community is reached, without a slash at the end.
	URL string
	// Client reaches it.
	Client *http.Client
	// Token returns a bearer token for the community of the account with a
	// number; in the way that staff must, if they are staff.
	Token func(ctx context.Context, phone string, staff bool) (string, error)
	// Today is the day from whose week on the canteen's menus are planned; the
	// zero time plans none.
	Today time.Time
	// Manager is the name of the first manager in the manifest, Invitation the
	// code with which county IT invites them, and ManagerPhone their number.
	Manager, Invitation, ManagerPhone string
}

// Fill makes the community know the People: its manager accepts the invitation
// and imports them, they say who they are, staff are appointed, and who looks
// after others is noted. Filling again adds what is missing.
func (c Community) Fill(ctx context.Context) error {
	manager, err := c.Token(ctx, c.ManagerPhone, true)
	if err != nil {
		return fmt.Errorf("the manager: %w", err)
	}
	if err := c.settleManager(ctx, manager); err != nil {
		return err
	}
	if err := c.importPeople(ctx, manager); err != nil {
		return fmt.Errorf("importing people: %w", err)
	}
	for _, p := range People {
		if p.Account == "" {
			continue
		}
		if err := c.introduce(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", p.Account, err)
		}
	}
	ids := map[string]string{}
	for _, p := range People {
		if ids[p.LatinName], err = c.find(ctx, manager, p); err != nil {
			return fmt.Errorf("%s: %w", p.LatinName, err)
		}
	}
	for _, p := range People {
		if p.Staff() {
			body := map[string]any{"duties": p.Duties}
			if err := c.call(ctx, manager, http.MethodPut, "/people/"+ids[p.LatinName]+"/duties", body, nil); err != nil {
				return fmt.Errorf("duties of %s: %w", p.Account, err)
			}
		}
		for _, others := range [][]string{p.Parents, p.Children} {
			for _, other := range others {
				// Where they live is not said, so that no parent can be known for one.
				body := map[string]any{"actor": ids[p.LatinName], "person": ids[other], "scopes": []string{"Book", "Order"}, "basis": "Paper"}
				if err := c.call(ctx, manager, http.MethodPost, "/acting", body, nil); err != nil && !isStatus(err, http.StatusConflict) {
					return fmt.Errorf("%s acts for %s: %w", p.Account, other, err)
				}
			}
		}
	}
	return c.cook(ctx, manager, ids)
}

// settleManager has the manager accept the invitation and take on the work of
// the desk and the kitchen too.
func (c Community) settleManager(ctx context.Context, token string) error {
	var me identity.Person
	err := c.call(ctx, token, http.MethodGet, "/me", nil, &me)
	if isStatus(err, http.StatusForbidden) || isStatus(err, http.StatusNotFound) {
		invitation := map[string]string{"manager": c.Manager, "code": c.Invitation}
		err = c.call(ctx, token, http.MethodPost, "/invitations/accept", invitation, &me)
	}
	if err != nil {
		return fmt.Errorf("manager %s accepts the invitation: %w", c.Manager, err)
	}
	duties := map[string]any{"duties": []identity.Duty{identity.FrontDesk, identity.Kitchen, identity.Manager}}
	if err := c.call(ctx, token, http.MethodPut, "/people/"+me.ID+"/duties", duties, nil); err != nil {
		return fmt.Errorf("manager %s takes on the desk and the kitchen: %w", c.Manager, err)
	}
	return nil
}

func (c Community) importPeople(ctx context.Context, token string) error {
	file, err := table()
	if err != nil {
		return err
	}
	var draft struct{ ID string }
	if err := c.call(ctx, token, http.MethodPost, "/imports?filename=people.csv", file, &draft); err != nil {
		return err
	}
	return c.call(ctx, token, http.MethodPost, "/imports/"+url.PathEscape(draft.ID)+"/confirm", map[string]string{"rest": "Skip"}, nil)
}

// introduce has a person who has signed in say who they are.
func (c Community) introduce(ctx context.Context, p Person) error {
	token, err := c.Token(ctx, p.Phone, false)
	if err != nil {
		return err
	}
	var me identity.Person
	if err := c.call(ctx, token, http.MethodGet, "/me", nil, &me); err == nil {
		return nil
	}
	var joined struct{ Linked bool }
	if err := c.call(ctx, token, http.MethodPost, "/join", map[string]string{"name": p.Name}, &joined); err != nil {
		return err
	}
	if !joined.Linked {
		return errors.New("the community has no record with this name and number")
	}
	return nil
}

// find returns the ID of a person's record.
func (c Community) find(ctx context.Context, token string, p Person) (string, error) {
	var found struct{ People []identity.Person }
	if err := c.call(ctx, token, http.MethodGet, "/people?query="+url.QueryEscape(p.Name), nil, &found); err != nil {
		return "", err
	}
	i := slices.IndexFunc(found.People, func(f identity.Person) bool { return f.Name == p.Name && f.Phone == p.Phone })
	if i < 0 {
		return "", errors.New("no such record")
	}
	return found.People[i].ID, nil
}

// refused is an answer that is no success.
type refused struct {
	status int
	detail string
}

func (r refused) Error() string { return fmt.Sprintf("%d %s", r.status, r.detail) }

func isStatus(err error, status int) bool {
	r, ok := errors.AsType[refused](err)
	return ok && r.status == status
}

// call asks the service of residents and decodes its answer into result.
func (c Community) call(ctx context.Context, token, method, path string, body, result any) error {
	return c.ask(ctx, token, method, "/residents/api/v1"+path, "", body, result)
}

// ask asks any service, under an idempotency key if it has one.
func (c Community) ask(ctx context.Context, token, method, path, key string, body, result any) error {
	var content []byte
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		content, contentType = b, "application/octet-stream"
	default:
		var err error
		if content, err = json.Marshal(b); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+path, bytes.NewReader(content))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	if content != nil {
		request.Header.Set("Content-Type", contentType)
	}
	answer, err := c.Client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusMultipleChoices {
		return refused{answer.StatusCode, strings.TrimSpace(string(data))}
	}
	if result == nil || len(data) == 0 {
		return nil
	}
	return json.Unmarshal(data, result)
}
