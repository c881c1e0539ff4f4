package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// TestBookingTellsPeople: what the staff do with a booking comes to the phone
// and the page of the person, by the services as they are served.
func TestBookingTellsPeople(t *testing.T) {
	sent := make(chan string, 4)
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ To, Text string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			t.Error(err)
		}
		sent <- m.To + " " + m.Text
	}))
	defer gateway.Close()
	services, err := openServices([]string{"portal", "booking", "messages"})
	if err != nil {
		t.Fatal(err)
	}
	everyDay := []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	venue := func(name, display string, kind v1alpha1.VenueKind) v1alpha1.Venue {
		return v1alpha1.Venue{
			Name: name, DisplayName: display, Kind: kind, SlotMinutes: 60, MaxSlotsPerBooking: 1, BookingWindowDays: 7, MaxPerResidentPerDay: 2,
			Hours: []v1alpha1.OpeningHours{{Days: everyDay, From: "08:00", To: "18:00"}},
		}
	}
	community, release := hosttest.Community(), hosttest.Release()
	community.Spec.Services.Booking = &v1alpha1.Booking{
		ManagedBy: v1alpha1.ManagedByManifest,
		Venues:    []v1alpha1.Venue{venue("music", "琴房", v1alpha1.VenueRoom), venue("clinic", "社区诊所", v1alpha1.VenueAttended)},
	}
	release.Class.Notifications.SMSWebhook = gateway.URL
	clock := testclock.NewFakeClock(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)) // nine in the morning
	s := hosttest.Start(t, hosttest.Options{Services: services, Community: community, Release: release, Clock: clock})

	ask := func(account, method, path, body string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		request.Header.Set("Authorization", "Bearer "+s.Token(t, account))
		answer, err := s.Client(t).Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode >= 300 {
			t.Fatalf("%s %s: %s: %s", method, path, answer.Status, text)
		}
		return string(text)
	}
	for _, c := range []struct{ venue, person, sms, page string }{
		{"music", "li-qiang", "13800000002 【站前社区】琴房 11月24日 星期二 10:00–11:00的预约已取消。原因：停水", "琴房 11月24日"},
		{"clinic", "wang-guihua", "13800000003 【站前社区】有一条关于预约的新消息，请登录社区网站查看，或致电社区。", "社区诊所 11月24日"},
	} {
		var made struct{ ID string }
		order := `{"venue":"` + c.venue + `","start":"2026-11-24T10:00:00+08:00","end":"2026-11-24T11:00:00+08:00"}`
		if err := json.Unmarshal([]byte(ask(c.person, "POST", "/booking/api/v1/bookings", order)), &made); err != nil {
			t.Fatal(err)
		}
		ask("sun-li", "POST", "/booking/api/v1/staff/bookings/"+made.ID+"/cancel", `{"reason":"停水"}`)
		got := ""
		for over := time.Now().Add(30 * time.Second); got == ""; clock.Step(time.Second) {
			select {
			case got = <-sent:
			case <-time.After(time.Millisecond):
				if time.Now().After(over) {
					t.Fatal("nothing was sent")
				}
			}
		}
		if got != c.sms {
			t.Errorf("sent %q, want %q", got, c.sms)
		}
		if inbox := ask(c.person, "GET", "/messages/api/v1/messages", ""); !strings.Contains(inbox, c.page) || !strings.Contains(inbox, "/booking/bookings/"+made.ID) {
			t.Errorf("the page of %s does not have %q: %s", c.person, c.page, inbox)
		}
	}
}
