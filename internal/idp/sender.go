package idp

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/linli-io/linli/internal/telemetry"
)

// sender brings a code to who holds the number.
type sender interface {
	send(ctx context.Context, m message) error
	// shown is the code of an attempt for its page, where codes are shown;
	// else empty.
	shown(attempt string) string
}

// message is a code on its way.
type message struct {
	Attempt string `json:"-"`
	// ID is the same for every try to deliver the message.
	ID string `json:"id"`
	// Phone is in E.164.
	Phone string `json:"phone"`
	// Kind is sign-in-code: gateways choose their template by it.
	Kind string `json:"kind"`
	Code string `json:"code"`
	// Text is the whole message in the reader's language, for gateways that
	// have no templates.
	Text     string `json:"text"`
	Language string `json:"language"`
}

// demoSender keeps codes for the pages of their attempts.
type demoSender struct {
	clock clock.PassiveClock
	mu    sync.Mutex
	codes map[string]demoCode
}

type demoCode struct {
	code  string
	until time.Time
}

func newDemoSender(c clock.PassiveClock) *demoSender {
	return &demoSender{clock: c, codes: map[string]demoCode{}}
}

func (d *demoSender) send(_ context.Context, m message) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock.Now()
	for attempt, c := range d.codes {
		if now.After(c.until) {
			delete(d.codes, attempt)
		}
	}
	d.codes[m.Attempt] = demoCode{m.Code, now.Add(codeLifetime)}
	return nil
}

func (d *demoSender) shown(attempt string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.codes[attempt].code
}

// webhook posts codes to a gateway of the county's.
type webhook struct {
	address string
	secret  []byte
	clock   clock.Clock
	client  *http.Client
}

// Tries to deliver a message, how long one may take, and the pauses between.
const sendTimeout = 5 * time.Second

var sendPauses = []time.Duration{300 * time.Millisecond, time.Second}

// signatureHeader is that of the webhook's requests: t=<Unix seconds>,
// v1=<hex of HMAC-SHA256 over the seconds, a dot and the body>.
const signatureHeader = "Linli-Signature"

func newWebhook(address, secretFile string, c clock.Clock) (*webhook, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && (isLocalhost(u.Hostname()) || u.Hostname() == "127.0.0.1")) {
		return nil, errors.New("--sms-webhook: must be an https address; http only on this machine")
	}
	secret, err := os.ReadFile(secretFile)
	if err != nil {
		return nil, fmt.Errorf("--sms-secret-file: %w", err)
	}
	if secret = bytes.TrimSpace(secret); len(secret) < 16 {
		return nil, fmt.Errorf("--sms-secret-file %s: must hold at least 16 characters", secretFile)
	}
	return &webhook{address: address, secret: secret, clock: c, client: &http.Client{
		Timeout: sendTimeout,
		// A code goes where the setting says and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func (*webhook) shown(string) string { return "" }

// send posts a message and, if that fails, tries again shortly. The error says
// nothing of what was in the message.
func (w *webhook) send(ctx context.Context, m message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	for try := 0; ; try++ {
		final, err := w.post(ctx, body)
		if err == nil || final || try == len(sendPauses) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.clock.After(sendPauses[try]):
		}
	}
}

// post tries once. final says that another try would not help.
func (w *webhook) post(ctx context.Context, body []byte) (final bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.address, bytes.NewReader(body))
	if err != nil {
		return true, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(signatureHeader, sign(w.secret, w.clock.Now(), body))
	answer, err := w.client.Do(r)
	if err != nil {
		return false, fmt.Errorf("the message gateway was not reached: %w", telemetry.Unreached(err))
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 4<<10))
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return true, nil
	}
	final = answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests
	return final, fmt.Errorf("the message gateway answered %d", answer.StatusCode)
}

func sign(secret []byte, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(seconds + "."))
	h.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(h.Sum(nil))
}
