package tenant

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestRender compares what is rendered with testdata/<case>.yaml. A difference
// in an existing file means that RendererVersion has to rise.
func TestRender(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.Community, *v1alpha1.CommunityClass){
		"minimal": func(*v1alpha1.Community, *v1alpha1.CommunityClass) {},
		"full": func(c *v1alpha1.Community, class *v1alpha1.CommunityClass) {
			c.Spec.Estates = []v1alpha1.Estate{{
				Name: "hubin-huayuan", DisplayName: "湖滨花园", Class: v1alpha1.EstateClassCommercial,
				Rating: v1alpha1.EstateRatingModel, Households: 820, Residents: 2310, Buildings: []string{"1号楼", "2号楼"},
			}}
			c.Spec.Grids = []v1alpha1.Grid{{Name: "first", DisplayName: "第一网格", Estates: []string{"hubin-huayuan"}}}
			c.Spec.Managers = []v1alpha1.Manager{{Name: "wang-min", DisplayName: "王敏"}}
			c.Spec.Services.Booking = &v1alpha1.Booking{
				ManagedBy: v1alpha1.ManagedByManifest,
				Venues: []v1alpha1.Venue{{
					Name: "study", DisplayName: "自习室", Kind: v1alpha1.VenueSeats, Seats: 60, SlotMinutes: 60,
					Hours:              []v1alpha1.OpeningHours{{Days: []v1alpha1.Weekday{"Monday", "Tuesday"}, From: "08:00", To: "20:00"}},
					MaxSlotsPerBooking: 4, BookingWindowDays: 7, MaxPerResidentPerDay: 1, ClosedDates: []string{"2027-01-01"},
				}},
			}
			class.Spec.Notifications.SMSWebhook = "https://sms.yutai.gov.cn:9443/send"
			class.Spec.Image = "registry.example.cn/linli:v1.2.3"
			class.Spec.Domain = "community.yutai.gov.cn"
			class.Spec.Gateway = v1alpha1.Gateway{Namespace: "ingress", Name: "public", Scheme: v1alpha1.SchemeHTTPS, Port: 8443}
			class.Spec.Database = v1alpha1.Database{Engine: v1alpha1.EngineSQLite, Size: resource.MustParse("10Gi"), StorageClassName: "ssd"}
			class.Spec.Resources = corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")},
				Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1"), corev1.ResourceMemory: resource.MustParse("512Mi")},
			}
		},
		"online-payments": func(c *v1alpha1.Community, _ *v1alpha1.CommunityClass) {
			c.Spec.Services.Accounts = &v1alpha1.Accounts{WeChatPay: &v1alpha1.WeChatPay{
				AppID: "wx0123456789abcdef", MerchantID: "1900000001", CertificateSerial: "5157F09EFDC096DE15EBE81A47057A72", PublicKeyID: "PUB_KEY_ID_0119000000012026",
			}}
		},
		"suspended": func(c *v1alpha1.Community, _ *v1alpha1.CommunityClass) {
			c.Spec.RunPolicy = v1alpha1.RunPolicySuspended
		},
		"scheduling": func(_ *v1alpha1.Community, class *v1alpha1.CommunityClass) {
			seconds := int64(60)
			class.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
			class.Spec.NodeSelector = map[string]string{"linli.io/pool": "communities"}
			class.Spec.Tolerations = []corev1.Toleration{
				{Key: "linli.io/pool", Operator: corev1.TolerationOpEqual, Value: "communities", Effect: corev1.TaintEffectNoSchedule},
				{Key: "node.kubernetes.io/not-ready", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds},
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, class := minimal()
			change(c, class)
			got := rendered(t, c, class)
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s; look at the difference after: go test ./internal/tenant -update", golden)
			}
		})
	}
}

// TestRenderTwice: the same input gives the same bytes, or objects would be
// written again and again.
func TestRenderTwice(t *testing.T) {
	c, class := minimal()
	class.Spec.NodeSelector = map[string]string{"a": "1", "b": "2", "c": "3", "d": "4"}
	first := rendered(t, c, class)
	for range 20 {
		if !bytes.Equal(first, rendered(t, c, class)) {
			t.Fatal("the same community and release gave different objects")
		}
	}
}

// TestOnlyWhatMattersRolls: venues are read from the mounted file, so that
// changing them must not restart the services; switching a service on must.
func TestOnlyWhatMattersRolls(t *testing.T) {
	c, class := minimal()
	c.Spec.Services.Booking = &v1alpha1.Booking{}
	before := deploymentOf(t, c, class)

	c.Spec.Services.Booking.Venues = []v1alpha1.Venue{{Name: "hall", DisplayName: "大厅"}}
	c.Spec.Phone = "12345"
	if after := deploymentOf(t, c, class); after != before {
		t.Errorf("a change of venues and phone changed the Deployment:\n%s\n%s", before, after)
	}
	c.Spec.Services.Booking = nil
	if after := deploymentOf(t, c, class); after == before {
		t.Error("switching a service off did not change the Deployment")
	}
}

// TestStatusIsNotRendered: what the operator or others write about a Community
// must not come back as a change of its objects.
func TestStatusIsNotRendered(t *testing.T) {
	c, class := minimal()
	before := rendered(t, c, class)
	c.Status.URL = "http://elsewhere"
	c.ResourceVersion, c.Generation = "42", 7
	c.Finalizers = []string{v1alpha1.Finalizer}
	c.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
	if !bytes.Equal(before, rendered(t, c, class)) {
		t.Error("status or bookkeeping of the Community is rendered")
	}
}

func TestNothingOwnsANamespace(t *testing.T) {
	c, class := minimal()
	if strings.Contains(string(rendered(t, c, class)), "ownerReferences") {
		t.Error("an ownerReference would let data be collected as garbage")
	}
}

func TestOtherRenderer(t *testing.T) {
	c, class := minimal()
	r := releaseOf(t, class)
	r.RendererVersion++
	if _, err := Render(c, r); !errors.Is(err, ErrOtherRenderer) {
		t.Errorf("a release of another renderer gave %v", err)
	}
}

func TestTooLarge(t *testing.T) {
	c, class := minimal()
	for range 100 {
		estate := v1alpha1.Estate{Name: "e", DisplayName: "e"}
		for range 200 {
			estate.Buildings = append(estate.Buildings, strings.Repeat("楼", 40))
		}
		c.Spec.Estates = append(c.Spec.Estates, estate)
	}
	if _, err := Render(c, releaseOf(t, class)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a community of several MB gave %v", err)
	}
}

func TestNewRelease(t *testing.T) {
	_, class := minimal()
	a, b := releaseOf(t, class), releaseOf(t, class)
	if a.Name != b.Name || !strings.HasPrefix(a.Name, class.Name+"-") || len(a.Name) != len(class.Name)+11 {
		t.Errorf("the same class gave %q and %q", a.Name, b.Name)
	}
	if a.Class.Image != "linli:operator" || class.Spec.Image != "" {
		t.Errorf("image %q of the release, %q of the class", a.Class.Image, class.Spec.Image)
	}
	class.Spec.Gateway.Port = 9090
	if c := releaseOf(t, class); c.Name == a.Name {
		t.Error("a changed class gave a release of the same name")
	}
}

// TestResources: defaults never contradict what the class says.
func TestResources(t *testing.T) {
	quantity := resource.MustParse
	for name, test := range map[string]struct {
		class corev1.ResourceRequirements
		want  string // requests.cpu requests.memory limits.cpu limits.memory
	}{
		"nothing said":          {corev1.ResourceRequirements{}, "20m 64Mi 0 256Mi"},
		"small limit":           {corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": quantity("32Mi"), "cpu": quantity("10m")}}, "10m 32Mi 10m 32Mi"},
		"large request":         {corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": quantity("1Gi")}}, "20m 1Gi 0 1Gi"},
		"all said by the class": {corev1.ResourceRequirements{Requests: corev1.ResourceList{"memory": quantity("1Gi"), "cpu": quantity("1")}, Limits: corev1.ResourceList{"memory": quantity("2Gi"), "cpu": quantity("2")}}, "1 1Gi 2 2Gi"},
	} {
		t.Run(name, func(t *testing.T) {
			_, class := minimal()
			class.Spec.Resources = test.class
			got := resourcesOf(releaseOf(t, class))
			s := got.Requests.Cpu().String() + " " + got.Requests.Memory().String() + " " + got.Limits.Cpu().String() + " " + got.Limits.Memory().String()
			if s != test.want {
				t.Errorf("got %s, want %s", s, test.want)
			}
		})
	}
}

func minimal() (*v1alpha1.Community, *v1alpha1.CommunityClass) {
	c := &v1alpha1.Community{
		ObjectMeta: metav1.ObjectMeta{Name: "zhanqian", UID: "6f3ad8a1-6e6f-4a2f-9d52-2f6c1c1f0a11"},
		Spec: v1alpha1.CommunitySpec{
			ClassName: "yutai", DisplayName: "站前社区", TimeZone: "Asia/Shanghai", Phone: "0537-6211234",
			Region: v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
		},
	}
	class := &v1alpha1.CommunityClass{
		ObjectMeta: metav1.ObjectMeta{Name: "yutai"},
		Spec: v1alpha1.CommunityClassSpec{
			Topology: v1alpha1.TopologyCompact,
			Database: v1alpha1.Database{Engine: v1alpha1.EngineSQLite},
			Domain:   "localhost",
			Gateway:  v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
			Identity: v1alpha1.Identity{Issuer: "http://id.localhost:8080"},
		},
	}
	return c, class
}

func releaseOf(t *testing.T, class *v1alpha1.CommunityClass) *v1alpha1.Release {
	t.Helper()
	r, err := NewRelease(class, "linli:operator")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rendered(t *testing.T, c *v1alpha1.Community, class *v1alpha1.CommunityClass) []byte {
	t.Helper()
	objects, err := Render(c, releaseOf(t, class))
	if err != nil {
		t.Fatal(err)
	}
	var documents [][]byte
	for _, o := range objects {
		y, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		documents = append(documents, y)
	}
	return bytes.Join(documents, []byte("---\n"))
}

func deploymentOf(t *testing.T, c *v1alpha1.Community, class *v1alpha1.CommunityClass) string {
	t.Helper()
	objects, err := Render(c, releaseOf(t, class))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(objects, func(o Object) bool { return *o.GetKind() == "Deployment" })
	y, err := yaml.Marshal(objects[i])
	if err != nil {
		t.Fatal(err)
	}
	return string(y)
}
