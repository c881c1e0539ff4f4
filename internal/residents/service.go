package residents

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/host"
	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/web"
)

// Name is the service's name: its path prefix and its label in metrics.
const Name = "residents"

//go:embed messages/*.toml
var messageFiles embed.FS

// Service is the service of residents, for the host to run.
func Service() (host.Service, error) {
	migrations, err := Migrations()
	if err != nil {
		return host.Service{}, err
	}
	messages, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		return host.Service{}, err
	}
	return host.Service{Name: Name, Migrations: migrations, Messages: messages, Actions: actionTexts, Retention: kept, Register: register}, nil
}

func register(_ context.Context, rt *host.Runtime) error {
	s := &service{
		store: NewStore(rt.DB), config: rt.Config.Current, identity: rt.Identity, pages: rt.Pages, clock: rt.Clock, log: rt.Log,
		others: rt.Client, personal: rt.PersonalServices, audited: rt.AuditedServices, actions: rt.Actions(), leaving: make(chan struct{}, 1),
	}
	rt.Config.OnChange(s.syncManagers)
	rt.Go("leave", s.leave)
	rt.Every("expire", expireEvery, s.expire)
	rt.Card(s.card)
	rt.Upload(staffImportPath, MaxTableBytes+formOverhead)
	rt.Upload(apiPath+importsPath, MaxTableBytes)
	rt.Upload(staffPapersPath, MaxDocumentBytes+formOverhead)
	s.mountInternal(rt.Mux)
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
	pages    *web.Pages
	clock    clock.WithTicker
	log      *slog.Logger

	// others reaches the other services; personal and audited name those that
	// keep something about people, and those with a record of who did what.
	others            func(service string) *http.Client
	personal, audited func() []string
	// actions are what the actions of all services are called.
	actions actionNames
	// leaving holds a value when somebody has asked to be deleted.
	leaving chan struct{}
}

// actOf is what somebody, or a service, does now.
func (s *service) actOf(actor string) Act {
	now := s.config()
	return Act{Actor: actor, Now: s.clock.Now(), Location: now.Location, Estates: now.Community.Spec.Estates}
}

// act is what the caller does now.
func (s *service) act(ctx context.Context) Act {
	if p, ok := identity.FromContext(ctx); ok {
		return s.actOf(p.ID)
	}
	if from, ok := identity.ServiceFromContext(ctx); ok {
		if from.Actor != "" {
			return s.actOf(from.Actor)
		}
		return s.actOf(from.Name)
	}
	return s.actOf("")
}

// caller is the record of whoever is signed in.
func (s *service) caller(ctx context.Context) (Person, error) {
	p, _ := identity.FromContext(ctx)
	id, err := uuid.Parse(p.ID)
	if err != nil {
		return Person{}, ErrNotFound
	}
	return s.store.Person(ctx, id)
}

// syncManagers takes over the managers of the manifest.
func (s *service) syncManagers(ctx context.Context, snapshot host.Snapshot) error {
	a := Act{Now: s.clock.Now(), Location: snapshot.Location, Estates: snapshot.Community.Spec.Estates}
	return s.store.SyncManagers(ctx, a, snapshot.Community.Spec.Managers)
}

const (
	// leaveEvery is how often it is tried to finish the deletion of people.
	leaveEvery = time.Minute
	// expireEvery is how often what is past its retention is looked for.
	expireEvery = time.Hour
)

// leave finishes the deletion of people: at the start, since the process may
// have been stopped while it was at it, when somebody asks, and every minute
// for those whom a service has not let go.
func (s *service) leave(ctx context.Context) error {
	ticker := s.clock.NewTicker(leaveEvery)
	defer ticker.Stop()
	for {
		if err := s.finishLeaving(ctx); err != nil && ctx.Err() == nil {
			s.log.ErrorContext(ctx, "people were not deleted; it is tried again", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.leaving:
		case <-ticker.C():
		}
	}
}

// finishLeaving signs those who leave out everywhere, has all other services
// delete what they keep of them, and then deletes their records. Who cannot be
// deleted now stays for the next time, and keeps nobody else.
func (s *service) finishLeaving(ctx context.Context) error {
	leaving, err := s.store.Erasing(ctx)
	if err != nil {
		return err
	}
	var problems []error
	for _, l := range leaving {
		err := s.signOut(ctx, l)
		if err == nil {
			err = s.eraseElsewhere(ctx, l.ID)
		}
		if err == nil {
			err = s.store.Erase(ctx, s.actOf(Name), l.ID)
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// signOut ends the sessions of somebody who leaves, which have their number.
// Those with whom they share the account sign in again: a browser in which one
// of two was signed in must not become the other's.
func (s *service) signOut(ctx context.Context, l Leaving) error {
	if l.Subject == "" {
		return nil
	}
	if err := s.identity.SignOutEverywhere(ctx, l.Subject); err != nil {
		return fmt.Errorf("signing a person out who is being deleted: %w", err)
	}
	return nil
}

func (s *service) eraseElsewhere(ctx context.Context, id uuid.UUID) error {
	for _, name := range s.personal() {
		r, err := http.NewRequestWithContext(ctx, http.MethodDelete, personalURL(name, id), nil)
		if err != nil {
			return err
		}
		answer, err := s.others(name).Do(r)
		if err != nil {
			return fmt.Errorf("asking %s to delete a person: %w", name, err)
		}
		if err := answer.Body.Close(); err != nil {
			return fmt.Errorf("asking %s to delete a person: %w", name, err)
		}
		if answer.StatusCode/100 != 2 {
			return fmt.Errorf("asking %s to delete a person: %s", name, answer.Status)
		}
	}
	return nil
}

func personalURL(service string, id uuid.UUID) string {
	return "http://" + service + "/" + service + "/internal/personal/v1/people/" + id.String()
}

// beginLeaving has a person be deleted, or returns an Obstacle.
func (s *service) beginLeaving(ctx context.Context, a Act, id uuid.UUID) error {
	if err := s.unobstructed(ctx, id); err != nil {
		return err
	}
	if err := s.store.BeginErasing(ctx, a, id); err != nil {
		return err
	}
	select {
	case s.leaving <- struct{}{}:
	default: // it has been said already
	}
	return nil
}

// expire removes what is past its retention and ends what held until a day.
func (s *service) expire(ctx context.Context) {
	if err := s.expireNow(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "what is past its retention was not removed", "error", err.Error())
	}
}

func (s *service) expireNow(ctx context.Context) error {
	a := s.actOf(Name)
	_, err := s.store.EndPast(ctx, a)
	_, expired := s.store.Expire(ctx, a)
	return errors.Join(err, expired)
}
