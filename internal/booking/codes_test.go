package booking

import (
	"errors"
	"sync"
	"testing"
	"time"
)

func TestCheckInByCode(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		b := book1(t, s, at(t, "music", "li", 9))
		now := b.Start.Add(-5 * time.Minute)
		// Before anybody has asked for a code there is none, not an empty one.
		_, _, err := s.CheckIn(t.Context(), act(t, "li", b.ID, now), "")
		wantRefusal(t, err, RuleWrongCode)
		code, err := s.DoorCode(t.Context(), "music")
		if err != nil || len(code) != doorCodeDigits {
			t.Fatalf("door code %q, %v", code, err)
		}
		if again, err := s.DoorCode(t.Context(), "music"); err != nil || again != code {
			t.Errorf("the code is %q at first, then %q, %v", code, again, err)
		}
		_, _, err = s.CheckIn(t.Context(), act(t, "li", b.ID, b.Start.Add(-time.Hour)), code)
		wantRefusal(t, err, RuleTooEarly)
		if _, _, err := s.CheckIn(t.Context(), act(t, "wang", b.ID, now), code); !errors.Is(err, ErrNotFound) {
			t.Errorf("somebody else's booking: %v", err)
		}
		for range 2 {
			in, changed, err := s.CheckIn(t.Context(), act(t, "li", b.ID, now), code)
			if err != nil || changed != b.CheckedInAt.IsZero() || !in.CheckedInAt.Equal(now) {
				t.Errorf("checked in at %v, changed %v, %v", in.CheckedInAt, changed, err)
			}
			b = in
		}
		if _, err := s.RenewDoorCode(t.Context(), byStaff(t, b.ID, now), "music"); err != nil {
			t.Fatal(err)
		}
		if err := s.CheckCode(t.Context(), "pool", "li", code, now); !errors.Is(err, ErrNotFound) {
			t.Errorf("a venue that is not there: %v", err)
		}
	})
}

// TestCodesCannotBeGuessed has somebody try many codes at the same moment, the
// right one last.
func TestCodesCannotBeGuessed(t *testing.T) {
	eachStore(t, func(t *testing.T, s *Store) {
		now := moment(t, monday)
		code, err := s.DoorCode(t.Context(), "music")
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		refusals := make(chan error, 3*maxWrongCodes)
		for range cap(refusals) {
			wg.Go(func() { refusals <- s.CheckCode(t.Context(), "music", "guesser", "x"+code[1:], now) })
		}
		wg.Wait()
		close(refusals)
		rules := map[Rule]int{}
		for err := range refusals {
			if refusal, ok := errors.AsType[*Refusal](err); ok {
				rules[refusal.Rule]++
			} else {
				t.Errorf("a wrong code: %v", err)
			}
		}
		if rules[RuleWrongCode] != maxWrongCodes || rules[RuleTooManyCodes] != 2*maxWrongCodes {
			t.Errorf("wrong codes were answered %v, want %d tried", rules, maxWrongCodes)
		}
		wantRefusal(t, s.CheckCode(t.Context(), "music", "guesser", code, now), RuleTooManyCodes)
		// At another venue it is the same person who guesses.
		wantRefusal(t, s.CheckCode(t.Context(), "study", "guesser", code, now), RuleTooManyCodes)
		if err := s.CheckCode(t.Context(), "music", "li", code, now); err != nil {
			t.Errorf("somebody else: %v", err)
		}
		if _, err := s.Erase(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, s.CheckCode(t.Context(), "music", "guesser", code, now), RuleTooManyCodes)
		if err := s.CheckCode(t.Context(), "music", "guesser", code, now.Add(time.Hour)); err != nil {
			t.Errorf("an hour later: %v", err)
		}
		if _, err := s.Erase(t.Context(), now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if n, err := s.db.Reader().NewSelect().Model((*wrongCodesRow)(nil)).Count(t.Context()); err != nil || n != 0 {
			t.Errorf("%d counts are kept, %v", n, err)
		}
	})
}
