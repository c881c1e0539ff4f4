package canteen

import (
	"slices"
	"testing"

	"github.com/linli-io/linli/internal/civil"
)

// TestTakings: whatever was stopped between the ledger and the canteen, an
// order's money is counted once under the day on which it was taken, and taken
// off once under the day on which it was given back.
func TestTakings(t *testing.T) {
	october, november, december := "2026-10-31", "2026-11-30", "2026-12-01"
	row := func(month string, orders int, total, subsidy int64) SubsidyRow {
		return SubsidyRow{Month: civil.Month(month), Tier: "over-80", Orders: orders, Total: total, Subsidy: subsidy}
	}
	type step struct {
		from, to        Money
		taken, returned string
	}
	for name, test := range map[string]struct {
		steps []step
		want  []SubsidyRow
	}{
		"taken":      {[]step{{MoneyCapture, MoneyCaptured, october, ""}}, []SubsidyRow{row("2026-10", 1, 1800, 900)}},
		"sold":       {[]step{{MoneySale, MoneySold, november, ""}}, []SubsidyRow{row("2026-11", 1, 1800, 900)}},
		"lost":       {[]step{{MoneyCapture, MoneyLost, october, ""}}, nil},
		"given free": {[]step{{MoneyRefund, MoneyReleased, "", ""}}, nil},
		"given back the month after": {
			[]step{{MoneyCapture, MoneyCaptured, november, ""}, {MoneyRefund, MoneyRefunded, november, december}},
			[]SubsidyRow{row("2026-11", 1, 1800, 900), row("2026-12", -1, -1800, -900)},
		},
		"taken and given back in one step": {
			[]step{{MoneyRefund, MoneyRefunded, october, december}},
			[]SubsidyRow{row("2026-10", 1, 1800, 900), row("2026-12", -1, -1800, -900)},
		},
		"given back in its month":       {[]step{{MoneySale, MoneySold, november, ""}, {MoneyRefund, MoneyRefunded, november, "2026-11-30"}}, nil},
		"lost, and paid at the counter": {[]step{{MoneyCapture, MoneyLost, "", ""}, {MoneySale, MoneySold, november, ""}}, []SubsidyRow{row("2026-11", 1, 1800, 900)}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w world) {
				ctx, now := t.Context(), moment(t, sunday)
				o := w.mustPlace(t, w.wanted(t, "wang", PayCounter, 1, 0))
				on := func(text string) civil.Date {
					if text == "" {
						return civil.Date{}
					}
					return date(t, text)
				}
				for _, s := range test.steps {
					o = must[Order](t)(w.Order(ctx, Reach{Staff: true}, o.ID))
					o.Money = s.from
					w.mustKeep(t, o)
					for range 2 { // whoever was stopped says it again
						must[Order](t)(w.Settled(ctx, o.ID, s.from, s.to, Posted{Taken: on(s.taken), Returned: on(s.returned)}, now))
					}
				}
				if got := must[[]SubsidyRow](t)(w.Subsidies(ctx, "2026-10", "2026-12")); !slices.Equal(got, test.want) {
					t.Errorf("%+v, want %+v", got, test.want)
				}
			})
		})
	}
}

// TestCompare: months of which only one of the two knows are compared too.
func TestCompare(t *testing.T) {
	got := compare([]SubsidyRow{{Month: "2026-10", Total: 100, Subsidy: 10}, {Month: "2026-10", Tier: "over-80", Total: 200, Subsidy: 100}, {Month: "2026-11", Total: 1}},
		[]ledgerMonth{{"2026-10", 300, 110}, {"2026-12", 7, 3}})
	want := []MonthCheck{{"2026-10", 300, 110, 300, 110}, {"2026-11", 1, 0, 0, 0}, {"2026-12", 0, 0, 7, 3}}
	if !slices.Equal(got, want) || !got[0].Agrees() || got[1].Agrees() || got[2].Agrees() {
		t.Errorf("%+v, want %+v", got, want)
	}
}
