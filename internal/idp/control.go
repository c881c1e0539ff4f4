package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/linli-io/linli/internal/identity"
)

const pathClose = "/accounts/close"

// openControl opens the socket at which county IT closes accounts. Whoever can
// open it runs as the provider itself.
func (p *Provider) openControl(path string) (err error) {
	// One that a former process has left behind is in the way.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("--control: %w", err)
	}
	if p.controlListener, err = net.Listen("unix", path); err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+pathClose, p.takeClosing)
	p.control = p.server(mux)
	return nil
}

func (p *Provider) takeClosing(w http.ResponseWriter, r *http.Request) {
	phone, err := normalPhone(r.PostFormValue("phone"))
	if err != nil {
		identity.Problem(w, http.StatusUnprocessableEntity, "This is no phone number: write it such as 13800000001, or +85291234567.")
		return
	}
	closed, err := p.store.closeAccount(r.Context(), phone, p.options.Clock.Now())
	switch {
	case err != nil:
		p.options.Log.Error("an account was not closed", "error", err.Error())
		identity.Problem(w, http.StatusInternalServerError, "The database failed; the log says why.")
	case !closed:
		identity.Problem(w, http.StatusNotFound, "No open account has this number.")
	default:
		p.options.Log.Info("an account was closed at the wish of county IT")
		w.WriteHeader(http.StatusNoContent)
	}
}

// closeAccount closes the account of a number; false if there is none. Attempts
// that are under way with it come to nothing.
func (s *store) closeAccount(ctx context.Context, phone string, now time.Time) (closed bool, err error) {
	err = s.db.Write(ctx, func(ctx context.Context, tx bun.Tx) error {
		result, err := tx.NewUpdate().Model((*account)(nil)).Set("closed_at = ?", now.UnixMilli()).
			Where("number = ?", s.secrets.number(phone)).Where("closed_at = 0").Exec(ctx)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		closed = n > 0
		return err
	})
	return closed, err
}

// CloseAccount has the provider that listens at a control socket close the
// account of a phone number. Whoever signs in with the number next is new to
// every community, and staff enrol anew.
func CloseAccount(ctx context.Context, control, phone string) error {
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", control)
		},
	}}
	form := strings.NewReader(url.Values{"phone": {phone}}.Encode())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://idp"+pathClose, form)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("no provider listens at %s: run this in its container, and see that it has --control: %w", control, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusNoContent {
		return nil
	}
	var why struct {
		Detail string `json:"detail"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&why); err != nil {
		return fmt.Errorf("the provider answered %d", answer.StatusCode)
	}
	return errors.New(why.Detail)
}
