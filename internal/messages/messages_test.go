package messages

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// shanghai is the zone of the communities of these tests.
var shanghai = time.FixedZone("CST", 8*3600)

// clock is a moment of Monday, 23 November 2026, in Shanghai.
func clockAt(hour, minute int) time.Time {
	return time.Date(2026, 11, 23, hour, minute, 0, 0, shanghai)
}

func TestQuietHours(t *testing.T) {
	for _, c := range []struct {
		now, want time.Time
		urgent    bool
	}{
		{now: clockAt(12, 0), want: clockAt(12, 0)},
		{now: clockAt(20, 59), want: clockAt(20, 59)},
		{now: clockAt(21, 0), want: clockAt(32, 0)},
		{now: clockAt(23, 59), want: clockAt(32, 0)},
		{now: clockAt(0, 0), want: clockAt(8, 0)},
		{now: clockAt(7, 59), want: clockAt(8, 0)},
		{now: clockAt(8, 0), want: clockAt(8, 0)},
		{now: clockAt(23, 0), want: clockAt(23, 0), urgent: true},
	} {
		// The clock of the machine is another one.
		if got := sendAt(c.now.UTC(), c.urgent, shanghai); !got.Equal(c.want) {
			t.Errorf("at %s, urgent %v: %s, want %s", c.now, c.urgent, got.In(shanghai), c.want)
		}
	}
	// The morning is eight o'clock also when clocks were changed at night.
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	evening := time.Date(2027, 3, 27, 22, 0, 0, 0, paris)
	if got := sendAt(evening, false, paris).In(paris); got.Hour() != 8 || got.Day() != 28 {
		t.Errorf("the night in which summer time begins: %s", got)
	}
}

func TestRoute(t *testing.T) {
	person := func(phone, forPerson string, way Way) recipient {
		return recipient{person: identity.Person{ID: "p", Phone: phone}, Preferences: Preferences{Way: way}, forPerson: forPerson}
	}
	const number = "13800000001"
	for name, c := range map[string]struct {
		r           recipient
		sms, others bool
		want        Way
	}{
		"a phone":                            {person(number, "", WaySMS), true, false, WaySMS},
		"a phone, the community sends none":  {person(number, "", WaySMS), false, false, WayPage},
		"only pages":                         {person(number, "", WayPage), true, false, WayPage},
		"wants a call":                       {person(number, "", WayCall), true, false, WayCall},
		"wants a call, no gateway":           {person(number, "", WayCall), false, false, WayCall},
		"no phone":                           {person("", "", WaySMS), true, false, WayCall},
		"no phone, only pages":               {person("", "", WayPage), true, false, WayCall},
		"no phone, but the daughter is told": {person("", "", WaySMS), true, true, WayPage},
		"a phone, and the daughter is told":  {person(number, "", WaySMS), true, true, WaySMS},
		"the daughter":                       {person(number, "mother", WaySMS), true, true, WaySMS},
		"a daughter without a phone":         {person("", "mother", WaySMS), true, true, WayPage},
		"the daughter wants a call":          {person(number, "mother", WayCall), true, true, WayCall},
	} {
		if got := route(c.r, c.sms, c.others); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestItems(t *testing.T) {
	m := notify.Message{
		ID: uuid.New(), At: clockAt(12, 0), Person: "mother", By: "daughter", Kind: "k", About: "a",
		Text: map[string]string{"zh-CN": "文", "en": "text"}, NotAfter: clockAt(18, 0),
	}
	mother := recipient{person: identity.Person{ID: "mother", Phone: "1"}, Preferences: defaults}
	daughter := recipient{person: identity.Person{ID: "daughter", Phone: "2"}, Preferences: defaults, forPerson: "mother"}
	got := items(m, []recipient{mother, daughter}, true, clockAt(12, 0), shanghai)
	if len(got) != 2 || got[0].ID != m.ID || got[1].ID == m.ID || got[1].For != "mother" || got[0].For != "" {
		t.Fatalf("%+v", got)
	}
	if again := items(m, []recipient{mother, daughter}, true, clockAt(13, 0), shanghai); again[1].ID != got[1].ID {
		t.Error("the daughter's message has another ID the next time")
	}
	if inLanguage(got[0].Short, web.English) != "text" {
		t.Errorf("a message without a short text is sent as %v", got[0].Short)
	}
	if items(m, nil, true, clockAt(12, 0), shanghai) != nil {
		t.Error("a message to nobody")
	}
	// At night, something that is of no use by morning.
	m.NotAfter = clockAt(24, 0)
	if got := items(m, []recipient{mother}, true, clockAt(22, 0), shanghai); got[0].State != StatePage {
		t.Errorf("of no use by morning: %s at %s", got[0].State, got[0].DueAt)
	}
	m.Urgent = true
	if got := items(m, []recipient{mother}, true, clockAt(22, 0), shanghai); got[0].State != StateToSend || !got[0].DueAt.Equal(clockAt(22, 0)) {
		t.Errorf("urgent: %s at %s", got[0].State, got[0].DueAt)
	}
}

func TestSecret(t *testing.T) {
	if key, err := parseSecret([]byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")); err != nil || len(key) != 24 {
		t.Errorf("%d bytes, %v", len(key), err)
	}
	for _, text := range []string{"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_short", "whsec_AAAA"} {
		if _, err := parseSecret([]byte(text)); err == nil {
			t.Errorf("%q was read as a secret", text)
		}
	}
}
