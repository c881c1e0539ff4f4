package notify_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	testclock "k8s.io/utils/clock/testing"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/database/databasetest"
	"github.com/linli-io/linli/internal/notify"
)

var noon = time.Date(2026, 11, 23, 4, 0, 0, 0, time.UTC)

func migrations(t testing.TB) fs.FS {
	t.Helper()
	files, err := notify.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// receiver takes messages as answer says.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []notify.Message
	answer func(n int) int // the status for the n-th request, from 1
	asked  int
}

func newReceiver(t *testing.T, answer func(n int) int) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		var m notify.Message
		if err := json.NewDecoder(req.Body).Decode(&m); err != nil || req.Method != http.MethodPost {
			t.Errorf("%s: %v", req.Method, err)
		}
		r.mu.Lock()
		r.asked++
		n := r.asked
		r.mu.Unlock()
		status := r.answer(n)
		if status < 300 {
			r.mu.Lock()
			r.got = append(r.got, m)
			r.mu.Unlock()
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) messages() (got []notify.Message, asked int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got), r.asked
}

func always(status int) func(int) int { return func(int) int { return status } }

func newOutbox(t *testing.T, db *database.DB, r *receiver, c *testclock.FakeClock) *notify.Outbox {
	return notify.NewOutbox(notify.Options{
		DB: db, URL: r.URL, Client: r.Client(), Clock: c,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Metrics: prometheus.NewRegistry(),
	})
}

func message(about string) notify.Message {
	return notify.Message{
		At: noon, Person: "li-qiang", Kind: "booking-offer", About: about, Link: "/booking/mine",
		Text:  map[string]string{"zh-CN": "轮到您了", "en": "It is your turn"},
		Short: map[string]string{"zh-CN": "有新消息", "en": "News"}, NotAfter: noon.Add(time.Hour),
	}
}

func send(t *testing.T, db *database.DB, messages ...notify.Message) {
	t.Helper()
	err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		for _, m := range messages {
			if err := notify.Send(ctx, tx, m); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func deliver(t *testing.T, o *notify.Outbox) {
	t.Helper()
	if err := o.Deliver(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func kept(t *testing.T, db *database.DB) int {
	t.Helper()
	var n int
	if err := db.Reader().NewRaw("SELECT count(*) FROM notify_outbox").Scan(t.Context(), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestDelivery(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		r := newReceiver(t, always(http.StatusNoContent))
		o := newOutbox(t, db, r, testclock.NewFakeClock(noon))
		sent := message("1")
		send(t, db, sent)
		deliver(t, o)
		deliver(t, o)
		got, asked := r.messages()
		if asked != 1 || kept(t, db) != 0 {
			t.Fatalf("%d requests, %d messages kept; want one and none", asked, kept(t, db))
		}
		if got[0].ID == uuid.Nil || !got[0].At.Equal(noon) {
			t.Errorf("delivered: %+v", got[0])
		}
		got[0].ID, got[0].At, got[0].NotAfter = uuid.Nil, sent.At, sent.NotAfter
		if fmt.Sprint(got[0]) != fmt.Sprint(sent) {
			t.Errorf("delivered %+v, want %+v", got[0], sent)
		}
	})
}

func TestNoMessageWithoutTheChange(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		refused := errors.New("refused")
		err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			return errors.Join(notify.Send(ctx, tx, message("1")), refused)
		})
		if !errors.Is(err, refused) || kept(t, db) != 0 {
			t.Errorf("%v, %d messages", err, kept(t, db))
		}
	})
}

func TestCheck(t *testing.T) {
	if err := message("1").Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*notify.Message){
		"nobody":        func(m *notify.Message) { m.Person = "" },
		"no kind":       func(m *notify.Message) { m.Kind = "" },
		"about nothing": func(m *notify.Message) { m.About = "" },
		"over at once":  func(m *notify.Message) { m.NotAfter = m.At },
		"no text":       func(m *notify.Message) { m.Text = nil },
		"one language":  func(m *notify.Message) { m.Text = map[string]string{"zh-CN": "x"} },
		"half short":    func(m *notify.Message) { m.Short = map[string]string{"en": "x"} },
	} {
		m := message("1")
		spoil(&m)
		if m.Check() == nil {
			t.Errorf("%s: nothing is said", name)
		}
	}
	m := message("1")
	if m.Short = nil; m.Check() != nil {
		t.Error("a message without short texts is refused")
	}
}

// A receiver that fails is asked again after pauses that grow, until the
// message is of no use any more.
func TestAgainAndAgain(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		r := newReceiver(t, always(http.StatusInternalServerError))
		c := testclock.NewFakeClock(noon)
		o := newOutbox(t, db, r, c)
		send(t, db, message("1"))
		var pauses []time.Duration
		last := noon
		for asked := 0; c.Now().Before(noon.Add(2 * time.Hour)); c.Step(time.Second) {
			deliver(t, o)
			if _, n := r.messages(); n > asked {
				pauses = append(pauses, c.Since(last))
				asked, last = n, c.Now()
			}
		}
		want := []time.Duration{0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600, 600}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(pauses, want) {
			t.Errorf("pauses %v, want %v", pauses, want)
		}
		if kept(t, db) != 0 {
			t.Error("what is of no use any more is kept")
		}
	})
}

func TestComesBack(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		r := newReceiver(t, func(n int) int { return []int{0, 503, 404, 204, 204}[n] })
		c := testclock.NewFakeClock(noon)
		o := newOutbox(t, db, r, c)
		send(t, db, message("1"), message("2"))
		deliver(t, o) // neither is taken
		deliver(t, o) // and neither is due
		c.Step(2 * time.Second)
		deliver(t, o)
		if got, asked := r.messages(); asked != 4 || len(got) != 2 || kept(t, db) != 0 {
			t.Errorf("%d of 2 delivered in %d requests, %d kept", len(got), asked, kept(t, db))
		}
	})
}

// Replicas that look at the same moment do not both deliver a message.
func TestReplicasShareTheWork(t *testing.T) {
	const messages = 60
	dsn := databasetest.Postgres(t)
	r := newReceiver(t, always(http.StatusOK))
	var replicas []*notify.Outbox
	var dbs []*database.DB
	for range 3 {
		db, err := database.Open(t.Context(), database.Options{DSN: dsn, Migrations: migrations(t)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		dbs, replicas = append(dbs, db), append(replicas, newOutbox(t, db, r, testclock.NewFakeClock(noon)))
	}
	for i := range messages {
		send(t, dbs[0], message(fmt.Sprint(i)))
	}
	var wg sync.WaitGroup
	for _, o := range replicas {
		wg.Go(func() { deliver(t, o) })
	}
	wg.Wait()
	got, asked := r.messages()
	slices.SortFunc(got, func(a, b notify.Message) int { return strings.Compare(a.About, b.About) })
	different := len(slices.CompactFunc(got, func(a, b notify.Message) bool { return a.About == b.About }))
	if asked != messages || different != messages || kept(t, dbs[0]) != 0 {
		t.Errorf("%d requests, %d messages delivered, %d kept; want %d", asked, different, kept(t, dbs[0]), messages)
	}
}

// While one waits for the answer nobody else tries; whoever is killed meanwhile
// is followed by another when the lease is over.
func TestLease(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		asked, answer := make(chan struct{}), make(chan struct{})
		slow := newReceiver(t, func(int) int { close(asked); <-answer; return http.StatusOK })
		fast := newReceiver(t, always(http.StatusOK))
		c := testclock.NewFakeClock(noon)
		one, other := newOutbox(t, db, slow, c), newOutbox(t, db, fast, c)
		send(t, db, message("1"))
		done := make(chan error)
		go func() { done <- one.Deliver(t.Context()) }()
		<-asked
		deliver(t, other)
		if _, n := fast.messages(); n != 0 {
			t.Error("two deliver the same message at the same time")
		}
		c.Step(61 * time.Second)
		deliver(t, other)
		if _, n := fast.messages(); n != 1 {
			t.Error("nobody follows when the lease is over")
		}
		close(answer)
		if err := <-done; err != nil || kept(t, db) != 0 {
			t.Errorf("%v, %d messages kept", err, kept(t, db))
		}
	})
}

// Who is stopped gives back what they have taken.
func TestStop(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		ctx, stop := context.WithCancel(t.Context())
		first := newReceiver(t, func(int) int { stop(); <-ctx.Done(); return http.StatusServiceUnavailable })
		second := newReceiver(t, always(http.StatusOK))
		c := testclock.NewFakeClock(noon)
		send(t, db, message("1"), message("2"), message("3"))
		if err := newOutbox(t, db, first, c).Run(ctx); err != nil {
			t.Fatal(err)
		}
		deliver(t, newOutbox(t, db, second, c))
		if got, _ := second.messages(); len(got) != 3 || kept(t, db) != 0 {
			t.Errorf("%d of 3 delivered after a stop, %d kept", len(got), kept(t, db))
		}
	})
}

// Run looks by itself.
func TestRun(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		asked := make(chan struct{}, 2)
		r := newReceiver(t, func(int) int { asked <- struct{}{}; return http.StatusOK })
		c := testclock.NewFakeClock(noon)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- newOutbox(t, db, r, c).Run(ctx) }()
		for _, about := range []string{"1", "2"} {
			send(t, db, message(about))
			for waiting := true; waiting; {
				c.Step(time.Second)
				select {
				case <-asked:
					waiting = false
				case <-time.After(time.Millisecond):
				}
			}
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestForget(t *testing.T) {
	databasetest.Each(t, migrations(t), func(t *testing.T, db *database.DB) {
		other := message("2")
		other.Person = "sun-li"
		send(t, db, message("1"), other)
		err := db.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error { return notify.Forget(ctx, tx, "li-qiang") })
		if err != nil || kept(t, db) != 1 {
			t.Errorf("%v, %d messages kept, want the other person's", err, kept(t, db))
		}
	})
}
