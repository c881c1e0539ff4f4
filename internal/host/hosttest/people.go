package hosttest

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/identity/identitytest"
)

// residents answers other services for the service of residents: it knows the
// members of identitytest, whose accounts are at an issuer.
func residents(issuer string) host.Service {
	bySubject := map[string]identity.Known{}
	byID := map[string]identity.Known{}
	for _, m := range identitytest.Members {
		byID[m.ID] = m.Known()
		if m.Account != "" {
			bySubject[identity.SubjectOf(issuer, m.Account)] = m.Known()
		}
	}
	return host.Service{Name: "residents", Register: func(_ context.Context, rt *host.Runtime) error {
		handle := func(pattern string, f func(r *http.Request) (any, bool)) {
			rt.Mux.Handle(pattern, rt.Identity.RequireService(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer, ok := f(r)
				if !ok {
					w.WriteHeader(http.StatusNotFound)
					return
				}
				_ = json.NewEncoder(w).Encode(answer) // within the process
			})))
		}
		handle("GET /residents/internal/v1/subjects/{subject}", func(r *http.Request) (any, bool) {
			k, ok := bySubject[r.PathValue("subject")]
			return map[string]any{"people": []identity.Known{k}}, ok
		})
		handle("POST /residents/internal/v1/sign-ins", func(r *http.Request) (any, bool) {
			var in struct{ Subject string }
			if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
				return nil, false
			}
			k, ok := bySubject[in.Subject]
			return map[string]any{"persons": []identity.Person{k.Person}}, ok
		})
		handle("GET /residents/internal/v1/people/{id}", func(r *http.Request) (any, bool) {
			k, ok := byID[r.PathValue("id")]
			return k, ok
		})
		handle("GET /residents/internal/v1/people/{id}/home", func(r *http.Request) (any, bool) {
			_, ok := byID[r.PathValue("id")]
			return identity.Home{Estate: "zhanqian-huayuan", Building: "3号楼", Unit: "2单元", Room: "501"}, ok
		})
		handle("GET /residents/internal/v1/people", func(r *http.Request) (any, bool) {
			limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
			found := []identity.Person{}
			for _, m := range identitytest.Members {
				if err == nil && len(found) < limit && meant(m.Person, r.URL.Query().Get("query")) {
					found = append(found, m.Person)
				}
			}
			return map[string]any{"persons": found}, true
		})
		return nil
	}}
}

// meant reports whether a query means a person: by a part of the name or of
// the number.
func meant(p identity.Person, query string) bool {
	query = strings.ToLower(strings.Join(strings.Fields(query), ""))
	if query == "" {
		return false
	}
	latin := strings.ToLower(strings.ReplaceAll(p.LatinName, " ", ""))
	return strings.Contains(p.Name, query) || strings.Contains(latin, query) || len(query) > 2 && strings.Contains(p.Phone, query)
}

// PersonID is the ID of the member with an account.
func PersonID(t testing.TB, account string) string {
	t.Helper()
	m, ok := identitytest.MemberOf(account)
	if !ok {
		t.Fatalf("there is no member with the account %s", account)
	}
	return m.ID
}
