package canteen

import (
	"fmt"

	"github.com/linli-io/linli/internal/sharing"
)

// datasets are what the canteen could share.
var datasets = []sharing.Dataset{menusDataset, subsidiesDataset}

// menusDataset is what the doors of canteens and their public pages show:
// nothing of it is about residents, and what cooks write of a dish is public
// once the menu is.
var menusDataset = sharing.Dataset{
	Name: Name + ".menus", Title: "canteen.dataset.menus", Text: "canteen.dataset.menusText", Floor: sharing.Unconditional,
	Columns: []sharing.Column{
		{Name: "canteen", Type: sharing.String, Title: "canteen.dataset.menus.canteen", Tag: sharing.None},
		{Name: "day", Type: sharing.Date, Title: "canteen.dataset.menus.day", Tag: sharing.None},
		{Name: "meal", Type: sharing.String, Title: "canteen.dataset.menus.meal", Tag: sharing.None},
		{Name: "dish", Type: sharing.String, Title: "canteen.dataset.menus.dish", Tag: sharing.None},
		{Name: "dish_english", Type: sharing.String, Title: "canteen.dataset.menus.dishEnglish", Tag: sharing.None},
		{Name: "kind", Type: sharing.String, Title: "canteen.dataset.menus.kind", Tag: sharing.None},
		{Name: "price", Type: sharing.Integer, Title: "canteen.dataset.menus.price", Tag: sharing.None},
		{Name: "energy", Type: sharing.Integer, Title: "canteen.dataset.menus.energy", Tag: sharing.None},
		{Name: "protein", Type: sharing.Integer, Title: "canteen.dataset.menus.protein", Tag: sharing.None},
		{Name: "fat", Type: sharing.Integer, Title: "canteen.dataset.menus.fat", Tag: sharing.None},
		{Name: "carbohydrate", Type: sharing.Integer, Title: "canteen.dataset.menus.carbohydrate", Tag: sharing.None},
		{Name: "sodium", Type: sharing.Integer, Title: "canteen.dataset.menus.sodium", Tag: sharing.None},
		{Name: "allergens", Type: sharing.Strings, Title: "canteen.dataset.menus.allergens", Tag: sharing.None},
		{Name: "tags", Type: sharing.Strings, Title: "canteen.dataset.menus.tags", Tag: sharing.None},
	},
	SQL:      menusSQL("JSON_EXTRACT(NULLIF(d.nutrition, '%[1]s'), '$.%[2]s')"),
	Postgres: menusSQL("CAST(CAST(NULLIF(d.nutrition, '%[1]s') AS JSON) ->> '%[2]s' AS BIGINT)"),
}

// nothingKnown is how Nutrition is kept of which nothing is known.
const nothingKnown = `{"energy":0,"protein":0,"fat":0,"carbohydrate":0,"sodium":0}`

// menusSQL selects the dishes of published menus; amount is how a field is read
// out of a dish's nutrition.
func menusSQL(amount string) string {
	field := func(name string) string { return fmt.Sprintf(amount, nothingKnown, name) + " AS " + name }
	// An empty list is kept in two ways.
	list := func(column string) string { return "COALESCE(NULLIF(d." + column + ", 'null'), '[]') AS " + column }
	return "SELECT i.canteen, i.day, i.meal, d.name AS dish, NULLIF(d.english_name, '') AS dish_english, d.kind, i.price, " +
		field("energy") + ", " + field("protein") + ", " + field("fat") + ", " + field("carbohydrate") + ", " + field("sodium") + ", " + list("allergens") + ", " + list("tags") + " " +
		"FROM items i JOIN menus m ON m.canteen = i.canteen AND m.day = i.day AND m.meal = i.meal JOIN dishes d ON d.id = i.dish " +
		"WHERE m.published_at IS NOT NULL ORDER BY i.day, i.canteen, i.meal, i.position, i.dish"
}

// fewestEaters is how many people a row of subsidiesDataset is about at least.
const fewestEaters = 5

// subsidiesDataset are the sums of the subsidy report. A tier such as low income
// of which one or two people eat would tell those who know them how often they
// do, hence tiers of fewer than fewestEaters people in a month are put together
// as "*", and these are left out if they are fewer still. (Who is of two such
// tiers, at a birthday, counts twice.) Sums of a month over all rows may so be
// less than the ledger's, to which managers hold the report itself. Who asks
// needs a reason: with the community's own totals beside it, what was left out
// could be worked out.
var subsidiesDataset = sharing.Dataset{
	Name: Name + ".subsidies", Title: "canteen.dataset.subsidies", Text: "canteen.dataset.subsidiesText", Floor: sharing.Conditional,
	Columns: []sharing.Column{
		{Name: "month", Type: sharing.Month, Title: "canteen.dataset.subsidies.month", Tag: sharing.None},
		{Name: "tier", Type: sharing.String, Title: "canteen.dataset.subsidies.tier", Tag: sharing.None},
		{Name: "meals", Type: sharing.Integer, Title: "canteen.dataset.subsidies.meals", Tag: sharing.None},
		{Name: "total", Type: sharing.Integer, Title: "canteen.dataset.subsidies.total", Tag: sharing.None},
		{Name: "subsidy", Type: sharing.Integer, Title: "canteen.dataset.subsidies.subsidy", Tag: sharing.None},
	},
	SQL: fmt.Sprintf(`WITH sums AS (SELECT t.month, t.tier, COALESCE(e.eaters, 0) AS eaters, t.meals, t.total, t.subsidy FROM (
			SELECT SUBSTR(day, 1, 7) AS month, tier, SUM(orders) AS meals, SUM(total) AS total, SUM(subsidy) AS subsidy FROM takings GROUP BY 1, 2
		) t LEFT JOIN takings_eaters e ON e.month = t.month AND e.tier = t.tier)
		SELECT month, tier, CAST(meals AS BIGINT) AS meals, CAST(total AS BIGINT) AS total, CAST(subsidy AS BIGINT) AS subsidy FROM sums WHERE eaters >= %[1]d
		UNION ALL
		SELECT month, '*', CAST(SUM(meals) AS BIGINT), CAST(SUM(total) AS BIGINT), CAST(SUM(subsidy) AS BIGINT) FROM sums WHERE eaters < %[1]d
			GROUP BY month HAVING SUM(eaters) >= %[1]d
		ORDER BY 1, 2`, fewestEaters),
}
