package messages

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/linli-io/linli/internal/identity"
	"github.com/linli-io/linli/internal/telemetry"
)

const (
	// sendEvery is how often it is looked for what is to be sent.
	sendEvery = 2 * time.Second
	// batch is how many are taken at a time, and answerTime how long the
	// gateway has for each; lease is how long nobody else takes them.
	batch      = 4
	answerTime = 5 * time.Second
	lease      = time.Minute
	// The pause before the next attempt doubles from the first to the longest.
	firstPause, longestPause = 5 * time.Second, 10 * time.Minute
	// patience is after how many attempts, about two hours, the front desk
	// calls instead.
	patience = 18
)

// errRefused means that the gateway will not take a message however often it is
// asked: the number is none, for example.
var errRefused = errors.New("the gateway refuses the message")

// gateway sends text messages: it posts them to a web address of the county.
type gateway struct {
	url string
	// secret signs what is sent; empty for no signature.
	secret []byte
	client *http.Client
}

// sms is the body of a request to the gateway.
type sms struct {
	ID        string `json:"id"`
	To        string `json:"to"`
	Text      string `json:"text"`
	Language  string `json:"language"`
	Community string `json:"community"`
}

// send sends a text message. It returns errRefused if it is of no use to try
// again.
//
// The headers are those of Standard Webhooks (standardwebhooks.com), so that
// its libraries verify them.
func (g gateway) send(ctx context.Context, m sms, now time.Time) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(now.Unix(), 10)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Idempotency-Key", m.ID)
	request.Header.Set("Webhook-Id", m.ID)
	request.Header.Set("Webhook-Timestamp", timestamp)
	if len(g.secret) > 0 {
		mac := hmac.New(sha256.New, g.secret)
		fmt.Fprintf(mac, "%s.%s.%s", m.ID, timestamp, body)
		request.Header.Set("Webhook-Signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	answer, err := g.client.Do(request)
	if err != nil {
		return fmt.Errorf("the gateway cannot be reached: %w", telemetry.Unreached(err))
	}
	defer answer.Body.Close()
	// Read to the end, so that the connection is used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)); err != nil {
		return err
	}
	switch {
	case answer.StatusCode < 300:
		return nil
	case answer.StatusCode == http.StatusBadRequest || answer.StatusCode == http.StatusUnprocessableEntity:
		return errRefused
	}
	// Not its words: they may name whom it cannot reach.
	return fmt.Errorf("the gateway answers %d", answer.StatusCode)
}

// newGatewayClient is a client that goes nowhere else than where it is sent.
func newGatewayClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// parseSecret reads the key of signatures: whsec_ and base64, as Standard
// Webhooks has it.
func parseSecret(text []byte) ([]byte, error) {
	encoded, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "whsec_")
	secret, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, errors.New("sms.secret must be whsec_ followed by 24 to 64 bytes in base64: " +
			"write it with  echo whsec_$(openssl rand -base64 32)")
	}
	return secret, nil
}

// pause is how long to wait after that many attempts.
func pause(attempts int) time.Duration {
	p := firstPause
	for range attempts - 1 {
		if p *= 2; p >= longestPause {
			return longestPause
		}
	}
	return p
}

// sendAll sends what is due. A failure is logged and tried again.
func (s *service) sendAll(ctx context.Context) {
	if err := s.sendDue(ctx); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "text messages were not sent", "error", err.Error())
	}
}

// sendDue sends what is due now.
func (s *service) sendDue(ctx context.Context) error {
	for ctx.Err() == nil {
		taken, err := s.store.Take(ctx, s.clock.Now(), lease, batch)
		if err != nil || len(taken) == 0 {
			return err
		}
		for _, item := range taken {
			// What was begun is ended and noted: otherwise it would be sent twice.
			do := s.sendOne
			if ctx.Err() != nil {
				do = s.giveBack
			}
			if err := do(context.WithoutCancel(ctx), item); err != nil {
				return err
			}
		}
	}
	return nil
}

// giveBack makes an item that was taken and not tried due at once.
func (s *service) giveBack(ctx context.Context, item Item) error {
	return s.store.Settle(ctx, item, StateToSend, s.clock.Now())
}

// sendOne sends an item that was taken, if it still should be, and notes what
// has become of it.
func (s *service) sendOne(ctx context.Context, item Item) error {
	now := s.clock.Now()
	if !item.NotAfter.After(now) {
		return s.store.Settle(ctx, item, StatePage, now)
	}
	if at := sendAt(now, item.Urgent, s.location()); at.After(now) {
		return s.store.Settle(ctx, item, StateToSend, at)
	}
	g, ok, err := s.gateway()
	if err != nil {
		s.log.ErrorContext(ctx, "text messages cannot be sent", "error", err.Error())
		return s.store.Settle(ctx, item, StateToSend, now.Add(longestPause))
	}
	r, err := s.recipientOf(ctx, item)
	if errors.Is(err, identity.ErrNobody) {
		return s.store.Drop(ctx, item)
	}
	if err != nil {
		s.log.WarnContext(ctx, "it was not found out whom to send a message", "message", item.ID.String(), "error", err.Error())
		return s.store.Settle(ctx, item, StateToSend, now.Add(pause(item.Attempts)))
	}
	switch route(r, ok, false) {
	case WayCall:
		return s.store.Settle(ctx, item, StateToCall, now)
	case WayPage:
		return s.store.Settle(ctx, item, StatePage, now)
	}
	community := s.config().Community
	err = g.send(ctx, sms{
		ID: item.ID.String(), To: r.person.Phone, Language: string(r.Language), Community: community.Name,
		Text: "【" + community.Spec.DisplayName + "】" + inLanguage(item.Short, r.Language),
	}, now)
	switch {
	case err == nil:
		s.metrics.sms.WithLabelValues("sent").Inc()
		return s.store.Settle(ctx, item, StateSent, s.clock.Now())
	case errors.Is(err, errRefused), item.Attempts >= patience:
		s.metrics.sms.WithLabelValues("given-up").Inc()
		s.log.WarnContext(ctx, "a message is not sent; the front desk calls instead", "message", item.ID.String(), "attempts", item.Attempts, "error", err.Error())
		return s.store.Settle(ctx, item, StateToCall, now)
	}
	s.metrics.sms.WithLabelValues("failed").Inc()
	s.log.WarnContext(ctx, "a message was not sent; it is tried again", "message", item.ID.String(), "attempts", item.Attempts, "error", err.Error())
	return s.store.Settle(ctx, item, StateToSend, s.clock.Now().Add(pause(item.Attempts)))
}
