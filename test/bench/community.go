package main

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

// Every venue of the measurements has as many places and hours as a large
// study room.
const (
	timeZone    = "Asia/Shanghai"
	places      = 60
	firstHour   = 8
	slotsPerDay = 12 // of an hour each
)

// venueName is the name of the n-th venue.
func venueName(n int) string { return fmt.Sprintf("study-%d", n) }

// communityWith is a community with that many study rooms.
func communityWith(name string, venues int) *v1alpha1.Community {
	c := &v1alpha1.Community{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Community"},
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "0b7e3f1e-5a0e-4a53-8f0e-1d5a3c0b7e3f"},
		Spec: v1alpha1.CommunitySpec{
			ClassName: "bench", DisplayName: "测量社区",
			Region:   v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
			TimeZone: timeZone, Phone: "0537-6210000",
			Managers: []v1alpha1.Manager{{Name: "manager", DisplayName: "管理员"}},
			Services: v1alpha1.Services{Booking: &v1alpha1.Booking{ManagedBy: v1alpha1.ManagedByManifest}},
		},
	}
	for n := range venues {
		c.Spec.Services.Booking.Venues = append(c.Spec.Services.Booking.Venues, v1alpha1.Venue{
			Name: venueName(n), DisplayName: fmt.Sprintf("自习室%d", n+1), Kind: v1alpha1.VenueSeats, Seats: places,
			Hours: []v1alpha1.OpeningHours{{
				Days: []v1alpha1.Weekday{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"},
				From: "08:00", To: "20:00",
			}},
			SlotMinutes: 60, MaxSlotsPerBooking: 3, BookingWindowDays: 366, MaxPerResidentPerDay: 50,
		})
	}
	return c
}

// class is how communities of the measurements run.
func class() v1alpha1.CommunityClassSpec {
	return v1alpha1.CommunityClassSpec{
		Topology: v1alpha1.TopologyCompact,
		Database: v1alpha1.Database{Engine: v1alpha1.EngineSQLite},
		Domain:   "localhost",
		Gateway:  v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
		Identity: v1alpha1.Identity{Issuer: "http://id.localhost:8080"},
	}
}

func benchRelease() *v1alpha1.Release {
	return &v1alpha1.Release{Name: "bench-1", ClassName: "bench", RendererVersion: 2, Class: class()}
}
