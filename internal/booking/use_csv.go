package booking

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
)

// useCSV writes use as a table for spreadsheets, in UTF-8 with the mark by
// which they know it.
func useCSV(uses []Use, names map[string]string) ([]byte, error) {
	var table bytes.Buffer
	table.WriteString("\ufeff")
	w := csv.NewWriter(&table)
	rows := [][]string{{"venue", "displayName", "month", "status", "bookings", "minutes"}}
	for _, u := range uses {
		rows = append(rows, []string{
			inert(u.Venue), inert(names[u.Venue]), inert(u.Month), inert(string(u.State)), strconv.Itoa(u.Bookings), strconv.Itoa(u.Minutes),
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing use as CSV: %w", err)
	}
	return table.Bytes(), nil
}

// inert is a cell that no spreadsheet takes for a formula: an apostrophe before
// what begins one (OWASP, CSV Injection).
func inert(cell string) string {
	if strings.IndexAny(cell, "=+-@\t\r\n＝＋－＠") == 0 {
		return "'" + cell
	}
	return cell
}
