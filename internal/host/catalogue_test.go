package host

import (
	"strings"
	"testing"

	"github.com/linli-io/linli/internal/sharing"
)

func TestCheckDatasets(t *testing.T) {
	listed := &Router{patterns: []string{"GET /canteen/sharing/v1/datasets"}}
	menus := sharing.Dataset{
		Name: "canteen.menus", Title: "t", Text: "t", Floor: sharing.Unconditional, SQL: "SELECT 1",
		Columns: []sharing.Column{{Name: "day", Type: sharing.Date, Title: "t", Tag: sharing.None}},
	}
	faulty := menus
	faulty.Floor = ""
	for name, test := range map[string]struct {
		service string
		dataset sharing.Dataset
		mux     *Router
		want    string
	}{
		"fine":                  {"canteen", menus, listed, ""},
		"another service's":     {"booking", menus, listed, "not named after its service"},
		"declared with a fault": {"canteen", faulty, listed, "floor"},
		"without an API":        {"canteen", menus, &Router{}, "in no catalogue"},
	} {
		err := Service{Name: test.service, Datasets: []sharing.Dataset{test.dataset}}.checkDatasets(test.mux)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
