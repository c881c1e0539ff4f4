package civil

import "testing"

func date(t testing.TB, s string) Date {
	t.Helper()
	d, err := ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestYearsSince(t *testing.T) {
	for _, c := range []struct {
		born, on string
		want     int
	}{
		{"2010-11-23", "2026-11-22", 15},
		{"2010-11-23", "2026-11-23", 16},
		{"2010-11-23", "2026-12-01", 16},
		{"2010-12-01", "2026-11-30", 15},
		{"2026-11-23", "2026-11-23", 0},
		// Born on 29 February: a year older on 1 March where that day is missing.
		{"2008-02-29", "2026-02-28", 17},
		{"2008-02-29", "2026-03-01", 18},
		{"2008-02-29", "2028-02-28", 19},
		{"2008-02-29", "2028-02-29", 20},
		{"2008-02-28", "2028-02-28", 20},
		{"2008-03-01", "2028-02-29", 19},
	} {
		if got := date(t, c.on).YearsSince(date(t, c.born)); got != c.want {
			t.Errorf("who was born on %s is %d on %s, want %d", c.born, got, c.on, c.want)
		}
	}
}

func TestWeek(t *testing.T) {
	for _, c := range []struct{ date, want string }{
		{"2026-11-22", "2026-W47"}, // a Sunday ends a week
		{"2026-11-23", "2026-W48"},
		{"2026-11-29", "2026-W48"},
		{"2027-01-03", "2026-W53"}, // of the year before
		{"2027-01-04", "2027-W01"},
		{"2024-12-30", "2025-W01"}, // of the year after
	} {
		if got := date(t, c.date).Week(); got != c.want {
			t.Errorf("%s is in %s, want %s", c.date, got, c.want)
		}
	}
}

func TestMonth(t *testing.T) {
	for _, c := range []struct{ day, month, first, last, next, before string }{
		{"2026-11-23", "2026-11", "2026-11-01", "2026-11-30", "2026-12", "2026-10"},
		{"2026-12-31", "2026-12", "2026-12-01", "2026-12-31", "2027-01", "2026-11"},
		{"2028-02-29", "2028-02", "2028-02-01", "2028-02-29", "2028-03", "2028-01"},
	} {
		m := MonthOf(date(t, c.day))
		if string(m) != c.month || m.First().String() != c.first || m.Last().String() != c.last || string(m.Add(1)) != c.next || string(m.Add(-1)) != c.before {
			t.Errorf("%s: %s, %s to %s, %s, %s", c.day, m, m.First(), m.Last(), m.Add(1), m.Add(-1))
		}
	}
	for _, text := range []string{"", "2026", "2026-13", "2026-1", "1999-12", "3000-01", "soon"} {
		if m, err := ParseMonth(text); err == nil {
			t.Errorf("%q was read as %s", text, m)
		}
	}
	if m, err := ParseMonth("2026-01"); err != nil || m != "2026-01" {
		t.Errorf("2026-01: %s, %v", m, err)
	}
}
