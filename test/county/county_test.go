package county

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// object is what these tests read of any Kubernetes object.
type object struct {
	Metadata struct {
		Name, UID string
	}
	Status struct {
		URL        string
		Conditions []struct{ Type, Status, Reason, Message string }
	}
}

func (o object) condition(kind string) (status, reason, message string) {
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c.Status, c.Reason, c.Message
		}
	}
	return "", "", ""
}

func (c *cluster) get(t *testing.T, args ...string) object {
	t.Helper()
	var o object
	if err := json.Unmarshal([]byte(c.mustKubectl(t, append([]string{"get", "-o", "json"}, args...)...)), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func (c *cluster) list(t *testing.T, args ...string) []object {
	t.Helper()
	var l struct{ Items []object }
	if err := json.Unmarshal([]byte(c.mustKubectl(t, append([]string{"get", "-o", "json"}, args...)...)), &l); err != nil {
		t.Fatal(err)
	}
	return l.Items
}

func TestTenCommunitiesReady(t *testing.T) {
	communities := county.list(t, "communities")
	if len(communities) != 10 {
		t.Errorf("%d communities, want 10", len(communities))
	}
	for _, c := range communities {
		if status, reason, message := c.condition("Ready"); status != "True" {
			t.Errorf("%s is not Ready: %s: %s", c.Metadata.Name, reason, message)
		}
		if want := county.url(c.Metadata.Name); c.Status.URL != want {
			t.Errorf("%s has the URL %s, want %s", c.Metadata.Name, c.Status.URL, want)
		}
		if res := call(t, "GET", c.Status.URL+"/", "", nil, nil); res.StatusCode != http.StatusOK {
			t.Errorf("%s answers %s", c.Status.URL, res.Status)
		}
	}
	table := county.mustKubectl(t, "get", "communities")
	for _, word := range []string{"站前社区", "古亭社区", "True", "http://zhanqian.localhost"} {
		if !strings.Contains(table, word) {
			t.Errorf("kubectl get communities does not show %s:\n%s", word, table)
		}
	}
}

// TestSecondUpChangesNothing: an operator who runs `make up` again must not
// restart anybody's services.
func TestSecondUpChangesNothing(t *testing.T) {
	before := county.mustKubectl(t, "get", "pods", "-A", "-o", "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{\"\\n\"}{end}")
	if err := county.up(os.Stderr); err != nil {
		t.Fatal(err)
	}
	after := county.mustKubectl(t, "get", "pods", "-A", "-o", "jsonpath={range .items[*]}{.metadata.uid} {.status.containerStatuses[0].restartCount}{\"\\n\"}{end}")
	if before != after {
		t.Errorf("Pods before:\n%s\nafter:\n%s", before, after)
	}
}

// venue and slot are what these tests read of the booking API.
type slot struct {
	Start, End time.Time
	Free       int
	State      string
}

// freeSlot is a slot of a coming day that can be booked at the venue.
func freeSlot(t *testing.T, base, venue string) slot {
	t.Helper()
	return freeSlotThat(t, base, venue, func(slot) bool { return true })
}

type booking struct {
	ID, Venue, Status string
	Start, End        time.Time
}

func book(t *testing.T, base, token, venue string) booking {
	t.Helper()
	s := freeSlot(t, base, venue)
	var b booking
	res := call(t, "POST", base+"/booking/api/v1/bookings", token, map[string]any{"venue": venue, "start": s.Start, "end": s.End}, &b)
	if res.StatusCode != http.StatusCreated || b.ID == "" {
		t.Fatalf("booking: %s: %+v", res.Status, b)
	}
	return b
}

// TestBookingsSurviveDownAndUp stops the whole cluster and starts it again.
func TestBookingsSurviveDownAndUp(t *testing.T) {
	base := county.url("zhanqian")
	b := book(t, base, county.token(t, "zhanqian", resident), "study-room")
	if err := county.down(); err != nil {
		t.Fatal(err)
	}
	if err := county.up(os.Stderr); err != nil {
		t.Fatal(err)
	}
	var kept booking
	res := call(t, "GET", base+"/booking/api/v1/bookings/"+b.ID, county.token(t, "zhanqian", resident), nil, &kept)
	if res.StatusCode != http.StatusOK || kept.ID != b.ID || !kept.Start.Equal(b.Start) {
		t.Errorf("after down and up: %s, %+v, want %+v", res.Status, kept, b)
	}
}

// TestSiblingsAreStrangers: what one community gave out opens nothing in
// another, although both are the same site to a browser.
func TestSiblingsAreStrangers(t *testing.T) {
	token := county.token(t, "zhanqian", eldest)
	for _, c := range []struct {
		name, method, path string
		body               any
	}{
		{"list", "GET", "/booking/api/v1/bookings", nil},
		{"book", "POST", "/booking/api/v1/bookings", map[string]any{"venue": "x", "start": time.Now(), "end": time.Now()}},
	} {
		if res := call(t, c.method, county.url("guting")+c.path, token, c.body, nil); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s at guting with a token of zhanqian: %s, want 401", c.name, res.Status)
		}
	}
	b := book(t, county.url("zhanqian"), token, "study-room")
	other := county.token(t, "guting", eldest)
	if res := call(t, "DELETE", county.url("zhanqian")+"/booking/api/v1/bookings/"+b.ID, other, nil, nil); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a token of guting at zhanqian: %s, want 401", res.Status)
	}
}

// TestCorruptDatabaseIsReported damages a community's database file as a
// failing disk would: the Community's condition must name the file, and the
// service must not start empty over it.
func TestCorruptDatabaseIsReported(t *testing.T) {
	const name = "guting"
	files, err := filepath.Glob(filepath.Join(county.dir, "volumes", "*community-"+name+"*", "booking.db"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the booking database of %s: %v, %v", name, files, err)
	}
	setPolicy := func(policy string) {
		county.mustKubectl(t, "patch", "community", name, "--type=merge", "-p", `{"spec":{"runPolicy":"`+policy+`"}}`)
	}
	readyIs := func(wantStatus, word string) func() (bool, string) {
		return func() (bool, string) {
			status, reason, message := county.get(t, "community", name).condition("Ready")
			return status == wantStatus && strings.Contains(reason+" "+message, word), status + " " + reason + " " + message
		}
	}
	setPolicy("Suspended")
	eventually(t, "no Pod of "+name, func() (bool, string) {
		pods := county.list(t, "pods", "-n", "community-"+name)
		return len(pods) == 0, "some Pods"
	})
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	setPolicy("Running")
	eventually(t, "a condition that names booking.db", readyIs("False", "booking.db"))
	if now, err := os.ReadFile(files[0]); err != nil || !strings.HasPrefix(string(now), "not a database") {
		t.Errorf("the damaged file was written over (%v)", err)
	}
	// The remedy: the operator puts the file back, and the service recovers by itself.
	if err := os.WriteFile(files[0], good, 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, name+" Ready again", readyIs("True", ""))
}

// TestRefusedAtApply: what kubectl prints names the field and the remedy.
func TestRefusedAtApply(t *testing.T) {
	manifest := func(name, zone, from, to string) string {
		return `{"apiVersion":"linli.io/v1alpha1","kind":"Community","metadata":{"name":"` + name + `"},"spec":{"className":"yutai","displayName":"试","region":{"county":"鱼台县","subdistrict":"滨湖街道"},"timeZone":"` + zone + `","phone":"0537 6660000","services":{"booking":{"venues":[{"name":"a","displayName":"A","kind":"Room","slotMinutes":60,"hours":[{"days":["Monday"],"from":"08:00","to":"12:00"},{"days":["Monday"],"from":"` + from + `","to":"` + to + `"}]}]}}}}`
	}
	for _, c := range []struct{ name, manifest, want string }{
		{"overlap", manifest("refused", "Asia/Shanghai", "11:00", "13:00"), "spec.services.booking.venues[0].hours"},
		{"zone", manifest("refused", "Mars/Base", "13:00", "14:00"), "spec.timeZone"},
		{"slot", manifest("refused", "Asia/Shanghai", "13:00", "14:30"), "spec.services.booking.venues[0].slotMinutes"},
		{"reserved", manifest("sharing", "Asia/Shanghai", "13:00", "14:00"), "metadata.name"},
	} {
		out, err := county.kubectl(t, c.manifest, "apply", "-f", "-")
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v: %s; want a refusal that names %s", c.name, err, out, c.want)
		}
	}
}
