package booking

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

// body reads all of a response.
func body(t testing.TB, r *http.Response) string {
	t.Helper()
	defer r.Body.Close()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

const staffVenues = v1 + "/staff/venues/"

const pool = `{"name":"pool","displayName":"泳池","kind":"Seats","seats":20,"slotMinutes":60,"hours":[{"days":["Monday","Tuesday"],"from":"08:00","to":"12:00"}]}`

func TestAPIManagerKeepsVenues(t *testing.T) {
	s := complete(t)
	manager, li := s.api(t, "zhou-jianguo"), s.api(t, "li-qiang")
	manager.want(404, "GET", staffVenues+"pool", "")
	made := manager.want(200, "PUT", staffVenues+"pool", pool)
	spec := read[venueSpec](t, made)
	if spec.MaxPerResidentPerDay != 2 || spec.BookingWindowDays == nil || *spec.BookingWindowDays != 14 || spec.MaxSlotsPerBooking != 1 || spec.Approval != "Automatic" {
		t.Errorf("made: %s", made.Raw)
	}
	booked := li.want(201, "POST", bookings, order("pool", 9, 10)).Body
	// What is read can be written again; today only is not the default.
	today := strings.Replace(made.Raw, `"bookingWindowDays":14`, `"bookingWindowDays":0`, 1)
	changed := manager.want(200, "PUT", staffVenues+"pool", today)
	if spec := read[venueSpec](t, changed); *spec.BookingWindowDays != 0 {
		t.Errorf("changed: %s", changed.Raw)
	}
	li.refused(422, RuleOutsideWindow, "POST", bookings, strings.ReplaceAll(order("pool", 9, 10), "-23T", "-24T"))
	manager.refused(409, ruleInUse, "DELETE", staffVenues+"pool", "")
	li.want(204, "DELETE", bookings+"/"+booked.ID.String(), "")
	manager.want(204, "DELETE", staffVenues+"pool", "")
	manager.want(404, "DELETE", staffVenues+"pool", "")
	li.refused(422, RuleUnknownVenue, "POST", bookings, order("pool", 9, 10))
	manager.want(200, "GET", staffVenues+"pool", "")
	manager.want(200, "PUT", staffVenues+"pool", pool)
	li.want(201, "POST", bookings, order("pool", 9, 10))

	doctors := read[venueSpec](t, manager.want(200, "GET", staffVenues+"clinic", ""))
	if len(doctors.Attendants) != 2 || doctors.Attendants[0].Hours[0].From != "08:00" || doctors.ClosedDates[0] != "2026-11-25" {
		t.Errorf("clinic: %+v", doctors)
	}

	for what, change := range map[string][2]string{
		"another name":        {`"name":"pool"`, `"name":"lake"`},
		"no label":            {`"name":"pool"`, `"name":"The Pool"`},
		"no display name":     {`"泳池"`, `""`},
		"a long description":  {`"kind"`, `"description":"` + strings.Repeat("长", 501) + `","kind"`},
		"another kind":        {`"Seats"`, `"Lake"`},
		"no seat":             {`"seats":20`, `"seats":0`},
		"seats without end":   {`"seats":20`, `"seats":1000000000`},
		"no hours":            {`[{"days":["Monday","Tuesday"],"from":"08:00","to":"12:00"}]`, `[]`},
		"no day":              {`["Monday","Tuesday"]`, `["Caturday"]`},
		"hours that overlap":  {`[{`, `[{"days":["Monday"],"from":"11:00","to":"13:00"},{`},
		"slots that are left": {`"slotMinutes":60`, `"slotMinutes":50`},
		"odd slots":           {`"slotMinutes":60`, `"slotMinutes":7`},
		"ages upside down":    {`"kind"`, `"minAge":60,"maxAge":18,"kind"`},
		"doctors at a pool":   {`"kind"`, `"attendants":[{"name":"a","displayName":"A"}],"kind"`},
		"no date":             {`"kind"`, `"closedDates":["2026-02-30"],"kind"`},
		"a time of no clock":  {`"08:00"`, `"08:03"`},
		"unknown field":       {`"kind"`, `"depth":3,"kind"`},
	} {
		wrong := strings.Replace(pool, change[0], change[1], 1)
		if a := manager.do("PUT", staffVenues+"pool", wrong); a.Status != 422 || wrong == pool {
			t.Errorf("%s: %s", what, a.Raw)
		}
	}
	manager.want(413, "PUT", staffVenues+"pool", strings.Replace(pool, `"kind"`, `"description":"`+strings.Repeat("长", 30000)+`","kind"`, 1))
	manager.want(400, "PUT", staffVenues+"pool", `{`)
}

func TestAPIManifestKeepsVenues(t *testing.T) {
	s := start(t)
	manager := s.api(t, "zhou-jianguo")
	manager.want(200, "GET", staffVenues+"study", "")
	manager.refused(409, ruleManifest, "PUT", staffVenues+"pool", pool)
	manager.refused(409, ruleManifest, "DELETE", staffVenues+"study", "")
}

func TestAPIManagerKeepsMembers(t *testing.T) {
	s := complete(t)
	manager, desk, li := s.api(t, "zhou-jianguo"), s.api(t, "sun-li"), s.api(t, "li-qiang")
	members := staffVenues + "gym/members"
	type list struct{ Members []apiMember }
	for range 2 {
		manager.want(204, "PUT", members+"/"+li.id(), "")
	}
	if m := read[list](t, desk.want(200, "GET", members, "")).Members; len(m) != 1 || m[0].Name != "李强" || m[0].Person != li.id() || m[0].AddedBy != manager.id() {
		t.Errorf("members: %+v", m)
	}
	li.want(201, "POST", bookings, order("gym", 9, 10))
	for range 2 {
		manager.want(204, "DELETE", members+"/"+li.id(), "")
	}
	li.refused(422, RuleMembersOnly, "POST", bookings, order("gym", 10, 11))
	manager.want(404, "PUT", members+"/nobody", "")
	manager.want(404, "PUT", staffVenues+"pool/members/"+li.id(), "")
	manager.want(404, "GET", staffVenues+"pool/members", "")
	manager.want(422, "PUT", members+"/"+strings.Repeat("x", 101), "")
}

func TestAPIDoorCodes(t *testing.T) {
	s := complete(t)
	code := s.doorCode(t, "study")
	if len(code) != doorCodeDigits || s.doorCode(t, "study") != code {
		t.Errorf("code %q, then %q", code, s.doorCode(t, "study"))
	}
	manager := s.api(t, "zhou-jianguo")
	// One in a million is the same by chance.
	await(t, "another code", func() bool {
		manager.want(200, "POST", staffVenues+"study/door-code", "")
		return s.doorCode(t, "study") != code
	})
	manager.want(404, "GET", staffVenues+"pool/door-code", "")
	manager.want(404, "POST", staffVenues+"pool/door-code", "")
}

// TestAPIVenueSchema compares what the API takes for a venue with what a manifest
// may have, field by field.
func TestAPIVenueSchema(t *testing.T) {
	data, err := os.ReadFile("../../config/crd/bases/linli.io_communities.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd map[string]any
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	version := crd["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any)
	manifest := within(t, version, "schema", "openAPIV3Schema", "properties", "spec", "properties", "services", "properties", "booking", "properties", "venues", "items")

	_, document := document(t)
	schemas := document.Components.Schemas
	same(t, "venue", manifest, schemas["VenueSpec"], schemas)
}

func within(t testing.TB, schema map[string]any, path ...string) map[string]any {
	t.Helper()
	for _, step := range path {
		next, ok := schema[step].(map[string]any)
		if !ok {
			t.Fatalf("no %s of %v", step, path)
		}
		schema = next
	}
	return schema
}

// same reports where two schemas of a value differ. The manifest's is resolved.
func same(t *testing.T, path string, manifest, api map[string]any, schemas map[string]map[string]any) {
	t.Helper()
	if ref, ok := api["$ref"].(string); ok {
		api = schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	}
	if api == nil {
		t.Errorf("%s is not in the API", path)
		return
	}
	for _, bound := range []string{"type", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "multipleOf", "pattern", "enum", "default"} {
		want, got := manifest[bound], api[bound]
		if path == "venue.closedDates[]" && bound == "maxLength" {
			continue // the format says it
		}
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Errorf("%s: %s is %v in the manifest, %v in the API", path, bound, want, got)
		}
	}
	if items, ok := manifest["items"].(map[string]any); ok {
		inner, _ := api["items"].(map[string]any)
		same(t, path+"[]", items, inner, schemas)
	}
	properties, _ := manifest["properties"].(map[string]any)
	mine, _ := api["properties"].(map[string]any)
	for name, property := range properties {
		inner, _ := mine[name].(map[string]any)
		same(t, path+"."+name, property.(map[string]any), inner, schemas)
	}
	for name := range mine {
		if properties[name] == nil {
			t.Errorf("%s.%s is not in the manifest", path, name)
		}
	}
	if want, got := names(manifest["required"]), names(api["required"]); !slices.Equal(want, got) {
		t.Errorf("%s: the manifest requires %v, the API %v", path, want, got)
	}
}

func names(list any) []string {
	var out []string
	all, _ := list.([]any)
	for _, name := range all {
		out = append(out, name.(string))
	}
	slices.Sort(out)
	return out
}

// TestAPIVenueShapes: every venue of a manifest has the same meaning when it goes
// through the API's shape.
func TestAPIVenueShapes(t *testing.T) {
	for _, v := range []v1alpha1.Venue{studyRoom(), musicRoom(), practice(), assemblyHall(), gym()} {
		var shape venueSpec
		var back v1alpha1.Venue
		if err := recode(v, &shape); err != nil {
			t.Fatal(err)
		}
		if err := recode(shape, &back); err != nil {
			t.Fatal(err)
		}
		want, _ := json.Marshal(v)
		if got, _ := json.Marshal(back); string(got) != string(want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
