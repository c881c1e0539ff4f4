package linearizability

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
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
	// errTurnedAway says that a process cannot do it now, for want of another.
	errTurnedAway = fmt.Errorf("%w: turned away", errNoAnswer)
	// errOver says that the slot which was fought for has ended meanwhile.
	errOver = errors.New("the slot is over")
)

// api is the JSON API as one person uses it, through one replica at a time.
// What is for staff is asked in the name of a member of staff.
type api struct {
	calendar
	at     *instance.Instance
	person instance.Person
	staff  instance.Person
	http   *http.Client
}

func newAPI(c calendar, at *instance.Instance, p, staff instance.Person) *api {
	return &api{calendar: c, at: at, person: p, staff: staff, http: instance.Client(1)}
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
	Status      string     `json:"status"`
	CheckedInAt *time.Time `json:"checkedInAt"`
	DueAt       *time.Time `json:"dueAt"`
}

// live is the booking's state if it holds a place, else nothing.
func (b booking) live() string {
	if b.Status == booked || b.Status == requested || b.Status == held {
		return b.Status
	}
	return ""
}

// holding is what the booking holds, without a number.
func (a *api) holding(b booking) holding {
	if b.live() == "" {
		return holding{}
	}
	return holding{place: b.Place - 1, from: a.cell(b.Start), to: a.cell(b.End), state: b.Status}
}

// problem is why a request was refused.
type problem struct {
	Rule  string    `json:"rule"`
	Weeks []apiWeek `json:"weeks"`
}

// noteOf marks what an operation made, so that the database says afterwards
// whose it is.
func noteOf(operation int32) string { return notePrefix + strconv.Itoa(int(operation)) }

const notePrefix = "operation "

// staffPath is where the staff's operations are.
const staffPath = "/staff"

// pathOf is a booking, for who may touch it.
func pathOf(id string, staff bool) string {
	if staff {
		return staffPath + "/bookings/" + id
	}
	return "/bookings/" + id
}

// want is in bodies what is wanted of a venue.
func (a *api) want(key tableKey, place, from, to int) map[string]any {
	body := map[string]any{"venue": key.venue, "start": a.calendar.at(from), "end": a.calendar.at(to)}
	switch {
	case place == anyPlace:
	case len(attendantsOf(key)) > 0:
		body["attendant"] = attendants[place].Name
	default:
		body["place"] = place + 1
	}
	return body
}

// refusal is what is answered to who may not have what others hold, or what
// is closed; other refusals are an error.
func refusal(status int, p problem, rules ...string) (output, error) {
	if status == http.StatusConflict || slices.Contains(rules, p.Rule) {
		return output{outcome: refused, rule: p.Rule}, nil
	}
	return output{}, fmt.Errorf("unexpected status %d, rule %q", status, p.Rule)
}

func (a *api) book(ctx context.Context, in input, b book, idempotencyKey, code string) (booking, output, error) {
	body := a.want(in.table, b.place, b.from, b.to)
	body["note"] = noteOf(in.booking)
	path := "/bookings"
	if b.staff {
		path = staffPath + path
		body["guest"] = map[string]any{"name": "客人" + strconv.Itoa(int(in.booking)), "phone": "13900000000"}
		body["present"] = b.present
	} else if b.present {
		body["code"] = code
	}
	var made booking
	status, p, err := a.call(ctx, http.MethodPost, path, idempotencyKey, body, &made)
	if err != nil {
		return booking{}, output{}, err
	}
	if status == http.StatusCreated {
		return made, output{outcome: done, place: made.Place - 1}, nil
	}
	out, err := refusal(status, p, ruleClosure)
	return booking{}, out, err
}

func (a *api) cancel(ctx context.Context, h acknowledged, c cancel) (output, error) {
	if h.staff {
		return a.act(ctx, h.id, "cancel", map[string]any{"reason": c.reason})
	}
	status, p, err := a.call(ctx, http.MethodDelete, pathOf(h.id, false), "", nil, nil)
	if err != nil || status == http.StatusNoContent {
		return output{outcome: done}, err
	}
	return refusal(status, p)
}

// act is what the staff do with a booking.
func (a *api) act(ctx context.Context, id, verb string, body any, rules ...string) (output, error) {
	status, p, err := a.call(ctx, http.MethodPost, pathOf(id, true)+"/"+verb, "", body, nil)
	if err != nil || status == http.StatusOK {
		return output{outcome: done}, err
	}
	return refusal(status, p, rules...)
}

func (a *api) change(ctx context.Context, h acknowledged, c change) (output, error) {
	body := a.want(h.table, c.place, c.from, c.to)
	delete(body, "venue")
	if c.place == anyPlace {
		body["place"] = 0
	}
	var b booking
	status, p, err := a.call(ctx, http.MethodPatch, pathOf(h.id, c.staff), "", body, &b)
	if err != nil || status == http.StatusOK {
		return output{outcome: done, place: b.Place - 1}, err
	}
	return refusal(status, p, ruleClosure, "not-live")
}

func (a *api) read(ctx context.Context, h acknowledged) (output, error) {
	var b booking
	status, p, err := a.call(ctx, http.MethodGet, pathOf(h.id, h.staff), "", nil, &b)
	if err != nil || status == http.StatusOK {
		return output{outcome: done, state: b.live()}, err
	}
	return refusal(status, p)
}

// list returns all of the person's bookings.
func (a *api) list(ctx context.Context) ([]booking, error) {
	var all []booking
	for cursor := ""; ; {
		var page struct {
			Bookings []booking `json:"bookings"`
			Next     string    `json:"next"`
		}
		status, _, err := a.call(ctx, http.MethodGet, "/bookings?limit=100&cursor="+cursor, "", nil, &page)
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

func (a *api) availability(ctx context.Context, key tableKey, day int) (output, error) {
	var answer struct {
		Slots []struct {
			Free int `json:"free"`
		} `json:"slots"`
	}
	path := "/venues/" + key.venue + "/availability?date=" + a.date(day)
	status, _, err := a.call(ctx, http.MethodGet, path, "", nil, &answer)
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

func (a *api) board(ctx context.Context, key tableKey, day int) (output, error) {
	all, err := a.onDay(ctx, day)
	if err != nil {
		return output{}, err
	}
	out := output{outcome: done}
	for _, b := range all {
		if b.Venue != key.venue || b.live() == "" {
			continue
		}
		h := a.holding(b)
		h.checked = b.CheckedInAt != nil
		out.seen = append(out.seen, h)
	}
	slices.SortFunc(out.seen, compareSpans)
	return out, nil
}

// due is how many bookings of a day have had their time.
func (a *api) due(ctx context.Context, day int) (int, error) {
	all, err := a.onDay(ctx, day)
	n := 0
	for _, b := range all {
		if b.DueAt != nil && b.DueAt.Before(time.Now()) {
			n++
		}
	}
	return n, err
}

// onDay are all bookings of a day, as the staff see them.
func (a *api) onDay(ctx context.Context, day int) ([]booking, error) {
	var answer struct {
		Bookings []booking `json:"bookings"`
	}
	status, p, err := a.call(ctx, http.MethodGet, staffPath+"/board?date="+a.date(day), "", nil, &answer)
	if err == nil && status != http.StatusOK {
		_, err = refusal(status, p)
	}
	return answer.Bookings, err
}

// waitingEntry is an entry of the waiting list as the API shows it.
type waitingEntry struct {
	ID       string    `json:"id"`
	JoinedAt time.Time `json:"joinedAt"`
	Status   string    `json:"status"`
	Booking  string    `json:"booking"`
}

func (a *api) join(ctx context.Context, key tableKey, j join) (output, error) {
	var e waitingEntry
	status, p, err := a.call(ctx, http.MethodPost, "/waiting-list", "", a.want(key, j.place, j.from, j.to), &e)
	if err != nil {
		return output{}, err
	}
	if status == http.StatusCreated {
		return output{outcome: done, id: e.ID, joined: e.JoinedAt.Unix()}, nil
	}
	return refusal(status, p, ruleStillFree, ruleClosure)
}

// peek looks for an entry, and for the hold that it was offered.
func (a *api) peek(ctx context.Context, id string) (hold string, out output, err error) {
	var answer struct {
		Entries []waitingEntry `json:"entries"`
	}
	status, p, err := a.call(ctx, http.MethodGet, "/waiting-list", "", nil, &answer)
	if err != nil {
		return "", output{}, err
	}
	if status != http.StatusOK {
		out, err := refusal(status, p)
		return "", out, err
	}
	for _, e := range answer.Entries {
		if e.ID == id {
			return e.Booking, output{outcome: done, state: e.Status}, nil
		}
	}
	return "", output{outcome: done}, nil
}

func (a *api) leave(ctx context.Context, id string) (output, error) {
	return a.remove(ctx, "/waiting-list/"+id)
}

// remove is a DELETE that nothing is in the way of.
func (a *api) remove(ctx context.Context, path string) (output, error) {
	status, p, err := a.call(ctx, http.MethodDelete, path, "", nil, nil)
	if err != nil || status < 300 {
		return output{outcome: done}, err
	}
	return refusal(status, p)
}

func (a *api) accept(ctx context.Context, hold string) (booking, output, error) {
	var b booking
	status, p, err := a.call(ctx, http.MethodPost, "/bookings/"+hold+"/accept", "", nil, &b)
	if err != nil || status == http.StatusOK {
		return b, output{outcome: done}, err
	}
	out, err := refusal(status, p, "hold-ended")
	return b, out, err
}

// apiWeek is a week of a series as the API shows it.
type apiWeek struct {
	Start   time.Time `json:"start"`
	Booking string    `json:"booking"`
	Free    bool      `json:"free"`
}

// series books a series, and asks for the places that it got. It returns the
// series' id and the bookings by week.
func (a *api) series(ctx context.Context, in input, s series, idempotencyKey string) (id string, made [seriesWeeks]booking, out output, err error) {
	body := a.want(in.table, s.place, s.from, s.to)
	body["note"] = noteOf(in.booking)
	body["until"] = a.date(s.from/dayCells + 7*(seriesWeeks-1))
	if s.all {
		body["conflicts"] = "Refuse"
	}
	var answer struct {
		ID    string    `json:"id"`
		Weeks []apiWeek `json:"weeks"`
	}
	status, p, err := a.call(ctx, http.MethodPost, "/series", idempotencyKey, body, &answer)
	if err != nil {
		return "", made, output{}, err
	}
	out.weeks = make([]week, seriesWeeks)
	if status != http.StatusCreated {
		answer.Weeks = p.Weeks
		refusal, err := refusal(status, p)
		if err != nil {
			return "", made, output{}, err
		}
		out.outcome = refusal.outcome
	}
	for _, w := range answer.Weeks {
		out.weeks[(a.cell(w.Start)-s.from)/weekCells] = week{told: true, free: w.Free}
	}
	if out.outcome == refused {
		return "", made, out, nil
	}
	var kept struct {
		Bookings []booking `json:"bookings"`
	}
	status, p, err = a.call(ctx, http.MethodGet, "/series/"+answer.ID, "", nil, &kept)
	if err != nil {
		return "", made, output{}, err
	}
	if status != http.StatusOK {
		_, err := refusal(status, p)
		return "", made, output{}, err
	}
	for _, b := range kept.Bookings {
		i := (a.cell(b.Start) - s.from) / weekCells
		made[i], out.weeks[i].place = b, b.Place-1
	}
	return answer.ID, made, out, nil
}

// closeVenue closes a place, or all, and returns the closure's id.
func (a *api) closeVenue(ctx context.Context, in input, c closeVenue) (id string, out output, err error) {
	body := a.want(in.table, c.place, c.from, c.to)
	body["from"], body["to"], body["reason"] = body["start"], body["end"], noteOf(in.booking)
	delete(body, "start")
	delete(body, "end")
	if in.table.moving {
		body["affected"] = "Move"
	}
	var answer struct {
		Closure struct {
			ID string `json:"id"`
		} `json:"closure"`
		Affected []struct{ Before, After booking } `json:"affected"`
	}
	status, p, err := a.call(ctx, http.MethodPost, staffPath+"/closures", "", body, &answer)
	if err != nil {
		return "", output{}, err
	}
	if status != http.StatusCreated {
		out, err := refusal(status, p)
		return "", out, err
	}
	out.affected = []affected{}
	for _, b := range answer.Affected {
		out.affected = append(out.affected, affected{before: a.holding(b.Before), after: a.holding(b.After)})
	}
	return answer.Closure.ID, out, nil
}

// doorCode is the code on a venue's door.
func (a *api) doorCode(ctx context.Context, venue string) (string, error) {
	var answer struct {
		Code string `json:"code"`
	}
	status, _, err := a.call(ctx, http.MethodGet, staffPath+"/venues/"+venue+"/door-code", "", nil, &answer)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("the door's code: unexpected status %d", status)
	}
	return answer.Code, err
}

// call sends a request to the service of bookings.
func (a *api) call(ctx context.Context, method, path, idempotencyKey string, body, answer any) (int, problem, error) {
	token := a.person.Token
	if strings.HasPrefix(path, staffPath+"/") {
		token = a.staff.Token
	}
	return call(ctx, a.http, method, a.at.URL()+"/booking/api/v1"+path, token, idempotencyKey, body, answer)
}

// call sends a request and decodes an answer of the 2xx kind, or a problem. A
// body of bytes is sent as it is.
func call(ctx context.Context, client *http.Client, method, url, token, idempotencyKey string, body, answer any) (int, problem, error) {
	var content io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		content, contentType = bytes.NewReader(b), "application/octet-stream"
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			return 0, problem{}, err
		}
		content = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, content)
	if err != nil {
		return 0, problem{}, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	res, err := client.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return 0, problem{}, errNotSent
	}
	if err != nil {
		return 0, problem{}, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, problem{}, fmt.Errorf("%w: %v", errNoAnswer, err)
	}
	if res.StatusCode == http.StatusServiceUnavailable {
		return 0, problem{}, fmt.Errorf("%w: %s", errTurnedAway, b)
	}
	var p problem
	switch {
	case res.StatusCode < 300 && answer != nil:
		err = json.Unmarshal(b, answer)
	case res.StatusCode == http.StatusConflict || res.StatusCode == http.StatusUnprocessableEntity:
		if err = json.Unmarshal(b, &p); err == nil && (p.Rule == "in-the-past" || p.Rule == "already-over") {
			err = errOver
		}
	case res.StatusCode >= 300:
		err = fmt.Errorf("%s: %s", res.Status, b)
	}
	if err != nil {
		return 0, p, fmt.Errorf("%s %s: %w", method, req.URL.Path, err)
	}
	if res.StatusCode == http.StatusUnprocessableEntity && p.Rule == "" {
		return 0, p, fmt.Errorf("%s %s: %s: %s", method, req.URL.Path, res.Status, b)
	}
	return res.StatusCode, p, nil
}
