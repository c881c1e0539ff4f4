package up

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// summary prints where to click and what to try.
func (c *cluster) summary(ctx context.Context, say *progress) error {
	communities, err := c.communities(ctx)
	if err != nil {
		return err
	}
	say.print("")
	if len(communities) == 0 {
		say.print("The cluster runs (%d s).", say.seconds())
	} else {
		say.print("%d communities are Ready (%d s):", len(communities), say.seconds())
		say.print("")
		for _, community := range communities {
			url, _, _ := unstructured.NestedString(community.Object, "status", "url")
			name, _, _ := unstructured.NestedString(community.Object, "spec", "displayName")
			say.print("  %-40s %s", url, name)
		}
	}
	say.print("")
	say.print("  %s get communities", kubectlHint(c.layout))
	say.print("  %s get pods -A", kubectlHint(c.layout))
	say.print("")
	say.print("The cluster keeps running in the background: make down stops it, make reset also forgets")
	say.print("its data. It is meant for development and is no place for real data.")
	return nil
}
