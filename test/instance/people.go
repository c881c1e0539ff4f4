package instance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
)

// Person is one of the demo provider's people with a bearer token.
type Person struct {
	Account string
	Token   string
}

// People signs the demo people in, the way scripts do. Tokens are good for an
// hour and outlive restarts.
func (in *Instance) People(ctx context.Context) ([]Person, error) {
	client := Client(1)
	defer client.CloseIdleConnections()
	var list struct {
		People []struct {
			Account string `json:"person"`
		} `json:"people"`
	}
	if err := ask(ctx, client, http.MethodGet, in.URL()+"/identity/demo/people", nil, &list); err != nil {
		return nil, fmt.Errorf("demo people: %w", err)
	}
	var people []Person
	for _, p := range list.People {
		var granted struct {
			Token string `json:"token"`
		}
		body := map[string]string{"person": p.Account}
		if err := ask(ctx, client, http.MethodPost, in.URL()+"/identity/demo/token", body, &granted); err != nil {
			return nil, fmt.Errorf("token for %s: %w", p.Account, err)
		}
		people = append(people, Person{Account: p.Account, Token: granted.Token})
	}
	return people, nil
}

// ask sends a request that should succeed and decodes its answer.
func ask(ctx context.Context, client *http.Client, method, url string, body, answer any) error {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", res.Status, b)
	}
	return json.Unmarshal(b, answer)
}
