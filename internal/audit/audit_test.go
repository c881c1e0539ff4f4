package audit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func migrations(t testing.TB) fs.FS {
	t.Helper()
	files, err := audit.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func add(ctx context.Context, db *database.DB, e audit.Entry) error {
	return db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return audit.Append(ctx, tx, noon, e) })
}

// fill adds five entries about two people.
func fill(t *testing.T, db *database.DB) {
	t.Helper()
	for i := range 5 {
		err := add(t.Context(), db, audit.Entry{
			Action: "booking.cancel", Actor: "desk", Person: fmt.Sprint("person-", i%2), Object: fmt.Sprint("booking-", i),
			Detail: map[string]string{"reason": "closed", "places": fmt.Sprint(i)},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func verify(t *testing.T, db *database.DB, known ...audit.Head) audit.Report {
	t.Helper()
	report, err := audit.Verify(t.Context(), db, known...)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func exec(t *testing.T, db *database.DB, statements ...string) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRecord(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		if r := verify(t, db); r.Entries != 0 || r.Bad != nil || r.Head != (audit.Head{}) {
			t.Errorf("an empty record: %+v", r)
		}
		fill(t, db)
		r := verify(t, db)
		if r.Entries != 5 || r.Head.Seq != 5 || len(r.Head.Hash) != 64 || r.Bad != nil {
			t.Errorf("five entries: %+v", r)
		}
		about, err := audit.About(t.Context(), db, "person-0", 2)
		if err != nil || len(about) != 2 {
			t.Fatalf("about person-0: %v, %v", about, err)
		}
		if got := about[0]; got.Seq != 5 || got.Object != "booking-4" || got.Detail["places"] != "4" || !got.At.Equal(noon) {
			t.Errorf("the latest about person-0: %+v", got)
		}
		if about, err := audit.About(t.Context(), db, "", 10); err != nil || len(about) != 0 {
			t.Errorf("about nobody: %v, %v", about, err)
		}
	})
}

// An entry is there when the change is, and only then.
func TestNoEntryWithoutTheChange(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		refused := errors.New("refused")
		err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			if err := audit.Append(ctx, tx, noon, audit.Entry{Action: "a", Actor: "b"}); err != nil {
				return err
			}
			return refused
		})
		if !errors.Is(err, refused) {
			t.Fatal(err)
		}
		if r := verify(t, db); r.Entries != 0 || r.Bad != nil {
			t.Errorf("after a write that failed: %+v", r)
		}
		for name, e := range map[string]audit.Entry{
			"no action": {Actor: "a"}, "no actor": {Action: "a"},
			"half a letter": {Action: "a", Actor: "b", Object: "\xff"},
			"a zero":        {Action: "a", Actor: "b", Detail: map[string]string{"k": "\x00"}},
		} {
			if err := add(t.Context(), db, e); err == nil {
				t.Errorf("%s: an entry was added", name)
			}
		}
	})
}

// Whatever is done to the rows is found, and found at the right entry.
func TestTampering(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		bad       int64
		problem   string
	}{
		"at changed":     {"UPDATE audit SET at = at + 1 WHERE seq = 3", 3, "changed"},
		"action changed": {"UPDATE audit SET action = 'booking.view' WHERE seq = 3", 3, "changed"},
		"actor changed":  {"UPDATE audit SET actor = 'other' WHERE seq = 3", 3, "changed"},
		"person changed": {"UPDATE audit SET person = '' WHERE seq = 3", 3, "changed"},
		"object changed": {"UPDATE audit SET object = 'booking-9' WHERE seq = 3", 3, "changed"},
		"detail changed": {"UPDATE audit SET detail = '{}' WHERE seq = 3", 3, "changed"},
		"detail written otherwise": {
			`UPDATE audit SET detail = '{ "places":"2","reason":"closed"}' WHERE seq = 3`, 3, "changed"},
		"hash changed":             {"UPDATE audit SET hash = (SELECT hash FROM audit WHERE seq = 2) WHERE seq = 3", 3, "changed"},
		"a field moved to another": {"UPDATE audit SET object = '', person = person || object WHERE seq = 3", 3, "changed"},
		"first removed":            {"DELETE FROM audit WHERE seq = 1", 1, "missing"},
		"one removed":              {"DELETE FROM audit WHERE seq = 3", 3, "missing"},
		"one removed, the rest moved up": {
			"DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5", 3, "changed"},
		"two exchanged": {
			"UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 99", 2, "changed"},
		"one put before the first": {
			"INSERT INTO audit SELECT 0, at, action, actor, person, object, detail, hash FROM audit WHERE seq = 1", 1, "missing"},
		"one put at the end": {
			"INSERT INTO audit SELECT 6, at, action, actor, person, object, detail, hash FROM audit WHERE seq = 5", 6, "changed"},
		"last removed":                     {"DELETE FROM audit WHERE seq = 5", 5, "end of the record is missing"},
		"all removed":                      {"DELETE FROM audit", 1, "end of the record is missing"},
		"head removed":                     {"DELETE FROM audit_head", 6, "head of the record is missing"},
		"head changed":                     {"UPDATE audit_head SET hash = ''", 5, "not the end"},
		"head and last removed":            {"DELETE FROM audit WHERE seq = 5; UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)", 5, "end of the record is missing"},
		"everything removed, head as well": {"DELETE FROM audit; UPDATE audit_head SET seq = 0, hash = ''", 1, "end of the record is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
				fill(t, db)
				before := verify(t, db).Head
				exec(t, db, strings.Split(c.statement, "; ")...)
				r := verify(t, db, before)
				if r.Bad == nil || r.Bad.Seq != c.bad || !strings.Contains(r.Bad.Problem, c.problem) {
					t.Errorf("found %+v (%+v), want entry %d: %s", r, r.Bad, c.bad, c.problem)
				}
				if r.Bad != nil && r.Entries >= r.Bad.Seq && c.problem != "not the end" {
					t.Errorf("%d entries fit although the first bad one is %d", r.Entries, r.Bad.Seq)
				}
			})
		})
	}
}

// Whoever writes the whole record anew is found by a head that was noted.
func TestWrittenAnew(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		fill(t, db)
		noted := verify(t, db).Head
		exec(t, db, "DELETE FROM audit", "UPDATE audit_head SET seq = 0, hash = ''")
		for range 7 {
			if err := add(t.Context(), db, audit.Entry{Action: "nothing", Actor: "nobody"}); err != nil {
				t.Fatal(err)
			}
		}
		if r := verify(t, db); r.Bad != nil {
			t.Fatalf("a new record by itself: %+v", r.Bad)
		}
		if r := verify(t, db, noted); r.Bad == nil || r.Bad.Seq != 5 || !strings.Contains(r.Bad.Problem, "anew") {
			t.Errorf("a new record against what was noted: %+v", r.Bad)
		}
		// What only grew still has the head.
		now := verify(t, db).Head
		fill(t, db)
		if r := verify(t, db, now); r.Bad != nil || r.Entries != 12 {
			t.Errorf("a record that grew: %+v, %+v", r, r.Bad)
		}
	})
}

// Replicas that add at the same time make one chain, while others read it.
func TestReplicasAppendTogether(t *testing.T) {
	const replicas, entries = 3, 25
	dsn := databasetest.Postgres(t)
	dbs := make([]*database.DB, replicas)
	for i := range dbs {
		db, err := database.Open(t.Context(), database.Options{DSN: dsn, Migrations: migrations(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		dbs[i] = db
	}
	var wg sync.WaitGroup
	for i, db := range dbs {
		for range 2 {
			wg.Go(func() {
				for n := range entries {
					if err := add(t.Context(), db, audit.Entry{Action: "a", Actor: fmt.Sprint(i), Object: fmt.Sprint(n)}); err != nil {
						t.Error(err)
					}
					if r, err := audit.Verify(t.Context(), db); err != nil || r.Bad != nil {
						t.Errorf("while others write: %+v, %v", r.Bad, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if r := verify(t, dbs[0]); r.Bad != nil || r.Entries != replicas*2*entries {
		t.Errorf("%+v, %+v; want %d entries", r, r.Bad, replicas*2*entries)
	}
}

func TestHeadIsReadAsWritten(t *testing.T) {
	h := audit.Head{Seq: 12, Hash: "ab"}
	if got, err := audit.ParseHead(h.String()); err != nil || got != h {
		t.Errorf("%v, %v", got, err)
	}
	for _, s := range []string{"", "12", ":ab", "x:ab", "-1:ab"} {
		if _, err := audit.ParseHead(s); err == nil {
			t.Errorf("%q was read as a head", s)
		}
	}
}

// Entries that are added together make the chain that they make one by one,
// also when they are more than one statement takes.
func TestTogether(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		const n = 1203
		entries := make([]audit.Entry, n)
		for i := range entries {
			entries[i] = audit.Entry{Action: "a", Actor: "desk", Person: fmt.Sprint("person-", i%3), Object: fmt.Sprint(i)}
		}
		write := func(entries ...audit.Entry) error {
			return db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return audit.Append(ctx, tx, noon, entries...) })
		}
		for _, some := range [][]audit.Entry{entries[:1], nil, entries[1:]} {
			if err := write(some...); err != nil {
				t.Fatal(err)
			}
		}
		together := verify(t, db)
		if together.Entries != n || together.Bad != nil {
			t.Errorf("added together: %+v, %+v", together, together.Bad)
		}
		about, err := audit.About(t.Context(), db, "person-0", n)
		if err != nil || len(about) != n/3 || about[0].Object != "1200" {
			t.Errorf("about person-0: %d, %v", len(about), err)
		}
		exec(t, db, "DELETE FROM audit", "UPDATE audit_head SET seq = 0, hash = ''")
		for _, e := range entries {
			if err := add(t.Context(), db, e); err != nil {
				t.Fatal(err)
			}
		}
		if one := verify(t, db); one.Head != together.Head {
			t.Errorf("the head is %v one by one and %v together", one.Head, together.Head)
		}
		if err := write(entries[0], audit.Entry{Action: "a"}); err == nil {
			t.Error("an entry without an actor was added with another")
		}
		if r := verify(t, db); r.Entries != n {
			t.Errorf("after a write that failed: %+v", r)
		}
	})
}

// What somebody has noted is about them, of this action and since then.
func TestNoted(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		for _, e := range []audit.Entry{
			{Action: "list", Actor: "sun", Person: "wang"}, {Action: "list", Actor: "sun", Person: "wang"}, {Action: "list", Actor: "sun"},
			{Action: "list", Actor: "zhou", Person: "li"}, {Action: "view", Actor: "sun", Person: "zhao"},
		} {
			if err := add(t.Context(), db, e); err != nil {
				t.Fatal(err)
			}
		}
		for since, want := range map[time.Time]int{noon: 1, noon.Add(time.Millisecond): 0} {
			noted, err := audit.Noted(t.Context(), db, "sun", "list", since)
			if err != nil || len(noted) != want || want > 0 && !noted["wang"] {
				t.Errorf("since %s: %v, %v", since, noted, err)
			}
		}
	})
}
