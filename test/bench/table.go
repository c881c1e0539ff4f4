package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// row is one line of the table: what Linli does, what a reference does in the
// same run, and how the two relate.
type row struct {
	measure   string
	linli     string
	reference string
	ratio     string
	target    string
	met       verdict
}

// verdict says whether a target was met. A row without a target has none.
type verdict int

const (
	noTarget verdict = iota
	met
	missed
)

func (v verdict) String() string {
	switch v {
	case met:
		return "met"
	case missed:
		return "missed"
	default:
		return "–"
	}
}

func judge(ok bool) verdict {
	if ok {
		return met
	}
	return missed
}

// markdown writes the rows as a Markdown table whose columns are aligned, so
// that it reads as well in a terminal.
func markdown(w io.Writer, rows []row) {
	cells := [][]string{{"measure", "linli", "reference", "ratio", "target", ""}}
	for _, r := range rows {
		cells = append(cells, []string{r.measure, r.linli, r.reference, r.ratio, r.target, r.met.String()})
	}
	width := make([]int, len(cells[0]))
	for _, line := range cells {
		for i, c := range line {
			width[i] = max(width[i], utf8.RuneCountInString(c))
		}
	}
	for n, line := range cells {
		var b strings.Builder
		for i, c := range line {
			b.WriteString("| " + c + strings.Repeat(" ", width[i]-utf8.RuneCountInString(c)) + " ")
		}
		fmt.Fprintln(w, b.String()+"|")
		if n == 0 {
			for i := range width {
				fmt.Fprint(w, "|"+strings.Repeat("-", width[i]+2))
			}
			fmt.Fprintln(w, "|")
		}
	}
}

// quantile returns the value that the given share of values does not exceed.
// There must be at least one value.
func quantile[T interface{ ~int64 | ~float64 }](values []T, share float64) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

// median returns the middle one of the values.
func median[T interface{ ~int64 | ~float64 }](values []T) T { return quantile(values, 0.5) }

// ratios divides pairs that were measured one after the other, so that what
// slowed the machine down for a while slowed down both.
func ratios(of, by []float64) []float64 {
	r := make([]float64, len(of))
	for i := range of {
		r[i] = of[i] / by[i]
	}
	return r
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func seconds(s float64) string { return fmt.Sprintf("%.2f s", s) }

func times(r float64) string { return fmt.Sprintf("%.2f ×", r) }

// spread is what the middle half of the values lies between.
func spread(values []float64) string {
	return fmt.Sprintf("%.2f–%.2f", quantile(values, 0.25), quantile(values, 0.75))
}
