package audit

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/database"
)

// Look is a list of people that somebody is about to be shown.
type Look struct {
	Actor string
	// Action is what is noted of the list, with the number of people in it, and
	// Each what is noted of each of them, by which they learn of it.
	Action, Each string
	// Object is what it is a list of.
	Object string
	// People are the IDs of those in it; the empty one, which is nobody's, is
	// left out.
	People []string
	// Since is from when on a person who was noted for this actor is not noted
	// again: a list that is open all day would else fill the record. Zero notes
	// everybody each time.
	Since time.Time
}

// NoteLook adds what is to be known of a look at a list. Who gets an error must
// show nothing.
func NoteLook(ctx context.Context, db *database.DB, at time.Time, l Look) error {
	people := map[string]bool{}
	for _, p := range l.People {
		people[p] = true
	}
	delete(people, "")
	entries := []Entry{{Action: l.Action, Actor: l.Actor, Object: l.Object, Detail: map[string]string{"people": strconv.Itoa(len(people))}}}
	if !l.Since.IsZero() {
		// Beside the queue of writers, where time is scarce: two looks at the same
		// moment may both note a person.
		known, err := Noted(ctx, db, l.Actor, l.Each, l.Since)
		if err != nil {
			return err
		}
		maps.DeleteFunc(people, func(p string, _ bool) bool { return known[p] })
	}
	for _, p := range slices.Sorted(maps.Keys(people)) {
		entries = append(entries, Entry{Action: l.Each, Actor: l.Actor, Person: p, Object: l.Object})
	}
	err := db.Write(ctx, func(ctx context.Context, tx bun.Tx) error { return Append(ctx, tx, at, entries...) })
	if err != nil {
		return fmt.Errorf("nothing is shown, since that could not be recorded: %w", err)
	}
	return nil
}
