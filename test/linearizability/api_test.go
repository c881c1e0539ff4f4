package linearizability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/linli-io/linli/test/instance"
)

var (
	// errNoAnswer says that a request may or may not have had its effect: the
	// connection broke, or the server gave up on the request.
	errNoAnswer = errors.New("no answer")
	// errNotSent says that nobody was there to take the request.
	errNotSent = fmt.Errorf("%w: not sent", errNoAnswer)
)

// api is the JSON API as one person uses it, through one replica at a time.
type api struct {
	at     *instance.Instance
	person instance.Person
	http   *http.Client
}

func newAPI(at *instance.Instance, p instance.Person) *api {
	return &api{at: at, person: p, http: instance.Client(1)}
}

func (a *api) close() { a.http.CloseIdleConnections() }

// booking is a booking as the API shows it.
type booking struct {
	ID          string     `json:"id"`
	Venue       string     `json:"venue"`
	Place       int        `json:"place"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	Note        string     `json:"note"`
	CancelledAt *time.Time `json:"cancelledAt"`
}

// noteOf marks a booking with the operation that asked for it, so that the
// database says afterwards whose it is.
func noteOf(operation int32) string { return notePrefix + strconv.Itoa(int(operation)) }

const notePrefix = "operation "

func (a *api) book(ctx context.Context, in input, b book, idempotencyKey string) (booking, output, error) {
	body := map[string]any{
		"venue": in.table.venue, "note": noteOf(in.booking),
		"start": timeOf(in.table, b.from), "end": timeOf(in.table, b.to),
	}
	if b.place != anyPlace {
		body["place"] = b.place + 1
	}
	var made booking
	status, err := a.call(ctx, http.MethodPost, "/bookings", idempotencyKey, body, &made)
	if err != nil {
		return booking{}, output{}, err
	}
	switch status {
	case http.StatusCreated:
		return made, output{outcome: done, place: made.Place - 1}, nil
	case http.StatusConflict:
		return booking{}, output{outcome: refused}, nil
	default:
		return booking{}, output{}, fmt.Errorf("POST /bookings: unexpected status %d", status)
	}
}

func (a *api) cancel(ctx context.Context, id string) (output, error) {
	status, err := a.call(ctx, http.MethodDelete, "/bookings/"+id, "", nil, nil)
	if err != nil {
		return output{}, err
	}
	if status != http.StatusNoContent {
		return output{}, fmt.Errorf("DELETE /bookings/%s: unexpected status %d", id, status)
	}
	return output{outcome: done}, nil
}

func (a *api) read(ctx context.Context, id string) (output, error) {
	var b booking
	status, err := a.call(ctx, http.MethodGet, "/bookings/"+id, "", nil, &b)
	switch {
	case err != nil:
		return output{}, err
	case status == http.StatusOK && b.CancelledAt == nil:
		return output{outcome: done}, nil
	case status == http.StatusOK:
		return output{outcome: refused}, nil
	default:
		return output{}, fmt.Errorf("GET /bookings/%s: unexpected status %d", id, status)
	}
}

// list returns all of the person's bookings.
func (a *api) list(ctx context.Context) ([]booking, error) {
	var all []booking
	for cursor := ""; ; {
		var page struct {
			Bookings []booking `json:"bookings"`
			Next     string    `json:"next"`
		}
		status, err := a.call(ctx, http.MethodGet, "/bookings?limit=100&cursor="+cursor, "", nil, &page)
		if err != nil {
			return nil, err
		}
		if status != http.StatusOK {
			return nil, fmt.Errorf("GET /bookings: unexpected status %d", status)
		}
		all = append(all, page.Bookings...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

func (a *api) availability(ctx context.Context, key tableKey) (output, error) {
	var answer struct {
		Slots []struct {
			Start time.Time `json:"start"`
			Free  int       `json:"free"`
		} `json:"slots"`
	}
	path := "/venues/" + key.venue + "/availability?date=" + key.day
	status, err := a.call(ctx, http.MethodGet, path, "", nil, &answer)
	if err != nil {
		return output{}, err
	}
	if status != http.StatusOK || len(answer.Slots) != slotsPerDay {
		return output{}, fmt.Errorf("GET %s: status %d with %d slots", path, status, len(answer.Slots))
	}
	out := output{outcome: done}
	for i, s := range answer.Slots {
		out.left[i] = s.Free
	}
	return out, nil
}

// call sends a request and decodes an answer of the 2xx kind.
func (a *api) call(ctx context.Context, method, path, idempotencyKey string, body, answer any) (int, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.at.URL()+"/booking/api/v1"+path, content)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+a.person.Token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	res, err := a.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, errNotSent
	}
	if err != nil {
		return 0, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	if res.StatusCode == http.StatusServiceUnavailable {
		return 0, fmt.Errorf("%w: %s", errNoAnswer, b)
	}
	if res.StatusCode >= 500 || res.StatusCode == http.StatusUnprocessableEntity || res.StatusCode == http.StatusUnauthorized {
		return 0, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, b)
	}
	if answer != nil && res.StatusCode < 300 {
		if err := json.Unmarshal(b, answer); err != nil {
			return 0, fmt.Errorf("%s %s: %w in %s", method, path, err, b)
		}
	}
	return res.StatusCode, nil
}
