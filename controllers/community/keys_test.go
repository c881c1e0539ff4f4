package community

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/tenant"
)

// A key that has been in use for its lifetime is changed once, and what was
// made with it can still be read.
func TestKeysAreChangedWhenTheirTimeIsOver(t *testing.T) {
	startOperator(t)
	c := running(t, "rotating")
	name := client.ObjectKey{Namespace: v1alpha1.NamespaceOf(c.Name), Name: tenant.KeysSecret}
	keys := func() corev1.Secret {
		t.Helper()
		var s corev1.Secret
		if err := admin.Get(t.Context(), name, &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := keys()
	look := func(phone string) {
		t.Helper()
		change(t, c, func(c *v1alpha1.Community) { c.Spec.Phone = phone })
		await(t, "a look at the community", func(ctx context.Context) error {
			var config corev1.ConfigMap
			if err := admin.Get(ctx, client.ObjectKey{Namespace: name.Namespace, Name: tenant.Name}, &config); err != nil {
				return err
			}
			if !strings.Contains(config.Data["community.yaml"], phone) {
				return fmt.Errorf("the configuration does not have the number %s", phone)
			}
			return nil
		})
	}
	aged := first.DeepCopy()
	aged.Data["sms.secret"] = []byte("the county's own")
	metav1.SetMetaDataAnnotation(&aged.ObjectMeta, v1alpha1.AnnotationKeysChangedAt, time.Now().Add(-keysLifetime).UTC().Format(time.RFC3339))
	if err := admin.Patch(t.Context(), aged, client.MergeFrom(&first)); err != nil {
		t.Fatal(err)
	}
	look("0537-0000001")
	second := keys()
	if bytes.Equal(second.Data[tenant.SessionKey], first.Data[tenant.SessionKey]) {
		t.Fatal("the key is the same as before")
	}
	if !bytes.Equal(second.Data[tenant.PreviousSessionKey], first.Data[tenant.SessionKey]) || len(second.Data[tenant.SessionKey]) != 32 {
		t.Error("the key before is not kept as the previous one")
	}
	if string(second.Data["sms.secret"]) != "the county's own" {
		t.Error("another key in the Secret is gone")
	}
	look("0537-0000002")
	if now := keys(); now.ResourceVersion != second.ResourceVersion {
		t.Error("a new key was changed at the next look")
	}
}
