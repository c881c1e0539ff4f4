package booking

import (
	"fmt"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
)

// Whoever leaves takes with them what is ahead, and leaves no row with their
// name; whoever waited is offered what becomes free; numbers stay.
func TestForget(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now, loc := moment(t, monday), zone(t, "Asia/Shanghai")
		order := func(venue, person string, hour int) Order {
			o := at(t, venue, person, hour)
			o.Name, o.Phone, o.Note, o.Key = "王桂花-"+person, "13800000003", "王桂花要靠窗", "key-"+person+venue
			return o
		}
		ahead := book1(t, s, order("music", "wang", 10))
		cancelled := book1(t, s, order("study", "wang", 11))
		if _, _, err := s.Cancel(t.Context(), act(t, "wang", cancelled.ID, now), "王桂花来电"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Join(t.Context(), order("music", "chen", 10)); err != nil {
			t.Fatal(err)
		}
		forOther := order("study", "li", 15)
		forOther.BookedBy = "wang"
		book1(t, s, forOther)
		if err := s.AddMember(t.Context(), Member{Venue: "study", Person: "wang", Name: "王桂花", AddedBy: "sun", AddedAt: now}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.NewFeed(t.Context(), Feed{Person: "wang", Language: "en", CreatedAt: now}); err != nil {
			t.Fatal(err)
		}

		kept, err := s.Personal(t.Context(), "wang")
		if err != nil || len(kept.Bookings) != 2 || len(kept.Venues) != 1 || kept.Feed == nil {
			t.Errorf("what is kept: %+v, %v", kept, err)
		}
		for range 2 { // again is no error
			if err := s.Forget(t.Context(), "wang", now, loc); err != nil {
				t.Fatal(err)
			}
		}
		checkInvariants(t, s)
		if kept, err := s.Personal(t.Context(), "wang"); err != nil || len(kept.Bookings)+len(kept.Waiting)+len(kept.Venues) > 0 || kept.Feed != nil {
			t.Errorf("what is kept afterwards: %+v, %v", kept, err)
		}
		if b, err := s.Booking(t.Context(), Reach{Staff: true}, ahead.ID); err != nil || b.State != StateCancelled || b.Name+b.Phone+b.Note+b.Person != "" {
			t.Errorf("what was ahead: %+v, %v", b, err)
		}
		if offered, err := s.Waiting(t.Context(), only("chen")); err != nil || len(offered) != 1 || offered[0].State != EntryOffered {
			t.Errorf("who waited: %+v, %v", offered, err)
		}
		for table, rows := range dump(t, s) {
			for _, row := range rows {
				if strings.Contains(row, "王桂花") && !strings.Contains(row, "王桂花-chen") && !strings.Contains(row, "王桂花-li") {
					t.Errorf("%s still has the name: %s", table, row)
				}
				if strings.Contains(row, "wang") && table != "audit" {
					t.Errorf("%s still has the person: %s", table, row)
				}
			}
		}
		if report, err := audit.Verify(t.Context(), s.db); err != nil || report.Bad != nil {
			t.Errorf("the audit: %+v, %v", report, err)
		}
	})
}

// dump is every row of every table as text.
func dump(t *testing.T, s *Store) map[string][]string {
	t.Helper()
	tables := map[string][]string{}
	for _, table := range []string{"bookings", "waiting", "quotas", "members", "feeds", "idempotency", "wrong_codes", "closures", "affected", "audit", "notify_outbox"} {
		rows, err := s.db.Reader().QueryContext(t.Context(), "SELECT * FROM ?", bun.Ident(table))
		if err != nil {
			t.Fatalf("%s: %v", table, err)
		}
		for rows.Next() {
			columns, err := rows.Columns()
			if err != nil {
				t.Fatal(err)
			}
			values, targets := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				targets[i] = &values[i]
			}
			if err := rows.Scan(targets...); err != nil {
				t.Fatal(err)
			}
			tables[table] = append(tables[table], fmt.Sprintf("%s", values))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return tables
}
