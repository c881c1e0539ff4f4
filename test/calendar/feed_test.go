package calendar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/booking"
	linlihost "github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/host/hosttest"
)

// everyDay is open from eight to six on all days.
var everyDay = []v1alpha1.OpeningHours{{
	Days: []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}, From: "08:00", To: "18:00",
}}

// startBerlin runs the booking service of a community that puts its clocks
// back on 25 October 2026, a week before that day.
func startBerlin(t *testing.T) (*hosttest.Server, *testclock.FakeClock) {
	t.Helper()
	service, err := booking.Service()
	if err != nil {
		t.Fatal(err)
	}
	community := hosttest.Community()
	community.Spec.TimeZone = "Europe/Berlin"
	community.Spec.Services.Booking = &v1alpha1.Booking{Venues: []v1alpha1.Venue{
		{Name: "music", DisplayName: "琴房", Kind: v1alpha1.VenueRoom, Hours: everyDay, SlotMinutes: 60, MaxSlotsPerBooking: 2, BookingWindowDays: 30},
		{Name: "clinic", DisplayName: "社区诊所", Kind: v1alpha1.VenueAttended, Hours: everyDay, SlotMinutes: 30, BookingWindowDays: 30},
	}}
	clock := testclock.NewFakeClock(moment(t, "2026-10-18T08:00:00Z"))
	return hosttest.Start(t, hosttest.Options{Services: []linlihost.Service{service}, Community: community, Clock: clock}), clock
}

// caller calls the API as a resident.
type caller struct {
	t      *testing.T
	server *hosttest.Server
	client *http.Client
	token  string
}

// call sends a request that must succeed, and decodes its answer.
func (c caller) call(method, path string, body any) (answer struct{ ID, Address string }) {
	c.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.server.URL+"/booking/api/v1"+path, bytes.NewReader(content))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		c.t.Fatalf("%s %s: %s %s (%v)", method, path, response.Status, text, err)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &answer); err != nil {
			c.t.Fatal(err)
		}
	}
	return answer
}

// book books an hour or less on a day, at that time on Berlin's clocks.
func (c caller) book(venue, day, from, to string) string {
	c.t.Helper()
	return c.call(http.MethodPost, "/bookings", map[string]string{"venue": venue, "start": c.at(day, from), "end": c.at(day, to)}).ID
}

func (c caller) at(day, clock string) string {
	c.t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, zone(c.t, "Europe/Berlin"))
	if err != nil {
		c.t.Fatal(err)
	}
	return at.Format(time.RFC3339)
}

// fetch gets a calendar's address as a calendar program does: without a session.
func fetch(t *testing.T, server *hosttest.Server, address string) (status int, text string) {
	t.Helper()
	_, path, ok := strings.Cut(address, "/booking/calendar/")
	if !ok {
		t.Fatalf("address %q", address)
	}
	response, err := server.Client(t).Get(server.URL + "/booking/calendar/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// TestFeed fetches a resident's feed from the running service before and after
// one booking was moved over the change of offset and one was cancelled, and
// has both readers say what they make of it.
func TestFeed(t *testing.T) {
	server, clock := startBerlin(t)
	c := caller{t, server, server.Client(t), server.Token(t, "wang-guihua")}
	moved := c.book("music", "2026-10-24", "09:00", "10:00")
	cancelled := c.book("music", "2026-10-25", "09:00", "10:00")
	kept := c.book("clinic", "2026-10-26", "09:00", "09:30")
	address := c.call(http.MethodPut, "/calendar-feed", nil).Address
	status, first := fetch(t, server, address)
	if status != http.StatusOK {
		t.Fatalf("%s: %d", address, status)
	}
	clock.Step(time.Hour)
	c.call(http.MethodPatch, "/bookings/"+moved, map[string]string{"start": c.at("2026-10-26", "09:00"), "end": c.at("2026-10-26", "10:00")})
	c.call(http.MethodDelete, "/bookings/"+cancelled, nil)
	_, second := fetch(t, server, address)
	if strings.Contains(second, "诊所") || strings.Contains(second, "clinic") {
		t.Error("the feed names the clinic")
	}

	each(t, func(t *testing.T, r reader) {
		read := r.read(t, first, second)
		before, after := merge(calendar{}, read[0]), merge(read[0], read[1])
		for _, want := range []struct {
			what           string
			in             map[string]event
			id             string
			start, end     string
			status         string
			raisesSequence bool
		}{
			{"before it was moved", before, moved, "2026-10-24T07:00:00Z", "2026-10-24T08:00:00Z", "CONFIRMED", false},
			{"before it was cancelled", before, cancelled, "2026-10-25T08:00:00Z", "2026-10-25T09:00:00Z", "CONFIRMED", false},
			{"the clinic", before, kept, "2026-10-26T08:00:00Z", "2026-10-26T08:30:00Z", "CONFIRMED", false},
			{"moved", after, moved, "2026-10-26T08:00:00Z", "2026-10-26T09:00:00Z", "CONFIRMED", true},
			{"cancelled", after, cancelled, "2026-10-25T08:00:00Z", "2026-10-25T09:00:00Z", "CANCELLED", true},
			{"the clinic again", after, kept, "2026-10-26T08:00:00Z", "2026-10-26T08:30:00Z", "CONFIRMED", false},
		} {
			var got event
			for uid, e := range want.in {
				if strings.HasPrefix(uid, want.id+"@") {
					got = e
				}
			}
			if !got.Start.Equal(moment(t, want.start)) || !got.End.Equal(moment(t, want.end)) || got.Status != want.status || (got.Sequence > 0) != want.raisesSequence {
				t.Errorf("%s: %s", want.what, fmt.Sprintf("%+v", got))
			}
		}
	})

	c.call(http.MethodDelete, "/calendar-feed", nil)
	if status, _ := fetch(t, server, address); status != http.StatusNotFound {
		t.Errorf("a revoked address answers %d", status)
	}
}
