package web

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"regexp"
	"strings"
)

// CSV writes lines, the headings first, as a file that spreadsheets open
// (RFC 4180): in UTF-8 with the mark by which they know it.
func CSV(lines [][]string) ([]byte, error) {
	var file bytes.Buffer
	file.WriteString("\ufeff")
	w := csv.NewWriter(&file)
	w.UseCRLF = true
	for _, line := range lines {
		cells := make([]string, len(line))
		for i, cell := range line {
			cells[i] = harmless(cell)
		}
		if err := w.Write(cells); err != nil {
			return nil, fmt.Errorf("writing CSV: %w", err)
		}
	}
	w.Flush()
	return file.Bytes(), w.Error()
}

// negative is an amount beneath zero: spreadsheets take it for a number and
// nothing else.
var negative = regexp.MustCompile(`^-[0-9]+(\.[0-9]+)?$`)

// harmless is a text that no spreadsheet takes for a formula (OWASP, CSV
// Injection).
func harmless(text string) string {
	if text != "" && !negative.MatchString(text) && strings.ContainsRune("=+-@\t\r\n＝＋－＠", []rune(text)[0]) {
		return "'" + text
	}
	return text
}
