// Package idp is Linli's own OpenID provider, for counties that have none. It
// proves who holds a phone number, by a one-time code, and for staff a password
// and an authenticator app on top. Who somebody is in a community, and what
// they may do there, is the community's business: the provider knows neither
// names nor communities' records, and calls the same person differently in each.
//
// Every community beneath its domain is a client by rule. The protocol is
// zitadel/oidc's; what is stricter here is in provider.go.
package idp

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/api/v1alpha1"
	"github.com/linli-io/linli/internal/database"
	"github.com/linli-io/linli/internal/telemetry"
	"github.com/linli-io/linli/internal/web"
)

//go:embed migrations messages/*.toml
var files embed.FS

// Options say what the provider serves and where its surroundings are.
type Options struct {
	// Issuer is the provider's own address, such as https://id.example.org;
	// http only for names of this machine.
	Issuer string
	// Domain is that beneath which the communities are. They are reached by
	// the issuer's scheme and port.
	Domain string
	// DataDir is where the SQLite database is. With DatabaseDir, a directory
	// with the connection string of a PostgreSQL database in its file dsn,
	// several processes may serve the issuer.
	DataDir, DatabaseDir string
	// KeysDir holds idp.key and perhaps idp.previous.key, 32 random bytes each.
	KeysDir string
	// Address is where pages and protocol are served, MetricsAddress where
	// health and metrics are; host:port.
	Address, MetricsAddress string
	// TrustedProxies are those whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Demo shows codes on the page instead of sending them. It is refused
	// unless the issuer is a name of this machine.
	Demo bool
	// SMSWebhook is where codes are sent to, SMSSecretFile the file with the
	// secret that the requests are signed with.
	SMSWebhook, SMSSecretFile string
	// Departments knows the departments' keys; nil if there are none.
	Departments Departments
	// Control is a socket in the file system at which CloseAccount is served;
	// empty for none.
	Control string
	// TerminationMessage is a file to which the reason of a failure is
	// written in one line, for Kubernetes to show. Empty means none.
	TerminationMessage string
	Clock              clock.WithTicker
	Log                *slog.Logger
}

// How long things may take while stopping. Kubernetes kills after 30 s.
const shutdownTime = 20 * time.Second

// upkeep is how often keys are rotated and rows erased if due.
const upkeep = time.Minute

// owner is whose the database is, in its record.
const owner = "linli-idp"

// Provider is a running provider.
type Provider struct {
	options  Options
	issuer   *url.URL
	store    *store
	provider *provider
	pages    *web.Pages
	sender   sender
	limits   limits
	metrics  *metrics
	registry *prometheus.Registry
	storage  storage
	hashing  chan struct{} // holds a value for each password that is being hashed

	public, health, control                         *http.Server // control may be nil
	publicListener, healthListener, controlListener net.Listener
	stopping                                        atomic.Bool
	suspicions                                      chan error
	failed                                          chan error
}

// storage is a database.Directory of SQLite files, or a database.Server.
type storage interface {
	Open(ctx context.Context, name string, o database.Options) (*database.DB, error)
	Check(ctx context.Context) error
	Close() error
}

// Run serves until ctx is done and all requests are answered, or until
// something fails that only a person or a restart can mend; that error is also
// logged and written to the termination message.
func Run(ctx context.Context, o Options) error {
	p, err := Start(ctx, o)
	if err == nil {
		err = p.Wait(ctx)
	}
	if err == nil {
		return nil
	}
	return o.ReportEnd(err)
}

// ReportEnd logs why the program ends, writes it to the termination message in
// one line and returns it. Run does so by itself; it is for what fails before.
func (o Options) ReportEnd(err error) error {
	line := strings.Join(strings.Fields(err.Error()), " ")
	o.Log.Error("the provider ends", "error", line)
	if o.TerminationMessage != "" {
		if werr := os.WriteFile(o.TerminationMessage, []byte(line+"\n"), 0o644); werr != nil {
			o.Log.Error("termination message not written", "error", werr.Error())
		}
	}
	return err
}

// Start opens everything and begins to serve. Without an error, Wait must be
// called.
func Start(ctx context.Context, o Options) (*Provider, error) {
	p := &Provider{
		options:    o,
		registry:   telemetry.NewRegistry(),
		limits:     usualLimits,
		hashing:    make(chan struct{}, hashers),
		suspicions: make(chan error, 1),
		failed:     make(chan error, 1),
	}
	if err := p.open(ctx); err != nil {
		return nil, errors.Join(err, p.close())
	}
	go p.serve(p.public, p.publicListener)
	go p.serve(p.health, p.healthListener)
	if p.control != nil {
		go p.serve(p.control, p.controlListener)
	}
	o.Log.Info("serving", "address", p.publicListener.Addr().String(), "metrics", p.healthListener.Addr().String(),
		"issuer", o.Issuer, "version", telemetry.Version())
	return p, nil
}

// Addr is where pages and protocol are served.
func (p *Provider) Addr() net.Addr { return p.publicListener.Addr() }

// MetricsAddr is where health and metrics are served.
func (p *Provider) MetricsAddr() net.Addr { return p.healthListener.Addr() }

func (p *Provider) open(ctx context.Context) (err error) {
	o := p.options
	if err := p.settle(); err != nil {
		return err
	}
	p.metrics = newMetrics(p.registry)
	if err := p.openStore(ctx); err != nil {
		return err
	}
	messages, err := fs.Sub(files, "messages")
	if err != nil {
		return err
	}
	site := web.Site{Community: community(p.issuer.Hostname()), Location: time.UTC, Loopback: p.issuer.Scheme == "http"}
	p.pages, err = web.NewPages(web.Options{
		Messages: []fs.FS{messages},
		Site:     func() web.Site { return site },
		Reader:   func(*http.Request) (web.Reader, bool) { return web.Reader{}, false },
		Log:      o.Log,
	})
	if err != nil {
		return err
	}
	p.provider = &provider{
		issuer: o.Issuer, realm: newRealm(p.issuer, o.Domain), store: p.store, departments: o.Departments,
		clock: o.Clock, log: o.Log, begun: p.setCookie,
	}
	if p.provider.departments == nil {
		p.provider.departments = noDepartments{}
	}
	protocol, err := newProvider(p.provider)
	if err != nil {
		return fmt.Errorf("issuer %s: %w", o.Issuer, err)
	}
	p.public = p.server(p.handler(protocol))
	p.health = p.server(p.healthHandler())
	if p.publicListener, err = net.Listen("tcp", o.Address); err != nil {
		return fmt.Errorf("pages: %w; another process has the port, or the address is not this machine's", err)
	}
	if p.healthListener, err = net.Listen("tcp", o.MetricsAddress); err != nil {
		return fmt.Errorf("metrics: %w; another process has the port, or the address is not this machine's", err)
	}
	if o.Control == "" {
		return nil
	}
	return p.openControl(o.Control)
}

// settle checks the settings against each other and makes what follows from
// them alone.
func (p *Provider) settle() (err error) {
	o := p.options
	p.issuer, err = url.Parse(o.Issuer)
	if err != nil || p.issuer.Host == "" || p.issuer.Path != "" || p.issuer.RawQuery != "" || p.issuer.User != nil {
		return fmt.Errorf("--issuer %q: must be an address without a path, such as https://id.example.org", o.Issuer)
	}
	local := isLocalhost(p.issuer.Hostname())
	if p.issuer.Scheme != "https" && !(p.issuer.Scheme == "http" && local) {
		return fmt.Errorf("--issuer %s: must be https; http is allowed only for localhost and names that end in .localhost", o.Issuer)
	}
	if o.Domain == "" || o.Domain != strings.ToLower(o.Domain) || strings.Trim(o.Domain, ".") != o.Domain {
		return fmt.Errorf("--domain %q: must be the domain beneath which the communities are, in lower case, such as example.org", o.Domain)
	}
	switch {
	case o.Demo && !local:
		return fmt.Errorf("--demo shows everybody's codes: it is refused for %s, and allowed only for localhost and names that end in .localhost", p.issuer.Hostname())
	case o.Demo && o.SMSWebhook != "":
		return errors.New("--demo and --sms-webhook exclude each other: codes are shown or sent")
	case o.Demo:
		p.sender, p.limits = newDemoSender(o.Clock), demoLimits
	case o.SMSWebhook == "":
		return errors.New("--sms-webhook is missing: say where codes are sent to, so that people can sign in")
	default:
		p.sender, err = newWebhook(o.SMSWebhook, o.SMSSecretFile, o.Clock)
	}
	return err
}

func isLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// community is a host as pages know a community: by the name that the reader
// came from. The provider knows no more of it.
func community(host string) *v1alpha1.Community {
	return &v1alpha1.Community{Spec: v1alpha1.CommunitySpec{DisplayName: host}}
}

func (p *Provider) openStore(ctx context.Context) error {
	keys, err := readKeys(p.options.KeysDir)
	if err != nil {
		return err
	}
	if p.options.DatabaseDir == "" {
		d, err := database.OpenDirectory(p.options.DataDir, owner, "")
		if err != nil {
			return err
		}
		p.storage = d
	} else {
		s, err := database.OpenServer(ctx, p.options.DatabaseDir, owner, "")
		if err != nil {
			return err
		}
		p.storage = s
	}
	migrations, err := fs.Sub(files, "migrations")
	if err != nil {
		return err
	}
	db, err := p.storage.Open(ctx, name, database.Options{Migrations: migrations, OnFault: p.suspect, Log: p.options.Log})
	if err != nil {
		return err
	}
	p.store = &store{db: db}
	if p.store.secrets, err = openSecrets(ctx, db, keys); err != nil {
		return err
	}
	return p.store.rotateKeys(ctx, p.options.Clock.Now())
}

// suspect has the storage checked. It never blocks.
func (p *Provider) suspect(err error) {
	select {
	case p.suspicions <- err:
	default: // a check is due already
	}
}

func (p *Provider) serve(s *http.Server, l net.Listener) {
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		p.fail(fmt.Errorf("serving %s: %w", l.Addr(), err))
	}
}

// fail ends the provider with err, or with the failure that came before it.
func (p *Provider) fail(err error) {
	select {
	case p.failed <- err:
	default:
	}
}

// Wait serves until ctx is done or something fails, and then lets the requests
// that are being answered finish and closes the database.
func (p *Provider) Wait(ctx context.Context) error {
	work, endWork := context.WithCancel(context.WithoutCancel(ctx))
	defer endWork()
	var running sync.WaitGroup
	running.Go(func() { p.keepUp(work) })
	running.Go(func() { p.watchStorage(work) })

	var err error
	select {
	case <-ctx.Done():
		p.options.Log.Info("stopping")
	case err = <-p.failed:
	}
	p.stopping.Store(true)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	shutdown := p.public.Shutdown(stop)
	endWork()
	running.Wait()
	if cerr := errors.Join(shutdown, p.close()); cerr != nil {
		p.options.Log.Warn("not everything closed cleanly", "error", cerr.Error())
	}
	p.options.Log.Info("stopped")
	return err
}

// keepUp rotates keys and erases rows when they are due.
func (p *Provider) keepUp(ctx context.Context) {
	tick := p.options.Clock.NewTicker(upkeep)
	defer tick.Stop()
	for {
		now := p.options.Clock.Now()
		if err := errors.Join(p.store.rotateKeys(ctx, now), p.store.erase(ctx, now)); err != nil && ctx.Err() == nil {
			p.options.Log.Error("upkeep failed, it is tried again in a minute", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C():
		}
	}
}

// watchStorage checks the storage whenever a statement failed as if it were
// broken, and ends the provider if it is.
func (p *Provider) watchStorage(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case suspicion := <-p.suspicions:
			if err := p.storage.Check(ctx); err != nil && ctx.Err() == nil {
				p.fail(err)
				return
			}
			p.options.Log.Warn("a statement failed as if the storage were broken, but the storage is sound", "error", suspicion.Error())
		}
	}
}

// close closes what open opened, as far as it came.
func (p *Provider) close() error {
	var errs []error
	for _, s := range []*http.Server{p.public, p.health, p.control} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	for _, l := range []net.Listener{p.publicListener, p.healthListener, p.controlListener} {
		if l != nil {
			if err := l.Close(); !errors.Is(err, net.ErrClosed) {
				errs = append(errs, err)
			}
		}
	}
	if p.store != nil {
		errs = append(errs, p.store.db.Close())
	}
	if p.storage != nil {
		errs = append(errs, p.storage.Close())
	}
	return errors.Join(errs...)
}
