package audit

import (
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// No two entries that differ have the same hash after the same entry.
func TestContentIsUnambiguous(t *testing.T) {
	text := rapid.StringMatching(`[ab"{}:,\\居]{0,3}`)
	entry := rapid.Custom(func(t *rapid.T) Entry {
		return Entry{
			Action: "a" + text.Draw(t, "action"), Actor: "a" + text.Draw(t, "actor"), Person: text.Draw(t, "person"),
			Object: text.Draw(t, "object"), Detail: rapid.MapOfN(text, text, 0, 2).Draw(t, "detail"),
		}
	})
	hash := func(t *rapid.T, e Entry) string {
		r, err := newRow(time.UnixMilli(1), e)
		if err != nil {
			t.Fatal(err)
		}
		return r.digest("before")
	}
	rapid.Check(t, func(t *rapid.T) {
		one, other := entry.Draw(t, "one"), entry.Draw(t, "other")
		if rapid.Bool().Draw(t, "nearly the same") {
			// What stood in one field stands in the next one.
			other = one
			other.Person, other.Object = one.Person+one.Object, ""
		}
		same := maps.Equal(one.Detail, other.Detail) && one.Action == other.Action && one.Actor == other.Actor &&
			one.Person == other.Person && one.Object == other.Object
		if got := hash(t, one) == hash(t, other); got != same {
			t.Errorf("the same hash: %v, the same content: %v", got, same)
		}
	})
}
