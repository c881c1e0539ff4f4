package residents

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/linli-io/linli/internal/identity"
)

func person(d Details) Person { return Person{ID: uuid.New(), Details: d, Kind: Resident} }

func TestCheckActing(t *testing.T) {
	const today = Date("2026-11-23")
	parent, child, mother := person(qiang), person(xiaoman), person(guihua)
	with := func(p Person, f func(*Person)) Person { f(&p); return p }
	almost := with(child, func(p *Person) { p.BornOn = "2008-11-24" })
	for name, c := range map[string]struct {
		want   Acting
		actor  Person
		other  Person
		ok     bool
		untill Date
	}{
		"on paper":              {Acting{Basis: BasisPaper, Scopes: identity.Scopes}, parent, mother, true, ""},
		"until a day":           {Acting{Basis: BasisPaper, Scopes: identity.Scopes, Until: today}, parent, mother, true, today},
		"until yesterday":       {Acting{Basis: BasisPaper, Scopes: identity.Scopes, Until: "2026-11-22"}, parent, mother, false, ""},
		"without a scope":       {Acting{Basis: BasisPaper}, parent, mother, false, ""},
		"to delete":             {Acting{Basis: BasisPaper, Scopes: []identity.Scope{"Delete"}}, parent, mother, false, ""},
		"to consent too":        {Acting{Basis: BasisPaper, Scopes: []identity.Scope{identity.Book, "Consent"}}, parent, mother, false, ""},
		"twice the same":        {Acting{Basis: BasisPaper, Scopes: []identity.Scope{identity.Book, identity.Book}}, parent, mother, false, ""},
		"without a basis":       {Acting{Scopes: identity.Scopes}, parent, mother, false, ""},
		"for oneself":           {Acting{Basis: BasisPaper, Scopes: identity.Scopes}, parent, parent, false, ""},
		"a child":               {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, child, true, "2036-05-31"},
		"a child for a year":    {Acting{Basis: BasisParent, Scopes: identity.Scopes, Until: "2027-11-23"}, parent, child, true, "2027-11-23"},
		"a child for ever":      {Acting{Basis: BasisParent, Scopes: identity.Scopes, Until: "2099-01-01"}, parent, child, true, "2036-05-31"},
		"a child of 17":         {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, almost, true, "2026-11-23"},
		"a child of 18":         {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, with(child, func(p *Person) { p.BornOn = "2008-11-23" }), false, ""},
		"a child without a day": {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, with(child, func(p *Person) { p.BornOn = "" }), false, ""},
		"a child elsewhere":     {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, with(child, func(p *Person) { p.Room = "502" }), false, ""},
		"a child as a parent":   {Acting{Basis: BasisParent, Scopes: identity.Scopes}, almost, child, false, ""},
		"who has moved away":    {Acting{Basis: BasisPaper, Scopes: identity.Scopes}, with(parent, func(p *Person) { p.MovedAwayAt = monday }), mother, false, ""},
		"for whom moved away":   {Acting{Basis: BasisPaper, Scopes: identity.Scopes}, parent, with(mother, func(p *Person) { p.MovedAwayAt = monday }), false, ""},
		"an outsider":           {Acting{Basis: BasisPaper, Scopes: identity.Scopes}, with(parent, func(p *Person) { p.Kind = External }), mother, false, ""},
		"born on a leap day":    {Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, with(child, func(p *Person) { p.BornOn = "2012-02-29" }), true, "2030-02-28"},
	} {
		got, err := checkActing(c.want, c.actor, c.other, today)
		if (err == nil) != c.ok || c.ok && got.Until != c.untill {
			t.Errorf("%s: until %q, %v", name, got.Until, err)
		}
	}
}

func TestActing(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		son, mother, child := add(t, s, qiang), add(t, s, guihua), add(t, s, xiaoman)
		actsFor := func(on Date) (names []string) {
			t.Helper()
			for _, r := range must[[]Represented](t)(s.ActsFor(t.Context(), son.ID, on)) {
				names = append(names, r.Name+" "+scopesText(r.Scopes))
			}
			return names
		}
		_, err := s.LetAct(t.Context(), atDesk(), Acting{Actor: son.ID, Represented: mother.ID, Scopes: identity.Scopes, Basis: BasisOwn})
		wantError(t, err, ErrInvalid)
		first := must[Acting](t)(s.LetAct(t.Context(), atDesk(), Acting{Actor: son.ID, Represented: mother.ID, Scopes: []identity.Scope{identity.Book}, Basis: BasisPaper}))
		later := at("desk", monday.Add(time.Hour))
		must[Acting](t)(s.LetAct(t.Context(), later, Acting{Actor: son.ID, Represented: child.ID, Scopes: []identity.Scope{identity.Order}, Basis: BasisParent}))
		if got := actsFor("2026-11-23"); !slices.Equal(got, []string{"王桂花 Book", "李小满 Order"}) {
			t.Errorf("acts for %v", got)
		}
		// On the child's 18th birthday it has ended, whether a job ran or not.
		if got := actsFor("2036-05-31"); len(got) != 2 {
			t.Errorf("on the last day acts for %v", got)
		}
		if got := actsFor("2036-06-01"); !slices.Equal(got, []string{"王桂花 Book"}) {
			t.Errorf("on the birthday acts for %v", got)
		}
		noError(t, s.EndActing(t.Context(), at(mother.ID.String(), monday), first.ID, mother.ID))
		wantError(t, s.EndActing(t.Context(), atDesk(), first.ID, child.ID), ErrNotFound)
		if got := actsFor("2026-11-23"); !slices.Equal(got, []string{"李小满 Order"}) {
			t.Errorf("after the withdrawal acts for %v", got)
		}

		// The mother says so herself, in her own account, with a code.
		code := must[string](t)(s.OfferActing(t.Context(), at(mother.ID.String(), monday), mother.ID, []identity.Scope{identity.Order}, "2026-12-31"))
		_, err = s.AcceptActing(t.Context(), at(mother.ID.String(), monday), mother.ID, code)
		wantError(t, err, ErrInvalid)
		must[Acting](t)(s.AcceptActing(t.Context(), at(son.ID.String(), monday), son.ID, code))
		_, err = s.AcceptActing(t.Context(), at(son.ID.String(), monday), son.ID, code)
		wantError(t, err, ErrNotFound)
		if got := actsFor("2026-12-31"); !slices.Contains(got, "王桂花 Order") {
			t.Errorf("after the code acts for %v", got)
		}
		if n := must[int](t)(s.EndPast(t.Context(), at(Name, time.Date(2026, 12, 31, 16, 0, 0, 0, time.UTC)))); n != 1 { // midnight there
			t.Errorf("%d ended by their date", n)
		}
		noError(t, s.MoveAway(t.Context(), atDesk(), child.ID, true))
		if got := actsFor("2026-11-23"); len(got) > 0 {
			t.Errorf("at the end acts for %v", got)
		}
		if got := audited(t, s, mother.ID); !slices.Equal(got, []string{"residents.person.add", "residents.acting.begin", "residents.acting.end",
			"residents.acting.begin", "residents.acting.end"}) {
			t.Errorf("audited %v", got)
		}
		verify(t, s)
	})
}

func TestRequestToAct(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		son, mother := add(t, s, qiang), add(t, s, guihua)
		r := must[Request](t)(s.Ask(t.Context(), at(son.ID.String(), monday), Request{Kind: RequestActing, Person: son.ID,
			Details: Details{Name: guihua.Name, BornOn: guihua.BornOn, Relation: "Parent"}}))
		_, err := s.Grant(t.Context(), atDesk(), Granting{ID: r.ID, As: mother.ID, Scopes: identity.Scopes, Basis: BasisParent})
		wantError(t, err, ErrInvalid) // she is no child
		must[Request](t)(s.Grant(t.Context(), atDesk(), Granting{ID: r.ID, As: mother.ID, Scopes: identity.Scopes, Basis: BasisPaper}))
		if got := must[[]Represented](t)(s.ActsFor(t.Context(), son.ID, "2026-11-23")); len(got) != 1 {
			t.Errorf("acts for %v", got)
		}
	})
}

// A parent never acts for who is of age, whatever the birthdays and the day.
func TestChildrenComeOfAge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Custom(func(t *rapid.T) Date {
			from := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
			return Date(from.AddDate(0, 0, rapid.IntRange(0, 20_000).Draw(t, "days")).Format(dateLayout))
		})
		parent, child := person(qiang), person(xiaoman)
		child.BornOn = day.Draw(t, "born")
		made, today := day.Draw(t, "made"), day.Draw(t, "today")
		a, err := checkActing(Acting{Basis: BasisParent, Scopes: identity.Scopes}, parent, child, made)
		if err != nil {
			return
		}
		var year, month, dom int
		if _, err := fmt.Sscanf(string(child.BornOn), "%d-%d-%d", &year, &month, &dom); err != nil {
			t.Fatal(err)
		}
		ofAge := !time.Date(year+18, time.Month(month), dom, 0, 0, 0, 0, time.UTC).After(today.time())
		if a.Holds(today) == ofAge {
			t.Fatalf("born on %s, on %s it holds: %v", child.BornOn, today, a.Holds(today))
		}
	})
}
