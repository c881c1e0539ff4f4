package accounts

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/audit"
)

// TestReversalRules: only a mistake of one's own at the desk, of today, once and
// with a reason.
func TestReversalRules(t *testing.T) {
	for name, test := range map[string]struct {
		change func(m *Transaction, a *Act, reason *string)
		rule   Rule
	}{
		"a mistake":         {func(*Transaction, *Act, *string) {}, ""},
		"a payout":          {func(m *Transaction, _ *Act, _ *string) { m.Kind = KindPayout }, ""},
		"a long reason":     {func(_ *Transaction, _ *Act, r *string) { *r = strings.Repeat("错", 200) }, ""},
		"no reason":         {func(_ *Transaction, _ *Act, r *string) { *r = "" }, RuleReason},
		"too long a reason": {func(_ *Transaction, _ *Act, r *string) { *r = strings.Repeat("错", 201) }, RuleReason},
		"paid in online":    {func(m *Transaction, _ *Act, _ *string) { m.Receipt = Receipt{} }, RuleIrreversible},
		"a reversal":        {func(m *Transaction, _ *Act, _ *string) { m.Kind = KindReversal }, RuleIrreversible},
		"reversed":          {func(m *Transaction, _ *Act, _ *string) { m.ReversedBy = uuid.New() }, RuleReversed},
		"another's":         {func(m *Transaction, _ *Act, _ *string) { m.Actor = "zhou" }, RuleNotYours},
		"the last minute of today": {func(_ *Transaction, a *Act, _ *string) {
			a.Now = time.Date(2026, 11, 23, 23, 59, 59, 0, shanghai)
		}, ""},
		"just after midnight": {func(_ *Transaction, a *Act, _ *string) { a.Now = time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai) }, RuleNotToday},
	} {
		t.Run(name, func(t *testing.T) {
			a, reason := by("sun"), "找错人"
			m := Transaction{Kind: KindTopUp, Actor: "sun", Day: a.Today(), Receipt: Receipt{Year: 2026, Number: 1}}
			test.change(&m, &a, &reason)
			refusal := checkReversal(m, a, reason)
			if test.rule == "" && refusal != nil || test.rule != "" && (refusal == nil || refusal.Rule != test.rule) {
				t.Errorf("got %v, want a refusal by %q", refusal, test.rule)
			}
		})
	}
}

// TestNotOfTheDesk: what was paid online, or at a service's counter, has no
// receipt of the desk and is not reversed there, whoever made it.
func TestNotOfTheDesk(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, sun := t.Context(), by("sun")
		online := must[Payment](t)(s.BeginPayment(ctx, sun, "sun", 500, ChannelNative, "k"))
		online = must[Payment](t)(s.Settle(ctx, sun, Outcome{Reference: online.Reference(), Paid: true, Amount: 500}))
		sold := must[Taken](t)(s.Sell(ctx, sun, SaleOrder{Service: "canteen", ID: "1", Amount: 300, Person: "li"}))
		for what, id := range map[string]uuid.UUID{"online": online.Transaction, "a sale": sold.Transaction} {
			_, err := s.Reverse(ctx, sun, id, "back", what)
			wantRefusal(t, err, RuleIrreversible)
			if _, _, err := s.Receipt(ctx, sun, id); !errors.Is(err, ErrNotFound) {
				t.Errorf("a receipt of %s: %v", what, err)
			}
		}
		wantPurse(t, s, "sun", 500, 0)
	})
}

// TestPayOutLimits: what is held stays, and nothing is not paid out.
func TestPayOutLimits(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, sun := t.Context(), by("sun")
		s.mustTopUp(t, "li", 1_000)
		must[Hold](t)(s.Hold(ctx, by("canteen"), order("1", 1, "li", 400)))
		for amount, rule := range map[int64]Rule{-1: RuleAmount, 0: RuleAmount, 601: RuleInsufficient, MaxAmount + 1: RuleAmount} {
			_, err := s.PayOut(ctx, sun, "li", amount, uuid.NewString())
			wantRefusal(t, err, rule)
		}
		paid := must[Transaction](t)(s.PayOut(ctx, sun, "li", 600, "all"))
		if paid.Cash() != -600 || paid.Receipt.Number != 2 {
			t.Errorf("paid out: %+v", paid)
		}
		wantPurse(t, s, "li", 400, 400)
	})
}

// TestDayClosing: a day has what went into the drawer and out of it on that day
// in the community's zone, by kind and by who did it; what was paid in online or
// from a purse is not in it.
func TestDayClosing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, sun, zhou := t.Context(), by("sun"), by("zhou")
		for i, at := range []time.Time{
			time.Date(2026, 11, 22, 23, 59, 59, 0, shanghai), time.Date(2026, 11, 23, 0, 0, 0, 0, shanghai),
			time.Date(2026, 11, 23, 23, 59, 59, 0, shanghai), time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai),
		} {
			a := sun
			a.Now = at
			must[Transaction](t)(s.TopUp(ctx, a, "li", 1_000, fmt.Sprint(i)))
		}
		wrong := must[Transaction](t)(s.TopUp(ctx, zhou, "wang", 5_000, "wrong"))
		must[Transaction](t)(s.Reverse(ctx, zhou, wrong.ID, "wrong person", "back"))
		must[Transaction](t)(s.PayOut(ctx, sun, "li", 700, "out"))
		must[Taken](t)(s.Sell(ctx, by("cook"), SaleOrder{Service: "canteen", ID: "1", Amount: 800, Subsidy: 200}))
		must[Refunded](t)(s.Refund(ctx, by("cook"), RefundOrder{Service: "canteen", ID: "r", Of: "sales/1", Amount: 300, To: ToCash}))
		must[Hold](t)(s.Hold(ctx, by("canteen"), order("1", 1, "li", 100)))
		must[Hold](t)(s.Capture(ctx, by("canteen"), "canteen", "1", 100, 0))
		online := must[Payment](t)(s.BeginPayment(ctx, by("li"), "li", 500, ChannelNative, "k"))
		must[Payment](t)(s.Settle(ctx, by("li"), Outcome{Reference: online.Reference(), Paid: true, Amount: 500}))

		d := must[Drawer](t)(s.Drawer(ctx, sun, day("2026-11-23")))
		kinds := "[{TopUp 7000 0 3} {Payout 0 700 1} {Sale 800 0 1} {Refund 0 300 1} {Reversal 0 5000 1}]"
		actors := "[{cook 800 300 2} {sun 2000 700 3} {zhou 5000 5000 2}]"
		if d.Cash != 1_800 || len(d.Transactions) != 7 || fmt.Sprint(d.Kinds) != kinds || fmt.Sprint(d.Actors) != actors {
			t.Errorf("the day has %d fen by %d transactions: %v and %v", d.Cash, len(d.Transactions), d.Kinds, d.Actors)
		}
		if d = must[Drawer](t)(s.Drawer(ctx, sun, day("2026-11-22"))); d.Cash != 1_000 || len(d.Transactions) != 1 {
			t.Errorf("the day before: %+v", d)
		}
	})
}

// TestLooksAreRecorded: who reprints a receipt, looks at a day or at the ledger,
// or takes it out, is in the audit, and whose receipt it was.
func TestLooksAreRecorded(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, zhou := t.Context(), by("zhou")
		made := s.mustTopUp(t, "li", 1_000)
		must[Purse](t)(s.Look(ctx, zhou, "li"))
		if _, _, err := s.Receipt(ctx, zhou, made.ID); err != nil {
			t.Fatal(err)
		}
		must[Drawer](t)(s.Drawer(ctx, zhou, day("2026-11-23")))
		must[Ledger](t)(s.Ledger(ctx, zhou, "2026-11"))
		must[[]LedgerLine](t)(s.Lines(ctx, zhou, "2026-11"))
		got := ""
		for _, r := range must[[]audit.Record](t)(audit.Between(ctx, s.db, monday, monday.Add(time.Second), 100)) {
			if r.Actor == "zhou" {
				got = fmt.Sprintf("%s %s %s;", r.Action, r.Person, r.Object) + got
			}
		}
		want := "accounts.purse-view li ;accounts.receipt-view li " + made.ID.String() + ";accounts.day-view  2026-11-23;accounts.ledger-view  2026-11;accounts.ledger-export  2026-11;"
		if got != want {
			t.Errorf("recorded %q, want %q", got, want)
		}
	})
}

// TestReceiptNumbers: counted up without a gap, also where something was
// refused, and anew each year.
func TestReceiptNumbers(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, sun := t.Context(), by("sun")
		year := sun.later(45 * 24 * time.Hour)
		for i, want := range []string{"2026-000001", "2026-000002", "2027-000001", "2027-000002"} {
			_, err := s.TopUp(ctx, sun, "li", MaxTopUp+1, uuid.NewString())
			wantRefusal(t, err, RuleAmount)
			a := sun
			if i > 1 {
				a = year
			}
			if made := must[Transaction](t)(s.TopUp(ctx, a, "li", 100, fmt.Sprint(i))); made.Receipt.String() != want {
				t.Errorf("receipt %s, want %s", made.Receipt, want)
			}
		}
	})
}

// TestKeysOfTwo: two at the desk who use the same key do two things.
func TestKeysOfTwo(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx := t.Context()
		suns := must[Transaction](t)(s.TopUp(ctx, by("sun"), "li", 500, "1"))
		if zhous := must[Transaction](t)(s.TopUp(ctx, by("zhou"), "li", 500, "1")); zhous.ID == suns.ID || zhous.Actor != "zhou" {
			t.Errorf("both made %+v", zhous)
		}
		wantPurse(t, s, "li", 1_000, 0)
	})
}

// TestHoldOrders: what a service may ask a purse to hold, and for how long.
func TestHoldOrders(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *HoldOrder)
		rule   Rule
	}{
		"an hour":              {func(*HoldOrder) {}, ""},
		"nothing":              {func(o *HoldOrder) { o.Amount = 0 }, ""},
		"less than nothing":    {func(o *HoldOrder) { o.Amount = -1 }, RuleInvalid},
		"all that may be":      {func(o *HoldOrder) { o.Amount = MaxAmount }, ""},
		"more than that":       {func(o *HoldOrder) { o.Amount = MaxAmount + 1 }, RuleInvalid},
		"nobody's":             {func(o *HoldOrder) { o.Person = "" }, RuleInvalid},
		"without a name":       {func(o *HoldOrder) { o.ID = "" }, RuleInvalid},
		"before the first":     {func(o *HoldOrder) { o.Revision = 0 }, RuleInvalid},
		"until now":            {func(o *HoldOrder) { o.ExpiresAt = monday }, RuleExpiry},
		"a second":             {func(o *HoldOrder) { o.ExpiresAt = monday.Add(time.Second) }, ""},
		"400 days":             {func(o *HoldOrder) { o.ExpiresAt = monday.Add(maxHold) }, ""},
		"400 days, one second": {func(o *HoldOrder) { o.ExpiresAt = monday.Add(maxHold + time.Second) }, RuleExpiry},
	} {
		t.Run(name, func(t *testing.T) {
			o := order("1", 1, "li", 500)
			test.change(&o)
			refusal := o.check(monday)
			if test.rule == "" && refusal != nil || test.rule != "" && (refusal == nil || refusal.Rule != test.rule) {
				t.Errorf("got %v, want a refusal by %q", refusal, test.rule)
			}
		})
	}
}

// TestHoldUntil: who asks for a hold again says anew until when it is held.
func TestHoldUntil(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 1_000)
		for id, until := range map[string]time.Duration{"longer": 3 * time.Hour, "shorter": time.Minute} {
			must[Hold](t)(s.Hold(ctx, a, order(id, 1, "li", 300)))
			again := order(id, 2, "li", 300)
			again.ExpiresAt = monday.Add(until)
			must[Hold](t)(s.Hold(ctx, a, again))
		}
		for _, step := range []struct {
			after time.Duration
			held  int64
		}{{time.Minute, 300}, {3*time.Hour - time.Second, 300}, {3 * time.Hour, 0}} {
			if _, err := s.Expire(ctx, monday.Add(step.after)); err != nil {
				t.Fatal(err)
			}
			wantPurse(t, s, "li", 1_000, step.held)
		}
	})
}

// TestNothingNegative: no service takes less than nothing, which would be a way
// to pay something out.
func TestNothingNegative(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, _ *told) {
		ctx, a := t.Context(), by("canteen")
		s.mustTopUp(t, "li", 1_000)
		must[Hold](t)(s.Hold(ctx, a, order("1", 1, "li", 500)))
		must[Taken](t)(s.Sell(ctx, a, SaleOrder{Service: "canteen", ID: "1", Amount: 500, Subsidy: 100, Person: "li"}))
		for _, of := range [][2]int64{{-1, 0}, {0, -1}, {100, MaxAmount + 1}} {
			_, err := s.Capture(ctx, a, "canteen", "1", of[0], of[1])
			wantRefusal(t, err, RuleInvalid)
			_, err = s.Sell(ctx, a, SaleOrder{Service: "canteen", ID: "2", Amount: of[0], Subsidy: of[1]})
			wantRefusal(t, err, RuleInvalid)
		}
		for _, of := range [][2]int64{{-1, 0}, {0, -1}} {
			_, err := s.Refund(ctx, a, RefundOrder{Service: "canteen", ID: "1", Of: "sales/1", Amount: of[0], Subsidy: of[1], To: ToPurse})
			wantRefusal(t, err, RuleInvalid)
		}
		wantPurse(t, s, "li", 1_000, 500)
	})
}

// TestChecked: what does not sum to nothing is not posted.
func TestChecked(t *testing.T) {
	if _, err := checked([]Posting{{Account: "cash", Amount: -500}, {Account: "purse/1", Amount: 499}}); err == nil {
		t.Error("a fen was lost")
	}
	got, err := checked([]Posting{{Account: "subsidy/canteen"}, {Account: "revenue/canteen", Amount: 500}, {Account: "cash", Amount: -500}})
	if want := []Posting{{Account: "cash", Amount: -500}, {Account: "revenue/canteen", Amount: 500}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("posted: %+v, %v", got, err)
	}
}

// TestToldOfTopUp: whose purse it is learns that another has paid in, and is not
// told what they did themselves.
func TestToldOfTopUp(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store, news *told) {
		ctx := t.Context()
		for _, payer := range []string{"li", "wang"} {
			p := must[Payment](t)(s.BeginPayment(ctx, by(payer), "li", 500, ChannelNative, "k"))
			must[Payment](t)(s.Settle(ctx, Act{Actor: payer, Now: monday, Location: shanghai}, Outcome{Reference: p.Reference(), Paid: true, Amount: 500}))
			if told := news.take(); len(told) != map[string]int{"li": 0, "wang": 1}[payer] {
				t.Errorf("%s paid in, and Li was told %+v", payer, told)
			}
		}
	})
}
