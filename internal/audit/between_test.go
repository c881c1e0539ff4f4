package audit_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

func TestBetween(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		// At noon, and one, two, three and four milliseconds after; the last
		// two were written in the same millisecond.
		at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
		for i, ms := range []int{0, 1, 2, 3, 4, 4} {
			err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				return audit.Append(ctx, tx, at(ms), audit.Entry{
					Action: "booking.cancel", Actor: "desk", Person: "person", Object: fmt.Sprint("booking-", i), Detail: map[string]string{"reason": "停电"},
				})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			name     string
			from, to int
			limit    int
			want     []int64
		}{
			{"all, the newest first", 0, 5, 10, []int64{6, 5, 4, 3, 2, 1}},
			{"the first moment belongs to it", 2, 5, 10, []int64{6, 5, 4, 3}},
			{"the last moment does not", 0, 4, 10, []int64{4, 3, 2, 1}},
			{"one moment", 3, 4, 10, []int64{4}},
			{"the latest of more", 0, 5, 2, []int64{6, 5}},
			{"before everything", -9, 0, 10, nil},
			{"after everything", 5, 9, 10, nil},
			{"from after to", 4, 0, 10, nil},
		} {
			records, err := audit.Between(t.Context(), db, at(c.from), at(c.to), c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var got []int64
			for _, r := range records {
				got = append(got, r.Seq)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: entries %v, want %v", c.name, got, c.want)
			}
		}
		records, err := audit.Between(t.Context(), db, at(1), at(2), 1)
		if err != nil || len(records) != 1 {
			t.Fatalf("%v, %v", records, err)
		}
		r := records[0]
		if r.Action != "booking.cancel" || r.Actor != "desk" || r.Person != "person" || r.Object != "booking-1" || r.Detail["reason"] != "停电" || !r.At.Equal(at(1)) {
			t.Errorf("read %+v", r)
		}
		exec(t, db, "UPDATE audit SET detail = '{' WHERE seq = 2")
		if _, err := audit.Between(t.Context(), db, at(1), at(2), 1); err == nil {
			t.Error("an entry whose detail is no detail is handed out")
		}
	})
}
