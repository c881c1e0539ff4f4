package host

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// Problem documents of the APIs never repeat what was sent, but say where the
// mistake is.
func TestProblemsRepeatNothing(t *testing.T) {
	mux := http.NewServeMux()
	api := humago.New(mux, huma.DefaultConfig("test", "v1"))
	type input struct {
		Page int `query:"page"`
		Body struct {
			Name  string        `json:"name" maxLength:"10"`
			Count int32         `json:"count" maximum:"100000"`
			Kind  string        `json:"kind,omitempty" enum:"Book,Order"`
			At    time.Time     `json:"at,omitempty"`
			Link  string        `json:"link,omitempty" format:"uri"`
			Mail  string        `json:"mail,omitempty" format:"email"`
			Pause time.Duration `json:"pause,omitempty" format:"duration"`
			Homes []string      `json:"homes,omitempty" maxItems:"1"`
		}
	}
	huma.Register(api, huma.Operation{Method: http.MethodPost, Path: "/people/{id}"}, func(_ context.Context, in *input) (*struct{}, error) {
		return nil, huma.Error422UnprocessableEntity("validation failed", &huma.ErrorDetail{Message: "nobody is called so", Location: "body.name", Value: in.Body.Name})
	})
	const name, phone, number = "欧阳春晓", "13911115678", "110101195001011234"
	for _, c := range []struct{ what, query, body, want string }{
		{"a value", "", `{"name":"` + name + `","count":1}`, "body.name"},
		{"a text that is too long", "", `{"name":"` + strings.Repeat(name, 3) + `","count":1}`, "length"},
		{"a text in place of a number", "", `{"name":"a","count":"` + phone + `"}`, "expected integer"},
		{"a number that is too large", "", `{"name":"a","count":` + number + `}`, "100000"},
		{"a number in place of a text", "", `{"name":` + phone + `,"count":1}`, "expected string"},
		{"none of those that there are", "", `{"name":"a","count":1,"kind":"` + name + `"}`, "Book, Order"},
		{"no moment", "", `{"name":"a","count":1,"at":"` + name + `"}`, "body.at"},
		{"no address", "", `{"name":"a","count":1,"link":"::` + name + `"}`, "body.link"},
		{"no mail address", "", `{"name":"a","count":1,"mail":"` + name + `"}`, "body.mail"},
		{"no duration", "", `{"name":"a","count":1,"pause":"` + phone + `"}`, "body.pause"},
		{"too many", "", `{"name":"a","count":1,"homes":["` + name + `","` + phone + `"]}`, "body.homes"},
		{"a missing property", "", `{"count":1,"` + name + `":"` + phone + `"}`, "name to be present"},
		{"a property that there is not", "", `{"name":"a","count":1,"nmae":"` + name + `"}`, "body.nmae"},
		{"a property called like a number", "", `{"name":"a","count":1,"` + number + `":"` + name + `"}`, "unexpected property"},
		{"no JSON", "", name + `=` + phone, "body"},
		{"JSON that ends too early", "", `{"name":"` + name, "body"},
		{"a content type of one's own", "?page=1", "text/" + phone, "unknown content type"},
		{"a page that is none", "?page=" + phone + "x", `{"name":"a","count":1}`, "query.page"},
	} {
		t.Run(c.what, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/people/"+phone+c.query, strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/json")
			if strings.HasPrefix(c.body, "text/") {
				r.Header.Set("Content-Type", c.body)
			}
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			body, err := io.ReadAll(w.Result().Body)
			if err != nil {
				t.Fatal(err)
			}
			if w.Code < 400 || !strings.Contains(string(body), c.want) {
				t.Errorf("%d, without %q: %s", w.Code, c.want, body)
			}
			for _, sent := range []string{name, phone, number, "欧阳", `\xe6`, `"value"`, "1.10101195"} {
				if strings.Contains(string(body), sent) {
					t.Errorf("repeats %q: %s", sent, body)
				}
			}
		})
	}
}
