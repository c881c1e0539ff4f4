package messages

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// apiClient is a program that calls the API.
type apiClient struct {
	running
	token string
}

func (r running) api(account string) apiClient {
	c := apiClient{running: r}
	if account != "" {
		c.token = r.Token(r.t, account)
	}
	return c
}

type apiAnswer struct {
	Messages      []apiMessage
	Unread        int
	Calls         []apiCall
	More          int
	Way, Language string
	Detail        string
}

func (c apiClient) want(status int, method, path, body string) apiAnswer {
	c.t.Helper()
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.URL+path, strings.NewReader(body))
	must(c.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.Client(c.t).Do(request)
	must(c.t, err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	must(c.t, err)
	if answer.StatusCode != status {
		c.t.Errorf("%s %s %s: %s, want %d: %s", method, path, body, answer.Status, status, raw)
	}
	var got apiAnswer
	if len(raw) > 0 {
		must(c.t, json.Unmarshal(raw, &got))
	}
	if kind := answer.Header.Get("Content-Type"); status >= 400 && kind != "application/problem+json" {
		c.t.Errorf("%s %s: content type %q", method, path, kind)
	}
	return got
}

func TestAPI(t *testing.T) {
	r := start(t, nil)
	li, zhao, desk := r.api("li-qiang"), r.api("zhao-changshun"), r.api("sun-li")
	if got := zhao.want(200, "GET", apiPath+"/preferences", ""); got.Way != "sms" || got.Language != "zh-CN" {
		t.Errorf("preferences at first: %+v", got)
	}
	zhao.want(200, "PUT", apiPath+"/preferences", `{"way":"call","language":"en"}`)
	if got := zhao.want(200, "GET", apiPath+"/preferences", ""); got.Way != "call" || got.Language != "en" {
		t.Errorf("preferences: %+v", got)
	}
	zhao.want(422, "PUT", apiPath+"/preferences", `{"way":"pigeon","language":"en"}`)

	r.send(r.message("zhao-changshun", "1", "one"))
	r.send(r.message("zhao-changshun", "2", "two"))
	got := zhao.want(200, "GET", apiPath+"/messages?limit=1", "")
	if len(got.Messages) != 1 || got.Unread != 2 || got.Messages[0].Text["zh-CN"] != "two" || got.Messages[0].ReadAt != nil {
		t.Fatalf("messages: %+v", got)
	}
	newest := got.Messages[0]
	older := zhao.want(200, "GET", apiPath+"/messages?after="+newest.ID, "")
	if len(older.Messages) != 1 || older.Messages[0].About != "1" {
		t.Errorf("older messages: %+v", older)
	}
	if got := li.want(200, "GET", apiPath+"/messages", ""); len(got.Messages) != 0 {
		t.Errorf("another's messages: %+v", got)
	}
	li.want(404, "PUT", apiPath+"/messages/"+newest.ID+"/read", "")
	zhao.want(404, "PUT", apiPath+"/messages/x/read", "")
	zhao.want(422, "GET", apiPath+"/messages?after=x", "")
	zhao.want(204, "PUT", apiPath+"/messages/"+newest.ID+"/read", "")
	if got := zhao.want(200, "GET", apiPath+"/messages", ""); got.Unread != 0 || got.Messages[1].ReadAt == nil {
		t.Errorf("all read: %+v", got)
	}

	calls := desk.want(200, "GET", apiPath+"/calls", "")
	if len(calls.Calls) != 2 || calls.More != 0 || calls.Calls[0].Name != "赵长顺" || calls.Calls[0].Phone != "13800000004" || calls.Calls[0].Text != "one" {
		t.Fatalf("calls: %+v", calls)
	}
	call := apiPath + "/calls/" + calls.Calls[0].ID
	desk.want(422, "POST", call, `{"outcome":"forgotten"}`)
	desk.want(204, "POST", call, `{"outcome":"told","note":" told  the son "}`)
	desk.want(404, "POST", call, `{"outcome":"told"}`)
	desk.want(404, "POST", apiPath+"/calls/x", `{"outcome":"told"}`)
	if calls := desk.want(200, "GET", apiPath+"/calls", ""); len(calls.Calls) != 1 {
		t.Errorf("calls: %+v", calls)
	}
	for _, path := range []string{"/messages", "/preferences", "/calls"} {
		r.api("").want(401, "GET", apiPath+path, "")
	}
	zhao.want(403, "GET", apiPath+"/calls", "")
	zhao.want(403, "POST", call, `{"outcome":"told"}`)
}
