package identity_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"testing"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/identity"
)

func latinNames(people []identity.Person) []string {
	var names []string
	for _, p := range people {
		names = append(names, p.LatinName)
	}
	return names
}

func account(t *testing.T, i *identity.Identity, name string) identity.Person {
	t.Helper()
	for _, d := range i.DemoPeople() {
		if d.Account == name {
			return d.Person
		}
	}
	t.Fatalf("no account %s", name)
	return identity.Person{}
}

func TestActsFor(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	here := newIdentity(t, 'k', settings(unchanged), c)
	there := newIdentity(t, 'k', settings(func(s *identity.Settings) { s.Community, s.Subjects = "theirs", "theirs" }), c)

	family := here.ActsFor(account(t, here, "li-qiang"))
	if got := latinNames(family); !slices.Equal(got, []string{"Wang Guihua", "Li Xiaoman"}) {
		t.Fatalf("li-qiang acts for %v", got)
	}
	for _, p := range family {
		if known, ok := here.Person(p.ID); !ok || known.Name != p.Name || known.BornOn != p.BornOn {
			t.Errorf("%s is not found by ID: %+v, %v", p.LatinName, known, ok)
		}
	}
	if family[0].ID != account(t, here, "wang-guihua").ID {
		t.Error("the mother for whom one acts is another person than the one who signs in")
	}
	for _, name := range []string{"chen-yutong", "wang-guihua", "zhao-changshun", "sun-li", "zhou-jianguo"} {
		if family := here.ActsFor(account(t, here, name)); len(family) > 0 {
			t.Errorf("%s acts for %v", name, latinNames(family))
		}
	}
	// Neither a neighbour's li-qiang nor one who only says to be him.
	for who, p := range map[string]identity.Person{
		"a neighbour":   account(t, there, "li-qiang"),
		"a name":        {Name: "李强", LatinName: "Li Qiang"},
		"the account":   {ID: "li-qiang"},
		"who is nobody": {},
	} {
		if family := here.ActsFor(p); len(family) > 0 {
			t.Errorf("%s acts for %v", who, latinNames(family))
		}
		if found, ok := here.Person(p.ID); ok {
			t.Errorf("%s is %v", who, found)
		}
	}
}

// A child is known, but has no account to sign in with.
func TestNoAccountNoWayIn(t *testing.T) {
	i := newIdentity(t, 'k', settings(unchanged), testclock.NewFakePassiveClock(start))
	for _, d := range i.DemoPeople() {
		if d.Account == "li-xiaoman" {
			t.Error("the child is offered on the sign-in page")
		}
	}
	if err := i.SignIn(httptest.NewRecorder(), "li-xiaoman"); !errors.Is(err, identity.ErrNoSuchDemo) {
		t.Errorf("signing in: %v", err)
	}
	if _, _, err := i.Token("li-xiaoman"); !errors.Is(err, identity.ErrNoSuchDemo) {
		t.Errorf("token: %v", err)
	}
}

func TestFind(t *testing.T) {
	i := newIdentity(t, 'k', settings(unchanged), testclock.NewFakePassiveClock(start))
	for query, want := range map[string][]string{
		"李强":                {"Li Qiang"},
		"李":                 {"Li Qiang", "Li Xiaoman"},
		"李 小满":              {"Li Xiaoman"},
		"小　满":               {"Li Xiaoman"},
		"li qiang":          {"Li Qiang"},
		"QIANG li":          {"Li Qiang"},
		"liqiang":           {"Li Qiang"},
		"ｌｉｑｉａｎｇ":           {"Li Qiang"},
		" 桂花 ":              {"Wang Guihua"},
		"138 0000 0003":     {"Wang Guihua"},
		"138-0000-0003":     {"Wang Guihua"},
		"+86 138 0000 0003": {"Wang Guihua"},
		"１３８　００００　０００３": {"Wang Guihua"},
		"0003":               {"Wang Guihua"},
		"03":                 nil, // too little to tell whose it is
		"8":                  nil,
		"138 0000 0003 0":    nil,
		"li 0002":            nil, // a name or a number, not both
		"":                   nil,
		"  ":                 nil,
		"+":                  nil,
		"-":                  nil,
		"%":                  nil,
		"nobody of the name": nil,
	} {
		if got := latinNames(i.Find(query, 10)); !slices.Equal(got, want) {
			t.Errorf("%q finds %v, want %v", query, got, want)
		}
	}
	if got := latinNames(i.Find("138", 2)); !slices.Equal(got, []string{"Chen Yutong", "Li Qiang"}) {
		t.Errorf("the first two: %v", got)
	}
	if got := i.Find("138", 0); len(got) > 0 {
		t.Errorf("at most nobody: %v", got)
	}
}

func TestDirectoryKnowsNobodyOutsideOfLocalhost(t *testing.T) {
	c := testclock.NewFakePassiveClock(start)
	parent := account(t, newIdentity(t, 'k', settings(unchanged), c), "li-qiang")
	i := newIdentity(t, 'k', settings(func(s *identity.Settings) { s.Class.Domain = "yutai.gov.cn" }), c)
	if family := i.ActsFor(parent); len(family) > 0 {
		t.Errorf("acts for %v", latinNames(family))
	}
	if found := i.Find("李", 10); len(found) > 0 {
		t.Errorf("finds %v", latinNames(found))
	}
	if p, ok := i.Person(parent.ID); ok {
		t.Errorf("knows %v", p)
	}
}
