package canteen

import (
	"context"
	"embed"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Name is the service's name: its path prefix and its key in a Community.
const Name = "canteen"

//go:embed messages/*.toml
var messageFiles embed.FS

// Service is the canteen service, for the host to run.
func Service() (host.Service, error) {
	migrations, err := Migrations()
	if err != nil {
		return host.Service{}, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: Name, Migrations: migrations, Messages: messages, Actions: actionTexts, Retention: kept, Datasets: datasets, Register: register}, nil
}

// actionTexts are what the actions in the audit are called: ids of messages.
var actionTexts = map[string]string{
	Name + ".dish-new": "canteen.action.dishNew", Name + ".dish-change": "canteen.action.dishChange",
	Name + ".dish-retire": "canteen.action.dishRetire", Name + ".dish-back": "canteen.action.dishBack", Name + ".menu": "canteen.action.menu",
	Name + ".order": "canteen.action.order", Name + ".order-change": "canteen.action.orderChange", Name + ".order-cancel": "canteen.action.orderCancel",
	Name + ".order-serve": "canteen.action.orderServe", Name + ".order-unserve": "canteen.action.orderUnserve", Name + ".order-pay": "canteen.action.orderPay",
	Name + ".forget": "canteen.action.forget", Name + ".orders-view": "canteen.action.ordersView", Name + ".order-listed": "canteen.action.orderListed",
	Name + ".orders-print": "canteen.action.ordersPrint", Name + ".order-printed": "canteen.action.orderPrinted", Name + ".order-view": "canteen.action.orderView",
	Name + ".supplier-new": "canteen.action.supplierNew", Name + ".supplier-change": "canteen.action.supplierChange",
	Name + ".supplier-retire": "canteen.action.supplierRetire", Name + ".supplier-back": "canteen.action.supplierBack",
	Name + ".batch-new": "canteen.action.batchNew", Name + ".batch-change": "canteen.action.batchChange", Name + ".batch-end": "canteen.action.batchEnd",
	Name + ".uses": "canteen.action.uses", Name + ".sample-take": "canteen.action.sampleTake", Name + ".sample-change": "canteen.action.sampleChange",
	Name + ".sample-discard": "canteen.action.sampleDiscard", Name + ".checks": "canteen.action.checks",
	Name + ".trace-view": "canteen.action.traceView", Name + ".trace-listed": "canteen.action.traceListed",
	Name + ".trace-export": "canteen.action.traceExport", Name + ".trace-exported": "canteen.action.traceExported",
	Name + ".member-add": "canteen.action.memberAdd", Name + ".member-remove": "canteen.action.memberRemove",
	Name + ".standing": "canteen.standing.action.make", Name + ".standing-end": "canteen.standing.action.end",
	Name + ".standing-change": "canteen.standing.action.change",
	Name + ".standing-skip":   "canteen.standing.action.skip", Name + ".standing-view": "canteen.standing.action.view",
	Name + ".suggestion-answer": "canteen.suggestion.action.answer", Name + ".suggestion-hide": "canteen.suggestion.action.hide",
	Name + ".suggestion-author": "canteen.suggestion.action.author",
	Name + ".canteen-new":       "canteen.place.action.new", Name + ".canteen-change": "canteen.place.action.change",
	Name + ".canteen-retire": "canteen.place.action.retire", Name + ".canteen-back": "canteen.place.action.back",
	Name + ".members-view": "canteen.action.membersView", Name + ".member-listed": "canteen.action.memberListed",
}

func register(_ context.Context, rt *host.Runtime) error {
	s := &service{
		store: NewStore(rt.DB), config: rt.Config.Current, people: rt.People, till: till{rt.Client("accounts")},
		pages: rt.Pages, clock: rt.Clock, log: rt.Log, metrics: newMetrics(rt.Metrics),
	}
	s.store.OnNews(s.tell)
	rt.Config.OnChange(s.syncCanteens)
	rt.Every("advance", settleEvery, s.advance)
	rt.Every("standing", placeEvery, s.placeStanding)
	rt.Every("erase", eraseEvery, s.erase)
	rt.Personal(host.Personal{Export: s.export, Erase: func(ctx context.Context, person string) error {
		return s.store.Forget(ctx, person, s.clock.Now())
	}})
	rt.Card(s.card)
	s.mountPages(rt.Mux, rt.Identity)
	s.mountStaff(rt)
	return s.mountAPI(rt)
}

// service is what the API and the pages do their work with.
type service struct {
	store *Store
	// config is the community's configuration, which may be changed.
	config  func() host.Snapshot
	people  *identity.Directory
	till    till
	pages   *web.Pages
	clock   clock.WithTicker
	log     *slog.Logger
	metrics metrics
	// pictures has one picture scaled at a time.
	pictures sync.Mutex
}

// location is the community's time zone.
func (s *service) location() *time.Location { return s.config().Location }

// today is the day in the community's zone.
func (s *service) today() civil.Date { return civil.DateOf(s.clock.Now(), s.location()) }

// spec is the canteen's part of the manifest; empty while it is being switched
// off.
func (s *service) spec() v1alpha1.Canteen {
	if c := s.config().Community.Spec.Services.Canteen; c != nil {
		return *c
	}
	return v1alpha1.Canteen{}
}

// syncCanteens takes over the canteens of the manifest.
func (s *service) syncCanteens(ctx context.Context, snapshot host.Snapshot) error {
	c := snapshot.Community.Spec.Services.Canteen
	if c == nil {
		return nil // being switched off; the canteens stay as they are
	}
	return s.store.SyncCanteens(ctx, c.ManagedBy, c.Canteens, s.clock.Now())
}

// household are the caller and after that those for whom the caller may order;
// empty if nobody is signed in.
func (s *service) household(ctx context.Context) []identity.Person {
	caller, ok := identity.FromContext(ctx)
	if !ok {
		return nil
	}
	return append([]identity.Person{caller}, identity.HouseholdFromContext(ctx, identity.Order)...)
}

// reach is whom the caller may order for.
func (s *service) reach(ctx context.Context) Reach {
	var r Reach
	for i, p := range s.household(ctx) {
		if i == 0 {
			r.Actor = p.ID
		}
		r.Persons = append(r.Persons, p.ID)
	}
	return r
}

// act is what the caller does with an order of their own or of those for whom
// they may order; staffAct with an order of anybody's.
func (s *service) act(ctx context.Context, id uuid.UUID) Act {
	return Act{Reach: s.reach(ctx), ID: id, Now: s.clock.Now(), Location: s.location()}
}

func (s *service) staffAct(ctx context.Context, id uuid.UUID) Act {
	a := s.act(ctx, id)
	a.Staff = true
	return a
}

// by is the caller, who does something for the canteen.
func (s *service) by(ctx context.Context) By {
	p, _ := identity.FromContext(ctx)
	return By{Actor: p.ID, Now: s.clock.Now()}
}

// errNotYours means that the caller may not order for that person, or not have
// their purse pay.
var errNotYours = errors.New("you may not order for this person")

// member is somebody of the caller's household by ID; the caller if it is empty.
func (s *service) member(ctx context.Context, id string) (identity.Person, error) {
	for i, p := range s.household(ctx) {
		if p.ID == id || id == "" && i == 0 {
			return p, nil
		}
	}
	return identity.Person{}, errNotYours
}

// eater is what prices for a person depend on.
func (s *service) eater(ctx context.Context, p identity.Person) (Eater, error) {
	born, err := civil.ParseDate(p.BornOn)
	if err != nil {
		born = civil.Date{} // not known
	}
	categories, err := s.store.CategoriesOf(ctx, p.ID)
	return Eater{BornOn: born, Categories: categories}, err
}

// complete fills in what content depends on beside what was asked for: where it
// is brought.
func (s *service) complete(ctx context.Context, person string, content *Content) error {
	content.Home = identity.Home{}
	if content.Way != v1alpha1.WayDelivery || isGuest(person) {
		return nil
	}
	home, err := s.people.Home(ctx, person)
	if errors.Is(err, identity.ErrNobody) {
		err = nil
	}
	content.Home = home
	return err
}

// order is an order for somebody with a record, by the caller.
func (s *service) order(ctx context.Context, w Wanted, p identity.Person) (Wanted, error) {
	caller, _ := identity.FromContext(ctx)
	w.Eater, w.OrderedBy, w.Name, w.Phone = p.ID, caller.ID, p.Name, p.Phone
	w.Tiers, w.Now, w.Location = s.spec().Tiers, s.clock.Now(), s.location()
	var err error
	if w.Who, err = s.eater(ctx, p); err != nil {
		return w, err
	}
	return w, s.complete(ctx, p.ID, &w.Content)
}

// eraseEvery is how often what is past its retention is looked for.
const eraseEvery = time.Hour

// erase removes what is past its retention.
func (s *service) erase(ctx context.Context) {
	n, err := s.store.Erase(ctx, s.clock.Now(), s.location())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "orders past their retention were not erased", "error", err.Error())
	}
	if n > 0 {
		s.log.InfoContext(ctx, "orders past their retention erased", "orders", n)
	}
}

type metrics struct {
	placed, cancelled, unsettled prometheus.Counter

	refused *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		placed:    prometheus.NewCounter(prometheus.CounterOpts{Name: "linli_canteen_orders_placed_total", Help: "Orders placed."}),
		cancelled: prometheus.NewCounter(prometheus.CounterOpts{Name: "linli_canteen_orders_cancelled_total", Help: "Orders cancelled, by residents or the staff."}),
		unsettled: prometheus.NewCounter(prometheus.CounterOpts{Name: "linli_canteen_payments_unsettled_total", Help: "Times that a payment could not be gone on with."}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_canteen_orders_refused_total", Help: "Orders that were not placed or changed, by the rule in the way.",
		}, []string{"rule"}),
	}
	r.MustRegister(m.placed, m.cancelled, m.unsettled, m.refused)
	return m
}

// counted counts what was refused.
func (m metrics) counted(err error) {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		m.refused.WithLabelValues(string(refusal.Rule)).Inc()
	}
}
