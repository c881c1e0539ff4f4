package notify

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/uptrace/bun"
	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/database"
)

const (
	// lookEvery is how often the outbox is looked at.
	lookEvery = 2 * time.Second
	// batch is how many messages are taken at a time, and answerTime how long
	// the receiver has for each; lease is how long nobody else takes them.
	batch      = 8
	answerTime = 5 * time.Second
	lease      = time.Minute
	// The pause before the next attempt doubles from the first to LongestPause.
	firstPause = 2 * time.Second
)

// LongestPause is the longest pause before a message is tried again.
const LongestPause = 10 * time.Minute

// Options say where an outbox is and where its messages go.
type Options struct {
	DB *database.DB
	// URL takes a message as JSON with POST. Any status beneath 300 means that
	// the receiver has it, now or from before.
	URL     string
	Client  *http.Client
	Clock   clock.WithTicker
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// Outbox delivers the messages of a database.
type Outbox struct {
	Options
	delivered, failed, lost prometheus.Counter
}

// NewOutbox returns an outbox that delivers nothing yet.
func NewOutbox(o Options) *Outbox {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "linli_outbox_messages_total",
		Help: "Attempts to hand a message to people over: delivered, failed (tried again) or lost (of no use any more).",
	}, []string{"outcome"})
	o.Metrics.MustRegister(outcomes)
	return &Outbox{
		Options:   o,
		delivered: outcomes.WithLabelValues("delivered"),
		failed:    outcomes.WithLabelValues("failed"),
		lost:      outcomes.WithLabelValues("lost"),
	}
}

// Run delivers messages until ctx is done. Several processes may do so for the
// same database.
func (o *Outbox) Run(ctx context.Context) error {
	ticker := o.Clock.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if err := o.Deliver(ctx); err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, "messages were not delivered", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C():
		}
	}
}

// Deliver delivers what is due. What the receiver does not take is due again
// after a pause, which grows; only the database makes it fail.
func (o *Outbox) Deliver(ctx context.Context) error {
	for ctx.Err() == nil {
		rows, err := o.take(ctx)
		if err != nil || len(rows) == 0 {
			return err
		}
		for i, r := range rows {
			if ctx.Err() != nil {
				return o.giveBack(context.WithoutCancel(ctx), rows[i:])
			}
			if err := o.deliver(ctx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// take takes what is due, so that nobody else does for the time of the lease.
func (o *Outbox) take(ctx context.Context) (taken []row, err error) {
	due := func(q *bun.SelectQuery) *bun.SelectQuery {
		return q.Where("due_at <= ?", o.Clock.Now().UnixMilli()).Order("due_at", "id").Limit(batch)
	}
	// Almost always there is nothing, which is found out beside the writers.
	some, err := due(o.DB.Reader().NewSelect().Model((*row)(nil))).Exists(ctx)
	if err != nil || !some {
		return nil, err
	}
	err = o.DB.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		taken = nil
		if err := due(tx.NewSelect().Model(&taken)).Scan(ctx); err != nil {
			return fmt.Errorf("looking for messages: %w", err)
		}
		for i := range taken {
			taken[i].Attempts++
			taken[i].DueAt = o.Clock.Now().Add(lease).UnixMilli()
			if _, err := tx.NewUpdate().Model(&taken[i]).Column("attempts", "due_at").WherePK().Exec(ctx); err != nil {
				return fmt.Errorf("taking a message: %w", err)
			}
		}
		return nil
	})
	return taken, err
}

// deliver makes an attempt and writes down how it went.
func (o *Outbox) deliver(ctx context.Context, r row) error {
	now := o.Clock.Now()
	if now.UnixMilli() >= r.NotAfter {
		o.lost.Inc()
		o.Log.WarnContext(ctx, "a message came to nothing: nobody took it in time", "message", r.ID.String(), "attempts", r.Attempts)
		return o.remove(ctx, r)
	}
	err := o.post(ctx, r)
	if err == nil {
		o.delivered.Inc()
		return o.remove(ctx, r)
	}
	if ctx.Err() != nil {
		return o.giveBack(context.WithoutCancel(ctx), []row{r})
	}
	o.failed.Inc()
	o.Log.WarnContext(ctx, "a message was not taken; it is tried again", "message", r.ID.String(), "attempts", r.Attempts, "error", err.Error())
	return o.again(ctx, r, o.Clock.Now().Add(pause(r.Attempts)))
}

// pause is how long to wait after that many attempts.
func pause(attempts int) time.Duration {
	p := firstPause
	for range attempts - 1 {
		if p *= 2; p >= LongestPause {
			return LongestPause
		}
	}
	return p
}

func (o *Outbox) post(ctx context.Context, r row) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, o.URL, bytes.NewReader([]byte(r.Message)))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := o.Client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// Read to the end, so that the connection is used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	if answer.StatusCode >= 300 {
		return fmt.Errorf("%s answers %s", o.URL, answer.Status)
	}
	return nil
}

func (o *Outbox) remove(ctx context.Context, r row) error {
	// Delivered is delivered: that is kept also while the program ends.
	err := o.DB.Write(context.WithoutCancel(ctx), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model(&r).WherePK().Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("removing a message that was delivered: %w", err)
	}
	return nil
}

// giveBack makes what was taken and not tried due at once.
func (o *Outbox) giveBack(ctx context.Context, rows []row) error {
	for _, r := range rows {
		if err := o.again(ctx, r, o.Clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

// again makes a message due, unless its lease is over and somebody else has it.
func (o *Outbox) again(ctx context.Context, r row, at time.Time) error {
	err := o.DB.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*row)(nil)).Set("due_at = ?", at.UnixMilli()).
			Where("id = ? AND due_at = ?", r.ID, r.DueAt).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("keeping a message for later: %w", err)
	}
	return nil
}
