package canteen

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

func date(t testing.TB, text string) civil.Date {
	t.Helper()
	d, err := civil.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func ptr(n int32) *int32 { return &n }

// countyTiers are a quarter off from 60, half off from 80 with at most five
// yuan, and everything for those with a low income.
var countyTiers = []v1alpha1.Tier{
	{Name: "over-60", MinAge: ptr(60), DiscountPercent: 25},
	{Name: "over-80", MinAge: ptr(80), DiscountPercent: 50, MaxSubsidyFen: ptr(500)},
	{Name: "low-income", Category: "low-income", DiscountPercent: 100, MaxSubsidyFen: ptr(1200)},
}

// TestPrice: who pays what, on which day.
func TestPrice(t *testing.T) {
	lunch := []Line{{Dish: "a", Portions: 1, Price: 1000}, {Dish: "b", Portions: 2, Price: 333}}
	for name, test := range map[string]struct {
		born       string
		day        string
		categories []string
		tier       string
		subsidy    int64
	}{
		"young":                           {"1990-05-01", "2026-11-23", nil, "", 0},
		"the day before the 60th":         {"1966-11-24", "2026-11-23", nil, "", 0},
		"the 60th birthday":               {"1966-11-23", "2026-11-23", nil, "over-60", 250 + 2*83},
		"born on 29 February, a day":      {"1948-02-29", "2028-02-28", nil, "over-60", 250 + 2*83},
		"born on 29 February, at last":    {"1948-02-29", "2028-02-29", nil, "over-80", 500},
		"over 80 with a limit":            {"1940-01-01", "2026-11-23", nil, "over-80", 500},
		"low income and young":            {"1990-05-01", "2026-11-23", []string{"low-income"}, "low-income", 1200},
		"low income and old":              {"1940-01-01", "2026-11-23", []string{"low-income"}, "low-income", 1200},
		"a birthday that is not known":    {"", "2026-11-23", nil, "", 0},
		"not known, but of a category":    {"", "2026-11-23", []string{"low-income"}, "low-income", 1200},
		"of a category that is not asked": {"1990-05-01", "2026-11-23", []string{"veteran"}, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			e := Eater{Categories: test.categories}
			if test.born != "" {
				e.BornOn = date(t, test.born)
			}
			got := Price(countyTiers, e, date(t, test.day), lunch)
			if want := (Quote{Tier: test.tier, Total: 1666, Subsidy: test.subsidy}); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// TestPriceProperties: nobody pays less than nothing, the lowest price of all
// tiers counts, and being older never costs more.
func TestPriceProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Line {
			return Line{Portions: rapid.IntRange(1, 9).Draw(t, "portions"), Price: rapid.Int64Range(0, 100_000).Draw(t, "price")}
		}), 0, 5).Draw(t, "lines")
		tiers := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) v1alpha1.Tier {
			tier := v1alpha1.Tier{Name: rapid.StringMatching(`[a-z]{3}`).Draw(t, "name"), DiscountPercent: rapid.Int32Range(1, 100).Draw(t, "percent")}
			if rapid.Bool().Draw(t, "by age") {
				tier.MinAge = ptr(rapid.Int32Range(0, 100).Draw(t, "age"))
			} else {
				tier.Category = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "category")
			}
			if rapid.Bool().Draw(t, "limited") {
				tier.MaxSubsidyFen = ptr(rapid.Int32Range(1, 2000).Draw(t, "limit"))
			}
			return tier
		}), 0, 6).Draw(t, "tiers")
		e := Eater{BornOn: civil.Date{Year: rapid.IntRange(1910, 2026).Draw(t, "born"), Month: 11, Day: 23}}
		if rapid.Bool().Draw(t, "of a category") {
			e.Categories = []string{"a"}
		}
		day := civil.Date{Year: 2026, Month: 11, Day: 23}
		got := Price(tiers, e, day, lines)
		if got.Total != total(lines) || got.Subsidy < 0 || got.Pays() < 0 {
			t.Fatalf("%+v for %+v", got, lines)
		}
		for _, tier := range tiers {
			if holds(tier, e, day) && subsidyOf(tier, lines) > got.Subsidy {
				t.Fatalf("%+v pays more than by tier %q", got, tier.Name)
			}
		}
		older := e
		older.BornOn.Year--
		if next := Price(tiers, older, day, lines); next.Pays() > got.Pays() {
			t.Fatalf("a year older pays %d instead of %d", next.Pays(), got.Pays())
		}
	})
}

// TestTimes: the cut-off in the community's zone, on days before, and where
// clocks change.
func TestTimes(t *testing.T) {
	for name, test := range map[string]struct {
		zone, day, cutOff string
		before            int32
		want              string
	}{
		"same day":                    {"Asia/Shanghai", "2026-11-23", "09:00", 0, "2026-11-23T01:00:00Z"},
		"the evening before":          {"Asia/Shanghai", "2026-11-23", "20:00", 1, "2026-11-22T12:00:00Z"},
		"over the end of a year":      {"Asia/Shanghai", "2027-01-01", "20:00", 2, "2026-12-30T12:00:00Z"},
		"an hour that does not exist": {"Europe/Berlin", "2026-03-29", "02:30", 0, "2026-03-29T01:30:00Z"},
		"an hour that comes twice":    {"Europe/Berlin", "2026-10-25", "02:30", 0, "2026-10-25T00:30:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			loc, err := time.LoadLocation(test.zone)
			if err != nil {
				t.Fatal(err)
			}
			m := v1alpha1.Meal{From: "11:00", To: "12:30", CutOff: test.cutOff, CutOffDaysBefore: test.before}
			if got := TimesOf(m, date(t, test.day), loc).CutOff.UTC().Format(time.RFC3339); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}
