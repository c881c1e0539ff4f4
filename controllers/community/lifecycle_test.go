package community

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/linli-io/linli/api/v1alpha1"
)

var allReady = condition{metav1.ConditionTrue, v1alpha1.ReasonAllServicesReady, nil}

// running creates a class and a community of it and plays it to Ready.
func running(t *testing.T, name string) *v1alpha1.Community {
	t.Helper()
	class := newClass("class-of-" + name)
	create(t, class, newCommunity(name, class.Name))
	playReady(t, name)
	return awaitCondition(t, name, allReady)
}

func TestCreate(t *testing.T) {
	startOperator(t)
	c := running(t, "created")
	t.Log(c.Status)
}
