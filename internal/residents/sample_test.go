package residents

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/linli-io/linli/internal/host/hosttest"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/sample"
)

// The sample people become known through the API, and filling again changes
// nothing.
func TestSample(t *testing.T) {
	r := start(t, hosttest.Options{})
	code, err := identity.Keys{Current: bytes.Repeat([]byte("k"), 32)}.Invitation("zhanqian", "zhou")
	if err != nil {
		t.Fatal(err)
	}
	c := sample.Community{
		URL: r.URL, Client: r.Client(t), Manager: "zhou", Invitation: code, ManagerPhone: "13900000001",
		Token: func(_ context.Context, phone string, staff bool) (string, error) {
			return r.Issuer.TokenFor("account-"+phone, phone, r.Site(), staff)
		},
	}
	for range 2 {
		if err := c.Fill(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	call := func(phone string, staff bool, path string) (int, string) {
		t.Helper()
		token, err := r.Issuer.TokenFor("account-"+phone, phone, r.Site(), staff)
		if err != nil {
			t.Fatal(err)
		}
		b := r.as(t, "", false)
		b.client.Transport = bearer{token, b.client.Transport}
		status, _, body := b.do("GET", apiPath+path, "", nil)
		return status, body
	}
	if status, body := call("13800000002", false, "/me"); status != http.StatusOK || !strings.Contains(body, "李强") || strings.Count(body, `"scopes":["Book","Order"]`) != 2 {
		t.Errorf("li-qiang is %d %s", status, body)
	}
	// Duties count only when they were proven in the way that staff must.
	for staff, want := range map[bool]int{true: http.StatusOK, false: http.StatusForbidden} {
		if status, body := call("13800000005", staff, "/people?query=桂花"); status != want {
			t.Errorf("sun-li, as staff %v, looks for somebody: %d %s", staff, status, body)
		}
	}
	if status, _ := call("13800000005", true, "/staff"); status != http.StatusForbidden {
		t.Errorf("the front desk sees who has which duty: %d", status)
	}
	if status, body := call("13800000006", true, "/staff"); status != http.StatusOK || strings.Count(body, `"duties"`) != 4 {
		t.Errorf("the manager sees %d %s", status, body)
	}
	if status, _ := call("13899999999", false, "/me"); status != http.StatusForbidden {
		t.Errorf("a stranger sees themselves: %d", status)
	}
}

// bearer sends a token along.
type bearer struct {
	token string
	http.RoundTripper
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}
