package authorization

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestAuditOfADay: who has the data-protection duty reads what the staff did in
// every service, on one page, and nobody else does.
func TestAuditOfADay(t *testing.T) {
	c := furnish(t)
	get := func(name, path string) (int, string) {
		t.Helper()
		i := slices.IndexFunc(c.callers, func(k caller) bool { return k.name == name })
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+c.callers[i].token)
		r, err := c.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r.StatusCode, string(text)
	}
	const desk, protection = "staff with the duty FrontDesk", "staff with the duty DataProtection"
	for _, path := range []string{"/booking/staff/", "/accounts/api/v1/staff/day", "/residents/staff/people/?query=%E7%8E%8B"} {
		if status, text := get(desk, path); status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	shanghai, err := time.LoadLocation("Asia/Shanghai")
	if err != nil {
		t.Fatal(err)
	}
	path := "/residents/staff/audit.csv?date=" + time.Now().In(shanghai).Format(time.DateOnly)
	if status, _ := get(desk, path); status != http.StatusForbidden {
		t.Errorf("the front desk reads the audit: %d", status)
	}
	status, text := get(protection, path)
	for _, action := range []string{"booking.day-view", "day-view,,accounts", "residents.find"} {
		if status != http.StatusOK || !strings.Contains(text, action) {
			t.Errorf("the audit of the day has no %s: %d %s", action, status, text)
		}
	}
}
