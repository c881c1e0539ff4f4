package canteen

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/linli-io/linli/internal/civil"
	"github.com/linli-io/linli/internal/web"
)

// batchesView is the list of batches.
type batchesView struct {
	desk
	Today civil.Date
	// Ended says that those are shown too that are used up or discarded.
	Ended bool
	// Query is what was looked for.
	Query   string
	Batches []batchLine
}

// batchLine is a batch with its supplier's name.
type batchLine struct {
	Batch
	From string
}

// withSuppliers adds the suppliers' names to batches.
func withSuppliers(batches []Batch, suppliers []Supplier) []batchLine {
	names := map[uuid.UUID]string{}
	for _, p := range suppliers {
		names[p.ID] = p.Name
	}
	lines := make([]batchLine, len(batches))
	for i, b := range batches {
		lines[i] = batchLine{b, names[b.Supplier]}
	}
	return lines
}

func (s *service) batchesPage(w http.ResponseWriter, r *http.Request) {
	v := batchesView{desk: s.desk(r, safetyPath), Today: s.today(), Query: typed(r.URL.Query(), "q"), Ended: r.URL.Query().Get("show") == "all"}
	suppliers, err := s.store.Suppliers(r.Context())
	var batches []Batch
	if err == nil {
		batches, err = s.store.Batches(r.Context(), BatchQuery{Open: !v.Ended, Text: v.Query, Limit: batchesShown})
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	v.Batches = withSuppliers(batches, suppliers)
	s.pages.Render(w, r, http.StatusOK, batchesPage(v))
}

// address is the list with what was looked for.
func (v batchesView) address(ended bool) string {
	values := url.Values{}
	if v.Query != "" {
		values.Set("q", v.Query)
	}
	if ended {
		values.Set("show", "all")
	}
	if len(values) == 0 {
		return batchesPath
	}
	return batchesPath + "?" + values.Encode()
}

// batchView is the page and the form of a batch; its version is 0 for a new one.
type batchView struct {
	desk
	Batch     Batch
	Today     civil.Date
	Suppliers []Supplier
	// From is whom it came from; Names are of those who took it in and ended it.
	From  Supplier
	Names staffNames
	// Values are what the form has, by field.
	Values   map[string]string
	Version  int
	Mistakes map[string]string
	Stale    bool
}

// batchFields are the fields of the form, in their order.
var batchFields = []string{"ingredient", "supplier", "lot", "quantity", "boughtOn", "expiresOn", "note"}

func (s *service) batchView(r *http.Request) (v batchView, err error) {
	ctx := r.Context()
	v.desk, v.Today, v.Mistakes = s.desk(r, safetyPath), s.today(), map[string]string{}
	if v.Suppliers, err = s.store.Suppliers(ctx); err != nil {
		return v, err
	}
	if r.PathValue("batch") == "" && r.URL.Query().Get("batch") == "" {
		v.Values = map[string]string{"boughtOn": v.Today.String()}
		return v, nil
	}
	id := idOf(r.PathValue("batch"))
	if id == uuid.Nil {
		id = idOf(r.URL.Query().Get("batch")) // uploads have one path
	}
	if v.Batch, err = s.store.Batch(ctx, id); err != nil {
		return v, err
	}
	if v.From, err = s.store.Supplier(ctx, v.Batch.Supplier); err != nil {
		return v, err
	}
	b := v.Batch
	v.Version, v.Values = b.Version, map[string]string{
		"ingredient": b.Ingredient, "supplier": b.Supplier.String(), "lot": b.Lot, "quantity": b.Quantity, "boughtOn": b.BoughtOn.String(), "note": b.Note,
	}
	if (b.ExpiresOn != civil.Date{}) {
		v.Values["expiresOn"] = b.ExpiresOn.String()
	}
	v.Names, err = s.staffNames(ctx, v.View, b.AcceptedBy, b.EndedBy)
	return v, err
}

func (s *service) newBatchPage(w http.ResponseWriter, r *http.Request) { s.batchPage(w, r) }

func (s *service) batchPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.batchView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	s.pages.Render(w, r, http.StatusOK, batchPage(v))
}

// read reads the form into a batch, and notes what is wrong.
func (v *batchView) read(form url.Values) Batch {
	b := v.Batch
	for _, field := range batchFields {
		v.Values[field] = typed(form, field)
	}
	v.Values["ingredient"], v.Values["note"] = oneLine(form.Get("ingredient")), strings.TrimSpace(strings.ReplaceAll(form.Get("note"), "\r\n", "\n"))
	v.Version = seenVersion(form)
	b.Ingredient, b.Lot, b.Quantity, b.Note, b.Version = v.Values["ingredient"], v.Values["lot"], v.Values["quantity"], v.Values["note"], v.Version
	b.Supplier = uuid.Nil
	for _, p := range v.Suppliers {
		if p.ID.String() == v.Values["supplier"] {
			b.Supplier = p.ID
		}
	}
	b.BoughtOn, b.ExpiresOn = civil.Date{}, civil.Date{}
	if day, err := parseDay("boughtOn", v.Values["boughtOn"]); err == nil {
		b.BoughtOn = day
	}
	if text := v.Values["expiresOn"]; text != "" {
		day, err := parseDay("expiresOn", text)
		if err != nil {
			v.Mistakes["expiresOn"] = v.T("canteen.safety.wrong.date")
		}
		b.ExpiresOn = day
	}
	for _, m := range CheckBatch(b, v.Today) {
		if v.Mistakes[m.Field] == "" {
			v.Mistakes[m.Field] = v.T("canteen.safety.wrong.batch."+m.Field, "Limit", map[string]int{
				"ingredient": maxIngredient, "lot": maxLot, "quantity": maxQuantity, "note": maxSafetyNote,
			}[m.Field])
		}
	}
	return b
}

func (v batchView) mistakes() []web.FieldError {
	return inOrder(v.Mistakes, append([]string{"", "photo", "reason"}, batchFields...)...)
}

func (s *service) makeBatch(w http.ResponseWriter, r *http.Request) { s.changeBatch(w, r) }

func (s *service) changeBatch(w http.ResponseWriter, r *http.Request) {
	if !s.staffForm(w, r) {
		return
	}
	v, err := s.batchView(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	b, done := v.read(r.PostForm), "batchChanged"
	if v.Batch.Version == 0 {
		b.Version, done = 0, "batchNew"
		if b.ID, err = newID(); err != nil {
			s.fail(w, r, err)
			return
		}
	}
	status := http.StatusUnprocessableEntity
	if len(v.Mistakes) == 0 {
		_, err := s.store.PutBatch(r.Context(), s.by(r.Context()), b)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case refused:
			v.Mistakes[refusal.Field] = safetyRefused(v.View, refusal, b.Ingredient)
		case errors.Is(err, ErrStale):
			status, v.Version, v.Mistakes[""] = http.StatusConflict, v.Batch.Version, v.T("canteen.safety.stale")
		case err != nil:
			s.fail(w, r, err)
			return
		default:
			http.Redirect(w, r, withDone(batchURL(b.ID), done), http.StatusSeeOther)
			return
		}
	}
	s.pages.Render(w, r, status, batchPage(v))
}

// endBatch says what became of the batch of the address.
func (s *service) endBatch(end BatchEnd) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.staffForm(w, r) {
			return
		}
		id := idOf(r.PathValue("batch"))
		err := s.store.EndBatch(r.Context(), s.by(r.Context()), id, end, oneLine(r.PostForm.Get("reason")))
		refusal, refused := errors.AsType[*Refusal](err)
		if refused {
			v, failed := s.batchView(r)
			if failed != nil {
				s.fail(w, r, failed)
				return
			}
			v.Mistakes["reason"], v.Values["reason"] = safetyRefused(v.View, refusal, v.Batch.Ingredient), oneLine(r.PostForm.Get("reason"))
			s.pages.Render(w, r, http.StatusUnprocessableEntity, batchPage(v))
			return
		}
		// Who presses twice, or after somebody else, sees what has become of it.
		if err != nil && !errors.Is(err, ErrStale) {
			s.fail(w, r, err)
			return
		}
		http.Redirect(w, r, withDone(batchURL(id), map[BatchEnd]string{BatchUsedUp: "batchUsedUp", BatchDiscarded: "batchDiscarded", BatchOpen: "batchOpen"}[end]), http.StatusSeeOther)
	}
}

// batchPhotoURL is where the photo of a batch is, for staff; another photo has
// another address.
func batchPhotoURL(b Batch) string {
	return batchPhotosPath + "/" + b.ID.String() + "?id=" + b.Photo.String()
}

// batchPhotoFile is the photo of a batch.
func (s *service) batchPhotoFile(w http.ResponseWriter, r *http.Request) {
	p, err := s.store.BatchPhoto(r.Context(), idOf(r.PathValue("batch")))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", p.MediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(p.Content)))
	w.Header().Set("Cache-Control", "private, no-store")
	if _, err := w.Write(p.Content); err != nil {
		s.log.DebugContext(r.Context(), "photo not delivered", "error", err.Error())
	}
}

// batchPhotoFromPage keeps the photo of the batch that the query names: uploads
// have one path, so that no other may be as large.
func (s *service) batchPhotoFromPage(w http.ResponseWriter, r *http.Request) {
	v, err := s.batchView(r)
	if err == nil && v.Batch.Version == 0 {
		err = ErrNotFound
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	content, _, problem, err := s.uploaded(r)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	if problem != "" {
		v.Mistakes["photo"] = v.T(problem, "Count", maxPhotoBytes>>20)
		s.pages.Render(w, r, http.StatusUnprocessableEntity, batchPage(v))
		return
	}
	if err := s.store.PutBatchPhoto(r.Context(), s.by(r.Context()), v.Batch.ID, content); err != nil {
		s.fail(w, r, err)
		return
	}
	http.Redirect(w, r, withDone(batchURL(v.Batch.ID), "photo"), http.StatusSeeOther)
}

// supplierOptions are those from whom something is bought, and the batch's own.
func (v batchView) supplierOptions() []web.Option {
	options := []web.Option{{Label: v.T("canteen.safety.chooseSupplier")}}
	for _, p := range v.Suppliers {
		if !p.Retired || p.ID == v.Batch.Supplier {
			options = append(options, web.Option{Value: p.ID.String(), Label: p.Name})
		}
	}
	return options
}
