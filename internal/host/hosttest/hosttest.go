// Package hosttest runs services in the test process, as linli serve runs them:
// the same host, real files, real HTTP.
package hosttest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/yaml"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/identity/identitytest"
)

// Options say what to run. The zero value runs nothing but the host itself.
type Options struct {
	Services []host.Service
	// Peers are services that run in other processes, or are other Servers.
	Peers []host.Peer
	// Community is the community to run for; nil means Community().
	Community *v1alpha1.Community
	// Release is the release to run; nil means Release().
	Release *v1alpha1.Release
	// Clock is the time; nil means the real one.
	Clock clock.WithTicker
	// DataDir is the data directory; empty means a new one.
	DataDir string
	// DatabaseDir holds the connection string of a PostgreSQL database; empty
	// means SQLite in DataDir.
	DatabaseDir string
	// Log is where the host logs to; nil means the test's own output.
	Log io.Writer
	// ConfigVolume lays the configuration out as Kubernetes mounts a
	// ConfigMap: links into a directory that is itself swapped by a link.
	ConfigVolume bool
}

// Server is a host that runs in the test process until the test ends.
type Server struct {
	// URL is where pages are, such as http://zhanqian.localhost:41234, without
	// a slash at the end. Only the clients of this Server resolve the name.
	URL string
	// MetricsURL is where health and metrics are.
	MetricsURL string
	ConfigDir  string
	DataDir    string

	// Issuer is where people sign in; nil if the release names another one.
	Issuer *identitytest.Issuer
	// Host is what runs.
	Host *host.Host

	addr      string
	keys      string
	volume    bool
	versions  int
	community *v1alpha1.Community
	release   *v1alpha1.Release
	stop      context.CancelFunc
	ended     chan error
}

// Community returns a community to test with: zhanqian, with no services.
func Community() *v1alpha1.Community {
	return &v1alpha1.Community{
		TypeMeta:   metav1.TypeMeta{APIVersion: "linli.io/v1alpha1", Kind: "Community"},
		ObjectMeta: metav1.ObjectMeta{Name: "zhanqian", UID: "3f1c9a3e-6f0e-4a7b-9a53-8d8f6e0c1b11", Generation: 1},
		Spec: v1alpha1.CommunitySpec{
			ClassName:   "yutai",
			DisplayName: "站前社区",
			Region:      v1alpha1.Region{County: "鱼台县", Subdistrict: "滨湖街道"},
			TimeZone:    "Asia/Shanghai",
			Phone:       "0537-0000101",
			Estates: []v1alpha1.Estate{
				{Name: "zhanqian-huayuan", DisplayName: "站前花园", Class: v1alpha1.EstateClassCommercial, Households: 420},
				{Name: "tielu", DisplayName: "铁路家属院", Class: v1alpha1.EstateClassOld, Households: 96},
			},
		},
	}
}

// Release returns a release to test with, on localhost. Where it names no
// issuer, Start runs one at which the members of identitytest have accounts.
func Release() *v1alpha1.Release {
	return &v1alpha1.Release{
		Name: "yutai-1", ClassName: "yutai", RendererVersion: 2,
		Class: v1alpha1.CommunityClassSpec{
			Domain:  "localhost",
			Gateway: v1alpha1.Gateway{Namespace: "gateway-system", Name: "linli", Scheme: v1alpha1.SchemeHTTP, Port: 8080},
		},
	}
}

// Start runs the services. The test fails if they cannot start or do not stop
// cleanly.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := TryStart(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TryStart is Start for tests in which the services may not start.
func TryStart(t testing.TB, o Options) (*Server, error) {
	t.Helper()
	if o.Community == nil {
		o.Community = Community()
	}
	if o.Release == nil {
		o.Release = Release()
	}
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.DataDir == "" {
		o.DataDir = t.TempDir()
	}
	if o.Log == nil {
		o.Log = t.Output()
	}
	keys := t.TempDir()
	s := &Server{
		ConfigDir: t.TempDir(), DataDir: o.DataDir, keys: keys,
		volume: o.ConfigVolume, community: o.Community, release: o.Release,
		ended: make(chan error, 1),
	}
	if s.release.Class.Identity.Issuer == "" {
		s.Issuer = identitytest.NewIssuer(t, o.Clock.Now)
		release := *s.release
		release.Class.Identity.Issuer = s.Issuer.URL
		s.release = &release
		known := slices.Clone(o.Services)
		for _, p := range o.Peers {
			known = append(known, p.Service)
		}
		if !slices.ContainsFunc(known, func(s host.Service) bool { return s.Name == "residents" }) {
			o.Services = append(slices.Clone(o.Services), residents(s.Issuer.URL))
		}
	}
	s.WriteConfig(t)
	if err := os.WriteFile(filepath.Join(keys, "session.key"), bytes.Repeat([]byte("k"), identity.KeySize), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	h, err := host.Start(ctx, host.Options{
		Services: o.Services, Peers: o.Peers,
		ConfigDir: s.ConfigDir, KeysDir: keys, DataDir: o.DataDir, DatabaseDir: o.DatabaseDir,
		Address: "127.0.0.1:0", MetricsAddress: "127.0.0.1:0",
		Clock: o.Clock,
		Log:   slog.New(slog.NewTextHandler(o.Log, nil)),
	})
	if err != nil {
		stop()
		return nil, err
	}
	s.stop, s.Host = stop, h
	s.addr = h.Addr().String()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.URL = "http://" + o.Community.Name + "." + o.Release.Class.Domain + ":" + port
	s.MetricsURL = "http://" + h.MetricsAddr().String()
	go func() {
		s.ended <- h.Wait(ctx)
		close(s.ended)
	}()
	t.Cleanup(func() { s.Stop(t) })
	return s, nil
}

// Stop stops the host gracefully and waits until it has ended.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("the host ended with: %v", err)
	}
}

// BeginStop asks the host to stop, and returns at once.
func (s *Server) BeginStop() { s.stop() }

// Ended is closed when the host has ended; before that it delivers the error
// that made it end, if there is one.
func (s *Server) Ended() <-chan error { return s.ended }

// Configure changes the community as a new ConfigMap would. The services take
// it over a moment later.
func (s *Server) Configure(t testing.TB, change func(*v1alpha1.Community)) {
	t.Helper()
	s.community = s.community.DeepCopy()
	s.community.Generation++
	change(s.community)
	s.WriteConfig(t)
}

// WriteConfig writes the files of the configuration as they should be.
func (s *Server) WriteConfig(t testing.TB) {
	t.Helper()
	dir := s.ConfigDir
	s.versions++
	version := fmt.Sprintf("..v%d", s.versions)
	if s.volume {
		dir = filepath.Join(dir, version)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, object := range map[string]any{"community.yaml": s.community, "release.yaml": s.release} {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".new", data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		if s.volume && s.versions == 1 {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(s.ConfigDir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s.volume {
		next, current := filepath.Join(s.ConfigDir, "..data_tmp"), filepath.Join(s.ConfigDir, "..data")
		if err := os.Symlink(version, next); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, current); err != nil {
			t.Fatal(err)
		}
	}
}

// Client returns a browser without JavaScript: it keeps cookies and does not
// follow redirects.
func (s *Server) Client(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	own, dialer := s.Site(), net.Dialer{}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if name, _, err := net.SplitHostPort(address); err == nil && strings.Contains(own, "://"+name) {
				address = s.addr
			}
			return dialer.DialContext(ctx, network, address)
		},
		MaxIdleConnsPerHost: 16,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Site is the community's address as its configuration has it: the audience of
// its tokens. It differs from URL by the port.
func (s *Server) Site() string { return s.release.Class.URL(s.community.Name) }

// SignIn returns a browser in which the member with that account, such as
// li-qiang, is signed in; staff in the way that staff must.
func (s *Server) SignIn(t testing.TB, account string) *http.Client {
	t.Helper()
	m, _ := identitytest.MemberOf(account)
	client := s.Client(t)
	s.SignInWith(t, client, account, m.Role == identity.Staff)
	return client
}

// SignInWith signs the account in with a browser, and returns where that leads
// to in the end. Nobody need know the account.
func (s *Server) SignInWith(t testing.TB, client *http.Client, account string, staff bool) (location string) {
	t.Helper()
	location = s.URL + "/identity/sign-in?" + url.Values{"staff": {strconv.FormatBool(staff)}}.Encode()
	for range 3 { // to the issuer, back, and on
		r, err := client.Get(location)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusSeeOther {
			t.Fatalf("signing in as %s: %s at %s", account, r.Status, r.Request.URL.Path)
		}
		location = r.Header.Get("Location")
		if strings.HasPrefix(location, s.Issuer.URL) {
			location += "&account=" + url.QueryEscape(account)
		}
	}
	return location
}

// Token returns a bearer token of the member with that account.
func (s *Server) Token(t testing.TB, account string) string {
	t.Helper()
	return s.Issuer.Token(t, account, s.Site())
}

// Key is the community's secret.
func (s *Server) Key() []byte { return bytes.Repeat([]byte("k"), identity.KeySize) }

// RotateKeys changes the community's keys as the operator does.
func (s *Server) RotateKeys(t testing.TB, current, previous []byte) {
	t.Helper()
	for name, key := range map[string][]byte{"session.key": current, "session.previous.key": previous} {
		if err := os.WriteFile(filepath.Join(s.keys, name), key, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// PutKey writes a file of the Secret with the community's keys, such as one for
// a service beside the community's own.
func (s *Server) PutKey(t testing.TB, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.keys, name), content, 0o600); err != nil {
		t.Fatal(err)
	}
}
