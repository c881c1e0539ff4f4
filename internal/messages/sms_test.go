package messages

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

const (
	secretText = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretKey  = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// smsGateway is a gateway that answers as it is told.
type smsGateway struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []sms
	answer func(n int) int // the status for the n-th request, from 1
}

func newSMSGateway(t *testing.T, answer func(n int) int) *smsGateway {
	g := &smsGateway{answer: answer}
	key, err := base64.StdEncoding.DecodeString(secretKey)
	must(t, err)
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		h := r.Header
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(h.Get("Webhook-Id") + "." + h.Get("Webhook-Timestamp") + "." + string(body)))
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("Webhook-Signature") != want {
			t.Errorf("signature %q, want %q", h.Get("Webhook-Signature"), want)
		}
		var m sms
		if err := json.Unmarshal(body, &m); err != nil {
			t.Error(err)
		}
		if h.Get("Idempotency-Key") != m.ID || h.Get("Webhook-Id") != m.ID {
			t.Errorf("the keys of %s are %q and %q", m.ID, h.Get("Idempotency-Key"), h.Get("Webhook-Id"))
		}
		g.mu.Lock()
		g.asked = append(g.asked, m)
		n := len(g.asked)
		g.mu.Unlock()
		w.WriteHeader(g.answer(n))
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *smsGateway) requests() []sms {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]sms(nil), g.asked...)
}

func always(status int) func(int) int { return func(int) int { return status } }

// village is who lives in a community of these tests.
type village map[string]identity.Known

func (v village) Lookup(_ context.Context, id string) (identity.Known, error) {
	k, ok := v[id]
	if !ok {
		return k, identity.ErrNobody
	}
	return k, nil
}

func villagers() village {
	v := village{}
	for _, p := range []identity.Person{
		{ID: "li", Name: "李强", Phone: "13800000001"}, {ID: "wang", Name: "王桂花", Phone: "13800000003"},
		{ID: "child", Name: "李小满"}, {ID: "zhao", Name: "赵长顺"},
	} {
		v[p.ID] = identity.Known{Person: p}
	}
	v["li"] = identity.Known{Person: v["li"].Person, Household: []identity.Represented{
		{Person: v["child"].Person, Scopes: identity.Scopes}, {Person: v["wang"].Person, Scopes: identity.Scopes},
	}}
	return v
}

// newService is the service at half past nine, with a gateway if it is not nil.
func newService(t testing.TB, store *Store, g *smsGateway) (*service, *testclock.FakeClock) {
	c := testclock.NewFakeClock(clockAt(9, 30))
	class := v1alpha1.CommunityClassSpec{}
	client := newGatewayClient()
	if g != nil {
		class.Notifications.SMSWebhook, client.Transport = g.URL, g.Client().Transport
	}
	community := &v1alpha1.Community{}
	community.Name, community.Spec.DisplayName = "zhanqian", "站前社区"
	return &service{
		store: store, clock: c, client: client, people: villagers(),
		config: func() host.Snapshot {
			return host.Snapshot{Community: community, Release: &v1alpha1.Release{Class: class}, Location: shanghai}
		},
		secret:  func() ([]byte, error) { return []byte(secretText), nil },
		log:     slog.New(slog.NewTextHandler(t.Output(), nil)),
		metrics: newMetrics(prometheus.NewRegistry()),
	}, c
}

func told(person, about string) notify.Message {
	return notify.Message{
		ID: uuid.New(), At: clockAt(9, 30), Person: person, Kind: "booking-moved", About: about, NotAfter: clockAt(40, 0),
		Text: map[string]string{"zh-CN": "长文", "en": "long"}, Short: map[string]string{"zh-CN": "短文", "en": "short"},
	}
}

func stateOf(t testing.TB, s *Store, person string) string {
	t.Helper()
	var states []string
	for _, i := range inboxOf(t, s, person) {
		states = append(states, string(i.State))
	}
	return strings.Join(states, " ")
}

// pass has time pass, looking for what is to be sent every second.
func pass(t testing.TB, s *service, c *testclock.FakeClock, d time.Duration) {
	t.Helper()
	for end := c.Now().Add(d); c.Now().Before(end); c.Step(time.Second) {
		must(t, s.sendDue(t.Context()))
	}
}

func TestSMS(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, always(http.StatusAccepted))
		s, _ := newService(t, store, g)
		must(t, store.Prefer(t.Context(), "wang", Preferences{WaySMS, web.English}, clockAt(9, 0)))
		li, wang := told("li", "1"), told("wang", "2")
		for _, m := range []notify.Message{li, wang, li} { // one comes twice
			must(t, s.take(t.Context(), m))
		}
		must(t, s.sendDue(t.Context()))
		must(t, s.sendDue(t.Context()))
		want := fmt.Sprint([]sms{
			{ID: li.ID.String(), To: "13800000001", Text: "【站前社区】短文", Language: "zh-CN", Community: "zhanqian"},
			{ID: wang.ID.String(), To: "13800000003", Text: "【站前社区】short", Language: "en", Community: "zhanqian"},
		})
		got := g.requests()
		if len(got) == 2 && got[0].To > got[1].To {
			got[0], got[1] = got[1], got[0]
		}
		if fmt.Sprint(got) != want {
			t.Errorf("sent %v, want %s", got, want)
		}
		if stateOf(t, store, "li") != "sent" {
			t.Errorf("noted: %s", stateOf(t, store, "li"))
		}
	})
}

// A gateway that fails is asked again with the same ID; a message that it
// never takes comes to the front desk.
func TestSMSFails(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, func(n int) int { return []int{0, 500, 302, 429, 200}[n] })
		s, c := newService(t, store, g)
		must(t, s.take(t.Context(), told("li", "1")))
		pass(t, s, c, time.Minute)
		got := g.requests()
		if len(got) != 4 || got[3] != got[0] || stateOf(t, store, "li") != "sent" {
			t.Errorf("%d requests, %s: %v", len(got), stateOf(t, store, "li"), got)
		}
	})
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, always(http.StatusInternalServerError))
		s, c := newService(t, store, g)
		must(t, s.take(t.Context(), told("li", "1")))
		for stateOf(t, store, "li") == "to-send" && c.Since(clockAt(9, 30)) < 12*time.Hour {
			must(t, s.sendDue(t.Context()))
			c.Step(10 * time.Second)
		}
		if n, took := len(g.requests()), c.Since(clockAt(9, 30)); n != patience || took < time.Hour || took > 3*time.Hour || stateOf(t, store, "li") != "to-call" {
			t.Errorf("%d requests in %s, then %s", n, took, stateOf(t, store, "li"))
		}
	})
}

// What a gateway says of why it fails may name whom it cannot reach; the log
// does not.
func TestSMSLogsNobody(t *testing.T) {
	for name, words := range map[string]string{
		"a status":          "HTTP/1.1 500 no subscriber 13800000001\r\nContent-Length: 0\r\n\r\n",
		"a body":            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 11\r\n\r\n13800000001",
		"a header":          "HTTP/1.1 500 no\r\n13800000001\r\n\r\n",
		"something else":    "13800000001 李强 does not answer\r\n",
		"a way to somebody": "HTTP/1.1 307 Elsewhere\r\nLocation: /to/13800000001\r\nContent-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, store *Store) {
				g := newSMSGateway(t, always(http.StatusOK))
				g.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, _, err := w.(http.Hijacker).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					defer c.Close()
					_, _ = io.WriteString(c, words)
				})
				s, _ := newService(t, store, g)
				var log bytes.Buffer
				s.log = slog.New(slog.NewJSONHandler(&log, nil))
				must(t, s.take(t.Context(), told("li", "1")))
				must(t, s.sendDue(t.Context()))
				if got := log.String(); !strings.Contains(got, "was not sent") || strings.Contains(got, "13800000001") || strings.Contains(got, "李强") {
					t.Errorf("logged %s", got)
				}
			})
		})
	}
}

func TestSMSRefused(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, always(http.StatusUnprocessableEntity))
		s, c := newService(t, store, g)
		must(t, s.take(t.Context(), told("li", "1")))
		pass(t, s, c, time.Minute)
		if len(g.requests()) != 1 || stateOf(t, store, "li") != "to-call" {
			t.Errorf("%d requests, %s", len(g.requests()), stateOf(t, store, "li"))
		}
	})
}

// A gateway that answers too late may have sent the message: it is asked again
// with the same ID, and not by two at the same time.
func TestSMSLate(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		answer := make(chan struct{})
		asked := make(chan struct{}, 4)
		g := newSMSGateway(t, func(n int) int {
			asked <- struct{}{}
			if n == 1 {
				<-answer
			}
			return http.StatusOK
		})
		s, c := newService(t, store, g)
		s.client.Timeout = 50 * time.Millisecond // the test does not wait for the real one
		must(t, s.take(t.Context(), told("li", "1")))
		other, _ := newService(t, store, g)
		other.clock = c
		done := make(chan error)
		go func() { done <- s.sendDue(t.Context()) }()
		<-asked
		must(t, other.sendDue(t.Context()))
		must(t, <-done)
		if n := len(g.requests()); n != 1 {
			t.Errorf("%d requests at the same time", n)
		}
		close(answer)
		pass(t, other, c, time.Minute)
		got := g.requests()
		if len(got) != 2 || got[0] != got[1] || stateOf(t, store, "li") != "sent" {
			t.Errorf("%v, %s", got, stateOf(t, store, "li"))
		}
	})
}

func TestSMSAtNight(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, always(http.StatusOK))
		s, c := newService(t, store, g)
		c.SetTime(clockAt(21, 30))
		urgent := told("wang", "2")
		urgent.Urgent = true
		must(t, s.take(t.Context(), told("li", "1")))
		must(t, s.take(t.Context(), urgent))
		must(t, s.sendDue(t.Context()))
		if got := g.requests(); len(got) != 1 || got[0].To != "13800000003" {
			t.Errorf("at night: %v", got)
		}
		c.SetTime(clockAt(31, 59))
		must(t, s.sendDue(t.Context()))
		c.SetTime(clockAt(32, 0))
		must(t, s.sendDue(t.Context()))
		if got := g.requests(); len(got) != 2 || got[1].To != "13800000001" {
			t.Errorf("in the morning: %v", got)
		}
	})
}

// What is to be sent is looked at again when it is time.
func TestSMSLooksAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(t *testing.T, s *service)
		want   string // the state then; empty if nothing is kept
	}{
		"nobody any more": {func(_ *testing.T, s *service) { delete(s.people.(village), "li") }, ""},
		"no number any more": {func(_ *testing.T, s *service) {
			s.people.(village)["li"] = identity.Known{Person: identity.Person{ID: "li"}}
		}, "to-call"},
		"wants pages only": {func(t *testing.T, s *service) {
			must(t, s.store.Prefer(t.Context(), "li", Preferences{WayPage, web.Chinese}, clockAt(10, 0)))
		}, "page"},
		"of no use any more": {func(_ *testing.T, s *service) { s.clock.(*testclock.FakeClock).SetTime(clockAt(40, 0)) }, "page"},
		"a secret that is none": {func(_ *testing.T, s *service) {
			s.secret = func() ([]byte, error) { return []byte("x"), nil }
		}, "to-send"},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, store *Store) {
				g := newSMSGateway(t, always(http.StatusOK))
				s, _ := newService(t, store, g)
				must(t, s.take(t.Context(), told("li", "1")))
				c.change(t, s)
				must(t, s.sendDue(t.Context()))
				if got := stateOf(t, store, "li"); got != c.want || len(g.requests()) != 0 {
					t.Errorf("%q after %d requests, want %q", got, len(g.requests()), c.want)
				}
			})
		})
	}
}

// Without a secret nothing is signed.
func TestSMSUnsigned(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		signature := make(chan string, 1)
		g := &smsGateway{Server: httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			signature <- r.Header.Get("Webhook-Signature")
		}))}
		t.Cleanup(g.Close)
		s, _ := newService(t, store, g)
		s.secret = func() ([]byte, error) { return nil, fs.ErrNotExist }
		must(t, s.take(t.Context(), told("li", "1")))
		must(t, s.sendDue(t.Context()))
		if got := <-signature; got != "" || stateOf(t, store, "li") != "sent" {
			t.Errorf("signature %q, %s", got, stateOf(t, store, "li"))
		}
	})
}

func TestWhoIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		message func(m *notify.Message)
		want    map[string]string // state by person
	}{
		"oneself":                          {func(m *notify.Message) { m.By = "li" }, map[string]string{"li": "to-send"}},
		"a child, and who booked for it":   {func(m *notify.Message) { m.Person, m.By = "child", "li" }, map[string]string{"child": "page", "li": "to-send"}},
		"a mother, and who booked for her": {func(m *notify.Message) { m.Person, m.By = "wang", "li" }, map[string]string{"wang": "to-send", "li": "to-send"}},
		"whom the desk booked for":         {func(m *notify.Message) { m.Person, m.By = "li", "zhao" }, map[string]string{"li": "to-send", "zhao": ""}},
		"somebody without a phone":         {func(m *notify.Message) { m.Person = "zhao" }, map[string]string{"zhao": "to-call"}},
		"nobody we know":                   {func(m *notify.Message) { m.Person = "gone" }, map[string]string{"gone": ""}},
		"a guest": {func(m *notify.Message) { m.Person, m.Name, m.Phone, m.By = "guest:1", "老周", "13900000000", "li" },
			map[string]string{"guest:1": "to-send", "li": ""}},
		"a guest without a phone": {func(m *notify.Message) { m.Person, m.Name = "guest:1", "老周" }, map[string]string{"guest:1": "to-call"}},
	} {
		t.Run(name, func(t *testing.T) {
			eachStore(t, func(t *testing.T, store *Store) {
				s, _ := newService(t, store, newSMSGateway(t, always(http.StatusOK)))
				m := told("li", "1")
				c.message(&m)
				must(t, s.take(t.Context(), m))
				for person, want := range c.want {
					if got := stateOf(t, store, person); got != want {
						t.Errorf("%s: %q, want %q", person, got, want)
					}
				}
				must(t, s.sendDue(t.Context()))
			})
		})
	}
}

// Whoever may not act any more for somebody is not told of them.
func TestNotToldAnyMore(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, always(http.StatusOK))
		s, c := newService(t, store, g)
		c.SetTime(clockAt(22, 0))
		m := told("child", "1")
		m.By = "li"
		must(t, s.take(t.Context(), m))
		s.people.(village)["li"] = identity.Known{Person: s.people.(village)["li"].Person}
		c.SetTime(clockAt(33, 0))
		must(t, s.sendDue(t.Context()))
		if len(g.requests()) != 0 || stateOf(t, store, "li") != "" {
			t.Errorf("%v, %s", g.requests(), stateOf(t, store, "li"))
		}
	})
}

// The log tells nobody's number, and no text.
func TestNothingPersonalInTheLog(t *testing.T) {
	eachStore(t, func(t *testing.T, store *Store) {
		g := newSMSGateway(t, func(n int) int { return []int{0, 500, 422}[n] })
		s, c := newService(t, store, g)
		var log strings.Builder
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		must(t, s.take(t.Context(), told("li", "1")))
		pass(t, s, c, 10*time.Second)
		if len(g.requests()) != 2 || !strings.Contains(log.String(), "tried again") || !strings.Contains(log.String(), "front desk") {
			t.Errorf("%d requests: %s", len(g.requests()), log.String())
		}
		for _, secret := range []string{"13800000001", "李强", "短文", "长文", g.URL} {
			if strings.Contains(log.String(), secret) {
				t.Errorf("the log has %q: %s", secret, log.String())
			}
		}
	})
}
