package canteen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/width"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// What the staff's pages call things, and how they read what staff type.

// yuan writes an amount of fen as forms have it, such as 12.50.
func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// parseDecimal reads a number not beneath 0 with at most some places after the
// point, as people type it: 12, 12.5 or, of two places, 12.50. The answer is in
// the smallest unit, such as fen.
func parseDecimal(text string, places int) (n int64, ok bool) {
	whole, part, point := strings.Cut(text, ".")
	if len(whole) < 1 || len(whole) > 7 || len(part) > places || point && part == "" {
		return 0, false
	}
	for _, digit := range whole + (part + strings.Repeat("0", places))[:places] {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		n = n*10 + int64(digit-'0')
	}
	return n, true
}

// parseYuan reads an amount as people type it, such as 12, ¥12.50 or 12.50元,
// in fen.
func parseYuan(text string) (fen int64, ok bool) {
	text = strings.Join(strings.Fields(text), "")
	return parseDecimal(strings.TrimSuffix(strings.TrimPrefix(text, "¥"), "元"), 2)
}

func kindText(v web.View, k Kind) string { return v.T("canteen.kind." + string(k)) }

// typed is what was typed into a field of a form: one line, without the
// letters and digits in full width that Chinese keyboards also write.
func typed(form map[string][]string, field string) string {
	values := form[field]
	if len(values) == 0 {
		return ""
	}
	return strings.Join(strings.Fields(width.Fold.String(values[0])), " ")
}

// linesText is what an order has, in the order of the menu.
func linesText(v web.View, m Menu, lines []Line) string {
	position := func(l Line) int {
		return slices.IndexFunc(m.Items, func(i Item) bool { return i.Dish.ID == idOf(l.Dish) })
	}
	lines = slices.Clone(lines)
	slices.SortStableFunc(lines, func(a, b Line) int { return position(a) - position(b) })
	words := make([]string, len(lines))
	for i, l := range lines {
		item, _ := m.Item(idOf(l.Dish))
		words[i] = dishName(v, item.Dish) + " ×" + strconv.Itoa(l.Portions)
	}
	return joined(v, words)
}

// eaterName is what the staff call who eats; guests may have no name.
func eaterName(v web.View, o Order) string {
	if o.Name != "" {
		return o.Name
	}
	if isGuest(o.Eater) {
		return v.T("canteen.staff.guest")
	}
	return v.T("canteen.staff.deleted")
}

// due is what is still to be paid at the counter, in fen.
func (o Order) due() int64 {
	if o.PaidAt.IsZero() && (o.Payment == PayCounter || o.Money == MoneyLost) && (o.State == StatePlaced || o.State == StateServed) {
		return o.Pays()
	}
	return 0
}

// payText says whether an order is paid, or what is to be paid at the counter.
func payText(v web.View, o Order) (web.Tone, string) {
	switch {
	case o.due() > 0:
		return web.Warning, v.T("canteen.staff.toPay", "Amount", v.Money(o.due()))
	case o.Pays() == 0:
		return web.Info, v.T("canteen.staff.free")
	case o.State == StateMissed && o.Payment == PayCounter && o.PaidAt.IsZero():
		return web.Info, v.T("canteen.staff.notPaid")
	case o.Payment == PayPurse && o.PaidAt.IsZero():
		return web.Success, v.T("canteen.staff.byPurse")
	}
	return web.Success, v.T("canteen.staff.paid")
}

// dayText is a day with its weekday, such as 11月23日 星期一.
func dayText(v web.View, d civil.Date) string { return v.Day(noon(v, d)) }

// natural compares texts as people count: 3号楼 before 12号楼.
func natural(a, b string) int {
	for a != "" && b != "" {
		na, restA := leadingNumber(a)
		nb, restB := leadingNumber(b)
		if restA != a && restB != b {
			if c := cmp.Compare(na, nb); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// leadingNumber is the number with which a text begins, and what comes after
// it; the text as it is if it begins with none.
func leadingNumber(text string) (n uint64, rest string) {
	digits := 0
	for digits < len(text) && digits < 18 && text[digits] >= '0' && text[digits] <= '9' {
		n = n*10 + uint64(text[digits]-'0')
		digits++
	}
	return n, text[digits:]
}
