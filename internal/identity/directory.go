package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Directory asks the service of residents who is who. Its zero value knows
// nobody.
type Directory struct {
	// Client reaches the service at http://residents; nil if it is not on.
	Client *http.Client
}

// ErrNobody is returned where the community knows no such person.
var ErrNobody = errors.New("the community knows no such person")

// directoryPath is where the service of residents answers other services.
const directoryPath = "http://residents/residents/internal/v1"

// Lookup returns the person with an ID and for whom the person may act, or
// ErrNobody.
func (d *Directory) Lookup(ctx context.Context, id string) (Known, error) {
	var k Known
	err := d.ask(ctx, http.MethodGet, "/people/"+url.PathEscape(id), nil, &k)
	return k, err
}

// Person returns the person with an ID, or ErrNobody.
func (d *Directory) Person(ctx context.Context, id string) (Person, error) {
	k, err := d.Lookup(ctx, id)
	return k.Person, err
}

// Home is where somebody lives. What is not known is empty.
type Home struct {
	// Estate is the name of one of the community's estates.
	Estate   string `json:"estate,omitempty"`
	Building string `json:"building,omitempty"`
	Unit     string `json:"unit,omitempty"`
	Room     string `json:"room,omitempty"`
}

// Home returns where the person with an ID lives, or ErrNobody.
func (d *Directory) Home(ctx context.Context, id string) (Home, error) {
	var h Home
	err := d.ask(ctx, http.MethodGet, "/people/"+url.PathEscape(id)+"/home", nil, &h)
	return h, err
}

// Find returns at most limit people for staff to choose from: those in whose
// Chinese or Latin name every word of the query occurs, in any order and case,
// or, if the query is a number, those whose phone number has its digits. An
// empty query finds nobody, so that nobody can leaf through all residents. Who
// asks is recorded.
func (d *Directory) Find(ctx context.Context, query string, limit int) ([]Person, error) {
	var found struct {
		Persons []Person `json:"persons"`
	}
	q := url.Values{"query": {query}, "limit": {strconv.Itoa(limit)}}
	err := d.ask(ctx, http.MethodGet, "/people?"+q.Encode(), nil, &found)
	return found.Persons, err
}

// BySubject returns the people whom a subject of the issuer may be.
func (d *Directory) BySubject(ctx context.Context, subject string) ([]Known, error) {
	var found struct {
		People []Known `json:"people"`
	}
	err := d.ask(ctx, http.MethodGet, "/subjects/"+url.PathEscape(subject), nil, &found)
	if errors.Is(err, ErrNobody) {
		err = nil
	}
	return found.People, err
}

// SignIn tells the service of residents that a subject has signed in, and
// returns whom it may be.
func (d *Directory) SignIn(ctx context.Context, subject, phone string) ([]Person, error) {
	var found struct {
		Persons []Person `json:"persons"`
	}
	err := d.ask(ctx, http.MethodPost, "/sign-ins", map[string]string{"subject": subject, "phone": phone}, &found)
	if errors.Is(err, ErrNobody) {
		err = nil
	}
	return found.Persons, err
}

// ask sends a request and decodes the answer into result.
func (d *Directory) ask(ctx context.Context, method, path string, body, result any) error {
	if d.Client == nil {
		return ErrNobody
	}
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, directoryPath+path, content)
	if err != nil {
		return err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := d.Client.Do(request)
	if err != nil {
		return fmt.Errorf("asking for people: %w", err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return ErrNobody
	default:
		return fmt.Errorf("asking for people: %s", answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(result); err != nil {
		return fmt.Errorf("asking for people: %w", err)
	}
	return nil
}
