package booking

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"strconv"
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
			harmless(u.Venue), harmless(names[u.Venue]), harmless(u.Month), harmless(string(u.State)), strconv.Itoa(u.Bookings), strconv.Itoa(u.Minutes),
		})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("writing use as CSV: %w", err)
	}
	return table.Bytes(), nil
}
