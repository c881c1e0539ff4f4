package host

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/linli-io/linli/internal/audit"
	"github.com/linli-io/linli/internal/notify"
)

// expireEvery is how often messages are looked for that nobody takes and that
// are of no use any more.
const expireEvery = notify.LongestPause

// deliver has what the service has to tell people handed over in the
// background, if there is a service that brings it to them; else it is removed
// when it is of no use any more.
func (rt *Runtime) deliver() {
	on := func(s Service) bool { return s.Name == notify.Receiver }
	if !slices.ContainsFunc(rt.host.options.all(), on) {
		rt.Every("outbox", expireEvery, func(ctx context.Context) {
			if err := notify.Expire(ctx, rt.DB, rt.Clock.Now()); err != nil && ctx.Err() == nil {
				rt.Log.ErrorContext(ctx, "messages were not removed", "error", oneLine(err))
			}
		})
		return
	}
	rt.Go("outbox", notify.NewOutbox(notify.Options{
		DB: rt.DB, URL: "http://" + notify.Receiver + notify.ReceivePath, Client: rt.Client(notify.Receiver),
		Clock: rt.Clock, Log: rt.Log, Metrics: rt.Metrics,
	}).Run)
}

// libraries are those that keep tables in the database of every service.
func libraries() (map[string]fs.FS, error) {
	all := map[string]fs.FS{}
	for name, migrations := range map[string]func() (fs.FS, error){
		audit.Name:  audit.Migrations,
		notify.Name: notify.Migrations,
	} {
		files, err := migrations()
		if err != nil {
			return nil, fmt.Errorf("tables of %s: %w", name, err)
		}
		all[name] = files
	}
	return all, nil
}
