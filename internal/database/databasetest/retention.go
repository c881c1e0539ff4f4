package databasetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/internal/database"
)

// Expiring puts a row into a table whose time begins at a moment.
type Expiring struct {
	Insert func(at time.Time) error
	// Coarse says that the job counts whole hours or days, and may erase the
	// row a little earlier than a moment before its time is over.
	Coarse bool
}

// WalkRetention fails for a table of the database that has no retention, in own
// or in that of libraries, and for a kind of row of own that is not erased when
// its time is over, or before. rows
// has an entry for each kind of row that is kept for some time, by
// "<table> <rows>" or "<table>" as the Retention names it; erase does what the
// background job does at a moment. now is when the first row's time begins.
func WalkRetention(t *testing.T, db *database.DB, own, libraries []database.Retention, now time.Time, erase func(now time.Time) error, rows map[string]Expiring) {
	t.Helper()
	for _, table := range tables(t, db) {
		if !slices.ContainsFunc(slices.Concat(own, libraries), func(r database.Retention) bool { return r.Table == table }) {
			t.Errorf("the table %s has no retention: say how long its rows are kept", table)
		}
	}
	eraseAt := func(at time.Time) {
		t.Helper()
		if err := erase(at); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range own {
		kind := strings.TrimSpace(r.Table + " " + r.Rows)
		if r.Kept != database.KeptFor {
			continue
		}
		row, ok := rows[kind]
		if !ok || r.For <= 0 {
			t.Errorf("nothing shows that %s are erased after %s", kind, r.For)
			continue
		}
		delete(rows, kind)
		before := count(t, db, r.Table)
		if err := row.Insert(now); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		checks := []time.Time{now}
		for i := range 6 { // the job runs meanwhile, and must not erase it
			if !row.Coarse {
				checks = append(checks, now.Add(r.For*time.Duration(i+1)/7))
			}
		}
		if !row.Coarse {
			checks = append(checks, now.Add(r.For-time.Second))
		}
		for _, at := range checks {
			eraseAt(at)
			if count(t, db, r.Table) != before+1 {
				t.Errorf("%s are kept for %s, and one was erased after %s", kind, r.For, at.Sub(now))
				break
			}
		}
		now = now.Add(r.For)
		eraseAt(now)
		if n := count(t, db, r.Table); n != before {
			t.Errorf("%s are there after %s", kind, r.For)
		}
		now = now.Add(time.Hour)
	}
	for kind := range rows {
		t.Errorf("%s are in the test, and have no retention that is KeptFor", kind)
	}
}

func count(t *testing.T, db *database.DB, table string) int {
	t.Helper()
	var n int
	if err := db.Reader().NewRaw(fmt.Sprintf(`SELECT COUNT(*) FROM "%s"`, table)).Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// tables are those of the database, but for what migrations and writers keep of
// themselves.
func tables(t *testing.T, db *database.DB) []string {
	t.Helper()
	list := "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
	if db.Engine() == database.Postgres {
		// A table without columns is there to be locked.
		list = "SELECT DISTINCT table_name FROM information_schema.columns WHERE table_schema = current_schema()"
	}
	var names []string
	if err := db.Reader().NewRaw(list).Scan(t.Context(), &names); err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, "goose_") })
}
