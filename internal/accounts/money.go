package accounts

import (
	"fmt"
	"strings"

	"golang.org/x/text/width"
)

// yuan writes fen as yuan, such as 12.50 or -0.05.
func yuan(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s%d.%02d", sign, fen/100, fen%100)
}

// maxYuanDigits is how many digits before the point people may type.
const maxYuanDigits = 7

// parseYuan reads an amount of yuan as people type it, such as 12, 12.5, ¥12.50
// or 12.50元, in fen. It is false of anything else, amounts beneath 0 too.
func parseYuan(text string) (fen int64, ok bool) {
	text = strings.Join(strings.Fields(width.Fold.String(text)), "")
	text = strings.TrimSuffix(strings.TrimPrefix(text, "¥"), "元")
	whole, part, point := strings.Cut(text, ".")
	if len(whole) < 1 || len(whole) > maxYuanDigits || len(part) > 2 || point && part == "" {
		return 0, false
	}
	for _, digit := range whole + (part + "00")[:2] {
		if digit < '0' || digit > '9' {
			return 0, false
		}
		fen = fen*10 + int64(digit-'0')
	}
	return fen, true
}
