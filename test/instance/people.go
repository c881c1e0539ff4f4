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

// accounts are the demo people; the daily limit of a venue holds for each.
var accounts = []string{"chen-yutong", "li-qiang", "wang-guihua", "zhao-changshun", "sun-li", "zhou-jianguo"}

// People signs the demo people in, the way scripts do. Tokens are good for an
// hour and outlive restarts.
func (in *Instance) People(ctx context.Context) ([]Person, error) {
	var people []Person
	for _, account := range accounts {
		token, err := in.token(ctx, account)
		if err != nil {
			return nil, fmt.Errorf("token for %s: %w", account, err)
		}
		people = append(people, Person{Account: account, Token: token})
	}
	return people, nil
}

func (in *Instance) token(ctx context.Context, account string) (string, error) {
	body, err := json.Marshal(map[string]string{"as": account})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, in.URL()+"/identity/demo/token", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return "", err
	}
	if res.StatusCode >= 300 {
		return "", fmt.Errorf("%s: %s", res.Status, answer)
	}
	var granted struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &granted); err != nil || granted.Token == "" {
		return "", fmt.Errorf("no token in %s: %v", answer, err)
	}
	return granted.Token, nil
}
