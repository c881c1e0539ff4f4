package canteen

import (
	"net/http"
	"testing"

	"github.com/linli-io/linli/internal/identity/identitytest"
)

// TestWhosePurse: a son orders for his mother and his daughter from their purses
// or from his, and has neither of them pay for the other or for him. The purses
// are empty, so that what he may do ends there.
func TestWhosePurse(t *testing.T) {
	s := startSite(t)
	ids := map[string]string{}
	for _, m := range identitytest.Members {
		ids[m.Name] = m.ID
	}
	const may, mayNot = http.StatusUnprocessableEntity, http.StatusForbidden
	for _, c := range []struct {
		eater, payer string
		want         int
	}{
		{"李强", "李强", may}, {"王桂花", "王桂花", may}, {"王桂花", "李强", may}, {"李小满", "李强", may},
		{"李强", "王桂花", mayNot}, {"李强", "李小满", mayNot}, {"李小满", "王桂花", mayNot}, {"李强", "赵长顺", mayNot}, {"赵长顺", "李强", mayNot},
	} {
		t.Run(c.eater+" from the purse of "+c.payer, func(t *testing.T) {
			s.t = t
			s.api(li, c.want, "POST", "/orders", map[string]any{
				"canteen": "lakeside", "date": "2026-11-23", "meal": "lunch", "way": "EatIn", "person": ids[c.eater], "payer": ids[c.payer],
				"lines": []map[string]any{{"dish": s.pork, "portions": 1}},
			})
		})
	}
}
