package messages

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/notify"
	"github.com/linli-io/linli/internal/web"
)

// Name is the service's name: its path prefix and its key in a Community.
const Name = notify.Receiver

//go:embed messages/*.toml
var messageFiles embed.FS

// Service is the service of messages, for the host to run.
func Service() (host.Service, error) {
	migrations, err := Migrations()
	if err != nil {
		return host.Service{}, err
	}
	texts, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: Name, Migrations: migrations, Messages: texts, Actions: actionTexts, Retention: kept, Register: register}, nil
}

// What the audit calls what staff do with the call list.
const (
	actionLook = "messages.call-list-look"
	actionNote = "messages.call-list-note"
)

// actionTexts are what these are called, by the messages that say so.
var actionTexts = map[string]string{actionLook: "messages.action.look", actionNote: "messages.action.note"}

func register(_ context.Context, rt *host.Runtime) error {
	s := &service{
		store:   NewStore(rt.DB),
		config:  rt.Config.Current,
		people:  rt.People,
		pages:   rt.Pages,
		clock:   rt.Clock,
		log:     rt.Log,
		client:  newGatewayClient(),
		secret:  func() ([]byte, error) { return rt.Key(secretFile) },
		metrics: newMetrics(rt.Metrics),
	}
	rt.Every("send", sendEvery, s.sendAll)
	rt.Every("erase", eraseEvery, s.erase)
	rt.Card(s.card)
	rt.Personal(host.Personal{Export: s.export, Erase: s.store.Forget})
	rt.Mux.Handle("POST "+notify.ReceivePath, rt.Identity.RequireService(http.HandlerFunc(s.receive)))
	s.mountPages(rt.Mux, rt.Identity)
	return s.mountAPI(rt.Mux)
}

// secretFile holds the key by which requests to the SMS gateway are signed,
// beside the community's other keys. It may be missing: then they are not.
const secretFile = "sms.secret"

// people knows who somebody is, and for whom they may act.
type people interface {
	// Lookup returns identity.ErrNobody for somebody who is not known.
	Lookup(ctx context.Context, id string) (identity.Known, error)
}

// service is what the API and the pages do their work with.
type service struct {
	store   *Store
	config  func() host.Snapshot
	people  people
	pages   *web.Pages
	clock   clock.WithTicker
	log     *slog.Logger
	client  *http.Client
	secret  func() ([]byte, error)
	metrics metrics
}

// location is the community's time zone.
func (s *service) location() *time.Location { return s.config().Location }

// gateway is where text messages are sent; ok is false if the community sends
// none.
func (s *service) gateway() (g gateway, ok bool, err error) {
	g = gateway{url: s.config().Release.Class.Notifications.SMSWebhook, client: s.client}
	if g.url == "" {
		return g, false, nil
	}
	text, err := s.secret()
	if errors.Is(err, fs.ErrNotExist) {
		return g, true, nil
	}
	if err != nil {
		return g, false, err
	}
	g.secret, err = parseSecret(text)
	return g, err == nil, err
}

// maxMessageBytes is far more than a message needs.
const maxMessageBytes = 64 << 10

// receive takes a message of another service. What was taken before is
// answered as if it were new.
func (s *service) receive(w http.ResponseWriter, r *http.Request) {
	var m notify.Message
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMessageBytes)).Decode(&m); err != nil {
		http.Error(w, "the message cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := m.Check(); err != nil {
		http.Error(w, "the message is incomplete: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.take(r.Context(), m); err != nil {
		s.log.ErrorContext(r.Context(), "a message was not taken", "message", m.ID.String(), "error", err.Error())
		http.Error(w, "the message was not taken; send it again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// take finds out whom a message is for, and keeps it for them.
func (s *service) take(ctx context.Context, m notify.Message) error {
	recipients, err := s.recipients(ctx, m)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	sms := s.config().Release.Class.Notifications.SMSWebhook != ""
	known, err := s.store.Receive(ctx, m.ID, items(m, recipients, sms, now, s.location()), now)
	if err == nil && !known {
		s.metrics.received.Inc()
	}
	return err
}

// recipients are who is told of a message: nobody if the person is not known
// any more.
func (s *service) recipients(ctx context.Context, m notify.Message) ([]recipient, error) {
	first, err := s.recipientOf(ctx, Item{Person: m.Person, Name: m.Name, Phone: m.Phone})
	if errors.Is(err, identity.ErrNobody) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	told := []recipient{first}
	if m.By == "" || m.By == m.Person || m.Name != "" {
		return told, nil
	}
	second, err := s.recipientOf(ctx, Item{Person: m.By, For: m.Person})
	if errors.Is(err, identity.ErrNobody) {
		return told, nil
	}
	if err != nil {
		return nil, err
	}
	return append(told, second), nil
}

// recipientOf is who is to be told of an item, as they are known now, or
// identity.ErrNobody, also if they may not act any more for whom it is about.
func (s *service) recipientOf(ctx context.Context, i Item) (recipient, error) {
	if i.Guest() {
		return recipient{person: identity.Person{ID: i.Person, Name: i.Name, Phone: i.Phone}, Preferences: defaults}, nil
	}
	k, err := s.people.Lookup(ctx, i.Person)
	if err != nil {
		return recipient{}, err
	}
	if i.For != "" && !mayActFor(k, i.For) {
		return recipient{}, identity.ErrNobody
	}
	p, err := s.store.Preferences(ctx, i.Person)
	return recipient{person: k.Person, Preferences: p, forPerson: i.For}, err
}

// eraseEvery is how often what is past its retention is looked for.
const eraseEvery = time.Hour

// erase removes what is past its retention, at the start and then every hour.
// A failure is logged and tried again the next hour.
func (s *service) erase(ctx context.Context) {
	n, err := s.store.Erase(ctx, s.clock.Now())
	if err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "messages past their retention were not erased", "error", err.Error())
	}
	s.metrics.erased.Add(float64(n))
}

// exported is a message as its person gets it.
type exported struct {
	At       time.Time  `json:"at"`
	Kind     string     `json:"kind"`
	Text     string     `json:"text"`
	For      string     `json:"for,omitempty"`
	ReadAt   *time.Time `json:"readAt,omitempty"`
	ToldBy   string     `json:"toldBy"`
	ToldAt   *time.Time `json:"toldAt,omitempty"`
	CallNote string     `json:"callNote,omitempty"`
}

// export is what is kept about a person, for the person to have.
func (s *service) export(ctx context.Context, person string) (any, error) {
	list, p, err := s.store.Of(ctx, person)
	if err != nil {
		return nil, err
	}
	out := struct {
		Way      Way          `json:"way"`
		Language web.Language `json:"language"`
		Messages []exported   `json:"messages"`
	}{Way: p.Way, Language: p.Language, Messages: []exported{}}
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.In(s.location())
		return &t
	}
	for _, i := range list {
		out.Messages = append(out.Messages, exported{
			At: i.At.In(s.location()), Kind: i.Kind, Text: inLanguage(i.Text, p.Language), For: i.For,
			ReadAt: moment(i.ReadAt), ToldBy: string(i.State), ToldAt: moment(i.DoneAt), CallNote: i.Note,
		})
	}
	return out, nil
}

type metrics struct {
	received, erased prometheus.Counter
	sms              *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) metrics {
	m := metrics{
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "linli_messages_received_total", Help: "Messages to people that other services have handed over."}),
		erased:   prometheus.NewCounter(prometheus.CounterOpts{Name: "linli_messages_erased_total", Help: "Messages erased at the end of their retention."}),
		sms: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "linli_messages_sms_total",
			Help: "Attempts to send a text message: sent, failed (tried again) or given-up (the front desk calls instead).",
		}, []string{"outcome"}),
	}
	r.MustRegister(m.received, m.erased, m.sms)
	return m
}
