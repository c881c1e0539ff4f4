package residents

import (
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/identity"
)

func TestJoin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		mother := add(t, s, guihua)
		add(t, s, qiang)
		sharing := xiaoman
		sharing.Phone = guihua.Phone // two people may share a number
		child := add(t, s, sharing)
		join := func(subject, phone, name string) bool {
			t.Helper()
			return must[bool](t)(s.Join(t.Context(), at("", monday), subject, phone, name))
		}
		if join("s-other", guihua.Phone, "李强") || join("s-other", "13900000000", guihua.Name) || join("s-other", guihua.Phone, "") {
			t.Error("linked with a wrong name or number")
		}
		if !join("s-wang", "+86 13800000003", "王 桂花") {
			t.Error("not linked with the right name and number")
		}
		if join("s-wang", guihua.Phone, guihua.Name) {
			t.Error("linked again")
		}
		// The number has been given to somebody else: a matter for the staff.
		if join("s-new", guihua.Phone, xiaoman.Name) {
			t.Error("linked though the number is linked to another subject")
		}
		if !join("s-wang", guihua.Phone, xiaoman.Name) {
			t.Error("who shares the number is not linked")
		}
		people := must[[]Person](t)(s.SignIn(t.Context(), "s-wang", monday))
		if len(people) != 2 || people[0].ID != child.ID && people[1].ID != child.ID {
			t.Errorf("signs in as %v", people)
		}
		if got := must[Person](t)(s.Person(t.Context(), mother.ID)); !got.SignedInAt.Equal(monday) {
			t.Errorf("signed in at %s", got.SignedInAt)
		}
		// Two of a name at a number: staff have to say which.
		add(t, s, qiang)
		if join("s-li", qiang.Phone, qiang.Name) {
			t.Error("linked though two are meant")
		}
		if got := audited(t, s, mother.ID); !slices.Equal(got, []string{"residents.person.add", "residents.person.link"}) {
			t.Errorf("audited %v", got)
		}
		if people := must[[]Person](t)(s.SignIn(t.Context(), "", monday)); len(people) > 0 {
			t.Errorf("nobody signs in as %v", people)
		}
	})
}

// Staff become who they are with a code, not by a number and a name.
func TestStaffDoNotJoinByNumber(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		p := add(t, s, qiang)
		_, err := s.Appoint(t.Context(), atDesk(), p.ID, []identity.Duty{identity.FrontDesk})
		noError(t, err)
		if must[bool](t)(s.Join(t.Context(), at("", monday), "s-li", qiang.Phone, qiang.Name)) {
			t.Error("linked")
		}
	})
}

func TestJoinTooOften(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		add(t, s, guihua)
		for range maxTries {
			if must[bool](t)(s.Join(t.Context(), at("", monday), "s", guihua.Phone, "王")) {
				t.Fatal("linked")
			}
		}
		_, err := s.Join(t.Context(), at("", monday), "s", guihua.Phone, guihua.Name)
		wantError(t, err, ErrTooOften)
		if !must[bool](t)(s.Join(t.Context(), at("", monday.Add(24*time.Hour)), "s", guihua.Phone, guihua.Name)) {
			t.Error("not linked on the next day")
		}
	})
}

func TestInvitation(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		p := add(t, s, Details{Name: "孙丽"})
		nobodys := func(string) (string, bool) { return "", false }
		accept := func(now time.Time, subject, code string) error {
			_, err := s.AcceptInvitation(t.Context(), at("", now), subject, code, nobodys)
			return err
		}
		void := must[string](t)(s.Invite(t.Context(), atDesk(), p.ID))
		code := must[string](t)(s.Invite(t.Context(), atDesk(), p.ID))
		wantError(t, accept(monday, "s-1", void), ErrNotFound)
		wantError(t, accept(monday.Add(codeLifetime), "s-2", code), ErrNotFound)
		noError(t, accept(monday.Add(codeLifetime-time.Second), "s-sun", " "+code[:4]+" "+code[5:]))
		wantError(t, accept(monday, "s-3", code), ErrNotFound)
		if got := must[[]Person](t)(s.OfSubject(t.Context(), "s-sun")); len(got) != 1 || got[0].ID != p.ID {
			t.Errorf("s-sun is %v", got)
		}
		_, err := s.Invite(t.Context(), atDesk(), p.ID)
		wantError(t, err, ErrLinked)
		for range maxTries {
			wantError(t, accept(monday, "s-4", "AAAA-BBBB-CCCC"), ErrNotFound)
		}
		wantError(t, accept(monday, "s-4", "AAAA-BBBB-CCCC"), ErrTooOften)

		noError(t, s.Unlink(t.Context(), atDesk(), p.ID))
		if got := must[[]Person](t)(s.OfSubject(t.Context(), "s-sun")); len(got) > 0 {
			t.Errorf("unlinked, s-sun is still %v", got)
		}

		// A manager of the manifest, whose code nobody keeps.
		noError(t, s.SyncManagers(t.Context(), atDesk(), []v1alpha1.Manager{{Name: "liu", DisplayName: "刘寒露"}}))
		of := func(code string) (string, bool) { return "liu", code == "liu-code" }
		got, err := s.AcceptInvitation(t.Context(), at("", monday), "s-liu", "liu-code", of)
		if err != nil || got.Name != "刘寒露" {
			t.Errorf("invited as %v, %v", got, err)
		}
		_, err = s.AcceptInvitation(t.Context(), at("", monday), "s-thief", "liu-code", of)
		wantError(t, err, ErrNotFound)
		verify(t, s)
	})
}

func TestRequestsToJoin(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		known := guihua
		known.Phone, known.Relation = "", "Parent"
		mother := add(t, s, known)
		ask := func(subject string, d Details) Request {
			t.Helper()
			return must[Request](t)(s.Ask(t.Context(), at("", monday), Request{Kind: RequestJoin, Subject: subject, Details: d, Note: "租客"}))
		}
		r := ask("s-wang", guihua)
		_, err := s.Ask(t.Context(), at("", monday), Request{Kind: RequestJoin, Subject: "s-wang", Details: guihua})
		wantError(t, err, ErrOpen)
		if likely := must[[]Person](t)(s.Likely(t.Context(), r.Details)); len(likely) != 1 || likely[0].ID != mother.ID {
			t.Errorf("likely %v", likely)
		}
		for range 2 { // granting again is no error
			got := must[Request](t)(s.Grant(t.Context(), atDesk(), Granting{ID: r.ID, As: mother.ID}))
			if got.Person != mother.ID || got.State != RequestGranted {
				t.Errorf("granted %+v", got)
			}
		}
		now := must[Person](t)(s.Person(t.Context(), mother.ID))
		if now.Subject != "s-wang" || now.Phone != guihua.Phone || now.Relation != "Parent" {
			t.Errorf("completed to %+v", now)
		}
		if got := must[Request](t)(s.Request(t.Context(), r.ID)); got.Details.Name != "" || got.Note != "" {
			t.Errorf("what was typed stays: %+v", got)
		}
		wantError(t, s.Refuse(t.Context(), atDesk(), r.ID, "不"), ErrDecided)

		// Another subject is not linked over somebody's head.
		other := ask("s-other", guihua)
		_, err = s.Grant(t.Context(), atDesk(), Granting{ID: other.ID, As: mother.ID})
		wantError(t, err, ErrLinked)
		wantError(t, s.Refuse(t.Context(), atDesk(), other.ID, " "), ErrInvalid)
		for range 2 {
			noError(t, s.Refuse(t.Context(), atDesk(), other.ID, "请带身份证来服务大厅"))
		}
		_, err = s.Grant(t.Context(), atDesk(), Granting{ID: other.ID})
		wantError(t, err, ErrDecided)
		if got := must[[]Request](t)(s.RequestsOf(t.Context(), "s-other", uuid.Nil)); len(got) != 1 || got[0].Reason != "请带身份证来服务大厅" {
			t.Errorf("refused: %+v", got)
		}

		fresh := ask("s-li", qiang)
		granted := must[Request](t)(s.Grant(t.Context(), atDesk(), Granting{ID: fresh.ID}))
		if p := must[Person](t)(s.Person(t.Context(), granted.Person)); p.Details != qiang || p.Subject != "s-li" {
			t.Errorf("a new record: %+v", p)
		}
		if n := must[int](t)(s.CountOpen(t.Context())); n != 0 {
			t.Errorf("%d are open", n)
		}
		verify(t, s)
	})
}

func TestCorrection(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		p := add(t, s, guihua)
		right := guihua
		right.Name, right.BornOn = "王桂华", "1955-05-21"
		r := must[Request](t)(s.Ask(t.Context(), at(p.ID.String(), monday), Request{Kind: RequestCorrection, Person: p.ID, Details: Details{Name: right.Name, BornOn: right.BornOn}}))
		if got := must[Person](t)(s.Person(t.Context(), p.ID)); got.Details != guihua {
			t.Errorf("changed before anybody has looked at it: %+v", got)
		}
		must[Request](t)(s.Grant(t.Context(), atDesk(), Granting{ID: r.ID}))
		if got := must[Person](t)(s.Person(t.Context(), p.ID)); got.Details != right {
			t.Errorf("corrected to %+v", got)
		}
		again := Request{Kind: RequestCorrection, Person: p.ID, Details: Details{Name: "王"}}
		must[Request](t)(s.Ask(t.Context(), at("", monday), again))
		noError(t, s.Withdraw(t.Context(), at("", monday), RequestCorrection, "", p.ID))
		must[Request](t)(s.Ask(t.Context(), at("", monday), again))
	})
}
