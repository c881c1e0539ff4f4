package accounts

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/host/hosttest"
)

func TestForget(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("li")
		s.mustTopUp(t, "li", 2_000)
		must[Hold](t)(s.Hold(ctx, a, order("1", 1, "li", 500)))
		must[Hold](t)(s.Capture(ctx, a, "canteen", "1", 500, 100))
		must[Hold](t)(s.Hold(ctx, a, order("2", 1, "li", 700)))
		before := must[Purse](t)(s.Purse(ctx, "li"))
		for range 2 {
			if err := s.Forget(ctx, a, "li"); err != nil {
				t.Fatal(err)
			}
		}
		wantPurse(t, s, "li", 0, 0)
		// The ledger is as it was, and names the desk but not the person.
		all := must[[]Transaction](t)(s.allOf(ctx, before.ID))
		if len(all) != 2 || all[0].Actor != "sun" || all[1].Actor != "" {
			t.Errorf("the ledger: %+v", all)
		}
		if l := must[Ledger](t)(s.Ledger(ctx, a, "2026-11")); l.Nobodys != 1_500 || l.Sum().After != 0 {
			t.Errorf("ledger: %+v", l)
		}
		for _, query := range []string{
			"SELECT COUNT(*) FROM purses WHERE person = 'li'", "SELECT COUNT(*) FROM holds WHERE person = 'li'", "SELECT COUNT(*) FROM taken WHERE person = 'li'",
			"SELECT COUNT(*) FROM transactions WHERE actor = 'li'", "SELECT COUNT(*) FROM accounts WHERE held > 0",
		} {
			var n int
			if err := s.db.Reader().NewRaw(query).Scan(ctx, &n); err != nil || n != 0 {
				t.Errorf("%s: %d, %v", query, n, err)
			}
		}
		// Nobody gets it back by a refund.
		_, err := s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r", Of: "holds/1", Amount: 500, To: ToPurse})
		wantRefusal(t, err, RuleNoPurse)
	})
}

func TestEraseHolds(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 2_000)
		for _, id := range []string{"captured", "released", "held"} {
			must[Hold](t)(s.Hold(ctx, a, order(id, 1, "li", 100)))
		}
		must[Hold](t)(s.Capture(ctx, a, "canteen", "captured", 100, 0))
		must[Hold](t)(s.Release(ctx, a, "canteen", "released"))
		if err := s.Erase(ctx, monday.Add(holdRetention-time.Second)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Hold(ctx, a, order("released", 2, "li", 1))
		wantRefusal(t, err, RuleNotHeld)
		if err := s.Erase(ctx, monday.Add(holdRetention)); err != nil {
			t.Fatal(err)
		}
		var left []string
		if err := s.db.Reader().NewRaw("SELECT id FROM holds ORDER BY id").Scan(ctx, &left); err != nil || strings.Join(left, " ") != "captured held" {
			t.Errorf("left: %v, %v", left, err)
		}
	})
}

func TestPersonalData(t *testing.T) {
	s := start(t)
	li := hosttest.PersonID(t, "li-qiang")
	path := "http://accounts/accounts/internal/personal/v1/people/"
	ask(t, s.canteen, "GET", path+uuid.NewString(), "")
	s.topUp(t, "li-qiang", 2_000)
	s.hold(t, "o1", "li-qiang", 500)
	if a := ask(t, s.canteen, "GET", path+li, ""); !strings.Contains(a.Raw, `"balance":2000`) || !strings.Contains(a.Raw, `"about":"o1"`) || !strings.Contains(a.Raw, `"kind":"TopUp"`) {
		t.Errorf("export: %s", a.Raw)
	}
}
