package canteen

import (
	"slices"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
)

// Eater is what prices depend on.
type Eater struct {
	// BornOn is zero if it is not known.
	BornOn     civil.Date
	Categories []string
}

// Line is how many portions of a dish an order has, and what one costs without
// subsidy, in fen.
type Line struct {
	Dish     string `json:"dish"`
	Portions int    `json:"portions"`
	Price    int64  `json:"price"`
}

// Quote is what an order costs.
type Quote struct {
	// Tier is the name of the tier that applies; empty if none does.
	Tier string `json:"tier"`
	// Total is what it costs without subsidy, Subsidy what of that the subsidy
	// pays, in fen.
	Total   int64 `json:"total"`
	Subsidy int64 `json:"subsidy"`
}

// Pays is what the eater pays, in fen.
func (q Quote) Pays() int64 { return q.Total - q.Subsidy }

// Price is what an eater pays for a meal on a day: the lowest of the prices of
// the tiers that hold for them, of the first that has it. The subsidy for a
// portion is rounded down to the fen.
func Price(tiers []v1alpha1.Tier, e Eater, day civil.Date, lines []Line) Quote {
	best := Quote{Total: total(lines)}
	for _, tier := range tiers {
		if !holds(tier, e, day) {
			continue
		}
		if subsidy := subsidyOf(tier, lines); subsidy > best.Subsidy {
			best.Tier, best.Subsidy = tier.Name, subsidy
		}
	}
	return best
}

func total(lines []Line) (sum int64) {
	for _, l := range lines {
		sum += l.Price * int64(l.Portions)
	}
	return sum
}

// holds reports whether a tier holds for somebody on a day. An age that is not
// known is none.
func holds(tier v1alpha1.Tier, e Eater, day civil.Date) bool {
	if tier.Category != "" && !slices.Contains(e.Categories, tier.Category) {
		return false
	}
	return tier.MinAge == nil || e.BornOn != (civil.Date{}) && day.YearsSince(e.BornOn) >= int(*tier.MinAge)
}

func subsidyOf(tier v1alpha1.Tier, lines []Line) (sum int64) {
	for _, l := range lines {
		sum += l.Price * int64(tier.DiscountPercent) / 100 * int64(l.Portions)
	}
	if tier.MaxSubsidyFen != nil {
		sum = min(sum, int64(*tier.MaxSubsidyFen))
	}
	return sum
}
