package booking

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/linli-io/linli/api/v1alpha1"
)

// await waits until what is asked for is so.
func await(t testing.TB, what string, so func() bool) {
	t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	over := time.After(30 * time.Second)
	for !so() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestBackgroundErases(t *testing.T) {
	s := start(t)
	li := s.api(t, "li-qiang")
	study := bookings + "/" + li.want(201, "POST", bookings, order("study", 9, 10)).Body.ID.String()
	visit := bookings + "/" + li.want(201, "POST", bookings, order("clinic", 9, 10)).Body.ID.String()
	s.clock.Step(91 * 24 * time.Hour)
	await(t, "the visit to the clinic is erased", func() bool {
		// In steps, because the job may not have been waiting before.
		s.clock.Step(eraseEvery)
		return s.api(t, "li-qiang").do("GET", visit, "").Status == http.StatusNotFound
	})
	s.api(t, "li-qiang").want(200, "GET", study, "")
}

func TestMetrics(t *testing.T) {
	s := start(t)
	li, wang := s.api(t, "li-qiang"), s.api(t, "wang-guihua")
	first := li.want(201, "POST", bookings, order("music", 9, 10), "Idempotency-Key", "k")
	li.want(201, "POST", bookings, order("music", 9, 10), "Idempotency-Key", "k")
	wang.want(409, "POST", bookings, order("music", 9, 10))
	wang.want(422, "POST", bookings, order("music", 19, 20))
	for range 2 {
		li.want(204, "DELETE", bookings+"/"+first.Body.ID.String(), "")
	}
	li.want(201, "POST", bookings, order("music", 9, 10))
	for range 2 {
		s.api(t, "sun-li").want(201, "POST", v1+"/staff/closures", closeBody("music", "08:00", "10:00"), "Idempotency-Key", "c")
	}
	r, err := http.Get(s.MetricsURL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`linli_bookings_made_total{service="booking"} 2`,
		`linli_bookings_cancelled_total{service="booking"} 2`,
		`linli_bookings_conflicts_total{service="booking"} 1`,
		`linli_bookings_refused_total{rule="outside-opening-hours",service="booking"} 1`,
	} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("no %s", want)
		}
	}
}

func TestVenuesFollowTheManifest(t *testing.T) {
	s := start(t)
	li := s.api(t, "li-qiang")
	own := bookings + "/" + li.want(201, "POST", bookings, order("music", 9, 10)).Body.ID.String()
	s.Configure(t, func(c *v1alpha1.Community) {
		c.Spec.Services.Booking.Venues = []v1alpha1.Venue{studyRoom()}
	})
	await(t, "two venues are retired", func() bool {
		return len(li.want(200, "GET", "/booking/api/v1/venues", "").Body.Venues) == 1
	})
	// What was booked there stays, can be seen and can be cancelled.
	li.want(200, "GET", own, "")
	s.browser(t, "li-qiang").page("/booking/bookings/", "琴房")
	s.browser(t, "li-qiang").page(strings.Replace(own, "/api/v1", "", 1), "琴房", "取消这次预约")
	if a := li.want(422, "POST", bookings, order("music", 10, 11)); a.Problem.Rule != "unknown-venue" {
		t.Errorf("booking a retired venue: %s", a.Raw)
	}
	li.want(204, "DELETE", own, "")
}
