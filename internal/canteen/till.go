package canteen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/linli-io/linli/internal/civil"
)

// till asks the service of accounts, under IDs of the orders, so that asking
// again changes nothing.
type till struct{ client *http.Client }

// errNoAnswer means that the service of accounts cannot be reached or did not
// answer as it should, so that it is not known what has come of what it was
// asked. What was asked for an order is asked again in the background.
var errNoAnswer = errors.New("the purse does not answer")

// accountsPath is where the service of accounts answers other services.
const accountsPath = "http://accounts/accounts/internal/v1/"

// holdFor is how long after its meal the money of an order stays held at most.
const holdFor = 7 * 24 * time.Hour

// ask sends a request and returns the status of the answer, and the rule of a
// problem. An error means that it is not known what has come of it.
func (t till) ask(ctx context.Context, method, path string, body any, out any) (status int, rule string, err error) {
	content, err := json.Marshal(body)
	if err != nil {
		return 0, "", err
	}
	r, err := http.NewRequestWithContext(ctx, method, accountsPath+path, bytes.NewReader(content))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/json")
	response, err := t.client.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return 0, "", fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	switch {
	case response.StatusCode == http.StatusOK || response.StatusCode == http.StatusCreated:
		if out == nil {
			return http.StatusOK, "", nil
		}
		if err := json.Unmarshal(answer, out); err != nil {
			return 0, "", fmt.Errorf("%w: %w", errNoAnswer, err)
		}
		return http.StatusOK, "", nil
	case response.StatusCode == http.StatusConflict || response.StatusCode == http.StatusUnprocessableEntity:
		var problem struct{ Rule string }
		if err := json.Unmarshal(answer, &problem); err != nil {
			return 0, "", fmt.Errorf("%w: %s: %w", errNoAnswer, response.Status, err)
		}
		return response.StatusCode, problem.Rule, nil
	}
	return 0, "", fmt.Errorf("%w: %s", errNoAnswer, response.Status)
}

// Rules by which the service of accounts refuses.
const (
	ruleInsufficient = "insufficient"
	ruleNotHeld      = "not-held"
)

// hold has the purse hold the money of what an order shall be; false if there
// is too little.
func (t till) hold(ctx context.Context, o Order, memo map[string]string, until time.Time) (bool, error) {
	status, rule, err := t.ask(ctx, http.MethodPut, "holds/"+o.ID.String(), map[string]any{
		"revision": o.Revision, "person": o.Payer, "amount": o.Next.Pays(), "expiresAt": until, "about": o.ID.String(), "memo": memo,
	}, nil)
	switch {
	case err != nil:
		return false, err
	case status == http.StatusOK:
		return true, nil
	case rule == ruleInsufficient || rule == ruleNotHeld:
		return false, nil
	}
	return false, fmt.Errorf("holding the money of order %s: refused: %s", o.ID, rule)
}

// entry is what the service of accounts says of an entry of the ledger.
type entry struct {
	// PostedOn is its day; empty if nothing had to be entered. It stays the same
	// however often it is asked for.
	PostedOn string
}

func (e entry) day() (civil.Date, error) {
	if e.PostedOn == "" {
		return civil.Date{}, nil
	}
	d, err := civil.ParseDate(e.PostedOn)
	if err != nil {
		return d, fmt.Errorf("asking the purse: postedOn: %w", err)
	}
	return d, nil
}

// capture takes what is held, and returns the day on which that was entered;
// false if nothing is held any more.
func (t till) capture(ctx context.Context, o Order) (on civil.Date, taken bool, err error) {
	var e entry
	status, rule, err := t.ask(ctx, http.MethodPost, "holds/"+o.ID.String()+"/capture", map[string]any{"amount": o.Pays(), "subsidy": o.Subsidy}, &e)
	switch {
	case err != nil:
		return on, false, err
	case status == http.StatusOK:
		on, err = e.day()
		return on, true, err
	case rule == ruleNotHeld:
		return on, false, nil
	}
	return on, false, fmt.Errorf("taking the money of order %s: refused: %s", o.ID, rule)
}

// release gives free what is held.
func (t till) release(ctx context.Context, o Order) error {
	status, rule, err := t.ask(ctx, http.MethodPost, "holds/"+o.ID.String()+"/release", nil, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("giving free the money of order %s: refused: %s", o.ID, rule)
	}
	return err
}

// sale enters what was paid at the counter, and returns the day of it.
func (t till) sale(ctx context.Context, o Order, memo map[string]string) (on civil.Date, err error) {
	person := o.Eater
	if isGuest(person) {
		person = ""
	}
	var e entry
	status, rule, err := t.ask(ctx, http.MethodPost, "sales/"+o.ID.String(), map[string]any{
		"amount": o.Pays(), "subsidy": o.Subsidy, "person": person, "actor": o.OrderedBy, "about": o.ID.String(), "memo": memo,
	}, &e)
	if err != nil {
		return on, err
	}
	if status != http.StatusOK {
		return on, fmt.Errorf("entering the sale of order %s: refused: %s", o.ID, rule)
	}
	return e.day()
}

// refund gives back what was taken, to the purse or at the counter, and returns
// the day on which that was entered.
func (t till) refund(ctx context.Context, o Order, of, to string) (on civil.Date, err error) {
	var e entry
	status, rule, err := t.ask(ctx, http.MethodPost, "refunds/"+o.ID.String(), map[string]any{
		"of": of + "/" + o.ID.String(), "amount": o.Pays(), "subsidy": o.Subsidy, "to": to,
	}, &e)
	if err != nil {
		return on, err
	}
	if status != http.StatusOK {
		return on, fmt.Errorf("giving back the money of order %s: refused: %s", o.ID, rule)
	}
	return e.day()
}

// months are what the ledger says that the canteen has earned, less what it
// gave back, by the month of posting.
func (t till) months(ctx context.Context, first, last civil.Month) ([]ledgerMonth, error) {
	var totals struct{ Months []ledgerMonth }
	query := url.Values{"from": {first.First().String()}, "to": {last.Last().String()}}
	status, rule, err := t.ask(ctx, http.MethodGet, "totals?"+query.Encode(), nil, &totals)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("asking for the ledger's totals: refused: %s", rule)
	}
	return totals.Months, err
}

// purse is what somebody has to spend, in fen.
type purse struct{ Balance, Held, Available int64 }

// purse looks into somebody's purse; it is empty if they have none.
func (t till) purse(ctx context.Context, person string) (p purse, err error) {
	status, rule, err := t.ask(ctx, http.MethodGet, "people/"+url.PathEscape(person), nil, &p)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("looking into a purse: refused: %s", rule)
	}
	return p, err
}
