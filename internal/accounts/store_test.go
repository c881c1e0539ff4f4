package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

var shanghai = time.FixedZone("Asia/Shanghai", 8*60*60)

// monday is when most of these tests happen.
var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, shanghai)

func day(text string) civil.Date {
	d, err := civil.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

func by(actor string) Act { return Act{Actor: actor, Now: monday, Location: shanghai} }

// later is the act some time after.
func (a Act) later(d time.Duration) Act {
	a.Now = a.Now.Add(d)
	return a
}

// told are the news that a store has told.
type told struct {
	mu   sync.Mutex
	news []News
}

func (o *told) take() []News {
	o.mu.Lock()
	defer o.mu.Unlock()
	news := o.news
	o.news = nil
	return news
}

func migrations(t testing.TB) fs.FS {
	t.Helper()
	files, err := Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

var libraries = map[string]func() (fs.FS, error){audit.Name: audit.Migrations, notify.Name: notify.Migrations}

// eachStore runs f on every engine, and recounts the ledger after it.
func eachStore(t *testing.T, f func(t *testing.T, s *Store, news *told)) {
	t.Helper()
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		s, news := NewStore(db), &told{}
		s.OnNews(func(_ context.Context, _ bun.Tx, n News) error {
			news.mu.Lock()
			defer news.mu.Unlock()
			news.news = append(news.news, n)
			return nil
		})
		f(t, s, news)
		noFaults(t, s)
	})
}

func noFaults(t testing.TB, s *Store) {
	t.Helper()
	faults, err := s.Recount(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("recounted: %q, %v", faults, err)
	}
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantRefusal(t testing.TB, err error, rule Rule) *Refusal {
	t.Helper()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok || refusal.Rule != rule {
		t.Fatalf("got %v, want a refusal by %s", err, rule)
	}
	return refusal
}

func wantPurse(t testing.TB, s *Store, person string, balance, held int64) {
	t.Helper()
	p, err := s.Purse(t.Context(), person)
	if err != nil || p.Balance != balance || p.Held != held {
		t.Errorf("the purse of %s has %d fen and %d held, %v; want %d and %d", person, p.Balance, p.Held, err, balance, held)
	}
}

func (s *Store) mustTopUp(t testing.TB, person string, amount int64) Transaction {
	t.Helper()
	return must[Transaction](t)(s.TopUp(t.Context(), by("sun"), person, amount, uuid.NewString()))
}

// order is one of the canteen, for an hour.
func order(id string, revision int64, person string, amount int64) HoldOrder {
	return HoldOrder{
		Service: "canteen", ID: id, Revision: revision, Person: person, Amount: amount, ExpiresAt: monday.Add(time.Hour), About: "order-" + id,
		Memo: Memo{"zh-CN": "11月23日 午餐", "en": "lunch on 23 Nov"},
	}
}

func TestHoldCaptureRelease(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 5_000)

		h := must[Hold](t)(s.Hold(ctx, a, order("1", 1, "li", 1_500)))
		if h.State != HoldHeld || h.Amount != 1_500 || h.Revision != 1 {
			t.Errorf("held %+v", h)
		}
		wantPurse(t, s, "li", 5_000, 1_500)
		// Again the same, and less is known of an older one.
		if again := must[Hold](t)(s.Hold(ctx, a, order("1", 1, "li", 1_500))); again.Amount != 1_500 {
			t.Errorf("held again %+v", again)
		}
		must[Hold](t)(s.Hold(ctx, a, order("1", 3, "li", 4_000)))
		wantPurse(t, s, "li", 5_000, 4_000)
		_, err := s.Hold(ctx, a, order("1", 2, "li", 1))
		wantRefusal(t, err, RuleSuperseded)
		must[Hold](t)(s.Hold(ctx, a, order("1", 4, "li", 2_000)))
		wantPurse(t, s, "li", 5_000, 2_000)

		held := must[[]Hold](t)(s.Held(ctx, h.Purse))
		if len(held) != 1 || held[0].Memo["en"] != "lunch on 23 Nov" {
			t.Errorf("held: %+v", held)
		}

		_, err = s.Capture(ctx, a, "canteen", "1", 2_001, 0)
		wantRefusal(t, err, RuleTooMuch)
		for i := range 2 {
			h = must[Hold](t)(s.Capture(ctx, a.later(time.Duration(i)*48*time.Hour), "canteen", "1", 1_800, 400))
			if h.State != HoldCaptured || h.Captured != 1_800 || h.Transaction == uuid.Nil || h.PostedOn != a.Today() {
				t.Errorf("captured %+v", h)
			}
			wantPurse(t, s, "li", 3_200, 0)
		}
		_, err = s.Capture(ctx, a, "canteen", "1", 1_700, 400)
		if r := wantRefusal(t, err, RuleNotHeld); r.State != HoldCaptured {
			t.Errorf("state %s", r.State)
		}
		_, err = s.Release(ctx, a, "canteen", "1")
		wantRefusal(t, err, RuleNotHeld)
		_, err = s.Hold(ctx, a, order("1", 5, "li", 1))
		wantRefusal(t, err, RuleNotHeld)
		if _, err := s.Capture(ctx, a, "canteen", "nothing", 1, 0); !errors.Is(err, ErrNotFound) {
			t.Errorf("captured nothing: %v", err)
		}

		must[Hold](t)(s.Hold(ctx, a, order("2", 1, "li", 3_200)))
		for range 2 {
			if h := must[Hold](t)(s.Release(ctx, a, "canteen", "2")); h.State != HoldReleased {
				t.Errorf("released %+v", h)
			}
		}
		wantPurse(t, s, "li", 3_200, 0)
		totals := must[[]Total](t)(s.Totals(ctx, "canteen", day("2026-11-01"), day("2026-11-30")))
		if len(totals) != 1 || totals[0] != (Total{Month: "2026-11", Revenue: 2_200, Subsidy: 400, Transactions: 1}) {
			t.Errorf("totals %+v", totals)
		}
	})
}

func TestRefusedHoldStaysRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		_, err := s.Hold(ctx, a, order("1", 1, "li", 1_500))
		if r := wantRefusal(t, err, RuleInsufficient); r.Available != 0 {
			t.Errorf("available %d", r.Available)
		}
		s.mustTopUp(t, "li", 1_000)
		_, err = s.Hold(ctx, a, order("1", 2, "li", 1_500))
		if r := wantRefusal(t, err, RuleInsufficient); r.Available != 1_000 {
			t.Errorf("available %d", r.Available)
		}
		s.mustTopUp(t, "li", 9_000)
		// The answer to a revision is the same although there is enough now.
		_, err = s.Hold(ctx, a, order("1", 2, "li", 1_500))
		if r := wantRefusal(t, err, RuleInsufficient); r.Available != 1_000 {
			t.Errorf("available %d", r.Available)
		}
		_, err = s.Hold(ctx, a, order("1", 1, "li", 1_500))
		wantRefusal(t, err, RuleSuperseded)
		must[Hold](t)(s.Hold(ctx, a, order("1", 3, "li", 1_500)))
		wantPurse(t, s, "li", 10_000, 1_500)
		// A raise that is refused leaves what was held.
		_, err = s.Hold(ctx, a, order("1", 4, "li", 10_001))
		if r := wantRefusal(t, err, RuleInsufficient); r.Available != 8_500 {
			t.Errorf("available %d", r.Available)
		}
		wantPurse(t, s, "li", 10_000, 1_500)
		_, err = s.Hold(ctx, a, order("1", 3, "li", 1_500))
		wantRefusal(t, err, RuleSuperseded)
		_, err = s.Hold(ctx, a, order("1", 5, "wang", 1))
		wantRefusal(t, err, RuleOtherPerson)
		must[Hold](t)(s.Capture(ctx, a, "canteen", "1", 1_500, 0))
		// A hold that was only ever refused is not captured.
		_, err = s.Hold(ctx, a, order("2", 1, "li", 99_999))
		wantRefusal(t, err, RuleInsufficient)
		_, err = s.Capture(ctx, a, "canteen", "2", 0, 0)
		wantRefusal(t, err, RuleNotHeld)
	})
}

func TestReleaseBeforeHold(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 1_000)
		must[Hold](t)(s.Release(ctx, a, "canteen", "1"))
		_, err := s.Hold(ctx, a, order("1", 1, "li", 500))
		if r := wantRefusal(t, err, RuleNotHeld); r.State != HoldReleased {
			t.Errorf("state %s", r.State)
		}
		wantPurse(t, s, "li", 1_000, 0)
		// Another service's hold of that name is another hold.
		other := order("1", 1, "li", 500)
		other.Service = "charging"
		must[Hold](t)(s.Hold(ctx, a, other))
		wantPurse(t, s, "li", 1_000, 500)
	})
}

func TestHoldsExpire(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 1_000)
		for i := range 3 {
			must[Hold](t)(s.Hold(ctx, a, order(fmt.Sprint(i), 1, "li", 300)))
		}
		if n := must[int](t)(s.Expire(ctx, monday.Add(time.Hour-time.Second))); n != 0 {
			t.Errorf("%d expired before their time", n)
		}
		// Over, though nobody has expired it yet.
		_, err := s.Capture(ctx, a.later(time.Hour), "canteen", "0", 300, 0)
		if r := wantRefusal(t, err, RuleNotHeld); r.State != HoldExpired {
			t.Errorf("state %s", r.State)
		}
		late := order("0", 2, "li", 100)
		late.ExpiresAt = monday.Add(2 * time.Hour)
		_, err = s.Hold(ctx, a.later(time.Hour), late)
		wantRefusal(t, err, RuleNotHeld)
		if n := must[int](t)(s.Expire(ctx, monday.Add(time.Hour))); n != 3 {
			t.Errorf("%d expired, want 3", n)
		}
		wantPurse(t, s, "li", 1_000, 0)
		must[Hold](t)(s.Release(ctx, a.later(time.Hour), "canteen", "0")) // nothing is left to release
		_, err = s.Hold(ctx, a.later(2*time.Hour), order("4", 1, "li", 1))
		wantRefusal(t, err, RuleExpiry)
	})
}

func TestSalesAndRefunds(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("cook")
		sale := SaleOrder{Service: "canteen", ID: "1", Amount: 1_200, Subsidy: 300, Person: "wang", About: "o1"}
		for i := range 2 {
			if sold := must[Taken](t)(s.Sell(ctx, a.later(time.Duration(i)*48*time.Hour), sale)); sold.Transaction == uuid.Nil || sold.PostedOn != a.Today() {
				t.Errorf("sold %+v", sold)
			}
		}
		other := sale
		other.Amount++
		_, err := s.Sell(ctx, a, other)
		wantRefusal(t, err, RuleReused)

		back := RefundOrder{Service: "canteen", ID: "r1", Of: "sales/1", Amount: 700, Subsidy: 300, To: ToPurse}
		for i := range 2 {
			if r := must[Refunded](t)(s.Refund(ctx, a.later(time.Duration(i)*48*time.Hour), back)); r.PostedOn != a.Today() {
				t.Errorf("refunded %+v", r)
			}
		}
		wantPurse(t, s, "wang", 700, 0)
		_, err = s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r2", Of: "sales/1", Amount: 501, To: ToCash})
		wantRefusal(t, err, RuleTooMuch)
		_, err = s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r2", Of: "sales/1", Subsidy: 1, To: ToCash})
		wantRefusal(t, err, RuleTooMuch)
		_, err = s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r1", Of: "sales/1", Amount: 500, To: ToCash})
		wantRefusal(t, err, RuleReused)
		must[Refunded](t)(s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r3", Of: "sales/1", Amount: 500, To: ToCash}))
		if _, err := s.Refund(ctx, a, RefundOrder{Service: "charging", ID: "r4", Of: "sales/1", To: ToCash}); !errors.Is(err, ErrNotFound) {
			t.Errorf("refunded another service's sale: %v", err)
		}

		nobody := SaleOrder{Service: "canteen", ID: "2", Amount: 100}
		must[Taken](t)(s.Sell(ctx, a, nobody))
		_, err = s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r5", Of: "sales/2", Amount: 100, To: ToPurse})
		wantRefusal(t, err, RuleNoPurse)

		must[Hold](t)(s.Hold(ctx, a, order("h", 1, "wang", 700)))
		must[Hold](t)(s.Capture(ctx, a, "canteen", "h", 700, 100))
		must[Refunded](t)(s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "r6", Of: "holds/h", Amount: 700, Subsidy: 100, To: ToPurse}))
		wantPurse(t, s, "wang", 700, 0)

		totals := must[[]Total](t)(s.Totals(ctx, "canteen", day("2026-11-23"), day("2026-11-23")))
		if len(totals) != 1 || totals[0] != (Total{Month: "2026-11", Revenue: 100, Subsidy: 0, Transactions: 6}) {
			t.Errorf("totals %+v", totals)
		}
		drawer := must[Drawer](t)(s.Drawer(ctx, by("sun"), day("2026-11-23")))
		if drawer.Cash != 1_200-500+100 || len(drawer.Transactions) != 3 {
			t.Errorf("drawer %+v", drawer)
		}
	})
}

func TestDesk(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, news *told) {
		ctx, sun := t.Context(), by("sun")
		first := must[Transaction](t)(s.TopUp(ctx, sun, "li", 10_000, "k1"))
		again := must[Transaction](t)(s.TopUp(ctx, sun, "li", 10_000, "k1"))
		if first.Receipt.String() != "2026-000001" || again.ID != first.ID || again.Receipt != first.Receipt {
			t.Errorf("topped up %+v, then %+v", first, again)
		}
		if told := news.take(); len(told) != 1 || told[0].Kind != NewsToppedUp || told[0].Person != "li" || told[0].Amount != 10_000 {
			t.Errorf("told %+v", told)
		}
		_, err := s.TopUp(ctx, sun, "li", 20_000, "k1")
		wantRefusal(t, err, RuleReused)
		for _, amount := range []int64{-1, 0, 99, 100_001} {
			_, err := s.TopUp(ctx, sun, "li", amount, uuid.NewString())
			wantRefusal(t, err, RuleAmount)
		}
		for range 4 {
			s.mustTopUp(t, "li", 100_000)
		}
		_, err = s.TopUp(ctx, sun, "li", 90_001, "full")
		wantRefusal(t, err, RulePurseFull)
		must[Transaction](t)(s.TopUp(ctx, sun, "li", 90_000, "full"))
		wantPurse(t, s, "li", MaxPurse, 0)

		_, err = s.PayOut(ctx, sun, "wang", 1, "p0")
		wantRefusal(t, err, RuleInsufficient)
		must[Hold](t)(s.Hold(ctx, sun, order("1", 1, "li", 100)))
		_, err = s.PayOut(ctx, sun, "li", MaxPurse-99, "p1")
		wantRefusal(t, err, RuleInsufficient)
		paid := must[Transaction](t)(s.PayOut(ctx, sun, "li", MaxPurse-100, "p1"))
		wantPurse(t, s, "li", 100, 100)

		for _, c := range []struct {
			a      Act
			id     uuid.UUID
			reason string
			rule   Rule
		}{
			{sun, paid.ID, " ", RuleReason},
			{by("zhou"), paid.ID, "mine", RuleNotYours},
			{sun.later(24 * time.Hour), paid.ID, "late", RuleNotToday},
			{sun, first.ID, "nothing left", RuleInsufficient},
		} {
			_, err := s.Reverse(ctx, c.a, c.id, c.reason, uuid.NewString())
			wantRefusal(t, err, c.rule)
		}
		if _, err := s.Reverse(ctx, sun, uuid.New(), "nothing", "n"); !errors.Is(err, ErrNotFound) {
			t.Errorf("reversed nothing: %v", err)
		}
		back := must[Transaction](t)(s.Reverse(ctx, sun, paid.ID, "wrong person", "r1"))
		if back.Reverses != paid.ID || back.OnPurse() != MaxPurse-100 || back.Receipt.Number != paid.Receipt.Number+1 {
			t.Errorf("reversed %+v", back)
		}
		wantPurse(t, s, "li", MaxPurse, 100)
		_, err = s.Reverse(ctx, sun, paid.ID, "again", "r2")
		wantRefusal(t, err, RuleReversed)
		_, err = s.Reverse(ctx, sun, back.ID, "back", "r3")
		wantRefusal(t, err, RuleIrreversible)

		drawer := must[Drawer](t)(s.Drawer(ctx, sun, day("2026-11-23")))
		if drawer.Cash != MaxPurse || len(drawer.Transactions) != 8 || len(drawer.Actors) != 1 || drawer.Actors[0].Out != MaxPurse-100 {
			t.Errorf("drawer %+v", drawer)
		}
		ledger := must[Ledger](t)(s.Ledger(ctx, sun, "2026-11"))
		if sum := ledger.Sum(); sum.After != 0 || sum.Before != 0 || sum.Plus+sum.Minus != 0 || len(ledger.Accounts) != 2 {
			t.Errorf("ledger %+v", ledger)
		}
		if receipt, _, err := s.Receipt(ctx, sun, paid.ID); err != nil || receipt.ReversedBy != back.ID {
			t.Errorf("receipt %+v, %v", receipt, err)
		}
		records := must[[]audit.Record](t)(audit.About(ctx, s.db, "li", 100))
		if len(records) != 9 || records[1].Action != "accounts.reversal" {
			t.Errorf("%d records: %+v", len(records), records)
		}
	})
}

func TestReceiptsOfAYear(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		a := by("sun")
		// Half past midnight of the new year in the community, the old one in UTC.
		a.Now = time.Date(2026, 12, 31, 16, 30, 0, 0, time.UTC)
		s.mustTopUp(t, "li", 100)
		first := must[Transaction](t)(s.TopUp(t.Context(), a, "li", 100, "new"))
		if first.Receipt.String() != "2027-000001" || first.Day != day("2027-01-01") {
			t.Errorf("%+v", first)
		}
	})
}

func TestStatement(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, news *told) {
		ctx := t.Context()
		october := by("sun").later(-40 * 24 * time.Hour)
		must[Transaction](t)(s.TopUp(ctx, october, "li", 1_000, "o"))
		s.mustTopUp(t, "li", 500)
		must[Hold](t)(s.Hold(ctx, by("li"), order("1", 1, "li", 700)))
		must[Hold](t)(s.Capture(ctx, by("canteen"), "canteen", "1", 700, 50))
		if told := news.take(); len(told) != 3 || told[2].Kind != NewsLow || told[2].Balance != 800 {
			t.Errorf("told %+v", told)
		}
		must[Hold](t)(s.Hold(ctx, by("li"), order("2", 1, "li", 100)))
		must[Hold](t)(s.Capture(ctx, by("canteen"), "canteen", "2", 100, 0))
		if told := news.take(); len(told) != 0 {
			t.Errorf("told again %+v", told)
		}
		purse := must[Purse](t)(s.Purse(ctx, "li"))
		st := must[Statement](t)(s.Statement(ctx, purse.ID, "2026-11"))
		if st.Before != 1_000 || st.After != 700 || len(st.Lines) != 3 {
			t.Fatalf("statement %+v", st)
		}
		if l := st.Lines[1]; l.Kind != KindCapture || l.Amount != -700 || l.Balance != 800 || l.Memo["zh-CN"] != "11月23日 午餐" {
			t.Errorf("line %+v", l)
		}
		if first := must[civil.Month](t)(s.FirstMonth(ctx, "li", shanghai)); first != "2026-10" {
			t.Errorf("first month %s", first)
		}
		// Filled up and spent again, it is told again.
		s.mustTopUp(t, "li", 1_000)
		must[Hold](t)(s.Hold(ctx, by("li"), order("3", 1, "li", 1_700)))
		must[Hold](t)(s.Capture(ctx, by("canteen"), "canteen", "3", 1_700, 0))
		if told := news.take(); len(told) != 2 || told[1].Kind != NewsLow {
			t.Errorf("told %+v", told)
		}
	})
}

func TestRecountFindsFaults(t *testing.T) {
	databasetest.EachWith(t, migrations(t), libraries, func(t *testing.T, db *database.DB) {
		s := NewStore(db)
		s.mustTopUp(t, "li", 1_000)
		must[Hold](t)(s.Hold(t.Context(), by("li"), order("1", 1, "li", 700)))
		noFaults(t, s)
		for _, change := range []string{
			"UPDATE postings SET amount = amount + 1 WHERE account = 'cash'",
			"UPDATE accounts SET balance = balance - 1 WHERE name = 'cash'",
			"UPDATE accounts SET held = held - 1 WHERE held > 0",
			"DELETE FROM postings WHERE account <> 'cash'",
		} {
			undo := errors.New("undo")
			err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				if _, err := tx.ExecContext(ctx, change); err != nil {
					return err
				}
				faults, err := recount(ctx, tx)
				if err == nil && len(faults) == 0 {
					t.Errorf("%s: no fault was found", change)
				}
				return errors.Join(err, undo)
			})
			if !errors.Is(err, undo) {
				t.Errorf("%s: %v", change, err)
			}
		}
	})
}

// TestConcurrentHolds has many clients hold from one purse: it is never
// overdrawn, and all that is in it can be held.
func TestConcurrentHolds(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		s.mustTopUp(t, "li", 1_000)
		var wg sync.WaitGroup
		granted := make([]int64, 40)
		for i := range granted {
			wg.Go(func() {
				h, err := s.Hold(t.Context(), by("canteen"), order(fmt.Sprint(i), 1, "li", 100))
				if err != nil {
					refusal, ok := errors.AsType[*Refusal](err)
					if !ok || refusal.Rule != RuleInsufficient {
						t.Error(err)
					}
					return
				}
				granted[i] = h.Amount
				if i%2 == 0 {
					if _, err := s.Capture(t.Context(), by("canteen"), "canteen", h.ID, 100, 50); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		var sum int64
		for _, amount := range granted {
			sum += amount
		}
		if sum != 1_000 {
			t.Errorf("%d fen were granted of 1,000", sum)
		}
	})
}

// TestConcurrentOnce has the same asked for many times at once.
func TestConcurrentOnce(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		s.mustTopUp(t, "li", 1_000)
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				ctx := t.Context()
				if _, err := s.TopUp(ctx, by("sun"), "wang", 500, "same"); err != nil {
					t.Error(err)
				}
				if _, err := s.Hold(ctx, by("canteen"), order("1", 1, "li", 400)); err != nil {
					if r, ok := errors.AsType[*Refusal](err); !ok || r.State != HoldCaptured {
						t.Error(err)
					}
				}
				if _, err := s.Capture(ctx, by("canteen"), "canteen", "1", 400, 0); err != nil {
					t.Error(err)
				}
				if _, err := s.Sell(ctx, by("canteen"), SaleOrder{Service: "canteen", ID: "s", Amount: 300}); err != nil {
					t.Error(err)
				}
				if _, err := s.Refund(ctx, by("canteen"), RefundOrder{Service: "canteen", ID: "r", Of: "holds/1", Amount: 100, To: ToPurse}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantPurse(t, s, "li", 700, 0)
		wantPurse(t, s, "wang", 500, 0)
		if d := must[Drawer](t)(s.Drawer(t.Context(), by("sun"), day("2026-11-23"))); d.Cash != 1_800 {
			t.Errorf("the drawer has %d fen", d.Cash)
		}
	})
}

func TestYuan(t *testing.T) {
	for text, want := range map[string]int64{"12": 1200, "12.5": 1250, " 12.50 元": 1250, "¥0.05": 5, "￥7": 700, "１２．３０": 1230, "0": 0, "1234567.89": 123456789} {
		if fen, ok := parseYuan(text); !ok || fen != want {
			t.Errorf("%q is %d, %v; want %d", text, fen, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "1.234", "1,5", "abc", ".5", "5.", "12345678", "1e3", "1 2 x"} {
		if fen, ok := parseYuan(text); ok {
			t.Errorf("%q is %d", text, fen)
		}
	}
	for fen, want := range map[int64]string{0: "0.00", 5: "0.05", 1250: "12.50", -130: "-1.30"} {
		if got := yuan(fen); got != want {
			t.Errorf("%d is %s, want %s", fen, got, want)
		}
	}
}
