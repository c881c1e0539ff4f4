package accounts

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Name is the service's name: its path prefix and its key in a Community.
const Name = "accounts"

//go:embed messages/*.toml
var messageFiles embed.FS

// Service is the service of purses, for the host to run.
func Service() (host.Service, error) { return serviceWith(newPayClient()) }

// serviceWith is the service with a client that reaches the provider of
// payments.
func serviceWith(payClient *http.Client) (host.Service, error) {
	migrations, err := Migrations()
	if err != nil {
		return host.Service{}, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: Name, Migrations: migrations, Messages: messages, Actions: actionTexts, Retention: retention, Register: func(_ context.Context, rt *host.Runtime) error {
		return register(rt, payClient)
	}}, nil
}

// actionTexts are what the actions in the audit are called: ids of messages.
var actionTexts = map[string]string{
	Name + ".top-up": "accounts.action.topUp", Name + ".payout": "accounts.action.payout", Name + ".reversal": "accounts.action.reversal",
	Name + ".purse-view": "accounts.action.purseView", Name + ".receipt-view": "accounts.action.receiptView", Name + ".day-view": "accounts.action.dayView",
	Name + ".payments-view": "accounts.action.paymentsView", Name + ".payment-listed": "accounts.action.paymentListed",
	Name + ".payment-done": "accounts.action.paymentDone",
	Name + ".ledger-view":  "accounts.action.ledgerView", Name + ".ledger-export": "accounts.action.ledgerExport", Name + ".forget": "accounts.action.forget",
}

func register(rt *host.Runtime, payClient *http.Client) error {
	s := &service{
		store: NewStore(rt.DB), config: rt.Config.Current, identity: rt.Identity, people: rt.People,
		pages: rt.Pages, clock: rt.Clock, log: rt.Log, metrics: newMetrics(rt.Metrics),
		key: rt.Key, payClient: payClient,
	}
	s.store.OnNews(s.tell)
	rt.Every("expire", expireEvery, s.expire)
	rt.Every("reconcile", reconcileEvery, s.reconcile)
	rt.Every("recount", recountEvery, s.recount)
	rt.Every("erase", eraseEvery, s.erase)
	rt.Card(s.card)
	rt.Personal(host.Personal{Export: s.export, Erase: s.forget, Obstacle: s.obstacle})
	s.mountInternal(rt.Mux)
	s.mountNotifications(rt.Mux)
	s.mountPages(rt.Mux)
	s.mountStaff(rt.Mux)
	return s.mountAPI(rt.Mux)
}

// service is what the API and the pages do their work with.
type service struct {
	store *Store
	// config is the community's configuration, which may change.
	config   func() host.Snapshot
	identity *identity.Identity
	people   *identity.Directory
	pages    *web.Pages
	clock    clock.WithTicker
	log      *slog.Logger
	metrics  metrics
	// key reads a file of the community's keys; payClient reaches the provider
	// of payments.
	key       func(file string) ([]byte, error)
	payClient *http.Client
}

// location is the community's time zone.
func (s *service) location() *time.Location { return s.config().Location }

// act is what whoever makes a request does now: a person, or a service on
// behalf of one or by itself.
func (s *service) act(ctx context.Context) Act {
	a := Act{Now: s.clock.Now(), Location: s.location()}
	if p, ok := identity.FromContext(ctx); ok {
		a.Actor = p.ID
	} else if from, ok := identity.ServiceFromContext(ctx); ok {
		if a.Actor = from.Actor; a.Actor == "" {
			a.Actor = from.Name
		}
	}
	return a
}

const (
	// expireEvery is how often holds whose time is over are looked for.
	expireEvery = 10 * time.Second
	// recountEvery is how often the ledger is added up anew.
	recountEvery = time.Hour
)

// expire releases holds whose time is over. A failure is logged and tried
// again.
func (s *service) expire(ctx context.Context) {
	n, err := s.store.Expire(ctx, s.clock.Now())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "holds that are over were not released", "error", err.Error())
	}
	s.metrics.expired.Add(float64(n))
}

// eraseEvery is how often what is past its retention is looked for.
const eraseEvery = time.Hour

// erase removes what is past its retention. A failure is logged and tried
// again.
func (s *service) erase(ctx context.Context) {
	if err := s.store.Erase(ctx, s.clock.Now()); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "what is past its retention was not erased", "error", err.Error())
	}
}

// recount looks whether the ledger agrees with itself. What does not is for
// people to look into: nothing is changed.
func (s *service) recount(ctx context.Context) {
	faults, err := s.store.Recount(ctx)
	if err != nil {
		if ctx.Err() == nil {
			s.log.ErrorContext(ctx, "the ledger was not recounted", "error", err.Error())
		}
		return
	}
	s.metrics.faults.Set(float64(len(faults)))
	for _, fault := range faults {
		s.log.ErrorContext(ctx, "the ledger does not agree with itself", "fault", fault)
	}
}

type metrics struct {
	expired prometheus.Counter
	faults  prometheus.Gauge
	refused *prometheus.CounterVec
	// odd are payments that a person has to look into, forged notifications
	// that were not the provider's.
	odd, forged prometheus.Counter
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "linli_accounts_holds_expired_total", Help: "Holds that were released because their time was over.",
		}),
		faults: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "linli_accounts_ledger_faults", Help: "What did not agree when the ledger was last added up anew. It must be 0.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_accounts_refused_total", Help: "What was refused, by the rule that did.",
		}, []string{"rule"}),
		odd: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "linli_accounts_payments_odd_total", Help: "Payments that were not booked because they were not what was asked for.",
		}),
		forged: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "linli_accounts_notifications_forged_total", Help: "Notifications of payments that were not signed by the provider, or too old.",
		}),
	}
	r.MustRegister(m.expired, m.faults, m.refused, m.odd, m.forged)
	return m
}
