package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // containers have no zone files

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/telemetry"
	"github.com/linli-io/linli/internal/web"
)

// Options say what to run and where its surroundings are.
type Options struct {
	Services []Service
	// Peers are the community's services that run in other processes, with the
	// same configuration and keys. Cards and what is kept of browsers' sessions
	// are not shared between processes: the portal shows the cards of those that
	// run beside it, and sessions are in the host's database, which is the same
	// for all only with DatabaseDir.
	Peers []Peer
	// ConfigDir holds community.yaml and release.yaml.
	ConfigDir string
	// KeysDir holds session.key, and session.previous.key if there is one.
	KeysDir string
	// DataDir is the community's claim, for SQLite.
	DataDir string
	// DatabaseDir holds the connection string of a PostgreSQL database, in the
	// file dsn. Several processes may then serve the community. Empty means
	// SQLite in DataDir.
	DatabaseDir string
	// Address is where pages and APIs are served, MetricsAddress where health
	// and metrics are; host:port.
	Address, MetricsAddress string
	// TerminationMessage is a file to which the reason of a failure is
	// written in one line, for Kubernetes to show. Empty means none.
	TerminationMessage string
	Clock              clock.WithTicker
	Log                *slog.Logger
}

// How long things may take while stopping. Kubernetes kills after 30 s.
const (
	drainTime    = 20 * time.Second // for requests that are being answered
	shutdownTime = 5 * time.Second  // for connections and background work after that
)

// Host runs the services of a community.
type Host struct {
	options    Options
	config     *Config
	keys       atomic.Pointer[identity.Keys]
	identity   *identity.Identity
	people     *identity.Directory
	sessions   sessions
	pages      *web.Pages
	storage    storage
	databases  map[string]*database.DB
	registry   *prometheus.Registry
	requests   *requestMetrics
	own        *Router
	services   map[string]*Router
	uploads    map[string]int64 // how large bodies may be, by path
	personal   []string
	audited    []string
	cards      []Card
	background []background
	peers      *http.Transport

	public, metrics   *http.Server
	publicListener    net.Listener
	metricsListener   net.Listener
	stopping          atomic.Bool
	inflight          atomic.Int64
	storageSuspicions chan error
	failed            chan error
}

// storage is where the services' databases are: a database.Directory of SQLite
// files, or a database.Server.
type storage interface {
	Origin() string
	Open(ctx context.Context, name string, o database.Options) (*database.DB, error)
	Check(ctx context.Context) error
	Close() error
}

// Run runs the services until ctx is done and all requests are answered, or
// until something fails that only a person or a restart can mend; that error
// is also logged and written to the termination message.
func Run(ctx context.Context, o Options) error {
	h, err := Start(ctx, o)
	if err == nil {
		err = h.Wait(ctx)
	}
	if err != nil {
		o.ReportEnd(err)
	}
	return err
}

// ReportEnd logs why the program ends and writes it to the termination message
// in one line. Run does so by itself; it is for what fails before Run.
func (o Options) ReportEnd(err error) {
	o.Log.Error("the host ends", "error", oneLine(err))
	if o.TerminationMessage == "" {
		return
	}
	if werr := os.WriteFile(o.TerminationMessage, []byte(oneLine(err)+"\n"), 0o644); werr != nil {
		o.Log.Error("termination message not written", "error", werr.Error())
	}
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// Start opens everything that the services need, registers them and begins to
// serve. Without an error, Wait must be called.
func Start(ctx context.Context, o Options) (*Host, error) {
	h := &Host{
		options:           o,
		databases:         map[string]*database.DB{},
		services:          map[string]*Router{},
		uploads:           map[string]int64{},
		registry:          telemetry.NewRegistry(),
		peers:             newPeerTransport(),
		storageSuspicions: make(chan error, 1),
		failed:            make(chan error, 1),
	}
	if err := h.open(ctx); err != nil {
		return nil, errors.Join(err, h.close())
	}
	go h.serve(h.public, h.publicListener)
	go h.serve(h.metrics, h.metricsListener)
	o.Log.Info("serving", "address", h.publicListener.Addr().String(), "metrics", h.metricsListener.Addr().String(),
		"community", h.config.Current().Community.Name, "version", telemetry.Version())
	if unreached := o.unreached(h.config.Current().Community.Spec); len(unreached) > 0 {
		o.Log.Warn("services of the community are neither run here nor known as peers: personal data that they keep is neither exported nor erased from here; name each with --peer",
			"services", strings.Join(unreached, " "))
	}
	return h, nil
}

// Addr is where pages and APIs are served.
func (h *Host) Addr() net.Addr { return h.publicListener.Addr() }

// MetricsAddr is where health and metrics are served.
func (h *Host) MetricsAddr() net.Addr { return h.metricsListener.Addr() }

func (h *Host) open(ctx context.Context) (err error) {
	o := h.options
	if err := o.checkPeers(); err != nil {
		return err
	}
	h.requests = newRequestMetrics(h.registry)
	if h.config, err = openConfig(o.ConfigDir, o.Log, o.Clock, h.registry); err != nil {
		return err
	}
	keys, err := readKeys(o.KeysDir)
	if err != nil {
		return err
	}
	h.keys.Store(&keys)
	community := h.config.Current().Community
	if err := h.openStorage(ctx, string(community.UID), community.Spec.Adopt); err != nil {
		return err
	}
	if err := h.openIdentity(ctx); err != nil {
		return err
	}
	if err := h.openPages(); err != nil {
		return err
	}
	root := http.NewServeMux()
	h.mount(root)
	for _, s := range o.Services {
		if err := h.register(ctx, root, s); err != nil {
			return fmt.Errorf("service %s: %w", s.Name, err)
		}
	}
	if err := h.config.publish(ctx); err != nil {
		return fmt.Errorf("taking over the configuration: %w", err)
	}
	h.public = &http.Server{
		Handler:           h.handler(h.guard(root)),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	h.metrics = &http.Server{
		Handler:           h.healthHandler(),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      30 * time.Second,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	if h.publicListener, err = net.Listen("tcp", o.Address); err != nil {
		return fmt.Errorf("pages: %w; another process has the port, or the address is not this machine's", err)
	}
	if h.metricsListener, err = net.Listen("tcp", o.MetricsAddress); err != nil {
		return fmt.Errorf("metrics: %w; another process has the port, or the address is not this machine's", err)
	}
	return nil
}

func (h *Host) openStorage(ctx context.Context, community, adopt string) error {
	// Not assigned at once: a nil pointer in the interface would not be nil.
	if h.options.DatabaseDir == "" {
		d, err := database.OpenDirectory(h.options.DataDir, community, adopt)
		if err != nil {
			return err
		}
		h.storage = d
		return nil
	}
	s, err := database.OpenServer(ctx, h.options.DatabaseDir, community, adopt)
	if err != nil {
		return err
	}
	h.storage = s
	return nil
}

// openIdentity opens what the host itself keeps: who is signed in.
func (h *Host) openIdentity(ctx context.Context) error {
	migrations, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	db, err := h.openDatabase(ctx, sessionsDatabase, migrations,
		prometheus.WrapRegistererWith(prometheus.Labels{"service": sessionsDatabase}, h.registry), h.options.Log)
	if err != nil {
		return err
	}
	h.sessions = sessions{db}
	h.people = &identity.Directory{Client: h.client(sessionsDatabase, residentsService)}
	h.identity = identity.New(identity.Options{
		Keys:     func() identity.Keys { return *h.keys.Load() },
		Settings: h.identitySettings,
		Sessions: h.sessions,
		People:   h.people,
		Clock:    h.options.Clock,
	})
	return nil
}

// residentsService is the service that knows who is who.
const residentsService = "residents"

func (h *Host) identitySettings() identity.Settings {
	s := h.config.Current()
	return identity.Settings{Community: s.Community.Name, Class: s.Release.Class}
}

func (h *Host) openPages() (err error) {
	var messages []fs.FS
	for _, s := range h.options.all() {
		if s.Messages != nil {
			messages = append(messages, s.Messages)
		}
	}
	h.pages, err = web.NewPages(web.Options{
		Messages: messages,
		Site: func() web.Site {
			s := h.config.Current()
			settings := h.identitySettings()
			return web.Site{
				Community: s.Community,
				Location:  s.Location,
				Loopback:  settings.Loopback(),
				SignIn:    true,
			}
		},
		Reader: func(r *http.Request) (web.Reader, bool) {
			_, ok := identity.ProofFromContext(r.Context())
			p, _ := identity.FromContext(r.Context())
			return web.Reader{Name: p.Name, LatinName: p.LatinName, Staff: p.Role == identity.Staff}, ok
		},
		Log: h.options.Log,
	})
	return err
}

// register hands a service what it may use and mounts what it makes of it.
func (h *Host) register(ctx context.Context, root *http.ServeMux, s Service) error {
	rt := &Runtime{
		Mux:      &Router{ServeMux: http.NewServeMux(), datasets: s.Datasets, pages: h.pages},
		Config:   h.config,
		Identity: h.identity,
		People:   &identity.Directory{Client: h.client(s.Name, residentsService)},
		Pages:    h.pages,
		Clock:    h.options.Clock,
		Log:      h.options.Log.With("service", s.Name),
		Metrics:  prometheus.WrapRegistererWith(prometheus.Labels{"service": s.Name}, h.registry),
		host:     h,
		service:  s.Name,
	}
	h.services[s.Name] = rt.Mux
	if s.Migrations != nil {
		var err error
		if rt.DB, err = h.openDatabase(ctx, s.Name, s.Migrations, rt.Metrics, rt.Log); err != nil {
			return err
		}
	}
	if err := s.Register(ctx, rt); err != nil {
		return err
	}
	if err := s.checkDatasets(rt.Mux); err != nil {
		return err
	}
	if rt.DB != nil {
		rt.mountAudit()
		rt.deliver()
	}
	prefix := "/" + s.Name + "/"
	if s.Root {
		prefix = "/"
	}
	root.Handle(prefix, h.guard(rt.Mux.ServeMux))
	return nil
}

// openDatabase opens the database of a service, or of the host itself.
func (h *Host) openDatabase(ctx context.Context, name string, migrations fs.FS, metrics prometheus.Registerer, log *slog.Logger) (*database.DB, error) {
	repeats := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "linli_database_repeats_total",
		Help: "Write transactions that were run again because they met another.",
	})
	if err := metrics.Register(repeats); err != nil {
		return nil, err
	}
	libraries, err := libraries()
	if err != nil {
		return nil, err
	}
	db, err := h.storage.Open(ctx, name, database.Options{
		Migrations: migrations,
		Libraries:  libraries,
		OnFault:    h.suspectStorage,
		OnRepeat:   repeats.Inc,
		Log:        log,
	})
	if err != nil {
		return nil, err
	}
	h.databases[name] = db
	return db, nil
}

func (h *Host) serve(s *http.Server, l net.Listener) {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		h.fail(fmt.Errorf("serving %s: %w", l.Addr(), err))
	}
}

// fail ends the host with err, or with the failure that came before it.
func (h *Host) fail(err error) {
	select {
	case h.failed <- err:
	default:
	}
}

// suspectStorage has the storage checked. It never blocks.
func (h *Host) suspectStorage(err error) {
	select {
	case h.storageSuspicions <- err:
	default: // a check is due already
	}
}

// watchStorage checks the storage whenever a statement failed as if it were
// broken, and ends the host if it is.
func (h *Host) watchStorage(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case suspicion := <-h.storageSuspicions:
			if err := h.storage.Check(ctx); err != nil && ctx.Err() == nil {
				return err
			}
			h.options.Log.Warn("a statement failed as if the storage were broken, but the storage is sound",
				"error", suspicion.Error())
		}
	}
}

// Wait serves until ctx is done or something fails, and then stops: it lets
// the requests that are being answered finish, ends the background work and
// closes the databases.
func (h *Host) Wait(ctx context.Context) error {
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	var running sync.WaitGroup
	tasks := append([]background{
		{"config", h.config.watch},
		{"keys", h.watchKeys},
		{"sessions", h.eraseSessions},
		{"storage", h.watchStorage},
	}, h.background...)
	for _, b := range tasks {
		running.Go(func() {
			if err := b.run(work); err != nil && work.Err() == nil {
				h.fail(fmt.Errorf("%s: %w", b.name, err))
			}
		})
	}

	var err error
	select {
	case <-ctx.Done():
		h.options.Log.Info("stopping")
	case err = <-h.failed:
	}
	h.stopping.Store(true)
	h.drain()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	shutdown := h.public.Shutdown(stop)
	endWork()
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	select {
	case <-done:
	case <-stop.Done():
		h.options.Log.Warn("background work did not end in time")
	}
	if cerr := errors.Join(shutdown, h.close()); cerr != nil {
		h.options.Log.Warn("not everything closed cleanly", "error", oneLine(cerr))
	}
	h.options.Log.Info("stopped")
	return err
}

// drain waits until no request is being answered, at most drainTime. Requests
// that come in the meantime are told to come back.
func (h *Host) drain() {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	over := time.After(drainTime)
	for h.inflight.Load() > 0 {
		select {
		case <-again.C:
		case <-over:
			h.options.Log.Warn("requests did not finish in time", "requests", h.inflight.Load())
			return
		}
	}
}

// close closes what open opened, as far as it came.
func (h *Host) close() error {
	var errs []error
	h.peers.CloseIdleConnections()
	for _, s := range []*http.Server{h.public, h.metrics} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, l := range []net.Listener{h.publicListener, h.metricsListener} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if h.config != nil {
		errs = append(errs, h.config.watcher.Close())
	}
	for _, db := range h.databases {
		errs = append(errs, db.Close())
	}
	if h.storage != nil {
		errs = append(errs, h.storage.Close())
	}
	return errors.Join(errs...)
}
