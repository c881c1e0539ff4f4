package canteen

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/identity"
)

// Paths of the pages.
const (
	homePath = "/" + Name + "/"
	// ordersPath is where a resident's orders are.
	ordersPath = homePath + "orders"
)

// errBadForm means that a form was sent which no page of ours has.
var errBadForm = errors.New("the form is not one of ours")

// maxFormBytes is far more than a form with the longest menu needs.
const maxFormBytes = 64 << 10

// readForm reads the form of a request, or returns errBadForm.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxFormBytes)
	if err := r.ParseForm(); err != nil {
		return nil, errBadForm
	}
	return r.PostForm, nil
}

// fail shows the error page that fits err.
func (s *service) fail(w http.ResponseWriter, r *http.Request, err error) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, identity.ErrNobody):
		s.pages.Error(w, r, http.StatusNotFound)
		return
	case errors.Is(err, errNotYours):
		s.pages.Error(w, r, http.StatusForbidden)
		return
	case errors.Is(err, errBadForm):
		s.pages.Error(w, r, http.StatusBadRequest)
		return
	}
	if r.Context().Err() == nil {
		s.log.ErrorContext(r.Context(), "page failed", "pattern", r.Pattern, "error", err.Error())
	}
	s.pages.Error(w, r, http.StatusInternalServerError)
}

// query is a sitting as a part of an address.
func (s Sitting) query() url.Values {
	return url.Values{"canteen": {s.Canteen}, "date": {s.Day.String()}, "meal": {s.Meal}}
}

// sittingFrom reads a sitting from an address or a form; ErrNotFound if it
// names none.
func sittingFrom(values url.Values) (Sitting, error) {
	day, err := parseDay("date", values.Get("date"))
	if err != nil {
		return Sitting{}, ErrNotFound
	}
	return Sitting{Canteen: values.Get("canteen"), Day: day, Meal: values.Get("meal")}, nil
}

func orderURL(id uuid.UUID) string { return ordersPath + "/" + id.String() }
