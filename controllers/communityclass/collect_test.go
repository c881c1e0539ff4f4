package communityclass

import (
	"fmt"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSuperfluous: the latest stay, those in force stay however old, the rest
// goes.
func TestSuperfluous(t *testing.T) {
	revisions := func(numbers ...int64) []appsv1.ControllerRevision {
		var list []appsv1.ControllerRevision
		for _, n := range numbers {
			list = append(list, appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint("r", n)}, Revision: n})
		}
		return list
	}
	for name, test := range map[string]struct {
		revisions []appsv1.ControllerRevision
		inForce   []string
		want      []string
	}{
		"none":                    {nil, nil, nil},
		"few":                     {revisions(1, 2, 3), nil, nil},
		"oldest go":               {revisions(5, 1, 4, 2, 3), nil, []string{"r2", "r1"}},
		"in force stays":          {revisions(1, 2, 3, 4, 5), []string{"r1", "r5"}, []string{"r2"}},
		"of communities without":  {revisions(1, 2, 3, 4), []string{""}, []string{"r1"}},
		"all in force, all stays": {revisions(1, 2, 3, 4), []string{"r1", "r2", "r3", "r4"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inForce := map[string]bool{}
			for _, name := range test.inForce {
				inForce[name] = true
			}
			var got []string
			for _, revision := range superfluous(test.revisions, inForce, 3) {
				got = append(got, revision.Name)
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}
